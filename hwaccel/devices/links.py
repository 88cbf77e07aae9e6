"""``LinkSpec``: what the links between devices are like, and what their ends cost."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hwaccel.ir.hardware import Area
from hwaccel.schedule.channels import LINK_CYCLES, Channel

Width = Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
Latency = Annotated[int, msgspec.Meta(ge=1, le=1 << 12)]
Credits = Annotated[int, msgspec.Meta(ge=1, le=1 << 14)]


class LinkSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bits of a word, cycles of the wire in each direction, and words that may be under way."""

    width: Width
    latency: Latency
    credits: Credits

    def words(self, bits: int) -> int:
        """Return the words that carry a beat of ``bits`` bits."""
        return -(-bits // self.width)

    def word_bits(self, bits: int) -> int:
        """Return the bits of a word; a beat that fits into one takes no more than it needs."""
        return self.width if self.words(bits) > 1 else bits

    def cycles(self, beats: int, bits: int) -> int:
        """Return the cycles that a frame of so many beats takes when nobody else waits."""
        words = beats * self.words(bits)
        return Channel("", (), (), words, self.credits, self.latency).cycles

    def sender_area(self, bits: int) -> Area:
        """Estimate the end that sends beats of ``bits`` bits."""
        word = self.word_bits(bits)
        count = self.credits.bit_length()
        return Area(luts=2 * count + 2, ffs=word + count + 1) + self._adapter(bits)

    def receiver_area(self, bits: int) -> Area:
        """Estimate the end that receives beats of ``bits`` bits."""
        word = self.word_bits(bits)
        return Area(luts=16 + word * -(-self.credits // 16), ffs=14) + self._adapter(bits)

    def _adapter(self, bits: int) -> Area:
        if self.words(bits) == 1:
            return Area()
        whole = self.words(bits) * self.width
        return Area(luts=whole // 2 + 8, ffs=whole + 8)


def full_rate(latency: int) -> int:
    """Return the credits with which a word can go in every cycle."""
    return 2 * (latency + LINK_CYCLES)
