"""From Verilog text to an implemented design in one call: Yosys, then nextpnr where it can."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.bitstream import pack
from hwaccel.synth.nextpnr import Pins, PnrResult, Progress, place_and_route, require_flow
from hwaccel.synth.target import Target
from hwaccel.synth.target import target as find_target
from hwaccel.synth.yosys import Options, SynthResult, synthesize

TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Implementation:
    """A synthesized design and, where it was asked for and is possible, its placement."""

    synth: SynthResult
    pnr: PnrResult | None
    bitstream: Path | None = None

    @property
    def fmax_mhz(self) -> float | None:
        """Clock reached after routing; ``None`` without routing."""
        return self.pnr.fmax_mhz if self.pnr is not None and self.pnr.routed else None

    @property
    def routed(self) -> bool:
        """Tell whether the design was routed."""
        return self.pnr is not None and self.pnr.routed

    @property
    def untimed(self) -> tuple[str, ...]:
        """Types of cells whose delays nextpnr does not know: Fmax is then no more than a bound."""
        flow = self.synth.target.flow
        cells = self.synth.utilization.cells
        return tuple(c for c, _ in cells if flow is not None and flow.is_untimed(c))

    @property
    def seconds(self) -> float:
        """Time both tools took."""
        return self.synth.seconds + (self.pnr.seconds if self.pnr else 0.0)

    @property
    def tool_versions(self) -> Mapping[str, str]:
        """Versions of the tools that took part."""
        versions = {"yosys": self.synth.tool_version}
        flow = self.synth.target.flow if self.pnr else None
        names = [] if flow is None else [flow.nextpnr, *([flow.packer] if self.bitstream else [])]
        for tool in filter(None, map(tools.find, names)):
            versions[tool.name] = tools.version(tool) or "unknown"
        return versions


@dataclass(frozen=True, slots=True)
class Choices:
    """What is asked for beyond cell counts.

    ``pnr`` places and routes where nextpnr knows the target: without pins, or on those of the
    package where ``pin_file`` names them or a ``bitstream`` is wanted.
    """

    clock_mhz: float
    pnr: bool = True
    seed: int = 1
    pin_file: Path | None = None
    bitstream: bool = False

    def check(self, target: Target) -> None:
        """Refuse what cannot be, before a tool works for nothing.

        Raises:
            ConfigError: a bitstream or pins for a design that is not placed and routed.
            ToolError: the packer of the bitstream is missing.
        """
        if not self.bitstream and self.pin_file is None:
            return
        flow = require_flow(target)
        if not self.pnr:
            raise ConfigError("--no-pnr: pins and a bitstream need place and route; drop it")
        if self.bitstream:
            tools.require(flow.packer)


def implement(
    files: Mapping[str, str],
    top: str,
    target_name: str,
    choices: Choices,
    *,
    workdir: Path | None,
    progress: Callable[[str], None],
) -> Implementation:
    """Synthesize ``files`` (name to text) and place and route the result.

    Raises:
        ConfigError: the target is unknown, or the choices do not go together.
        ToolError: a tool is missing or fails, or the design does not fit or route.
    """
    if workdir is None:
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            return implement(
                files, top, target_name, choices, workdir=Path(folder), progress=progress
            )
    target = find_target(target_name)
    choices.check(target)
    sources = workdir / "rtl"
    try:
        sources.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (sources / name).write_text(text, encoding="ascii")
    except OSError as error:
        raise ToolError(f"{sources}: cannot be written ({error.strerror})") from None
    progress(f"Yosys: synthesizing {top} for {target.name}")
    verilog = [sources / name for name in sorted(files) if name.endswith(".v")]
    options = Options(delay_ps=round(1e6 / choices.clock_mhz))
    made = synthesize(verilog, top, target, workdir / "yosys", options=options, timeout_s=TIMEOUT_S)
    if not choices.pnr or target.flow is None:
        return Implementation(made, None)
    placed = _place(made, choices, workdir / "nextpnr", progress)
    if not choices.bitstream:
        return Implementation(made, placed)
    progress(f"{target.flow.packer}: packing the bitstream")
    return Implementation(made, placed, pack(placed, timeout_s=TIMEOUT_S))


def _place(
    made: SynthResult, choices: Choices, workdir: Path, progress: Callable[[str], None]
) -> PnrResult:
    def report(step: Progress) -> None:
        done = f" {100 * step.fraction:.0f} %" if step.fraction is not None else ""
        progress(f"nextpnr: {step.phase}{done}")

    padded = choices.bitstream or choices.pin_file is not None
    return place_and_route(
        made.padded_json if padded else made.netlist_json,
        made.target,
        workdir,
        top=made.top,
        clock_mhz=choices.clock_mhz,
        seed=choices.seed,
        pins=Pins.PACKAGE if padded else Pins.NONE,
        pin_file=choices.pin_file,
        timeout_s=TIMEOUT_S,
        progress=report,
    )
