"""Real models: a point is what ``hwaccel convert`` makes of its configuration, to the cycle."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

import hwaccel
from hwaccel import errors, inputs, tools
from hwaccel.config import Config
from hwaccel.explore import run as runs
from hwaccel.explore import work
from tests.cli.tools import MODELS, run

MLP = ("explore", f"{MODELS}:mlp", "--example", "1x8")


def convert(config: Config) -> hwaccel.Design:
    model = inputs.read_model(f"{MODELS}:mlp", None)
    shown = inputs.read_examples(["1x8"])
    return hwaccel.convert(model, shown, calibration=inputs.stand_in(model, shown), config=config)


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.synth
@pytest.mark.skipif(
    tools.find("iverilog") is None or tools.find("yosys") is None,
    reason="iverilog or yosys is not installed",
)
def test_points_are_designs(tmp_path: Path) -> None:
    ran = run(*MLP, "-o", tmp_path / "e", "--budget", 6, "--survivors", 1, "--no-pnr",
              "--write", 3, "--objectives", "interval,lut,dsp", "--max-dsp", 12)  # fmt: skip
    assert ran.code == 0, ran.err
    record = json.loads((tmp_path / "e" / "front.json").read_text())
    points = {p["name"]: p for p in record["points"]}
    written = sorted((tmp_path / "e" / "points").iterdir())
    assert len(written) == 3
    for folder in written:
        design, point = hwaccel.load(folder), points[folder.name]
        config = msgspec.convert(point["config"], Config)
        assert design.hash == convert(config).hash
        xs = design.golden.quantize(np.random.default_rng(0).normal(size=(4, 8)))
        seen = design.simulate_raw(xs, simulator="icarus")
        cost = point["predicted"]["cost"]
        assert (seen.latency, seen.interval) == (cost["latency"], cost["interval"])
        assert cost["dsps"] <= 12
    (built,) = [p for p in points.values() if p["built"]]
    config = msgspec.convert(built["config"], Config)
    made = convert(config).synthesize("ecp5-85k", pnr=False).synth.utilization
    assert (built["built"]["luts"], built["built"]["dsps"]) == (made.lut4_equivalents, made.dsps)


@pytest.mark.slow
def test_widths_are_weighed_against_accuracy(tmp_path: Path) -> None:
    train = (
        "train",
        "tests.compress.quantized_models:Mlp",
        "--epochs",
        2,
        "--rate",
        2e-2,
        "-o",
        tmp_path / "t",
    )
    assert run(*train).code == 0
    words = ("explore", tmp_path / "t" / "model.pt2", "--data", "digits", "--bits", "2,4,8",
             "--objectives", "lut,error", "--styles", "stream", "--clocks", "100",
             "--survivors", 0, "--budget", 12, "-o", tmp_path / "e")  # fmt: skip
    assert run(*words).code == 0
    record = json.loads((tmp_path / "e" / "front.json").read_text())
    found = [p["predicted"] for p in record["points"]]
    assert len({f["accuracy"] for f in found}) > 2
    front = [p["predicted"] for p in record["points"] if p["on_front"]]
    assert len({(f["cost"]["luts"], f["accuracy"]) for f in front}) == len(front) > 1
    again = run(*words)
    assert "; 0 answers made, " in again.out


def test_widths_that_a_model_fixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["1" * 32, "1" * 32])
    monkeypatch.setattr(runs.Session, "graph", lambda self, config: next(answers))
    monkeypatch.setattr(runs.Session, "place", lambda self, content: str(tmp_path / "g.json"))
    from hwaccel.ir.file import save_graph
    from tests.report.designs import mlp

    (tmp_path / "g.json").write_bytes(save_graph(mlp()))
    ran = run(*MLP, "-o", tmp_path / "e", "--bits", "4,8", "--data", "digits", "--survivors", 0)
    assert ran.error == "--bits: change nothing, as the model says its own; leave them out"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("--target", "ecp6"),
            "target 'ecp6': not known; choose one of ecp5-25k, ecp5-45k, ecp5-85k, xcup, xc7, "
            "ice40-up5k, ice40hx-8k, gw1n-9c, gw2a-18, asic, osu018",
        ),
        (
            ("--bits", "4"),
            "--bits: narrower layers lose accuracy; give labelled samples with --data",
        ),
        (("--clocks", "fast"), "--clocks fast: expected numbers with commas between them"),
        (("--clocks", "nan"), "--clocks nan: expected numbers with commas between them"),
        (
            ("--bits", "4.5", "--data", "digits"),
            "--bits 4.5: expected whole numbers with commas between them",
        ),
        (("--min-fps", "0"), "--min-fps 0: expected a number above 0"),
        (("--min-accuracy", "101"), "--min-accuracy 101: expected percent, from 0 to 100"),
        (
            ("--objectives", "speed"),
            "--objectives: 'speed' is not one of latency, interval, lut, ff, dsp, ram, power, "
            "strain, error",
        ),
        (
            ("--target", "xcup", "--meet-clock"),
            "--meet-clock: no Fmax is estimated for target xcup, only for ecp5; drop it",
        ),
        (
            ("--min-accuracy", "90"),
            "accuracy is wanted, but not known: give labelled samples with --data",
        ),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, words: tuple[str, ...], text: str) -> None:
    ran = run(*MLP, "-o", tmp_path / "e", "--survivors", 0, *words)
    assert ran.error == text
    assert not (tmp_path / "e").exists()


def test_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwaccel.farm import cluster

    monkeypatch.setattr(cluster, "_CONNECT_S", 0.2)
    ran = run(*MLP, "-o", tmp_path / "e", "--scheduler", "tcp://127.0.0.1:9")
    assert ran.error == (
        "tcp://127.0.0.1:9: no Dask scheduler answers (OSError); start one with: dask scheduler"
    )


def test_what_builds_points_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise errors.ToolError(f"{name}: is not installed")

    monkeypatch.setattr(runs.tools, "require", missing)
    ran = run(*MLP, "-o", tmp_path / "e")
    assert ran.error == "yosys: is not installed"


def test_what_goes_wrong_is_an_answer(tmp_path: Path) -> None:
    place = tmp_path / "g.json"
    place.write_text("{}")
    asked = work.Predict(graph=str(place), content="0" * 32, config=Config())
    answer = work.perform(asked)
    assert (answer.status, answer.message) == (
        "error",
        f"{place}: was changed while it was explored; start it again",
    )
    older = work.perform(msgspec.structs.replace(asked, version="0"))
    assert (
        older.message
        == f"the worker has hwaccel {hwaccel.__version__}, expected 0; install the same"
    )
    gone = work.perform(msgspec.structs.replace(asked, graph=str(tmp_path / "no.json")))
    assert gone.message == f"{tmp_path / 'no.json'}: No such file or directory"


def test_choices_that_are_none_are_refused_before_the_model_is_read(tmp_path: Path) -> None:
    ran = run("explore", "no:model", "-o", tmp_path / "e", "--survivors", 0, "--styles", "fast")
    assert ran.error == "--styles: 'fast' is not one of stream, pixel, spatial"
