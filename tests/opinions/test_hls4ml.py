"""hls4ml itself: the same numbers with the same types, and one line where it cannot be asked."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from hwaccel.api import load
from hwaccel.opinions.record import Opinion
from tests.cli.tools import Ran, run

NETS = "tests.opinions.nets"
pytestmark = pytest.mark.hls


def opinion(folder: Path) -> Opinion:
    return msgspec.json.decode((folder / "comparison.json").read_bytes(), type=Opinion)


@pytest.mark.slow
def test_a_project(tmp_path: Path) -> None:
    assert run("convert", f"{NETS}:mlp", "--example", "1x8", "-o", tmp_path / "p").code == 0
    ran = run("compare", tmp_path / "p", "--with", "hls4ml", "-o", tmp_path / "o")
    assert ran.code == 0, ran.err
    said = opinion(tmp_path / "o")
    assert said.design == load(tmp_path / "p").hash
    assert said.same
    assert [(one.kind, one.values) for one in said.layers] == [
        ("Linear", 96), ("ReLU", 96), ("Linear", 64)
    ]  # fmt: skip
    assert not any(one.given for one in said.layers)
    assert said.line in ran.out
    assert (tmp_path / "o" / "project" / "firmware" / "opinion.cpp").is_file()


@pytest.mark.slow
def test_a_network_of_convolutions_with_the_same_and_with_its_own_types(tmp_path: Path) -> None:
    words = ("compare", f"{NETS}:cnn", "--example", "1x2x8x8", "-o", tmp_path / "o")
    ran = run(*words, "--frames", "5")
    assert ran.code == 0, ran.err
    said = opinion(tmp_path / "o")
    assert said.same
    assert [one.kind for one in said.layers] == (
        "Conv2d ReLU MaxPool2d Conv2d add ReLU Conv2d ReLU AvgPool2d Linear".split()
    )
    assert said.unseen == ("reshape",)
    ran = run(*words, "--frames", "5", "--own-types")
    assert ran.code == 0, ran.err
    said = opinion(tmp_path / "o")
    assert not said.asked
    assert all(one.different for one in said.layers)
    first, *_ = said.layers
    assert first.alone == first.different
    assert first.reason.startswith("explained by width of ")
    assert "explained by" in ran.out


@pytest.mark.slow
def test_what_is_not_converted_is_said(tmp_path: Path) -> None:
    ran = run("compare", f"{NETS}:odd", "--example", "1x8", "-o", tmp_path / "o")
    assert ran.code == 0, ran.err
    said = opinion(tmp_path / "o")
    assert said.same
    assert [one.kind for one in said.layers] == ["Linear", "Linear"]
    (left,) = said.not_converted
    assert (left.op, left.why) == ("table", "hls4ml has no layer that does what table does")
    assert said.line.endswith("; 1 nodes not converted")
    assert "not converted: hls4ml has no layer" in " ".join(ran.out.split())


# --- one line each -------------------------------------------------------------------------------


def failed(*words: object) -> str:
    ran: Ran = run("compare", f"{NETS}:mlp", "--example", "1x8", *words)
    assert ran.code == 2
    return ran.err[-1]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_another_tool() -> None:
    assert failed("--with", "finn") == "hwaccel: --with finn: expected hls4ml"


def test_a_python_that_is_missing(tmp_path: Path) -> None:
    assert failed("--python", tmp_path / "nothing").startswith("hwaccel: nothing: ")


def test_a_python_without_it(tmp_path: Path) -> None:
    python = script(tmp_path / "python", f'exec {sys.executable} -S "$@"')
    said = failed("--python", python)
    assert said == (
        f"hwaccel: hls4ml: ModuleNotFoundError: No module named 'hls4ml' in {python}; pip install "
        "'hwaccel[hls,torch]' there, or name another Python with --python"
    )


def test_a_python_that_dies(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "echo out of paper; exit 3")
    assert failed("--python", python) == "hwaccel: hls4ml: failed (exit code 3): out of paper"


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    python = script(tmp_path / "python", 'echo "[]" > "$3/answer.json"')
    assert failed("--python", python).startswith("hwaccel: hls4ml: answers with something else (")


def test_an_answer_without_values(tmp_path: Path) -> None:
    python = script(tmp_path / "python", 'echo "{}" > "$3/answer.json"')
    assert failed("--python", python).startswith("hwaccel: hls4ml: ")


def test_an_answer_with_other_values(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; np.savez(sys.argv[1] + '/traces.npz', n0=np.zeros((16, 3))); "
        "open(sys.argv[1] + '/answer.json', 'w').write('{}')"
    )
    python = script(tmp_path / "python", f'exec {sys.executable} -c "{code}" "$3"')
    assert failed("--python", python) == (
        "hwaccel: hls4ml: n0: traced values of shape (16, 3), expected (6,)"
    )


def test_a_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "bin" / "g++", "echo 'opinion.cpp:1:1: error: no more ink' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    said = failed()
    assert said.startswith("hwaccel: hls4ml: ")
    assert "no more ink" in said


def test_a_model_of_which_nothing_is_a_layer() -> None:
    ran = run("compare", f"{NETS}:table", "--example", "1x8")
    assert ran.code == 2
    assert ran.err[-1].startswith("hwaccel: compare: hls4ml computes nothing of ")
    assert "hls4ml has no layer that does what table does" in ran.err[-1]


def test_a_project_has_its_own_options(tmp_path: Path) -> None:
    ran = run("compare", tmp_path, "--example", "1x8")
    assert ran.err[-1] == (
        f"hwaccel: {tmp_path}: is a project, which has its own; leave out --example"
    )


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds files that hwaccel did not write" in failed("-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
