"""A design as standard cells: mapped, timed, simulated gate by gate, with its power."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwaccel import tools
from hwaccel.api import Design
from hwaccel.emit.project import work_folder
from hwaccel.errors import ConfigError, MismatchError, ToolError
from hwaccel.golden import Ints
from hwaccel.report.results import AsicRecord, save_result
from hwaccel.resources import rtl_file
from hwaccel.synth.activity import DEFAULT_ACTIVITY, Activity, read_activity
from hwaccel.synth.asic import MEMORY, Mapped, map_to_cells, write_models
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.gates import bench_netlist, read_gates
from hwaccel.synth.liberty import Library, read_library
from hwaccel.synth.opensta import Timing, analyse
from hwaccel.verify.result import SimResult
from hwaccel.verify.run import simulate

# ``asic`` takes the Liberty file it is given; the other is a library that Debian packages.
TARGETS = ("asic", "osu018")
TIMEOUT_S = 3600.0
_WAVES, _PATH = "activity.vcd", "critical_path.txt"
_MAX_MODELS = 1 << 26

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cells:
    """A library and, where its maker gives them, Verilog models of its cells."""

    library: Library
    models: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """A pin on the slowest path: the net behind it and the PyTorch layer that made the net."""

    cell: str
    type: str
    time_ns: float
    net: str
    layer: str


@dataclass(frozen=True, slots=True)
class Silicon:
    """What a design is as standard cells.

    ``path`` is the slowest one between registers. ``simulated`` is the run of the netlist; None
    where no frames were given.
    """

    mapped: Mapped
    timing: Timing
    clock_mhz: float
    path: tuple[Hop, ...]
    simulated: SimResult | None

    @property
    def fmax_mhz(self) -> float | None:
        """The highest clock; None where no path leads from register to register."""
        return self.timing.fmax_mhz(self.clock_mhz)


def cells_of(target: str, liberty: Path | None = None, models: Path | None = None) -> Cells:
    """Return the cells of a target: of ``asic`` those in a Liberty file, of others their own.

    Raises:
        ConfigError: the target is not one of ``TARGETS``, or a file is missing or not right.
        ToolError: the package with the library is not installed.
    """
    if target not in TARGETS:
        raise ConfigError(f"target {target!r} has no cells; choose one of {', '.join(TARGETS)}")
    if target == "asic":
        if liberty is None:
            raise ConfigError(
                "--target asic: needs the cells to map to; name a library with --liberty FILE.lib, "
                "or choose --target osu018"
            )
    elif liberty is not None or models is not None:
        raise ConfigError(
            f"--target {target}: has a library of its own; drop --liberty and --models, or choose "
            "--target asic"
        )
    else:
        folder = tools.require(target).path
        liberty, models = folder / f"{target}_stdcells.lib", folder / f"{target}_stdcells.v"
    return Cells(read_library(liberty), _text(models) if models is not None else None)


def _text(path: Path) -> str:
    from hwaccel.untrusted import Damaged, read_file

    try:
        return read_file(path, _MAX_MODELS).decode("ascii")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (Damaged, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: {error}; expected Verilog models of the cells, or nothing: models are then "
            "made of the functions in the Liberty file"
        ) from None


def to_cells(
    design: Design,
    cells: Cells,
    workdir: Path,
    *,
    clock_mhz: float | None = None,
    frames: Sequence[Ints] = (),
    macros: bool = False,
    seed: int = 1,
    progress: Progress = lambda _: None,
) -> Silicon:
    """Map a design to cells within ``workdir``, simulate ``frames`` in the netlist, and time it.

    With ``macros``, memories are left out of the cells: they have no area, no power, and no path
    through them is timed; in simulation the library's own module stands for each.
    Every bit of the outputs is compared with golden, and every frame's last cycle with the plan.

    Raises:
        ConfigError: the clock is impossible.
        MismatchError: the netlist computes or takes something else.
        ToolError: a tool is missing or fails, or the library lacks a cell.
    """
    clock = Clock("clk", design.config.clock_mhz if clock_mhz is None else clock_mhz)
    for tool in ("yosys-native", "sta", *(("iverilog", "vvp") if frames else ())):
        tools.require(tool)
    sources = write_sources(design.verilog(), workdir / "rtl")
    progress(f"Yosys: mapping {design.name} to {len(cells.library.cells)} cells")
    folder = workdir / "cells"
    mapped = map_to_cells(
        sources,
        design.name,
        cells.library,
        folder,
        clock_mhz=clock.frequency_mhz,
        macros=macros,
        timeout_s=TIMEOUT_S,
    )
    run: SimResult | None = None
    activities: tuple[Activity, ...] = ()
    if frames:
        progress(f"Icarus: {len(frames[0])} frames through {sum(n for _, n in mapped.cells)} cells")
        models = cells.models or write_models(design.name, folder, timeout_s=TIMEOUT_S).read_text()
        modelled = replace(cells, models=models)
        run = simulate_gates(design, mapped, modelled, frames, workdir / "icarus", seed=seed)
        gates = read_gates(mapped.netlist_json, design.name)
        activities = read_activity(workdir / "icarus" / _WAVES, gates, design.name)
    progress("OpenSTA: timing and power")
    constraints = Constraints((clock,))
    timing = analyse(mapped, constraints, activities=activities, timeout_s=TIMEOUT_S)
    path = _hops(design, mapped, timing)
    made = Silicon(mapped, timing, clock.frequency_mhz, path, run)
    (workdir / _PATH).write_text(path_text(made), encoding="utf-8")
    return made


def simulate_gates(
    design: Design,
    mapped: Mapped,
    cells: Cells,
    frames: Sequence[Ints],
    workdir: Path,
    *,
    idle: str = "none",
    backpressure: str = "none",
    seed: int = 1,
) -> SimResult:
    """Run frames through a netlist in Icarus; compare bits with golden and cycles with the plan.

    ``cells`` has the models of the cells in it.

    Registers begin at values drawn with ``seed``: what they hold in silicon is not known, but it
    is something. Begun as X, a reset that ABC made of ``q & !q`` would never end. The waves of all
    nets go to ``activity.vcd``.

    Raises:
        MismatchError: an output differs, or a frame ends in another cycle than the plan has it.
        ToolError: Icarus is missing, the run failed, or an output is unknown.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    files = {
        "cells.v": cells.models or "",
        f"{MEMORY}.v": rtl_file(MEMORY).read_text(encoding="ascii"),
        f"{design.name}_netlist.v": bench_netlist(
            mapped.netlist.read_text(), design.name, cells.library.register_pins, _WAVES, seed
        ),
    }
    run = simulate(
        files,
        design.netlist,
        frames,
        design.golden.raw(*frames),
        simulator="icarus",
        idle=idle,
        backpressure=backpressure,
        seed=seed,
        workdir=workdir,
    )
    if backpressure == "none":
        arrivals = dict(zip(design.plan.inputs, map(list, run.offered), strict=True))
        wanted = design.plan.timing(len(frames[0]), arrivals).finished()
        if run.finished != wanted:
            raise MismatchError(
                f"{design.name}: frames leave the netlist in cycles {run.finished[:4]}, expected "
                f"{wanted[:4]} as planned"
            )
    return run


def write_sources(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write Verilog and memory files into ``folder``; return the Verilog ones.

    Raises:
        ToolError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="ascii")
    except OSError as error:
        raise ToolError(f"{folder}: cannot be written ({error.strerror})") from None
    return [folder / name for name in sorted(files) if name.endswith(".v")]


# --- names ---------------------------------------------------------------------------------------


def _hops(design: Design, mapped: Mapped, timing: Timing) -> tuple[Hop, ...]:
    steps = timing.path[1:]  # the first is the clock
    gates = read_gates(mapped.netlist_json, mapped.top)
    names = gates.names(step.cell for step in steps)
    paths = {node.name: node.path or node.name for node in design.graph.nodes}
    hops = []
    for step in steps:
        net = next(iter(names[step.cell]), "")
        hops.append(Hop(step.cell, step.type, step.time_ns, net, layer_of(net, paths)))
    return tuple(hops)


def layer_of(net: str, paths: Mapping[str, str]) -> str:
    """Return the PyTorch path of the node after which the innermost part of a net is named.

    ``paths`` are PyTorch paths by name of node. ``""`` where no part names a node.
    """
    for part in reversed(net.split(".")):
        word = part.removeprefix("u_")
        found = [
            name for name in paths if word == name or word.startswith((f"{name}_", f"{name}["))
        ]
        if found:
            return paths[max(found, key=len)]
    return ""


def path_text(made: Silicon) -> str:
    """Return the slowest path for people: when each pin changes, its net and its layer."""
    if not made.path:
        return "no path leads from register to register\n"
    lines = [f"{'ns':>8}  {'cell':12}  {'layer':20}  net"]
    lines += [f"{h.time_ns:8.3f}  {h.type:12}  {h.layer or '-':20}  {h.net}" for h in made.path]
    slack = made.timing.setup_slack_ns or 0.0
    lines.append(
        f"slack {slack:.3f} ns at {made.clock_mhz:g} MHz; Fmax {made.fmax_mhz or 0:.1f} MHz"
    )
    return "\n".join(lines) + "\n"


# --- the command ---------------------------------------------------------------------------------


def synthesize_cells(
    design: Design,
    project: Path,
    target: str,
    *,
    liberty: Path | None = None,
    models: Path | None = None,
    clock_mhz: float | None = None,
    frames: Sequence[Ints] = (),
    macros: bool = False,
    seed: int = 1,
    progress: Progress = lambda _: None,
) -> AsicRecord:
    """Do what ``to_cells`` does within a project; save and return the record.

    Raises:
        ConfigError, MismatchError, ToolError: as ``cells_of`` and ``to_cells`` do.
    """
    clock = design.config.clock_mhz if clock_mhz is None else clock_mhz
    Clock("clk", clock)  # raises before anything is read
    cells = cells_of(target, liberty, models)
    workdir = work_folder(project, f"synth-{target}")
    made = to_cells(
        design,
        cells,
        workdir,
        clock_mhz=clock,
        frames=frames,
        macros=macros,
        seed=seed,
        progress=progress,
    )
    count = len(frames[0]) if frames else 0
    words = [f"hwaccel synth {project} --target {target} --clock-mhz {clock:g}"]
    words += [f"--liberty {liberty}"] if liberty else []
    words += [f"--models {models}"] if models else []
    words += ["--macros"] if macros else []
    words.append(f"--frames {count} --seed {seed}")
    record = _record(design, made, cells, target, " ".join(words), count)
    save_result(project, f"synth-{target}", record)
    return record


def _record(
    design: Design, made: Silicon, cells: Cells, target: str, command: str, frames: int
) -> AsicRecord:
    mapped, timing, run = made.mapped, made.timing, made.simulated
    versions = {"yosys": mapped.tool_version, "opensta": timing.tool_version}
    icarus = tools.find("iverilog") if run else None
    if icarus is not None:
        versions["iverilog"] = tools.version(icarus) or "unknown"
    return AsicRecord(
        design=design.hash,
        command=command,
        target=target,
        library=cells.library.name,
        area=mapped.area,
        register_area=mapped.register_area,
        gate_equivalents=mapped.gate_equivalents,
        kinds=dict(mapped.kinds),
        clock_mhz=made.clock_mhz,
        fmax_mhz=made.fmax_mhz,
        setup_slack_ns=timing.setup_slack_ns,
        hold_slack_ns=timing.hold_slack_ns,
        path_from=made.path[0].layer if made.path else "",
        path_to=made.path[-1].layer if made.path else "",
        power_w=timing.power.total_w,
        leakage_w=timing.power.leakage_w,
        frames=frames,
        cycles=run.cycles if run else 0,
        default_activity=None if timing.measured_activity else DEFAULT_ACTIVITY,
        macros=dict(mapped.macros),
        seconds=mapped.seconds + timing.seconds + (run.seconds if run else 0.0),
        tool_versions=versions,
    )


def cells_line(record: AsicRecord) -> str:
    """Return one line for the terminal."""
    ge = f" = {record.gate_equivalents:,.0f} GE" if record.gate_equivalents is not None else ""
    kinds = ", ".join(f"{number} {kind}" for kind, number in record.kinds.items())
    line = f"{record.target} ({record.library}): {record.area:,.0f} um2{ge} ({kinds})"
    if record.fmax_mhz is None:
        line += "; no path from register to register, so no Fmax"
    else:
        line += f"; Fmax {record.fmax_mhz:.1f} MHz before layout (asked for {record.clock_mhz:g})"
        ends = dict.fromkeys(filter(None, (record.path_from, record.path_to)))
        line += f", slowest in {' to '.join(ends)}" if ends else ""
    if record.hold_slack_ns is not None:
        line += f"; hold slack {record.hold_slack_ns:.3f} ns"
    how = (
        f"{record.default_activity:g} changes a net and cycle"
        if record.default_activity is not None
        else f"as {record.frames} frames switched it"
    )
    if record.power_w > record.leakage_w:
        line += f"; {1e3 * record.power_w:.2f} mW at {record.clock_mhz:g} MHz, {how}"
    else:
        line += "; the library states no power of switching"
    if record.macros:
        sizes = ", ".join(f"{number} of {size}" for size, number in record.macros.items())
        line += f"; without memories: {sizes} bits"
    if record.frames:
        line += f"; gate level: {record.frames} frames, 0 mismatches, cycles as predicted"
    return line
