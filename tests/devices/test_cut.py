"""Where to cut: the best of all ways there are, and a clear word where there is none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.devices.cut import Carried, Problem, best_cuts, fullness, least_share, most_parts
from hwaccel.devices.limits import CAPACITIES, Limits, capacity
from hwaccel.devices.partition import Wish, partition, problem_of
from hwaccel.devices.pieces import Piece
from hwaccel.errors import ConfigError
from hwaccel.ir.hardware import Area
from hwaccel.synth.target import TARGETS
from tests.devices.systems import blocks, design, link, two_ways


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Pieces that read any values made before them."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    count = draw(st.integers(2, 8))
    pieces, values = [], {"x": Carried(4, 1, 8)}
    for i in range(count):
        reads = sorted(set(rng.choice(list(values), rng.integers(1, 3))))
        area = Area(int(rng.integers(1, 90)), 0, int(rng.integers(0, 4)), int(rng.integers(0, 3)))
        name = f"n{i}"
        cycles = int(rng.integers(0, 4))
        pieces.append(Piece((name,), tuple(reads), frozenset({name}), area, cycles, ()))
        values[name] = Carried(int(rng.integers(1, 9)), int(rng.integers(1, 4)), 8)
    return Problem(tuple(pieces), values, link(8, 1), draw(st.sampled_from([8, 16, 1000])))


def every_way(problem: Problem, limits: list[Limits], most: float) -> tuple[int, float] | None:
    """The least traffic and then fullness over all ways to cut, one by one."""
    count, found = len(problem.pieces), []
    for inner in combinations(range(1, count), len(limits) - 1):
        runs = list(zip((0, *inner), (*inner, count), strict=True))
        shares = [fullness(problem.area(r), one) for r, one in zip(runs, limits, strict=True)]
        slow = any(problem.link_cycles(run) > problem.cycles for run in runs)
        if not slow and max(shares) <= most and all(map(problem.computes, runs)):
            found.append((sum(map(problem.traffic, runs)), max(shares)))
    return min(found) if found else None


@settings(max_examples=200, deadline=None)
@given(problems(), st.integers(1, 5), st.sampled_from([60, 200, 1000, None]), st.booleans())
def test_no_way_is_better(problem: Problem, parts: int, luts: int | None, same: bool) -> None:
    limits = [Limits(luts and luts * (1 if same else 1 + i % 2), 6, None) for i in range(parts)]
    cuts = best_cuts(problem, limits)
    best = every_way(problem, limits, 1.0)
    if cuts is None:
        assert best is None
        return
    assert cuts[-1] == len(problem.pieces)
    runs = list(zip((0, *cuts), cuts, strict=False))
    shares = [fullness(problem.area(r), one) for r, one in zip(runs, limits, strict=True)]
    assert best == (sum(map(problem.traffic, runs)), max(shares))
    assert least_share(problem, limits) <= 1


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(1, 4))
def test_the_least_share_is_least(problem: Problem, parts: int) -> None:
    limits = [Limits(50)] * parts
    least = least_share(problem, limits)
    if least is None:
        assert every_way(problem, limits, 1e9) is None
    else:
        assert best_cuts(problem, limits, least) is not None
        assert best_cuts(problem, limits, np.nextafter(least, 0)) is None


def test_a_part_never_reads_from_a_later_one() -> None:
    problem = problem_of(design(blocks(3)), Wish((Limits(),), link()))
    made = set()
    for piece in problem.pieces:
        assert set(piece.reads) <= made | {"x"}
        made |= piece.makes


def test_areas_of_pieces_are_those_of_the_design() -> None:
    from hwaccel.schedule.estimate import plan_area

    for graph in (blocks(2), two_ways()):
        made = design(graph)
        problem = problem_of(made, Wish((Limits(),), link()))
        assert problem.area((0, len(problem.pieces))) == plan_area(made.plan)


def test_every_target_has_a_capacity() -> None:
    assert CAPACITIES.keys() == {target.name for target in TARGETS}
    assert capacity("ice40") == CAPACITIES["ice40-up5k"]


def fails(count: int, *, luts: int | None = None, after: tuple[str, ...] = (), **spec: int) -> str:
    """Return what is said about a split of two residual blocks."""
    interval = spec.pop("interval", None)
    wish = Wish((Limits(luts),) * count, link(**spec), interval, after)
    with pytest.raises(ConfigError) as error:
        partition(design(blocks(2)), wish)
    return str(error.value)


def test_more_parts_than_there_are() -> None:
    made = design(blocks(2))
    most = most_parts(problem_of(made, Wish((Limits(),), link())).pieces)
    assert fails(most + 1) == (
        f"{most + 1} devices: this network can be cut into 1 to {most} parts; ask for that many"
    )
    assert len(partition(made, Wish((Limits(),) * most, link())).designs) == most


def test_limits_that_nothing_meets_say_what_is_nearest() -> None:
    problem = problem_of(design(blocks(2)), Wish((Limits(),), link()))
    need = min(
        problem.area((i, i + 1)).luts
        for i in range(len(problem.pieces))
        if problem.pieces[i].cycles
    )
    line = fails(2, luts=need - 1)
    assert line.startswith(f"2 devices of {need - 1} LUT: no cut makes every part fit; the nearest")
    assert line.endswith("on device 0, and more devices do not help") or " on device 1" in line


def test_limits_that_more_devices_meet_say_how_many() -> None:
    problem = problem_of(design(blocks(2)), Wish((Limits(),), link()))
    three = least_share(problem, [Limits(1)] * 3)
    assert three is not None
    limit = int(three)
    line = fails(2, luts=limit)
    assert line.endswith(", or 3 devices do")
    split = partition(design(blocks(2)), Wish((Limits(limit),) * 3, link()))
    assert all(area.luts <= limit for area in split.areas)


def test_slow_links_say_what_is_enough() -> None:
    line = fails(2, width=1, latency=40, credits=1)
    assert line.startswith("links of 1 bit, 40 cycles and 1 credit are too slow for a frame every ")
    width, credits = (int(word) for word in line.split("; ")[1].split() if word.isdigit())
    wish = Wish((Limits(),) * 2, link(width, 40, credits))
    made = partition(design(blocks(2)), wish)
    assert made.plan.timing(6).interval <= made.designs[0].plan.timing(6).interval
    if width > 1:
        assert "too slow" in fails(2, width=width - 1, latency=40, credits=credits)


def test_an_interval_that_no_link_keeps_says_which_one_is_kept() -> None:
    line = fails(2, interval=3)
    wanted = int(line.partition("--interval ")[2].rstrip(")"))
    partition(design(blocks(2)), Wish((Limits(),) * 2, link(), wanted))
    assert "too slow" in fails(2, interval=wanted - 1)
    assert fails(2, interval=0) == "--interval is 0, expected 1 cycle or more"


def test_named_cuts() -> None:
    made = design(blocks(3))
    wish = Wish((Limits(),) * 3, link(), None, ("body.1", "one0_q"))
    split = partition(made, wish)
    last = [graph.nodes[-1].name for graph in split.parts.graphs]
    assert last == ["one0_q", "sum1_q", "sum2_q"]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (
            ("body.0", "body.1"),
            "2 devices have 1 cuts between them, found 2 layers to cut behind; ",
        ),
        (("body.7",), "cut behind 'body.7': no layer has this name; the nearest is 'body."),
        (("body.1",), "cuts behind body.1: a device has nothing to compute; "),
    ],
)
def test_names_that_are_no_cuts(after: tuple[str, ...], said: str) -> None:
    assert fails(2, after=after).startswith(said)


def test_a_named_cut_must_fit() -> None:
    line = fails(2, luts=100, after=("body.0",))
    assert line.startswith("device 0: its part takes ")
    assert line.endswith(", of 100 LUT; name other layers, or raise the limits")
