"""What a netlist is made of: the table of Yosys ``stat -json``, summed by kind of resource."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hwaccel.errors import ToolError
from hwaccel.synth.target import Family, Kind


@dataclass(frozen=True, slots=True)
class Utilization:
    """Resources of one netlist, as mapped (before packing).

    ``luts`` counts every LUT in use, those in carry chains and distributed RAM included;
    ``lut4_equivalents`` is the same in LUT4s, and None for families with larger LUTs.
    ``block_rams`` is in units of the family's smallest block (16 or 18 Kbit; 4 Kbit on iCE40), and
    so is ``dsps`` (on Gowin, where two multipliers of 9 bits make one of 18).
    ``cells`` is the full table, sorted by cell type.
    """

    luts: int
    lut4_equivalents: int | None
    ffs: int
    dsps: int
    block_rams: int
    distributed_rams: int
    carries: int
    cells: tuple[tuple[str, int], ...]

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """LUTs (LUT4s where the family is counted in them), registers, DSP blocks, block RAMs."""
        luts = self.luts if self.lut4_equivalents is None else self.lut4_equivalents
        return luts, self.ffs, self.dsps, self.block_rams


class _Design(msgspec.Struct):
    num_cells_by_type: dict[str, int] = {}


class _Stat(msgspec.Struct):
    design: _Design


def parse_stat(text: bytes, family: Family, top: str) -> Utilization:
    """Read ``stat -json``.

    Raises:
        ToolError: the text is no such table, or holds a cell the family does not have (a black
            box, a latch, or logic that was not mapped).
    """
    try:
        cells = msgspec.json.decode(text, type=_Stat).design.num_cells_by_type
    except msgspec.MsgspecError as error:
        raise ToolError(
            f"{top}: the statistics of yosys cannot be read ({error}); expected `stat -json` of "
            "Yosys 0.40 or later"
        ) from None
    return count_cells(cells, family, top)


def count_cells(cells: dict[str, int], family: Family, top: str) -> Utilization:
    """Sum the cells of a netlist by kind."""
    totals = dict.fromkeys(Kind, 0)
    luts = lut4s = 0
    for cell, number in cells.items():
        rule = family.rule(cell)
        if rule is None:
            raise ToolError(
                f"{top}: {number} x {cell} left in the netlist, which is no cell of {family.name}; "
                "give the source of that module, or describe the logic in synthesizable Verilog"
            )
        totals[rule.kind] += number * rule.units
        luts += number * rule.luts
        lut4s += number * rule.lut4s
    has_lut4s = any(rule.lut4s for rule in family.cells)
    return Utilization(
        luts=luts,
        lut4_equivalents=lut4s if has_lut4s else None,
        ffs=totals[Kind.FF],
        dsps=totals[Kind.DSP],
        block_rams=totals[Kind.BLOCK_RAM],
        distributed_rams=totals[Kind.DISTRIBUTED_RAM],
        carries=totals[Kind.CARRY],
        cells=tuple(sorted(cells.items())),
    )
