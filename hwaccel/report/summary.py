"""The headline numbers of a report, each with how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from hwaccel.report.facts import AccuracyLine, Synthesis, TimingLine
from hwaccel.report.model import Report
from hwaccel.report.text import NONE, count, duration, megahertz, percent, plural, rate


class Basis(Enum):
    """How a number was obtained."""

    MEASURED = "measured"
    PREDICTED = "predicted"
    ESTIMATED = "estimated"
    MISSING = "not known"


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number as text. ``bad`` marks one that should not be so."""

    label: str
    value: str
    unit: str
    basis: Basis
    how: str
    bad: bool = False


def figures(report: Report) -> tuple[Figure, ...]:
    """Return the headline numbers, measured ones wherever there are any."""
    return (
        _accuracy(report.measured.accuracy),
        _mismatches(report),
        *_times(report),
        *_speed(report),
        *_resources(report),
    )


def table_rows(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Return label, value and how it was obtained, for the table that ends a run."""
    lines = report.measured.accuracy
    accuracy = [
        (f"Accuracy, {line.label}", percent(line.share, 2), f"measured: {_frames(line)}")
        for line in lines
    ]
    rest = figures(report)[1:] if lines else figures(report)
    return (*accuracy, *((f.label, _joined(f), _source(f)) for f in rest))


def _joined(figure: Figure) -> str:
    return f"{figure.value} {figure.unit}".rstrip()


def _source(figure: Figure) -> str:
    return f"{figure.basis.value}: {figure.how}"


def _frames(line: AccuracyLine) -> str:
    return f"{count(line.correct)} of {plural(line.frames, 'frame')} right"


def _accuracy(lines: tuple[AccuracyLine, ...]) -> Figure:
    """Take what comes nearest to the hardware: RTL, else the last that is no floating point."""
    if not lines:
        return Figure("Accuracy", NONE, "", Basis.MISSING, "no labelled data has been run")
    exact = [line for line in lines if not line.label.lower().startswith("float")]
    hardware = [line for line in exact if "rtl" in line.label.lower()]
    shown = (hardware or exact or list(lines))[-1]
    how = f"{shown.label}, {plural(shown.frames, 'frame')}"
    floats = [line for line in lines if line.label.lower().startswith("float")]
    if floats and exact:
        how += f"; {floats[0].label} {percent(floats[0].share, 2)}"
    return Figure("Accuracy", f"{100 * shown.share:.2f}", "%", Basis.MEASURED, how)


def _mismatches(report: Report) -> Figure:
    lines = report.measured.equality
    if not lines:
        return Figure("Mismatches", NONE, "", Basis.MISSING, "nothing has been compared yet")
    wrong = sum(line.mismatches for line in lines)
    frames = sum(line.frames for line in lines)
    how = f"{plural(frames, 'frame')} in {plural(len(lines), 'comparison')} with the golden model"
    return Figure("Mismatches", count(wrong), "", Basis.MEASURED, how, wrong > 0)


def headline_timing(report: Report) -> TimingLine | None:
    """Return the simulation whose times head the report: no stalls, most frames."""
    free = [line for line in report.measured.timing if line.stalls == "no stalls"]
    return max(free, key=lambda line: line.frames, default=None)


def headline_synthesis(report: Report) -> Synthesis | None:
    """Return the synthesis result that heads the report: a routed one, if there is one."""
    return next(iter(report.measured.synthesis), None)


def _times(report: Report) -> tuple[Figure, Figure]:
    timed, predicted = headline_timing(report), report.predicted
    pairs = (
        ("Latency", predicted.latency, timed.latency if timed else None),
        ("Interval", predicted.interval, timed.interval if timed else None),
    )
    delay = f"{duration(cycles_of(report)[0] / clock_of(report)[0] * 1e-6)} at {clock_text(report)}"
    latency, interval = (_time(*pair) for pair in pairs)
    return replace(latency, how=f"{latency.how}; {delay}"), interval


def _time(label: str, want: int, found: int | None) -> Figure:
    if found is None:
        how = "exact schedule, not simulated yet"
        return Figure(label, count(want), "cycles", Basis.PREDICTED, how)
    how = f"simulated; predicted {'the same' if found == want else count(want)}"
    return Figure(label, count(found), "cycles", Basis.MEASURED, how, found != want)


def cycles_of(report: Report) -> tuple[int, int]:
    """Return latency and interval, measured ones where there are any."""
    timed, predicted = headline_timing(report), report.predicted
    if timed is None:
        return predicted.latency, predicted.interval
    return timed.latency, timed.interval or predicted.interval


def clock_of(report: Report) -> tuple[float, bool]:
    """Return the clock in MHz that times are stated at, and whether a tool found it."""
    made = headline_synthesis(report)
    if made is None or made.fmax_mhz is None:
        return report.clock_mhz, False
    return made.fmax_mhz, True


def clock_text(report: Report) -> str:
    """Return the clock in words."""
    clock, known = clock_of(report)
    return f"Fmax {megahertz(clock)} MHz" if known else f"the {megahertz(clock)} MHz asked for"


def _speed(report: Report) -> tuple[Figure, Figure]:
    clock, known = clock_of(report)
    made, interval = headline_synthesis(report), cycles_of(report)[1]
    if made is not None and known:
        how = f"{made.target}, placed and routed; {megahertz(made.clock_mhz)} MHz asked for"
        bad = clock < made.clock_mhz
        fmax = Figure("Fmax", megahertz(clock), "MHz", Basis.MEASURED, how, bad)
    else:
        fmax = _unmeasured_fmax(report, made is not None and made.routed)
    basis = Basis.MEASURED if known and headline_timing(report) else Basis.PREDICTED
    per_second = rate(clock * 1e6 / interval) if interval else NONE
    how = f"one frame per interval at {clock_text(report)}"
    return fmax, Figure("Throughput", per_second, "frames/s", basis, how)


def _unmeasured_fmax(report: Report, routed: bool) -> Figure:
    state = "delays not known" if routed else "not placed and routed"
    asked = f"{megahertz(report.clock_mhz)} MHz asked for"
    speed, error = report.estimated.speed, report.estimated.speed_error
    if speed is None:
        return Figure("Fmax", NONE, "", Basis.MISSING, f"{state}; {asked}")
    limit = f"limited by the {speed.what} of {speed.block}, off by {percent(error, 0)} on average"
    how = f"{state}: {limit}; {asked}"
    return Figure("Fmax", f"≈ {megahertz(speed.fmax_mhz)}", "MHz", Basis.ESTIMATED, how)


def _resources(report: Report) -> tuple[Figure, ...]:
    made = headline_synthesis(report)
    if made is None:
        area = report.estimated.total
        found = (("LUT", area.luts), ("FF", area.ffs), ("DSP", area.dsps), ("RAM", area.rams))
        how = "cost model, before synthesis"
        return tuple(
            Figure(label, f"≈ {count(value)}", "", Basis.ESTIMATED, how) for label, value in found
        )
    device = made.device
    rows = (
        ("LUT", made.lut4_equivalents or made.luts, device and device.lut4),
        ("FF", made.ffs, device and device.ffs),
        ("DSP", made.dsps, device and device.dsps),
        ("RAM", made.block_rams, device and device.block_rams),
    )
    return tuple(
        Figure(
            label,
            count(value),
            "",
            Basis.MEASURED,
            f"{percent(value / whole)} of {count(whole)} in {made.target}"
            if whole
            else made.target,
            bool(whole and value > whole),
        )
        for label, value, whole in rows
    )
