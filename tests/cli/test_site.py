"""The site: built without a warning, complete, without a dead link, and nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import types
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.cli.tools import ROOT

DOCS = ROOT / "docs"
# Attributes by which a browser fetches something on its own. A link that is clicked is none.
FETCHED = {
    **dict.fromkeys(("img", "script", "iframe", "source", "video", "audio", "embed"), "src"),
    **{"link": "href", "object": "data", "image": "href"},
}


@dataclass
class Html(HTMLParser):
    """A page of the site: its places, its links, and what a browser fetches to show it."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if FETCHED.get(tag, "") in values:
            self.fetched.append(values[FETCHED[tag]])


def read(page: Path) -> Html:
    html = Html()
    html.feed(page.read_text("utf-8"))
    return html


def maker() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("make_site", DOCS / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("made") / "site"
    done = subprocess.run(
        [sys.executable, DOCS / "make_site.py", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_reached_from_the_first(site: Path) -> None:
    waiting, seen = [site / "index.html"], {site / "index.html"}
    while waiting:
        page = waiting.pop()
        for link in read(page).links:
            there = (page.parent / unquote(link.partition("#")[0])).resolve()
            if "://" not in link and there.suffix == ".html" and there not in seen:
                seen.add(there)
                waiting.append(there)
    made = {page.place.replace(".md", ".html") for page in maker().pages()}
    assert {page.relative_to(site).as_posix() for page in seen} >= made
    assert len(made) > 40


@pytest.mark.slow
def test_links_and_anchors_lead_somewhere(site: Path) -> None:
    pages = {page: read(page) for page in site.rglob("*.html")}
    for page, html in pages.items():
        for link in html.links:
            path, _, anchor = link.partition("#")
            if "://" in link:
                assert link.startswith("https://"), link
                continue
            there = (page.parent / unquote(path)).resolve() if path else page
            assert there.is_file(), f"{page.name}: {link}"
            if anchor and there in pages and there.name != "search.html":
                assert unquote(anchor) in pages[there].ids, f"{page.name}: {link}"


@pytest.mark.slow
def test_nothing_comes_from_elsewhere(site: Path) -> None:
    """It works without a network, and tells nobody who reads what."""
    for page in site.rglob("*.html"):
        html = read(page)
        for address in html.fetched:
            assert not re.match(r"(\w+:)?//", address), f"{page.name}: {address}"
            path = unquote(re.sub(r"[?#].*", "", address))
            assert not path or (page.parent / path).is_file(), address
        inline = re.findall(r"<style[^>]*>(.*?)</style>", page.read_text("utf-8"), re.DOTALL)
        assert not [text for text in inline if _elsewhere(text)]
    sheets = [*site.rglob("*.css")]
    assert sheets
    for sheet in sheets:
        assert not _elsewhere(sheet.read_text("utf-8")), sheet.name
    for script in site.rglob("*.js"):
        text = script.read_text("utf-8")
        assert not re.search(r"""(fetch|import|open)\(\s*["'](\w+:)?//""", text), script.name


def _elsewhere(style: str) -> list[str]:
    return re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)\s]*""", style)


@pytest.mark.slow
def test_the_first_page_shows_what_this_is(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    assert "<h1>hwaccel" in article
    assert "_images/report.png" in article
    assert 'hwaccel</span><span class="o">.</span><span class="n">convert' in article
    assert 'href="tutorial.html"' in article
    assert "prefers-color-scheme: dark" in text or "data-theme" in text
    assert "accumul" in (site / "searchindex.js").read_text("utf-8")


# --- what is refused -----------------------------------------------------------------------------


def refusal(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str) -> str:
    """Return why there is no site where a page has another text."""
    made, read_text = maker(), Path.read_text

    def instead(path: Path, *args: object, **kwargs: object) -> str:
        return text if path == ROOT / page else read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", instead)
    with pytest.raises(made.BadPage) as raised:
        made.stage(tmp_path)
    return str(raised.value)


def test_a_link_to_what_the_site_has_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for link in ("numbers.md", "../../hwaccel/api.py", "../../../other.md"):
        said = refusal(f"# A\n\n[b]({link})\n", monkeypatch, tmp_path, "docs/how-to/fit.md")
        assert said == f"docs/how-to/fit.md: {link} is neither a page nor a file of the site"
        monkeypatch.undo()


def test_an_index_that_leaves_out_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index = (DOCS / "README.md").read_text("utf-8").replace("[fit](how-to/fit.md)", "fit")
    said = refusal(index, monkeypatch, tmp_path, "docs/README.md")
    assert said == "docs/README.md: does not name how-to/fit.md"


def test_an_index_without_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = refusal("# Pages\n\n[a](tutorial.md)\n", monkeypatch, tmp_path, "docs/README.md")
    assert said == "docs/README.md: has no parts such as **Learn.**"


def test_links_in_code_are_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made = maker()
    page = made.Page("docs/how-to/fit.md", "how-to/fit.md")
    text = "`[a](b.md)` [numbers](../reference/numbers.md#fixed-point)\n\n```\n[c](d.md)\n```\n"
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: text)
    assert page.text() == text
    moved = made.Page("README.md", "overview.md")
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: "[a](docs/decisions) [b](#c)")
    assert moved.text() == "[a](decisions/index.md) [b](#c)"
