"""A design behind the pins of a Tiny Tapeout tile: the files of the project, and how many tiles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwaccel.emit import env
from hwaccel.emit.netlist import Edge, Netlist, library_closure
from hwaccel.errors import ConfigError
from hwaccel.resources import rtl_file
from hwaccel.synth.asic import Mapped
from hwaccel.synth.constraints import Clock
from hwaccel.synth.liberty import Library
from hwaccel.synth.librelane import tile_config
from hwaccel.synth.names import checked_identifier

# Sizes that a project may have, and the area of their cores in um2 (sky130).
TILES = (
    ("1x1", 161.00 * 111.52),
    ("1x2", 161.00 * 225.76),
    ("2x2", 334.88 * 225.76),
    ("3x2", 508.76 * 225.76),
    ("4x2", 682.64 * 225.76),
    ("6x2", 1030.40 * 225.76),
    ("8x2", 1378.16 * 225.76),
)
# What cells may fill of a core, so that they can be placed and wired; the rest is theirs to grow.
DENSITY = 0.6
# Areas of sky130_fd_sc_hd in um2: nand2_1 and dfxtp_1.
_NAND2, _FLIP_FLOP = 3.7536, 20.0192
_WRAPPER = ("hwa_pack", "hwa_unpack", "hwa_frame_out")
_LONGEST = 200
_PINS = (
    *((f"ui[{i}]", f"in {i}") for i in range(8)),
    *((f"uo[{i}]", f"out {i}") for i in range(8)),
    *(("uio[0]", "in valid"), ("uio[1]", "in ready"), ("uio[2]", "out ready")),
    *(("uio[3]", "out valid"), ("uio[4]", "out last"), ("uio[5]", "frame error")),
    *(("uio[6]", ""), ("uio[7]", "")),
)


@dataclass(frozen=True, slots=True)
class About:
    """What people say of their project."""

    title: str
    author: str
    description: str
    top: str

    def __post_init__(self) -> None:
        for what, text in (
            ("title", self.title),
            ("author", self.author),
            ("description", self.description),
        ):
            if not text.strip() or len(text) > _LONGEST or not text.isprintable():
                raise ConfigError(
                    f"--{what}: expected 1 to {_LONGEST} printable characters on one line, found "
                    f"{text[:60]!r}"
                )
        checked_identifier(self.top, "--top")
        if not self.top.startswith("tt_um_") or self.top == "tt_um_":
            raise ConfigError(f"--top {self.top}: must begin with tt_um_, as in tt_um_name_network")


@dataclass(frozen=True, slots=True)
class TileJob:
    """All that the templates place; texts of people stand in quotes of YAML."""

    lines: tuple[str, ...]
    design: str
    hash: str
    top: str
    title: str
    author: str
    description: str
    clock_hz: int
    period_ns: float
    tiles: str
    area: str
    library: str
    sources: tuple[str, ...]
    pins: tuple[tuple[str, str], ...]
    driven: int
    in_prefix: str
    in_bits: int
    in_high: int
    in_bytes: int
    in_beats: int
    frame_in: int
    meaning_in: str
    out_prefix: str
    out_high: int
    out_bytes: int
    out_beats: int
    frame_out: int
    meaning_out: str


def wrapped(verilog: Mapping[str, str], job: TileJob) -> dict[str, str]:
    """Return the Verilog and memory files of ``src/``: the design and the pins around it."""
    modules = library_closure(_WRAPPER)
    library = {f"{m}.v": rtl_file(m).read_text(encoding="ascii") for m in modules}
    return {**library, **verilog, "project.v": env.render("tapeout/project.v.j2", job=job)}


def job_of(
    netlist: Netlist,
    design_hash: str,
    banner: Sequence[str],
    about: About,
    clock: Clock,
    sources: Sequence[str],
) -> TileJob:
    """Return what the templates place, but for the tiles, which are known when it is mapped.

    Raises:
        ConfigError: the design has more than one stream in or out, or the name of the wrapper.
    """
    if len(netlist.inputs) != 1 or len(netlist.outputs) != 1:
        raise ConfigError(
            f"{netlist.name}: has {len(netlist.inputs)} inputs and {len(netlist.outputs)} outputs; "
            "a tile has pins for one of each; join them in the model"
        )
    (x,), (y,) = netlist.inputs, netlist.outputs
    return TileJob(
        lines=tuple(banner),
        design=netlist.name,
        hash=design_hash,
        top=about.top,
        title=json.dumps(about.title, ensure_ascii=False),
        author=json.dumps(about.author, ensure_ascii=False),
        description=json.dumps(about.description, ensure_ascii=False),
        clock_hz=round(1e6 * clock.frequency_mhz),
        period_ns=clock.period_ns,
        tiles="",
        area="",
        library="",
        sources=tuple(sorted(name for name in sources if name.endswith(".v"))),
        pins=_PINS,
        driven=0b00111010,
        in_prefix=x.prefix,
        in_bits=x.axis_bits,
        in_high=x.axis_bits - 1,
        in_bytes=x.axis_bits // 8,
        in_beats=x.beats,
        frame_in=x.beats * x.axis_bits // 8,
        meaning_in=_meaning(x),
        out_prefix=y.prefix,
        out_high=y.axis_bits - 1,
        out_bytes=y.axis_bits // 8,
        out_beats=y.beats,
        frame_out=y.beats * y.axis_bits // 8,
        meaning_out=_meaning(y),
    )


def _meaning(edge: Edge) -> str:
    shape = "x".join(str(n) for n in edge.type.shape)
    return (
        f"a tensor of {shape} numbers {edge.type.fixed}, {edge.lanes} a beat, the first in the low "
        "bits"
    )


def project_files(
    job: TileJob,
    src: Mapping[str, str],
    clock: Clock,
    vectors: Sequence[tuple[bytes, bytes]],
    gates: Mapping[str, str],
) -> dict[str, str | bytes]:
    """Return every file of the project by its path. ``vectors`` are frames: bytes in and out."""
    frames = [{"in": list(given), "out": list(wanted)} for given, wanted in vectors]
    return {
        "info.yaml": env.render("tapeout/info.yaml.j2", job=job),
        "docs/info.md": env.render("tapeout/info.md.j2", job=job),
        "src/config.json": tile_config(clock),
        **{f"src/{name}": text for name, text in src.items()},
        "test/Makefile": env.render("tapeout/Makefile.j2", job=job),
        "test/tb.v": env.render("tapeout/tb.v.j2", job=job),
        "test/test.py": env.render("tapeout/test.py.j2", job=job),
        "test/requirements.txt": "cocotb>=2.0,<3\n",
        "test/vectors.json": json.dumps(frames) + "\n",
        **{f"gates/{name}": text for name, text in gates.items()},
    }


def sky130_area(mapped: Mapped, library: Library) -> float:
    """Estimate the area in sky130_fd_sc_hd of what was mapped to ``library``, in um2.

    Cells of that library itself have their own area. For another one, a flip-flop counts as one
    there, and logic by its area in two-input NANDs.

    Raises:
        ConfigError: the library has no two-input NAND to compare with.
    """
    if any(name.startswith("sky130_fd_sc_hd__") for name in library.cells):
        return mapped.area
    unit = library.nand2_area
    if unit is None:
        raise ConfigError(
            f"{library.name}: has no two-input NAND, so its areas cannot be compared with those of "
            "a tile; give the Liberty file of sky130_fd_sc_hd"
        )
    logic = (mapped.area - mapped.register_area) / unit * _NAND2
    return logic + mapped.count("flip-flop") * _FLIP_FLOP


def tiles_for(area: float, name: str) -> str:
    """Return the smallest size of project whose core holds cells of ``area`` um2.

    Raises:
        ConfigError: none does.
    """
    for size, core in TILES:
        if area <= DENSITY * core:
            return size
    size, core = TILES[-1]
    raise ConfigError(
        f"{name}: needs about {area:,.0f} um2 of cells; the largest project, {size} tiles, holds "
        f"{DENSITY * core:,.0f}; take fewer bits, layers or multipliers"
    )
