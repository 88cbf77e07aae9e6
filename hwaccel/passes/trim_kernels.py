"""Drop the rows and columns of kernels that hold no weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import VerifyError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ops import Conv2d
from hwaccel.ops.family import window_size
from hwaccel.passes.base import Pass


@dataclass(frozen=True, slots=True)
class TrimKernels(Pass):
    """Make the kernels of ``conv2d`` as small as their weights allow.

    A row or column at the border of the kernel goes where it is zero for all channels, as far as
    the padding can shrink by it: an image cannot be cropped. Between what is left, zeros that
    come at a regular distance become dilation.

    Exact: only terms that are zero go, and every window keeps its place.

    ``%y = conv2d(%x) {weight=[[[[0, 0, 0], [1, 0, 2], [0, 0, 0]]]], padding=(1, 1, 1, 1)}`` becomes
    ``%y = conv2d(%x) {weight=[[[[1, 2]]]], padding=(0, 1, 0, 1), dilation=(1, 2)}``.
    """

    name: ClassVar[str] = "trim_kernels"

    def run(self, graph: Graph) -> Graph:
        """Trim one convolution after the other; no type changes."""
        types = graph.types()
        nodes = tuple(_trimmed(node, types[node.inputs[0]]) for node in graph.nodes)
        changed = any(a is not b for a, b in zip(nodes, graph.nodes, strict=True))
        return replace(graph, nodes=nodes) if changed else graph


@dataclass(frozen=True, slots=True)
class _Axis:
    """The kernel along one axis: which taps stay, and the geometry that goes with them."""

    taps: slice
    dilation: int
    pads: tuple[int, int]


def _trimmed(node: Node, x: TensorType) -> Node:
    op = node.op
    if not isinstance(op, Conv2d) or not op.weight.a.any():
        return node
    top, left, bottom, right = op.padding
    y = _axis(
        np.any(op.weight.a, axis=(0, 1, 3)), x.image[0], (top, bottom), op.stride[0], op.dilation[0]
    )
    z = _axis(
        np.any(op.weight.a, axis=(0, 1, 2)), x.image[1], (left, right), op.stride[1], op.dilation[1]
    )
    weight = op.weight.a[:, :, y.taps, z.taps]
    if weight.shape == op.weight.shape:
        return node
    smaller = replace(
        op,
        weight=IntArray(weight),
        padding=(y.pads[0], z.pads[0], y.pads[1], z.pads[1]),
        dilation=(y.dilation, z.dilation),
    )
    try:
        smaller.verify(x)
    except VerifyError:  # what is left sees nothing but padding
        return node
    return replace(node, op=smaller)


def _axis(
    used: NDArray[np.bool_], size: int, pads: tuple[int, int], stride: int, dilation: int
) -> _Axis:
    """Return the fewest taps that contain all ``used`` ones; every window stays where it is."""
    taps, (before, after) = np.flatnonzero(used), pads
    windows = window_size(size, before + after, used.size, stride, dilation)
    first = min(int(taps[0]), before // dilation)
    before -= first * dilation
    last = int(taps[-1])
    # Behind the last window, a stride may hide what the padding cannot give.
    while True:
        behind = max(0, after - (used.size - 1 - last) * dilation)
        count = last - first + 1
        if window_size(size, before + behind, count, stride, dilation) == windows:
            break
        last += 1
    step = gcd(last - first, *(int(tap) - first for tap in taps)) or 1
    return _Axis(slice(first, last + 1, step), dilation * step, (before, behind))
