"""Bench of ``hwa_lines``: many geometries side by side, checked in every cycle.

The device under test is a top with one buffer per case (``tests/rtl/test_lines.py`` writes it);
bit ``i`` of each port, or slot ``i`` of each data port, belongs to case ``i``. There are two
tests. In the first the credits come at random, and the model is the contract in the module's
header: how many pixels were accepted, steps made and pixels freed before this cycle. In the second
the credits are those of a FIFO, and the times of all handshakes are those that the scheduler
predicts. Both compare every beat with the window cut out of the image.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cocotb
from bench_window import Scoreboard, Source
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from stalls import PATTERNS

from hwaccel.ir.lines import Lines
from hwaccel.schedule.blocks import FIFO_LATENCY, Link
from hwaccel.schedule.lines import LINES_LATENCY, lines_process

# Bits of one case in the data ports of the top.
SLOT_IN, SLOT_OUT = 8, 128
LATENCY = 2
FRAMES = 3


@dataclass(frozen=True)
class Geometry:
    """The parameters of one ``hwa_lines``."""

    in_h: int
    in_w: int
    kh: int
    kw: int
    out_h: int
    out_w: int
    sy: int = 1
    sx: int = 1
    dy: int = 1
    dx: int = 1
    pt: int = 0
    pl: int = 0
    lanes: int = 1
    data_w: int = 4
    pad: int = 0
    rows: int = 0

    @property
    def frame(self) -> int:
        return self.in_h * self.in_w

    def parameters(self) -> dict[str, int]:
        return {name.upper(): value for name, value in asdict(self).items()}

    def lines(self) -> Lines:
        return Lines(
            self.in_h,
            self.in_w,
            kernel=(self.kh, self.kw),
            stride=(self.sy, self.sx),
            dilation=(self.dy, self.dx),
            padding=(self.pt, self.pl),
            out_height=self.out_h,
            out_width=self.out_w,
            pad=self.pad,
        )

    def first(self, oy: int) -> int:
        """The first row that pass ``oy`` keeps."""
        row = min(max(0, oy * self.sy - self.pt), self.in_h)
        return row if oy < self.out_h else self.in_h

    def waits(self, oy: int) -> int:
        """The row that pass ``oy`` waits for."""
        row = oy * self.sy - self.pt + (self.kh - 1) * self.dy
        return min(max(0, row), self.in_h - 1)

    def least_rows(self) -> int:
        """The smallest ring in which no pass waits for ever."""
        return max(1, *(1 + self.waits(oy) - self.first(oy) for oy in range(self.out_h)))

    def steps(self) -> list[tuple[int, bool, int]]:
        """Pixel waited for, whether a window completes, pixels freed: for every step."""
        right = (self.out_w - 1) * self.sx - self.pl + (self.kw - 1) * self.dx
        before = max(0, self.pl - (self.kw - 1) * self.dx)
        columns = max(1, min(self.in_w, right + 1))
        pitch = max(before + columns, (self.out_w - 1) * self.sx + 1)
        due = {
            oy * pitch + max(0, (self.kw - 1) * self.dx - self.pl) + ox * self.sx
            for oy in range(self.out_h)
            for ox in range(self.out_w)
        }
        assert len(due) == self.out_h * self.out_w, "two windows in one step"
        count = max(self.out_h * pitch, max(due) + 1)
        steps = []
        for at in range(count):
            oy = min(at // pitch, self.out_h - 1)
            here, there = (
                min(max(0, c), columns - 1)
                for c in (at - oy * pitch - before, at - oy * pitch - before + 1)
            )
            freed = self.first(oy) * self.in_w
            if self.first(oy + 1) > self.first(oy):
                freed += there
            if at + 1 == count or (at + 1) // pitch in range(oy + 1, self.out_h):
                freed = self.first(oy + 1) * self.in_w
            steps.append((self.waits(oy) * self.in_w + here, at in due, freed))
        return steps

    def windows(self, image: list[int]) -> list[int]:
        """All windows of a frame as beats."""
        lane_w = self.data_w // self.lanes
        lane = self.pad & ((1 << lane_w) - 1)
        blank = sum(lane << (lane_w * i) for i in range(self.lanes))
        beats = []
        for oy in range(self.out_h):
            for ox in range(self.out_w):
                beat, place = 0, 0
                for ky in range(self.kh):
                    for kx in range(self.kw):
                        y = oy * self.sy - self.pt + ky * self.dy
                        x = ox * self.sx - self.pl + kx * self.dx
                        inside = 0 <= y < self.in_h and 0 <= x < self.in_w
                        beat |= (image[y * self.in_w + x] if inside else blank) << place
                        place += self.data_w
                beats.append(beat)
        return beats

    def expected(self, beats: list[int]) -> list[int]:
        """The output beats of all frames."""
        frames = (beats[i : i + self.frame] for i in range(0, len(beats), self.frame))
        return [beat for image in frames for beat in self.windows(image)]


class Model:
    """The contract: what the module does in a cycle with these inputs."""

    def __init__(self, geometry: Geometry, beats: list[int]) -> None:
        self._geometry = geometry
        self._expected = geometry.expected(beats)
        self._steps = geometry.steps()
        self._accepted = self._freed = self._stepped = self.fired = 0
        # Output beats on their way.
        self._pipe: deque[int | None] = deque([None] * LATENCY)

    @property
    def done(self) -> bool:
        return self._stepped == FRAMES * len(self._steps)

    def cycle(self, valid: bool, grant: bool) -> tuple[bool, bool, int | None]:
        """Ready, take and output of this cycle."""
        frame, place = divmod(self._stepped, len(self._steps))
        need, fires, freed = self._steps[place]
        base = frame * self._geometry.frame
        ready = self._accepted - self._freed < self._geometry.rows * self._geometry.in_w
        step = base + need < self._accepted and (grant or not fires)
        beat = None
        if step:
            self._stepped += 1
            self._freed = base + freed
            if fires:
                beat = self._expected[self.fired]
                self.fired += 1
        self._accepted += valid and ready
        self._pipe.append(beat)
        return ready, step and fires, self._pipe.popleft()


class Queue:
    """A FIFO of ``depth`` credits, and a sink that takes beat ``k`` in ``times[k]`` or later."""

    def __init__(self, depth: int, times: list[int]) -> None:
        self._times = times
        self._free = depth
        self._held: deque[int] = deque()
        self.moved: list[int] = []
        self.beats: list[int] = []

    @property
    def grant(self) -> bool:
        return self._free > 0

    def cycle(self, now: int, take: bool, beat: int | None) -> None:
        """Take the signals of cycle ``now``."""
        if self._held and now >= self._times[len(self.moved)]:
            self.beats.append(self._held.popleft())
            self.moved.append(now)
            self._free += 1
        self._free -= take
        if beat is not None:
            self._held.append(beat)


class Timed:
    """Offers beat ``i`` in cycle ``times[i]`` or later; it stays until it is taken."""

    def __init__(self, beats: list[int], times: list[int]) -> None:
        self._beats, self._times = beats, times
        self.moved: list[int] = []

    def drive(self, now: int) -> tuple[bool, int]:
        i = len(self.moved)
        valid = i < len(self._beats) and now >= self._times[i]
        return valid, self._beats[i] if valid else 0


class Bench:
    """Drives and samples the ports of the top."""

    def __init__(self, dut, cases: list[Geometry], name: str) -> None:
        self.dut = dut
        self.cases = cases
        self.seed = int(os.environ["HWA_SEED"])
        self.rng = random.Random(f"{self.seed} {name}")
        story = f"{name} HWA_SEED={self.seed}"
        self.boards = [Scoreboard(i, g, story) for i, g in enumerate(cases)]
        self.beats = [
            [self.rng.getrandbits(g.data_w) for _ in range(FRAMES * g.frame)] for g in cases
        ]

    async def reset(self) -> None:
        dut = self.dut
        dut.rst.value = 1
        dut.s_axis_tvalid.value = 0
        dut.s_axis_tdata.value = 0
        dut.grant.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0

    async def cycle(
        self, offers: list[tuple[bool, int]], grants: list[bool]
    ) -> Iterator[tuple[bool, bool, int | None]]:
        """Drive one cycle; return ready, take and output of every case."""
        dut = self.dut
        valid = data = grant = 0
        for i, (v, beat) in enumerate(offers):
            valid |= v << i
            data |= beat << (SLOT_IN * i)
            grant |= grants[i] << i
        dut.s_axis_tvalid.value = valid
        dut.s_axis_tdata.value = data
        dut.grant.value = grant
        await RisingEdge(dut.clk)
        ports = (dut.s_axis_tready, dut.take, dut.out_valid)
        ready, take, out = (str(port.value)[::-1] for port in ports)
        bits, n = str(dut.out_data.value), len(self.cases)
        slots = [bits[SLOT_OUT * (n - 1 - i) : SLOT_OUT * (n - i)] for i in range(n)]
        return (
            (ready[i] == "1", take[i] == "1", int(slots[i], 2) if out[i] == "1" else None)
            for i in range(n)
        )


def load_cases() -> list[Geometry]:
    """The cases of this run, in the order of the ports."""
    return [Geometry(**case) for case in json.loads(Path(os.environ["HWA_CASES"]).read_text())]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    (
        ("idle", "pressure"),
        [
            ("none", "none"),
            ("some", "some"),
            ("bursts", "bursts"),
        ],
    )
)
async def lines_keep_their_contract(dut, idle: str, pressure: str) -> None:
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    bench = Bench(dut, load_cases(), f"idle={idle} pressure={pressure}")
    rng, cases = bench.rng, bench.cases
    sources = [Source(b, PATTERNS[idle](random.Random(rng.random()))) for b in bench.beats]
    pauses = [PATTERNS[pressure](random.Random(rng.random())) for _ in cases]
    models = [Model(g, b) for g, b in zip(cases, bench.beats, strict=True)]
    await bench.reset()
    cycle = quiet = 0
    while quiet < 20:
        grants = [not next(p) for p in pauses]
        found = await bench.cycle([source.drive() for source in sources], grants)
        for i, (ready, take, out) in enumerate(found):
            expected = models[i].cycle(sources[i].valid, grants[i])
            bench.boards[i].check(cycle, "ready, take, out", expected, (ready, take, out))
            sources[i].sample(ready)
        cycle += 1
        done = all(m.done for m in models) and all(s.empty for s in sources)
        quiet = quiet + 1 if done else 0
        assert cycle < 100_000, "some case waits for ever"
    dut._log.info("%d cases, %d cycles, seed %d", len(cases), cycle, bench.seed)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize((("idle", "pressure"), [(0, 0), (3, 0), (0, 3), (1, 1)]))
async def handshakes_come_as_predicted(dut, idle: int, pressure: int) -> None:
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    bench = Bench(dut, load_cases(), f"idle={idle} pressure={pressure}")
    rng = bench.rng
    sources, queues, predicted = [], [], []
    for g, beats in zip(bench.cases, bench.beats, strict=True):
        windows, depth = FRAMES * g.out_h * g.out_w, rng.choice((1, 2, 4, 5, 9))
        times = [_times(len(beats), idle, rng), _times(windows, pressure, rng)]
        predicted.append(predict(g, depth, *times))
        sources.append(Timed(beats, times[0]))
        queues.append(Queue(depth, times[1]))
    await bench.reset()
    last = max(times[-1] for both in predicted for times in both)
    for cycle in range(3 + last):
        offers = [source.drive(cycle) for source in sources]
        found = await bench.cycle(offers, [queue.grant for queue in queues])
        for i, (ready, take, out) in enumerate(found):
            if offers[i][0] and ready:
                sources[i].moved.append(cycle)
            queues[i].cycle(cycle, take, out)
    for i, g in enumerate(bench.cases):
        bench.boards[i].check(0, "inputs", predicted[i][0], sources[i].moved)
        bench.boards[i].check(0, "outputs", predicted[i][1], queues[i].moved)
        bench.boards[i].check(0, "windows", g.expected(bench.beats[i]), queues[i].beats)


def _times(count: int, pause: int, rng: random.Random) -> list[int]:
    """Return cycles that rise by ``pause + 1`` on average, in leaps of all lengths."""
    now, times = 0, []
    for _ in range(count):
        now += rng.choice((0, 0, 1, 1, rng.randrange(4 * pause + 1))) if pause else 0
        times.append(now)
    return times


def predict(
    geometry: Geometry, depth: int, valid: list[int], ready: list[int]
) -> tuple[list[int], list[int]]:
    """Return the cycles of all handshakes on both sides, as the scheduler says."""
    source, out = Link(), Link()
    for cycle in valid:
        source.offer(cycle)
    for cycle in ready:
        out.accept(cycle)
    lines, latency = geometry.lines(), LINES_LATENCY + FIFO_LATENCY
    assert lines.rows == geometry.rows
    for _ in lines_process(lines, source, out, depth, latency, FRAMES):
        raise AssertionError(f"{geometry} waits for ever")
    return source.moved, out.moved
