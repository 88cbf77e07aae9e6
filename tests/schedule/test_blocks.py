"""Every kind of block in chains of all sizes: both engines say the same of every beat.

Networks rarely hold some of them. A last block that takes its time makes those before it wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from hwaccel.ir.hardware import Order, Pipe, Window
from hwaccel.ir.lines import Lines
from hwaccel.schedule.blocks import Block, Fork, Pack, Reorder, Segment, Unpack
from hwaccel.schedule.channels import Channel, Collect, Deal
from hwaccel.schedule.compiled import CompiledRun
from hwaccel.schedule.timing import InterpretedRun

FRAMES = 3


def split(rng: Generator, number: int, parts: int) -> list[int]:
    """Return random factors of a number."""
    found = []
    for _ in range(parts - 1):
        found.append(int(rng.choice([n for n in range(1, number + 1) if number % n == 0])))
        number //= found[-1]
    return [*found, number]


def windowed(rng: Generator, beats: int) -> Window:
    """Return a window over frames of so many beats, padded or not."""
    height, width, groups, group_beats = split(rng, beats, 4)
    kernel = int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))
    padding = int(rng.integers(0, kernel[0])), int(rng.integers(0, kernel[1]))
    stride = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    out = [
        (size + 2 * pad - k) // step + 1
        for size, pad, k, step in zip((height, width), padding, kernel, stride, strict=True)
    ]
    window = Window(
        height, width, groups, group_beats, repeat=int(rng.integers(1, 4)), kernel=kernel,
        stride=stride, padding=padding, out_height=out[0], out_width=out[1],
    )  # fmt: skip
    if rng.random() < 0.3:
        used = rng.random(groups * window.repeat * window.reduction) < 0.5
        window = window.skipping(used)
    return window.with_depth(window.min_depth() + int(rng.integers(0, 9)))


def lined(rng: Generator, beats: int) -> Lines:
    """Return a line buffer over images of so many pixels."""
    height, width = split(rng, beats, 2)
    kernel = int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))
    top, left = int(rng.integers(0, kernel[0])), int(rng.integers(0, kernel[1]))
    stride = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    return Lines(
        height, width, kernel, stride, padding=(top, left),
        out_height=(height + 2 * top - kernel[0]) // stride[0] + 1,
        out_width=(width + 2 * left - kernel[1]) // stride[1] + 1,
    )  # fmt: skip


def segment(
    rng: Generator, inputs: Sequence[str], issuer: Window | Lines | None, beats: int
) -> Segment:
    pipes = tuple(Pipe("p", (), int(n), 1, 8) for n in rng.integers(0, 4, int(rng.integers(0, 3))))
    depth = int(rng.choice([1, 1, 2, 3, 20]))
    return Segment(
        f"s{rng.integers(1 << 40)}", tuple(inputs), ("y",), ("n",), issuer, pipes, beats, depth
    )


def block(rng: Generator, kind: str, beats: int) -> tuple[Block, int]:
    """Return a block that takes frames of so many beats, and those of its result."""
    factor = split(rng, beats, 2)[0]
    if kind == "pack":
        return Pack("pack", ("x",), ("y",), factor, beats // factor), beats // factor
    if kind == "unpack":
        ratio = int(rng.integers(1, 4))
        return Unpack("unpack", ("x",), ("y",), ratio, beats * ratio), beats * ratio
    if kind == "reorder":
        left = int(rng.integers(1, 2 * beats))
        order = Order(tuple(rng.integers(-1, beats, left).tolist()), beats)
        return Reorder("reorder", ("x",), ("y",), order), left
    issuer = {"window": windowed, "lines": lined}[kind](rng, beats) if kind != "fifo" else None
    out = issuer.beats_out if issuer else beats
    return segment(rng, ["x"], issuer, out), out


def turns(rng: Generator, stream: str, at: str, beats: int) -> list[Block]:
    """Return FIFOs that take turns, each with its share of a frame."""
    count = split(rng, beats, 2)[0]
    share = beats // count
    ends, behind = ([f"{at}{i}{side}" for i in range(count)] for side in "ab")
    between = [
        replace(segment(rng, [end], None, share), outputs=(out,))
        for end, out in zip(ends, behind, strict=True)
    ]
    deal = Deal(f"{at}deal", (stream,), tuple(ends), share)
    return [deal, *between, Collect(f"{at}collect", tuple(behind), (at,), share)]


KINDS = ("pack", "unpack", "reorder", "window", "lines", "fifo", "join")
# Between devices and engines.
AROUND = ("channel", "turns")


def chain(rng: Generator, first: str) -> tuple[list[Block], int, str]:
    """Return blocks one behind another, the beats of a frame that come in, and the last stream."""
    beats = came = int(rng.choice([1, 2, 6, 12, 16]))
    stream, blocks = "x", list[Block]()
    again = [first] if first in AROUND else []
    for kind in (first, *rng.choice(KINDS, int(rng.integers(0, 3))), *again, "unpack"):
        at = f"{stream}_"
        if kind == "join":  # both ways of a fork, one of them through a FIFO
            blocks.append(Fork(f"{at}fork", (stream,), (f"{at}a", f"{at}b"), beats))
            near = replace(segment(rng, [f"{at}b"], None, beats), outputs=(f"{at}c",))
            both = segment(rng, [f"{at}a", f"{at}c"], None, beats)
            blocks += [near, replace(both, outputs=(at,))]
        elif kind == "turns":
            blocks += turns(rng, stream, at, beats)
        elif kind == "channel":
            spare, wire = (int(n) for n in rng.integers(1, 9, 2))
            blocks.append(Channel(f"{at}link", (stream,), (at,), beats, spare, wire))
        elif beats <= 64:
            made, beats = block(rng, kind, beats)
            blocks.append(replace(made, name=f"{at}{kind}", inputs=(stream,), outputs=(at,)))
        else:
            continue
        stream = at
    return blocks, came, stream


@pytest.mark.parametrize("first", [*KINDS, *AROUND])
@pytest.mark.parametrize("seed", range(25))
def test_both_engines_move_every_beat_in_the_same_cycle(first: str, seed: int) -> None:
    rng = np.random.default_rng([seed, (*KINDS, *AROUND).index(first)])
    blocks, beats, last = chain(rng, first)
    gaps = rng.choice([0, 0, 1, 1, 2, 7, 60], beats * FRAMES)
    times = {"x": np.cumsum(gaps * (seed % 3 > 0)).astype(np.int64)}
    made = (InterpretedRun, CompiledRun)
    one, other = (engine(blocks, times, [last], FRAMES) for engine in made)
    assert one.waiting() == other.waiting()
    for name in {"x", *(n for b in blocks for n in b.outputs)}:
        assert np.array_equal(np.asarray(one.moved(name)), other.moved(name)), name
    if not one.waiting():
        moved = np.asarray(one.moved(last))
        assert (np.diff(moved) > 0).all()
