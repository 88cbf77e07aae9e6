"""Build the site from the pages: ``python docs/make_site.py [FOLDER]`` writes ``build/site``.

The pages are plain Markdown that a forge shows as well; nothing in them is about the site. Here
they are copied to where they stand on the site, with links to match, and the index becomes the
menu. Sphinx does the rest. A warning is an error. Needs ``pip install 'hwaccel[docs]'``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Pages of the repository that stand elsewhere on the site. The folder of decisions is a page there.
MOVED = {
    "docs/README.md": "index.md",
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "rtl/README.md": "reference/rtl.md",
    "docs/decisions": "decisions/index.md",
}
# Where the title of a page says too little in the menu.
TITLES = {"overview.md": "Overview and figures <overview>"}
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
# What holds no links: blocks and code.
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
PART = re.compile(r"^\*\*(\w[\w ]*)\.\*\*", re.MULTILINE)


class BadPage(Exception):
    """A page cannot stand on the site; the message names it."""


@dataclass(frozen=True)
class Page:
    """A file of the repository, and where it stands on the site, both as relative paths."""

    source: str
    place: str

    def text(self) -> str:
        """Return the page with links that lead to places of the site.

        Raises:
            BadPage: a link leads to nothing that the site has.
        """
        text = (ROOT / self.source).read_text(encoding="utf-8")
        parts, at = [], 0
        for code in CODE.finditer(text):
            parts += [LINK.sub(self._there, text[at : code.start()]), code[0]]
            at = code.end()
        return "".join([*parts, LINK.sub(self._there, text[at:])])

    def _there(self, link: re.Match[str]) -> str:
        path, mark, heading = link[0].partition("#")
        if not path or "://" in path:
            return link[0]
        there = place(Path(os.path.normpath((ROOT / self.source).parent / path)))
        if there is None:
            raise BadPage(f"{self.source}: {link[0]} is neither a page nor a file of the site")
        return os.path.relpath(there, Path(self.place).parent) + mark + heading


def place(path: Path) -> str | None:
    """Return where a file of the repository stands on the site, if it does."""
    if not path.exists() or not path.is_relative_to(ROOT):
        return None
    name = path.relative_to(ROOT).as_posix()
    if name in MOVED:
        return MOVED[name]
    return name.removeprefix("docs/") if name.startswith("docs/") and path.is_file() else None


def pages() -> Iterator[Page]:
    """Return every page: all Markdown below ``docs/``, and those that are moved."""
    for path in sorted({*DOCS.rglob("*.md"), *(ROOT / n for n in MOVED if n.endswith(".md"))}):
        there = place(path)
        assert there is not None
        yield Page(path.relative_to(ROOT).as_posix(), there)


def stage(folder: Path) -> None:
    """Write the sources of the site into an empty folder.

    Raises:
        BadPage: a link leads nowhere, or the index has no parts.
    """
    texts = {page.place: page.text() for page in pages()}
    decisions = sorted(name for name in texts if name.startswith("decisions/"))
    texts["decisions/index.md"] = _decisions(decisions)
    texts["index.md"] += menu(texts["index.md"], sorted(texts))
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for path in [*DOCS.rglob("*.png"), *DOCS.rglob("*.json")]:
        there = folder / path.relative_to(DOCS)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)


def menu(index: str, names: list[str]) -> str:
    """Return the menu: the parts of the index with the pages each links to, in that order.

    Raises:
        BadPage: the index has no parts, or leaves out a page.
    """
    starts = [*PART.finditer(index)]
    ends = [start.start() for start in starts[1:]] + [len(index)]
    if not starts:
        raise BadPage("docs/README.md: has no parts such as **Learn.**")
    listed, blocks = {"index.md"}, []
    for start, end in zip(starts, ends, strict=True):
        found = [link.partition("#")[0] for link in LINK.findall(index[start.end() : end])]
        # One entry stands for all decisions; they are below it.
        found = ["decisions/index.md" if n.startswith("decisions/") else n for n in found]
        chosen = [n for n in dict.fromkeys(found) if n in names and n not in listed]
        listed |= set(chosen)
        blocks.append(_tree(chosen, caption=start[1]))
    left = [n for n in names if n not in listed and not n.startswith("decisions/")]
    rest = [n for n in MOVED.values() if n in left]
    if missing := sorted({*left} - {*rest}):
        raise BadPage(f"docs/README.md: does not name {', '.join(missing)}")
    return "\n" + "\n".join([*blocks, _tree(rest, caption="The project")])


def _tree(names: list[str], *, caption: str = "") -> str:
    options = f":hidden:\n:caption: {caption}\n" if caption else ""
    entries = "\n".join(TITLES.get(name, name.removesuffix(".md")) for name in names)
    return f"```{{toctree}}\n{options}\n{entries}\n```\n"


def _decisions(names: list[str]) -> str:
    below = [name.removeprefix("decisions/") for name in names]
    return f"# Decisions\n\nWhy things are as they are, one page each.\n\n{_tree(below)}"


def build(site: Path) -> None:
    """Write the site into ``site``, whatever was there before.

    Raises:
        BadPage: a page is wrong.
        subprocess.CalledProcessError: Sphinx has said what is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="hwaccel-site-") as folder:
        sources, made = Path(folder) / "pages", Path(folder) / "site"
        sources.mkdir()
        stage(sources)
        words = ["-W", "--keep-going", "-q", "-b", "html", "-c", DOCS, "-d", f"{folder}/trees"]
        subprocess.run([sys.executable, "-m", "sphinx", *words, sources, made], check=True)
        # What Sphinx leaves for its next run, and a folder for sources that are not copied.
        (made / ".buildinfo").unlink(missing_ok=True)
        shutil.rmtree(made / "_sources", ignore_errors=True)
        shutil.rmtree(site, ignore_errors=True)
        site.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, site)


def main() -> None:
    """Build the site and say where it is."""
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    try:
        build(site)
    except BadPage as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError:
        sys.exit("the site was not built; see above")
    print(f"written to {os.path.relpath(site)}/index.html")


if __name__ == "__main__":
    main()
