"""Stalls, resets and unknown bits: a slice of the figure, and faults that it must find."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from benchmarks.trust import designs, stress, unknowns
from hwaccel.api import Design
from hwaccel.errors import HwaccelError, MismatchError, StreamError
from hwaccel.tools import find
from hwaccel.verify.fastsim import FastRun
from hwaccel.verify.jobs import PATTERNS, Stalls

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
    pytest.mark.skipif(find("yosys") is None, reason="yosys is not installed"),
]


def _design(name: str) -> Design:
    return next(design for design in designs.one_op() if design.name == name)


@pytest.fixture(scope="module")
def relu() -> Design:
    return _design("maxpool2d_stream")


def _broken(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Break the FIFO of every design that is made from now on."""
    plain = Design.verilog

    def verilog(self: Design) -> dict[str, str]:
        files = dict(plain(self))
        assert files["hwa_fifo.v"].count(old) == 1
        files["hwa_fifo.v"] = files["hwa_fifo.v"].replace(old, new)
        return files

    monkeypatch.setattr(Design, "verilog", verilog)


def test_every_op_and_style_is_there():
    names = [design.name for design in designs.one_op()]
    assert len(set(names)) == len(names) == len(designs.OPS) * len(designs.STYLES)


def test_grid_is_every_pattern_with_every_other():
    runs = stress.grid(4, 1)
    assert len({(run.stalls.idle, run.stalls.backpressure) for run in runs}) == 7 * 7
    assert len(PATTERNS) == 7


def test_no_unknown_bit_after_a_reset(relu):
    assert unknowns.watch([relu], 1) >= 10


def test_a_register_that_a_reset_forgets_is_an_unknown_bit(relu, monkeypatch):
    _broken(monkeypatch, "            valid_q   <= 1'b0;\n", "")
    with pytest.raises(HwaccelError, match=r"unknown|stopped|X"):
        unknowns.watch([relu], 1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> stress.Group:
    members = [_design("maxpool2d_stream"), _design("add_spatial")]
    return stress.group(members, 200, 1, tmp_path_factory.mktemp("pair"))


@pytest.mark.slow
@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
def test_stalls_resets_and_power_up(pair):
    said = stress.stress(pair, 200, 1)
    assert said.startswith("2 designs, resets at ")


@pytest.mark.slow
@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
def test_a_place_that_a_reset_forgets_is_found(monkeypatch, tmp_path):
    _broken(monkeypatch, "            read_q    <= {PLACE_W{1'b0}};\n", "")
    broken = stress.group([_design("maxpool2d_stream")], 20, 1, tmp_path)
    with pytest.raises((MismatchError, StreamError), match=r"FastRun|driver: run"):
        broken.check(list(stress.resets(broken.span, 1)))


@pytest.mark.slow
@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
def test_runs_of_one_process_are_those_of_many(pair):
    runs = [FastRun(5, Stalls("some", "bursts", seed)) for seed in (1, 2, 1)]
    times = [result.finished for result in pair.model.run_all(pair.xs, runs)]
    assert times[0] == times[2] != times[1]
    assert times[1] == next(pair.model.run_all(pair.xs, runs[1:2])).finished


@pytest.mark.slow
@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pauses_are_as_long_as_in_the_other_benches(pair, pattern):
    """Of the source: what it offers when nothing stops it tells when it paused."""
    (result,) = pair.model.run_all(pair.xs, [FastRun(100, Stalls(pattern, "none", 3))])
    gaps = list(_gaps(result.offered[0]))
    share = sum(gaps) / (sum(gaps) + len(gaps))
    wanted = {"none": 0, "rare": 0.0625, "some": 0.25, "heavy": 0.8, "bursts": 0.5}
    if pattern == "alternate":
        assert set(islice(gaps, 1, None)) == {1}
    elif pattern == "start":
        assert 64 <= gaps[0] <= 128
        assert not any(gaps[1:])
    else:
        assert abs(share - wanted[pattern]) < 0.05


def _gaps(offered: tuple[int, ...]) -> Iterator[int]:
    before = -1
    for cycle in offered:
        yield cycle - before - 1
        before = cycle
