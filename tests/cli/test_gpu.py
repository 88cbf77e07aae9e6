"""``hwaccel gpu compare``: one table, or the record; what is refused is one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import hwaccel
from hwaccel import tools
from hwaccel.report.results import load_results
from tests.cli.tools import MODELS, content, done, refused, run

pytestmark = pytest.mark.skipif(tools.find("g++") is None, reason="g++ is not installed")
# The kernels run on the host, whether there is a GPU or not.
QUICK = ("--device", "cpu", "--seconds", 0.01, "--frames", 6)


def test_one_table(project: Path) -> None:
    ran = run("gpu", "compare", project, *QUICK, "--batch", 4, "--batch", 9,
              "--model", f"{MODELS}:mlp")  # fmt: skip
    assert ran.code == 0
    assert ran.err[-1] == (
        "as asked: compared on the CPU, with the kernels compiled for the host; that is no figure "
        "of a GPU"
    )
    lines = [re.split(r" *[│┃] *", line)[1:-1] for line in ran.out.splitlines() if "│" in line]
    number, time = r"[\d,.]+( M)?", r"[\d.,]+ [mµn]?s"
    for line, pattern in zip(
        lines,
        (
            ("emitted CUDA kernels, compiled for the host", "4", number, time, ".*", "0 in 6"),
            ("", "9", number, "", ".*", ""),
            ("golden model, integer torch", "4", number, time, ".*", "0 in 6"),
            ("", "9", number, "", ".*", ""),
            ("float32 torch", "4", number, time, ".*", "–"),
            ("", "9", number, "", ".*", ""),
            ("hardware, 100 MHz as configured", "1", number, time, "no counter", "not simulated"),
        ),
        strict=True,
    ):
        assert len(line) == len(pattern)
        for cell, one in zip(line, pattern, strict=True):
            assert re.fullmatch(one, cell), (cell, one)
    timing = hwaccel.load(project).plan.timing()
    assert (
        f"hardware: one frame every {timing.interval} cycles, latency {timing.latency} cycles, "
        "predicted; not simulated yet\n"
    ) in ran.out
    made = {"csim-cuda-host", "csim-torch", "gpu-compare"}
    assert set(load_results(project).records) == {"errors", *made}
    assert done("report", project)


def test_the_record_in_place_of_a_table(project: Path) -> None:
    np.save(project.parent / "x.npy", np.random.default_rng(0).normal(size=(3, 8)))
    said = done("gpu", "compare", project, *QUICK, "--batch", 2, "--json",
                "--data", project.parent / "x.npy", "--model", f"{MODELS}:mlp")  # fmt: skip
    found = json.loads(said)
    assert found == json.loads((project / "results" / "gpu-compare.json").read_text())
    assert found["frames"] == 3
    kernels, golden, floats = found["executors"]
    assert [row["mismatches"] for row in (kernels, golden, floats)] == [0, 0, None]
    assert 0 < floats["difference"] < 1
    assert [batch["batch"] for batch in kernels["batches"]] == [2]
    (hardware,) = found["hardware"]
    assert hardware["frames_per_second"] == pytest.approx(1e8 / hardware["interval_cycles"])


@pytest.mark.skipif(tools.find("cuda") is not None, reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(project: Path) -> None:
    quick = ("--seconds", 0.01, "--frames", 2, "--batch", 2)
    ran = run("gpu", "compare", project, *quick)
    assert ran.code == 0
    assert ran.err[-1].startswith("no CUDA device: compared on the CPU, with the kernels compiled")
    assert refused("gpu", "compare", project, *quick, "--device", "cuda") == (
        "cuda: not found; it runs emitted CUDA C++; install it with: an NVIDIA GPU and pip "
        "install torch"
    )


def test_what_cannot_be_compared(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(project)

    def line(*words: object) -> str:
        return refused("gpu", "compare", project, *words)

    assert line("--device", "tpu") == "--device 'tpu': is not one of cpu, cuda"
    assert line("--weights", "w.pt") == (
        "--weights: belong to a model; give --model package.module:factory"
    )
    assert line(*QUICK, "--model", f"{MODELS}:Two").startswith(
        f"{MODELS}:Two: fails on frames of shape (8,) ("
    )
    assert line(*QUICK, "--model", f"{MODELS}:only_wires") == (
        f"{MODELS}:only_wires: returns (8,), the project (3,); give the model that this project "
        "was made from"
    )
    assert line(*QUICK, "--batch", 10**13).endswith(" GB are free; give a smaller --batch")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert line(*QUICK).startswith("g++: not found; it compiles ")
    assert content(project) == before


def test_a_project_that_was_changed(project: Path) -> None:
    (project / "graph.json").write_text("{}")
    assert refused("gpu", "compare", project, *QUICK) == (
        f"{project / 'graph.json'}: differs from its hash in manifest.json; convert again, or "
        "keep changes outside the project"
    )
