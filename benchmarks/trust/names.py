"""Names of layers that are code: what is emitted differs in identifiers and comments, and no more.

The same network is emitted twice, with plain names and with hostile ones. Both are cut into tokens;
comments go, and identifiers and texts of legal characters are all alike. What is left must be equal
file by file. Then the tools read the hostile one: Icarus, g++ and Tcl, and nothing may happen.
"""

from __future__ import annotations

import ast
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

import hwaccel
from hwaccel.api import design_from
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops.dense import Dense
from hwaccel.stages import write_report

PER_DESIGN = 50
# What stands at the end of a comment, a text, an attribute or a line in one of the languages.
_BREAKS = (
    *("", "\n", "\r\n", "\r", "\u2028", "\x0b", "\x0c", "\x00", "\\\n", "\\", "??/\n", "*/ ", "*)"),
    *('"', "'", "`", ";", "}", "};", "]", ")", '");', "'''", '"""', "-->", "</script>", "</title>"),
    *('"]\n', "$", "%>", "{{", "}}", "{%", "#}", "\t", "\u202e", "\x1b]0;", "//", "/*", "#"),
)
_CODE = {
    "verilog": (
        "initial $finish;",
        '`include "/etc/passwd"',
        "`define x",
        "endmodule module evil;",
        "assign out = 0;",
        'initial $system("touch executed");',
        'initial $fopen("executed");',
        "(* keep *) wire evil;",
        "synthesis translate_off",
        '$readmemh("/etc/passwd", m);',
        "verilator lint_off ALL",
        "`endif",
        "\\escaped ",
        "parameter X = 1;",
    ),
    "c++": (
        '#include "/etc/passwd"',
        'system("touch executed");',
        "int evil() { return 1; }",
        "#define int char",
        'asm(".incbin \\"/etc/passwd\\"");',
        "%:include </etc/passwd>",
        "#error evil",
        "#pragma GCC poison int",
        '_Pragma("x")',
        'R"(x)"',
        "template<",
        "??=define x",
    ),
    "cuda": (
        "__global__ void evil() {}",
        "<<<1,1>>>",
        "__device__ int evil;",
        'asm volatile("trap;");',
        "cudaFree(0);",
        "__launch_bounds__(0)",
        'extern "C" {',
        '#line 1 "x"',
    ),
    "tcl": (
        "[exec touch executed]",
        "exec touch executed",
        "[open executed w]",
        "source /etc/passwd",
        "$::env(HOME)",
        "eval {exec touch executed}",
        "file delete -force .",
        "set_property X",
        'FREQUENCY PORT "clk" 1 MHZ;',
        "BLOCK ASYNCPATHS;",
        "create_clock -period 1 [get_ports *]",
    ),
    "text": (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "&lt;b&gt;",
        "<!--",
        "]]>",
        "[layers.evil]\npe = 1",
        "pe = 1",
        "__import__('os').mknod('executed')",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "$(touch executed)",
        "`touch executed`",
        "../../executed",
        "%s%n",
    ),
}


def names(count: int, seed: int) -> list[str]:
    """Return different names, each a break and a piece of code, over all languages in turn."""
    rng, languages = random.Random(seed), list(_CODE)
    found: dict[str, None] = {}
    while len(found) < count:
        code = rng.choice(_CODE[languages[len(found) % len(languages)]])
        start = rng.choice(("", "a", "layer1.", "/"))
        found[f"{start}{rng.choice(_BREAKS)}{code}{rng.choice(_BREAKS)}"] = None
    return list(found)


def network(labels: list[str], paths: list[str]) -> Graph:
    """Return a chain of one layer a name; what is called so is value, path, and network."""
    rng = np.random.default_rng(0)
    builder = GraphBuilder(labels[0])
    x = builder.input(labels[0] or "x", TensorType.full((3,), FixedType.parse("s4.2")))
    for label, path in zip(labels, paths, strict=True):
        weight = IntArray(np.eye(3, dtype=np.int64) * int(rng.integers(1, 2)))
        op = Dense(weight, IntArray([0, 0, 0]), IntArray([0, 0, 0]))
        x = builder.add(f"{label}.", op, x, path=path)
    return builder.build(x)


# --- tokens --------------------------------------------------------------------------------------

_COMMENT = {
    **dict.fromkeys((".v", ".cpp", ".h", ".cu"), r"//[^\n]*|/\*.*?\*/"),
    **dict.fromkeys((".tcl", ".sdc", ".xdc", ".lpf", ".py", ""), r"\#[^\n]*"),
}
_TOKEN = (
    r'(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<name>[A-Za-z_$`\#][\w$]*)|'
    r"(?P<number>\d[\w.\']*)|(?P<other>\S)"
)
_LEGAL = re.compile(r'"[A-Za-z0-9_ ./%:;,()\[\]{}=+*<>&|!?\'@$-]*(?:\\[n"%])*[A-Za-z0-9_ .:]*"')


def tokens(file: str, text: str, design: str) -> tuple[str, ...]:
    """Return the code of a file; identifiers, texts and the hash of the design are all alike."""
    comment = _COMMENT.get(Path(file).suffix)
    if comment is None:
        return ()
    text = re.sub(f"{design}|{design[:8]}|{design[8:]}", "0", text, flags=re.IGNORECASE)
    found = []
    for match in re.finditer(f"(?P<comment>{comment})|{_TOKEN}", text, re.DOTALL):
        kind = match.lastgroup or ""
        if kind == "name":
            word = match[0]
            found.append(word if word in _KEPT or word[0] in "$`#" else "name")
        elif kind == "text":
            found.append("text" if _LEGAL.fullmatch(match[0]) else match[0])
        elif kind != "comment":
            found.append(match[0])
    return tuple(found)


# Words that mean something to a tool, and so must be as many in both.
_KEPT = frozenset(
    """
    initial always assign module endmodule parameter localparam wire reg include define system exec
    asm template extern int void return set_property create_clock source open eval file import
    FREQUENCY BLOCK PORT pragma
    """.split()
)


def different(plain: hwaccel.Design, hostile: hwaccel.Design) -> Iterator[str]:
    """Yield what differs between the emitted code of two designs, besides names."""
    for folder in ("rtl", "hls", "cuda", "constraints", "sim", "system"):
        streams = []
        for design in (plain, hostile):
            files = {n: t for n, t in design.files().items() if n.startswith(f"{folder}/")}
            held = {n: t for n, t in files.items() if isinstance(t, str)}
            streams.append(Counter(tokens(name, text, design.hash) for name, text in held.items()))
        for left in ((streams[0] - streams[1]), (streams[1] - streams[0])):
            for stream in left:
                yield f"{folder}: other code: {' '.join(stream[:30])[:120]}"


# --- tools ---------------------------------------------------------------------------------------


# Attributes that a browser follows; in others an address is text.
_FOLLOWED = frozenset(
    "href xlink:href src srcset srcdoc action formaction data poster ping".split()
)


class _Page(HTMLParser):
    """What a browser would do with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            scripted = name in _FOLLOWED and "javascript:" in (value or "")
            if name.startswith("on") or scripted:
                self.tags[f"{tag} {name}"] += 1


def page(design: hwaccel.Design, folder: Path) -> Counter[str]:
    """Return the tags of the report."""
    found = _Page()
    found.feed(write_report(design, folder, folder / "report.html").read_text(encoding="utf-8"))
    return Counter(
        {
            tag: n
            for tag, n in found.tags.items()
            if tag in ("script", "img", "iframe") or " " in tag
        }
    )


_STUBS = """
proc unknown {args} { return {} }
foreach f $argv { source $f }
"""


def run_tools(design: hwaccel.Design, folder: Path) -> Iterator[str]:
    """Let the tools read a project; yield what they complain about."""
    top = design.name
    sources = sorted(str(p) for p in (folder / "rtl").glob("*.v"))
    yield from _silent(
        ["iverilog", "-g2005", "-Wall", "-s", top, "-o", folder / "x.vvp", *sources], folder
    )
    host = next((folder / "cuda").glob("*_host.cpp"))
    yield from _silent(["g++", "-std=c++17", "-fsyntax-only", "-w", host.name], folder / "cuda")
    scripts = [
        str(p) for kind in ("xdc", "sdc") for p in (folder / "constraints").glob(f"*.{kind}")
    ]
    (folder / "stubs.tcl").write_text(_STUBS)
    yield from _silent(["tclsh", folder / "stubs.tcl", *scripts], folder)
    for path in (folder / "system").glob("*.py"):
        ast.parse(path.read_text())


def _silent(words: list[str | Path], folder: Path) -> Iterator[str]:
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode or done.stdout or done.stderr:
        yield f"{words[0]}: {(done.stdout + done.stderr)[:300]!r}"


def check_names(count: int, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Emit networks of hostile names; return how many names there were, and what had an effect."""
    every, wrong = names(count, seed), []
    for first in range(0, count, PER_DESIGN):
        labels = every[first : first + PER_DESIGN]
        plain = design_from(network([f"n{i}" for i in range(len(labels))], ["p"] * len(labels)))
        hostile = design_from(network(labels, labels))
        wrong += [f"names {first}: {reason}" for reason in different(plain, hostile)]
        project = folder / str(first) / "p"
        hostile.write(project)
        plain.write(folder / str(first) / "q")
        loaded = hwaccel.load(project)
        if not {n.path for n in loaded.graph.nodes} <= set(labels):
            wrong.append(f"names {first}: paths are not what they were")
        if page(hostile, project) != page(plain, folder / str(first) / "q"):
            wrong.append(f"names {first}: the report has other tags")
        wrong += [f"names {first}: {reason}" for reason in run_tools(hostile, project)]
        for path in folder.rglob("executed"):
            wrong.append(f"names {first}: made {path.name}")
        if sorted(p.name for p in (folder / str(first)).iterdir()) != ["p", "q"]:
            wrong.append(f"names {first}: wrote beside the project")
    return count, wrong


if __name__ == "__main__":
    sys.exit("run python -m benchmarks.trust.hostile")
