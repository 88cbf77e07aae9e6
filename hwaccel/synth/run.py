"""From Verilog text to an implemented design in one call: Yosys, then nextpnr where it can."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.synth.nextpnr import PnrResult, Progress, place_and_route
from hwaccel.synth.target import target as find_target
from hwaccel.synth.yosys import Options, SynthResult, synthesize

TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Implementation:
    """A synthesized design and, where it was asked for and is possible, its placement."""

    synth: SynthResult
    pnr: PnrResult | None

    @property
    def fmax_mhz(self) -> float | None:
        """Clock reached after routing; ``None`` without routing."""
        return self.pnr.fmax_mhz if self.pnr is not None and self.pnr.routed else None

    @property
    def routed(self) -> bool:
        """Tell whether the design was routed."""
        return self.pnr is not None and self.pnr.routed

    @property
    def seconds(self) -> float:
        """Time both tools took."""
        return self.synth.seconds + (self.pnr.seconds if self.pnr else 0.0)

    @property
    def tool_versions(self) -> Mapping[str, str]:
        """Versions of the tools that took part."""
        versions = {"yosys": self.synth.tool_version}
        nextpnr = tools.find("nextpnr-ecp5") if self.pnr else None
        if nextpnr is not None:
            versions["nextpnr-ecp5"] = tools.version(nextpnr) or "unknown"
        return versions


def implement(
    files: Mapping[str, str],
    top: str,
    target_name: str,
    *,
    clock_mhz: float,
    pnr: bool,
    seed: int,
    workdir: Path | None,
    progress: Callable[[str], None],
) -> Implementation:
    """Synthesize ``files`` (name to text) and place and route the result.

    Raises:
        ConfigError: the target is unknown.
        ToolError: a tool is missing or fails, or the design does not fit or route.
    """
    if workdir is None:
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            return implement(
                files,
                top,
                target_name,
                clock_mhz=clock_mhz,
                pnr=pnr,
                seed=seed,
                workdir=Path(folder),
                progress=progress,
            )
    target = find_target(target_name)
    sources = workdir / "rtl"
    try:
        sources.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (sources / name).write_text(text, encoding="ascii")
    except OSError as error:
        raise ToolError(f"{sources}: cannot be written ({error.strerror})") from None
    progress(f"Yosys: synthesizing {top} for {target.name}")
    verilog = [sources / name for name in sorted(files) if name.endswith(".v")]
    options = Options(delay_ps=round(1e6 / clock_mhz))
    made = synthesize(verilog, top, target, workdir / "yosys", options=options, timeout_s=TIMEOUT_S)
    if not pnr or not target.pnr_device:
        return Implementation(made, None)

    def report(step: Progress) -> None:
        done = f" {100 * step.fraction:.0f} %" if step.fraction is not None else ""
        progress(f"nextpnr: {step.phase}{done}")

    placed = place_and_route(
        made.netlist_json,
        target,
        workdir / "nextpnr",
        top=top,
        clock_mhz=clock_mhz,
        seed=seed,
        timeout_s=TIMEOUT_S,
        progress=report,
    )
    return Implementation(made, placed)
