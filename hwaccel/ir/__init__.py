"""The intermediate representation: an immutable fixed-point dataflow graph."""

from hwaccel.ir.graph import Graph, GraphBuilder, Node, Value, unique_name
from hwaccel.ir.interpret import Interpreter, interpret
from hwaccel.ir.op import Example, Op
from hwaccel.ir.types import TensorType
from hwaccel.ir.verify import verify

__all__ = [
    "Example",
    "Graph",
    "GraphBuilder",
    "Interpreter",
    "Node",
    "Op",
    "TensorType",
    "Value",
    "interpret",
    "unique_name",
    "verify",
]
