"""Commands that make a design from a model and work on the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from hwaccel.api import Design, load
from hwaccel.cli.console import Seed, Weights, err, hardware_of, out, printable, say, steps, wide
from hwaccel.config import override
from hwaccel.errors import ConfigError
from hwaccel.report.text import every

if TYPE_CHECKING:
    from hwaccel.frontend.losses import Loss

Project = Annotated[Path, typer.Argument(help="Folder written by hwaccel convert.")]
Frames = Annotated[int, typer.Option(min=1, help="Random frames to run.")]
Data = Annotated[
    list[Path] | None,
    typer.Option(help=".npy file of numbers, once for each input, or one .npz file."),
]


def convert(
    model: Annotated[
        str,
        typer.Argument(
            help="model.pt2 (torch.export.save), model.onnx, or package.module:factory."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Project folder to write.")] = Path(
        "build"
    ),
    weights: Weights = None,
    example: Annotated[
        list[str] | None,
        typer.Option(
            help="Input shape with batch, like 1x3x32x32, or a .npy file; once for each input."
        ),
    ] = None,
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            help=".npy file with representative inputs, once for each input, or one .npz file."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of options.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the top module.")] = None,
    weight_bits: Annotated[int | None, typer.Option(help="Bits per weight.")] = None,
    activation_bits: Annotated[int | None, typer.Option(help="Bits per activation.")] = None,
    input_format: Annotated[
        str | None, typer.Option("--input", help="Format of the input stream, like u8.8.")
    ] = None,
    target_interval: Annotated[
        int | None, typer.Option(help="Clock cycles per frame to reach.")
    ] = None,
    multipliers: Annotated[int | None, typer.Option(help="Multipliers to spend.")] = None,
    clock_mhz: Annotated[float | None, typer.Option(help="Clock to constrain for.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Device whose delays and LUTs decide, like ecp5-85k.")
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help="stream, pixel (a pixel per clock), spatial (a frame per clock), auto."),
    ] = None,
    latency: Annotated[
        int | None, typer.Option(help="Clock cycles of each part that is laid out in logic.")
    ] = None,
    effort: Annotated[
        str | None, typer.Option(help="Search for small adder graphs: fast, normal or high.")
    ] = None,
    dump_ir: Annotated[
        Path | None, typer.Option(help="Folder for the graph after every pass that changed it.")
    ] = None,
) -> None:
    """Turn a model into Verilog, HLS C++, CUDA, benches and constraints."""
    from hwaccel import inputs, stages
    from hwaccel.api import convert as convert_model
    from hwaccel.emit.project import check_folder

    overrides = {
        "name": name,
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "input": input_format,
        "target_interval": target_interval,
        "multipliers": multipliers,
        "clock_mhz": clock_mhz,
        "target": target,
        "style": style,
        "latency": latency,
        "effort": effort,
    }
    chosen = override(hardware_of(config), overrides)
    check_folder(output)
    with steps("reading the model") as step:
        loaded = inputs.read_model(model, weights)
        shown = inputs.read_examples(example) if example else None
        given = tuple(array for _, array in inputs.read_arrays(calibration or ()))
        data = given or inputs.stand_in(loaded, shown)
        if not given:
            err.print(
                "no --calibration: formats follow 64 random frames, so accuracy will suffer",
                style="yellow",
            )
        losses: list[Loss] = []
        design = convert_model(
            loaded, shown, calibration=data, config=chosen, progress=step, dump_ir=dump_ir,
            observer=losses.extend,
        )  # fmt: skip
        step("writing the project")
        design.write(output)
        stages.keep_losses(design, output, losses)
    _print_design(design, output)


def _print_design(design: Design, folder: Path) -> None:
    timing = design.plan.timing()
    table = Table(title=f"{design.name} (design {design.hash})", title_justify="left")
    for column in ("segment", "operation", "fold", "cycles", "format"):
        table.add_column(column)
    titles = {}
    for segment in design.plan.segments:
        nodes = [n for n in design.graph.nodes if n.name in segment.nodes]
        if nodes:
            titles[segment.name] = printable(nodes[0].path or nodes[0].name)
            table.add_row(
                titles[segment.name],
                " + ".join(n.op.name for n in nodes),
                str(design.plan.folds[nodes[0].name]),
                str(segment.cycles),
                str(nodes[-1].output.type),
            )
    out.print(table)
    slowest = ""
    if design.plan.segments:
        name = design.plan.bottleneck.name
        slowest = f" (bottleneck: segment {titles.get(name, name)})"
    say(
        f"latency {timing.latency:,} cycles, one frame {every(timing.interval)}{slowest}; "
        f"written to {folder}/"
    )


def sim(
    project: Annotated[
        Path, typer.Argument(help="Folder written by hwaccel convert, partition or replicate.")
    ],
    simulator: Annotated[
        str, typer.Option(help="verilator, icarus, fast (compiled, no Python in the loop) or all.")
    ] = "all",
    frames: Frames = 16,
    data: Data = None,
    idle: Annotated[
        str, typer.Option(help="Source pauses: none, rare, some, heavy, bursts, alternate, start.")
    ] = "none",
    backpressure: Annotated[
        str, typer.Option(help="Sink pauses: none, rare, some, heavy, bursts, alternate, start.")
    ] = "none",
    seed: Seed = 1,
    waves: Annotated[
        Path | None, typer.Option(help="Write waves to this file: FST, or VCD if it ends in .vcd.")
    ] = None,
    trace: Annotated[
        bool,
        typer.Option(
            "--trace", help="Compare every stream and issuer inside, cycle by cycle, as well."
        ),
    ] = False,
) -> None:
    """Simulate the Verilog and compare every bit with the golden model."""
    from hwaccel import stages
    from hwaccel.devices.folder import is_system, load_system
    from hwaccel.verify.run import check_choices

    names = ("fast", "verilator", "icarus") if simulator == "all" else (simulator,)
    for one in names:
        check_choices(one, idle, backpressure, waves)
    if trace and simulator == "fast":
        raise ConfigError("the fast path writes no waves to trace; use verilator or icarus")
    with steps("reading the project") as step:
        design = load_system(project) if is_system(project) else load(project)
        xs = stages.frames(design, frames, seed, data or ())
        if simulator == "all" or not isinstance(design, Design) or design.netlist.units:
            step("parsing the Verilog")
            design.check_structure()
        if simulator == "all":
            out.print("structure: the parsed Verilog equals the plan", highlight=False)
        for one in names:
            step(f"{one}: building and running {len(xs[0])} frames")
            told: list[str] = []
            try:
                record = stages.simulate(
                    design,
                    project,
                    xs,
                    one,
                    idle=idle,
                    backpressure=backpressure,
                    seed=seed,
                    waves=waves,
                    trace=trace and one != "fast",
                    progress=told.append,
                )
                told.insert(0, stages.sim_line(record))
            finally:
                for line in told:
                    say(line)


def csim(
    project: Project,
    what: Annotated[
        str, typer.Option(help="hls, cuda (its arithmetic on the host) or all.")
    ] = "all",
    frames: Frames = 16,
    data: Data = None,
    seed: Seed = 1,
) -> None:
    """Compile the emitted C++ with g++, run it, compare every bit with the golden model."""
    from hwaccel import stages

    names = ("hls", "cuda-host") if what == "all" else ("cuda-host" if what == "cuda" else what,)
    with steps("reading the project") as step:
        design = load(project)
        xs = stages.frames(design, frames, seed, data or ())
        for one in names:
            step(f"{one}: compiling and running {len(xs[0])} frames")
            record = stages.csim(design, project, xs, one)
            say(
                f"{record.what}: {record.frames} frames, {record.mismatches} mismatches, "
                f"{record.seconds:.1f} s"
            )


def synth(
    project: Project,
    target: Annotated[
        str,
        typer.Option(help="ecp5-85k, ice40-up5k, gw1n-9c, xcup, ...; asic or osu018 for cells."),
    ] = "ecp5-85k",
    clock_mhz: Annotated[float | None, typer.Option(help="Clock to aim at.")] = None,
    pnr: Annotated[
        bool, typer.Option(help="Place and route where nextpnr knows the target.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the placement, or of frames.")] = 1,
    pins: Annotated[
        Path | None, typer.Option(help="File of pins: .lpf, .pcf or .cst, as the target has it.")
    ] = None,
    bitstream: Annotated[
        bool, typer.Option("--bitstream", help="Pack a bitstream, with every port on a pin.")
    ] = False,
    liberty: Annotated[
        Path | None, typer.Option(help="Liberty file of the cells, for --target asic.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Verilog models of the cells (default: from --liberty).")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=0, help="Frames through the netlist of cells; 0 simulates none.")
    ] = 4,
    macros: Annotated[
        bool, typer.Option("--macros", help="Leave memories out of the cells, for macros.")
    ] = False,
) -> None:
    """Synthesize: for an FPGA to a routed design or a bitstream, for an ASIC to cells and power."""
    from hwaccel import silicon, stages

    cells = target in silicon.TARGETS
    if cells and (pins is not None or bitstream):
        raise ConfigError(f"--target {target}: has no pins and no bitstream; drop these options")
    if not cells and (liberty is not None or models is not None or macros):
        raise ConfigError(f"--target {target}: takes no cells and macros; choose --target asic")
    with steps("reading the project") as step:
        design = load(project)
        if cells:
            line = silicon.cells_line(
                silicon.synthesize_cells(
                    design,
                    project,
                    target,
                    liberty=liberty,
                    models=models,
                    clock_mhz=clock_mhz,
                    frames=stages.frames(design, frames, seed, ()) if frames else (),
                    macros=macros,
                    seed=seed,
                    progress=step,
                )
            )
        else:
            line = stages.synth_line(
                stages.synthesize(
                    design,
                    project,
                    target,
                    clock_mhz=clock_mhz,
                    pnr=pnr,
                    seed=seed,
                    pins=pins,
                    bitstream=bitstream,
                    progress=step,
                )
            )
    say(printable(line))


def report(
    project: Project,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file (default: in the project).")
    ] = None,
) -> None:
    """Write one self-contained HTML page about the project and its results."""
    from hwaccel import stages

    design = load(project)
    path = stages.write_report(design, project, output or project / "report.html")
    say(f"written to {path}")


def doctor() -> None:
    """Show which tools were found, where, and what each missing one would enable."""
    from hwaccel import tools

    table = Table(box=None, pad_edge=False)
    for column in ("tool", "version", "enables", "where, or how to install"):
        table.add_column(column, overflow="fold")
    for finding in tools.doctor():
        where = str(finding.path) if finding.found else finding.install
        table.add_row(
            finding.name,
            finding.version or ("found" if finding.found else Text("missing", style="red")),
            finding.enables,
            f"{where} ({finding.note})" if finding.note else where,
        )
    wide.print(table)
