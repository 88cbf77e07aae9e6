"""The graph as a file: versioned JSON that may come from anywhere.

``save_graph`` writes the same bytes for equal graphs. ``load_graph`` trusts nothing: schema,
limits, digests and types are checked, and every fault is one ``VerifyError`` line.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hwaccel.errors import HwaccelError, VerifyError
from hwaccel.fxp import MAX_WIDTH, IntArray
from hwaccel.ir.codec import attributes, build
from hwaccel.ir.graph import Graph, Node, Value
from hwaccel.ir.op import Op
from hwaccel.ir.types import TensorType
from hwaccel.ir.verify import verify
from hwaccel.untrusted import decode_json

FORMAT: Literal["hwaccel-graph"] = "hwaccel-graph"
VERSION: Literal[1] = 1

MAX_BYTES = 1 << 27
# Elements of a frame of one value; arrays of as many are made when graphs are checked and run.
MAX_ELEMENTS = 1 << 24
# An array for each field of a node that holds one, and more than any op has.
MAX_CONSTANTS = 1 << 16
_LARGEST = (1 << MAX_WIDTH) - 1

Integer = Annotated[int, Meta(ge=-_LARGEST, le=_LARGEST)]
Size = Annotated[int, Meta(ge=1, le=1 << 24)]
Name = Annotated[str, Meta(min_length=1, max_length=1024)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Attribute = (
    Integer
    | bool
    | Annotated[str, Meta(max_length=64)]
    | Annotated[list[Integer], Meta(max_length=16)]
)


class TypeRecord(msgspec.Struct, forbid_unknown_fields=True):
    """Shape without batch axis, fraction bits, and smallest and largest integer."""

    shape: Annotated[list[Size], Meta(min_length=1, max_length=3)]
    frac: Annotated[int, Meta(ge=-9999, le=9999)]
    lo: Integer
    hi: Integer


class InputRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A graph input."""

    name: Name
    type: TypeRecord


class NodeRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One op. Array fields hold the digest of a constant; the others their value.

    ``fields`` is checked against ``Attribute`` one by one, so that a message can name the field.
    """

    name: Name
    op: Annotated[str, Meta(max_length=64)]
    inputs: Annotated[list[Name], Meta(max_length=16)]
    fields: Annotated[dict[str, Any], Meta(max_length=64)]
    type: TypeRecord
    path: Annotated[str, Meta(max_length=4096)]


class ConstantRecord(msgspec.Struct, forbid_unknown_fields=True):
    """An integer array in C order. Its key is the SHA-256 of its shape and its int64 bytes."""

    shape: Annotated[list[Annotated[int, Meta(ge=0, le=1 << 28)]], Meta(max_length=8)]
    values: list[Integer]


class GraphRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The document."""

    format: Literal["hwaccel-graph"]
    version: Literal[1]
    name: Annotated[str, Meta(max_length=1024)]
    inputs: Annotated[list[InputRecord], Meta(max_length=256)]
    nodes: Annotated[list[NodeRecord], Meta(max_length=20_000)]
    outputs: Annotated[list[Name], Meta(max_length=256)]
    constants: Annotated[dict[Digest, ConstantRecord], Meta(max_length=MAX_CONSTANTS)]


# --- save ----------------------------------------------------------------------------------------


def save_graph(graph: Graph) -> bytes:
    """Return the file; equal graphs give equal bytes.

    Raises:
        VerifyError: a name cannot be written as UTF-8.
    """
    constants: dict[str, IntArray] = {}
    record = GraphRecord(
        FORMAT,
        VERSION,
        graph.name,
        [InputRecord(value.name, _type_record(value.type)) for value in graph.inputs],
        [_node_record(node, constants) for node in graph.nodes],
        list(graph.outputs),
        {
            digest: ConstantRecord(list(array.shape), array.a.ravel().tolist())
            for digest, array in sorted(constants.items())
        },
    )
    try:
        return msgspec.json.encode(record) + b"\n"
    except UnicodeEncodeError as error:
        raise VerifyError(f"{graph.name!r}: a name is not Unicode text ({error.reason})") from None


def _type_record(type: TensorType) -> TypeRecord:
    return TypeRecord(list(type.shape), type.frac, type.lo, type.hi)


def _node_record(node: Node, constants: dict[str, IntArray]) -> NodeRecord:
    plain: dict[str, Any] = {}
    for name, value in attributes(node.op).items():
        if isinstance(value, IntArray):
            constants[value.digest] = value
            plain[name] = value.digest
        else:
            plain[name] = list(value) if isinstance(value, tuple) else value
    return NodeRecord(
        node.name, node.op.name, list(node.inputs), plain, _type_record(node.output.type), node.path
    )


# --- load ----------------------------------------------------------------------------------------


def load_graph(data: bytes, ops: Mapping[str, type[Op]], source: str) -> Graph:
    """Read and check a file; ``ops`` is the op table, ``source`` names the file in messages.

    Raises:
        VerifyError: the file is damaged, too large, or describes an illegal graph.
    """
    try:
        graph = _graph(_decode(data), ops)
        verify(graph)
    except HwaccelError as error:
        raise VerifyError(f"{source}: {error}") from None
    return graph


def _decode(data: bytes) -> GraphRecord:
    if len(data) > MAX_BYTES:
        raise VerifyError(f"{len(data)} bytes, expected at most {MAX_BYTES}")
    try:
        header = msgspec.json.decode(data, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VerifyError(f"not a {FORMAT} file ({error})") from None
    if (header.format, header.version) != (FORMAT, VERSION):
        raise VerifyError(
            f"format {header.format!r} version {header.version}, expected {FORMAT!r} version "
            f"{VERSION}; write the file again with this release"
        )
    return decode_json(data, GraphRecord)


class _Header(msgspec.Struct):
    format: str
    version: int


def _graph(record: GraphRecord, ops: Mapping[str, type[Op]]) -> Graph:
    constants = {digest: _constant(digest, c) for digest, c in record.constants.items()}
    inputs = tuple(
        Value(item.name, _type(item.type, f"inputs[{i}].type"))
        for i, item in enumerate(record.inputs)
    )
    nodes = tuple(_node(f"nodes[{i}]", n, ops, constants) for i, n in enumerate(record.nodes))
    return Graph(record.name, inputs, nodes, tuple(record.outputs))


def _constant(digest: str, record: ConstantRecord) -> IntArray:
    where = f"constants.{digest}"
    size = prod(record.shape)
    if size != len(record.values):
        raise VerifyError(
            f"{where}: {len(record.values)} values, expected {size} for shape {record.shape}"
        )
    array = IntArray(record.values)
    array = IntArray(array.a.reshape(record.shape))
    if array.digest != digest:
        raise VerifyError(f"{where}: the content has digest {array.digest}; the file is damaged")
    return array


def _type(record: TypeRecord, where: str) -> TensorType:
    if prod(record.shape) > MAX_ELEMENTS:
        raise VerifyError(f"{where}: {prod(record.shape)} elements, at most {MAX_ELEMENTS} allowed")
    try:
        type = TensorType(tuple(record.shape), record.frac, record.lo, record.hi)
        type.fixed  # noqa: B018 - raises when the interval needs too many bits
    except HwaccelError as error:
        raise VerifyError(f"{where}: {error}") from None
    return type


def _node(
    where: str,
    record: NodeRecord,
    ops: Mapping[str, type[Op]],
    constants: Mapping[str, IntArray],
) -> Node:
    cls = ops.get(record.op)
    if cls is None:
        raise VerifyError(f"{where}.op: unknown op {record.op!r}; known are {', '.join(ops)}")
    for name, attribute in record.fields.items():
        try:
            msgspec.convert(attribute, Attribute)
        except msgspec.ValidationError as error:
            raise VerifyError(f"{where}.fields.{name}: {error}") from None
    try:
        op = build(cls, record.fields, constants.get)
    except HwaccelError as error:
        raise VerifyError(f"{where}.fields: {error}") from None
    value = Value(record.name, _type(record.type, f"{where}.type"))
    return Node(value, op, tuple(record.inputs), record.path)
