"""A slice of the figure `cycles`, and that it is able to fail."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trust import cycles
from hwaccel.schedule.blocks import Segment
from hwaccel.schedule.watch import watch
from hwaccel.tools import find
from hwaccel.verify.jobs import Stalls
from hwaccel.verify.traced import Traced, check_times, check_values
from hwaccel.verify.waves import Waves
from tests.verify.packing import run_packed

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.xdist_group("cycles"),
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
]


def test_random_designs_do_in_every_cycle_what_is_predicted(tmp_path: Path) -> None:
    found = cycles.compare(islice(cycles.drawn(0), cycles.TOGETHER), tmp_path)
    assert found.odd == []
    assert found.designs == cycles.TOGETHER
    assert found.bits > 10_000
    assert found.waits > 50


@pytest.mark.slow
def test_windows_lines_circuits_and_joins_do_too(tmp_path: Path) -> None:
    found = cycles.compare(_some(), tmp_path)
    assert found.odd == []
    assert found.bits > 100_000


def _some():
    """Networks of windows, of lines and in logic."""
    names = ("cnn0_pixel", "cnn0_spatial", "skips", "two_by_two", "branches_pixel")
    return cycles.framed(made for made in cycles.designs.networks() if made.name in names)


def test_what_is_not_as_predicted_is_seen(tmp_path: Path) -> None:
    """Another FIFO, a late beat and a wrong weight are told apart, and where they begin."""
    made = next(m for m in cycles.drawn(0) if sum(b.depth > 1 for b in m.plan.segments) > 1)
    file = tmp_path / "waves.fst"
    (((outcome,)),) = run_packed([made], [Stalls()], "icarus", waves=file)
    outcome.get()
    waves = Waves(file, "all_designs.d0")
    right = watch(made.plan, len(made.xs[0]))
    assert check_times(waves, made.netlist, made.plan, right).odd == []

    late = {name: (np.arange(len(right.streams[name].moved)) + 5).tolist() for name in
            made.plan.inputs}  # fmt: skip
    odd = check_times(waves, made.netlist, made.plan, watch(made.plan, len(made.xs[0]), late)).odd
    assert odd[0].where == made.plan.inputs[0]
    assert odd[0].cycle == 0

    deep = next(b for b in made.plan.blocks if isinstance(b, Segment) and b.depth > 1)
    shallow = made.plan.replaced(deep, deep.with_depth(1))
    odd = check_times(waves, made.netlist, shallow, watch(shallow, len(made.xs[0]))).odd
    assert odd
    assert " expected " in str(odd[0])

    stream = made.plan.streams[made.plan.outputs[0]]
    values = {stream.value: made.expected[0] + (np.arange(made.expected[0].size) == 3).reshape(
        made.expected[0].shape)}  # fmt: skip
    found = Traced(waves.cycles)
    check_values(waves, made.netlist, made.plan, values, found)
    assert found.astray[-1].value == stream.value
    assert int((found.astray[-1].expected != found.astray[-1].found).sum()) == 1
