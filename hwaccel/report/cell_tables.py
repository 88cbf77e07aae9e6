"""The table of a design as standard cells: area, clock before layout, power, simulation."""

from __future__ import annotations

from collections.abc import Callable

from hwaccel.report.model import Report
from hwaccel.report.results import AsicRecord
from hwaccel.report.tables import Cell, Head, Row, Table
from hwaccel.report.text import NONE, clean, count, listed, megahertz, percent, plural


def cells_table(report: Report) -> Table:
    """Return what every library of cells made of the design; no rows where none was tried."""
    made = report.measured.cells
    rows: list[tuple[str, Callable[[AsicRecord], Cell]]] = [
        ("Area", _area),
        ("· of it registers", _registers),
        ("Cells", _kinds),
        ("Left to memory macros", _macros),
        ("Fmax, before layout", _fmax),
        ("Clock asked for", lambda m: _number(f"{megahertz(m.clock_mhz)} MHz")),
        ("Slowest path", _path),
        ("Hold slack", lambda m: _slack(m.hold_slack_ns)),
        ("Power", _power),
        ("· of it leakage", lambda m: _number(_watts(m.leakage_w))),
        ("Netlist against golden", _simulated),
    ]
    heads = [Head(f"{clean(m.target)}, {clean(m.library)}", "number") for m in made]
    body: tuple[Row, ...] = tuple((Cell(label), *map(of, made)) for label, of in rows if made)
    return Table("Standard cells, measured before layout", (Head("Cells"), *heads), (body,))


def _number(text: str, note: str = "", css: str = "") -> Cell:
    return Cell(text, note, f"number {css}".strip())


def _area(made: AsicRecord) -> Cell:
    gates = made.gate_equivalents
    note = f"{count(round(gates))} gate equivalents" if gates is not None else ""
    return _number(f"{count(round(made.area))} µm²", note)


def _registers(made: AsicRecord) -> Cell:
    if not made.area:
        return _number(NONE)
    share = made.register_area / made.area
    return Cell(percent(share), css="number", bar=f"{100 * share:.1f}%")


def _kinds(made: AsicRecord) -> Cell:
    kinds = ", ".join(f"{count(number)} {clean(kind)}" for kind, number in made.kinds.items())
    return _number(count(sum(made.kinds.values())), kinds)


def _macros(made: AsicRecord) -> Cell:
    sizes = [f"{count(number)} of {clean(size)} bits" for size, number in made.macros.items()]
    return _number(listed(sizes), "no area, power or paths of theirs are counted" if sizes else "")


def _fmax(made: AsicRecord) -> Cell:
    if made.fmax_mhz is None:
        return _number(NONE, "no path from register to register")
    slow = made.fmax_mhz < made.clock_mhz
    return _number(f"{megahertz(made.fmax_mhz)} MHz", css="bad" if slow else "")


def _path(made: AsicRecord) -> Cell:
    ends = dict.fromkeys(clean(end) for end in (made.path_from, made.path_to) if end)
    return _number(" to ".join(ends) or NONE)


def _slack(value: float | None) -> Cell:
    if value is None:
        return _number(NONE)
    return _number(f"{value:.3f} ns", css="bad" if value < 0 else "")


def _watts(value: float) -> str:
    return f"{1e3 * value:.3g} mW" if value >= 1e-3 else f"{1e6 * value:.3g} µW"


def _power(made: AsicRecord) -> Cell:
    if made.power_w <= made.leakage_w:
        return _number(NONE, "the library states no power of switching")
    how = (
        f"every net changes {made.default_activity:g} times a cycle, assumed"
        if made.default_activity is not None
        else f"as {plural(made.frames, 'frame')} switched the netlist"
    )
    return _number(_watts(made.power_w), f"at {megahertz(made.clock_mhz)} MHz, {how}")


def _simulated(made: AsicRecord) -> Cell:
    if not made.frames:
        return _number("not simulated")
    note = f"{plural(made.frames, 'frame')}, {plural(made.cycles, 'cycle')}, as predicted"
    return _number("equal in every bit", note, "good")
