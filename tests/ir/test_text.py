"""What graphs look like as text, and what is said when text is not a graph."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import OP_BY_NAME, Add, Conv2d, Dense, Relu, Requant, Reshape, Scale
from tests.graphs import random_graph

TEXT = """\
graph small
input %x : 1x4x4 u4.4
%conv = conv2d(%x) {weight=#b42170cd, shift=[0], bias=[-5]} : 1x2x2 s9.4 [-155,145]  // net.0
%relu = relu(%conv) : 1x2x2 u8.4 [0,145]  // "net // 1"
%q = requant(%relu) {shift=4, lo=0, hi=15, rounding=floor, overflow=wrap} : 1x2x2 u4.0 [0,9]
%flat = reshape(%q) {shape=(4,), channels_last=true} : 4 u4.0 [0,9]
%"the sum" = add(%flat, %flat) : 4 u5.0 [0,18]
%scale = scale(%flat) {mult=[1, 2, 3, -4], add=[0, 0, 0, 0]} : 4 s7.0 [-36,27]
output %"the sum"
output %scale
constants
#b42170cd : 1x1x3x3
  -4 -3 -2 -1 0 1 2 3 4
"""


def small() -> Graph:
    builder = GraphBuilder("small")
    x = builder.input("x", TensorType.full((1, 4, 4), FixedType.parse("u4.4")))
    weight = IntArray(np.arange(-4, 5).reshape(1, 1, 3, 3))
    conv = builder.add("conv", Conv2d(weight, IntArray([0]), IntArray([-5])), x, path="net.0")
    relu = builder.add("relu", Relu(), conv, path="net // 1")
    q = builder.add("q", Requant(4, 0, 15, Rounding.FLOOR, Overflow.WRAP), relu)
    flat = builder.add("flat", Reshape((4,), True), q)
    total = builder.add("the sum", Add(0, 0), flat, flat)
    scale = builder.add("scale", Scale(IntArray([1, 2, 3, -4]), IntArray([0] * 4)), flat)
    return builder.build(total, scale)


def parse(text: str) -> Graph:
    return parse_graph(text, OP_BY_NAME)


def message(text: str) -> str:
    with pytest.raises(VerifyError) as caught:
        parse(text)
    return str(caught.value)


def test_print() -> None:
    assert print_graph(small()) == TEXT


def test_parse() -> None:
    assert parse(TEXT) == small()


def test_layout_is_free() -> None:
    text = TEXT.replace("\n", "\n\n  // a comment\n").replace(", ", ",").replace(" {", "{")
    assert parse(text.replace(" : ", ":")) == small()


def test_rows_wrap() -> None:
    builder = GraphBuilder("g")
    x = builder.input("x", TensorType((40,), 0, 0, 1))
    op = Dense(IntArray(np.full((2, 40), -100)), IntArray([0, 0]), IntArray([0, 0]))
    text = print_graph(builder.build(builder.add("y", op, x)))
    rows = text.split("2x40\n")[1].splitlines()
    assert [len(row.split()) for row in rows] == [19, 19, 2, 19, 19, 2]
    assert max(map(len, rows)) <= 100


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0), (9,), (3, 3), (2, 2, 3)])
def test_constant_of_any_shape(shape: tuple[int, ...]) -> None:
    # No op accepts all of these; the parser says so, but only after it has read them.
    array = IntArray(np.arange(int(np.prod(shape))).reshape(shape))
    graph = small()
    scale = graph.nodes[-1]
    node = type(scale)(scale.output, Scale(array, array), scale.inputs)
    text = print_graph(Graph("g", graph.inputs, (*graph.nodes[:-1], node), ("scale",)))
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.startswith("%scale"))
    assert message(text) == f"line {line}: scale: mult has shape {shape}, expected (4,)"


SECOND = "input %x : 2 s4.0"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "g: has no inputs; a design needs at least one stream in"),
        ([SECOND], "g: has no outputs; a design needs at least one stream out"),
        ([SECOND, "output %y"], "g: output 'y' is not a value of the graph"),
        ([SECOND, SECOND], "line 3: x: defined twice; every value needs its own name"),
        (["input x : 2 s4.0"], "line 2: expected '%', found 'x : 2 s4.0'"),
        (["input %x : s4.0"], "line 2: expected a shape like 4x8x8, found 's4.0'"),
        (["input %x : 2 4.0"], "line 2: expected a format like s8.4, found '4.0'"),
        (["input %x : 2x0 s4.0"], "line 2: shape (2, 0) is not (features,), (channels, length) or "
         "(channels, height, width) with positive sizes"),
        (["input %x : 2 s99.0"], "line 2: fixed-point width 99 is not between 1 and 62 bits; use "
         "fewer bits or a smaller range"),
        (["input %x : 2 s4.0 [1,9]"], "line 2: [1, 9] is not an interval of s4.0"),
        (["input %x : 2 s4.0 [1]"], "line 2: [1] is not an interval of s4.0"),
        (["input %x : 2 s4.0 [3,1]"], "line 2: empty interval [3, 1]"),
        (["input %x : 2 s4.0 // a"], "line 2: expected the end of the line, found '// a'"),
        (['input %"x : 2 s4.0'], "line 2: expected a name, found '\"x : 2 s4.0'"),
        (['input %"\\q" : 2 s4.0'], 'line 2: "\\q" is not a JSON string'),
        ([SECOND, "%y = relu(%x) : 2 u3.0 // a b"], "line 3: expected the end of the line, "
         "found 'b'"),
        ([SECOND, "%y = relu %x"], "line 3: expected '(', found '%x'"),
        ([SECOND, "%y = relu(%x"], "line 3: expected ')', found ''"),
        ([SECOND, "%y = relu(%x) u3.0"], "line 3: expected ':', found 'u3.0'"),
        ([SECOND, "%y = relu(%x) : 2 u4.0"], "line 3: y: type is 2 u4.0, expected 2 u3.0; rebuild "
         "the graph"),
        ([SECOND, "%y = relu(%z) : 2 u3.0"], "line 3: y: operand 'z' is not defined before it is "
         "used"),
        ([SECOND, "%y = relu() : 2 u3.0"], "line 3: y: relu takes 1 operands, found 0"),
        ([SECOND, "%x = relu(%x) : 2 u3.0"], "line 3: x: defined twice; every value needs its own "
         "name"),
        ([SECOND, "%y = elu(%x) : 2 u3.0"], "line 3: unknown op 'elu'; known are " +
         ", ".join(OP_BY_NAME)),
        ([SECOND, "%y = relu(%x) {slope=1} : 2 u3.0"], "line 3: relu has no field 'slope'; it has "
         "none"),
        ([SECOND, "%y = requant(%x) {shift=1, lo=0} : 2 u3.0"], "line 3: requant: Object missing "
         "required field `hi`"),
        ([SECOND, "%y = requant(%x) {shift=1, lo=0, hi=up} : 2 u3.0"], "line 3: requant: Expected "
         "`int`, got `str` - at `$.hi`"),
        ([SECOND, "%y = requant(%x) {shift=, lo=0} : 2 u3.0"], "line 3: expected a value, found "
         "', lo=0} : 2 u3.0'"),
        ([SECOND, "%y = scale(%x) {mult=#12, add=[0, 0]} : 2 s4.0"], "line 3: constant #12 is not "
         "in the constants section"),
        ([SECOND, "%y = scale(%x) {mult=(1, 2), add=[0, 0]} : 2 s4.0"], "line 3: scale: Expected "
         "the name of a constant, got (1, 2) - at `$.mult`"),
        ([SECOND, "%y = scale(%x) {mult=[1, [2]], add=[0, 0]} : 2 s4.0"], "line 3: an array is "
         "ragged or holds integers of more than 64 bits"),
        ([SECOND, f"%y = scale(%x) {{mult=[{1 << 63}, 2]}}"], "line 3: an array is ragged or holds "
         "integers of more than 64 bits"),
        ([SECOND, "%y = scale(%x) {mult=" + "[" * 50], "line 3: an array has at most 8 axes"),
        ([SECOND, "constants", "1 2"], "line 4: expected a constant like '#3fa2c1d0 : 2x3', found "
         "'1 2'"),
        ([SECOND, "constants", "#12 : 2x2", "1 2", "3"], "line 4: 3 integers, expected 4 for shape "
         "(2, 2)"),
        ([SECOND, "constants", "#12 : 2", "1 x"], "line 5: expected integers, found '1 x'"),
        ([SECOND, "constants", "#12 : 1", "1", "#12 : 1", "1"], "line 6: constant #12 is defined "
         "twice"),
        (["inputs %x : 2 s4.0"], "line 2: expected '%', found 'inputs %x : 2 s4.0'"),
    ],
)  # fmt: skip
def test_fault(lines: list[str], expected: str) -> None:
    assert message("\n".join(["graph g", *lines])) == expected


@pytest.mark.parametrize("text", ["", "\n// nothing\n", "constants\n"])
def test_no_graph(text: str) -> None:
    assert message(text) == "line 1: expected 'graph ', found ''"


def test_any_character_in_names() -> None:
    name = 'a\nb // "c" %d \\ \u2028 \ud800 {e}'
    builder = GraphBuilder(name)
    x = builder.input(name, TensorType.full((2,), FixedType.parse("s4.0")))
    graph = builder.build(builder.add(name, Relu(), x, path=name))
    assert len(print_graph(graph).splitlines()) == 4
    assert parse(print_graph(graph)) == graph


ANYTHING = print_graph(random_graph(7, 12))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(ANYTHING)),
            st.integers(0, 3),
            st.one_of(st.text(max_size=3), st.sampled_from(["[", "99999", "#", "%", "0x", "-"])),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_damaged(changes: list[tuple[int, int, str]]) -> None:
    text = ANYTHING
    for place, length, new in changes:
        text = text[:place] + new + text[place + length :]
    with suppress(VerifyError):
        parse(text)
