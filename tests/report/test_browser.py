"""The pages in a real browser: what is to be seen, clicked, heard and printed."""

import re
import zlib

import numpy as np
import pytest

from hwaccel.report.evidence import (
    Change,
    Excerpt,
    Lane,
    MismatchRecord,
    TraceRecord,
    Wrong,
    WrongTensor,
)
from hwaccel.report.model import build_report
from hwaccel.report.render import render_html
from hwaccel.report.results import Results
from tests.report import browser
from tests.report.designs import CONFIG, HASH, VERSIONS, full_results, planned
from tests.report.test_render import HOSTILE, hostile_report
from tests.report.test_scatter import page as front_page_of_points

pytestmark = [
    pytest.mark.skipif(browser.program() is None, reason="chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]


def wrong() -> MismatchRecord:
    """A convolution that is wrong in one corner of two channels, and what follows from it."""
    expected = np.arange(64)
    found = expected.copy()
    found[[0, 1, 16]] += 9
    tensor = WrongTensor(
        name="block_q", path=HOSTILE, shape=[4, 4, 4], format="s8.2", count=3, size=128, cycle=462,
        wrong=[Wrong(0, int(at), int(expected[at]), int(found[at])) for at in (0, 1, 16)],
        frame=0, expected=expected.tolist(), found=found.tolist(),
    )  # fmt: skip
    excerpt = Excerpt(
        "block_q goes astray", 450, 30, 462,
        [
            Lane("block_q_tvalid", 1, [Change(0, "0"), Change(12, "1"), Change(13, "0")]),
            Lane("block_q_tdata", 16, [Change(0, "x"), Change(12, "fe01")]),
        ],
    )  # fmt: skip
    return MismatchRecord(
        simulator="icarus", frames=2, message=HOSTILE, located=True, fed=True, tensors=[tensor],
        excerpts=(excerpt,),
    )  # fmt: skip


def trace() -> TraceRecord:
    lanes = [Lane("m_axis_tvalid", 1, [Change(0, "0"), Change(20, "1")])]
    return TraceRecord(
        simulator="icarus", frames=3, cycles=2264, streams=12, issuers=6, bits=104540, beats=1071,
        excerpts=(Excerpt("The first results leave the design", 835, 48, 855, lanes),),
    )  # fmt: skip


def full_page() -> str:
    graph, plan = planned("cnn")
    records = {**full_results(plan).records, "trace": trace(), "wrong": wrong()}
    return render_html(
        build_report(graph, plan, CONFIG, Results(records), design_hash=HASH, versions=VERSIONS)
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(full_page())
    with browser.Browser() as chromium:
        chromium.open(page)
        yield chromium, page


def colours(png: bytes) -> int:
    """Count the bytes of a screenshot after packing: a blank page has next to none."""
    parts = re.findall(rb"IDAT(.*?)(?=....IDAT|....IEND)", png, re.S)
    return len(set(zlib.decompressobj().decompress(b"".join(parts[:1]), 1 << 22)))


def test_nothing_is_said_or_asked_for(shown):
    chromium, page = shown
    chromium.js("1")
    assert chromium.console == []
    asked = {url for url in chromium.requests if not url.startswith("data:image/png;base64,")}
    assert asked == {page.resolve().as_uri()}


def test_the_page_is_not_blank_in_light_and_dark(shown):
    chromium, _ = shown
    light = chromium.picture()
    assert colours(light) > 40
    assert chromium.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    chromium.dark()
    assert chromium.js("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    assert chromium.picture() != light
    chromium.call("Emulation.setEmulatedMedia", features=[])


def visible(chromium) -> list[str]:
    return chromium.js(
        """[...document.querySelectorAll(".detail")]
             .filter((d) => d.offsetHeight).map((d) => d.id)"""
    )


def test_a_click_on_a_box_shows_what_it_is(shown):
    chromium, _ = shown
    assert len(visible(chromium)) == 1  # the bottleneck, to begin with
    for place in range(chromium.js("document.querySelectorAll('a.node').length")):
        chromium.click("a.node", place)
        assert visible(chromium) == [f"box-{place}"]
    chromium.click("a.node", 3)
    text = chromium.js("document.getElementById('box-3').innerText")
    assert text.startswith("block multiplies")
    assert "weight[o, i, ky, kx]" in text
    assert "576, 100.0 % of the interval" in text


def test_keys_do_what_the_mouse_does(shown):
    chromium, _ = shown
    chromium.js("document.querySelector('a.node').focus()")
    chromium.press("Enter")
    assert visible(chromium) == ["box-0"]
    chromium.press("ArrowDown")
    assert visible(chromium) == ["box-1"]
    assert chromium.js("document.activeElement.getAttribute('aria-current')") == "true"


def test_without_the_script_every_box_is_described(tmp_path):
    page = tmp_path / "plain.html"
    page.write_text(full_page().replace("sha256-", "sha256-x", 1))
    with browser.Browser() as chromium:
        chromium.open(page)
        assert len(visible(chromium)) == 7
        assert "The action has been blocked" in chromium.console[-1]


def test_the_steady_state_can_be_zoomed(shown):
    chromium, _ = shown
    numbers = "getAttribute('viewBox').split(' ').map(Number)"
    box = f"document.querySelector('svg.plot').{numbers}"
    ticks = "document.querySelectorAll('#pipeline-figure .tick').length"
    before = chromium.js(box)
    assert before[2] == 1152
    for times, cycles in enumerate((576, 288, 144), 1):
        chromium.click(".tools button", 0)
        assert chromium.js(box)[2] == cycles, times
        assert 2 <= chromium.js(ticks) <= 11
    chromium.click(".tools button", 3)
    assert chromium.js(box)[0] > before[0] + 504
    chromium.click(".tools button", 4)
    assert chromium.js(box) == before
    rows = "document.querySelectorAll('svg.plot path.works').length"
    assert chromium.js(rows) == 5


def test_the_picture_says_what_the_schedule_does(shown):
    """The cycles of the bars in the page add up to those of the model."""
    chromium, _ = shown
    drawn = chromium.js(
        """[...document.querySelectorAll("svg.plot path.works")].map((p) =>
             [...p.getAttribute("d").matchAll(/h(\\d+)v/g)]
               .reduce((s, m) => s + Number(m[1]), 0))"""
    )
    assert drawn == [1152, 128, 1152, 64, 640]


def test_a_mismatch_is_shown_where_it_begins(shown):
    chromium, _ = shown
    text = chromium.js("document.getElementById('mismatches').innerText")
    assert "The first layer that is wrong is block_q" in text
    assert "from cycle 462 on" in text
    assert "begins here" in text
    images = "[...document.querySelectorAll('.maps img')].map((i) => i.naturalWidth)"
    assert chromium.js(images) == [9, 9, 9]
    rows = "[...document.querySelectorAll('.wrong table tbody tr')].map((r) => r.innerText)"
    chromium.js("document.querySelectorAll('.wrong details').forEach((d) => d.open = true)")
    assert [row.split() for row in chromium.js(rows)] == [
        ["[0,", "0,", "0]", "0", "0", "9", "9"],
        ["[0,", "0,", "1]", "0", "1", "10", "9"],
        ["[1,", "0,", "0]", "0", "16", "25", "9"],
    ]


def test_waves_are_drawn(shown):
    chromium, _ = shown
    assert chromium.js("document.querySelectorAll('#waves-0-figure path.signal').length") == 1
    assert chromium.js("document.querySelectorAll('#wrong-0-0-figure path.bus').length") == 2


def test_it_prints(shown):
    chromium, _ = shown
    assert chromium.print().startswith(b"%PDF")


def test_hostile_names_stay_text(tmp_path):
    page = tmp_path / "hostile.html"
    page.write_text(render_html(hostile_report()))
    with browser.Browser() as chromium:
        chromium.open(page)
        chromium.js("1")
        assert chromium.console == []
        assert chromium.js("document.scripts.length") == 1
        for place in range(chromium.js("document.querySelectorAll('a.node').length")):
            chromium.click("a.node", place)
        assert HOSTILE in chromium.js("document.body.textContent")


def test_a_point_of_a_plot_marks_its_row(tmp_path):
    file = tmp_path / "front.html"
    file.write_text(front_page_of_points())
    with browser.Browser() as chromium:
        chromium.open(file)
        picked = "[...document.querySelectorAll('tr.picked')].map((row) => row.id)"
        assert chromium.js(picked) == []
        for place in range(4):
            chromium.click("a.point circle", place)
            (row,) = chromium.js(picked)
            link = f"document.querySelectorAll('a.point')[{place}].getAttribute('href')"
            assert chromium.js(link) == f"#{row}"
        assert chromium.console == []
