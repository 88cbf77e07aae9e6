"""Arithmetic on every input of few bits, against ``tests/trust/exhaustive.py``."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.trust.exhaustive import check_circuit, check_golden, every_case
from benchmarks.trust.exhaustive_rtl import check_rtl
from hwaccel import tools
from hwaccel.fxp import FixedType, Overflow, Rounding
from hwaccel.fxp.arith import round_shift, saturate, shift_left, wrap
from hwaccel.fxp.boundary import dequantize, quantize_input
from hwaccel.ops import OPS
from tests.trust import exhaustive as reference

NARROW = [(signed, width) for width in (1, 3) for signed in (False, True)]
CARRIERS = [np.int64, np.float32, np.float64]
needs_icarus = pytest.mark.skipif(tools.find("iverilog") is None, reason="missing: iverilog")


def test_golden_and_circuit_on_every_input_of_narrow_formats() -> None:
    values = 0
    for case in every_case(NARROW):
        values += check_golden(case)
        if case.op.name != "requant" or case.op.shift in (-1, 0, 1, 2, 5):
            values += check_circuit(case)
    assert values > 100_000


@pytest.mark.slow
def test_golden_on_every_input() -> None:
    assert sum(map(check_golden, every_case())) > 50_000_000


@pytest.mark.rtl
@needs_icarus
def test_rtl_on_every_input_of_narrow_formats() -> None:
    cases = list(every_case(NARROW))
    chosen = random.Random(1).sample(cases, 500)
    assert check_rtl([*chosen, *cases[-40:]]) > 3000


@pytest.mark.rtl
@pytest.mark.slow
@needs_icarus
def test_rtl_on_every_input_of_some_formats_of_eight_bits() -> None:
    wide = list(every_case([(True, 8), (False, 7)]))
    requants = [case for case in wide if case.op.name == "requant"]
    assert check_rtl(random.Random(1).sample(requants, 300)) > 30_000
    assert check_rtl([case for case in wide if case.op.name != "requant"][:8]) > 200_000


@needs_icarus
def test_a_difference_is_found() -> None:
    for case in list(every_case([(True, 3)]))[::60]:
        due = case.due.copy()
        due[-1, -1] += 1 if due[-1, -1] <= case.op.infer(*case.ins).lo else -1
        for check in (check_golden, check_circuit, lambda one: check_rtl([one])):
            with pytest.raises(AssertionError):
                check(replace(case, due=due))


def test_every_elementwise_op_is_covered() -> None:
    covered = {case.op.name for case in every_case(NARROW[:1])}
    elementwise = {op.name for op in OPS if op.elementwise}
    assert covered == elementwise | {"add", "minmax", "multiply"}


# --- the package of numbers itself -------------------------------------------------------------


@pytest.mark.parametrize("carrier", CARRIERS)
def test_rounding_and_limits(carrier: type) -> None:
    xs = range(-300, 301)
    x = np.array(xs, dtype=carrier)
    for shift in range(-5, 12):
        for mode in Rounding:
            due = [reference.rounded(v, shift, mode.value) for v in xs]
            assert round_shift(x, shift, mode).tolist() == due
    for bits in range(6):
        assert shift_left(x, bits).tolist() == [v * 2**bits for v in xs]
    for format in reference.FORMATS:
        lo, hi = reference.ends(format)
        for limit, overflow in ((saturate, Overflow.SATURATE), (wrap, Overflow.WRAP)):
            due = [reference.limited(v, lo, hi, overflow.value) for v in xs]
            assert limit(x, lo, hi).tolist() == due


def test_numbers_enter_and_leave() -> None:
    for signed, width in reference.FORMATS[:12]:
        lo, hi = reference.ends((signed, width))
        for frac in range(-2, width + 3):
            exact = [Fraction(k, 4) / Fraction(2) ** frac for k in range(4 * lo - 9, 4 * hi + 10)]
            found = quantize_input([float(x) for x in exact], frac=frac, lo=lo, hi=hi)
            assert found.tolist() == [reference.quantized(x, frac, lo, hi) for x in exact]
            back = [Fraction(float(x)) for x in dequantize(range(lo, hi + 1), frac=frac)]
            assert back == [Fraction(i) / Fraction(2) ** frac for i in range(lo, hi + 1)]
    ends = quantize_input([np.inf, -np.inf, 1e300, -1e300], frac=3, lo=-5, hi=9)
    assert ends.tolist() == [9, -5, 9, -5]


def test_formats() -> None:
    for format in reference.FORMATS:
        type = FixedType(*format, 3)
        assert (type.lo, type.hi) == reference.ends(format)
        assert str(type) == f"{'s' if format[0] else 'u'}{format[1]}.3"
    for lo in range(-130, 130):
        for hi in range(lo, 260):
            type = FixedType.of_range(lo, hi, 0)
            assert (type.signed, type.width) == reference.narrowest(lo, hi)
            assert FixedType(True, 8, 0).holds(lo, hi) == (lo >= -128 and hi <= 127)


def test_formats_of_results() -> None:
    points = [(format, frac) for format in reference.FORMATS for frac in (-1, 0, 2)]
    for (a, p), (b, q) in ((x, y) for x in points for y in points[::2]):
        one, other = FixedType(*a, p), FixedType(*b, q)
        frac = max(p, q)
        left = [v * 2 ** (frac - p) for v in reference.ends(a)]
        right = [v * 2 ** (frac - q) for v in reference.ends(b)]
        sums = [x + y for x in left for y in right]
        corners = [x * y for x in reference.ends(a) for y in reference.ends(b)]
        for found, values, point in (
            (one.union(other), [*left, *right], frac),
            (one.sum(other), sums, frac),
            (one.product(other), corners, p + q),
        ):
            narrow = reference.narrowest(min(values), max(values))
            assert (found.signed, found.width, found.frac) == (*narrow, point)
