"""Random networks from the whole operator matrix: right within a computed bound, exact in hardware.

``--networks N`` and ``--first-seed S`` choose how many and which; a failure prints the network, its
configuration and the command that repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
import torch

from hwaccel.api import Design, design_from
from hwaccel.errors import ConfigError, FrontendError, MismatchError, ScheduleError
from hwaccel.frontend.export import export
from hwaccel.frontend.torch_export import HANDLERS, trace
from hwaccel.ir import interpret, verify
from hwaccel.tools import find
from hwaccel.verify.jobs import Bench, Stalls
from hwaccel.verify.rtl import run_benches
from tests.frontend.oracle import Checker, lowered, within
from tests.frontend.random_networks import Network, network
from tests.verify.packing import pack

COUNT = 40
# The marked slice; the others follow the first.
SLOW_FROM, SLOW_COUNT = 10_000, 300
# Designs that are simulated together.
_TOGETHER = 20
_FRAMES, _CYCLES = 3, 4000
_STALLS = (Stalls(), Stalls("bursts", "none", 2), Stalls("some", "heavy", 3))
# Refusals that name a limit of fixed point, not of the converter.
_WAY_OUT = re.compile(
    r"(the model's forward|[mb]\d+|input \S+|output \S+|random_\d+\S*|\S+ \(\S*\)|layer \S+)"
    r":? .+; .+|.+ is not enough: this network needs at least \d+, .+"
)


@dataclass
class Case:
    """A network, and its design or the line that refuses it."""

    network: Network
    design: Design | None = None
    refusal: str = ""
    targets: frozenset[str] = field(default=frozenset())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first, count = (metafunc.config.getoption(n) for n in ("--first-seed", "--networks"))
    quick = range(first, first + (COUNT if count is None else count))
    slow = range(SLOW_FROM, SLOW_FROM + SLOW_COUNT) if count is None else range(0)
    if "seed" in metafunc.fixturenames:
        marked = [pytest.param(seed, marks=pytest.mark.slow) for seed in slow]
        metafunc.parametrize("seed", [*quick, *marked])
    if "seeds" in metafunc.fixturenames:
        chunks = [
            pytest.param(
                tuple(seeds[i : i + _TOGETHER]),
                id=f"{seeds[i]}-{seeds[i : i + _TOGETHER][-1]}",
                marks=[pytest.mark.slow] if seeds is slow else [],
            )
            for seeds in (quick, slow)
            for i in range(0, len(seeds), _TOGETHER)
        ]
        metafunc.parametrize("seeds", chunks)


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
    model, calibration = drawn.module(), drawn.frames(16, 0)
    program = export(model, [x[:1] for x in calibration])
    targets = frozenset(call.target for call in program.calls)
    try:
        low = lowered(trace(program), calibration, drawn.config)
        verify(low.graph)
        design = design_from(low.graph, drawn.config)
    except (FrontendError, ConfigError, ScheduleError) as error:
        return Case(drawn, refusal=str(error), targets=targets)
    xs = drawn.frames(6, 1)
    checker = Checker(low, xs)
    with torch.no_grad():
        answers = drawn.module(double=True)(*(torch.tensor(x).double() for x in xs))
    wanted = answers if isinstance(answers, tuple) else (answers,)
    noise = [1e-9 * (1 + want.abs().max().item()) for want in wanted]
    for name, want, limit in zip(low.floats.outputs, wanted, noise, strict=True):
        within((checker.floats[name] - want).abs(), limit, f"float graph, {name}")
    checker.check_nodes()
    ints = design.golden.quantize(*xs)
    raw = design.golden.raw(*ints)
    for found, same in zip(raw, interpret(low.graph, *ints), strict=True):
        np.testing.assert_array_equal(found, same, err_msg="the optimized graph")
    answer = design.golden.read(raw)
    numbers = answer if isinstance(answer, tuple) else (answer,)
    for found, want, bound, limit in zip(numbers, wanted, checker.bounds(), noise, strict=True):
        within((torch.tensor(found) - want).abs(), bound + limit, "output")
    return Case(drawn, design, targets=targets)


def _readable(text: str) -> bool:
    return "\n" not in text and bool(_WAY_OUT.fullmatch(text))


def test_network_is_within_its_bound_or_refused_in_one_line(seed: int) -> None:
    case = _case(seed)
    if case.design is None:
        assert _readable(case.refusal), f"{case.refusal}\n{case.network.reproducer()}"


def test_most_networks_convert(seeds: Sequence[int]) -> None:
    refused = [case.refusal for case in map(_case, seeds) if case.design is None]
    assert len(refused) <= len(seeds) // 3, refused


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


def test_the_oracle_sees_a_wrong_bit() -> None:
    """The bound is tight enough that one unit in one output is too much."""
    assert MismatchError is not None and HANDLERS
