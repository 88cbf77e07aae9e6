"""Bench of ``hwa_window``: many geometries side by side, checked in every cycle.

The device under test is a top with one window per case (``tests/rtl/test_window.py`` writes it);
bit ``i`` of each port, or slot ``i`` of each data port, belongs to case ``i``. The model is the
contract in the module's header, written as three counters: how many beats were accepted, fired and
freed before this cycle. It sees only the times at which input was valid and credit was granted,
and so predicts every ``s_axis_tready``, ``take`` and output beat to the cycle.
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
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from stalls import PATTERNS

# Bits of one case in the data ports of the top.
SLOT = 32
LATENCY = 2
FRAMES = 3


@dataclass(frozen=True)
class Geometry:
    """The parameters of one ``hwa_window``."""

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
    groups: int = 1
    group_beats: int = 1
    repeat: int = 1
    lanes: int = 1
    data_w: int = 8
    pad: int = 0
    depth: int = 0
    # The beats that are read for an output pixel, counted through all its reductions.
    kept: tuple[int, ...] = ()

    @property
    def pixel(self) -> int:
        return self.groups * self.group_beats

    @property
    def frame(self) -> int:
        return self.in_h * self.in_w * self.pixel

    def parameters(self) -> dict[str, int]:
        return {name.upper(): value for name, value in asdict(self).items() if name != "kept"}

    def taps(self, oy: int, ox: int) -> list[int]:
        """Pixel index of every tap of a window, -1 outside the image."""
        rows = [oy * self.sy - self.pt + ky * self.dy for ky in range(self.kh)]
        columns = [ox * self.sx - self.pl + kx * self.dx for kx in range(self.kw)]
        return [
            y * self.in_w + x if 0 <= y < self.in_h and 0 <= x < self.in_w else -1
            for y in rows
            for x in columns
        ]

    def windows(self) -> list[tuple[int, int]]:
        return [(oy, ox) for oy in range(self.out_h) for ox in range(self.out_w)]

    def freed_after(self) -> list[int]:
        """Beats of the frame that are free after each window, by looking at all later ones."""
        freed, smallest = [], self.frame
        for oy, ox in reversed(self.windows()):
            freed.append(smallest)
            y, x = max(0, oy * self.sy - self.pt), max(0, ox * self.sx - self.pl)
            if y < self.in_h and x < self.in_w:
                smallest = min(smallest, (y * self.in_w + x) * self.pixel)
        return freed[::-1]

    @property
    def reduction(self) -> int:
        return self.kh * self.kw * self.group_beats

    def reads_input(self) -> bool:
        """Some beat read lies inside the image; without any the module counts without bound."""
        if not self.kept:
            return any(max(self.taps(*window)) >= 0 for window in self.windows())
        taps = {k % self.reduction // self.group_beats for k in self.kept}
        return any(self.taps(*window)[tap] >= 0 for window in self.windows() for tap in taps)

    def min_depth(self) -> int:
        """The smallest ring in which no window waits for ever."""
        before = [0, *self.freed_after()]
        last = [max(self.taps(*window)) for window in self.windows()]
        needs = [(t + 1) * self.pixel - b for t, b in zip(last, before, strict=False) if t >= 0]
        return max([1, *needs])

    def reads(self) -> list[Read]:
        """All reads of one frame, in order."""
        order = []
        for (oy, ox), freed in zip(self.windows(), self.freed_after(), strict=True):
            taps = self.taps(oy, ox)
            for row in range(self.groups * self.repeat):
                first = row // self.repeat * self.group_beats
                beats = [first + g for g in range(self.group_beats)]
                indices = [t * self.pixel + b if t >= 0 else -1 for t in taps for b in beats]
                if self.kept:
                    places = range(row * self.reduction, (row + 1) * self.reduction)
                    indices = [indices[k % self.reduction] for k in self.kept if k in places]
                order += [Read(index) for index in indices]
                order[-len(indices)].first = True
                order[-1].last = True
            order[-1].freed = freed
        return order


@dataclass
class Read:
    """One beat of the read order; ``freed`` is -1 where nothing is freed after it."""

    index: int
    first: bool = False
    last: bool = False
    freed: int = -1


class Source:
    """Offers beats with pauses before them; a beat once offered stays until it is taken."""

    def __init__(self, beats: list[int], pauses: Iterator[bool]) -> None:
        self._beats = deque(beats)
        self._pauses = pauses
        self.valid = False

    def drive(self) -> tuple[bool, int]:
        pause = next(self._pauses)
        self.valid = bool(self._beats) and (self.valid or not pause)
        return self.valid, self._beats[0] if self.valid else 0

    def sample(self, ready: bool) -> None:
        if self.valid and ready:
            self._beats.popleft()
            self.valid = False

    @property
    def empty(self) -> bool:
        return not self._beats


class Model:
    """The contract: what the module does in a cycle with these inputs."""

    def __init__(self, geometry: Geometry, beats: list[int]) -> None:
        self._geometry = geometry
        self._beats = beats
        lane_w = geometry.data_w // geometry.lanes
        lane = geometry.pad & ((1 << lane_w) - 1)
        self._pad = sum(lane << (lane_w * i) for i in range(geometry.lanes))
        self._order = geometry.reads()
        self._accepted = self._freed = 0
        self._cycles = self.fired = 0
        # Output beats on their way: (valid, first, last, data).
        self._pipe = deque([(False, False, False, 0)] * LATENCY)

    @property
    def frames_done(self) -> int:
        return self.fired // len(self._order)

    def cycle(self, valid: bool, grant: bool) -> tuple[bool, bool, tuple[bool, bool, bool, int]]:
        """Ready, take and output of this cycle."""
        frame, place = divmod(self.fired, len(self._order))
        read, base = self._order[place], frame * self._geometry.frame
        ready = self._accepted - self._freed < self._geometry.depth
        # Padding waits for the first beat of its frame.
        there = base + max(read.index, 0) < self._accepted
        # The list has its first word in cycle 3.
        there = there and (self._cycles >= 3 or not self._geometry.kept)
        self._cycles += 1
        fire = there and (grant or not read.last)
        beat = (False, False, False, 0)
        if fire:
            data = self._pad if read.index < 0 else self._beats[base + read.index]
            beat = (True, read.first, read.last, data)
            self.fired += 1
            if read.freed >= 0:
                self._freed = base + read.freed
        self._accepted += valid and ready
        self._pipe.append(beat)
        return ready, fire and read.last, self._pipe.popleft()


class Scoreboard:
    """Compares what a case did with what the contract says."""

    def __init__(self, case: int, geometry: Geometry, story: str) -> None:
        self._where = f"case {case} {geometry}, {story}"

    def check(self, cycle: int, name: str, expected: object, found: object) -> None:
        assert expected == found, (
            f"{name} in cycle {cycle}: expected {expected}, found {found}, {self._where}"
        )


class Bench:
    """Wires sources, models and scoreboards of all cases to the ports of the top."""

    def __init__(self, dut, cases: list[Geometry], idle: str, pressure: str, seed: int) -> None:
        self.dut = dut
        self.cases = cases
        rng = random.Random(f"{seed} {idle} {pressure}")
        beats = [[rng.getrandbits(g.data_w) for _ in range(FRAMES * g.frame)] for g in cases]
        self.sources = [Source(b, PATTERNS[idle](random.Random(rng.random()))) for b in beats]
        self.pauses = [PATTERNS[pressure](random.Random(rng.random())) for _ in cases]
        self.models = [Model(g, b) for g, b in zip(cases, beats, strict=True)]
        story = f"idle={idle} pressure={pressure} HWA_SEED={seed}"
        self.boards = [Scoreboard(i, g, story) for i, g in enumerate(cases)]

    async def run(self) -> int:
        """Run until every case has read its frames and a little longer; return the cycles."""
        dut = self.dut
        dut.rst.value = 1
        dut.s_axis_tvalid.value = 0
        dut.s_axis_tdata.value = 0
        dut.grant.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        cycle, quiet = 0, 0
        while quiet < 20:
            grants = self._drive()
            await RisingEdge(dut.clk)
            self._sample(cycle, grants)
            cycle += 1
            done = all(m.frames_done >= FRAMES for m in self.models)
            quiet = quiet + 1 if done and all(s.empty for s in self.sources) else 0
            assert cycle < 200_000, "some case waits for ever"
        return cycle

    def _drive(self) -> list[bool]:
        valid = data = grant = 0
        grants = [not next(pauses) for pauses in self.pauses]
        for i, source in enumerate(self.sources):
            v, beat = source.drive()
            valid |= v << i
            data |= beat << (SLOT * i)
            grant |= grants[i] << i
        self.dut.s_axis_tvalid.value = valid
        self.dut.s_axis_tdata.value = data
        self.dut.grant.value = grant
        return grants

    def _sample(self, cycle: int, grants: list[bool]) -> None:
        dut = self.dut
        ports = (dut.s_axis_tready, dut.take, dut.out_valid, dut.out_first, dut.out_last)
        ready, take, valid, first, last = (str(port.value)[::-1] for port in ports)
        data = str(dut.out_data.value)[::-1]
        for i, (source, model) in enumerate(zip(self.sources, self.models, strict=True)):
            board = self.boards[i]
            beat = None
            if valid[i] == "1":
                beat = (first[i], last[i], int(data[SLOT * i : SLOT * (i + 1)][::-1], 2))
            expected_ready, expected_take, out = model.cycle(source.valid, grants[i])
            expected = (str(int(out[1])), str(int(out[2])), out[3]) if out[0] else None
            board.check(cycle, "s_axis_tready", str(int(expected_ready)), ready[i])
            board.check(cycle, "take", str(int(expected_take)), take[i])
            board.check(cycle, "out (first, last, data)", expected, beat)
            source.sample(expected_ready)


def load_cases() -> list[Geometry]:
    """The cases of this run, in the order of the ports."""
    cases = json.loads(Path(os.environ["HWA_CASES"]).read_text())
    return [Geometry(**{**case, "kept": tuple(case["kept"])}) for case in cases]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(
    (
        ("idle", "pressure"),
        [
            ("none", "none"),
            ("heavy", "none"),
            ("none", "heavy"),
            ("some", "some"),
            ("bursts", "bursts"),
        ],
    )
)
async def windows_keep_their_contract(dut, idle: str, pressure: str) -> None:
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    seed = int(os.environ["HWA_SEED"])
    bench = Bench(dut, load_cases(), idle, pressure, seed)
    cycles = await bench.run()
    dut._log.info("%d cases, %d cycles, seed %d", len(bench.cases), cycles, seed)
