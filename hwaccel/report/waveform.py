"""The picture of an excerpt of waves."""

from __future__ import annotations

from hwaccel.report.evidence import Excerpt, Lane
from hwaccel.report.svg import Group, Path, Picture, Text, line
from hwaccel.report.text import clean, count, shorten

_LABELS, _CYCLE, _ROW, _TOP = 230.0, 20.0, 22.0, 26.0
_HIGH, _LOW = 4.0, 16.0
_DIGIT = 6.4  # width of a digit of a value
_SLOPE = 2.5


def draw_excerpt(excerpt: Excerpt, key: str) -> Picture:
    """Return the signals of ``excerpt`` one below the other."""
    width = _LABELS + _CYCLE * excerpt.cycles + 14
    bottom = _TOP + _ROW * len(excerpt.lanes)
    groups = [_axis(excerpt, bottom)]
    groups += [_lane(lane, _TOP + _ROW * k, excerpt) for k, lane in enumerate(excerpt.lanes)]
    return Picture(
        key,
        f"{clean(excerpt.title)}, cycle {count(excerpt.mark)}",
        f"{len(excerpt.lanes)} signals in cycles {count(excerpt.first)} to "
        f"{count(excerpt.first + excerpt.cycles - 1)}; values are hexadecimal.",
        width,
        bottom + 8,
        tuple(groups),
    )


def _axis(excerpt: Excerpt, bottom: float) -> Group:
    shown = [at for at in range(excerpt.cycles) if (excerpt.first + at) % 4 == 0]
    grid = tuple(Path(line((_x(at), _TOP), (_x(at), bottom)), "grid") for at in shown)
    texts = tuple(
        Text(_x(at), _TOP - 8, count(excerpt.first + at), "quiet number", "middle") for at in shown
    )
    mark = excerpt.mark - excerpt.first
    paths: tuple[Path, ...] = grid
    if 0 <= mark < excerpt.cycles:
        box = line((_x(mark), _TOP), (_x(mark + 1), _TOP), (_x(mark + 1), bottom),
                   (_x(mark), bottom))  # fmt: skip
        paths = (*grid, Path(f"{box} Z", "marked"))
    return Group("clock cycles", paths=paths, texts=texts)


def _x(at: int) -> float:
    return _LABELS + _CYCLE * at


def _lane(lane: Lane, y: float, excerpt: Excerpt) -> Group:
    name = clean(lane.name)
    bits = "" if lane.bits == 1 else f" [{lane.bits - 1}:0]"
    label = Text(_LABELS - 10, y + 15, shorten(f"{name}{bits}", 28), "label wave", "end")
    ends = [change.cycle for change in lane.changes[1:]] + [excerpt.cycles]
    spans = [(c.cycle, min(end, excerpt.cycles), clean(c.value)) for c, end in
             zip(lane.changes, ends, strict=True) if c.cycle < end]  # fmt: skip
    shapes = _level(spans, y) if lane.bits == 1 else _bus(spans, y)
    return Group(f"{name}{bits}", paths=shapes[0], texts=(label, *shapes[1]))


def _level(spans: list[tuple[int, int, str]], y: float) -> tuple[tuple[Path, ...], list[Text]]:
    points = []
    for first, end, value in spans:
        at = y + (_HIGH if value == "1" else _LOW if value == "0" else (_HIGH + _LOW) / 2)
        points += [(_x(first), at), (_x(end), at)]
    return ((Path(line(*points), "signal"),) if points else ()), []


def _bus(spans: list[tuple[int, int, str]], y: float) -> tuple[tuple[Path, ...], list[Text]]:
    paths, texts = [], []
    middle = y + (_HIGH + _LOW) / 2
    for first, end, value in spans:
        left, right, top, low = _x(first), _x(end), y + _HIGH, y + _LOW
        around = [(left, middle), (left + _SLOPE, top), (right - _SLOPE, top), (right, middle)]
        around += [(right - _SLOPE, low), (left + _SLOPE, low)]
        paths.append(Path(f"{line(*around)} Z", "bus unknown" if value == "x" else "bus"))
        room = int((right - left - 2 * _SLOPE) / _DIGIT)
        if value != "x" and room >= min(2, len(value)):
            text = value if len(value) <= room else f"…{value[len(value) - room + 1 :]}"
            texts.append(Text((left + right) / 2, middle + 4, text, "value", "middle"))
    return tuple(paths), texts
