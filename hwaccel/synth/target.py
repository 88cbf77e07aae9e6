"""Targets as data: which device, how Yosys is told, and what each of its cells counts as."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from enum import Enum

from hwaccel.errors import ConfigError


class Kind(Enum):
    """What a cell of a netlist is made of."""

    LUT = "lut"
    FF = "ff"
    CARRY = "carry"
    DSP = "dsp"
    BLOCK_RAM = "block_ram"
    DISTRIBUTED_RAM = "distributed_ram"
    # Multiplexers and inverters inside a slice, constants, clock buffers: no area of their own.
    FREE = "free"


@dataclass(frozen=True, slots=True)
class CellRule:
    """How many resources one cell takes. ``pattern`` is a shell pattern for its type."""

    pattern: str
    kind: Kind
    luts: int = 0
    lut4s: int = 0
    units: int = 1


@dataclass(frozen=True, slots=True)
class Family:
    """One FPGA family, as Yosys knows it.

    ``command`` is its synthesis pass; everything before its label ``first_label`` only reads the
    cell library and checks the hierarchy. ``soft_product_bits`` is the widest product for
    which the pass would not take a DSP block anyway. ``add3_map`` is the technology map of
    ``hwa_add3``, where its text is not what should be synthesized.
    """

    name: str
    command: str
    first_label: str
    cells: tuple[CellRule, ...]
    use_dsp: str = ""
    no_dsp: str = ""
    no_block_ram: str = ""
    soft_product_bits: int = 8
    techmap_defines: str = ""
    add3_map: str = ""

    def rule(self, cell: str) -> CellRule | None:
        """Return what a cell type counts as, or None when it is not a cell of this family."""
        return next((r for r in self.cells if fnmatch.fnmatchcase(cell, r.pattern)), None)


@dataclass(frozen=True, slots=True)
class Target:
    """One device. Without ``pnr_device`` there is no open place and route for it."""

    name: str
    family: Family = field(repr=False)
    part: str
    pnr_device: str = ""
    package: str = ""
    speed: str = ""
    user_pins: int = 0


# An ECP5 slice has two LUT4 and one two-bit carry cell made of them. Distributed RAM (16 words of 4
# bits) takes the four LUT4 of two slices and blocks the two of a third for its write port.
_ECP5 = Family(
    name="ecp5",
    command="synth_ecp5",
    first_label="coarse",
    no_dsp="-nodsp",
    no_block_ram="-nobram",
    techmap_defines="-D HWA_CCU2C",
    cells=(
        CellRule("LUT4", Kind.LUT, luts=1, lut4s=1),
        CellRule("CCU2C", Kind.CARRY, luts=2, lut4s=2),
        CellRule("TRELLIS_FF", Kind.FF),
        CellRule("TRELLIS_DPR16X4", Kind.DISTRIBUTED_RAM, luts=6, lut4s=6),
        CellRule("MULT18X18D", Kind.DSP),
        CellRule("ALU54B", Kind.DSP),
        CellRule("DP16KD", Kind.BLOCK_RAM),
        CellRule("PDPW16KD", Kind.BLOCK_RAM),
        CellRule("PFUMX", Kind.FREE),
        CellRule("L6MUX21", Kind.FREE),
        CellRule("V[HL][IO]", Kind.FREE),
        CellRule("GSR", Kind.FREE),
    ),
)

_XILINX_CELLS = (
    CellRule("LUT[1-6]", Kind.LUT, luts=1),
    CellRule("LUT6_2", Kind.LUT, luts=1),
    CellRule("INV", Kind.LUT, luts=1),
    CellRule("SRL16E", Kind.LUT, luts=1),
    CellRule("SRLC32E", Kind.LUT, luts=1),
    CellRule("CARRY[48]", Kind.CARRY),
    CellRule("FD[RSCP]E", Kind.FF),
    CellRule("FD[RSCP]E_1", Kind.FF),
    CellRule("DSP48E[12]", Kind.DSP),
    CellRule("RAMB18E[12]", Kind.BLOCK_RAM),
    CellRule("RAMB36E[12]", Kind.BLOCK_RAM, units=2),
    CellRule("URAM288*", Kind.BLOCK_RAM, units=16),
    CellRule("RAM32X1[SD]", Kind.DISTRIBUTED_RAM, luts=2),
    CellRule("RAM64X1[SD]", Kind.DISTRIBUTED_RAM, luts=2),
    CellRule("RAM128X1[SD]", Kind.DISTRIBUTED_RAM, luts=4),
    CellRule("RAM256X1[SD]", Kind.DISTRIBUTED_RAM, luts=8),
    CellRule("RAM512X1S", Kind.DISTRIBUTED_RAM, luts=8),
    CellRule("RAM32M", Kind.DISTRIBUTED_RAM, luts=4),
    CellRule("RAM64M", Kind.DISTRIBUTED_RAM, luts=4),
    CellRule("RAM32M16", Kind.DISTRIBUTED_RAM, luts=8),
    CellRule("RAM64M8", Kind.DISTRIBUTED_RAM, luts=8),
    CellRule("MUXF[789]", Kind.FREE),
    CellRule("VCC", Kind.FREE),
    CellRule("GND", Kind.FREE),
    CellRule("BUFG*", Kind.FREE),
)


def _xilinx(name: str) -> Family:
    return Family(
        name=name,
        # Out of context: no pads, no clock buffers; Vivado adds them where they are wanted.
        command=f"synth_xilinx -family {name} -flatten -noiopad -noclkbuf",
        first_label="prepare",
        no_dsp="-nodsp",
        no_block_ram="-nobram",
        add3_map="add3_xilinx.v",
        cells=_XILINX_CELLS,
    )


_ICE40 = Family(
    name="ice40",
    command="synth_ice40",
    first_label="flatten",
    use_dsp="-dsp",
    no_block_ram="-nobram",
    soft_product_bits=10,
    cells=(
        CellRule("SB_LUT4", Kind.LUT, luts=1, lut4s=1),
        CellRule("SB_CARRY", Kind.CARRY),
        CellRule("SB_DFF*", Kind.FF),
        CellRule("SB_MAC16", Kind.DSP),
        CellRule("SB_RAM40_4K*", Kind.BLOCK_RAM),
        CellRule("SB_SPRAM256KA", Kind.BLOCK_RAM),
        CellRule("SB_GB", Kind.FREE),
    ),
)


def _ecp5(size: str, package: str, pins: int) -> Target:
    """Return an LFE5U device in the package that has most pins, in the slowest speed grade."""
    part = f"LFE5U-{size}F-6{package}"
    return Target(f"ecp5-{size}k", _ECP5, part, f"--{size}k", package, "6", pins)


TARGETS = (
    _ecp5("25", "CABGA381", 197),
    _ecp5("45", "CABGA554", 245),
    _ecp5("85", "CABGA756", 365),
    Target("xcup", _xilinx("xcup"), "xczu7ev-ffvc1156-2-e"),
    Target("xc7", _xilinx("xc7"), "xc7a100tcsg324-1"),
    Target("ice40", _ICE40, "iCE40UP5K"),
)


def target(name: str) -> Target:
    """Return the target called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    for candidate in TARGETS:
        if candidate.name == name:
            return candidate
    known = ", ".join(t.name for t in TARGETS)
    raise ConfigError(f"target {name!r}: not known; choose one of {known}")
