"""Targets as data: which device, how the tools are told, and what each of its cells counts as."""

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
class Flow:
    """How open tools place, route and pack a family.

    Pins are written in ``language`` (the suffix of its files), which nextpnr is given with the
    words ``pin_flags``. It is told the clock in the same file, or by ``clock_flag``. Without the
    flag ``out_of_context``, the ports are taken out of the netlist instead: all but the clock, or
    all of them where nextpnr does not choose pins (``chooses_pins``). ``routed`` and ``bitstream``
    are the suffixes of what nextpnr writes with ``routed_flag`` and of what ``packer`` makes of it.
    ``untimed`` are patterns of cells of whose delays nextpnr knows nothing, or not all.
    """

    nextpnr: str
    language: str
    pin_flags: tuple[str, ...]
    routed_flag: str
    routed: str
    packer: str
    bitstream: str
    pack_flags: tuple[str, ...] = ("{routed}", "{bitstream}")
    clock_flag: str = ""
    out_of_context: str = ""
    chooses_pins: bool = True
    untimed: tuple[str, ...] = ()

    def is_untimed(self, cell: str) -> bool:
        """Tell whether paths through cells of this type are missing from the timing analysis."""
        return any(fnmatch.fnmatchcase(cell, pattern) for pattern in self.untimed)


@dataclass(frozen=True, slots=True)
class Family:
    """One FPGA family, as Yosys knows it.

    ``command`` is its synthesis pass; everything before its label ``first_label`` only reads the
    cell library and checks the hierarchy. ``soft_product_bits`` is the widest product for
    which the pass would not take a DSP block anyway. ``add3_map`` is the technology map of
    ``hwa_add3``, where its text is not what should be synthesized; ``last_map`` is one for the
    finished netlist. ``rom_luts`` is how ABC is told of the LUTs of a ROM, and ``lut_maps`` what
    makes cells of them; without, ROMs are mapped with all else. ``pads`` is the pass that puts pads
    at the ports, where nextpnr does not.
    ``flow`` is None where no open tool places and routes the family.
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
    last_map: str = ""
    rom_luts: str = ""
    lut_maps: str = ""
    pads: str = ""
    flow: Flow | None = field(default=None, repr=False)

    def rule(self, cell: str) -> CellRule | None:
        """Return what a cell type counts as, or None when it is not a cell of this family."""
        return next((r for r in self.cells if fnmatch.fnmatchcase(cell, r.pattern)), None)


@dataclass(frozen=True, slots=True)
class Target:
    """One device: what nextpnr and the packer are told of it, and how many pins its package has."""

    name: str
    family: Family = field(repr=False)
    part: str
    device_flags: tuple[str, ...] = ()
    pack_flags: tuple[str, ...] = ()
    user_pins: int = 0

    @property
    def flow(self) -> Flow | None:
        """How open tools place and route it; None where they do not."""
        return self.family.flow


_ECP5_FLOW = Flow(
    nextpnr="nextpnr-ecp5",
    language="lpf",
    pin_flags=("--lpf", "{file}", "--lpf-allow-unconstrained"),
    routed_flag="--textcfg",
    routed="config",
    packer="ecppack",
    bitstream="bit",
    out_of_context="--out-of-context",
)

# An ECP5 slice has two LUT4 and one two-bit carry cell made of them. Distributed RAM (16 words of 4
# bits) takes the four LUT4 of two slices and blocks the two of a third for its write port.
_ECP5 = Family(
    name="ecp5",
    command="synth_ecp5",
    first_label="coarse",
    no_dsp="-nodsp",
    no_block_ram="-nobram",
    techmap_defines="-D HWA_CCU2C",
    flow=_ECP5_FLOW,
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
        rom_luts="-luts 2:2,3,6:5,10,20",
        lut_maps="-map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
        cells=_XILINX_CELLS,
    )


_ICE40_FLOW = Flow(
    nextpnr="nextpnr-ice40",
    language="pcf",
    pin_flags=("--pcf", "{file}", "--pcf-allow-unconstrained"),
    routed_flag="--asc",
    routed="asc",
    packer="icepack",
    bitstream="bin",
    clock_flag="--freq",
)

_ICE40_CELLS = (
    CellRule("SB_LUT4", Kind.LUT, luts=1, lut4s=1),
    CellRule("SB_CARRY", Kind.CARRY),
    CellRule("SB_DFF*", Kind.FF),
    CellRule("SB_MAC16", Kind.DSP),
    CellRule("SB_RAM40_4K*", Kind.BLOCK_RAM),
    CellRule("SB_SPRAM256KA", Kind.BLOCK_RAM),
    CellRule("SB_GB", Kind.FREE),
)


def _ice40(name: str, speed: str, dsp: str) -> Family:
    """Return a branch of iCE40; UltraPlus is the one with DSP blocks, and the slow one."""
    return Family(
        name=name,
        command=f"synth_ice40 -device {speed}",
        first_label="flatten",
        use_dsp=dsp,
        no_block_ram="-nobram",
        soft_product_bits=10,
        flow=_ICE40_FLOW,
        cells=_ICE40_CELLS,
    )


_GOWIN_FLOW = Flow(
    nextpnr="nextpnr-himbaechel-gowin",
    language="cst",
    pin_flags=("--vopt", "cst={file}"),
    routed_flag="--write",
    routed="pnr.json",
    packer="gowin_pack",
    bitstream="fs",
    pack_flags=("-o", "{bitstream}", "{routed}"),
    clock_flag="--freq",
    chooses_pins=False,
    # nextpnr 0.11.1 has no arcs for multipliers, nor for the second address of dual-port memory
    # (YosysHQ/nextpnr#1803).
    untimed=("MULT*", "DP", "DPB", "DPX9", "DPX9B"),
)

# Distributed RAM takes the whole of a block of eight LUT4: four store, four cannot be used.
_GOWIN_CELLS = (
    CellRule("LUT[1-4]", Kind.LUT, luts=1, lut4s=1),
    CellRule("ALU", Kind.CARRY, luts=1, lut4s=1),
    CellRule("DFF*", Kind.FF),
    CellRule("MULT9X9", Kind.DSP),
    CellRule("MULT18X18", Kind.DSP, units=2),
    CellRule("MULT36X36", Kind.DSP, units=8),
    CellRule("SP", Kind.BLOCK_RAM),
    CellRule("SPX9", Kind.BLOCK_RAM),
    CellRule("SDP", Kind.BLOCK_RAM),
    CellRule("SDPB", Kind.BLOCK_RAM),
    CellRule("SDPX9", Kind.BLOCK_RAM),
    CellRule("SDPX9B", Kind.BLOCK_RAM),
    CellRule("DP", Kind.BLOCK_RAM),
    CellRule("DPB", Kind.BLOCK_RAM),
    CellRule("DPX9", Kind.BLOCK_RAM),
    CellRule("DPX9B", Kind.BLOCK_RAM),
    CellRule("pROM", Kind.BLOCK_RAM),
    CellRule("pROMX9", Kind.BLOCK_RAM),
    CellRule("RAM16SDP[124]", Kind.DISTRIBUTED_RAM, luts=8, lut4s=8),
    CellRule("MUX2_LUT[5-8]", Kind.FREE),
    CellRule("VCC", Kind.FREE),
    CellRule("GND", Kind.FREE),
    CellRule("GSR", Kind.FREE),
)


def _gowin(name: str) -> Family:
    return Family(
        name=name,
        command=f"synth_gowin -family {name} -noiopads",
        first_label="coarse",
        no_dsp="-nodsp",
        no_block_ram="-nobram",
        last_map="gowin_luts.v",
        pads="iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O",
        flow=_GOWIN_FLOW,
        cells=_GOWIN_CELLS,
    )


def _ecp5(size: str, package: str, pins: int) -> Target:
    """Return an LFE5U device in the package that has most pins, in the slowest speed grade."""
    flags = (f"--{size}k", "--package", package, "--speed", "6")
    return Target(f"ecp5-{size}k", _ECP5, f"LFE5U-{size}F-6{package}", flags, user_pins=pins)


def _gowin_device(name: str, part: str, die: str, pins: int) -> Target:
    """Return a Gowin device; ``die`` is what Apicula calls it."""
    flags = ("--device", part, "--vopt", f"family={die}")
    return Target(name, _gowin(name.split("-")[0]), part, flags, ("-d", die), pins)


TARGETS = (
    _ecp5("25", "CABGA381", 197),
    _ecp5("45", "CABGA554", 245),
    _ecp5("85", "CABGA756", 365),
    Target("xcup", _xilinx("xcup"), "xczu7ev-ffvc1156-2-e"),
    Target("xc7", _xilinx("xc7"), "xc7a100tcsg324-1"),
    Target(
        "ice40-up5k",
        _ice40("ice40", "u", "-dsp"),
        "iCE40UP5K-SG48",
        ("--up5k", "--package", "sg48"),
        user_pins=39,
    ),
    Target(
        "ice40hx-8k",
        _ice40("ice40hx", "hx", ""),
        "iCE40HX8K-CT256",
        ("--hx8k", "--package", "ct256"),
        user_pins=206,
    ),
    _gowin_device("gw1n-9c", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", 71),
    _gowin_device("gw2a-18", "GW2A-LV18PG256C8/I7", "GW2A-18", 207),
)
# Targets that are no device; see ``hwaccel.silicon``.
_CELLS = ("asic", "osu018")
# Names that stood in configurations before there was more than one device of the family.
_OLD_NAMES = {"ice40": "ice40-up5k"}


def check_target(name: str) -> None:
    """See that ``hwaccel synth`` can make ``name``, a device or cells.

    Raises:
        ConfigError: it cannot.
    """
    if name not in _CELLS:
        target(name)


def target(name: str) -> Target:
    """Return the target called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    wanted = _OLD_NAMES.get(name, name)
    for candidate in TARGETS:
        if candidate.name == wanted:
            return candidate
    if wanted in _CELLS:
        raise ConfigError(
            f"target {name!r}: has cells and is no device; use hwaccel.silicon, or hwaccel synth"
        )
    known = ", ".join([*(t.name for t in TARGETS), *_CELLS])
    raise ConfigError(f"target {name!r}: not known; choose one of {known}")
