"""The cocotb path: right designs pass on both simulators, broken ones are told apart."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import numpy as np
import pytest

from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError, MismatchError, ToolError
from hwaccel.schedule.fold import choose_folds
from hwaccel.tools import find
from hwaccel.verify.jobs import Bench, Outcome, Stalls
from hwaccel.verify.rtl import read_rtl, run_benches, simulate
from hwaccel.verify.waves import Waves
from tests.verify.echo import BEATS, DEFECTS, echo
from tests.verify.networks import cnn, dense_block, skips, two_ins_two_outs
from tests.verify.packing import Design, design, pack
from tests.verify.vcd import Wave

pytestmark = pytest.mark.rtl
SIMULATORS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(find(tool) is None, reason=f"{tool} is not installed"),
    )
    for name, tool in (("icarus", "iverilog"), ("verilator", "verilator"))
]
FRAMES = np.arange(3 * BEATS, dtype=np.int64).reshape(3, BEATS) - 5


@cache
def _network(name: str) -> Design:
    graphs = {"two": two_ins_two_outs, "dense": dense_block, "skips": skips}
    graph = graphs[name]() if name in graphs else cnn(True, size=4, width=4)
    return design(graph, choose_folds(graph, Config(multipliers=16)))


# --- right designs -------------------------------------------------------------------------------


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("network", ["cnn", "two", "dense", "skips"])
def test_a_network_equals_golden_and_is_on_time(network, simulator):
    made = _network(network)
    stalls = [Stalls(), Stalls("heavy", "none", 2), Stalls("bursts", "some", 3)]
    bench = Bench(made.netlist, made.xs, made.expected)
    (outcomes,) = run_benches(made.files, made.netlist.name, [bench], stalls, simulator=simulator)
    results = [outcome.get() for outcome in outcomes]
    for result in results:
        assert result.simulator == simulator
        assert all(map(np.array_equal, result.outputs, made.expected))
        assert not result.frame_error
    frames = len(made.xs[0])
    predicted = made.plan.timing(frames)
    assert results[0].finished == predicted.finished()
    assert (results[0].started, results[0].cycles) == (0, predicted.finished()[-1] + 1)
    arrivals = dict(zip(made.plan.inputs, map(list, results[1].offered), strict=True))
    assert results[1].finished == made.plan.timing(frames, arrivals).finished()
    assert results[1].cycles > results[0].cycles


def test_same_seed_same_run_and_another_seed_another(tmp_path):
    files, netlist = echo("right")

    def run(seed: int):
        return simulate(
            files,
            netlist,
            [FRAMES],
            simulator="icarus",
            idle="some",
            backpressure="some",
            seed=seed,
        )

    first, again, other = run(5), run(5), run(6)
    assert first.offered == again.offered
    assert first.finished == again.finished
    assert first.offered != other.offered


# --- times against a waveform --------------------------------------------------------------------


@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
@pytest.mark.parametrize(
    ("idle", "backpressure"), [("none", "none"), ("heavy", "some"), ("bursts", "bursts")]
)
def test_times_are_those_of_the_waveform(idle, backpressure, tmp_path):
    made = _network("two")
    result = simulate(
        made.files,
        made.netlist,
        made.xs,
        simulator="verilator",
        idle=idle,
        backpressure=backpressure,
        seed=9,
        waves=tmp_path / "waves" / "run.vcd",
    )
    wave = Wave((tmp_path / "waves" / "run.vcd").read_text())
    for edge, offered in zip(made.netlist.inputs, result.offered, strict=True):
        assert wave.offered(edge.prefix) == list(offered)
    firsts = [wave.taken(edge.prefix)[0] for edge in made.netlist.inputs]
    assert result.started == min(firsts)
    lasts = [wave.taken(e.prefix)[e.beats - 1 :: e.beats] for e in made.netlist.outputs]
    assert list(result.finished) == [max(times) for times in zip(*lasts, strict=True)]


@pytest.mark.slow
@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
def test_verilator_writes_fst_where_the_compiler_can(tmp_path):
    """What is called .fst was VCD once. Without the headers it is said what is missing."""
    files, netlist = echo("right")
    headers = "#include <lz4.h>\n#include <zlib.h>\n"
    able = subprocess.run(["g++", "-E", "-x", "c++", "-"], input=headers, text=True,
                          capture_output=True, check=False)  # fmt: skip
    waves = tmp_path / "run.fst"
    if able.returncode:
        with pytest.raises(ToolError, match=r"cannot write FST: .*liblz4-dev and zlib1g-dev"):
            simulate(files, netlist, [FRAMES], simulator="verilator", waves=waves)
        return
    result = simulate(files, netlist, [FRAMES], simulator="verilator", waves=waves)
    assert waves.read_bytes()[0] == 0  # the header block of FST; VCD is text
    read = Waves(waves, netlist.name)
    moves = read.bit("m_axis_tvalid") & read.bit("m_axis_tready")
    beats = netlist.outputs[0].beats
    assert np.flatnonzero(moves == 1)[beats - 1 :: beats].tolist() == list(result.finished)


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_icarus_writes_waves_and_workdir_keeps_the_rest(tmp_path):
    files, netlist = echo("right")
    simulate(
        files,
        netlist,
        [FRAMES],
        simulator="icarus",
        waves=tmp_path / "run.fst",
        workdir=tmp_path / "work",
    )
    assert (tmp_path / "run.fst").stat().st_size > 100
    kept = {path.name for path in (tmp_path / "work").iterdir()}
    assert {"job.json", "result.json", "sim.log", "results.xml", "echo_right.v"} <= kept


# --- broken designs ------------------------------------------------------------------------------

UNCOMPARED = {
    "right": "",
    "deaf": "stuck: nothing moved for 6000 cycles, s_axis at beat 0 of 12, m_axis at beat 0 of 12",
    "mute": "stuck: nothing moved for 6000 cycles, s_axis at beat 12 of 12, m_axis at beat 0 of 12",
    "late": "stuck: nothing moved for 6000 cycles, s_axis at beat 6 of 12, m_axis at beat 6 of 12",
    "early_tlast": "m_axis: tlast came with beat 3 of frame 0, expected with beat 4",
    "no_tlast": "m_axis: no tlast with beat 4 of frame 0",
    "stutter": "m_axis: a beat came after the last frame",
    "unknown": "m_axis: beat 2 has unknown bits: XXXXXXXX",
    "complaint": "frame_error is high, though tlast was on the last beat of each frame",
    "wrong": "",
}


@cache
def _broken(compare: bool) -> dict[str, Outcome]:
    """Run all broken designs in one simulation."""
    names = list(UNCOMPARED)
    made = [echo(name) for name in names]
    expected = [FRAMES] if compare else []
    benches = [Bench(netlist, [FRAMES], expected, f"d{i}_") for i, (_, netlist) in enumerate(made)]
    files, top = pack([netlist for _, netlist in made])
    for own, _ in made:
        files |= own
    outcomes = run_benches(
        files, top, benches, [Stalls(seed=4)], simulator="icarus", patience_cycles=5000
    )
    return dict(zip(names, (one for (one,) in outcomes), strict=True))


def _text(outcome: Outcome, kind: type[HwaccelError]) -> str:
    with pytest.raises(kind) as caught:
        outcome.get()
    return str(caught.value)


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize("name", UNCOMPARED)
def test_a_broken_rule_is_named(name):
    outcome = _broken(compare=False)[name]
    if UNCOMPARED[name]:
        assert _text(outcome, ToolError) == f"echo_{name}: {UNCOMPARED[name]}; seed 4"
    else:
        assert outcome.get().outputs[0].shape == FRAMES.shape


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_a_wrong_number_is_named():
    assert _text(_broken(compare=True)["wrong"], MismatchError) == (
        "m: frame 1, index (2): expected 1 (0.0625), found -128 (-8) by icarus; "
        "1 of 8 elements differ; beat 2, cycle 6; seed 4"
    )
    assert np.array_equal(_broken(compare=True)["right"].get().outputs[0], FRAMES)


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_repeat_is_part_of_the_message():
    files, netlist = echo("wrong")
    with pytest.raises(MismatchError, match=r"; repeat with: hwaccel sim build/ --seed 1$"):
        simulate(
            files,
            netlist,
            [FRAMES],
            simulator="icarus",
            expected=[FRAMES],
            repeat="hwaccel sim build/ --seed 1",
        )


# --- failures of tools ---------------------------------------------------------------------------


def _failure(files, netlist, work, simulator="icarus", **options) -> str:
    with pytest.raises(ToolError) as caught:
        simulate(files, netlist, [FRAMES], simulator=simulator, workdir=work, **options)
    return str(caught.value).replace(str(work), "WORK")


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_unknown_handshake_stops_the_bench(tmp_path):
    text = _failure(*echo("undecided"), tmp_path)
    reason = "ValueError: Cannot convert Logic('X') to bool"
    assert text == f"icarus: the bench failed: {reason} (log: WORK/sim.log)"


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_syntax_errors_come_from_the_compiler(tmp_path):
    files, netlist = echo("right")
    broken = {name: text.replace("reg  ", "rag  ") for name, text in files.items()}
    text = _failure(broken, netlist, tmp_path)
    assert re.fullmatch(
        r"icarus: failed \(exit code 1\): WORK/echo_right.v:\d+: (syntax )?error.* "
        r"\(log: WORK/sim.log\)",
        text,
    )


@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
def test_warnings_of_verilator_are_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files, netlist = echo("right")
    broken = {name: text.replace("[1:0] count_q", "[0:0] count_q") for name, text in files.items()}
    text = _failure(broken, netlist, tmp_path, "verilator")
    assert text.startswith("verilator: failed (exit code 1): %Warning-WIDTH")
    log = re.search(r"\(log: WORK/(cache/hwaccel/verilated/\w+\.log)\)$", text)
    assert log is not None
    assert "WIDTH" in (tmp_path / log[1]).read_text()


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_a_simulator_that_ends_early(tmp_path):
    files, netlist = echo("right")
    quits = {
        n: t.replace("assign frame", "initial #60 $finish;\nassign frame") for n, t in files.items()
    }
    text = _failure(quits, netlist, tmp_path)
    assert text.startswith("icarus: the bench failed: ")
    assert text.endswith("(log: WORK/sim.log)")


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_time_runs_out(tmp_path):
    text = _failure(*echo("deaf"), tmp_path, timeout_s=2.0, patience_cycles=1 << 40)
    assert "stopped after 2 s, the time it was given" in text


# --- wrong arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xs", "message"),
    [
        ([], "expected frames for s, found 0 arrays"),
        ([FRAMES[:, :3]], "s: expected frames of shape (N, 4), found (3, 3)"),
        ([FRAMES[:0]], "s: expected frames of shape (N, 4), found (0, 4)"),
        (
            [FRAMES + 200],
            "s: expected integers from -128 to 127, found 195 to 206; quantize them to s8.4",
        ),
    ],
    ids=["none", "shape", "empty", "range"],
)
def test_frames_that_do_not_fit(xs, message):
    with pytest.raises(ConfigError) as caught:
        Bench(echo("right")[1], xs)
    assert str(caught.value) == message


def test_unknown_pattern():
    with pytest.raises(ConfigError) as caught:
        Stalls(idle="often")
    known = "none, rare, some, heavy, bursts, alternate, start"
    assert str(caught.value) == f"idle: 'often' is not one of {known}"


def test_folder_without_verilog(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_rtl(tmp_path)
    assert str(caught.value) == f"{tmp_path}: holds no Verilog; write the design there first"


def test_folder_is_read(tmp_path):
    for name, text in {"a.v": "A", "b.mem": "B", "notes.txt": "C"}.items():
        (tmp_path / name).write_text(text)
    assert read_rtl(tmp_path) == {"a.v": "A", "b.mem": "B"}
    assert DEFECTS.keys() >= UNCOMPARED.keys()
