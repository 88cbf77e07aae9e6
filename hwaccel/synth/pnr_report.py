"""Read the JSON files of nextpnr: its report, and the ports of a netlist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hwaccel.errors import ToolError


@dataclass(frozen=True, slots=True)
class Resource:
    """How many of the device's cells of one type are taken."""

    name: str
    used: int
    available: int


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The slowest path from register to register.

    ``nets`` counts the routed nets on it (hops inside a carry chain are free); ``sources`` are the
    lines of RTL it crosses.
    """

    delay_ns: float
    logic_ns: float
    routing_ns: float
    nets: int
    start: str
    end: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What nextpnr reports; ``fmax_mhz`` is None when no clock has a path."""

    fmax_mhz: float | None
    utilization: tuple[Resource, ...]
    critical_path: CriticalPath | None


class _Port(msgspec.Struct):
    bits: list[int | str]


class _Module(msgspec.Struct):
    ports: dict[str, _Port] = {}


class _Netlist(msgspec.Struct):
    modules: dict[str, _Module]


class _Place(msgspec.Struct):
    cell: str


class _Step(msgspec.Struct):
    type: str
    delay: float
    start: _Place = msgspec.field(name="from")
    end: _Place = msgspec.field(name="to")
    sources: list[str] = []


class _Path(msgspec.Struct):
    path: list[_Step]
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class _Fmax(msgspec.Struct):
    achieved: float


class _Use(msgspec.Struct):
    used: int
    available: int


class _Report(msgspec.Struct):
    utilization: dict[str, _Use]
    fmax: dict[str, _Fmax] = {}
    critical_paths: list[_Path] = []


def read_ports(netlist: Path, top: str) -> dict[str, int]:
    """Return the ports of ``top`` in a Yosys JSON netlist, each with its width in bits.

    Raises:
        ToolError: the file is missing, no netlist, or has no such module.
    """
    modules = _decode(_content(netlist), _Netlist, netlist.name, "a netlist of Yosys").modules
    if top not in modules:
        found = ", ".join(sorted(modules)[:5]) or "none"
        raise ToolError(f"{netlist}: no module {top!r}; it holds {found}; pass the right top")
    return {name: len(port.bits) for name, port in modules[top].ports.items()}


def without_ports(netlist: Path, top: str, kept: Sequence[str]) -> bytes:
    """Return the netlist with no other ports of ``top`` than ``kept``; their nets stay.

    What an input drove has no driver then: no pad, and no path that starts there.

    Raises:
        ToolError: the file is missing or no netlist.
    """
    whole = _decode(_content(netlist), dict[str, Any], netlist.name, "a netlist of Yosys")
    module = whole["modules"][top]
    module["ports"] = {name: port for name, port in module["ports"].items() if name in kept}
    return msgspec.json.encode(whole)


def _content(netlist: Path) -> bytes:
    try:
        return netlist.read_bytes()
    except OSError as error:
        raise ToolError(f"{netlist}: {error.strerror}; synthesize the design first") from None


def parse_report(text: bytes, clock: str, top: str) -> Report:
    """Read a report of nextpnr.

    Raises:
        ToolError: the text is no such report.
    """
    report = _decode(text, _Report, top, "a report of nextpnr 0.4 or later")
    return Report(
        fmax_mhz=_fmax(report, clock),
        utilization=tuple(
            Resource(name, use.used, use.available)
            for name, use in sorted(report.utilization.items())
            if use.used
        ),
        critical_path=_critical_path(report),
    )


def _decode(text: bytes, kind: Any, where: str, expected: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise ToolError(f"{where}: expected {expected}, found: {error}; run it again") from None


def _fmax(report: _Report, clock: str) -> float | None:
    """Return the Fmax of the nets named after ``clock`` (``$glbnet$clk$...``), or of the slowest.

    Promotion to a global net renames the clock, hence the look at the parts of the name.
    """
    named = [f.achieved for net, f in report.fmax.items() if clock in net.split("$")]
    return min(named or [f.achieved for f in report.fmax.values()], default=None)


def _critical_path(report: _Report) -> CriticalPath | None:
    paths = [p for p in report.critical_paths if "<async>" not in (p.start, p.end) and p.path]
    if not paths:
        return None
    steps = max((p.path for p in paths), key=lambda steps: sum(step.delay for step in steps))
    routing = sum(step.delay for step in steps if step.type == "routing")
    total = sum(step.delay for step in steps)
    # Lines of cell libraries and technology maps are of no help to the author of the RTL.
    lines = [
        line for step in steps for line in step.sources if not line.startswith(("/", "adders.v"))
    ]
    return CriticalPath(
        delay_ns=round(total, 3),
        logic_ns=round(total - routing, 3),
        routing_ns=round(routing, 3),
        nets=sum(1 for step in steps if step.type == "routing" and step.delay > 0),
        start=steps[0].start.cell,
        end=steps[-1].end.cell,
        sources=tuple(dict.fromkeys(lines)),
    )
