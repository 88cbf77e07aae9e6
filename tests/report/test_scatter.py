"""The scatter plot: which points are on the front, and where all of them stand."""

import itertools

import numpy as np

from hwaccel.report.front import Front, Tried, front_page
from hwaccel.report.scatter import Axis, Point, Scatter, draw_scatter, pareto

HOSTILE = "<script>alert('1')</script>&\"'"


def test_the_front_is_what_no_point_beats():
    rng = np.random.default_rng(3)
    for _ in range(50):
        points = [(float(x), float(y)) for x, y in rng.integers(0, 8, (12, 2))]
        kept = [points[k] for k in pareto(points)]
        beaten = {
            a for a, b in itertools.product(points, points)
            if b != a and b[0] <= a[0] and b[1] >= a[1]
        }  # fmt: skip
        assert kept == sorted(set(points) - beaten)


def test_scales_are_linear_or_of_powers_and_hold_every_point():
    points = tuple(Point(f"p{k}", f"p{k}", 10.0**k, float(k), "best") for k in range(4))
    axis = Axis("area", lambda x: f"{x:.0f}", powers=True)
    picture = draw_scatter(Scatter("s", "t", axis, Axis("y", str), points))
    dots = [group.circles[0] for group in picture.groups if group.target]
    steps = np.diff([dot.cx for dot in dots])
    assert np.allclose(steps, steps[0], atol=0.2)
    assert np.allclose(np.diff([dot.cy for dot in dots]), dots[1].cy - dots[0].cy, atol=0.2)
    texts = [text.text for text in picture.groups[0].texts]
    assert texts[5] == "1"
    assert texts[9] == "1000"
    assert all(0 <= dot.cx <= picture.width and 0 <= dot.cy <= picture.height for dot in dots)


def test_one_point_alone_has_a_place():
    only = Point("p", "p", 5.0, 5.0)
    picture = draw_scatter(Scatter("s", "t", Axis("x", str), Axis("y", str), (only,)))
    (dot,) = (group.circles[0] for group in picture.groups if group.target)
    assert 84 < dot.cx < 644


def page() -> str:
    points = tuple(
        Tried(f"{HOSTILE}{i}", 100.0 * (i + 1), 90.0 + i, (f"{i}",), i < 2, i == 1)
        for i in range(4)
    )
    return front_page(Front(HOSTILE, ("lead",), "LUTs", 250.0, ("LUT",), points))


def test_every_point_leads_to_its_row():
    text = page()
    for number in range(4):
        assert f'<a href="#point-{number}" class="point">' in text
        assert f'<tr id="point-{number}">' in text
    assert text.count("<script") == 1
