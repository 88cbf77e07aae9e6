"""CUDA C++: products of bytes taken four at a time, and nodes that follow where elements are made.

The arithmetic runs on the host. A library whose products of four are wrong tells which outputs
they are in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.emit.cuda import emit_cuda
from hwaccel.emit.cuda_nodes import _words, dot_of
from hwaccel.fxp import FixedType, IntArray
from hwaccel.gpu.cuda import host_run
from hwaccel.ir import Graph, GraphBuilder, interpret
from hwaccel.ops import Add, Conv2d, Dense, MaxPool2d, Relu, Requant, Scale, Tabulate
from tests.emit.byte_products import SHAPES, SIGNED, UNSIGNED, Case, Shape, alone, layer, operand
from tests.graphs import batches

pytestmark = pytest.mark.skipif(tools.find("g++") is None, reason="g++ is not installed")


def _wrong(graph: Graph, files: dict[str, str], frames: int = 9) -> set[str]:
    """Return the outputs in which the files and the golden model differ."""
    xs = batches(graph, 5, frames)
    pairs = zip(graph.outputs, interpret(graph, *xs), host_run(files, graph, xs), strict=True)
    return {name for name, want, have in pairs if not np.array_equal(want, have)}


def _emit(graph: Graph) -> dict[str, str]:
    return emit_cuda(graph, name="net", banner="test")


def _spoiled(files: dict[str, str]) -> dict[str, str]:
    text = files["hwa/packed.h"]
    assert text.count("int i = 0; i < 4; i++") == 1
    return {**files, "hwa/packed.h": text.replace("i = 0; i < 4", "i = 1; i < 4")}


def _launches(files: dict[str, str]) -> list[tuple[str, str, str]]:
    launch = r"hwa::(fill|each)<(.+?)>\(queue, count \* \d+, (.*)\)\);"
    return re.findall(launch, files["net_run.h"])


@pytest.mark.parametrize("weights", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_products_of_bytes_of_every_sign(weights: tuple[int, int]) -> None:
    _assert_packed([(x, weights, shape) for x in ("s8.0", "u8.0") for shape in SHAPES])


def test_products_of_fewer_bits() -> None:
    shapes = (Shape(3, 5), Shape(5, 3, (3, 2), (3, 3), padding=(1, 1, 1, 1)))
    ends = ((0, 1), (-2, 1), (-1, 0))
    _assert_packed([(x, e, s) for x in ("s3.0", "u1.0", "s8.0") for e in ends for s in shapes])


def _assert_packed(cases: Sequence[Case]) -> None:
    graph = alone(cases)
    files = _emit(graph)
    assert _wrong(graph, files) == set()
    # The first of four products is in every sum.
    assert _wrong(graph, _spoiled(files)) == set(graph.outputs)


def test_what_is_not_bytes_is_multiplied_one_by_one() -> None:
    wide: list[Case] = [
        ("s9.0", SIGNED, Shape(3, 8)),
        ("u9.0", UNSIGNED, Shape(3, 8)),
        ("u8.0", (-129, 0), Shape(3, 8)),
        ("u8.0", (-1, 128), Shape(3, 8)),
        ("s8.0", (0, 256), Shape(3, 8)),
        ("s8.0", SIGNED, Shape(3, 1)),
        ("s8.0", SIGNED, Shape(4, 4, (3, 3), (3, 3), groups=4)),
    ]
    for case in wide:
        assert "hwa/packed.h" not in _emit(alone([case]))["net_nodes.h"]
    graph = alone(wide)
    assert _wrong(graph, _emit(graph)) == set()


def test_words_come_group_by_group_then_place_by_place() -> None:
    """Two groups of five inputs, two words each, and one output: the other three lanes are 0."""
    weight = np.arange(20).reshape(2, 5, 1, 2)
    words = _words(weight, 2).a.reshape(2, 2, 1, 2, 1, 4)
    assert not words[..., 1:].any()
    for group in range(2):
        for x in range(2):
            taps = [int(tap) for tap in weight[group, :, 0, x]]
            whole = [int.from_bytes(taps[:4], "little"), taps[4]]
            assert words[group, :, 0, x, 0, 0].tolist() == whole


@pytest.mark.parametrize(
    ("lo", "hi", "packed"),
    [
        (-128, 127, True), (0, 255, True), (-1, 127, True), (1, 255, True), (-129, 0, False),
        (-1, 128, False), (0, 256, False), (-1, 255, False), (-128, 128, False),
    ],
)  # fmt: skip
def test_weights_are_bytes_all_with_a_sign_or_all_without(lo: int, hi: int, packed: bool) -> None:
    b = GraphBuilder("ends")
    x = b.input("x", operand("u8.0", (2,)))
    graph = b.build(b.add("y", Dense(IntArray([[lo, hi]]), IntArray([0]), IntArray([0])), x))
    dot = dot_of(graph.nodes[0], graph.types(), "y")
    assert (dot is not None) == packed
    if dot is not None:
        assert dict(dot.constants)["weight_signed"] == (lo < 0)


@pytest.mark.parametrize(
    ("bias", "packed"), [((1 << 31) - 1 - 255, True), ((1 << 31) - 255, False)]
)
def test_sums_of_32_bits_are_proved(bias: int, packed: bool) -> None:
    b = GraphBuilder("edge")
    op = Dense(IntArray([[1, 0]]), IntArray([0]), IntArray([bias]))
    graph = b.build(b.add("y", op, b.input("x", operand("u8.0", (2,)))))
    files = _emit(graph)
    assert ("hwa/packed.h" in files["net_nodes.h"]) == packed
    xs = [np.array([[255, 255], [0, 255]])]
    (found,) = host_run(files, graph, xs)
    np.testing.assert_array_equal(found, [[255 + bias], [bias]])


def _layer(b: GraphBuilder, name: str, x: str, outputs: int, to: str = "u8.0") -> str:
    rng = np.random.default_rng(len(name))
    inputs = b.type(x).channels
    weight = IntArray(rng.integers(-128, 128, (outputs, inputs, 3, 3)))
    conv = Conv2d(weight, IntArray([0] * outputs), IntArray([7] * outputs), 0, padding=(1,) * 4)
    fixed = FixedType.parse(to)
    y = b.add(f"{name}_conv", conv, x)
    return b.add(name, Requant(9, fixed.lo, fixed.hi), y)


def test_requantized_words_go_from_layer_to_layer() -> None:
    b = GraphBuilder("deep")
    x = b.input("x", operand("u8.0", (3, 5, 4)))
    a = _layer(b, "a", x, 6)
    c = _layer(b, "c", a, 5, "s8.0")
    graph = b.build(_layer(b, "d", c, 2))
    files = _emit(graph)
    assert _launches(files) == [
        ("fill", "hwa::packing<1, 3, 20>", "x_words, x_in"),
        ("each", "a_node", "x_words, a_words"),
        ("each", "c_node", "a_words, c_words"),
        ("each", "d_node", "c_words, d_out"),
    ]
    assert re.findall(r"\w+ \*(\w+) = \(\w+ \*\)workspace;", files["net_run.h"]) == [
        "x_words", "a_words", "c_words",
    ]  # fmt: skip
    assert _wrong(graph, files) == set()


def test_a_value_that_others_read_too_is_kept_in_order() -> None:
    b = GraphBuilder("fork")
    x = b.input("x", operand("s8.0", (4, 4, 4)))
    a = _layer(b, "a", x, 6)
    c = _layer(b, "c", a, 6)
    pool = b.add("pool", MaxPool2d((2, 2), (2, 2)), a)
    both = b.add("both", Add.of(b.type(a), b.type(c)), a, c)
    graph = b.build(pool, both)
    files = _emit(graph)
    assert _launches(files) == [
        ("fill", "hwa::packing<1, 4, 16>", "x_words, x_in"),
        ("each", "a_node", "x_words, a_buffer, a_words"),
        ("each", "c_node", "a_words, c_buffer"),
        ("fill", "pool_node", "pool_out, a_buffer"),
        ("fill", "both_node", "both_out, a_buffer, c_buffer"),
    ]
    assert _wrong(graph, files) == set()


def test_vectors_of_whole_words_are_read_as_they_are() -> None:
    rng, b = np.random.default_rng(0), GraphBuilder("vectors")
    x = b.input("x", operand("u8.0", (12,)))
    first = layer(Shape(8, 12), SIGNED, rng)
    a = b.add("a", Requant(12, 0, 255), b.add("a_sum", first, x))
    c = b.add("c", layer(Shape(3, 8), SIGNED, rng), a)
    graph = b.build(c)
    files = _emit(graph)
    assert _launches(files) == [
        ("each", "a_node", "x_in, a_buffer"),
        ("each", "c_node", "a_buffer, c_out"),
    ]
    assert _wrong(graph, files) == set()


def test_followers_take_the_element_where_it_is_made() -> None:
    """Every op that may follow, behind ops of one and two operands, packed and not."""
    rng, b = np.random.default_rng(0), GraphBuilder("followers")
    x, z = (b.input(name, operand("s8.0", (4, 3, 3))) for name in "xz")
    made = []
    for name, source in (
        ("packed", b.add("conv", layer(Shape(3, 4, (3, 3), (2, 2)), SIGNED, rng), x)),
        ("plain", b.add("depth", layer(Shape(4, 4, (3, 3), (3, 3), groups=4), SIGNED, rng), x)),
        ("sum", b.add("add", Add(), x, z)),
    ):
        channels = b.type(source).channels
        y = b.add(f"{name}_relu", Relu(), source)
        factors = IntArray(rng.integers(1, 99, channels))
        y = b.add(f"{name}_scale", Scale(factors, IntArray(rng.integers(-9, 9, channels)), 3), y)
        y = b.add(f"{name}_requant", Requant(10, 0, 15), y)
        made.append(b.add(f"{name}_table", Tabulate(IntArray(rng.integers(-99, 99, 16)), 0, 0), y))
    graph = b.build(*made)
    files = _emit(graph)
    assert [node for _, node, _ in _launches(files)] == [
        "hwa::packing<1, 4, 9>", "packed_table_node", "plain_table_node", "sum_table_node",
    ]  # fmt: skip
    assert _wrong(graph, files, 40) == set()


def test_what_is_read_elsewhere_is_no_intermediate() -> None:
    b = GraphBuilder("seen")
    x = b.input("x", operand("s8.0", (4,)))
    a = b.add("a", Relu(), x)
    twice = b.add("twice", Requant(1, 0, 63), a)
    again = b.add("again", Requant(2, 0, 63), a)
    graph = b.build(b.add("last", Relu(), twice), again, twice)
    files = _emit(graph)
    assert [(node, to) for _, node, to in _launches(files)] == [
        ("a_node", "a_buffer, x_in"),
        ("twice_node", "twice_out, a_buffer"),
        ("again_node", "again_out, a_buffer"),
        ("last_node", "last_out, twice_out"),
    ]
    assert _wrong(graph, files) == set()


def test_groups_of_odd_size_are_packed_apart() -> None:
    """The same value in two packings; the words of one layer are not those of the next."""
    rng, b = np.random.default_rng(0), GraphBuilder("groups")
    x = b.input("x", operand("u8.0", (6, 3, 3)))
    a = _layer(b, "a", x, 6)
    c = b.add("c", layer(Shape(6, 6, (3, 3), (2, 2), groups=2), SIGNED, rng), a)
    d = b.add("d", layer(Shape(4, 6, (3, 3), (2, 2)), UNSIGNED, rng), a)
    graph = b.build(c, d)
    files = _emit(graph)
    assert _launches(files) == [
        ("fill", "hwa::packing<1, 6, 9>", "x_words, x_in"),
        ("each", "a_node", "x_words, a_buffer, a_words_2"),
        ("fill", "hwa::packing<2, 3, 9>", "a_words, a_buffer"),
        ("each", "c_node", "a_words, c_out"),
        ("each", "d_node", "a_words_2, d_out"),
    ]
    assert _wrong(graph, files) == set()


def test_names_of_words_keep_clear_of_others() -> None:
    b = GraphBuilder("names")
    x = b.input("x_words", operand("u8.0", (3, 3, 3)))
    y = b.input("x", operand("u8.0", (3, 3, 3)))
    graph = b.build(_layer(b, "x_words_words", x, 4), _layer(b, "x_node", y, 4))
    assert _wrong(graph, _emit(graph)) == set()


@pytest.mark.skipif(tools.find("nvcc") is None, reason="nvcc is not installed")
def test_the_gpu_multiplies_four_bytes_at_once(tmp_path) -> None:
    b, rng, made = GraphBuilder("signs"), np.random.default_rng(0), []
    for x in ("s8.0", "u8.0"):
        for i, ends in enumerate((SIGNED, UNSIGNED)):
            value = b.input(f"{x}{i}", operand(x, (8,)))
            made.append(b.add(f"y{x}{i}", layer(Shape(4, 8), ends, rng), value))
    for name, text in _emit(b.build(*made)).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    argv = [*tools.require("nvcc").argv, "-std=c++17", "-arch=sm_75", "-ptx"]
    tools.run([*argv, "net_cuda.cu", "-o", "k.ptx"], cwd=tmp_path)
    found = set(re.findall(r"dp4a\.\w+\.\w+", (tmp_path / "k.ptx").read_text()))
    assert found == {f"dp4a.{x}32.{w}32" for x in "su" for w in "su"}
