"""The part of ``torch/_export/serde/schema.py`` (version 8) that is read from a ``.pt2`` file.

Of a union one field is set and the others are ``None``; fields that are not listed are skipped.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Hint(msgspec.Struct):
    """Size with which a symbol was traced."""

    as_int: int | None = None


class Expr(msgspec.Struct):
    """Symbolic size."""

    hint: Hint | None = None


class Size(msgspec.Struct):
    """Number, or symbol."""

    as_int: int | None = None
    as_expr: Expr | None = None


class TensorMeta(msgspec.Struct):
    """Element type and layout of a tensor."""

    dtype: int
    sizes: list[Size]
    strides: list[Size]
    storage_offset: Size


class Named(msgspec.Struct):
    """Use of a tensor."""

    name: str


class SymInt(msgspec.Struct):
    """Number, or use of a symbolic size."""

    as_name: str | None = None
    as_int: int | None = None


class Optional(msgspec.Struct):
    """Tensor or nothing."""

    as_tensor: Named | None = None


class Argument(msgspec.Struct):
    """Argument or result of a call."""

    as_none: bool | None = None
    as_tensor: Named | None = None
    as_tensors: list[Named] | None = None
    as_optional_tensor: Optional | None = None
    as_optional_tensors: list[Optional] | None = None
    as_int: int | None = None
    as_ints: list[int] | None = None
    as_float: float | Literal["Infinity", "-Infinity", "NaN"] | None = None
    as_floats: list[float] | None = None
    as_string: str | None = None
    as_bool: bool | None = None
    as_bools: list[bool] | None = None
    as_sym_int: SymInt | None = None
    as_sym_ints: list[SymInt] | None = None
    as_scalar_type: int | None = None


class NamedArgument(msgspec.Struct):
    """Argument with its name in the operator's schema."""

    name: str
    arg: Argument


class Node(msgspec.Struct):
    """Call of an operator."""

    target: str
    inputs: list[NamedArgument]
    outputs: list[Argument]
    metadata: dict[str, str]


class Graph(msgspec.Struct):
    """Calls in order, and the layouts of all tensors."""

    nodes: list[Node]
    tensor_values: dict[str, TensorMeta]


class Arg(msgspec.Struct):
    """Input or output of the user."""

    arg: Argument


class Parameter(msgspec.Struct):
    """Input that is a parameter."""

    arg: Named
    parameter_name: str


class Buffer(msgspec.Struct):
    """Input that is a buffer."""

    arg: Named
    buffer_name: str


class TensorConstant(msgspec.Struct):
    """Input that is a constant."""

    arg: Named
    tensor_constant_name: str


class InputSpec(msgspec.Struct):
    """What an input of the graph is."""

    user_input: Arg | None = None
    parameter: Parameter | None = None
    buffer: Buffer | None = None
    tensor_constant: TensorConstant | None = None


class OutputSpec(msgspec.Struct):
    """What an output of the graph is."""

    user_output: Arg | None = None


class Signature(msgspec.Struct):
    """What inputs and outputs are."""

    input_specs: list[InputSpec]
    output_specs: list[OutputSpec]


class GraphModule(msgspec.Struct):
    """Graph with its signature."""

    graph: Graph
    signature: Signature


class Version(msgspec.Struct):
    """Version of the schema."""

    major: int
    minor: int


class Exported(msgspec.Struct):
    """Content of ``models/model.json``."""

    graph_module: GraphModule
    schema_version: Version


class Payload(msgspec.Struct):
    """Where a stored tensor lies."""

    path_name: str
    use_pickle: bool
    tensor_meta: TensorMeta | None = None


class Payloads(msgspec.Struct):
    """Content of a weights or constants configuration."""

    config: dict[str, Payload]
