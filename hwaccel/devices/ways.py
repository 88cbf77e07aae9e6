"""``Way``: one link as blocks, from an output of a device to an input of another.

A beat of the sender is sent as one word, or in several where a word is narrower; the receiver puts
it together again, and gives it the lanes that the device behind it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.devices.links import LinkSpec
from hwaccel.devices.parts import Join
from hwaccel.schedule.blocks import Block, Pack, Unpack
from hwaccel.schedule.channels import Channel
from hwaccel.schedule.plan import Stream, lane_steps


@dataclass(frozen=True, slots=True)
class Way:
    """The blocks of a link in order, and the streams between them by name.

    The first stream leaves the device ``join.source``, the last one enters ``join.target``.
    """

    number: int
    join: Join
    blocks: tuple[Block, ...]
    streams: dict[str, Stream]

    @property
    def channel(self) -> Channel:
        """The block whose two halves are on two devices."""
        return next(block for block in self.blocks if isinstance(block, Channel))

    @property
    def before(self) -> tuple[Block, ...]:
        """The blocks at the sender."""
        return self.blocks[: self.blocks.index(self.channel)]

    @property
    def behind(self) -> tuple[Block, ...]:
        """The blocks at the receiver."""
        return self.blocks[self.blocks.index(self.channel) + 1 :]

    @property
    def word_bits(self) -> int:
        """Bits of a word."""
        return self.streams[self.channel.outputs[0]].bits


def way_of(number: int, join: Join, link: LinkSpec, left: Stream, right: Stream) -> Way:
    """Return link ``number`` between the stream that leaves a device and the one that enters."""
    return _Laying(number, join, link, left).way(right)


class _Laying:
    """Lays the blocks of one link, each behind the last stream."""

    def __init__(self, number: int, join: Join, link: LinkSpec, left: Stream) -> None:
        self._stem = f"link{number}"
        self._number, self._join, self._link = number, join, link
        self._last = left
        self._streams = {self._last.name: self._last}
        self._blocks: list[Block] = []

    def way(self, right: Stream) -> Way:
        """Lay all blocks."""
        left, link = self._last, self._link
        words, word = link.words(left.bits), link.word_bits(left.bits)
        beats = left.beats * words
        if words > 1:
            source, out = self._step("words", 1, word, beats)
            self._blocks.append(Unpack(f"{out}_unpack", (source,), (out,), words, beats))
        source, out = self._step("came", 1, word, beats)
        channel = Channel(self._stem, (source,), (out,), beats, link.credits, link.latency)
        self._blocks.append(channel)
        if words > 1:
            source, out = self._step("beats", left.lanes, left.width, left.beats)
            self._blocks.append(Pack(f"{out}_pack", (source,), (out,), words, left.beats))
        have = left.lanes
        for at, lanes in enumerate(lane_steps(have, right.lanes, left.beats * left.lanes)):
            self._adapt(at, have, lanes, left)
            have = lanes
        return Way(self._number, self._join, tuple(self._blocks), self._streams)

    def _adapt(self, at: int, have: int, lanes: int, left: Stream) -> None:
        if have == lanes:
            return
        beats = left.beats * left.lanes // lanes
        source, out = self._step(f"lanes{at}", lanes, left.width, beats)
        if lanes > have:
            self._blocks.append(Pack(f"{out}_pack", (source,), (out,), lanes // have, beats))
        else:
            self._blocks.append(Unpack(f"{out}_unpack", (source,), (out,), have // lanes, beats))

    def _step(self, role: str, lanes: int, width: int, beats: int) -> tuple[str, str]:
        """Add a stream; return the names of the one before and of this one."""
        source, name = self._last.name, f"{self._stem}_{role}"
        self._last = Stream(name, self._join.value, lanes, width, beats)
        self._streams[name] = self._last
        return source, name
