"""Bar charts and the timeline, as shapes with ready coordinates."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.ir.hardware import Area
from hwaccel.report.activity import SHOWN, Activity
from hwaccel.report.dataflow import STYLES
from hwaccel.report.model import Report
from hwaccel.report.stages import Kind, Stage
from hwaccel.report.svg import Group, Path, Picture, Rect, Text, line
from hwaccel.report.text import count, percent, shorten

_ROW = 22.0
_LABELS = 128.0  # room for the names on the left
_NAME = 19  # characters of a name that fit there


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    value: float
    text: str
    css: str
    title: str


def draw_cycles(report: Report) -> Picture:
    """Return cycles per frame of every stage against the interval."""
    interval = report.predicted.interval
    bars = [
        _Bar(
            stage.title,
            stage.cycles,
            f"{count(stage.cycles)}  {percent(stage.busy, 0)}",
            f"fill {STYLES[stage.kind]}{' hot' if stage.bottleneck else ''}",
            f"{stage.title}: {count(stage.cycles)} cycles per frame",
        )
        for stage in _built(report)
    ]
    return _bar_chart(
        "cycles",
        "Cycles per frame of each stage",
        bars,
        570,
        90,
        interval,
        f"interval {count(interval)}",
    )


def draw_area(report: Report) -> Picture:
    """Return the estimated LUT of every stage, the other resources in words."""
    rows = [(s.title, s.estimated_area, STYLES[s.kind]) for s in _built(report)]
    rows.append(("between stages", report.estimated.adapters, "element"))
    bars = [
        _Bar(name, area.luts, _area_text(area), f"fill {css}", f"{name}: {_area_text(area)}")
        for name, area, css in rows
        if area
    ]
    return _bar_chart("area", "Estimated area of each stage", bars, 570, 196)


def _built(report: Report) -> list[Stage]:
    return [stage for stage in report.stages if stage.kind is not Kind.WIRES]


def _area_text(area: Area) -> str:
    parts = [f"{count(area.luts)} LUT", f"{count(area.ffs)} FF"]
    parts += [f"{count(area.dsps)} DSP"] if area.dsps else []
    parts += [f"{count(area.rams)} RAM"] if area.rams else []
    return " · ".join(parts)


def _bar_chart(
    key: str,
    title: str,
    bars: list[_Bar],
    width: float,
    room: float,
    mark: float = 0.0,
    mark_text: str = "",
) -> Picture:
    """Return level bars; ``room`` is kept on the right for their texts, ``mark`` is a line."""
    top = 22.0 if mark_text else 6.0
    scale = (width - _LABELS - room) / max(1.0, mark, *(bar.value for bar in bars))
    height = top + _ROW * len(bars) + 6
    groups = []
    for number, bar in enumerate(bars):
        y = top + _ROW * number
        length = round(bar.value * scale, 1)
        groups.append(
            Group(
                bar.title,
                (Rect(_LABELS, y + 4, length, _ROW - 8, bar.css, 2),),
                texts=(
                    Text(_LABELS - 8, y + 15, shorten(bar.label, _NAME), "label", "end"),
                    Text(width - room + 8, y + 15, bar.text, "quiet number"),
                ),
            )
        )
    if mark_text:
        x = round(_LABELS + mark * scale, 1)
        rule = Path(line((x, top - 4), (x, height - 4)), "rule")
        text = Text(x, top - 9, mark_text, "tag", "middle")
        groups.append(Group(mark_text, paths=(rule,), texts=(text,)))
    words = "; ".join(bar.title for bar in bars)
    return Picture(key, title, f"{words}.", width, height, tuple(groups))


def draw_timeline(report: Report) -> Picture:
    """Return when every stage works on the first frames."""
    activity = report.predicted.activity
    width, top, right = 1140.0, 40.0, 14.0
    done = [max(a.spans[f].last_out for a in activity) for f in range(SHOWN)] if activity else [1]
    scale = (width - _LABELS - right) / (done[-1] + 1)
    bottom = top + _ROW * len(activity)
    groups = [_axis(done[-1], scale, top, bottom)]
    groups += [_row(a, top + _ROW * k, scale) for k, a in enumerate(activity)]
    groups += [_finish(f, cycle, scale, top, bottom) for f, cycle in enumerate(done)]
    return Picture(
        "timeline",
        f"When each stage works on the first {SHOWN} frames",
        "Pale: a frame is in the stage. Solid: results of the frame leave it. "
        + "; ".join(f"frame {f} is done in cycle {count(c)}" for f, c in enumerate(done))
        + ".",
        width,
        bottom + 24,
        tuple(groups),
    )


def _axis(last: int, scale: float, top: float, bottom: float) -> Group:
    step = _tick(last)
    ticks = [(_LABELS + cycle * scale, cycle) for cycle in range(0, last + 1, step)]
    return Group(
        "clock cycles",
        paths=tuple(Path(line((x, top), (x, bottom + 4)), "grid") for x, _ in ticks),
        texts=tuple(
            Text(round(x, 1), bottom + 18, count(cycle), "quiet number", "middle")
            for x, cycle in ticks
        ),
    )


def _tick(last: int) -> int:
    """Return a round distance that gives at most ten ticks."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if last <= 10 * step:
                return step
        size *= 10


def _row(activity: Activity, y: float, scale: float) -> Group:
    rects, words = [], []
    for span in activity.spans:
        at, height = y + 3 + 8 * span.frame, 7.0
        for first, css in ((span.first_in, "pale"), (span.first_out, "solid")):
            x = round(_LABELS + first * scale, 1)
            length = round(max(1.5, (span.last_out + 1 - first) * scale), 1)
            rects.append(Rect(x, at, length, height, f"{css} frame{span.frame}", 1.5))
        words.append(
            f"frame {span.frame}: in from {count(span.first_in)}, "
            f"out {count(span.first_out)} to {count(span.last_out)}"
        )
    label = Text(_LABELS - 8, y + 15, shorten(activity.name, _NAME), "label", "end")
    return Group(f"{activity.name}: {'; '.join(words)}", tuple(rects), texts=(label,))


def _finish(frame: int, cycle: int, scale: float, top: float, bottom: float) -> Group:
    x = round(_LABELS + (cycle + 1) * scale, 1)
    text = f"frame {frame} done: {count(cycle)}"
    return Group(
        text,
        paths=(Path(line((x, top - 6), (x, bottom)), f"rule frame{frame}"),),
        texts=(Text(x, top - 12, text, f"tag frame{frame}", "end"),),
    )
