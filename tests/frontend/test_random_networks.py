"""Random networks from the whole operator matrix: right within a computed bound, exact in hardware.

``--networks N`` and ``--first-seed S`` choose how many and which; a failure prints the network, its
configuration and the command that repeats it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel import ops
from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.errors import ConfigError, FrontendError, ScheduleError
from hwaccel.frontend.export import export, read
from hwaccel.fxp import IntArray
from hwaccel.ir import Op, verify
from hwaccel.tools import find
from hwaccel.verify.jobs import Bench, Stalls
from hwaccel.verify.rtl import run_benches
from tests.frontend.oracle import Checker, Lowered, check_conversion
from tests.frontend.random_networks import Network, network
from tests.frontend.tools import Lambda, frames, readable
from tests.verify.packing import pack

COUNT = 40
# The marked slice; the others follow the first.
SLOW_FROM, SLOW_COUNT = 10_000, 120
# Designs that are simulated together.
_TOGETHER = 20
_FRAMES, _CYCLES = 3, 4000
_STALLS = (Stalls(), Stalls("bursts", "none", 2), Stalls("some", "heavy", 3))


@dataclass
class Case:
    """A network, and its design or the line that refuses it."""

    network: Network
    design: Design | None = None
    refusal: str = ""
    targets: frozenset[str] = field(default=frozenset())
    # The largest bound, beside the largest output: above 1 it says little.
    looseness: float = 0.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first, count = (metafunc.config.getoption(n) for n in ("--first-seed", "--networks"))
    quick = range(first, first + (COUNT if count is None else count))
    slow = range(SLOW_FROM, SLOW_FROM + SLOW_COUNT) if count is None else range(0)
    slowly = [pytest.mark.slow]
    chunks = [
        (seeds[i : i + _TOGETHER], slowly if seeds is slow else [])
        for seeds in (quick, slow)
        for i in range(0, len(seeds), _TOGETHER)
    ]
    each, together = [], []
    for seeds, marks in chunks:
        # A worker of pytest-xdist that has converted networks is the one that simulates them.
        here = [*marks, pytest.mark.xdist_group(f"networks-{seeds[0]}")]
        each += [pytest.param(seed, marks=here, id=str(seed)) for seed in seeds]
        together.append(pytest.param(tuple(seeds), marks=here, id=f"{seeds[0]}-{seeds[-1]}"))
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", each)
    if "seeds" in metafunc.fixturenames:
        metafunc.parametrize("seeds", together)


@contextmanager
def _repeatable(drawn: Network) -> Iterator[None]:
    """Put what repeats a failure in front of it."""
    try:
        yield
    except Exception as error:
        text = f"{type(error).__name__}: {error}\n{drawn.reproducer()}"
        raise AssertionError(text) from error


@cache
def _case(seed: int) -> Case:
    drawn = network(seed)
    with _repeatable(drawn):
        return _converted(drawn)


def _converted(drawn: Network) -> Case:
    """Convert and check against PyTorch; refusals must name a place and a way out."""
    model, calibration = drawn.traced(), drawn.frames(16, 0)
    exported = isinstance(model, torch.export.ExportedProgram)
    program = read(model) if exported else export(model, [x[:1] for x in calibration])
    targets = frozenset(call.target for call in program.calls)
    xs = drawn.frames(6, 1)
    try:
        low, checker = check_conversion(
            model, calibration, drawn.config, xs, drawn.module(double=True)
        )
        design = design_from(low.graph, drawn.config)
    except (FrontendError, ConfigError, ScheduleError) as error:
        return Case(drawn, refusal=str(error), targets=targets)
    verify(low.graph)
    # What the passes made of it is the same.
    raw = design.golden.raw(*design.golden.quantize(*xs))
    numbers = design.golden.read(raw)
    optimized = numbers if isinstance(numbers, tuple) else (numbers,)
    for found, want in zip(optimized, checker.outputs, strict=True):
        np.testing.assert_array_equal(found, want.numpy(), err_msg="the optimized graph")
    looseness = max(
        float(bound.max() / (y.abs().max() + 1e-9))
        for bound, y in zip(checker.bounds(), checker.outputs, strict=True)
    )
    return Case(drawn, design, targets=targets, looseness=looseness)


def test_network_is_within_its_bound_or_refused_in_one_line(seed: int) -> None:
    case = _case(seed)
    if case.design is None:
        assert readable(case.refusal), f"{case.refusal}\n{case.network.reproducer()}"


def test_most_networks_convert_and_most_bounds_are_tight(seeds: Sequence[int]) -> None:
    cases = [_case(seed) for seed in seeds]
    refused = [case.refusal for case in cases if case.design is None]
    assert len(refused) <= len(seeds) // 3, refused
    loose = [case.looseness for case in cases if case.design is not None]
    assert len(loose) < _TOGETHER or np.quantile(loose, 0.3) < 0.2, sorted(loose)


def _simulated(seeds: Sequence[int]) -> list[tuple[Case, Design]]:
    made = []
    for case in map(_case, seeds):
        if case.design is None or not case.design.plan.segments:
            continue
        if case.design.plan.timing(_FRAMES).finished()[-1] <= _CYCLES:
            made.append((case, case.design))
    return made


@pytest.mark.rtl
@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_verilog_is_exact_and_on_time_under_stalls(seeds: Sequence[int]) -> None:
    cases = _simulated(seeds)
    files, top = pack([design.netlist for _, design in cases])
    benches = []
    for number, (case, design) in enumerate(cases):
        files |= design.verilog()
        xs = design.golden.quantize(*case.network.frames(_FRAMES, 2))
        benches.append(Bench(design.netlist, xs, design.golden.raw(*xs), f"d{number}_"))
    every = run_benches(files, top, benches, _STALLS, simulator="icarus", patience_cycles=20_000)
    for (case, design), outcomes in zip(cases, every, strict=True):
        with _repeatable(case.network):
            results = [outcome.get() for outcome in outcomes]
            for result in results[:2]:
                arrivals = dict(zip(design.plan.inputs, map(list, result.offered), strict=True))
                assert result.finished == design.plan.timing(_FRAMES, arrivals).finished()


@pytest.mark.parametrize("what", ["torch", "cuda-host", "hls"])
def test_other_executors_are_exact(seeds: Sequence[int], what: str) -> None:
    cases = _simulated(seeds)
    # Compiling takes seconds each.
    for case, design in cases[:: {"torch": 1, "cuda-host": 6, "hls": 14}[what]]:
        xs = design.golden.quantize(*case.network.frames(8, 3))
        with _repeatable(case.network):
            found = design.execute(what, xs)
            for y, want in zip(found, design.golden.raw(*xs), strict=True):
                np.testing.assert_array_equal(y, want)


def _broken(low: Lowered, kind: type[Op], field: str, by: int) -> Lowered:
    """Return the conversion with one field of one op off by a little."""
    nodes = list(low.graph.nodes)
    at = next(i for i, node in enumerate(nodes) if isinstance(node.op, kind))
    old = getattr(nodes[at].op, field)
    if field == "source":
        new = IntArray((old.a + by) % (old.a.max() + 1))
    else:
        new = IntArray(old.a + by) if isinstance(old, IntArray) else old + by
    nodes[at] = replace(nodes[at], op=replace(nodes[at].op, **{field: new}))
    return replace(low, graph=low.graph.rebuilt(nodes))


@pytest.mark.parametrize(
    ("kind", "field", "by"),
    [
        (ops.Conv2d, "weight", 1),
        (ops.Conv2d, "bias", 1),
        (ops.Requant, "shift", 1),
        (ops.Requant, "hi", -16),
        (ops.Tabulate, "values", 2),
        (ops.Gather, "source", 1),
        (ops.Scale, "mult", 2),
        (ops.Add, "b_shift", 1),
    ],
)
def test_the_oracle_sees_a_wrong_number(kind: type[Op], field: str, by: int) -> None:
    def forward(m, x):
        y = m.conv(x)
        return (torch.tanh(y.flip(3)) + y.mean((2, 3), keepdim=True) / 3) * 0.3

    torch.manual_seed(0)
    model = Lambda(forward, conv=nn.Conv2d(2, 3, 3)).eval()
    xs = [frames(2, 5, 5, count=64)]
    low, _ = check_conversion(model, xs, Config(weight_bits=6, activation_bits=6))
    with torch.no_grad():
        wanted = [copy.deepcopy(model).double()(torch.tensor(xs[0]).double())]
    Checker(low, xs).check(wanted)
    with pytest.raises(AssertionError):
        Checker(_broken(low, kind, field, by), xs).check(wanted)
