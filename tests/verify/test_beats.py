"""Tensors become beats and beats become tensors, without loss, in the documented order."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.emit.netlist import Edge
from hwaccel.fxp import FixedType
from hwaccel.ir import TensorType
from hwaccel.verify.beats import from_beats, to_beats


def _edge(shape: tuple[int, ...], fixed: FixedType, lanes: int) -> Edge:
    type = TensorType.full(shape, fixed)
    return Edge("x", "s_axis", lanes, type.size // lanes, lanes * fixed.width, type)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("width", range(1, 41))
def test_round_trip_of_every_width(width, signed):
    fixed = FixedType(signed, width, 0)
    rng = np.random.default_rng(width)
    for shape in ((6,), (6, 3), (6, 2, 3)):
        for lanes in (1, 2, 3, 6):
            edge = _edge(shape, fixed, lanes)
            x = rng.integers(fixed.lo, fixed.hi + 1, (5, *shape))
            x[0], x[1] = fixed.lo, fixed.hi
            data = to_beats(x, edge)
            assert data.shape == (5, edge.beats, edge.axis_bits // 8)
            back = from_beats(data, edge)
            assert back.dtype == np.int64
            assert np.array_equal(back, x)


def test_channels_of_a_pixel_follow_one_another_and_element_0_is_low():
    # Channel c of pixel (y, x) is 100*c + 10*y + x; two channels make a beat.
    c, y, x = np.meshgrid(np.arange(4), np.arange(2), np.arange(3), indexing="ij")
    image = (100 * c + 10 * y + x)[None]
    edge = _edge((4, 2, 3), FixedType.parse("u16.0"), 2)
    words = to_beats(image, edge).view("<u2")[0].tolist()
    assert words[:4] == [[0, 100], [200, 300], [1, 101], [201, 301]]
    assert words[6:8] == [[10, 110], [210, 310]]


def test_lanes_are_packed_without_gaps_and_the_rest_of_the_last_byte_is_zero():
    edge = _edge((3,), FixedType.parse("s5.0"), 3)
    (beat,) = to_beats(np.array([[-1, 2, -16]]), edge)[0]
    assert int.from_bytes(beat.tobytes(), "little") == 0b0_10000_00010_11111


def test_padding_bits_are_ignored():
    edge = _edge((3,), FixedType.parse("s5.0"), 3)
    data = to_beats(np.array([[-1, 2, -16]]), edge)
    data[..., -1] |= 0x80
    assert from_beats(data, edge).tolist() == [[-1, 2, -16]]
