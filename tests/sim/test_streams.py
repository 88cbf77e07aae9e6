"""Files of beats: what the package writes is what the bench reads, and back."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.emit.netlist import Edge
from hwaccel.fxp import FixedType
from hwaccel.ir import TensorType
from hwaccel.verify.beats import to_beats

streams = pytest.importorskip("streams", reason="cocotb is not installed")


@pytest.mark.parametrize(("width", "lanes"), [(1, 1), (8, 1), (5, 3), (13, 6), (40, 6)])
def test_files_of_beats(width, lanes, tmp_path):
    type = TensorType.full((6, 2), FixedType(False, width, 0))
    edge = Edge("x", "s_axis", lanes, type.size // lanes, lanes * width, type)
    x = np.random.default_rng(width).integers(0, type.hi + 1, (3, 6, 2))
    data = to_beats(x, edge).tobytes()
    (tmp_path / "in.bin").write_bytes(data)
    size = edge.axis_bits // 8
    frames = streams.read_beats(tmp_path / "in.bin", edge.beats, size)
    assert [len(frame) for frame in frames] == [edge.beats] * 3
    elements = x.reshape(3, 6, 2).transpose(0, 2, 1).reshape(3, edge.beats, lanes)
    assert frames[1][0] == sum(int(v) << (width * i) for i, v in enumerate(elements[1, 0]))
    streams.write_beats(tmp_path / "out.bin", frames, size)
    assert (tmp_path / "out.bin").read_bytes() == data
