"""The NNgen side of ``nngen_lenet.py``; runs in an interpreter that has NNgen, not hwaccel.

python nngen_lenet_worker.py SPEC.npz OUT

SPEC holds integer weights ``w0`` to ``w4`` (two convolutions, three matrices), biases, right shifts
and input frames, and the parallelism of convolutions and matrices as input by output channels. OUT
receives the Verilog, the memory image, the frames and NNgen's own results, ready for simulation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nngen as ng
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
# Beats of the bus to main memory are a multiple of this many bytes.
_CHUNK = 64


def variable(spec: dict[str, Ints], name: str, dtype: object) -> object:
    """Return a tensor of parameters that holds the values of the specification."""
    made = ng.variable(dtype, spec[name].shape, name=name)
    made.set_value(spec[name])
    return made


def network(spec: dict[str, Ints]) -> tuple[object, object]:
    """Return the input and the output of LeNet-5: every layer is rounded to eight bits."""
    x = ng.placeholder(ng.int8, (1, *spec["x"].shape[1:]), name="x")
    (conv_in, conv_out), (dense_in, dense_out) = spec["conv"].tolist(), spec["dense"].tolist()
    h = x
    for i, pad in enumerate((2, 0)):
        h = ng.conv2d(
            h,
            variable(spec, f"w{i}", ng.int8),
            (1, 1, 1, 1),
            bias=variable(spec, f"b{i}", ng.int32),
            rshift_out=int(spec["shift"][i]),
            act_func=ng.relu,
            padding=pad,
            dtype=ng.int8,
            sum_dtype=ng.int32,
            asymmetric_clip=True,
            par_ich=conv_in,
            par_och=conv_out,
        )
        h = ng.max_pool_serial(h, (1, 2, 2, 1), (1, 2, 2, 1), par=conv_out)
    h = ng.reshape(h, [1, -1])
    for i in (2, 3, 4):
        h = ng.matmul(
            h,
            variable(spec, f"w{i}", ng.int8),
            bias=variable(spec, f"b{i}", ng.int32),
            transposed_b=True,
            rshift_out=int(spec["shift"][i]),
            act_func=ng.relu if i < 4 else None,
            dtype=ng.int8,
            sum_dtype=ng.int32,
            asymmetric_clip=True,
            par_left_col=dense_in,
            par_out_col=dense_out,
        )
    return x, h


def frame_bytes(frame: Ints, lanes: int) -> bytes:
    """Return a frame ``(H, W, C)`` as it lies in memory: channels padded to ``lanes``."""
    fill = -frame.shape[-1] % lanes
    return np.pad(frame, ((0, 0), (0, 0), (0, fill))).astype(np.int8).tobytes()


def main() -> None:
    """Write everything that simulation and synthesis need."""
    spec, out = dict(np.load(sys.argv[1])), Path(sys.argv[2])
    x, y = network(spec)
    want = np.concatenate([ng.eval([y], x=f[None])[0] for f in spec["x"]])
    config = {"maxi_datawidth": int(spec["bus"])}
    (out / "lenet.v").write_text(ng.to_verilog([y], "lenet", config=config))
    frames = [frame_bytes(f, x.get_word_alignment()) for f in spec["x"]]
    assert len(frames[0]) <= x.memory_size
    start = -(-(x.addr + x.memory_size) // _CHUNK) * _CHUNK
    image = bytes(start) + ng.export_ndarray([y], _CHUNK).astype(np.uint8).tobytes()
    (out / "memory.bin").write_bytes(image)
    (out / "frames.bin").write_bytes(b"".join(frames))
    np.save(out / "want.npy", want)
    facts = {"x": x.addr, "y": y.addr, "frame_bytes": len(frames[0]), "outputs": want.shape[1]}
    (out / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
