"""Systems in simulation: equal to the golden model of the whole, and on time to the cycle."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwaccel import tools
from hwaccel.devices.cut import most_parts
from hwaccel.devices.farm import Farm, FarmPlan, replicate
from hwaccel.devices.links import LinkSpec
from hwaccel.devices.pieces import pieces_of
from hwaccel.devices.split import Split
from hwaccel.devices.system import System
from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType, interpret
from hwaccel.ops import Conv2d, Requant
from hwaccel.schedule.blocks import Block
from hwaccel.schedule.channels import Channel, Collect, Deal
from hwaccel.schedule.compiled import CompiledRun
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import InterpretedRun
from hwaccel.verify import stimulus
from hwaccel.verify.jobs import Bench, Stalls
from hwaccel.verify.rtl import run_benches
from tests.devices.systems import blocks, design, link, split, two_ways
from tests.schedule.graphs import optimized
from tests.verify.packing import pack

FRAMES = 5
STALLS = [Stalls(), Stalls("bursts", "none", 2), Stalls("some", "bursts", 3)]
sim_tools = pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")


# --- arithmetic: the parts are the whole ---------------------------------------------------------


def through(system: Split, xs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Compute device after device, as the links hand on values."""
    known = dict(zip((v.name for v in system.graph.inputs), xs, strict=True))
    for one in system.designs:
        outs = interpret(one.graph, *(known[value.name] for value in one.graph.inputs))
        known.update(zip(one.graph.outputs, outs, strict=True))
    return known


@settings(max_examples=20, deadline=None)
@given(
    optimized(),
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 9),
    st.integers(1, 50),
    st.sampled_from(["stream", "stream", "pixel", "auto"]),
)
def test_any_network_split_anyhow(
    graph: Graph, count: int, width: int, latency: int, credits: int, style: str
) -> None:
    parts = most_parts(pieces_of(design(graph, style=style).plan))
    assume(parts)
    spec = LinkSpec(width=width, latency=latency, credits=credits)
    system = split(graph, min(count, parts), spec, style=style)
    types = [value.type for value in system.graph.inputs]
    xs = stimulus.frames(types, 3, np.random.default_rng(width))
    known = through(system, list(xs))
    for name, want in zip(system.graph.outputs, interpret(system.graph, *xs), strict=True):
        np.testing.assert_array_equal(known[name], want)
    one, other = both(system.plan, 3)
    assert one.waiting() == other.waiting() == []
    for name in system.plan.streams:
        assert np.array_equal(np.asarray(one.moved(name)), other.moved(name)), name
    assert {j.source < j.target for j in system.parts.joins} <= {True}


def both(plan: Plan, frames: int) -> tuple[InterpretedRun, CompiledRun]:
    inputs = {n: plan.streams[n].beats for n in plan.inputs}
    offered = {n: np.arange(beats * frames, dtype=np.int64) * 2 for n, beats in inputs.items()}
    runs = (InterpretedRun, CompiledRun)
    one, other = (run(plan.blocks, offered, plan.outputs, frames) for run in runs)
    return one, other


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9))
def test_links_and_turns_in_both_engines(seed: int, count: int, beats: int, credits: int) -> None:
    rng = np.random.default_rng(seed)
    ends = [f"s{i}" for i in range(count)]
    behind = [f"g{i}" for i in range(count)]
    plan: list[Block] = [Deal("scatter", ("x",), tuple(ends), beats)]
    for end, out in zip(ends, behind, strict=True):
        plan.append(Channel(out, (end,), (out,), beats, credits, int(rng.integers(1, 20))))
    plan.append(Collect("gather", tuple(behind), ("y",), beats))
    offered = {"x": np.cumsum(rng.choice([0, 0, 1, 9], 3 * count * beats)).astype(np.int64)}
    one, other = (run(plan, offered, ["y"], 3) for run in (InterpretedRun, CompiledRun))
    for name in ("x", "y", *ends, *behind):
        assert np.array_equal(np.asarray(one.moved(name)), other.moved(name)), name
    assert len(other.moved("y")) == 3 * count * beats


def test_a_link_with_credits_for_half_the_way_is_half_as_fast() -> None:
    channel = Channel("c", ("x",), ("y",), 60, 6, 4)
    assert channel.cycles == 120
    done = CompiledRun([channel], {"x": np.zeros(600, np.int64)}, ["y"], 10).moved("y")
    assert done[-1] - done[-61] == 120


# --- buffers: a skip that crosses a cut ----------------------------------------------------------


def test_what_goes_around_is_buffered_for_the_time_of_the_link() -> None:
    """A skip arrives at once, what it meets only after the layers and a slow link."""
    graph = blocks(2)
    whole = design(graph).plan.timing(6)
    for latency in (1, 30):
        system = split(graph, 4, link(latency=latency))
        timing = system.plan.timing(6)
        assert timing.interval == whole.interval
        assert timing.latency > whole.latency


def test_a_slow_link_sets_the_pace() -> None:
    system = split(blocks(2), 2, link(width=1, latency=20, credits=2))
    slowest = max(way.channel.cycles for way in system.ways)
    assert slowest > max(one.plan.bottleneck.cycles for one in system.designs)
    assert system.plan.timing(8).interval == slowest


# --- engines -------------------------------------------------------------------------------------


def test_engines_are_as_fast_as_they_are_many() -> None:
    made = design(blocks(1), multipliers=8)
    one = made.plan.timing(6).interval
    for count in (2, 3, 4):
        assert replicate(made, count).plan.pace == one / count


def test_no_fifo_of_a_farm_is_deeper_than_needed() -> None:
    farm = replicate(design(blocks(1), multipliers=8), 3)
    plan = farm.plan
    for side in ("ins", "outs"):
        depths = getattr(plan, side)
        for at, depth in enumerate(depths):
            if depth > 1:
                less = (*depths[:at], depth - 1, *depths[at + 1 :])
                other = {"ins": plan.ins, "outs": plan.outs, side: less}
                assert FarmPlan(plan.plan, plan.count, other["ins"], other["outs"]).pace > plan.pace


@pytest.mark.parametrize("count", [0, 1, 65])
def test_numbers_of_engines_that_make_no_sense(count: int) -> None:
    with pytest.raises(ConfigError, match=r"a farm has 2 to 64; ask for that many$"):
        replicate(design(blocks(1)), count)


def test_more_engines_than_the_input_can_feed() -> None:
    made = design(blocks(1))
    with pytest.raises(ConfigError) as error:
        replicate(made, 60)
    line = str(error.value)
    assert line.startswith("60 engines: ")
    most = int(line.partition("no more than ")[2].split()[0])
    assert line.endswith(f"ask for {most} or fewer" if most > 1 else "one engine is as fast")


# --- Verilog -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def systems() -> tuple[System, ...]:
    """Links that are narrow, slow, short of credits, crossed several times; and two farms."""
    one = blocks(2, 4, "two_d")
    made = design(blocks(1, 4, "single"), multipliers=8)
    return (
        split(one, 2, link()),
        split(blocks(3, 4, "narrow", 5), 4, link(width=3, latency=9, credits=5)),
        split(blocks(1, 4, "odd", 7), 2, link(width=4, latency=1, credits=1)),
        split(two_ways(), 2, link(width=7, latency=2)),
        split(blocks(1, 4, "pixels"), 2, link(width=5), style="pixel"),
        replicate(made, 3),
        replicate(design(two_ways(), multipliers=9, name="pair"), 2),
    )


def check(system: System, bench: Bench, outcomes: list, frames: int = FRAMES) -> None:
    names = system.plan.inputs
    for stalls, outcome in zip(STALLS, outcomes, strict=True):
        result = outcome.get()
        for want, found in zip(bench.expected, result.outputs, strict=True):
            np.testing.assert_array_equal(want, found)
        if stalls.backpressure == "none":
            offered = dict(zip(names, map(list, result.offered), strict=True))
            timing = system.plan.timing(frames, offered)
            assert (result.latency, result.finished) == (timing.latency, timing.finished())


def bench(system: System, prefix: str = "") -> Bench:
    types = [value.type for value in system.graph.inputs]
    xs = stimulus.frames(types, FRAMES, np.random.default_rng(5))
    return Bench(system.netlist, xs, system.golden.raw(*xs), prefix)


@sim_tools
@pytest.mark.rtl
def test_systems_equal_golden_and_are_on_time() -> None:
    every = systems()
    files, top = pack([one.netlist for one in every])
    for one in every:
        files.update(one.verilog())
    benches = [bench(one, f"d{i}_") for i, one in enumerate(every)]
    outcomes = run_benches(files, top, benches, STALLS, simulator="icarus", patience_cycles=20_000)
    for one, job, outcome in zip(every, benches, outcomes, strict=True):
        check(one, job, outcome)


@sim_tools
@pytest.mark.slow
@pytest.mark.rtl
def test_structure_is_that_of_the_netlists() -> None:
    for one in (systems()[2], systems()[-1]):
        one.check_structure()


def test_farm_of_pairs_has_two_inputs() -> None:
    farm = systems()[-1]
    assert isinstance(farm, Farm)
    assert len(farm.ins) == 2
    assert len(farm.outs) == 2


@pytest.mark.skipif(tools.find("verilator") is None, reason="verilator is not installed")
@sim_tools
@pytest.mark.slow
@pytest.mark.rtl
def test_tools_have_nothing_to_say_about_systems(tmp_path: Path) -> None:
    """A function of hwa_window_order once hid a memory of the same name in hwa_window."""
    verilator = tools.require("verilator")
    for one in (*systems()[:2], systems()[-1]):
        folder = tmp_path / one.name
        folder.mkdir()
        for name, text in one.verilog().items():
            (folder / name).write_text(text)
        sources = sorted(path.name for path in folder.glob("*.v"))
        icarus = ["iverilog", "-g2005", "-Wall", "-s", one.name, "-o", "x.vvp", *sources]
        assert tools.run(icarus, cwd=folder).output == ""
        words = [*verilator.argv, "--lint-only", "-Wall", "--top-module", one.name]
        done = tools.run(
            [*words, f"{one.name}.v"], cwd=folder, env=verilator.environ(), check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_no_module_has_the_name_of_another() -> None:
    """Layers laid out in logic have modules of their own; those around a design meet none."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("net")
    x = b.input("x", TensorType.full((2, 4, 4), FixedType(True, 4, 2)))
    for name in ("farm", "d0", "linked", "system"):
        weight = IntArray(rng.integers(-3, 4, (2, 2, 1, 1)))
        x = b.add(f"{name}_c", Conv2d(weight, IntArray([0, 0]), IntArray([0, 0]), 0), x)
        x = b.add(name, Requant(2, -8, 7), x)
    graph = b.build(x)
    made = design(graph, style="pixel")
    farm = Farm(graph, made.config, (made,), 2, (1,), (1,))
    for one in (split(graph, 2, link(), style="pixel"), farm):
        modules = [one.name, *(net.name for net in one.others)]
        for made in one.designs:
            modules += [made.name, *(unit.name for unit in made.netlist.units)]
        assert len(modules) == len(set(modules))
        assert {f"{name}.v" for name in modules} <= one.verilog().keys()


def test_names_of_models_do_not_get_out_of_comments() -> None:
    made = split(replace(blocks(1, 4), name="a\nmodule b; endmodule //"), 2, link())
    for text in made.verilog().values():
        assert "\nmodule b" not in text
