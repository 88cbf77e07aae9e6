"""The page on adding an op is followed to the letter, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.ir import GraphBuilder, Op, interpret, verify
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import OP_BY_NAME
from tests.cli.tools import ROOT

PAGE = (ROOT / "docs" / "how-to" / "add-an-op.md").read_text(encoding="utf-8")
# A file is named in the prose; the blocks up to the next name belong to it.
PART = re.compile(
    r"(Create|[Cc]hange) `([\w./-]+)`|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COPIED = ("hwaccel", "rtl", "sim", "templates", "tests", "docs", "pyproject.toml", "CHANGELOG.md")


def blocks() -> Iterator[tuple[str, str, str]]:
    """Return the blocks of the page, each with its kind and the file it is about."""
    path = ""
    for verb, named, kind, body in PART.findall(PAGE):
        path = named if verb else path
        if kind:
            yield kind, path, body


def commands() -> list[str]:
    return [
        command
        for kind, _, body in blocks()
        if kind == "console"
        for line in re.findall(r"^\$ (.*)$", body, re.MULTILINE)
        for command in line.split(" && ")
    ]


def apply_diff(path: Path, body: str) -> None:
    """Change a file as a block without line numbers says; what it names must be there once."""
    lines = body.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name}: {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def op() -> type[Op]:
    """The op of the page, as a class."""
    (source,) = (
        body for kind, path, body in blocks() if path == "hwaccel/ops/neg.py" and kind == "python"
    )
    module = types.ModuleType("neg_of_the_page")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source, "docs/how-to/add-an-op.md", "exec"), module.__dict__)
    return module.Neg


def test_the_page_names_every_place() -> None:
    places = {path for kind, path, _ in blocks() if kind != "console"}
    assert places == {
        "hwaccel/ops/neg.py",
        "hwaccel/ops/__init__.py",
        "rtl/op/hwa_neg.v",
        "rtl/README.md",
        "sim/bench_pipe.py",
        "tests/rtl/test_pipes.py",
        "templates/hls/lib/neg.h",
        "templates/cuda/lib/neg.h",
        "tests/ops/test_contract.py",
        "hwaccel/frontend/floatgraph.py",
        "hwaccel/frontend/layers.py",
        "hwaccel/frontend/torch_export.py",
        "hwaccel/frontend/lower_ops.py",
        "tests/frontend/test_operators.py",
        "docs/how-to/supported-models.md",
    }


def test_the_op_is_complete(op: type[Op]) -> None:
    examples = op.examples()
    assert len({example.label for example in examples}) == len(examples) >= 8
    for example in examples:
        (x,) = example.ins
        builder = GraphBuilder("page")
        graph = builder.build(builder.add("y", example.op, builder.input("x", x), path="a.b"))
        verify(graph)
        assert parse_graph(print_graph(graph), {**OP_BY_NAME, op.name: op}) == graph
        out = graph.types()["y"]
        batch = np.random.default_rng(0).integers(x.lo, x.hi + 1, (9, *x.shape))
        batch[0], batch[1] = x.lo, x.hi
        (y,) = interpret(graph, batch)
        assert np.array_equal(y, -batch)
        assert (y.min(), y.max()) == (out.lo, out.hi)
        for fold in example.op.folds(x):
            hardware = example.op.hardware(example.ins, fold)
            assert hardware.pipes[-1].width == out.fixed.width
        assert example.op.kernel(x).function == "neg"


def follow(folder: Path) -> None:
    """Copy the repository and do every step of the page but the commands."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    for kind, path, body in blocks():
        if kind == "diff":
            apply_diff(folder / path, body)
        elif kind != "console":
            assert not (folder / path).exists()
            (folder / path).write_text(body, encoding="utf-8")


def know_types(folder: Path) -> None:
    """Let mypy begin with what it knows of the files that are as they were."""
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.hls
@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
def test_the_page_to_the_letter(tmp_path: Path) -> None:
    follow(tmp_path)
    know_types(tmp_path)
    for command in commands():
        done = subprocess.run(
            _argv(command),
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(tmp_path),
                "PYTEST_ADDOPTS": "-p no:cacheprovider",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-2000:]}"


def _argv(command: str) -> list[str]:
    """Return the command with the programs of this environment."""
    first, *words = shlex.split(command)
    if first == "python":
        return [sys.executable, *words]
    if first == "pytest":
        return [sys.executable, "-m", "pytest", *words]
    return [str(Path(sys.executable).parent / first), *words]
