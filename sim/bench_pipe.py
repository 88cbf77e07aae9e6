"""Bench of the pipes: many parameter sets side by side, checked in every cycle.

The device under test is a top with one pipe per case (``tests/rtl/test_pipes.py`` writes it). Bit
``i`` of each control port belongs to case ``i``; the data of all cases lie one after the other.
Each model takes transactions, never signals, and works on plain integers and fractions; it also
states the latency that the contract promises. A pipe never waits, so a beat that enters in cycle
``t`` must come out in cycle ``t + latency`` and in no other.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from math import floor
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from stalls import PATTERNS

BEATS = 150
LONGEST_REDUCTION = 9


def lanes(beat: int, count: int, width: int, signed: bool) -> list[int]:
    """Numbers of a beat, the first one in the low bits."""
    found = [beat >> (width * i) & ((1 << width) - 1) for i in range(count)]
    return [wrap(n, width, signed) for n in found]


def wrap(number: int, width: int, signed: bool = True) -> int:
    """The number that the low ``width`` bits mean."""
    low = number & ((1 << width) - 1)
    return low - (1 << width) if signed and low >> (width - 1) else low


def joined(numbers: list[int], width: int) -> int:
    """Beat of these numbers."""
    return sum((n & ((1 << width) - 1)) << (width * i) for i, n in enumerate(numbers))


class Model:
    """What a pipe does: ``push`` takes a beat and returns the beat it completes, if any."""

    framed = False
    latency = 1

    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        self.p = p
        self.roms = {name: cycle(words) for name, words in roms.items()}
        self.count = p.get("LANES", 1)
        self.in_widths = [p["IN_W"]] if "IN_W" in p else []
        self.in_bits = self.count * sum(self.in_widths)
        self.out_bits = self.count * p.get("OUT_W", 0)

    @property
    def in_counts(self) -> list[int]:
        """Lanes of each operand."""
        return [self.in_bits // sum(self.in_widths)] * len(self.in_widths)

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        raise NotImplementedError


class Mac(Model):
    framed = True

    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.pe, self.simd = p["PE"], p["SIMD"]
        self.latency = 5 + (self.simd - 1).bit_length()
        self.in_widths = [p["X_W"]]
        self.in_bits = self.simd * p["X_W"]
        self.out_bits = self.pe * p["OUT_W"]
        self.sums = [0] * self.pe

    def products(self, x: list[int], w: list[int]) -> list[int]:
        """Sum of products of each output lane."""
        rows = [w[i * self.simd : (i + 1) * self.simd] for i in range(self.pe)]
        return [sum(a * b for a, b in zip(x, row, strict=True)) for row in rows]

    def restored(self, w: list[int]) -> list[int]:
        """Weights of packed lanes: what the lane below borrowed is given back."""
        pack = self.p.get("PACK", 1)
        borrowed = [i // self.simd % pack != 0 and w[i - self.simd] < 0 for i in range(len(w))]
        return [a + b for a, b in zip(w, borrowed, strict=True)]

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        x = lanes(beat, self.in_bits // p["X_W"], p["X_W"], bool(p["X_SIGNED"]))
        word = next(self.roms["WEIGHTS"])
        weights = self.restored(lanes(word, self.pe * self.simd, p["W_W"], True))
        new = self.products(x, weights)
        self.sums = [n + (0 if first else s) for n, s in zip(new, self.sums, strict=True)]
        if not last:
            return None
        field_w = p["SHIFT_W"] + p["BIAS_W"]
        word = next(self.roms["CHANNELS"]) if field_w else 0
        fields = lanes(word, self.pe, field_w, False)
        biases = [wrap(f, p["BIAS_W"]) if p["BIAS_W"] else 0 for f in fields]
        shifts = [f >> p["BIAS_W"] for f in fields]
        sums = [wrap(s, p["ACC_W"]) for s in self.sums]
        results = [(s << n) + b for s, n, b in zip(sums, shifts, biases, strict=True)]
        return joined(results, p["OUT_W"])


class MacLanes(Mac):
    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__({**p, "PE": p["LANES"], "SIMD": 1}, roms)
        self.in_bits = p["LANES"] * p["X_W"]

    def products(self, x: list[int], w: list[int]) -> list[int]:
        return [a * b for a, b in zip(x, w, strict=True)]


class Scale(Model):
    latency = 4

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        x = lanes(beat, self.count, p["IN_W"], bool(p["IN_SIGNED"]))
        fields = lanes(next(self.roms["CHANNELS"]), self.count, p["MULT_W"] + p["ADD_W"], False)
        results = [
            a * wrap(f >> p["ADD_W"], p["MULT_W"]) + wrap(f, p["ADD_W"])
            for a, f in zip(x, fields, strict=True)
        ]
        return joined(results, p["OUT_W"])


class Requant(Model):
    latency = 2

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        x = lanes(beat, self.count, p["IN_W"], bool(p["IN_SIGNED"]))
        exact = [a * Fraction(2) ** -p["SHIFT"] for a in x]
        # Python rounds halves of fractions to even.
        how = (floor, lambda v: floor(v + Fraction(1, 2)), round)[p["ROUNDING"]]
        results = [how(v) for v in exact]
        if not p["WRAP"]:
            results = [min(max(v, p["LO"]), p["HI"]) for v in results]
        return joined(results, p["OUT_W"])


class Relu(Model):
    def push(self, beat: int, first: bool, last: bool) -> int | None:
        x = lanes(beat, self.count, self.p["IN_W"], True)
        return joined([max(a, 0) for a in x], self.p["OUT_W"])


class Table(Model):
    latency = 3

    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.table = roms["TABLE"]

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        x = lanes(beat, self.count, self.p["IN_W"], False)
        places = [(a - self.p["LO"]) % len(self.table) for a in x]
        return joined([self.table[place] for place in places], self.p["OUT_W"])


class Add(Model):
    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.in_widths = [p["A_W"], p["B_W"]]
        self.in_bits = self.count * (p["A_W"] + p["B_W"])

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        a = lanes(beat, self.count, p["A_W"], bool(p["A_SIGNED"]))
        b = lanes(beat >> (self.count * p["A_W"]), self.count, p["B_W"], bool(p["B_SIGNED"]))
        sign = -1 if p["SUBTRACT"] else 1
        sums = [(m << p["A_SHIFT"]) + sign * (n << p["B_SHIFT"]) for m, n in zip(a, b, strict=True)]
        return joined(sums, p["OUT_W"])


class MinMax(Add):
    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        a = lanes(beat, self.count, p["A_W"], bool(p["A_SIGNED"]))
        b = lanes(beat >> (self.count * p["A_W"]), self.count, p["B_W"], bool(p["B_SIGNED"]))
        choose = max if p["LARGEST"] else min
        found = [choose(m << p["A_SHIFT"], n << p["B_SHIFT"]) for m, n in zip(a, b, strict=True)]
        return joined(found, p["OUT_W"])


class Multiply(Add):
    latency = 3

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        a = lanes(beat, self.count, p["A_W"], bool(p["A_SIGNED"]))
        b = lanes(beat >> (self.count * p["A_W"]), self.count, p["B_W"], bool(p["B_SIGNED"]))
        return joined([m * n for m, n in zip(a, b, strict=True)], p["OUT_W"])


class Concat(Model):
    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.in_widths = [p["A_W"], p["B_W"]]
        self.in_bits = p["LANES_A"] * p["A_W"] + p["LANES_B"] * p["B_W"]
        self.out_bits = (p["LANES_A"] + p["LANES_B"]) * p["OUT_W"]

    @property
    def in_counts(self) -> list[int]:
        return [self.p["LANES_A"], self.p["LANES_B"]]

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        a = lanes(beat, p["LANES_A"], p["A_W"], bool(p["A_SIGNED"]))
        b = lanes(beat >> (p["LANES_A"] * p["A_W"]), p["LANES_B"], p["B_W"], bool(p["B_SIGNED"]))
        aligned = [*(n << p["A_SHIFT"] for n in a), *(n << p["B_SHIFT"] for n in b)]
        return joined(aligned, p["OUT_W"])


class Maxpool(Model):
    framed = True

    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.in_widths = [p["W"]]
        self.in_bits = self.out_bits = self.count * p["W"]
        self.seen: list[list[int]] = []

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        self.seen = [] if first else self.seen
        self.seen.append(lanes(beat, self.count, self.p["W"], bool(self.p["SIGNED"])))
        return joined([max(v) for v in zip(*self.seen, strict=True)], self.p["W"]) if last else None


class Sumpool(Model):
    framed = True

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        self.seen = [] if first else self.seen
        self.seen.append(lanes(beat, self.count, p["IN_W"], bool(p["IN_SIGNED"])))
        return joined([sum(v) for v in zip(*self.seen, strict=True)], p["OUT_W"]) if last else None


class ChannelSum(Model):
    framed = True

    def __init__(self, p: Mapping[str, int], roms: Mapping[str, list[int]]) -> None:
        super().__init__(p, roms)
        self.pe, self.simd = p["PE"], p["SIMD"]
        self.latency = 1 + (self.simd - 1).bit_length()
        self.in_bits = self.pe * self.simd * p["IN_W"]
        self.out_bits = self.pe * p["OUT_W"]
        self.sums = [0] * self.pe

    def push(self, beat: int, first: bool, last: bool) -> int | None:
        p = self.p
        x = lanes(beat, self.pe * self.simd, p["IN_W"], bool(p["IN_SIGNED"]))
        for i, old in enumerate([0] * self.pe if first else self.sums):
            self.sums[i] = old + sum(x[i * self.simd : (i + 1) * self.simd])
        return joined(self.sums, p["OUT_W"]) if last else None


MODELS: dict[str, type[Model]] = {
    "hwa_mac": Mac,
    "hwa_mac_lanes": MacLanes,
    "hwa_scale": Scale,
    "hwa_requant": Requant,
    "hwa_relu": Relu,
    "hwa_table": Table,
    "hwa_add": Add,
    "hwa_minmax": MinMax,
    "hwa_multiply": Multiply,
    "hwa_chansum": ChannelSum,
    "hwa_concat": Concat,
    "hwa_maxpool": Maxpool,
    "hwa_sumpool": Sumpool,
}


@dataclass(frozen=True)
class Case:
    """One pipe of the top. ``roms`` holds the words of each hex file by parameter name."""

    module: str
    parameters: dict[str, int]
    roms: dict[str, list[int]]

    def model(self) -> Model:
        return MODELS[self.module](self.parameters, self.roms)


def numbers(width: int, rng: random.Random) -> Iterator[int]:
    """Bit patterns that like extremes, powers of two and halves; all of them when few."""
    if width <= 6:
        yield from range(1 << width)
    top, ones = 1 << (width - 1), (1 << width) - 1
    while True:
        low = 1 << rng.randrange(width)
        anything = rng.getrandbits(width)
        halfway = (anything & ~(2 * low - 1) | low) & ones
        yield rng.choice((anything, anything, 0, ones, top, top - 1, halfway, halfway ^ 1))


class Source:
    """Beats of one case, in reductions of any length where the pipe is framed."""

    def __init__(self, model: Model, rng: random.Random) -> None:
        self._model = model
        self._rng = rng
        self._numbers = [numbers(width, rng) for width in model.in_widths]
        self._left = 0

    def beat(self) -> tuple[int, bool, bool]:
        """The next beat and its ``first`` and ``last``."""
        model, rng = self._model, self._rng
        beat = place = 0
        operands = zip(model.in_counts, model.in_widths, self._numbers, strict=True)
        for count, width, source in operands:
            beat |= joined([next(source) for _ in range(count)], width) << place
            place += count * width
        first = self._left == 0
        if first:
            self._left = rng.choice((1, 2, rng.randint(1, LONGEST_REDUCTION)))
        self._left -= 1
        return beat, first, self._left == 0


class Scoreboard:
    """Compares what left the pipe in each cycle with what had to."""

    def __init__(self, case: Case, latency: int, story: str) -> None:
        self._where = f"{case.module} {case.parameters}, {story}"
        # The results of the last cycles, None where nothing may come out.
        self._due: deque[int | None] = deque([None] * latency)
        self.outputs = 0

    def check(self, number: int, entered: int | None, left: int | None) -> None:
        self._due.append(entered)
        due = self._due.popleft()
        assert due == left, (
            f"cycle {number}: expected {_shown(due)}, found {_shown(left)}, {self._where}"
        )
        self.outputs += left is not None


def _shown(beat: int | None) -> str:
    return "no beat" if beat is None else f"{beat:#x}"


class Bench:
    """Drives and checks all cases side by side."""

    def __init__(self, dut, cases: list[Case], gaps: str, seed: int) -> None:
        self.dut = dut
        self.seats = []
        in_place = out_place = 0
        for i, case in enumerate(cases):
            model = case.model()
            rng = random.Random(f"{seed} {gaps} {i}")
            board = Scoreboard(case, model.latency, f"gaps={gaps} HWA_SEED={seed}")
            seat = (i, in_place, out_place, model, Source(model, rng), PATTERNS[gaps](rng), board)
            self.seats.append(seat)
            in_place += model.in_bits
            out_place += model.out_bits

    async def run(self) -> None:
        dut = self.dut
        dut.rst.value = 1
        dut.in_valid.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        beats, number = [0] * len(self.seats), 0
        while min(beats) < BEATS:
            await self._cycle(number, [n < BEATS for n in beats], beats)
            number += 1
        for _ in range(20):
            await self._cycle(number, [False] * len(beats), beats)
            number += 1
        assert all(seat[-1].outputs > 10 for seat in self.seats)

    async def _cycle(self, number: int, active: list[bool], beats: list[int]) -> None:
        """Offer a beat or none to every case; look at what comes out in the same cycle."""
        dut = self.dut
        valid = first = last = data = 0
        entered: list[int | None] = []
        for k, (i, in_place, _, model, source, pauses, _) in enumerate(self.seats):
            entered.append(None)
            if next(pauses) or not active[k]:
                # What is not valid must not matter, so it is noise.
                first |= (number & 1) << i
                last |= (number >> 1 & 1) << i
                data |= (number * 0x9E3779B97F4A7C15 & ((1 << model.in_bits) - 1)) << in_place
                continue
            beat, is_first, is_last = source.beat()
            entered[k] = model.push(beat, is_first, is_last)
            beats[k] += 1
            valid |= 1 << i
            first |= is_first << i
            last |= is_last << i
            data |= beat << in_place
        dut.in_valid.value = valid
        dut.in_first.value = first
        dut.in_last.value = last
        dut.in_data.value = data
        await RisingEdge(dut.clk)
        out_valid = str(dut.out_valid.value)[::-1]
        out_data = str(dut.out_data.value)[::-1]
        for k, (i, _, out_place, model, _, _, board) in enumerate(self.seats):
            bits = out_data[out_place : out_place + model.out_bits][::-1]
            board.check(number, entered[k], int(bits, 2) if out_valid[i] == "1" else None)


def load_cases() -> list[Case]:
    """The cases of this run, in the order of the ports."""
    return [Case(**case) for case in json.loads(Path(os.environ["HWA_CASES"]).read_text())]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(gaps=["none", "some", "bursts"])
async def pipes_compute_their_formula_in_time(dut, gaps: str) -> None:
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    await Bench(dut, load_cases(), gaps, int(os.environ["HWA_SEED"])).run()
