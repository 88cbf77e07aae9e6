"""The public API: ``convert`` makes a ``Design``, which answers for everything that follows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from numpy.typing import ArrayLike

from hwaccel._version import __version__
from hwaccel.config import Config, checked
from hwaccel.emit.cuda import emit_cuda
from hwaccel.emit.design import build_netlist
from hwaccel.emit.hls import emit_hls
from hwaccel.emit.netlist import Netlist
from hwaccel.emit.project import pretty_json, read_project, replace_file, write_project
from hwaccel.emit.system import System, build_system
from hwaccel.emit.verilog import emit_verilog
from hwaccel.errors import ConfigError, EmitError, HwaccelError
from hwaccel.golden import Floats, Golden, Ints
from hwaccel.ir import Graph, verify
from hwaccel.ir.file import load_graph, save_graph
from hwaccel.ir.text import print_graph
from hwaccel.ops import OP_BY_NAME
from hwaccel.passes import optimize
from hwaccel.schedule.choices import Choices, choices_of, plan_from, schedule
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.spatial import Found
from hwaccel.untrusted import decode_json

if TYPE_CHECKING:
    import torch

    from hwaccel.synth.run import Implementation
    from hwaccel.verify.result import SimResult

Progress = Callable[[str], None]


def convert(
    model: torch.nn.Module | Any,
    example: Any = None,
    *,
    calibration: Any = None,
    config: Config | None = None,
    progress: Progress | None = None,
    dump_ir: Path | None = None,
    observer: Callable[..., None] | None = None,
) -> Design:
    """Turn a PyTorch model into a design.

    ``model`` is an ``nn.Module`` or a program loaded with ``hwaccel.frontend.load_model``;
    ``example`` is a batch of inputs of shape ``(N, ...)`` (a tuple for several inputs);
    ``calibration`` a larger batch whose activations choose the formats; either stands in for the
    other.
    ``dump_ir`` names a folder for the graph after every pass; ``observer`` is ``quantize``'s.

    Raises:
        FrontendError: the model holds something that cannot be converted exactly.
        ConfigError: an option is impossible.
        ScheduleError: no legal hardware meets the configuration.
    """
    from hwaccel.frontend.quant import quantize  # torch is needed here only
    from hwaccel.frontend.torch_export import trace
    from hwaccel.synth.target import check_target

    config = checked(config or Config())
    check_target(config.target)
    say = progress or (lambda _: None)
    say("tracing the model")
    traced = trace(model, calibration if example is None else example)
    say("calibrating and quantizing")
    data = example if calibration is None else calibration
    graph = quantize(traced, data, config, observer=observer)
    if config.name:
        graph = replace(graph, name=config.name)
    return design_from(graph, config, progress=say, dump_ir=dump_ir)


def design_from(
    graph: Graph,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    dump_ir: Path | None = None,
) -> Design:
    """Simplify and schedule a graph; the way in for graphs that do not come from PyTorch."""
    config = checked(config or Config())
    say = progress or (lambda _: None)
    verify(graph)
    say("simplifying the graph")
    graph = optimize(graph, observer=_dumper(dump_ir) if dump_ir else None)
    say("choosing folding and buffers")
    return Design(graph, schedule(graph, config, say), config)


def load(folder: str | Path) -> Design:
    """Read a project folder back; torch is not needed.

    Raises:
        EmitError: it is not a project folder, or a file in it was changed.
    """
    folder = Path(folder)
    _, files = read_project(folder)
    for needed in ("graph.json", "plan.json", "config.json"):
        if needed not in files:
            raise EmitError(f"{folder / needed}: is missing; convert again")
    graph = load_graph(files["graph.json"], OP_BY_NAME, str(folder / "graph.json"))
    try:
        choices = decode_json(files["plan.json"], Choices)
        config = decode_json(files["config.json"], Config)
    except HwaccelError as error:
        raise EmitError(f"{folder}: plan.json or config.json: {error}; convert again") from None
    try:
        found = decode_json(files.get("spatial.json", b"{}"), Found)
    except HwaccelError as error:
        raise EmitError(f"{folder}: spatial.json: {error}; convert again") from None
    return Design(graph, plan_from(graph, choices, config, found), config)


@dataclass(frozen=True)
class Design:
    """A scheduled graph and everything that can be made of it."""

    graph: Graph
    plan: Plan
    config: Config

    def __repr__(self) -> str:
        """Return one line; ``graph.txt`` of a project has the graph for people."""
        return f"<Design {self.name} {self.hash}: {len(self.graph.nodes)} nodes>"

    @cached_property
    def golden(self) -> Golden:
        """The bit-exact NumPy model."""
        return Golden(self.graph)

    @cached_property
    def netlist(self) -> Netlist:
        """The instances and wires of the Verilog top."""
        return build_netlist(self.plan)

    @property
    def name(self) -> str:
        """Name of the top module."""
        return self.netlist.name

    @cached_property
    def hash(self) -> str:
        """Short hash of graph, plan and generator version: what identifies the hardware."""
        parts = save_graph(self.graph), msgspec.json.encode(choices_of(self.plan))
        return hashlib.sha256(b"\0".join((*parts, __version__.encode()))).hexdigest()[:16]

    @cached_property
    def banner(self) -> tuple[str, ...]:
        """The comment that opens every emitted file."""
        return (
            f"Generated by hwaccel {__version__} from {self.name} (design {self.hash}).",
            "Do not edit: change the model or the configuration and run hwaccel convert again.",
        )

    @cached_property
    def system(self) -> System:
        """The design behind AXI4-Lite registers, and what others read to use it."""
        return build_system(self.netlist, self.hash)

    def verilog(self) -> dict[str, str]:
        """Return the Verilog files by name: top, library modules, memory images."""
        return emit_verilog(self.netlist, self.banner)

    def files(self) -> dict[str, str | bytes]:
        """Return every file of the project by relative path."""
        from hwaccel.synth.projects import tool_files

        verilog = self.verilog()
        root = {
            **tool_files([*verilog], self.name, self.hash, self.banner[0], self.config.clock_mhz),
            "graph.json": save_graph(self.graph).decode(),
            "graph.txt": print_graph(self.graph),
            "plan.json": pretty_json(choices_of(self.plan)),
            "config.json": pretty_json(self.config),
            "spatial.json": msgspec.json.encode(self.plan.found).decode(),
        }
        parts: dict[str, Mapping[str, str | bytes]] = {
            "rtl": verilog,
            "hls": self.hls(),
            "cuda": self.cuda(),
            "sim": self.testbench(),
        }
        nested = {f"{d}/{name}": text for d, files in parts.items() for name, text in files.items()}
        return {**root, **nested, **self.system.files(self.banner)}

    def testbench(self, frames: int | None = None, seed: int = 1) -> dict[str, str | bytes]:
        """Return a cocotb bench with ``frames`` of them (or 5 to 256), run by ``make``."""
        from hwaccel.verify.bench import project_bench

        return project_bench(self.netlist, self.plan, self.golden.raw, self.banner, frames, seed)

    def write(self, folder: str | Path) -> Path:
        """Write the project folder, whole or not at all; see ``docs/reference/project.md``.

        Raises:
            EmitError: the folder is not ours, or cannot be written.
        """
        write_project(Path(folder), self.name, __version__, self.files())
        return Path(folder)

    def simulate(
        self,
        *xs: ArrayLike,
        simulator: str = "verilator",
        idle: str = "none",
        backpressure: str = "none",
        seed: int = 1,
        waves: Path | None = None,
        workdir: Path | None = None,
    ) -> SimResult:
        """Run the Verilog on frames given as numbers ``(N, *shape)`` and compare every bit.

        ``icarus`` and ``verilator`` run the cocotb bench; ``fast`` drives a Verilated model from
        compiled code. ``idle`` and ``backpressure`` are ``none``, ``rare``, ``some``,
        ``heavy``, ``bursts``, ``alternate`` or ``start``.

        Raises:
            MismatchError: the hardware and the golden model differ.
            ToolError: a tool is missing, the design deadlocked, or the run failed.
        """
        return self.simulate_raw(
            self.golden.quantize(*xs),
            simulator=simulator,
            idle=idle,
            backpressure=backpressure,
            seed=seed,
            waves=waves,
            workdir=workdir,
        )

    def simulate_raw(
        self,
        xs: Sequence[Ints],
        *,
        simulator: str = "verilator",
        idle: str = "none",
        backpressure: str = "none",
        seed: int = 1,
        waves: Path | None = None,
        workdir: Path | None = None,
        command: str = "",
    ) -> SimResult:
        """Do what ``simulate`` does for integer frames; ``command`` is named in a mismatch."""
        from hwaccel.verify.run import simulate

        return simulate(
            self.verilog(),
            self.netlist,
            xs,
            self.golden.raw(*xs),
            simulator=simulator,
            idle=idle,
            backpressure=backpressure,
            seed=seed,
            waves=waves,
            workdir=workdir,
            command=command,
        )

    def check_structure(self) -> None:
        """Parse top, wrapper and every node of the circuits back, and compare with the plan.

        Raises:
            MismatchError: something differs; the line names the first difference.
            ToolError: pyverilog or iverilog is missing.
        """
        from hwaccel.verify.circuit import check_circuit
        from hwaccel.verify.structure import check_structure

        files = self.verilog()
        for unit in self.netlist.units:
            check_circuit(files[f"{unit.name}.v"], unit)
        check_structure(files[f"{self.name}.v"], self.netlist)
        check_structure(self.system.wrapper(self.banner), self.system.netlist)

    def execute(self, what: str, xs: Sequence[Ints]) -> tuple[Ints, ...]:
        """Return the integer outputs of another executor for integer frames.

        ``hls`` compiles the HLS C++ with g++, ``cuda-host`` the CUDA arithmetic for the host,
        ``torch`` runs the golden model on torch tensors, on a CUDA device when there is one.

        Raises:
            ToolError: a compiler, its headers or torch is missing.
        """
        if what == "hls":
            from hwaccel.verify.csim import csim

            return csim(self.hls(), self.graph, xs)
        if what == "cuda-host":
            from hwaccel.gpu.cuda import host_run

            return host_run(self.cuda(), self.graph, xs)
        if what == "torch":
            from hwaccel.gpu.torch_path import torch_run

            return torch_run(self.graph, xs)
        raise ConfigError(f"executor {what!r} is not one of hls, cuda-host, torch")

    def csim(self, *xs: ArrayLike) -> Floats | tuple[Floats, ...]:
        """Run the HLS C++ under g++ on frames given as numbers and compare every bit.

        Raises:
            MismatchError: the C++ and the golden model differ.
            ToolError: the compiler or the headers are missing.
        """
        ints = self.golden.quantize(*xs)
        found = self.execute("hls", ints)
        self.require_golden(ints, found, what="HLS C++")
        return self.golden.read(found)

    def require_golden(self, xs: Sequence[Ints], found: Sequence[Ints], *, what: str) -> None:
        """Compare the integer outputs of another executor with the golden ones for ``xs``.

        Raises:
            MismatchError: they differ; the line names ``what`` and the first difference.
        """
        from hwaccel.verify.compare import require_equal

        types = self.graph.types()
        for name, want, have in zip(self.graph.outputs, self.golden.raw(*xs), found, strict=True):
            require_equal(want, have, types[name], name, what=what)

    def synthesize(
        self,
        target: str = "ecp5-85k",
        *,
        clock_mhz: float | None = None,
        pnr: bool = True,
        seed: int = 1,
        pins: Path | None = None,
        bitstream: bool = False,
        workdir: Path | None = None,
        progress: Progress | None = None,
    ) -> Implementation:
        """Synthesize with Yosys; place and route with nextpnr where it knows the target.

        ``clock_mhz`` defaults to the configuration's. ``pnr=False`` stops at cell counts. ``pins``
        is a file that puts ports on pins (``.lpf``, ``.pcf`` or ``.cst``, as the target has it).
        ``bitstream`` packs what was routed, with every port on a pin, into ``workdir``.

        Raises:
            ConfigError: the target is unknown, or the choices do not fit.
            ToolError: a tool is missing or fails, or the design does not fit or route.
        """
        from hwaccel.synth.run import Choices, implement

        clock = clock_mhz or self.config.clock_mhz
        return implement(
            self.verilog(),
            self.name,
            target,
            Choices(clock, pnr=pnr, seed=seed, pin_file=pins, bitstream=bitstream),
            workdir=workdir,
            progress=progress or (lambda _: None),
        )

    def hls(self) -> dict[str, str]:
        """Return the HLS C++ files by name."""
        banner = "\n".join(self.banner)
        return emit_hls(
            self.graph,
            self.plan.folds,
            self.plan.spatial,
            name=self.name,
            banner=banner,
            clock_mhz=self.config.clock_mhz,
        )

    def cuda(self) -> dict[str, str]:
        """Return the CUDA C++ files by name."""
        banner = "\n".join(self.banner)
        return emit_cuda(self.graph, self.plan.spatial, name=self.name, banner=banner)


def _dumper(folder: Path) -> Callable[[int, str, Graph], None]:
    """Return an observer that writes the graph after every pass, like ``03-fuse_requant.txt``."""

    def write(index: int, name: str, graph: Graph) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / f"{index:02d}-{name}.txt", print_graph(graph).encode())
        except OSError as error:
            raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None

    return write
