"""How far estimates are off: designs that anybody can make again, against what was measured.

Yosys and nextpnr made the figures in ``benchmarks/estimates/data``. Errors are written down here
to a tenth of a percent, and every term, every price and most paths move one of them. Whoever fits
anew (``benchmarks/estimates/fit.py``) writes them down again.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from benchmarks.estimates.designs import design
from benchmarks.estimates.measure import Measured, content_of, read
from hwaccel.schedule.estimate import edge_terms, plan_area, terms
from hwaccel.schedule.fits import FITS
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import plan_speed


class Known(NamedTuple):
    """A design, its errors in percent, and the path that limits its clock where that was placed."""

    name: str
    target: str
    seed: int
    luts: float
    ffs: float
    fmax: float = 0.0
    what: str = ""


KNOWN = (
    Known("networks", "ecp5-85k", 94, 3.1, 2.0, 5.4, "window tap"),
    Known("networks", "ecp5-85k", 53, -0.4, -2.3, 8.8, "window begun"),
    Known("networks", "ecp5-85k", 19, 1.3, 0.9, 5.2, "window tap"),
    Known("networks", "ecp5-85k", 91, -9.9, -1.5, 0.4, "window begun"),
    Known("networks", "ecp5-85k", 67, 4.0, 1.6, 16.4, "window address"),
    Known("layers", "ecp5-85k", 12, 3.3, -5.0, 0.1, "circuit"),
    Known("layers", "ecp5-85k", 25, 1.4, 4.1, 11.5, "window count"),
    Known("layers", "ecp5-85k", 38, 5.8, 3.5, -1.3, "rom"),
    Known("layers", "ecp5-85k", 24, 11.4, 4.1, 0.3, "product"),
    Known("layers", "ecp5-85k", 73, -6.3, 6.5, -3.1, "fifo"),
    Known("layers", "ecp5-85k", 84, -5.1, 0.3, 14.6, "lines count"),
    Known("layers", "xcup", 31, -7.4, 0.5),
    Known("layers", "xcup", 12, -3.4, -4.2),
    Known("layers", "xcup", 23, -3.4, 2.9),
    Known("layers", "xcup", 25, 5.7, 12.8),
    Known("networks", "xcup", 30, 4.5, -5.9),
    Known("networks", "xcup", 36, 5.8, 6.2),
    Known("networks", "xcup", 61, -13.9, 10.0),
    Known("networks", "xcup", 11, -6.1, -0.2),
)


@pytest.fixture(scope="module")
def some() -> list[tuple[Known, Plan, Measured]]:
    """Return the designs that are still those that were measured.

    Another processor may calibrate a format differently, and so make another one.
    """
    same = []
    for known in KNOWN:
        (found,) = (m for m in read(known.name, known.target) if m.seed == known.seed)
        again = design(known.seed, known.name == "networks", known.target)
        if again is not None and content_of(again) == found.content:
            same.append((known, again.plan, found))
    return same


def percent(said: float, true: float) -> float:
    return round(100 * (said - true) / true, 1)


def test_nearly_all_are_the_designs_that_were_measured(some) -> None:
    assert len(some) >= len(KNOWN) - 3


def test_estimates_are_as_far_off_as_is_written_down(some) -> None:
    errors = []
    for known, plan, found in some:
        area, speed = plan_area(plan), plan_speed(plan)
        assert (area.dsps, area.rams) == (found.dsps, found.rams)
        now = percent(area.luts, found.luts), percent(area.ffs, found.ffs)
        if known.what and speed and found.fmax_mhz:
            now += (percent(speed.fmax_mhz, found.fmax_mhz), speed.what)
        errors.append(Known(known.name, known.target, known.seed, *now))
    assert errors == [known for known, _, _ in some]


def test_nothing_is_far_off() -> None:
    assert max(abs(off) for known in KNOWN for off in (known.luts, known.ffs)) < 15
    assert max(abs(known.fmax) for known in KNOWN) < 20


@pytest.mark.parametrize(("family", "target"), [("ecp5", "ecp5-85k"), ("xcup", "xcup")])
def test_every_price_is_judged(some, family: str, target: str) -> None:
    plans = [plan for known, plan, _ in some if known.target == target]
    used = {term.name for plan in plans for block in plan.blocks for term in terms(block, plan)}
    used |= {term.name for plan in plans for term in edge_terms(plan)}
    assert set(FITS[family]) <= used or len(some) < len(KNOWN)
