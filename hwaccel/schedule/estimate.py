"""Estimates of area: a formula for every part of a design, corrected by what synthesis made of it.

The formula of a part (``Pipe.area`` of an op, and those below) counts adders, multiplexers,
registers and memories in LUT4s. How many LUTs Yosys makes of them depends on the family and on what
it merges, so each kind of part has four numbers per family, fitted to synthesized designs by
``benchmarks/estimates/fit.py``: a factor and a constant, for LUTs and for registers. An estimate,
never a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hwaccel.ir.hardware import Area, Window, ram_memory
from hwaccel.ir.lines import Lines
from hwaccel.schedule.blocks import Block, Fork, Pack, Reorder, Segment
from hwaccel.schedule.plan import Plan


@dataclass(frozen=True, slots=True)
class Fit:
    """What synthesis makes of a kind of part: ``factor * formula + each``, LUTs and registers."""

    luts: float = 1.0
    each_luts: float = 0.0
    ffs: float = 1.0
    each_ffs: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a block: its kind, as fits name it, and what its formula says."""

    kind: str
    area: Area


def parts(block: Block, plan: Plan) -> Iterator[Part]:
    """Yield the parts of a block."""
    ins, outs = (
        [plan.streams[name].bits for name in names] for names in (block.inputs, block.outputs)
    )
    if isinstance(block, Segment):
        yield Part("fifo", Area(luts=16 + outs[0] * -(-block.depth // 16), ffs=12))
        for pipe in block.pipes:
            yield Part("circuit" if pipe.unit else pipe.module, pipe.area)
        if isinstance(block.issuer, Lines):
            yield Part("lines", _lines(block.issuer, ins[0]))
        elif block.issuer is not None:
            yield from _window(block.issuer, ins[0])
        elif len(ins) > 1:
            yield Part("join", Area(luts=4 * len(ins)))
    elif isinstance(block, Reorder):
        yield Part("reorder", Area(luts=max(*ins, *outs) // 2 + 8, ffs=max(*ins, *outs) + 8))
    elif isinstance(block, Fork):
        yield Part("fork", Area(luts=4 * len(outs), ffs=2 * len(outs)))
    else:
        bits = max(*ins, *outs)
        kind = "pack" if isinstance(block, Pack) else "unpack"
        yield Part(kind, Area(luts=bits // 2 + 8, ffs=bits + 8))


def block_area(block: Block, plan: Plan) -> Area:
    """Estimate one block."""
    fits = FITS.get(plan.family, {})
    luts = ffs = 0.0
    dsps = rams = 0
    for part in parts(block, plan):
        fit = fits.get(part.kind, _AS_IT_IS)
        luts += max(0.0, fit.luts * part.area.luts + fit.each_luts)
        ffs += max(0.0, fit.ffs * part.area.ffs + fit.each_ffs)
        dsps += part.area.dsps
        rams += part.area.rams
    return Area(round(luts), round(ffs), dsps, rams)


def plan_area(plan: Plan) -> Area:
    """Estimate a whole design."""
    return sum((block_area(block, plan) for block in plan.blocks), Area())


def _window(window: Window, bits: int) -> Iterator[Part]:
    yield Part("window", window.list_area + Area(luts=160, ffs=90 + bits))
    yield Part("ring", ram_memory(window.depth, bits))


def _lines(lines: Lines, bits: int) -> Area:
    """Estimate a line buffer: its window registers, the turning of rows, a memory per row."""
    height, width = lines.kernel
    window = height * width + height * (width - 1) * lines.dilation[1]
    ffs = bits * window + 80
    luts = height * bits * -(-2 * lines.rows // 3) + 90
    row = ram_memory(lines.width, bits)
    return sum([row] * lines.rows, Area(luts=luts, ffs=ffs))


_AS_IT_IS = Fit()
FITS: Mapping[str, Mapping[str, Fit]] = {}
