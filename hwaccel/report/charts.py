"""Bar charts and the timeline, as shapes with ready coordinates."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.ir.hardware import Area
from hwaccel.report.activity import SHOWN, Activity
from hwaccel.report.dataflow import STYLES
from hwaccel.report.model import Report
from hwaccel.report.stages import Kind, Stage
from hwaccel.report.svg import Group, Path, Picture, Rect, Text, line
from hwaccel.report.text import count, percent, plural, short_names

_ROW = 22.0
_LABELS = 136.0  # room for the names on the left
_WIDTH = 570.0
_NAME = 17  # characters of a name that fit there


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    value: float
    texts: tuple[str, ...]
    css: str
    title: str


def draw_cycles(report: Report) -> Picture:
    """Return cycles per frame of every stage against the interval."""
    interval = report.predicted.interval
    bars = [
        _Bar(
            stage.title,
            stage.cycles,
            (count(stage.cycles), percent(stage.busy, 0)),
            f"fill {STYLES[stage.kind]}{' hot' if stage.bottleneck else ''}",
            f"{stage.title}: {plural(stage.cycles, 'cycle')} per frame",
        )
        for stage in _built(report)
    ]
    return _bar_chart(
        "cycles",
        "Cycles per frame of each stage, exact",
        bars,
        (62.0, 46.0),
        interval,
        f"interval {count(interval)}",
    )


def draw_area(report: Report) -> Picture:
    """Return the estimated LUT of every stage, the other resources in words."""
    rows = [(s.title, s.estimated_area, STYLES[s.kind]) for s in _built(report)]
    if report.estimated.adapters != Area():
        rows.append(("between stages", report.estimated.adapters, "element"))
    bars = [
        _Bar(name, area.luts, _area_texts(area), f"fill {css}", f"{name}: {_words(area)}")
        for name, area, css in rows
        if area
    ]
    return _bar_chart("area", "Area of each stage, estimated", bars, (66.0, 60.0, 54.0, 54.0))


def _built(report: Report) -> list[Stage]:
    return [stage for stage in report.stages if stage.kind is not Kind.WIRES]


def _area_texts(area: Area) -> tuple[str, ...]:
    amounts = ((area.luts, "LUT"), (area.ffs, "FF"), (area.dsps, "DSP"), (area.rams, "RAM"))
    return tuple(f"{count(amount)} {unit}" if amount else "" for amount, unit in amounts)


def _words(area: Area) -> str:
    return ", ".join(text for text in _area_texts(area) if text)


def _bar_chart(
    key: str,
    title: str,
    bars: list[_Bar],
    columns: tuple[float, ...],
    mark: float = 0.0,
    mark_text: str = "",
) -> Picture:
    """Return level bars with texts in ``columns`` on their right; ``mark`` is an upright line."""
    top, width, room = 22.0, _WIDTH, sum(columns) + 4
    ends = [_WIDTH - sum(columns[k + 1 :]) for k in range(len(columns))]
    scale = (width - _LABELS - room) / max(1.0, mark, *(bar.value for bar in bars))
    height = top + _ROW * len(bars) + 6
    names = short_names([bar.label for bar in bars], _NAME)
    groups = []
    for number, bar in enumerate(bars):
        y = top + _ROW * number
        length = round(bar.value * scale, 1)
        groups.append(
            Group(
                bar.title,
                (Rect(_LABELS, y + 4, length, _ROW - 8, bar.css, 2),),
                texts=(
                    Text(_LABELS - 8, y + 15, names[bar.label], "label", "end"),
                    *(
                        Text(x, y + 15, text, "quiet number", "end")
                        for x, text in zip(ends, bar.texts, strict=True)
                    ),
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
    width, top, right = 1160.0, 42.0, 14.0
    done = [max(a.spans[f].last_out for a in activity) for f in range(SHOWN)] if activity else [1]
    scale = (width - _LABELS - right) / (done[-1] + 1)
    bottom = top + _ROW * len(activity)
    groups = [_axis(done[-1], scale, top, bottom)]
    names = short_names([a.name for a in activity], _NAME)
    groups += [_row(a, names[a.name], top + _ROW * k, scale) for k, a in enumerate(activity)]
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
    step = tick(last)
    ticks = [(_LABELS + cycle * scale, cycle) for cycle in range(0, last + 1, step)]
    return Group(
        "clock cycles",
        paths=tuple(Path(line((x, top), (x, bottom + 4)), "grid") for x, _ in ticks),
        texts=tuple(
            Text(round(x, 1), bottom + 18, count(cycle), "quiet number", "middle")
            for x, cycle in ticks
        ),
    )


def tick(last: int) -> int:
    """Return a round distance that gives at most ten ticks."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if last <= 10 * step:
                return step
        size *= 10


def _row(activity: Activity, name: str, y: float, scale: float) -> Group:
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
    label = Text(_LABELS - 8, y + 15, name, "label", "end")
    return Group(f"{activity.name}: {'; '.join(words)}", tuple(rects), texts=(label,))


def _finish(frame: int, cycle: int, scale: float, top: float, bottom: float) -> Group:
    x, y = round(_LABELS + (cycle + 1) * scale, 1), 12.0 + 14 * frame
    text = f"frame {frame} done: {count(cycle)}"
    return Group(
        text,
        paths=(Path(line((x, y - 9), (x, bottom)), f"rule frame{frame}"),),
        texts=(Text(x - 6, y, text, f"tag frame{frame}", "end"),),
    )
