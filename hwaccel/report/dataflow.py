"""The picture of the dataflow graph: stages as boxes, streams as lines."""

from __future__ import annotations

from dataclasses import replace

from hwaccel.report.diagram import Box, Stream, key_of
from hwaccel.report.layout import BoxSize, Edge, Placement, Point, Route, place
from hwaccel.report.model import Report
from hwaccel.report.stages import Kind, Stage
from hwaccel.report.svg import Circle, Group, Path, Picture, Rect, Text, rounded
from hwaccel.report.text import listed, percent, plural, short_names, shorten

STAGE = BoxSize(212.0, 72.0)
PORT = BoxSize(132.0, 34.0)
_CHARACTER = 6.2  # mean width of a character of a stream's text
_LINE = 13.0
_HEAD = 5.0  # length of an arrow head
STYLES = {
    Kind.MULTIPLY: "multiply",
    Kind.WINDOW: "window",
    Kind.JOIN: "join",
    Kind.ELEMENTWISE: "element",
    Kind.REORDER: "reorder",
    Kind.PORT: "port",
}


def draw_dataflow(report: Report) -> Picture:
    """Return the picture of the whole design."""
    boxes, streams = report.diagram.boxes, report.diagram.streams
    sizes = [PORT if box.stage is None else STAGE for box in boxes]
    edges = [Edge(s.source, s.target, *_text_size(s)) for s in streams]
    placed = place(sizes, edges)
    groups = [
        _stream(stream, route, boxes) for stream, route in zip(streams, placed.routes, strict=True)
    ]
    groups.append(_forks(placed))
    labels = short_names([box.name for box in boxes], 22)
    for number, (box, corner) in enumerate(zip(boxes, placed.boxes, strict=True)):
        drawn = (
            _port(box, corner)
            if box.stage is None
            else _stage(report.stages[box.stage], labels[box.name], corner)
        )
        groups.append(replace(drawn, target=key_of(number)))
    names = listed([box.name for box in boxes if box.stage is not None])
    return Picture(
        "dataflow",
        f"Dataflow graph of {report.name}",
        f"Stages from input to output: {names}.",
        placed.width,
        placed.height,
        tuple(groups),
    )


def _stream_lines(stream: Stream) -> tuple[str, ...]:
    out, into = stream.lanes
    lanes = f"{out} × {stream.width} bit"
    if out != into:
        lanes = f"{out} → {into} × {stream.width} bit"
    return (f"{stream.shape} {stream.format}", lanes, *stream.parts)


def _text_size(stream: Stream) -> tuple[float, float]:
    lines = _stream_lines(stream)
    return max(len(text) for text in lines) * _CHARACTER, len(lines) * _LINE


def _stream(stream: Stream, route: Route, boxes: tuple[Box, ...]) -> Group:
    lines = _stream_lines(stream)
    x, y = route.points[-1]
    anchor, at = ("end", x - 8) if route.leftward else ("start", x + 8)
    first = y - 12 - _LINE * (len(lines) - 1)
    texts = tuple(
        Text(at, first + _LINE * k, text, "stream" if k else "stream type", anchor)
        for k, text in enumerate(lines)
    )
    end = (x, y - _HEAD)
    arrow = f"M{x - 4:g} {y - _HEAD - 2:g} L{x:g} {y:g} L{x + 4:g} {y - _HEAD - 2:g} Z"
    paths = (Path(rounded((*route.points[:-1], end)), "wire"), Path(arrow, "head"))
    names = f"{boxes[stream.source].name} to {boxes[stream.target].name}"
    return Group(f"{names}: {'; '.join(lines)}", paths=paths, texts=texts)


def _forks(placed: Placement) -> Group:
    dots = tuple(Circle(x, y, 3.5, "head") for x, y in placed.forks)
    return Group("streams that are copied", circles=dots)


def _port(box: Box, corner: Point) -> Group:
    x, y = corner
    return Group(
        f"port {box.name}",
        (Rect(x, y, PORT.width, PORT.height, "box port", PORT.height / 2),),
        texts=(Text(x + PORT.width / 2, y + 21, shorten(box.name, 16), "name", "middle"),),
    )


def _stage(stage: Stage, label: str, corner: Point) -> Group:
    x, y = corner
    width, height, style = STAGE.width, STAGE.height, STYLES[stage.kind]
    fold = stage.layers[0].fold
    ops = listed([layer.op for layer in stage.layers])
    frame = "box bottleneck" if stage.bottleneck else "box"
    track = width - 32
    rects = (
        Rect(x, y, width, height, f"{frame} {style}", 7),
        Rect(x + 6, y + 10, 3, height - 20, f"strip {style}", 1.5),
        Rect(x + 18, y + 60, track, 4, "track", 2),
        Rect(x + 18, y + 60, round(track * min(1.0, stage.busy), 1), 4, f"fill {style}", 2),
    )
    work = f"{fold} · {plural(stage.cycles, 'cycle')}"
    texts = [
        Text(x + 18, y + 20, label, "name"),
        Text(x + 18, y + 36, shorten(ops, 16 if stage.bottleneck else 27), "quiet"),
        Text(x + 18, y + 52, work, "quiet number"),
        Text(x + width - 14, y + 52, percent(stage.busy, 0), "quiet number", "end"),
    ]
    if stage.bottleneck:
        texts.append(Text(x + width - 14, y + 36, "bottleneck", "tag", "end"))
    path = stage.layers[0].path
    where = f"{stage.title} ({path})" if path else stage.title
    title = f"{where}: {ops}; fold {fold}; {work}, {percent(stage.busy)} of the interval"
    return Group(title, rects, texts=tuple(texts))
