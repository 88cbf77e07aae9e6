"""Compares what comes out with what should, in order, and says where the first difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class BenchError(Exception):
    """The design broke a rule; the bench has nothing more to learn from this run."""


@dataclass(frozen=True)
class Difference:
    """The first wrong beat of a frame."""

    port: str
    frame: int
    beat: int
    cycle: int
    expected: int
    found: int

    def __str__(self) -> str:
        return (
            f"{self.port}: frame {self.frame}, beat {self.beat}, cycle {self.cycle}: "
            f"expected {self.expected:#x}, found {self.found:#x}"
        )


class Scoreboard:
    """Collects the frames of one output stream. Without ``expected`` it only counts beats."""

    def __init__(
        self, port: str, beats: int, frames: int, expected: Sequence[Sequence[int]] | None
    ) -> None:
        self.port = port
        self.frames: list[list[int]] = []
        self.difference: Difference | None = None
        self._beats = beats
        self._wanted = frames
        self._expected = expected

    @property
    def complete(self) -> bool:
        """Say whether every frame has come."""
        return len(self.frames) == self._wanted

    def add(self, frame: list[int], taken: Sequence[int]) -> None:
        """Check the next frame; ``taken`` holds the cycle of each of its beats.

        Raises:
            BenchError: ``tlast`` is not on the last beat of a frame, or there is one too many.
        """
        number = len(self.frames)
        if self.complete:
            raise BenchError(f"{self.port}: a beat came after the last of {self._wanted} frames")
        if len(frame) != self._beats:
            raise BenchError(
                f"{self.port}: tlast came with beat {len(frame)} of frame {number}, "
                f"expected with beat {self._beats}"
            )
        self.frames.append(frame)
        if self._expected is None or self.difference is not None:
            return
        for beat, (want, found) in enumerate(zip(self._expected[number], frame, strict=True)):
            if want != found:
                cycle = taken[beat]
                self.difference = Difference(self.port, number, beat, cycle, want, found)
                return
