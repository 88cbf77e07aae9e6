"""Check a graph: structure first, then each op's own rules."""

from __future__ import annotations

from collections.abc import Mapping

from hwaccel.errors import VerifyError
from hwaccel.ir.graph import Graph, Node
from hwaccel.ir.types import TensorType


def verify(graph: Graph) -> None:
    """Raise ``VerifyError`` unless every rule of the IR holds.

    Names are unique, operands are defined before use, every node's type is what its op infers,
    outputs exist, and there is at least one input and one output.
    """
    if not graph.inputs:
        raise VerifyError(f"{graph.name}: has no inputs; a design needs at least one stream in")
    if not graph.outputs:
        raise VerifyError(f"{graph.name}: has no outputs; a design needs at least one stream out")
    types: dict[str, TensorType] = {}
    for value in graph.inputs:
        if value.name in types:
            raise VerifyError(f"{value.name}: defined twice; every value needs its own name")
        types[value.name] = value.type
    for node in graph.nodes:
        verify_node(node, types)
        types[node.name] = node.output.type
    for name in graph.outputs:
        if name not in types:
            raise VerifyError(f"{graph.name}: output {name!r} is not a value of the graph")


def verify_node(node: Node, types: Mapping[str, TensorType]) -> None:
    """Raise ``VerifyError`` unless ``node`` is legal behind the values of these types."""
    if node.name in types:
        raise VerifyError(f"{node.where}: defined twice; every value needs its own name")
    for name in node.inputs:
        if name not in types:
            raise VerifyError(f"{node.where}: operand {name!r} is not defined before it is used")
    ins = tuple(types[name] for name in node.inputs)
    try:
        node.op.verify(*ins)
        inferred = node.op.infer(*ins)
        inferred.fixed  # noqa: B018 - raises when the interval needs too many bits
    except VerifyError as error:
        raise VerifyError(f"{node.where}: {error}") from None
    except Exception as error:
        raise VerifyError(f"{node.where}: {error}") from error
    if inferred != node.output.type:
        raise VerifyError(
            f"{node.where}: type is {node.output.type}, expected {inferred}; rebuild the graph"
        )
