"""Formats: sound, and never wider than needed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaccel.errors import ConfigError
from hwaccel.fxp import MAX_WIDTH, FixedType

FORMATS = st.builds(FixedType, st.booleans(), st.integers(1, 24), st.integers(-12, 12))


def value(integer: int, fixed: FixedType) -> Fraction:
    return Fraction(integer) / Fraction(2) ** fixed.frac


def ends(fixed: FixedType) -> tuple[Fraction, Fraction]:
    return value(fixed.lo, fixed), value(fixed.hi, fixed)


def assert_narrowest(found: FixedType, lo: Fraction, hi: Fraction) -> None:
    """``found`` holds both values exactly; one bit less, or no sign, would not."""
    integers = [v * Fraction(2) ** found.frac for v in (lo, hi)]
    assert all(i.denominator == 1 for i in integers)
    assert found.holds(int(integers[0]), int(integers[1]))
    assert found.signed == (lo < 0)
    if found.width > 1:
        narrower = FixedType(found.signed, found.width - 1, found.frac)
        assert not narrower.holds(int(integers[0]), int(integers[1]))


@given(FORMATS, FORMATS)
def test_union(a: FixedType, b: FixedType) -> None:
    found = a.union(b)
    (a_lo, a_hi), (b_lo, b_hi) = ends(a), ends(b)
    assert found.frac == max(a.frac, b.frac)
    assert_narrowest(found, min(a_lo, b_lo), max(a_hi, b_hi))
    assert found == b.union(a)
    assert a.union(a).holds(a.lo, a.hi)


@given(FORMATS, FORMATS)
def test_sum(a: FixedType, b: FixedType) -> None:
    found = a.sum(b)
    (a_lo, a_hi), (b_lo, b_hi) = ends(a), ends(b)
    assert_narrowest(found, a_lo + b_lo, a_hi + b_hi)
    assert found == b.sum(a)


@given(FORMATS, FORMATS)
def test_product(a: FixedType, b: FixedType) -> None:
    found = a.product(b)
    corners = [x * y for x in ends(a) for y in ends(b)]
    assert found.frac == a.frac + b.frac
    assert_narrowest(found, min(corners), max(corners))
    assert found == b.product(a)


@given(FORMATS, FORMATS, st.data())
def test_every_value_fits(a: FixedType, b: FixedType, data: st.DataObject) -> None:
    x, y = (data.draw(st.integers(fixed.lo, fixed.hi)) for fixed in (a, b))
    for found, exact in (
        (a.union(b), value(x, a)),
        (a.sum(b), value(x, a) + value(y, b)),
        (a.product(b), value(x, a) * value(y, b)),
    ):
        integer = exact * Fraction(2) ** found.frac
        assert integer.denominator == 1
        assert found.holds(int(integer), int(integer))


@given(*[st.integers(-(1 << 61), (1 << 61) - 1)] * 2)
def test_of_range(a: int, b: int) -> None:
    lo, hi = min(a, b), max(a, b)
    assert_narrowest(FixedType.of_range(lo, hi, 0), Fraction(lo), Fraction(hi))


@given(FORMATS)
def test_range_and_text(fixed: FixedType) -> None:
    assert fixed.hi - fixed.lo + 1 == 1 << fixed.width
    assert FixedType.parse(str(fixed)) == fixed
    assert FixedType.of_range(fixed.lo, fixed.hi, fixed.frac) == fixed
    assert Fraction(fixed.step) == value(1, fixed)


@pytest.mark.parametrize(
    ("text", "lo", "hi", "step"),
    [
        ("s8.4", -128, 127, 1 / 16),
        ("u8.8", 0, 255, 1 / 256),
        ("u1.0", 0, 1, 1),
        ("s1.0", -1, 0, 1),
        ("u3.-2", 0, 7, 4),
        ("s4.10", -8, 7, 2**-10),
    ],
)
def test_examples(text: str, lo: int, hi: int, step: float) -> None:
    fixed = FixedType.parse(text)
    assert (fixed.lo, fixed.hi, fixed.step) == (lo, hi, step)


@pytest.mark.parametrize("width", [0, -1, MAX_WIDTH + 1])
def test_width_is_limited(width: int) -> None:
    with pytest.raises(ConfigError) as caught:
        FixedType(True, width, 0)
    assert str(caught.value) == (
        f"fixed-point width {width} is not between 1 and 62 bits; use fewer bits or a smaller range"
    )


def test_too_wide_a_result_is_refused() -> None:
    wide = FixedType(True, 40, 0)
    for make in (wide.product, FixedType(True, 40, -40).sum, FixedType(True, 40, -40).union):
        with pytest.raises(ConfigError):
            make(wide)


@pytest.mark.parametrize("text", ["", "8.4", "s8", "S8.4", "s8.4 ", "s-8.4", "s8.4.1", "s8.x"])
def test_text_that_is_no_format(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FixedType.parse(text)
    assert str(caught.value) == (
        f"{text!r} is not a fixed-point format; write it like s8.4 or u8.8"
    )
