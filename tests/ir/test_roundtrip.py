"""Text and file forms give back the graph they were made from."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.ir import Example, Graph, GraphBuilder, TensorType
from hwaccel.ir.file import load_graph, save_graph
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import OP_BY_NAME, OPS, Relu, SumPool2d
from tests.graphs import graphs

SETTINGS = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
EXAMPLES = [(op, example) for op in OPS for example in op.examples()]


def graph_of(example: Example) -> Graph:
    builder = GraphBuilder("example")
    inputs = [builder.input("x", type) for type in example.ins]
    return builder.build(builder.add("y", example.op, *inputs, path="model.layer"))


@pytest.mark.parametrize(
    "example", [e for _, e in EXAMPLES], ids=[f"{op.name}-{e.label}" for op, e in EXAMPLES]
)
def test_examples(example: Example) -> None:
    graph = graph_of(example)
    assert parse_graph(print_graph(graph), OP_BY_NAME) == graph
    assert load_graph(save_graph(graph), OP_BY_NAME, "g.json") == graph


@SETTINGS
@given(graphs())
def test_random_graphs(graph: Graph) -> None:
    text, data = print_graph(graph), save_graph(graph)
    parsed, loaded = parse_graph(text, OP_BY_NAME), load_graph(data, OP_BY_NAME, "g.json")
    assert parsed == loaded == graph
    assert print_graph(parsed) == text
    assert save_graph(loaded) == data


@SETTINGS
@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_any_name(name: str, node: str, path: str) -> None:
    builder = GraphBuilder(name)
    x = builder.input(node, TensorType.full((2,), FixedType.parse("s4.1")))
    graph = builder.build(builder.add(node, Relu(), x, path=path))
    assert parse_graph(print_graph(graph), OP_BY_NAME) == graph
    assert load_graph(save_graph(graph), OP_BY_NAME, "g.json") == graph


def test_the_builder_takes_no_result_that_the_file_would_refuse() -> None:
    b = GraphBuilder("wide")
    x = b.input("x", TensorType.full((1, 2, 2), FixedType.parse("u62.0")))
    with pytest.raises(VerifyError, match=r"^pool \(features\.3\): fixed-point width 63 is not"):
        b.add("pool", SumPool2d((1, 2), (1, 1)), x, path="features.3")
    assert b.build(x).nodes == ()
