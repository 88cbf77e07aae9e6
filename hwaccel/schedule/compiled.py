"""The timing engine in C++ (``native/timing.cpp``): blocks as numbers, handshake times back."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwaccel import native
from hwaccel.schedule.blocks import Block

Ints = NDArray[np.int64]


class CompiledRun:
    """Handshake times of a design, read where they are asked for."""

    def __init__(
        self,
        blocks: Sequence[Block],
        arrivals: Mapping[str, Ints],
        outputs: Sequence[str],
        frames: int,
    ) -> None:
        names = [*arrivals, *(n for b in blocks for n in (*b.inputs, *b.outputs))]
        self._links = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self._blocks = [block.name for block in blocks]
        self._lib = _declared()
        design = _joined([self._encoded(block) for block in blocks])
        offered = _joined(
            [np.array([self._links[n], len(t), *t], dtype=np.int64) for n, t in arrivals.items()]
        )
        drained = np.array([self._links[name] for name in outputs], dtype=np.int64)
        self._run = self._lib.timing_run(
            *(len(self._links), len(blocks), design.ctypes.data),
            *(len(arrivals), offered.ctypes.data, len(drained), drained.ctypes.data, frames),
        )
        if not self._run:
            raise MemoryError("the timing of the design does not fit into memory")

    def __del__(self) -> None:
        if getattr(self, "_run", None):
            self._lib.timing_free(self._run)

    def _encoded(self, block: Block) -> Ints:
        kind, parameters = block.code()
        ins, outs = ([self._links[n] for n in names] for names in (block.inputs, block.outputs))
        head = [int(kind), len(ins), *ins, len(outs), *outs]
        return np.concatenate((np.array(head, dtype=np.int64), parameters))

    def waiting(self) -> list[str]:
        """Return the names of the blocks that have not finished."""
        flags = np.zeros(len(self._blocks), dtype=np.int32)
        self._lib.timing_waiting(self._run, flags.ctypes.data)
        return [name for name, waits in zip(self._blocks, flags, strict=True) if waits]

    def moved(self, stream: str) -> Ints:
        """Return the cycle in which each beat of ``stream`` moved."""
        link = self._links[stream]
        cycles = np.empty(self._lib.timing_beats(self._run, link), dtype=np.int64)
        self._lib.timing_read(self._run, link, cycles.ctypes.data)
        return cycles


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


@lru_cache(maxsize=1)
def _declared() -> ctypes.CDLL:
    lib, pointer, number = native.library(), ctypes.c_void_p, ctypes.c_int
    lib.timing_run.restype = pointer
    lib.timing_run.argtypes = [number, number, pointer, number, pointer, number, pointer, number]
    lib.timing_waiting.restype = None
    lib.timing_waiting.argtypes = [pointer, pointer]
    lib.timing_beats.restype = ctypes.c_int64
    lib.timing_beats.argtypes = [pointer, number]
    lib.timing_read.restype = None
    lib.timing_read.argtypes = [pointer, number, pointer]
    lib.timing_free.restype = None
    lib.timing_free.argtypes = [pointer]
    return lib
