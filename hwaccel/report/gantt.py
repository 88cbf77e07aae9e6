"""The picture of the steady state: what every stage does in every cycle, and how full FIFOs are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hwaccel.report.charts import tick
from hwaccel.report.pipeline import Piece, Pipeline, Queue, Row, waits
from hwaccel.report.svg import Group, Path, Picture, Plot, Text, line
from hwaccel.report.text import count, percent, plural, short_names, shorten

_LABELS, _NOTES, _WIDTH = 200.0, 216.0, 1160.0
_ROW, _BAR, _TOP, _GAP = 22.0, 14.0, 26.0, 30.0
_NAME = 25
_Q_BAR = 16.0


def draw_pipeline(pipeline: Pipeline) -> Picture | None:
    """Return stages and FIFOs over the same cycles; ``None`` where nothing is known."""
    if not pipeline.rows:
        return None
    rows, queues = pipeline.rows, pipeline.queues
    names = short_names([r.name for r in rows], _NAME)
    below = _TOP + _ROW * len(rows) + _GAP
    bottom = below + _ROW * len(queues)
    width = _WIDTH - _LABELS - _NOTES
    groups = [_axis(pipeline, bottom, width)]
    groups += [_row_texts(r, names[r.name], _TOP + _ROW * k, pipeline) for k, r in enumerate(rows)]
    groups.append(Group("FIFOs", texts=(Text(0, below - 8, "FIFO, beats held", "quiet"),)))
    groups += [
        _queue_texts(q, shorten(q.name, _NAME), below + _ROW * k) for k, q in enumerate(queues)
    ]
    plots = [_row_paths(r, _ROW * k, pipeline.grain) for k, r in enumerate(rows)]
    plots += [_queue_paths(q, below - _TOP + _ROW * k) for k, q in enumerate(queues)]
    plot = Plot(_LABELS, _TOP, width, bottom - _TOP, pipeline.first, pipeline.cycles, tuple(plots))
    last = pipeline.first + pipeline.cycles
    return Picture(
        "pipeline",
        f"{'Steady state' if pipeline.repeats else 'No steady state yet'}, "
        f"cycles {count(pipeline.first)} to {count(last - 1)}, exact",
        f"{plural(len(rows), 'stage')} and {plural(len(queues), 'FIFO')} over "
        f"{plural(len(pipeline.starts), 'frame')}; the table below says the same in numbers.",
        _WIDTH,
        bottom + 24,
        tuple(groups),
        plot,
    )


def _axis(pipeline: Pipeline, bottom: float, width: float) -> Group:
    """Return ticks, and a line where each interval ends."""
    scale, step = width / pipeline.cycles, tick(pipeline.cycles)
    first = -(-pipeline.first // step) * step
    at = range(first, pipeline.first + pipeline.cycles, step)
    texts = tuple(
        Text(_x(cycle, pipeline, scale), bottom + 18, count(cycle), "quiet number tick", "middle")
        for cycle in at
    )
    starts = pipeline.starts[1:] if len(pipeline.starts) <= 8 else ()
    ends = tuple(
        Path(line((x, _TOP - 4), (x, bottom + 4)), "rule interval")
        for start in starts
        for x in [_x(start, pipeline, scale)]
    )
    mark = Text(_LABELS, _TOP - 10, repeats(pipeline), "quiet")
    return Group("clock cycles", paths=ends, texts=(mark, *texts))


def repeats(pipeline: Pipeline) -> str:
    """Say how many frames are shown, and that they are like those before."""
    frames = f"{plural(len(pipeline.starts), 'frame')} of the source"
    if not pipeline.repeats:
        return f"{frames}, not the same as any before"
    before = "the frame" if pipeline.repeats == 1 else f"those {pipeline.repeats} frames"
    return f"{frames}, the same in every cycle as {before} before"


def _x(cycle: int, pipeline: Pipeline, scale: float) -> float:
    return round(_LABELS + (cycle - pipeline.first) * scale, 1)


def _row_texts(row: Row, name: str, y: float, pipeline: Pipeline) -> Group:
    label = Text(_LABELS - 10, y + 12, name, "label", "end")
    busy = Text(
        _WIDTH - _NOTES + 46, y + 12, percent(row.works / pipeline.cycles, 0), "number", "end"
    )
    said = Text(_WIDTH - _NOTES + 56, y + 12, short_waits(row, pipeline.cycles), "quiet")
    return Group(f"{row.name}: {waits(row, pipeline.cycles)}", texts=(label, busy, said))


def short_waits(row: Row, cycles: int) -> str:
    """Name the larger of two reasons to wait in the few characters beside a row."""
    if not row.starved + row.blocked:
        return "never waits"
    if row.blocked > row.starved:
        return f"◂ {_cut(row.readers[0])} is full"
    name, _ = max(row.missing, key=lambda item: item[1])
    return f"waits for {_cut(name)}"


def _cut(name: str) -> str:
    return shorten(name, 15)


def _row_paths(row: Row, y: float, grain: int) -> Group:
    """Return bars that share the height of a row as the cycles of a piece do."""
    height = _BAR / grain
    parts: Sequence[tuple[str, Callable[[Piece], int], Callable[[Piece], int]]] = (
        ("works", lambda p: p.works, lambda p: p.starved + p.blocked),
        ("starved", lambda p: p.starved, lambda p: p.blocked),
        ("blocked", lambda p: p.blocked, lambda p: 0),
    )
    paths = []
    for css, of, above in parts:
        boxes = [
            (p.first, p.cycles, y + 1 + above(p) * height, of(p) * height)
            for p in row.pieces
            if of(p)
        ]
        if boxes:
            paths.append(Path(_boxes(boxes), css))
    return Group("", paths=tuple(paths))


def _boxes(boxes: Sequence[tuple[int, int, float, float]]) -> str:
    """Return a path of boxes: first, cycles, top, height."""
    return "".join(f"M{x} {_n(y)}h{w}v{_n(h)}h-{w}z" for x, w, y, h in boxes)


def _queue_texts(queue: Queue, name: str, y: float) -> Group:
    label = Text(_LABELS - 10, y + 13, name, "label", "end")
    most = Text(
        _WIDTH - _NOTES + 10, y + 13, f"{count(queue.most)} of {count(queue.depth)}", "number"
    )
    held = mean_beats(queue.mean)
    mean = Text(_WIDTH - _NOTES + 96, y + 13, f"mean {held}", "quiet number")
    title = (
        f"FIFO of {queue.name}: at most {queue.most} of {queue.depth} beats, {held} on "
        f"average; at most {queue.reserved} places taken"
    )
    return Group(title, texts=(label, most, mean))


def mean_beats(mean: float) -> str:
    """Write a mean in two digits or more, without an exponent."""
    return f"{mean:.2g}" if 0.001 < mean < 99 else f"{mean:,.0f}"


def _queue_paths(queue: Queue, y: float) -> Group:
    """Return what is held as a filled outline below a line at the depth."""
    unit, floor = _Q_BAR / max(1, queue.depth), y + 2 + _Q_BAR
    boxes = [
        (p.first, p.cycles, floor - p.works * unit, p.works * unit) for p in queue.pieces if p.works
    ]
    first, last = queue.pieces[0].first, queue.pieces[-1].first + queue.pieces[-1].cycles
    paths = [Path(f"M{first} {_n(y + 2)}h{last - first}v{_n(_Q_BAR)}h-{last - first}z", "room")]
    if boxes:
        paths.append(Path(_boxes(boxes), "held"))
    return Group("", paths=tuple(paths))


def _n(value: float) -> str:
    return f"{round(value, 2):g}"
