"""``Lines``: a line buffer that presents a whole window per clock.

The walk of ``hwa_lines`` over the image: one pass per output row, one column of all the rows
that the window spans per step. Windows follow one another through a shift register, so those
that hang over the right edge complete while the next pass begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Step(NamedTuple):
    """One column of a pass.

    ``need`` is the pixel of the frame it waits for, ``fires`` says that it completes a window,
    ``freed`` is the number of pixels of the frame that no later step reads.
    """

    need: int
    fires: bool
    freed: int


@dataclass(frozen=True, slots=True)
class Lines:
    """Geometry of ``hwa_lines`` over a tensor of ``height * width`` beats.

    ``padding`` is top and left; bottom and right follow from the output size. ``pad`` is the
    integer put in every lane outside the image.
    """

    height: int
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    out_height: int = 1
    out_width: int = 1
    pad: int = 0

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def beats_in(self) -> int:
        """Beats per frame on the input."""
        return self.height * self.width

    @property
    def beats_out(self) -> int:
        """Output beats per frame."""
        return self.out_height * self.out_width

    @property
    def cycles(self) -> int:
        """Cycles per frame when nothing waits."""
        return max(self.beats_in, self.out_height * self.pitch + self.tail)

    @property
    def span(self) -> tuple[int, int]:
        """Pixels from the first to the last tap, down and right."""
        down, right = ((k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True))
        return down, right

    @property
    def before(self) -> int:
        """Steps of a pass before column 0, for windows that end left of the image."""
        return max(0, self.padding[1] - self.span[1])

    @property
    def columns(self) -> int:
        """Columns of the image that a pass reads."""
        return max(1, min(self.width, self._last_column + 1))

    @property
    def pitch(self) -> int:
        """Steps of a pass: its columns, and no fewer than keep the windows apart."""
        travel = (self.out_width - 1) * self.stride[1]
        return max(self.before + self.columns, travel + 1)

    @property
    def tail(self) -> int:
        """Steps after the last pass, for windows that hang over the right edge."""
        return max(0, self.before + self._last_column + 1 - self.pitch)

    @property
    def rows(self) -> int:
        """Rows in the ring: the fewest with which ``cycles`` is kept."""
        return _fewest_rows(self)

    @property
    def _last_column(self) -> int:
        """The rightmost column of any window."""
        return (self.out_width - 1) * self.stride[1] - self.padding[1] + self.span[1]

    def params(self, bits: int, lanes: int) -> tuple[tuple[str, int], ...]:
        """Return the module parameters for a beat of ``bits`` in ``lanes``."""
        return (
            ("DATA_W", bits),
            ("LANES", lanes),
            ("ROWS", self.rows),
            ("IN_H", self.height),
            ("IN_W", self.width),
            ("KH", self.kernel[0]),
            ("KW", self.kernel[1]),
            ("SY", self.stride[0]),
            ("SX", self.stride[1]),
            ("DY", self.dilation[0]),
            ("DX", self.dilation[1]),
            ("PT", self.padding[0]),
            ("PL", self.padding[1]),
            ("OUT_H", self.out_height),
            ("OUT_W", self.out_width),
            ("PAD", self.pad & ((1 << (bits // lanes)) - 1)),
        )

    def memory_bits(self, bits: int) -> int:
        """Return the bits of the ring, for beats of ``bits``."""
        return self.rows * self.width * bits

    def spans(self) -> Iterator[tuple[int, int, int]]:
        """Yield the rows of every pass: the one it waits for, the first it reads, that after.

        The third is the first row that the next pass reads; after the last pass every row is
        free. A row below the image is ``height`` where rows are free, and the last one of the
        image where they are waited for.
        """
        first = 0
        for oy in range(self.out_height):
            top = oy * self.stride[0] - self.padding[0]
            waits = min(max(0, top + self.span[0]), self.height - 1)
            ends = oy == self.out_height - 1
            following = self.height if ends else min(max(0, top + self.stride[0]), self.height)
            yield waits, first, following
            first = following

    def steps(self) -> Iterator[Step]:
        """Yield the steps of a frame, in order."""
        gap = max(0, self.span[1] - self.padding[1])
        between = self.pitch - (self.out_width - 1) * self.stride[1]
        fired = 0
        for oy, (waits, first, following) in enumerate(self.spans()):
            length = self.pitch + (self.tail if oy == self.out_height - 1 else 0)
            for k in range(length):
                column = min(max(0, k - self.before), self.columns - 1)
                behind = min(max(0, k + 1 - self.before), self.columns - 1)
                freed = first * self.width + (behind if following > first else 0)
                if k == length - 1:
                    freed = following * self.width
                fires = gap == 0
                if fires:
                    fired += 1
                    gap = between if fired % self.out_width == 0 else self.stride[1]
                gap -= 1
                yield Step(waits * self.width + column, fires, freed)


@lru_cache(maxsize=256)
def _fewest_rows(lines: Lines) -> int:
    steps = list(lines.steps())
    rows = max(1, *(waits - first + 1 for waits, first, _ in lines.spans()))
    while _interval(lines, steps, rows) > lines.cycles:
        rows += 1
    return rows


def _interval(lines: Lines, steps: list[Step], rows: int, frames: int = 5) -> int:
    """Return the cycles of the last of some frames when neither side waits."""
    places, now, before = rows * lines.width, -1, -1
    arrived: list[int] = []  # cycle of every pixel
    gone: list[int] = []  # cycle of the step that freed it
    for base in range(0, frames * lines.beats_in, lines.beats_in):
        before = now
        for step in steps:
            while len(arrived) <= base + step.need:
                i = len(arrived)
                free = gone[i - places] + 1 if i >= places else 0
                arrived.append(max(arrived[-1] + 1 if i else 0, free))
            now = max(now, arrived[base + step.need]) + 1
            gone.extend([now] * (base + step.freed - len(gone)))
    return now - before
