"""Tensors to AXI-Stream beats and back, exactly as the hardware orders them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwaccel.emit.netlist import Edge

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def to_beats(x: Ints, edge: Edge) -> Bytes:
    """Pack integers ``(N, *shape)`` into bytes ``(N, beats, bytes per beat)``, low byte first."""
    n, width = x.shape[0], edge.type.fixed.width
    channels = x.reshape(n, edge.type.channels, -1)
    stream = channels.transpose(0, 2, 1).reshape(n, edge.beats, edge.lanes)
    bits = (stream[..., None] >> np.arange(width)) & 1
    flat = bits.reshape(n, edge.beats, edge.lanes * width).astype(np.uint8)
    padded = np.zeros((n, edge.beats, edge.axis_bits), dtype=np.uint8)
    padded[..., : flat.shape[2]] = flat
    return np.packbits(padded, axis=2, bitorder="little")


def from_beats(data: Bytes, edge: Edge) -> Ints:
    """Unpack bytes ``(N, beats, bytes per beat)`` into integers ``(N, *shape)``."""
    n, fixed = data.shape[0], edge.type.fixed
    bits = np.unpackbits(data, axis=2, bitorder="little")[..., : edge.lanes * fixed.width]
    bits = bits.reshape(n, edge.type.size, fixed.width).astype(np.int64)
    weights = 1 << np.arange(fixed.width, dtype=np.int64)
    if fixed.signed:
        weights[-1] = -weights[-1]
    elements: Ints = (bits * weights).sum(axis=2)
    pixels = edge.type.size // edge.type.channels
    stream = elements.reshape(n, pixels, edge.type.channels)
    return stream.transpose(0, 2, 1).reshape(n, *edge.type.shape)
