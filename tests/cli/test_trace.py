"""`sim --trace`, and what is kept of a run whose results are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hwaccel import load, stages, tools
from hwaccel.api import Design
from hwaccel.errors import MismatchError
from hwaccel.report.evidence import ErrorRecord, MismatchRecord, TraceRecord
from hwaccel.report.results import load_results
from tests.cli.tools import done, refused
from tests.report.designs import CONFIG, planned

icarus = pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")


@icarus
@pytest.mark.rtl
def test_every_stream_is_as_predicted(project: Path) -> None:
    said = done("sim", project, "--simulator", "icarus", "--frames", 3, "--trace").splitlines()
    assert re.fullmatch(
        r"icarus: \d+ streams and \d+ issuers as predicted in [\d,]+ cycles; [\d,]+ beats carry "
        r"what the golden model says",
        said[1],
    )
    record = load_results(project).records["trace-icarus"]
    assert isinstance(record, TraceRecord)
    assert record.timed
    assert record.odd == ()
    # All signals in all cycles, but for steps and waits, which end with the last step.
    assert record.bits > record.cycles * (2 * record.streams + 2 * record.issuers)
    assert record.excerpts[0].lanes[0].name == "s_axis_tvalid"
    assert record.command.endswith("--seed 1 --trace")

    said = done("sim", project, "--simulator", "icarus", "--frames", 2, "--trace",
                "--backpressure", "some").splitlines()  # fmt: skip
    assert said[1].endswith("what the golden model says; no promise of times under back pressure")
    page = project / "report.html"
    done("report", project)
    assert "equal in every cycle" in page.read_text()
    assert "no promise of times under back pressure" in page.read_text()


def test_the_fast_path_has_no_waves_to_trace(project: Path) -> None:
    assert refused("sim", project, "--simulator", "fast", "--trace") == (
        "the fast path writes no waves to trace; use verilator or icarus"
    )


def test_icarus_writes_no_vcd(project: Path) -> None:
    assert refused("sim", project, "--simulator", "icarus", "--waves", "w.vcd") == (
        "w.vcd: icarus writes FST; call the file w.fst"
    )


def test_convert_keeps_how_far_layers_are_from_float(converted: Path) -> None:
    record = load_results(converted).records["errors"]
    assert isinstance(record, ErrorRecord)
    names = {node.name for node in load(converted).graph.nodes}
    assert {layer.name for layer in record.layers} & names
    assert all(0 <= layer.noise < layer.signal for layer in record.layers)
    done("report", converted)
    assert "signal to noise" in (converted / "report.html").read_text()


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    from tests.cli.tools import MODELS

    done("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", tmp_path / "c")
    return tmp_path / "c"


# --- results that are wrong ----------------------------------------------------------------------


def broken(design: Design) -> Mapping[str, str]:
    """Return the Verilog of the small CNN with one weight of its second convolution changed."""
    files = dict(design.verilog())
    name = "cnn_block_q_mac_weights.mem"
    lines = files[name].split("\n")
    at = next(k for k, line in enumerate(lines) if line and not line.startswith("//"))
    lines[at] = lines[at][:-1] + ("1" if lines[at][-1] == "0" else "0")
    files[name] = "\n".join(lines)
    return files


@icarus
@pytest.mark.rtl
def test_a_mismatch_is_kept_and_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "cnn"
    graph, plan = planned("cnn")
    design = Design(graph, plan, CONFIG)
    design.write(project)
    xs = stages.frames(design, 2, 1, ())
    wrong = broken(design)
    with monkeypatch.context() as patch:
        patch.setattr(Design, "verilog", lambda self: wrong)
        told: list[str] = []
        with pytest.raises(MismatchError, match=r"^head: frame 0"):
            stages.simulate(design, project, xs, "icarus", progress=told.append)
        assert re.fullmatch(
            "icarus: wrong numbers begin in block.conv, which is fed right ones; the first leaves "
            r"it in cycle \d+",
            *told,
        )
    record = load_results(project).records["mismatch-icarus"]
    assert isinstance(record, MismatchRecord)
    assert record.located
    assert record.fed
    assert [tensor.name for tensor in record.tensors] == ["block_q", "sum_q", "flat", "head"]
    first = record.tensors[0]
    assert first.path == "block.conv"
    assert first.shape == [4, 4, 4]
    want = np.array(first.expected)
    assert (np.flatnonzero(want != first.found) == [w.at for w in first.wrong if not w.frame]).all()
    (excerpt,) = record.excerpts
    assert excerpt.mark == first.cycle
    assert "block_q_tdata" in {lane.name for lane in excerpt.lanes}
    page = stages.write_report(design, project, project / "report.html").read_text()
    assert "The first layer that is wrong is block_q (block.conv)" in page

    stages.simulate(design, project, xs, "icarus")
    assert "mismatch-icarus" not in load_results(project).records


@icarus
@pytest.mark.rtl
def test_what_waves_show_to_be_wrong_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right results at the right time, from a design that is not the planned one inside."""
    project = tmp_path / "cnn"
    graph, plan = planned("cnn")
    design = Design(graph, plan, CONFIG)
    design.write(project)
    files = dict(design.verilog())
    top = files["cnn.v"]
    fifo = re.search(r"\.DEPTH  \((\d+)\)\s*\) u_pool_fifo", top)
    assert fifo
    files["cnn.v"] = top[: fifo.start(1)] + str(int(fifo[1]) + 3) + top[fifo.end(1) :]
    monkeypatch.setattr(Design, "verilog", lambda self: files)
    xs = stages.frames(design, 2, 1, ())
    with pytest.raises(MismatchError, match=r"^icarus: \w+: .* in cycle \d+ is"):
        stages.simulate(design, project, xs, "icarus", trace=True)
    record = load_results(project).records["trace-icarus"]
    assert isinstance(record, TraceRecord)
    assert record.odd
