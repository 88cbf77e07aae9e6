"""What an op tells the scheduler and the emitters about itself: names and numbers, no text.

The vocabulary is that of ``docs/explanation/streaming-hardware.md``: a segment is an issuer, a
chain of fixed-latency pipes and a credit FIFO.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Unit
from hwaccel.fxp import IntArray

Params = tuple[tuple[str, int], ...]
# An ECP5-85F has one multiplier for so many LUTs, and one block RAM (FPGA-DS-02012, table 1.1).
_LUTS_PER_DSP = 83640 // 156
_LUTS_PER_RAM = 83640 // 208


class Style(StrEnum):
    """How a node becomes hardware.

    ``stream`` shares multipliers over time; ``pixel`` has logic of its own for every weight and
    takes a pixel per clock, through a line buffer where it slides a window; ``spatial`` has
    logic of its own for every element and takes a frame per clock.
    """

    STREAM = "stream"
    PIXEL = "pixel"
    SPATIAL = "spatial"


@dataclass(frozen=True, slots=True)
class Multiplier:
    """The signed operands of a device's hard multiplier, in bits, and what is left to LUTs.

    Products of at most ``soft_bits`` bits are made of LUTs.
    """

    wide: int
    narrow: int
    soft_bits: int = 8


@dataclass(frozen=True, slots=True)
class Fold:
    """Parallelism of a node: ``pe`` outputs and ``simd`` inputs per cycle in stream style.

    The other styles have no choice in it. ``pack`` outputs share a multiplier. With ``skip``,
    beats whose weights are all zero are not read.
    """

    pe: int = 1
    simd: int = 1
    style: Style = Style.STREAM
    pack: int = 1
    skip: bool = False

    @property
    def multipliers(self) -> int:
        """Multipliers of a node that multiplies."""
        return -(-self.pe // self.pack) * self.simd

    def __str__(self) -> str:
        return f"{self.pe}x{self.simd}" if self.style is Style.STREAM else self.style.value


@dataclass(frozen=True, slots=True)
class Area:
    """Estimated cost on a LUT4 device. An estimate, never a result."""

    luts: int = 0
    ffs: int = 0
    dsps: int = 0
    rams: int = 0

    def __add__(self, other: Area) -> Area:
        return Area(
            self.luts + other.luts,
            self.ffs + other.ffs,
            self.dsps + other.dsps,
            self.rams + other.rams,
        )

    @property
    def equivalent(self) -> int:
        """LUTs, where a multiplier or a block RAM counts as many as an ECP5 has for each."""
        return self.luts + _LUTS_PER_DSP * self.dsps + _LUTS_PER_RAM * self.rams


@dataclass(frozen=True, slots=True)
class Fabric:
    """How Yosys 0.70 weighs what memories of a family are made of.

    A LUT holds ``lut_words`` bits of a ROM, and ``free_words`` of them need no more LUTs to choose
    between them; ``rom_bits`` bits of a ROM weigh as a block RAM, and ``rom_once`` more as what is
    the same for every ROM. A distributed RAM has so many words and bits at a time (``pieces``),
    takes ``piece_luts`` LUTs and weighs ``piece_cost`` of the ``block_cost`` of a block RAM.
    """

    lut_words: int = 16
    free_words: int = 64
    rom_bits: int = 2048
    rom_once: int = 47
    pieces: tuple[tuple[int, int], ...] = ((16, 4),)
    piece_luts: int = 6
    piece_cost: float = 4
    block_cost: float = 128

    def piece(self, words: int) -> tuple[int, int]:
        """Return the words and bits of the distributed RAM that so many words are made of."""
        return next((piece for piece in self.pieces if words <= piece[0]), self.pieces[-1])


ECP5 = Fabric()
FABRICS: Mapping[str, Fabric] = {
    "ecp5": ECP5,
    "xcup": Fabric(64, 256, 8256, 188, ((32, 14), (64, 7)), 8, 16, 129),
}
# Bits that a block RAM of 18 kbit has at a time, and words of so many.
_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))


def rom_blocks(words: int, bits: int, fabric: Fabric = ECP5) -> int:
    """Return the block RAMs (18 kbit, at most 36 bits wide) of a ROM; 0 where it is of LUTs."""
    blocks = _blocks(words, bits)
    return blocks if words * bits > fabric.rom_bits * blocks + fabric.rom_once else 0


def ram_blocks(words: int, bits: int, fabric: Fabric = ECP5) -> int:
    """Return the block RAMs of a memory that is written, too; 0 where it is made of LUTs.

    The multiplexer behind several distributed RAMs weighs about 0.58 a bit, found with rings of 30
    sizes on ECP5.
    """
    (deep, wide), blocks = fabric.piece(words), _blocks(words, bits)
    banks = -(-words // deep)
    spread = fabric.piece_cost * banks * -(-bits // wide) + 0.58 * (banks - 1) * bits
    return blocks if spread >= fabric.block_cost * blocks else 0


def is_registers(words: int, bits: int, fabric: Fabric = ECP5) -> bool:
    """Tell whether a memory that is written is one word, or too small for distributed RAM.

    A bit weighs a quarter of ``piece_cost``; 9 bits more are what Yosys adds for the read port,
    found with FIFOs of 2 to 16 places.
    """
    deep, wide = fabric.piece(words)
    pieces = -(-words // deep) * -(-bits // wide)
    return words == 1 or words * bits <= 4 * pieces + 9


def _blocks(words: int, bits: int) -> int:
    # Banks of words lie side by side in a block where it is wide enough.
    return min(-(-bits * -(-words // deep) // wide) for wide, deep in _SHAPES)


def rom_memory(words: int, bits: int, fabric: Fabric = ECP5) -> Area:
    """Estimate a ROM with two registers behind it; block RAM has the first one inside."""
    blocks = rom_blocks(words, bits, fabric)
    if blocks:
        return Area(ffs=bits, rams=blocks)
    return Area(luts=bits * -(-words // fabric.lut_words), ffs=2 * bits)


@dataclass(frozen=True, slots=True)
class Rom:
    """A read-only memory and the module parameter that names its file.

    ``fields`` has shape ``(words, fields per word)``, first field in the low bits; ``widths``
    are the field widths in bits, repeated over the word. Fields are two's complement.
    """

    parameter: str
    fields: IntArray
    widths: tuple[int, ...]

    @property
    def word_bits(self) -> int:
        """Width of a word in bits."""
        per_cycle = self.fields.shape[1] // len(self.widths)
        return sum(self.widths) * per_cycle


@dataclass(frozen=True, slots=True)
class Pipe:
    """One feed-forward module: fixed latency, never stalls.

    ``framed`` pipes see ``in_first``/``in_last`` and put out one beat per reduction.
    ``lanes`` and ``width`` describe the output beat. With a ``unit`` the module is generated
    from it instead of taken from the library.
    """

    module: str
    params: Params
    latency: int
    lanes: int
    width: int
    framed: bool = False
    operands: tuple[str, ...] = ("in_data",)
    roms: tuple[Rom, ...] = ()
    area: Area = field(default=Area())
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Read order of ``hwa_window`` over a tensor of ``height * width * beats`` beats.

    ``pad`` is the integer put in every lane outside the image. ``depth`` is the ring size in
    beats; 0 means not chosen yet. With ``kept`` only some beats are read for an output pixel:
    those with these numbers, counted through its reductions, at least one in each.
    """

    height: int
    width: int
    groups: int
    group_beats: int
    repeat: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    out_height: int = 1
    out_width: int = 1
    pad: int = 0
    depth: int = 0
    kept: IntArray | None = None

    @property
    def beats(self) -> int:
        """Beats per pixel."""
        return self.groups * self.group_beats

    @property
    def beats_in(self) -> int:
        """Beats per frame on the input."""
        return self.height * self.width * self.beats

    @property
    def reduction(self) -> int:
        """Beats that make one output beat, those that are skipped included."""
        return self.kernel[0] * self.kernel[1] * self.group_beats

    @property
    def beats_out(self) -> int:
        """Output beats per frame."""
        return self.out_height * self.out_width * self.groups * self.repeat

    @property
    def cycles(self) -> int:
        """Cycles per frame when nothing waits."""
        if self.kept is not None:
            return self.out_height * self.out_width * self.kept.a.size
        return self.beats_out * self.reduction

    @property
    def shortest(self) -> int:
        """Beats of the shortest reduction."""
        return min((len(read) for read in self.read()), default=self.reduction)

    def read(self) -> tuple[tuple[int, ...], ...]:
        """Return the beats of each reduction of an output pixel that are read; none where all."""
        if self.kept is None:
            return ()
        row, beat = np.divmod(self.kept.a, self.reduction)
        ends = np.searchsorted(row, np.arange(1, self.groups * self.repeat))
        return tuple(tuple(part.tolist()) for part in np.split(beat, ends))

    @property
    def list_area(self) -> Area:
        """Estimate of the list of the beats that are read, where some are skipped."""
        return self.listed(ECP5)

    def listed(self, fabric: Fabric) -> Area:
        """Estimate that list for a family."""
        if self.kept is None:
            return Area()
        bits = 2 + 2 * self.beats_in.bit_length()
        return rom_memory(self.kept.a.size, bits, fabric) + Area(luts=30, ffs=2 * bits + 20)

    def skipping(self, used: NDArray[np.bool_]) -> Window:
        """Return the window that reads only ``used`` beats, ``(reductions * beats,)`` in order.

        A reduction that uses none reads one all the same. Some beat of the image is read, so
        that the frame is waited for.
        """
        rows = used.reshape(-1, self.reduction).copy()
        at = np.arange(self.out_height)[:, None] * self.stride[0] - self.padding[0]
        y = at + np.arange(self.kernel[0]) * self.dilation[0]
        at = np.arange(self.out_width)[:, None] * self.stride[1] - self.padding[1]
        x = at + np.arange(self.kernel[1]) * self.dilation[1]
        inside = np.logical_and.outer(
            ((y >= 0) & (y < self.height)).any(axis=0), ((x >= 0) & (x < self.width)).any(axis=0)
        )
        seen = np.repeat(inside.ravel(), self.group_beats)
        spare = int(np.argmax(seen))
        rows[~rows.any(axis=1), spare] = True
        if not (rows & seen).any():
            rows[0, spare] = True
        return replace(self, kept=IntArray(np.flatnonzero(rows)))

    def with_depth(self, depth: int) -> Window:
        """Return the same window with a ring of ``depth`` beats."""
        return replace(self, depth=depth)

    def freed_after(self, oy: int, ox: int) -> int:
        """Input beats of the frame that no window after the one at ``(oy, ox)`` reads.

        Counted by the corners of the windows to come, clipped at the image: the next one in the
        row and the first of the next row come first.
        """
        row = max(0, oy * self.stride[0] - self.padding[0])
        column = max(0, (ox + 1) * self.stride[1] - self.padding[1])
        next_row = max(0, (oy + 1) * self.stride[0] - self.padding[0])
        corners = [self.height * self.width]
        if ox + 1 < self.out_width and row < self.height and column < self.width:
            corners.append(row * self.width + column)
        if oy + 1 < self.out_height and next_row < self.height:
            corners.append(next_row * self.width)
        return min(corners) * self.beats

    def taps(self, oy: int, ox: int) -> Iterator[int]:
        """Yield the pixel index of each kernel tap, -1 outside the image."""
        for ky in range(self.kernel[0]):
            y = oy * self.stride[0] - self.padding[0] + ky * self.dilation[0]
            for kx in range(self.kernel[1]):
                x = ox * self.stride[1] - self.padding[1] + kx * self.dilation[1]
                inside = 0 <= y < self.height and 0 <= x < self.width
                yield y * self.width + x if inside else -1

    def min_depth(self) -> int:
        """Return the smallest ring, in beats, with which every window can complete."""
        deepest, freed = 1, 0
        columns = self._last_read(1, self.out_width, self.width)
        for oy, row in enumerate(self._last_read(0, self.out_height, self.height)):
            for ox, column in enumerate(columns):
                if row >= 0 and column >= 0:
                    last = row * self.width + column
                    deepest = max(deepest, (last + 1) * self.beats - freed)
                freed = max(freed, self.freed_after(oy, ox))
        return deepest

    def _last_read(self, axis: int, count: int, size: int) -> list[int]:
        """Return the last row (or column) of the image that each output reads, -1 for none."""
        taps = np.arange(self.kernel[axis]) * self.dilation[axis] - self.padding[axis]
        places = np.arange(count)[:, None] * self.stride[axis] + taps
        inside = (places >= 0) & (places < size)
        last: list[int] = np.where(inside, places, -1).max(axis=1).tolist()
        return last


@dataclass(frozen=True, slots=True)
class Order:
    """Another order for the beats of a frame: ``beats[k]`` is the input beat that leaves as ``k``.

    -1 is a beat with ``fill`` in every lane. ``length`` counts the input beats of a frame.
    """

    beats: tuple[int, ...]
    length: int
    fill: int = 0


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware of one node.

    ``issuer`` is a window, or ``None`` for pipes that work on any beat and join the segment of
    their producer. ``in_lanes`` has one entry per operand. A node with several operands and no
    window starts a segment with ``hwa_join``. With ``reorder`` the frame is kept and sent on in
    that order; it has no pipes.
    """

    in_lanes: tuple[int, ...]
    out_lanes: int
    pipes: tuple[Pipe, ...] = ()
    issuer: Window | None = None
    reorder: Order | None = None


@dataclass(frozen=True, slots=True)
class Kernel:
    """Call of a C++ library function; HLS and CUDA have one of the same name each."""

    function: str
    params: Params
    arrays: tuple[tuple[str, IntArray], ...] = ()
