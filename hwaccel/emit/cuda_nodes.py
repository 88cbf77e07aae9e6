"""What a CUDA launch computes: a node and those that follow it, and products four at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hwaccel.emit import kernels
from hwaccel.emit.kernels import Alias, NodeCode, Table
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.schedule.regions import Region

# Library functions that read nothing of their operand but x[index], whatever x is: they take an
# element where it is made.
_FOLLOWERS = frozenset({"relu", "requant", "scale", "table"})
# Bytes of a word: products of one instruction, and outputs of one thread.
_LANES = 4


def storage(fixed: FixedType) -> str:
    """Return the smallest NumPy integer type that holds ``fixed``; in C it ends in ``_t``."""
    bits = next(bits for bits in (8, 16, 32, 64) if fixed.width <= bits)
    return f"{'' if fixed.signed else 'u'}int{bits}"


@dataclass(frozen=True, slots=True)
class Packing:
    """A tensor of bytes as words: four neighbouring channels of a pixel, group by group.

    What is past the last channel of a group is zero.
    """

    groups: int
    group_size: int
    pixels: int

    @classmethod
    def of(cls, channels: int, groups: int, pixels: int) -> Packing:
        """Return the packing for ``groups`` of channels; where they fill words, it is for all."""
        size = channels // groups
        return cls(groups, size, pixels) if size % _LANES else cls(1, channels, pixels)

    @property
    def words(self) -> int:
        """Words of a sample."""
        return self.groups * -(-self.group_size // _LANES) * self.pixels

    @property
    def in_place(self) -> bool:
        """Tell whether the tensor in C order is these words already."""
        return self.pixels == 1 and self.group_size % _LANES == 0


@dataclass(frozen=True, slots=True)
class Dot:
    """A matrix over words: four products of bytes at a time, four outputs of a pixel at a time.

    ``made`` is the packing in which a thread holds what it makes, as far as there is one.
    """

    packing: Packing
    made: Packing | None
    calls: int
    constants: tuple[tuple[str, int], ...]
    weight: Table


@dataclass(frozen=True, slots=True)
class Chain:
    """The nodes of one launch: each but the first takes the elements of the one before."""

    nodes: tuple[Node, ...]
    dot: Dot | None

    @property
    def value(self) -> str:
        """The value that is written."""
        return self.nodes[-1].name


def chains(
    graph: Graph, items: Iterable[Node | Region], names: Mapping[str, str]
) -> list[Chain | Region]:
    """Return the launches of ``items``: a node with all that can follow it, or a region."""
    types, uses = graph.types(), graph.uses()
    made: list[list[Node] | Region] = []
    ends: dict[str, list[Node]] = {}
    for item in items:
        if isinstance(item, Region):
            made.append(item)
            continue
        before = ends.get(item.inputs[0]) if uses[item.inputs[0]] == 1 else None
        if before is None or _function(item, types) not in _FOLLOWERS:
            before = []
            made.append(before)
        before.append(item)
        ends[item.name] = before
    return [
        part
        if isinstance(part, Region)
        else Chain(tuple(part), dot_of(part[0], types, names[part[0].name]))
        for part in made
    ]


def _function(node: Node, types: Mapping[str, TensorType]) -> str:
    return node.op.kernel(*(types[name] for name in node.inputs)).function


def dot_of(node: Node, types: Mapping[str, TensorType], name: str) -> Dot | None:
    """Return how ``node`` multiplies bytes, or ``None``.

    Operand and weights must fit bytes, signed or not, and 32 bits every partial sum. Nothing is
    gained where an output has one input channel.
    """
    ins = tuple(types[operand] for operand in node.inputs)
    kernel = node.op.kernel(*ins)
    if kernel.function not in ("conv2d", "dense"):
        return None
    weight = dict(kernel.arrays)["weight"].a
    weight = weight if weight.ndim == 4 else weight[:, :, None, None]
    lo, hi = int(weight.min()), int(weight.max())
    bytes_only = ins[0].fixed.width <= 8 and lo >= -128 and hi <= (127 if lo < 0 else 255)
    if not bytes_only or node.op.bound(*ins) >= 1 << 31 or weight.shape[1] < 2:
        return None
    params = dict(kernel.params)
    groups, out = params.get("groups", 1), node.output.type
    pixels, per_group = out.size // out.channels, out.channels // groups
    blocks = -(-per_group // _LANES)
    packing = Packing.of(ins[0].channels, groups, ins[0].size // ins[0].channels)
    # Pieces of a vector: an image of one pixel under a kernel of one.
    shape = dict.fromkeys(_GEOMETRY, 1) | dict.fromkeys(_PADDING, 0)
    shape |= {key: value for key, value in params.items() if key in shape}
    shape |= {
        "in_bytes": packing.words * _LANES,
        "out_pixels": pixels,
        "group_words": -(-weight.shape[1] // _LANES),
        "group_outputs": per_group,
        "group_blocks": blocks,
        "calls": groups * blocks * pixels,
        "weight_signed": int(lo < 0),
    }
    filled = groups == 1 or per_group % _LANES == 0
    return Dot(
        packing,
        Packing.of(out.channels, 1, pixels) if filled else None,
        shape["calls"],
        tuple(shape.items()),
        Table(f"{name}_words", 32, _words(weight, groups)),
    )


_GEOMETRY = (
    *("height", "width", "out_width", "kernel_height", "kernel_width"),
    *("stride_y", "stride_x", "dilation_y", "dilation_x"),
)
_PADDING = ("pad_top", "pad_left")


def _words(weight: np.ndarray, groups: int) -> IntArray:
    """Return ``(outputs, inputs, KH, KW)`` as words, in the order in which threads read them.

    Those are ``(groups, input words, KH, KW, blocks, 4)``; beyond the last input or output of a
    group they hold zeros.
    """
    outputs, inputs, height, width = weight.shape
    per_group = outputs // groups
    blocks, words = -(-per_group // _LANES), -(-inputs // _LANES)
    padded = np.zeros((groups, blocks * _LANES, words * _LANES, height, width), dtype=np.uint8)
    padded[:, :per_group, :inputs] = weight.reshape(groups, per_group, *weight.shape[1:]) & 0xFF
    split = padded.reshape(groups, blocks, _LANES, words, _LANES, height, width)
    ordered = np.ascontiguousarray(split.transpose(0, 3, 5, 6, 1, 2, 4))
    return IntArray(ordered.view("<i4")[..., 0].astype(np.int64))


def node_code(
    node: Node, name: str, types: Mapping[str, TensorType], dot: Dot | None = None
) -> NodeCode:
    """Return types, constants and tables of a node; ``dot`` adds its own, and has the weights."""
    ins = tuple(types[operand] for operand in node.inputs)
    kernel = node.op.kernel(*ins)
    aliases: list[Alias] = []
    constants = {"out_size": node.output.type.size}
    for i, tensor in enumerate(ins):
        aliases.append(Alias(f"{storage(tensor.fixed)}_t", f"in{i}_t"))
        constants |= {
            f"in{i}_size": tensor.size,
            f"in{i}_lo": tensor.lo,
            f"in{i}_signed": int(tensor.fixed.signed),
        }
    aliases.append(Alias(f"{storage(node.output.type.fixed)}_t", "out_t"))
    small = node.op.bound(*ins) < 1 << 31
    aliases.append(Alias("int32_t" if small else "int64_t", "acc_t"))
    tables = kernels.tables(name, kernel)
    params = dict(kernel.params)
    if dot is not None:
        tables = (dot.weight, *(t for t in tables if t.name != f"{name}_weight"))
        params |= dict(dot.constants)
    return NodeCode(
        name,
        kernels.title(node),
        kernel.function if dot is None else "packed",
        tuple(aliases),
        kernels.integer_constants(constants | params),
        tables,
    )
