"""Synthesize Verilog with Yosys: write the script, run it, read back what it made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.staging import stage
from hwaccel.synth.target import Target
from hwaccel.synth.utilization import Utilization, parse_stat

_SCRIPT, _LOG, _STAT = "synth.ys", "yosys.log", "stat.json"
# Warnings after which the netlist may not do what the source says.
FATAL_WARNINGS = (
    "multiple conflicting drivers",
    "Latch inferred",
    "is used but has no driver",
    "found logic loop",
)
_REMEDIES = (
    ("Latch inferred", "give the signal a value on every path"),
    ("multiple conflicting drivers", "drive each net from one place"),
    ("has no driver", "connect the wire or remove it"),
    ("cannot be legalized", "give cells with flip-flops that store at an edge of the clock"),
    ("logic loop", "put a register into the loop"),
    ("is not part of the design", "pass the source of that module too"),
    ("Can not open file", "pass the file or its folder as `data`"),
)
_TECHMAPS = ("adders.v", "soft_mul.v")
# The adder of three numbers is read as a black box where the family has a map of its own for it.
_ADD3 = "hwa_add3.v"


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one synthesis run.

    ``keep_adders`` maps every adder to its own carry chain before Yosys can merge chains of
    them, and products without a DSP block to trees of such adders. Measured with Yosys 0.70 on
    ECP5, in LUT4 equivalents: a 16x16 constant matrix 7,051 -> 5,316 (and 14 % fewer cells after
    packing); sixteen 8x6-bit multiply-accumulate lanes without DSPs 6,248 -> 2,674. UltraScale+
    gains 12 %, iCE40 14 to 26 % on the same sources.

    ``delay_ps`` is how slow logic between registers may be; without it (``None``), Yosys's
    technology mapper (abc9) copies logic for the least depth everywhere: saturating 12 bits takes
    28 LUT4 instead of 9.
    """

    dsp: bool = True
    block_ram: bool = True
    keep_adders: bool = True
    delay_ps: int | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the top module and its value."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class SynthJob:
    """All that the script template places."""

    banner: str
    fatal_warnings: tuple[str, ...]
    sources: tuple[str, ...]
    boxes: tuple[str, ...]
    add3_map: str
    parameters: tuple[Parameter, ...]
    top: str
    synth: str
    first_label: str
    keep_adders: bool
    delay_ps: int | None
    techmap_defines: str
    soft_products: str
    last_map: str
    rom_luts: str
    lut_maps: str
    pads: str
    stat_file: str
    json_file: str
    padded_file: str
    verilog_file: str


@dataclass(frozen=True, slots=True)
class SynthResult:
    """A synthesized design: its area and its netlist, as JSON for nextpnr and as Verilog.

    ``padded_json`` is the netlist to put on pins of a package; nextpnr itself adds the pads of most
    families.
    """

    top: str
    target: Target
    utilization: Utilization
    netlist_json: Path
    padded_json: Path
    netlist_verilog: Path
    log: Path
    warnings: tuple[str, ...]
    seconds: float
    tool_version: str


def synthesize(
    sources: Sequence[Path],
    top: str,
    target: Target,
    workdir: Path,
    *,
    data: Sequence[Path] = (),
    options: Options | None = None,
    timeout_s: float | None = None,
) -> SynthResult:
    """Synthesize module ``top`` for ``target`` within ``workdir``.

    Memory images and headers beside a source come along; ``data`` names others.

    Raises:
        ConfigError: the top, a parameter or a file has an impossible name.
        ToolError: Yosys is missing, failed, took too long, or left latches, black boxes, or nets
            with several drivers or none.
    """
    job = plan(stage(sources, data, workdir), top, target, options or Options())
    yosys = tools.require("yosys")
    maps = [*_TECHMAPS, *([job.add3_map] if job.boxes else []), job.last_map]
    for name in filter(None, maps):
        (workdir / name).write_text(env.render(f"synth/{name}.j2"))
    script = env.render("synth/yosys.ys.j2", job=job)
    seconds = run_script(yosys, script, workdir, top, timeout_s=timeout_s)
    log = workdir / _LOG
    return SynthResult(
        top=top,
        target=target,
        utilization=parse_stat((workdir / _STAT).read_bytes(), target.family, top),
        netlist_json=workdir / job.json_file,
        padded_json=workdir / job.padded_file,
        netlist_verilog=workdir / job.verilog_file,
        log=log,
        warnings=_warnings(log),
        seconds=seconds,
        tool_version=tools.version(yosys) or "unknown",
    )


def run_script(
    yosys: tools.Tool,
    script: str,
    workdir: Path,
    top: str,
    *,
    name: str = _SCRIPT,
    timeout_s: float | None = None,
) -> float:
    """Run a script in ``workdir``, with its log beside it; return the seconds it took.

    Raises:
        ToolError: Yosys failed or took too long; the line says where and why.
    """
    (workdir / name).write_text(script)
    tools.warm(yosys)
    log = workdir / _LOG if name == _SCRIPT else (workdir / name).with_suffix(".log")
    done = tools.run(
        [*yosys.argv, "-q", "-p", f"tee -o {log.name} script {name}"],
        cwd=workdir,
        env=yosys.environ(),
        timeout_s=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(_explain(top, done.stderr or done.stdout, workdir, log))
    return done.seconds


def plan(sources: Sequence[str], top: str, target: Target, options: Options) -> SynthJob:
    """Return the data of the script for staged ``sources``."""
    family = target.family
    checked_identifier(top, "top module")
    flags = [family.use_dsp if options.dsp else family.no_dsp]
    flags.append("" if options.block_ram else family.no_block_ram)
    boxes = [name for name in sources if name == _ADD3 and family.add3_map and name != f"{top}.v"]
    small = f"t:$mul r:Y_WIDTH<={family.soft_product_bits} %i"
    return SynthJob(
        banner=f"Written by hwaccel {__version__} for {top} on {target.name}; do not edit.",
        fatal_warnings=FATAL_WARNINGS,
        sources=tuple(name for name in sources if name not in boxes),
        boxes=tuple(boxes),
        add3_map=family.add3_map,
        parameters=tuple(
            Parameter(checked_identifier(name, "parameter"), int(value))
            for name, value in sorted(options.parameters.items())
        ),
        top=top,
        synth=" ".join([family.command, *(flag for flag in flags if flag)]),
        first_label=family.first_label,
        keep_adders=options.keep_adders,
        delay_ps=options.delay_ps,
        techmap_defines=family.techmap_defines,
        soft_products=small if options.dsp else "",
        last_map=family.last_map,
        rom_luts=family.rom_luts,
        lut_maps=family.lut_maps,
        pads=family.pads,
        stat_file=_STAT,
        json_file=f"{top}.json",
        padded_file=f"{top}_pads.json" if family.pads else f"{top}.json",
        verilog_file=f"{top}_netlist.v",
    )


def _warnings(log: Path) -> tuple[str, ...]:
    """Return each warning once, in order."""
    lines = log.read_text(errors="replace").splitlines()
    return tuple(dict.fromkeys(line for line in lines if "Warning: " in line))


def _explain(top: str, output: str, workdir: Path, log: Path) -> str:
    """Return one line that says where and why synthesis stopped."""
    line = tools.meaningful_line(output) or "no output"
    where = re.match(r"([^:\s]+):(\d+): ERROR:\s*System task `\$finish' executed", line)
    if where:
        line = f"{where[1]}:{where[2]}: {_parameter_check(workdir / where[1], int(where[2]))}"
    remedy = next((f"; {cure}" for sign, cure in _REMEDIES if sign in line), "")
    return f"{top}: yosys stopped: {line}{remedy} (log: {log})"


def _parameter_check(source: Path, line: int) -> str:
    """Return what a parameter check of our RTL library wanted, read from its ``$display``."""
    lines = source.read_text(errors="replace").splitlines()[max(0, line - 3) : line]
    texts = re.findall(r'\$display\("(?:hwa: %m: )?([^"]*)"', "\n".join(lines))
    wanted = (
        texts[-1].replace("%0d", "<value>")
        if texts
        else "a $finish in an initial block was reached"
    )
    return f"illegal parameter: {wanted}; correct it where the module is instantiated"
