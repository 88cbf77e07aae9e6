"""What a reader sees of a circuit: comments that say what is computed, full lines, short names."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import replace
from math import floor

import numpy as np
import pytest
from numpy.random import Generator

from hwaccel.circuit import Builder
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Choose, Constant, Even, Input, Node, Table
from hwaccel.emit import circuit as emitted
from hwaccel.emit.circuit_bits import Literal, Net, exceeds, falls_below, literal
from hwaccel.emit.circuit_names import _element, _formula, _place
from tests.emit.circuits import random_circuit, sums3, unit
from tests.emit.test_circuit import small, text


def meaning(formula: str, values: dict[str, int], node: Node) -> int:
    """Return what a comment says, computed."""
    if isinstance(node, Table):
        assert re.fullmatch(r"table\[\w+\]", formula)
        return node.values[values[formula[6:-1]] - node.first]
    words = formula.replace(", even at a tie", "")
    if match := re.fullmatch(r"(\w+) clipped to (-?\d+)\.\.(-?\d+)", words):
        return min(max(values[match[1]], int(match[2])), int(match[3]))
    if match := re.fullmatch(r"(\S+) where (\S+) < 0, else (\S+)", words):
        one, tested, other = (eval(match[i], {}, dict(values)) for i in (1, 2, 3))
        return int(one if tested < 0 else other)
    words = words.replace("modulo", "%")
    return int(eval(words, {"floor": floor, "max": max, "min": min}, dict(values)))


def drawn(rng: Generator, nodes: list[Node], number: int) -> int:
    x = nodes[number]
    return int(rng.integers(x.lo, x.hi, endpoint=True))


CIRCUITS = [*(lambda seed=seed: random_circuit(seed) for seed in range(30)), sums3]


@pytest.mark.parametrize("at", range(len(CIRCUITS) + 1))
def test_a_comment_says_what_is_computed(at: int) -> None:
    circuit = CIRCUITS[at]() if at < len(CIRCUITS) else small().piped.circuit
    rng, nodes = np.random.default_rng(at), list(circuit.nodes)
    for node in nodes:
        if isinstance(node, Input | Constant):
            continue
        names = [
            str(nodes[i].lo) if isinstance(nodes[i], Constant) else f"v{i}" for i in node.operands
        ]
        formula = _formula(node, names)
        for _ in range(8):
            xs = [drawn(rng, nodes, i) for i in node.operands]
            values = {f"v{i}": x for i, x in zip(node.operands, xs, strict=True)}
            xs = [values[f"v{i}"] for i in node.operands]
            found = int(node.evaluate(*(np.array([x]) for x in xs))[0])
            said = meaning(formula, values, node)
            if isinstance(node, Even):
                tie = xs[0] % (1 << node.shift) == 0
                said -= said % 2 if tie else 0
            if node.kind == "wrap":
                assert (said - found) % (1 << node.bits) == 0
            elif isinstance(node, Choose) and not node.lo <= said <= node.hi:
                continue  # such operands do not come together
            else:
                assert said == found, formula


def test_elements_are_named_by_place() -> None:
    assert _place(7, ()) == _place(7, (12,)) == "7"
    assert _place(7, (2, 2, 3)) == "1_0_1"
    assert _place(12, (2, 2, 3)) == "12"  # beyond the tensor
    assert _element("x", 3) == "x3"
    assert _element("in2", 3) == "in2_3"


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (0, 1, "1'd0"), (1, 1, "1'd1"), (-1, 1, "1'd1"), (5, 3, "3'd5"), (-1, 3, "-3'd1"),
        (-4, 3, "-3'd4"), (-6, 3, "3'd2"), (-8, 3, "3'd0"), (12, 3, "3'd4"), (-5, 4, "-4'd5"),
    ],
)  # fmt: skip
def test_a_literal_is_negative_where_its_highest_bit_says_so(
    value: int, width: int, expected: str
) -> None:
    assert literal(value, width) == Literal(value).bits(0, width) == expected
    assert Literal(value << 2).bits(2, width) == expected


@pytest.mark.parametrize(("compare", "sign"), [(exceeds, ">"), (falls_below, "<")])
def test_a_comparison_is_gates_up_to_nine_runs_of_equal_bits(
    compare: Callable[[Net, int], str], sign: str
) -> None:
    """Beyond them a carry chain is smaller."""
    nine, ten = 0b0101010110, 0b0101010101
    net = Net("n", 10, False)
    assert compare(net, ten) == f"n {sign} 10'd{ten}"
    assert sign not in compare(net, nine)
    signed = Net("n", 11, True)
    assert compare(signed, -ten - 1) == f"n {sign} -11'sd{ten + 1}"
    assert sign not in compare(signed, -nine - 1)


def test_a_comparison_in_gates_is_read_from_the_highest_bit_down() -> None:
    plain, signed = Net("n", 4, False), Net("n", 5, True)
    assert exceeds(plain, 5) == "n[3] | (n[2] & n[1])"
    assert falls_below(plain, 5) == "~n[3] & (~n[2] | (~n[1] & ~n[0]))"
    assert exceeds(signed, 4) == "~n[4] & (n[3] | (n[2] & (|n[1:0])))"
    assert exceeds(signed, -4) == "~n[4] | ((&n[3:2]) & (|n[1:0]))"
    assert falls_below(signed, 12) == "n[4] | (~&n[3:2])"
    assert falls_below(signed, -6) == "n[4] & (~n[3] | (~n[2] & ~n[1]))"


def test_a_comparison_in_gates_reads_no_bit_that_does_not_matter() -> None:
    for compare, bound in ((exceeds, 0b0011), (falls_below, 0b0100)):
        net = Net("n", 4, False)
        compare(net, bound)
        assert net.unread() == ["n[1:0]"]


@pytest.mark.parametrize("signed", [False, True])
def test_a_comparison_in_gates_says_what_it_should(signed: bool) -> None:
    """Of every integer of 4 bits; one that is never below a bound is not asked."""
    net, every = Net("n", 4, signed), range(-8, 8) if signed else range(16)
    for bound in range(-10, 18):
        for compare, holds in ((exceeds, operator.gt), (falls_below, operator.lt)):
            if compare is exceeds or bound >= every[0]:
                text = compare(net, bound)
                assert [gates(text, x & 15) for x in every] == [holds(x, bound) for x in every]


def gates(text: str, bits: int) -> bool:
    """Compute a condition over the bits of n."""

    def part(found: re.Match[str]) -> str:
        high, _, low = (found[3] or "3:0").partition(":")
        ones = (2 << int(high) - int(low or high)) - 1
        value = bits >> int(low or high) & ones
        return str(int({"&": value == ones, "|": value > 0, "": value}[found[2]]) ^ (found[1] > ""))

    return bool(eval(re.sub(r"(~?)([&|]?)n(?:\[([\d:]+)\])?", part, text.replace("1'b", ""))))


def test_a_table_that_is_not_full_says_what_comes_of_other_indices() -> None:
    """Without it, a synthesizer keeps the value before: a latch."""
    node = Table(a=0, first=-1, values=(3, -1, 2), lo=-1, hi=3)
    assert list(emitted._function("t", node, 2)) == [
        "function [2:0] t;",
        "    input [1:0] index;",
        "    case (index)",
        "        2'd3: t = 3'd3;",
        "        2'd0: t = -3'd1;",
        "        2'd1: t = 3'd2;",
        "        default: t = 3'd2;",
        "    endcase",
        "endfunction",
    ]
    full = replace(node, first=-2, values=(0, 3, -1, 2))
    assert not any("default" in line for line in emitted._function("t", full, 2))
    nearly = replace(node, values=(3,) * 7)
    assert any("default" in line for line in emitted._function("t", nearly, 3))


@pytest.mark.parametrize(
    ("reach", "ends"), [(0, "x[3]"), (1, "{x[3], ~x[3]}"), (3, "{x[3], {2{~x[3]}}}")]
)
def test_a_clip_to_all_of_some_bits_has_one_flag(reach: int, ends: str) -> None:
    """Its ends are the sign, and behind it the other bit as often as it takes."""
    build = Builder()
    x = build.input(0, -8, 7)
    circuit = pruned(build, [(-8, 7)] * 2, [build.clip(x, -reach - 1, reach)])
    verilog = text(unit(circuit))
    flagged = re.findall(r"\w+_over \? (.*) : ", verilog)
    assert [re.sub(r"\w+\[", "x[", end) for end in flagged] == [ends]


def test_bits_that_nothing_reads_are_named_in_runs() -> None:
    net = Net("n", 6, False)
    assert net.bits(1, 1) == "n[1]"
    assert net.bits(3, 1) == "n[3]"
    assert net.unread() == ["n[0]", "n[2]", "n[5:4]"]
    assert net.unread() == []
    assert Net("m", 3, True).unread() == ["m"]
    read = Net("r", 3, True)
    assert read.bits(1, 6) == "{{4{r[2]}}, r[2:1]}"
    assert read.unread() == ["r[0]"]


def test_a_comment_stands_behind_where_it_fits_and_above_where_not() -> None:
    def made(value: str, note: str) -> list[str]:
        return list(emitted._statement("wire", "n", value, note))

    bare = len(made("", "")[0])
    room = emitted._WIDTH - bare - 5
    (line,) = made("v" * (room - 9), "n" * 9 + "")[-1:]
    assert line.endswith(f"  // {'n' * 9}")
    assert len(line) <= emitted._WIDTH
    above, below = made("v" * (room - 8), "n" * 9)
    assert above == f"// {'n' * 9}"
    assert below.endswith("v;")
    (whole,) = made("v" * (emitted._WIDTH - bare), "")
    assert len(whole) == emitted._WIDTH
    first, second = made("v" * (emitted._WIDTH - bare + 1), "")
    assert first.endswith(" n =")
    assert second == "    " + "v" * (emitted._WIDTH - bare + 1) + ";"
    first, *rest = made(" ".join(["vv"] * 70), "")
    assert {len(line) for line in rest[:-1]} == {emitted._WIDTH}  # full, and not one word longer
    assert " ".join(line.strip() for line in rest) == " ".join(["vv"] * 70) + ";"
