"""Where an issuer stands still, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwaccel.schedule.blocks import Link

# First and last cycle, both of which belong to it.
Span = tuple[int, int]


class Pauses:
    """The cycles in which an issuer makes no step.

    In those of ``starved`` a beat is missing that the step reads, in those of ``blocked`` only a
    free place for its result is; in all cycles between the first step and the last it makes one.
    """

    __slots__ = ("blocked", "starved")

    def __init__(self) -> None:
        self.starved: list[Span] = []
        self.blocked: list[Span] = []

    def starve(self, first: int, last: int) -> None:
        """Note that a beat is missing from ``first`` to ``last``, if that is a cycle at all."""
        if first <= last:
            self.starved.append((first, last))

    def block(self, first: int, last: int) -> None:
        """Note that only a free place is missing."""
        if first <= last:
            self.blocked.append((first, last))

    def before_take(self, before: int, ins: Sequence[Link], beat: int, taken: int) -> None:
        """Note what stands between the take in cycle ``before`` and the next one.

        A link that does not say when its beat was valid (one that is still run) leaves nothing.
        """
        valid = [link.valid_at(beat) for link in ins]
        known = [cycle for cycle in valid if cycle is not None]
        if len(known) < len(valid):
            return
        self.starve(before + 1, max(known) - 1)
        self.block(max(before + 1, *known), taken - 1)
