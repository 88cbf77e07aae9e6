"""Estimates of Fmax: the longest paths of every block, and what placement makes of them.

A path starts at a register and is counted in elements that a reviewer can point at in the Verilog:
LUTs one behind another, carry chains and their bits, readers of a net, a block that multiplies or
stores. A family has one delay for each, fitted to placed and routed designs by
``benchmarks/estimates/fit.py``; a circuit adds the time that its own model says
(``hwaccel.circuit.delay``). The longest path is the period. Nothing here is a result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import log2

import numpy as np

from hwaccel.circuit.delay import model_for
from hwaccel.circuit.moved import with_moved_tables
from hwaccel.circuit.timing import Timing
from hwaccel.ir.hardware import Pipe, Rom, Window, ram_blocks, rom_blocks
from hwaccel.ir.lines import Lines
from hwaccel.ops.family import clog2, factor_bits, in_dsp
from hwaccel.schedule.blocks import Block, Fork, Pack, Reorder, Segment, Unpack
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.fits import DELAYS
from hwaccel.schedule.plan import Plan

# A design of so many LUTs lies together whatever it is.
SMALL = 64
# Yosys makes no carry chain of so few bits.
NARROW_BITS = 4
# Carry chains and choices one behind the other in modules without a description of their own.
SIMPLE: Mapping[str, tuple[int, int]] = {
    "hwa_add": (1, 0), "hwa_chansum": (1, 0), "hwa_concat": (0, 0), "hwa_maxpool": (1, 1),
    "hwa_minmax": (1, 1), "hwa_relu": (0, 1), "hwa_sumpool": (1, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Path:
    """A path from register to register: what it is, and how much of each element it passes."""

    what: str
    amounts: Mapping[str, float]

    @property
    def nets(self) -> float:
        """How many nets it passes; a circuit has its own idea of them."""
        return 1 + self.amounts.get("level", 0.0) + self.amounts.get("chain", 0.0)

    def delay_ns(self, delays: Mapping[str, float]) -> float:
        """Return the time it takes, with a delay in nanoseconds for each element."""
        return sum(delays.get(name, 0.0) * amount for name, amount in self.amounts.items())


@dataclass(frozen=True, slots=True)
class Speed:
    """The estimated clock, and the block and the path in it that keep it from being higher."""

    fmax_mhz: float
    block: str
    what: str


def path(
    what: str,
    levels: float = 0,
    *,
    chains: Iterable[float] = (),
    readers: Iterable[float] = (),
    mux: float = 0,
    copies: float = 1,
    **blocks: float,
) -> Path:
    """Return a path with so many LUTs, carry chains of so many bits, and nets of so many readers.

    ``mux`` counts two-way multiplexers behind a LUT, ``copies`` how many such paths there are: the
    slowest of them counts.
    """
    chains = list(chains)
    amounts = {
        "register": 1.0,
        "level": float(levels),
        "chain": float(len(chains)),
        "carry": float(sum(chains)),
        "readers": sum(log2(max(1.0, one)) for one in readers),
        "mux": float(mux),
        "copies": log2(max(1.0, copies)),
        **blocks,
    }
    return Path(what, {name: amount for name, amount in amounts.items() if amount})


def paths(block: Block, plan: Plan) -> Iterator[Path]:
    """Yield the paths of a block that may be its longest."""
    bits = [plan.streams[name].bits for name in block.inputs]
    if isinstance(block, Segment):
        yield from _fifo(block, plan)
        yield from _issuer(block, bits[0])
        for place, pipe in enumerate(block.pipes):
            start = _source(block, plan) if place == 0 and block.issuer is None else _REGISTER
            yield from _pipe(pipe, start, plan.family)
    elif isinstance(block, Reorder):
        yield from _reorder(block, bits[0])
    elif isinstance(block, Unpack):
        yield path("unpack", 2, readers=[bits[0]])
    elif isinstance(block, Pack):
        yield path("pack", 2, readers=[bits[0] * block.ratio])


def plan_paths(plan: Plan) -> list[tuple[str, Path]]:
    """Return the paths of a design, each with the name of its block."""
    found = [(block.name, one) for block in plan.blocks for one in paths(block, plan)]
    return _spread([*found, *_port_paths(plan)], _size(plan))


def _port_paths(plan: Plan) -> Iterator[tuple[str, Path]]:
    for name in (*plan.inputs, *plan.outputs):
        yield name, path("frame", 1 + levels_of(clog2(plan.streams[name].beats)))


def block_speeds(plan: Plan) -> dict[str, Speed]:
    """Estimate every block that has a path, within its design; none of a family never fitted."""
    size = _size(plan)
    found = {
        block.name: _slowest(plan, _spread([(block.name, p) for p in paths(block, plan)], size))
        for block in plan.blocks
    }
    return {name: speed for name, speed in found.items() if speed is not None}


def plan_speed(plan: Plan, blocks: Mapping[str, Speed] | None = None) -> Speed | None:
    """Estimate a design whose ``blocks`` may be known; None for a family that was never fitted."""
    found = list((block_speeds(plan) if blocks is None else blocks).values())
    ports = _slowest(plan, _spread(_port_paths(plan), _size(plan)))
    return min([*found, ports], key=lambda speed: speed.fmax_mhz) if ports else None


def _size(plan: Plan) -> float:
    """Return how often a design is twice a small one: its cells lie that much further apart."""
    return log2(max(1.0, plan_area(plan).luts / SMALL))


def _spread(found: Iterable[tuple[str, Path]], size: float) -> list[tuple[str, Path]]:
    """Let every net know how large the design is."""
    return [(n, Path(p.what, {**p.amounts, "distance": p.nets * size})) for n, p in found]


def _slowest(plan: Plan, found: list[tuple[str, Path]]) -> Speed | None:
    delays = DELAYS.get(plan.family)
    if delays is None or not found:
        return None
    name, one = max(found, key=lambda pair: pair[1].delay_ns(delays))
    return Speed(1000.0 / one.delay_ns(delays), name, one.what)


def levels_of(inputs: float) -> int:
    """Return the levels of four-input LUTs behind which so many signals are one."""
    return 0 if inputs <= 1 else max(1, -(-(int(np.ceil(inputs)) - 1).bit_length() // 2))


@dataclass(frozen=True, slots=True)
class _Start:
    """LUTs and readers between a register and the inputs of what comes next."""

    levels: int = 0
    readers: tuple[float, ...] = ()


_REGISTER = _Start()


def _source(block: Segment, plan: Plan) -> _Start | None:
    """Return what is in front of the inputs of a block; None where only ports are.

    Nothing is known of what drives a port, so no tool counts a path that starts there.
    """
    names, found = set(block.inputs), None
    for before in reversed(plan.blocks):
        if not names & set(before.outputs):
            continue
        if isinstance(before, Fork):
            names |= set(before.inputs)
        elif isinstance(before, Segment):
            found = max(found or _REGISTER, _read(before, plan), key=lambda s: s.levels)
        else:
            found = found or _REGISTER
    return found


def _read(block: Segment, plan: Plan) -> _Start:
    if block.depth == 1:
        return _REGISTER
    bits = plan.streams[block.outputs[0]].bits
    banks = -(-block.depth // 16)
    return _Start(1 + levels_of(banks), (bits / (4 if block.depth > 2 else 1) * banks,))


# --- FIFOs, windows, line buffers ----------------------------------------------------------------


def _fifo(block: Segment, plan: Plan) -> Iterator[Path]:
    """Take the path from a count through what is taken to whether there is room."""
    count = clog2(block.depth)
    yield path("fifo", 3 if count <= 2 else 2 + levels_of(2 * count))


def _issuer(block: Segment, bits: int) -> Iterator[Path]:
    if isinstance(block.issuer, Lines):
        yield from _lines(block.issuer, bits)
    elif isinstance(block.issuer, Window):
        yield from _window(block.issuer, bits)


def _window(window: Window, bits: int) -> Iterator[Path]:
    count = clog2(3 * window.beats_in + window.depth) + 1
    address = clog2(window.depth)
    loops = (
        window.group_beats, *window.kernel, window.repeat, window.groups,
        window.out_width, window.out_height,
    )  # fmt: skip
    choice = levels_of(sum(n > 1 for n in loops)) if window.kept is None else 2
    # Where the read address goes next, added, and taken back at the end of the ring.
    wraps = window.depth & (window.depth - 1) != 0
    yield path("window address", choice + wraps, chains=[address] * (1 + wraps))
    yield path("window count", choice + 1, chains=[count])
    if any(window.padding):
        # Whether anything has arrived, hence whether to step, hence all that a step moves.
        begun = _compared(count, window.depth)
        yield path("window begun", 6 + (not begun), chains=[*begun, count])
        for size, kernel, dilation, pad, windows, stride in zip(
            (window.height, window.width), window.kernel, window.dilation, window.padding,
            (window.out_height, window.out_width), window.stride, strict=True,
        ):  # fmt: skip
            at = clog2(pad + size + (kernel - 1) * dilation + (windows - 1) * stride + 2) + 1
            outside = _compared(at, size)
            if window.kept is None:
                yield path("window edge", 3 + (not outside), chains=[at, *outside])
            elif kernel > 1:
                yield path("window tap", 6 + (not outside), chains=[*begun, at, *outside])
    if ram_blocks(window.depth, bits):
        yield path("ring", any(window.padding), ram=1, copies=bits)
    else:
        banks = -(-window.depth // 16)
        yield path("ring", 1 + levels_of(banks), readers=[bits / 4 * banks])


def _compared(bits: int, bound: int) -> list[int]:
    """Return the carry chain of a comparison with a constant; its zeros at the low end need none.

    A short one is a LUT more.
    """
    matter = bits - ((bound & -bound).bit_length() - 1)
    return [matter] if matter > NARROW_BITS else []


def _lines(lines: Lines, bits: int) -> Iterator[Path]:
    count = clog2((2 * lines.height + lines.rows + 1) * lines.width + 2) + 1
    yield path("lines count", 4, chains=[count])
    select = 1 + levels_of(2 * lines.rows)
    if ram_blocks(lines.width, bits):
        yield path("lines", select, ram=1, copies=bits * lines.kernel[0])
    else:
        yield path("lines", select, readers=[bits])


def _reorder(block: Reorder, bits: int) -> Iterator[Path]:
    words = len(block.order.beats)
    address = clog2(2 * block.order.length)
    yield path("reorder", 2, chains=[clog2(words)], readers=[address, words / 16 * address])


# --- pipes ---------------------------------------------------------------------------------------


def _pipe(pipe: Pipe, start: _Start | None, family: str) -> Iterator[Path]:
    if pipe.unit is not None:
        yield from _circuit(pipe, start, family)
        return
    yield from _MODULES.get(pipe.module, _simple)(pipe, dict(pipe.params), start)


def _circuit(pipe: Pipe, start: _Start | None, family: str) -> Iterator[Path]:
    """Take each stage by what the model of circuits says it takes between its registers."""
    assert pipe.unit is not None
    piped = with_moved_tables(pipe.unit.piped)
    model = replace(model_for(family), narrow_bits=NARROW_BITS, margin=1.0)
    nodes = Counter(piped.stages)
    for stage, time in Timing(piped.circuit, model).stage_times(piped.stages).items():
        before = _REGISTER if stage else start
        if before is not None:
            yield path(
                "circuit", before.levels, readers=before.readers,
                circuit=time - model.around_ns, copies=nodes[stage],
            )  # fmt: skip


def _product(x_w: int, w_w: int, copies: float) -> Path:
    if in_dsp(x_w, w_w):
        return path("product", dsp=1, copies=copies)
    narrow, wide = sorted((x_w, w_w))
    steps = clog2(narrow)
    return path(
        "product", 0 if steps else 1, chains=[wide + 2 * (n + 1) for n in range(steps)],
        readers=[wide] * max(1, steps), copies=copies,
    )  # fmt: skip


def _mac(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    pe, simd = given.get("PE", given.get("LANES", 1)), given.get("SIMD", 1)
    yield _product(factor_bits(given["X_W"], given["X_SIGNED"] == 1), given["W_W"], pe * simd)
    tree = given["X_W"] + given["W_W"] + clog2(simd)
    if simd > 1:
        yield path("sum tree", chains=[tree], copies=pe)
    yield path("accumulator", chains=[given["ACC_W"]], readers=[given["ACC_W"] * pe / 2], copies=pe)
    varied = len(pipe.roms) > 1 and pipe.roms[1].fields.shape[0] > 1
    shift = given["SHIFT_W"] if varied else 0
    yield path(
        "bias", shift, chains=[given["OUT_W"]] * (given["BIAS_W"] > 0),
        readers=[given["OUT_W"]] * shift, copies=pe,
    )  # fmt: skip
    for rom in pipe.roms:
        yield from _rom(rom)


def _requant(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    shift = max(0, given["SHIFT"])
    rounds = levels_of(shift) if given["ROUNDING"] == 2 else 0
    if start is not None:
        yield path(
        "round", start.levels + rounds, chains=[given["IN_W"] - shift] if shift else [],
        readers=start.readers, copies=pipe.lanes,
    )  # fmt: skip
    if not given["WRAP"]:
        above = max(1, given["IN_W"] - shift - given["OUT_W"])
        low = given["OUT_W"] - given["OUT_SIGNED"]
        uneven = given["HI"] < (1 << low) - 1 or given["LO"] > (-(1 << low)) * given["OUT_SIGNED"]
        yield path(
            "clip", levels_of(above) + 1 + uneven, chains=[given["OUT_W"]] if uneven else [],
            readers=[given["OUT_W"]] * (1 + uneven), copies=pipe.lanes,
        )  # fmt: skip


def _table(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    index = clog2(given["WORDS"])
    if start is not None:
        yield path("table index", start.levels, chains=[index], readers=start.readers)
    yield from _rom(pipe.roms[0], pipe.lanes, counted=False)


def _scale(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    yield _product(factor_bits(given["IN_W"], given["IN_SIGNED"] == 1), given["MULT_W"], pipe.lanes)
    yield path("scale", chains=[given["OUT_W"]], copies=pipe.lanes)
    yield from _rom(pipe.roms[0])


def _multiply(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    signed = given["A_SIGNED"] or given["B_SIGNED"]
    a_w, b_w = (given[f"{x}_W"] + bool(signed and not given[f"{x}_SIGNED"]) for x in "AB")
    yield _product(a_w, b_w, pipe.lanes)


def _simple(pipe: Pipe, given: Mapping[str, int], start: _Start | None) -> Iterator[Path]:
    """Count the modules of one operation: a carry chain, and a choice that goes to all bits."""
    chains, choices = SIMPLE.get(pipe.module, (1, 1))
    if pipe.module == "hwa_chansum" and given["SIMD"] > 1:
        start = _REGISTER  # of its adder tree
    if start is not None:
        yield path(
            pipe.module.removeprefix("hwa_"), start.levels + choices,
            chains=[pipe.width] * chains, readers=[*start.readers, *[pipe.width] * choices],
            copies=pipe.lanes,
        )  # fmt: skip


def _rom(rom: Rom, copies: int = 1, *, counted: bool = True) -> Iterator[Path]:
    """Take the path to what a ROM of LUTs holds.

    A count in front of it is part of that: Yosys puts the register of the address behind the ROM.
    """
    words, bits = rom.fields.shape[0], rom.word_bits
    if words == 1:
        return
    if rom_blocks(words, bits):
        yield path("rom", ram=1, copies=bits)
        return
    banks = -(-words // 16)
    yield path(
        "rom", 1 + counted, chains=[clog2(words)] * counted, mux=clog2(banks),
        readers=[bits * banks], copies=bits * copies,
    )  # fmt: skip


_Describe = Callable[[Pipe, Mapping[str, int], _Start | None], Iterator[Path]]
_MODULES: Mapping[str, _Describe] = {
    "hwa_mac": _mac, "hwa_mac_lanes": _mac, "hwa_requant": _requant, "hwa_table": _table,
    "hwa_scale": _scale, "hwa_multiply": _multiply,
}  # fmt: skip
