"""What a simulation run measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class SimResult:
    """Outputs and times of a run.

    ``outputs`` are integers ``(N, *shape)``, one array per output stream. ``latency`` is the
    number of cycles from the first input handshake of the first frame to its last output
    handshake; ``interval`` that between the last output handshakes of the last two frames (0 for
    one frame). ``offered`` holds, per input stream, the cycle in which each beat was first
    valid, and ``finished`` the cycle of every frame's last output handshake. Cycles count from the
    first one after reset.
    """

    simulator: str
    outputs: tuple[NDArray[np.int64], ...]
    cycles: int
    seconds: float
    offered: tuple[tuple[int, ...], ...]
    started: int
    finished: tuple[int, ...]
    frame_error: bool

    @property
    def latency(self) -> int:
        """Cycles from the first input handshake to the last output handshake of frame 0."""
        return self.finished[0] - self.started

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two frames; 0 for one frame."""
        return self.finished[-1] - self.finished[-2] if len(self.finished) > 1 else 0
