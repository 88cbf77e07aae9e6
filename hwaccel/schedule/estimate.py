"""Estimates of area: what a design is made of, and what synthesis makes of that.

Every block is counted in terms: bits of a multiplexer, cells of a multiplier, bits of a memory. A
family has two numbers for each term, LUTs and registers per unit, fitted to synthesized designs by
``benchmarks/estimates/fit.py``; a term of amount 1 is what a module has once, whatever its size.
A circuit comes with an estimate of its own (``hwaccel.circuit.cost``). Nothing here is a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from hwaccel.circuit.node import Input
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import (
    ECP5,
    FABRICS,
    Area,
    Fabric,
    Fold,
    Pipe,
    Rom,
    Window,
    is_registers,
    ram_blocks,
    rom_blocks,
)
from hwaccel.ir.lines import Lines
from hwaccel.ops.family import clog2, factor_bits, in_dsp
from hwaccel.schedule.blocks import Block, Fork, Pack, Reorder, Segment
from hwaccel.schedule.fits import FITS, Cost
from hwaccel.schedule.plan import Plan


class Term(NamedTuple):
    """An amount of something that takes LUTs, registers or both, and the blocks that it takes."""

    name: str
    luts: float = 0
    ffs: float = 0
    dsps: int = 0
    rams: int = 0


def terms(block: Block, plan: Plan) -> Iterator[Term]:
    """Yield the terms of a block, a name possibly more than once."""
    ins, outs = (
        [plan.streams[name].bits for name in names] for names in (block.inputs, block.outputs)
    )
    fabric = FABRICS.get(plan.family, ECP5)
    if isinstance(block, Segment):
        yield from _fifo(_living(block, outs[0]), block.depth, fabric)
        for pipe in block.pipes:
            yield from _pipe(pipe, fabric)
        if isinstance(block.issuer, Lines):
            yield from _lines(block.issuer, ins[0], block.pipes[0], fabric)
        elif block.issuer is not None:
            yield from _window(block.issuer, ins[0], fabric)
        else:
            yield Term("issue", 1, 1)
            yield Term("join", len(ins) - 1, len(ins) - 1)
    elif isinstance(block, Reorder):
        yield from _reorder(block, ins[0], fabric)
    elif isinstance(block, Fork):
        yield Term("fork", len(outs), len(outs))
    else:
        kind = "pack" if isinstance(block, Pack) else "unpack"
        yield Term(kind, 1, 1)
        yield Term(f"{kind} bits", max(*ins, *outs), max(*ins, *outs))


def edge_terms(plan: Plan) -> Iterator[Term]:
    """Yield the terms of what counts beats at the edge of a design, and its ``tlast``."""
    for name in (*plan.inputs, *plan.outputs):
        yield from _end(plan.streams[name].beats)


def _end(beats: int) -> Iterator[Term]:
    yield Term("frame", 1, 1)
    yield Term("frame count", clog2(beats), clog2(beats))


def block_area(block: Block, plan: Plan) -> Area:
    """Estimate one block."""
    return _area(terms(block, plan), plan.family)


def end_area(beats: int, family: str) -> Area:
    """Estimate what counts the beats of one input or output."""
    return _area(_end(beats), family)


def edge_area(plan: Plan) -> Area:
    """Estimate what belongs to no block: the counters at the inputs and the outputs."""
    edges = (plan.streams[name] for name in (*plan.inputs, *plan.outputs))
    return sum((end_area(edge.beats, plan.family) for edge in edges), Area())


def plan_area(plan: Plan) -> Area:
    """Estimate a whole design."""
    return sum((block_area(block, plan) for block in plan.blocks), edge_area(plan))


def _area(some: Iterable[Term], family: str) -> Area:
    costs = {**FITS["ecp5"], **FITS.get(family, {})}
    luts = ffs = 0.0
    dsps = rams = 0
    for term in some:
        cost = costs.get(term.name, _WHOLE)
        luts += cost.luts * term.luts
        ffs += cost.ffs * term.ffs
        dsps += term.dsps
        rams += term.rams
    return Area(round(luts), round(ffs), dsps, rams)


def _living(segment: Segment, bits: int) -> int:
    """Return the bits of a beat that are not zeros or copies of a sign."""
    if not segment.pipes or segment.pipes[-1].module != "hwa_concat":
        return bits
    given = dict(segment.pipes[-1].params)
    return min(bits, given["LANES_A"] * given["A_W"] + given["LANES_B"] * given["B_W"])


def _fifo(bits: int, depth: int, fabric: Fabric) -> Iterator[Term]:
    yield Term("fifo", 1, 1)
    yield Term("fifo count", clog2(depth), clog2(depth))
    if is_registers(depth, bits, fabric):
        yield Term("fifo registers", bits * (depth - 1), bits * depth)
    else:
        yield _memory("fifo ram", depth, bits, fabric)


def _pipe(pipe: Pipe, fabric: Fabric) -> Iterator[Term]:
    if pipe.unit is not None:
        area = pipe.area
        yield Term("circuit", area.luts, area.ffs, area.dsps, area.rams)
        yield Term("circuit once", 1, 1)
        return
    made = {
        "hwa_mac": _mac, "hwa_mac_lanes": _mac, "hwa_requant": _requant, "hwa_table": _table,
        "hwa_scale": _scale,
    }  # fmt: skip
    name = pipe.module.removeprefix("hwa_")
    yield Term(f"{name} once", 1, 1)
    if pipe.module in made:
        yield from made[pipe.module](pipe, dict(pipe.params), fabric)
    else:
        yield Term(name, pipe.area.luts, pipe.area.ffs, pipe.area.dsps, pipe.area.rams)


def _mac(pipe: Pipe, given: Mapping[str, int], fabric: Fabric) -> Iterator[Term]:
    pe, simd = given.get("PE", given.get("LANES", 1)), given.get("SIMD", 1)
    product, count = given["X_W"] + given["W_W"], pe * simd
    weights, *channels = pipe.roms
    fixed = weights.fields.shape[0] == 1  # one word is no memory, and its products are sums
    pack = given.get("PACK", 1)
    if in_dsp(factor_bits(given["X_W"], bool(given["X_SIGNED"])), given["W_W"]):
        dsps = Fold(pe, simd, pack=pack).multipliers
        yield Term("dsp registers", ffs=product * count, dsps=dsps)
    else:
        soft = given["X_W"] * given["W_W"] * count
        yield Term("fixed products" if fixed else "products", soft)
        yield Term("product registers", ffs=product * count)
    if pack > 1:
        yield Term("unpacking", product * count)
    tree, width, left = 0, product, simd
    while left > 1:
        width, tree, left = width + 1, tree + left // 2 * (width + 1), left - left // 2
    yield Term("sum tree", tree * pe, tree * pe)
    yield Term("accumulator", given["ACC_W"] * pe, given["ACC_W"] * pe)
    yield Term("bias", given["OUT_W"] * pe * (given["BIAS_W"] > 0), given["OUT_W"] * pe)
    varied = bool(channels) and channels[0].fields.shape[0] > 1
    yield Term("channel shift", given["OUT_W"] * pe * given["SHIFT_W"] * varied)
    yield Term("mac input", ffs=given["X_W"] * simd)
    for rom in pipe.roms:
        yield from _rom(rom, fabric)


def _requant(pipe: Pipe, given: Mapping[str, int], fabric: Fabric) -> Iterator[Term]:
    yield Term("requant in", given["IN_W"] * pipe.lanes, given["IN_W"] * pipe.lanes)
    yield Term("requant out", pipe.width * pipe.lanes, pipe.width * pipe.lanes)
    clipped = max(0, given["IN_W"] - max(0, given["SHIFT"])) * (not given["WRAP"])
    yield Term("clip", clipped * pipe.lanes)


def _table(pipe: Pipe, given: Mapping[str, int], fabric: Fabric) -> Iterator[Term]:
    (rom,) = pipe.roms
    index = clog2(given["WORDS"]) * pipe.lanes
    yield Term("table index", index, index)
    for term in _rom(rom, fabric):
        yield term._replace(
            luts=term.luts * pipe.lanes, ffs=term.ffs * pipe.lanes, rams=term.rams * pipe.lanes
        )


def _scale(pipe: Pipe, given: Mapping[str, int], fabric: Fabric) -> Iterator[Term]:
    bits = given["OUT_W"] * pipe.lanes
    yield Term("scale", bits, bits, pipe.area.dsps)
    yield from _rom(pipe.roms[0], fabric)


def _rom(rom: Rom, fabric: Fabric = ECP5) -> Iterator[Term]:
    """Count LUTs full of words that are neither constant nor the same as another's."""
    words, bits = rom.fields.shape[0], rom.word_bits
    if words == 1:
        return
    address = clog2(words)
    yield Term("rom address", address, address)
    blocks = rom_blocks(words, bits, fabric)
    if blocks:
        yield Term("rom registers", ffs=bits, rams=blocks)
        return
    widths = np.resize(rom.widths, rom.fields.shape[1])
    columns = np.concatenate(
        [(rom.fields.a[:, [i]] >> np.arange(width)) & 1 for i, width in enumerate(widths)], axis=1
    ).astype(np.uint8)
    distinct = 0
    for start in range(0, words, fabric.lut_words):
        chunk = columns[start : start + fabric.lut_words]
        packed = np.packbits(chunk ^ chunk[:1], axis=0)  # a column and its complement are one
        distinct += np.unique(packed[:, packed.any(axis=0)], axis=1).shape[1]
    yield Term("rom", distinct, min(bits, distinct))
    yield Term("rom choice", bits * (-(-words // fabric.free_words) - 1))


def _window(window: Window, bits: int, fabric: Fabric) -> Iterator[Term]:
    counts = [window.out_height, window.out_width]
    if window.kept is None:  # otherwise a list is read instead
        counts += [window.groups, window.repeat, *window.kernel, window.group_beats]
    counts = [n for n in counts if n > 1]
    counted, address = sum(map(clog2, counts)), clog2(window.beats_in)
    yield Term("window", 1, 1)
    yield Term("window loops", len(counts), len(counts))
    yield Term("window count", counted, counted)
    yield Term("window address", address, address)
    if any(window.padding):
        yield Term("window edge", bits + address, address)
    yield _memory("ring", window.depth, bits, fabric)
    if window.kept is not None:
        area = window.listed(fabric)
        yield Term("window list", area.luts, area.ffs, area.dsps, area.rams)


def _lines(lines: Lines, bits: int, pipe: Pipe, fabric: Fabric) -> Iterator[Term]:
    """Count the taps that the circuit reads; the registers of others are never made."""
    assert pipe.unit is not None
    circuit, (kh, kw) = pipe.unit.piped.circuit, lines.kernel
    used = [bool(readers) for readers in circuit.uses()]
    for output in circuit.outputs:
        used[output] = True
    indices = [n.index for i, n in enumerate(circuit.nodes) if isinstance(n, Input) and used[i]]
    channels = len(circuit.inputs) // (kh * kw)
    live = np.zeros(kh * kw * channels, dtype=bool)
    live[indices] = True
    width = bits // channels
    columns = (kw - 1 - np.arange(kw)) * lines.dilation[1]
    past = (live.reshape(kh, kw, channels) * columns[None, :, None]).max(axis=1).sum()
    taps = int(live.sum()) * width
    yield Term("lines", 1, 1)
    count = clog2((2 * lines.height + lines.rows + 1) * lines.width + 2) + 1
    yield Term("lines count", count, count)
    yield Term("lines rows", lines.rows * kh, lines.rows * (kh + 2))
    yield Term("lines past", ffs=int(past) * width)
    yield Term("lines window", taps if any(lines.padding) else 0, taps)
    yield Term("lines turn", kh * bits * -(-2 * lines.rows // 3))
    row = _memory("lines ram", lines.width, bits, fabric)
    yield row._replace(
        luts=row.luts * lines.rows, ffs=row.ffs * lines.rows, rams=row.rams * lines.rows
    )


def _reorder(block: Reorder, bits: int, fabric: Fabric) -> Iterator[Term]:
    order = block.order
    address = clog2(2 * order.length)
    yield Term("reorder", 1, 1)
    yield Term("reorder address", address, address)
    beats = IntArray(np.array(order.beats, dtype=np.int64)[:, None])
    yield from _rom(Rom("ORDER", beats, (address,)), fabric)
    yield _memory("reorder ram", 2 * order.length, bits, fabric)


def _memory(name: str, words: int, bits: int, fabric: Fabric) -> Term:
    """Count a memory that is written and read: block RAM, or a piece of one made of LUTs."""
    blocks = ram_blocks(words, bits, fabric)
    if blocks:
        return Term(f"{name} blocks", ffs=bits, rams=blocks)
    deep, wide = fabric.piece(words)
    return Term(name, -(-bits // wide) * fabric.piece_luts * -(-words // deep), bits)


# Of a term that was never fitted: as much as it says.
_WHOLE = Cost(1.0, 1.0)
