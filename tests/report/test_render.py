import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from hwaccel.emit.env import environment, render
from hwaccel.report.cell_tables import cells_table
from hwaccel.report.markdown import escape
from hwaccel.report.model import build_report
from hwaccel.report.page import SCRIPT, page_of
from hwaccel.report.render import render_html, render_json, render_markdown
from hwaccel.report.results import (
    AccuracyRecord,
    AsicRecord,
    Results,
    SimRecord,
    SynthRecord,
)
from hwaccel.schedule.choices import schedule
from tests.report.designs import CONFIG, HASH, VERSIONS, bare, mlp, report

VOID = {"meta", "br", "hr", "img", "link", "input", "rect", "path", "circle"}
HOSTILE = "<script>alert('1')</script>&\"'|`[x](javascript:1)"


class Walker(HTMLParser):
    """Checks that every element is closed in order, and collects what is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def walk(html: str) -> Walker:
    walker = Walker()
    walker.feed(html)
    walker.close()
    assert walker.open == []
    return walker


def svgs(html: str) -> list[ElementTree.Element]:
    return [
        ElementTree.fromstring(text)
        for text in re.findall(r"(<svg role.*?</svg>)\n</figure>", html, re.S)
    ]


REPORTS = {
    "cnn-full": report,
    "cnn-bare": bare,
    "mlp-full": lambda: report("mlp"),
    "mlp-bare": lambda: bare("mlp"),
}


@pytest.fixture(params=REPORTS, name="page")
def _page(request) -> str:
    return render_html(REPORTS[request.param]())


def test_the_page_is_well_formed(page):
    walk(page)
    assert len(svgs(page)) == 5


def test_the_page_loads_nothing_and_runs_its_one_script(page):
    walker = walk(page)
    assert not {"link", "iframe", "object"} & {tag for tag, _ in walker.tags}
    for tag, attributes in walker.tags:
        assert not {"srcset", "onload"} & attributes.keys(), tag
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
    assert [attributes for tag, attributes in walker.tags if tag == "script"] == [{}]
    assert re.findall("<script>(.*?)</script>", page, re.S) == [render(SCRIPT)]
    digest = base64.b64encode(hashlib.sha256(render(SCRIPT).encode()).digest()).decode()
    (policy,) = (a["content"] for _, a in walker.tags if "http-equiv" in a)
    assert f"default-src 'none'; script-src 'sha256-{digest}';" in policy
    assert "url(" not in page
    assert "@import" not in page
    assert set(re.findall(r"https?://[^\"\s]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_page_can_be_heard(page):
    walker = walk(page)
    tags = walker.tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert ("html", {"lang": "en"}) in tags
    for tag, attributes in tags:
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if tag == "svg" and attributes.get("class") != "plot":
            chosen_from = attributes["aria-labelledby"].startswith("dataflow-")
            assert attributes["role"] == ("group" if chosen_from else "img")
            assert set(attributes["aria-labelledby"].split()) <= set(ids)
    tables = sum(tag == "table" for tag, _ in tags)
    assert sum(tag == "caption" for tag, _ in tags) == tables


def test_every_picture_stays_within_its_frame(page):
    for svg in svgs(page):
        width, height = float(svg.get("width")), float(svg.get("height"))
        for rect in svg.iter("{http://www.w3.org/2000/svg}rect"):
            x, y = float(rect.get("x")), float(rect.get("y"))
            assert x >= 0
            assert y >= 0
            assert x + float(rect.get("width")) <= width
            assert y + float(rect.get("height")) <= height


def test_every_row_of_a_table_fills_the_columns():
    for make in REPORTS.values():
        page = page_of(make())
        every = (*page.equality, *page.timing, page.layers, *page.resources, page.buffers)
        for table in (*every, *page.origins, page.settings):
            for group in table.groups:
                covered = len(table.head) - len(group[0])
                assert covered == 0
                for row in group[1:]:
                    spanning = sum(cell.span > 1 for cell in group[0])
                    assert len(row) + spanning == len(table.head), table.caption


def test_the_sections_are_all_there(page):
    heads = re.findall(r"<h2>(.*?)</h2>", page)
    assert heads == [
        "Dataflow",
        "Accuracy and equality",
        "Timing",
        "Who waits for whom",
        "Layers",
        "Resources",
        "Buffers",
        "How each number was made",
        "Limits",
    ]


def test_missing_results_are_said_and_not_left_blank():
    text = " ".join(walk(render_html(bare())).text)
    assert "Nothing has been compared or counted yet." in text
    assert "not known" in text
    assert "measured by" not in text.split("Resources")[0]


def test_same_report_same_bytes():
    for rendered in (render_html, render_markdown, render_json):
        assert rendered(report()) == rendered(report())


def test_alerts_head_the_page():
    record = SimRecord(simulator="icarus", frames=2, mismatches=3, latency=9)
    page = render_html(report(results=Results({"sim": record})))
    alerts = re.findall(r'<p class="alert">(.*?)</p>', page)
    assert alerts == [
        "<strong>Attention:</strong> Verilog in Icarus, cocotb bench: 3 output values not equal "
        "to the golden model&#39;s."
    ]


# --- hostile text --------------------------------------------------------------------------------


def test_cells_are_shown_with_what_is_known_of_them():
    rows = {row[0].text: row[1:] for group in cells_table(report()).groups for row in group}
    assert {label: [(c.text, c.note) for c in cells] for label, cells in rows.items()} == {
        "Area": [("187,412 µm²", "9,371 gate equivalents")],
        "· of it registers": [("50.0 %", "")],
        "Cells": [("4,812", "4,000 combinational, 812 registers")],
        "Left to memory macros": [
            ("2 of 256x16 bits", "no area, power or paths of theirs are counted")
        ],
        "Fmax, before layout": [("204.8 MHz", "")],
        "Clock asked for": [("250 MHz", "")],
        "Slowest path": [("features.0", "")],
        "Hold slack": [("0.121 ns", "")],
        "Power": [("12.3 mW", "at 250 MHz, as 3 frames switched the netlist")],
        "· of it leakage": [("0.45 µW", "")],
        "Netlist against golden": [("equal in every bit", "3 frames, 1,234 cycles, as predicted")],
    }
    assert rows["Fmax, before layout"][0].css == "number bad"
    assert "osu018: reaches 204.8 MHz of the 250 MHz asked for, before layout." in render_html(
        report()
    )
    (unknown,) = cells_table(hostile_report()).groups
    assert {row[0].text: row[1].text for row in unknown}["Fmax, before layout"] == "–"
    assert not any(cells_table(bare()).groups)


def hostile_report():
    graph = mlp((HOSTILE, "line\nbreak\x00\u202e"), path=HOSTILE)
    records = Results(
        {
            "sim": SimRecord(
                simulator=HOSTILE, frames=1, mismatches=0, latency=1, idle=HOSTILE,
                command=HOSTILE, tool_versions={HOSTILE: HOSTILE},
            ),
            "acc": AccuracyRecord(rows=((HOSTILE, 1, 2),), data=HOSTILE),
            "synth": SynthRecord(
                target=HOSTILE, luts=1, ffs=1, dsps=1, block_rams=1, clock_mhz=1.0, routed=True
            ),
            "cells": AsicRecord(
                target=HOSTILE, library=HOSTILE, area=0.0, register_area=0.0, kinds={HOSTILE: 1},
                clock_mhz=1.0, path_from=HOSTILE, power_w=0.0, leakage_w=0.0, macros={HOSTILE: 1},
            ),
        }
    )  # fmt: skip
    plan = schedule(graph, CONFIG)
    return build_report(
        graph, plan, CONFIG, records, design_hash=HASH, versions={**VERSIONS, HOSTILE: HOSTILE}
    )


def test_html_templates_escape_by_themselves():
    assert environment().from_string("{{ x }}").render(x="<b>") == "<b>"
    for name in environment().list_templates(filter_func=lambda n: n.endswith(".html.j2")):
        assert environment().autoescape(name), name
    assert not environment().autoescape("verilog/top.v.j2")


def test_names_are_inert_in_html():
    page = render_html(hostile_report())
    walker = walk(page)
    assert [tag for tag, _ in walker.tags].count("script") == 1
    assert HOSTILE in "".join(walker.text)
    assert page.count("<script") == 1
    assert len(svgs(page)) == 5
    for tag, attributes in walker.tags:
        assert set(attributes) <= {
            "lang", "charset", "name", "content", "class", "id", "aria-label", "aria-labelledby",
            "aria-hidden", "role", "scope", "rowspan", "style", "width", "height", "viewbox",
            "xmlns", "x", "y", "rx", "d", "cx", "cy", "r", "text-anchor", "href", "tabindex",
            "http-equiv", "aria-live", "preserveaspectratio", "open", "src", "alt",
        }, tag  # fmt: skip


def test_what_cannot_be_seen_is_replaced():
    page = render_html(hostile_report())
    assert "\x00" not in page
    assert "\u202e" not in page
    assert "line\ufffdbreak\ufffd\ufffd" in page


def test_names_are_inert_in_markdown():
    text = render_markdown(hostile_report())
    assert "<script" not in text.replace("\\<", "")
    assert "](" not in text.replace("\\]", "")
    for row in (line for line in text.splitlines() if line.startswith("|")):
        assert row.endswith("|")
    assert escape("a|b<c>`d`") == "a\\|b\\<c\\>\\`d\\`"


def test_markdown_tables_are_even():
    for make in REPORTS.values():
        for block in re.findall(r"(?:^\|.*\n)+", render_markdown(make()), re.M):
            rows = block.splitlines()
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_json_can_be_read():
    data = json.loads(render_json(hostile_report()))
    assert data["stages"][0]["layers"][0]["path"] == HOSTILE
