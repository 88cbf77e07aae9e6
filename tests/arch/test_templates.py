"""Templates place, they do not decide: no arithmetic, no ``set``, no hidden braces, no depth."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from hwaccel import resources
from hwaccel.emit.env import environment

TEMPLATES = sorted(resources.templates().rglob("*.j2"))
DEEPEST = 2

ARITHMETIC = (
    nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow,
    nodes.Neg, nodes.Pos, nodes.Concat,
)  # fmt: skip
ORDER = {"gt", "gteq", "lt", "lteq"}
BLOCKS = (nodes.For, nodes.If)


def faults(source: str) -> list[str]:
    """Return what is wrong with a template, each with its line."""
    tree = environment().parse(source)
    found = [(n.lineno, "arithmetic") for n in tree.find_all(ARITHMETIC)]
    found += [(n.lineno, "set") for n in tree.find_all((nodes.Assign, nodes.AssignBlock))]
    found += [
        (compare.lineno, "comparison")
        for compare in tree.find_all(nodes.Compare)
        if any(operand.op in ORDER for operand in compare.ops)
    ]
    for output in tree.find_all(nodes.Output):
        for child in output.nodes:
            if isinstance(child, nodes.Tuple | nodes.List | nodes.Dict | nodes.Const):
                found.append((output.lineno, "literal braces"))
    found += [(line, "nesting") for line in _too_deep(tree, 0)]
    return [f"line {line}: {what}" for line, what in sorted(found)]


def _too_deep(node: nodes.Node, depth: int) -> list[int]:
    inner = depth + isinstance(node, BLOCKS)
    if inner > DEEPEST:
        return [node.lineno]
    return [line for child in node.iter_child_nodes() for line in _too_deep(child, inner)]


def _label(path: Path) -> str:
    return path.relative_to(resources.templates()).as_posix()


@pytest.mark.parametrize("path", TEMPLATES, ids=_label)
def test_template_is_dumb(path):
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=_label)
def test_template_compiles(path):
    environment().get_template(_label(path))


def test_there_are_templates():
    assert {"hls", "cuda", "verilog"} <= {p.parts[0] for p in map(Path, map(_label, TEMPLATES))}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("int a = {{ n + 1 }};", "line 1: arithmetic"),
        ("{{ a ~ b }}", "line 1: arithmetic"),
        ("\n{{ -n }}", "line 2: arithmetic"),
        ("{% set n = 3 %}", "line 1: set"),
        ("{% if n > 3 %}x{% endif %}", "line 1: comparison"),
        ("int a[] = {{1,2}};", "line 1: literal braces"),
        ("int a[] = {{1}};", "line 1: literal braces"),
        ("{% for a in x %}{% for b in a %}{% if b %}{{ b }}{% endif %}{% endfor %}{% endfor %}",
         "line 1: nesting"),
    ],
)  # fmt: skip
def test_the_lint_sees(source, expected):
    assert faults(source) == [expected]


def test_the_lint_allows_what_templates_need():
    source = (
        "{% for port in ports %}{% if port.wide %}\n"
        "{{ port.name }}{{ ');' if loop.last else ',' }} {{ port.values | braces }}\n"
        "{% endif %}{% endfor %}"
    )
    assert faults(source) == []


def test_a_misspelt_variable_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing }}").render()
