"""A graph file may come from anywhere: every fault is one ``VerifyError`` line."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.file import MAX_BYTES, load_graph, save_graph
from hwaccel.ops import OP_BY_NAME, Dense, MaxPool2d, Relu, Requant, Reshape
from tests.graphs import graphs, random_graph

SETTINGS = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def small() -> Graph:
    builder = GraphBuilder("small")
    x = builder.input("x", TensorType.full((2, 2, 2), FixedType.parse("u4.4")))
    pool = builder.add("pool", MaxPool2d((2, 2), (2, 2)), x, path="net.pool")
    flat = builder.add("flat", Reshape((2,)), pool)
    op = Dense(IntArray([[1, -2]]), IntArray([0]), IntArray([3]), 2)
    fc = builder.add("fc", op, flat, path="net.fc")
    q = builder.add("q", Requant(2, -8, 7), fc)
    return builder.build(builder.add("out", Relu(), q))


def load(data: bytes) -> Graph:
    return load_graph(data, OP_BY_NAME, "graph.json")


def message(data: bytes) -> str:
    with pytest.raises(VerifyError) as caught:
        load(data)
    return str(caught.value)


def changed(*path: str | int, to: Any) -> bytes:
    document = json.loads(save_graph(small()))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(document).encode()


def test_same_bytes_each_time() -> None:
    assert save_graph(small()) == save_graph(small())


def test_constants_are_stored_once() -> None:
    builder = GraphBuilder("twice")
    x = builder.input("x", TensorType((2,), 0, 0, 3))
    op = Dense(IntArray([[1, 2], [3, 4]]), IntArray([0, 0]), IntArray([0, 0]))
    data = save_graph(builder.build(builder.add("b", op, builder.add("a", op, x))))
    constants = json.loads(data)["constants"]
    assert sorted(c["values"] for c in constants.values()) == [[0, 0], [1, 2, 3, 4]]


def test_whitespace_is_free() -> None:
    assert load(json.dumps(json.loads(save_graph(small())), indent=2).encode()) == small()


def test_name_that_is_not_unicode() -> None:
    builder = GraphBuilder("g")
    graph = builder.build(builder.add("y", Relu(), builder.input("\ud800", small().inputs[0].type)))
    with pytest.raises(VerifyError) as caught:
        save_graph(graph)
    assert str(caught.value) == "'g': a name is not Unicode text (surrogates not allowed)"


NO_DIGEST = "0" * 64
WEIGHT = IntArray([[1, -2]]).digest

FAULTS = [
    ((), b"", "not a hwaccel-graph file (Input data was truncated)"),
    (("format",), "x", "format 'x' version 1, expected 'hwaccel-graph' version 1; write the file "
     "again with this release"),
    (("version",), 2, "format 'hwaccel-graph' version 2, expected 'hwaccel-graph' version 1; write "
     "the file again with this release"),
    (("version",), True, "not a hwaccel-graph file (Expected `int`, got `bool` - at `$.version`)"),
    (("extra",), 1, "Object contains unknown field `extra`"),
    (("inputs", 0, "type", "shape"), [], "Expected `array` of length >= 1 - at "
     "`$.inputs[0].type.shape`"),
    (("inputs", 0, "type", "shape"), [2, 0, 2], "Expected `int` >= 1 - at "
     "`$.inputs[0].type.shape[1]`"),
    (("inputs", 0, "type", "shape"), [1 << 20, 1 << 20], f"inputs[0].type: {1 << 40} elements, "
     "at most 16777216 allowed"),
    (("inputs", 0, "type", "lo"), 99, "inputs[0].type: empty interval [99, 15]"),
    (("inputs", 0, "type", "hi"), 1 << 70, "Expected `int` <= 4611686018427387903 - at "
     "`$.inputs[0].type.hi`"),
    (("inputs", 0, "type", "hi"), 1.5, "Expected `int`, got `float` - at `$.inputs[0].type.hi`"),
    (("inputs", 0, "type", "hi"), (1 << 62) - 1, "pool (net.pool): type is 2x1x1 u4.4, expected "
     "2x1x1 u62.4; rebuild the graph"),
    (("inputs",), [], "small: has no inputs; a design needs at least one stream in"),
    (("outputs",), [], "small: has no outputs; a design needs at least one stream out"),
    (("outputs",), ["nowhere"], "small: output 'nowhere' is not a value of the graph"),
    (("nodes", 0, "name"), "x", "x (net.pool): defined twice; every value needs its own name"),
    (("nodes", 0, "name"), "", "Expected `str` of length >= 1 - at `$.nodes[0].name`"),
    (("nodes", 0, "op"), "conv9d", "nodes[0].op: unknown op 'conv9d'; known are " +
     ", ".join(OP_BY_NAME)),
    (("nodes", 0, "inputs"), ["y"], "pool (net.pool): operand 'y' is not defined before it is "
     "used"),
    (("nodes", 0, "inputs"), ["x", "x"], "pool (net.pool): maxpool2d takes 1 operands, found 2"),
    (("nodes", 0, "fields", "size"), 3, "nodes[0].fields: maxpool2d has no field 'size'; it has "
     "kernel_size, stride, padding, dilation"),
    (("nodes", 0, "fields", "stride"), [2, 2, 2], "nodes[0].fields: maxpool2d: Expected `array` of "
     "length 2, got 3 - at `$.stride`"),
    (("nodes", 0, "fields", "stride"), [2, "2"], "nodes[0].fields.stride: Expected `int`, "
     "got `str` - at `$[1]`"),
    (("nodes", 0, "fields", "stride"), [[2], 2], "nodes[0].fields.stride: Expected `int`, got "
     "`array` - at `$[0]`"),
    (("nodes", 0, "fields", "stride"), None, "nodes[0].fields.stride: Expected `bool | int | str "
     "| array`, got `null`"),
    (("nodes", 0, "fields", "stride"), [1, 10**400], "nodes[0].fields.stride: Expected `int` <= "
     "4611686018427387903 - at `$[1]`"),
    (("nodes", 0, "fields", "padding"), [1 << 24] * 4, "pool (net.pool): 33554434 window steps in "
     "height, expected at most 4194304"),
    (("nodes", 1, "fields", "channels_last"), 1, "nodes[1].fields: reshape: Expected `bool`, got "
     "`int` - at `$.channels_last`"),
    (("nodes", 1, "fields", "shape"), [3], "flat: cannot reshape (2, 1, 1) (2 elements) to (3,) "
     "(3 elements)"),
    (("nodes", 2, "fields", "weight"), "gone", "nodes[2].fields: dense: Expected the name of a "
     "constant, got 'gone' - at `$.weight`"),
    (("nodes", 2, "fields", "weight"), 5, "nodes[2].fields: dense: Expected the name of a "
     "constant, got 5 - at `$.weight`"),
    (("nodes", 2, "fields"), {}, "nodes[2].fields: dense: Object missing required field `weight`"),
    (("nodes", 2, "type", "hi"), 19, "fc (net.fc): type is 1 s6.6 [-27,19], expected 1 s6.6 "
     "[-27,18]; rebuild the graph"),
    (("nodes", 3, "fields", "rounding"), "up", "nodes[3].fields: requant: Invalid enum value 'up' "
     "- at `$.rounding`"),
    (("nodes", 3, "fields", "shift"), 99, "q: shift 99 is not between -62 and 62"),
    (("nodes", 3, "path"), "a\nb", None),
    (("nodes", 3, "type", "lo"), -9, "q: type is 1 s5.4 [-9,4], expected 1 s4.4 [-7,4]; rebuild "
     "the graph"),
    (("constants", NO_DIGEST), {"shape": [1], "values": [1]}, f"constants.{NO_DIGEST}: the content "
     f"has digest {IntArray([1]).digest}; the file is damaged"),
    (("constants", WEIGHT, "shape"), [3], f"constants.{WEIGHT}: 2 values, expected 3 for shape "
     "[3]"),
    (("constants", WEIGHT, "values", 0), 1 << 63, "Expected `int` <= 4611686018427387903 - at "
     "`$.constants[...].values[0]`"),
    (("constants", "short"), {"shape": [1], "values": [1]}, "Expected `str` matching regex "
     "'^[0-9a-f]{64}$' - at `key` in `$.constants`"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), FAULTS)
def test_fault(path: tuple[str | int, ...], value: Any, expected: str | None) -> None:
    data = changed(*path, to=value) if path else value
    if expected is None:
        load(data)
    else:
        assert message(data) == f"graph.json: {expected}"


def test_key_twice() -> None:
    data = save_graph(small()).replace(b'"name":"small"', b'"name":"big","name":"small"')
    assert message(data) == "graph.json: key 'name' stands twice in one object; keep one"


def test_nan() -> None:
    data = save_graph(small()).replace(b'"frac":4', b'"frac":NaN', 1)
    assert message(data).startswith("graph.json: not a hwaccel-graph file (JSON is malformed")


def test_too_large() -> None:
    data = b" " * (MAX_BYTES + 1)
    assert message(data) == f"graph.json: {MAX_BYTES + 1} bytes, expected at most {MAX_BYTES}"


def test_message_stays_one_line() -> None:
    data = changed("nodes", 0, "name", to="a\nb\x1b[2J\u2028")
    assert message(data) == ("graph.json: flat: operand 'pool' is not defined before it is used")
    data = changed("outputs", to=["a\nb\x1b[2J\u2028"])
    assert message(data) == (
        "graph.json: small: output 'a\\nb\\x1b[2J\\u2028' is not a value of the graph"
    )
    data = changed("nodes", 0, "inputs", to=["a\nb"])
    assert message(data) == (
        "graph.json: pool (net.pool): operand 'a\\nb' is not defined before it is used"
    )
    data = changed("nodes", 3, "name", to="a\nb")
    assert message(data) == ("graph.json: out: operand 'q' is not defined before it is used")
    document = json.loads(data)
    document["nodes"][3]["fields"]["shift"] = 99
    assert message(json.dumps(document).encode()) == (
        "graph.json: a\\nb: shift 99 is not between -62 and 62"
    )


def test_accumulator_that_overflows() -> None:
    builder = GraphBuilder("wide")
    x = builder.input("x", TensorType.full((2,), FixedType.parse("s40.0")))
    op = Dense(IntArray([[1, 1]]), IntArray([0]), IntArray([0]))
    data = save_graph(builder.build(builder.add("y", op, x)))
    wide = IntArray([[1 << 30, 1 << 30]])
    document = json.loads(data)
    document["constants"][wide.digest] = {"shape": [1, 2], "values": wide.a.ravel().tolist()}
    document["nodes"][0]["fields"]["weight"] = wide.digest
    assert message(json.dumps(document).encode()) == (
        "graph.json: y: the accumulator needs 72 bits, more than 62; "
        "use fewer bits for weights or activations"
    )


# --- anything ------------------------------------------------------------------------------------


def survives(data: bytes) -> None:
    """Load, or fail in one line."""
    text = ""
    try:
        load(data)
    except VerifyError as error:
        text = str(error)
    assert text.isprintable()
    assert not text or text.startswith("graph.json: ")


DATA = save_graph(random_graph(7, 12))


@SETTINGS
@given(st.integers(0, len(DATA)))
def test_truncated(length: int) -> None:
    survives(DATA[:length])


@SETTINGS
@given(st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 255)), max_size=4))
def test_bytes_changed(changes: list[tuple[int, int]]) -> None:
    data = bytearray(DATA)
    for place, byte in changes:
        data[place] = byte
    survives(bytes(data))


@SETTINGS
@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    survives(data)
    survives(DATA[:-2] + data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"format":[', b'{"nodes":[{"fields":{"a":['])
def test_deep_nesting(opening: bytes) -> None:
    survives(opening * 100_000)
    survives(opening * 500)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([1 << 62, 1 << 63, -(1 << 63), 1 << 64, 10**400, -(10**400), -1, 0, 1, 2, 99]),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(-2, 70_000), max_size=5),
    st.sampled_from(["x", "layer", "half_up", "wrap", "conv2d", "dense", "reshape", "scale"]),
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a document."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict | list):
        children = list(value.items() if isinstance(value, dict) else enumerate(value))
    below = [p for key, child in children for p in places(child, (*path, key))]
    return ([path] if path else []) + below


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@SETTINGS
@given(graph=graphs(6), data=st.data())
def test_values_changed(graph: Graph, data: st.DataObject) -> None:
    document = json.loads(save_graph(graph))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        action = data.draw(st.sampled_from(["set", "set", "delete", "copy"]))
        parent = at(document, path[:-1])
        if action == "set":
            parent[path[-1]] = data.draw(VALUES)
        elif action == "delete":
            del parent[path[-1]]
        else:
            other = at(document, data.draw(st.sampled_from(places(document))))
            parent[path[-1]] = copy.deepcopy(other)
    survives(json.dumps(document).encode())
