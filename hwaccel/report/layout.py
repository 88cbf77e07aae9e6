"""Place boxes in layers and route the edges between them at right angles.

The usual four steps (K. Sugiyama et al., *IEEE Trans. SMC* 11, 1981): layers by longest path,
order within a layer by barycentre, positions, routes. Edges that skip layers get a lane of their
own. A long graph continues at the top of the next column wherever a single edge leads on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hwaccel.report.columns import split_columns
from hwaccel.report.isotonic import spread

Point = tuple[float, float]

BETWEEN = 18.0  # least distance between neighbours in a layer
TRACK = 7.0  # distance between horizontal tracks
ABOVE = 18.0  # height kept free above a box, and the text on its incoming edges
GUTTER = 40.0  # distance between columns
MARGIN = 10.0
LANE = 8.0  # half the width of a lane


@dataclass(frozen=True, slots=True)
class BoxSize:
    """A box to be placed."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge to be routed, and the size of its text. Sources come before targets."""

    source: int
    target: int
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """Corners of an edge. Its text stands above the end, to the left where ``leftward``."""

    points: tuple[Point, ...]
    leftward: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """Upper left corners of the boxes, routes of the edges, forks, and the size of the whole."""

    boxes: tuple[Point, ...]
    routes: tuple[Route, ...]
    forks: tuple[Point, ...]
    width: float
    height: float


def place(boxes: Sequence[BoxSize], edges: Sequence[Edge]) -> Placement:
    """Return where everything goes; the same input gives the same picture."""
    layers = _Layers(boxes, edges)
    layers.order()
    layers.align()
    heights = [layers.height(rank) for rank in range(len(layers.ranks))]
    columns = split_columns(heights, layers.breaks(), layers.width)
    return _Router(layers, columns).placement()


@dataclass(slots=True)
class Item:
    """A box, or the piece of an edge that passes a layer. ``x`` is its middle."""

    rank: int
    left: float
    right: float
    height: float
    box: bool
    x: float = 0.0
    y: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


class _Layers:
    """Items by layer; the first ``len(boxes)`` items are the boxes."""

    def __init__(self, boxes: Sequence[BoxSize], edges: Sequence[Edge]) -> None:
        self.boxes, self.edges = boxes, edges
        rank = _ranks(len(boxes), edges)
        self.items = [
            Item(r, b.width / 2, b.width / 2, b.height, True)
            for r, b in zip(rank, boxes, strict=True)
        ]
        self._keep_label_room()
        self.paths = [self._path(edge) for edge in edges]
        self.ranks: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
        for index, item in enumerate(self.items):
            self.ranks[item.rank].append(index)

    def _keep_label_room(self) -> None:
        incoming = defaultdict(list)
        for edge in self.edges:
            incoming[edge.target].append(edge.width)
        for target, labels in incoming.items():
            item = self.items[target]
            if len(labels) > 1:
                item.left = max(item.left, max(labels) + 8)
                item.right += max(labels)
            else:
                item.right = max(item.right, labels[0] + 8)

    def _path(self, edge: Edge) -> list[int]:
        """Return the items along an edge, adding lanes where it passes layers."""
        path = [edge.source]
        for rank in range(self.items[edge.source].rank + 1, self.items[edge.target].rank):
            path.append(len(self.items))
            self.items.append(Item(rank, LANE, LANE, 0.0, False))
        path.append(edge.target)
        for upper, lower in pairwise(path):
            self.items[upper].below.append(lower)
            self.items[lower].above.append(upper)
        return path

    def breaks(self) -> list[int]:
        """Return the layers that hang on a single box, which alone stands in the layer above."""
        pairs = pairwise(self.ranks)
        return [
            rank
            for rank, (upper, lower) in enumerate(pairs, 1)
            if len(upper) == 1 and all(self.items[i].above == upper for i in lower)
        ]

    def extent(self, ranks: range) -> tuple[float, float]:
        """Return the left and right end of these layers."""
        members = [self.items[i] for rank in ranks for i in self.ranks[rank]]
        return min(m.x - m.left for m in members), max(m.x + m.right for m in members)

    def width(self, ranks: range) -> float:
        """Return the width of these layers with the gutter beside them."""
        left, right = self.extent(ranks)
        return right - left + GUTTER

    def above(self, rank: int) -> float:
        """Return the height to keep free above a layer."""
        texts = [e.height for e in self.edges if self.items[e.target].rank == rank]
        return ABOVE + max(texts, default=0.0)

    def height(self, rank: int) -> float:
        """Return the height of a layer and what stands above it."""
        return max(self.items[i].height for i in self.ranks[rank]) + self.above(rank)

    def order(self, sweeps: int = 4) -> None:
        """Sort every layer by the mean place of its neighbours, down and up."""
        place = {i: float(k) for rank in self.ranks for k, i in enumerate(rank)}
        for sweep in range(sweeps):
            down = sweep % 2 == 0
            for rank in self.ranks if down else reversed(self.ranks):
                keys = {}
                for index in rank:
                    near = self.items[index].above if down else self.items[index].below
                    mean = sum(place[n] for n in near) / len(near) if near else place[index]
                    keys[index] = (mean, not self.items[index].box, index)
                rank.sort(key=keys.__getitem__)
                place.update((index, float(k)) for k, index in enumerate(rank))

    def align(self) -> None:
        """Put every item under the one it hangs on, as far as its neighbours allow."""
        for rank in self.ranks:
            wanted = [self._wanted(self.items[i]) for i in rank]
            weights = [1000.0 if self.items[i].box else 1.0 for i in rank]
            for index, x in zip(rank, spread(wanted, weights, self._distances(rank)), strict=True):
                self.items[index].x = x
        for path in sorted(self.paths, key=lambda p: self.items[p[1]].x):
            x = max((self.items[i].x for i in path[1:-1]), default=0.0)
            for index in path[1:-1]:
                self.items[index].x = x
        for rank in self.ranks:
            for (left, right), least in zip(pairwise(rank), self._distances(rank), strict=True):
                self.items[right].x = max(self.items[right].x, self.items[left].x + least)

    def _wanted(self, item: Item) -> float:
        above = [self.items[i] for i in item.above]
        if not above:
            return 0.0
        if not item.box:
            return above[0].x + (above[0].right + BETWEEN if above[0].box else 0.0)
        first = [a for a in above if a.box] or above
        return sum(a.x for a in first) / len(first)

    def _distances(self, rank: list[int]) -> list[float]:
        pairs = pairwise(rank)
        return [self.items[a].right + self.items[b].left + BETWEEN for a, b in pairs]


def _ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return the longest path to every box; a box without sources stands just above its reader."""
    rank, fed = [0] * count, {edge.target for edge in edges}
    for edge in sorted(edges, key=lambda e: e.target):
        rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    readers = defaultdict(list)
    for edge in edges:
        readers[edge.source].append(rank[edge.target])
    for box in range(count):
        if box not in fed and readers[box]:
            rank[box] = min(readers[box]) - 1
    return rank


class _Router:
    """Turns ordered layers into coordinates."""

    def __init__(self, layers: _Layers, columns: Sequence[range]) -> None:
        self._layers, self._items = layers, layers.items
        self._columns = columns
        self._column = {rank: k for k, ranks in enumerate(columns) for rank in ranks}
        self._tracks = self._assign_tracks()
        self._gutters: list[float] = []

    def placement(self) -> Placement:
        """Place columns side by side, then draw the edges."""
        width, height = self._place_columns()
        routes = tuple(self._route(k) for k in range(len(self._layers.edges)))
        corners = tuple(
            (item.x - size.width / 2, item.y)
            for item, size in zip(self._items, self._layers.boxes, strict=False)
        )
        return Placement(corners, routes, self._forks(), width, height)

    def _assign_tracks(self) -> list[dict[int, int]]:
        """Give every item that an edge leaves sideways a track in the gap below its layer."""
        tracks: list[dict[int, int]] = [{} for _ in self._layers.ranks]
        for path in self._layers.paths:
            for upper, lower in pairwise(path):
                item = self._items[upper]
                turns = len(self._items[lower].above) > 1 or item.x != self._items[lower].x
                if turns or len(item.below) > 1:
                    taken = tracks[item.rank]
                    taken.setdefault(upper, len(taken))
        return tracks

    def _place_columns(self) -> tuple[float, float]:
        right, deepest = 0.0, 0.0
        for number, ranks in enumerate(self._columns):
            left, end = self._layers.extent(ranks)
            start = right + (GUTTER if number else MARGIN)
            self._gutters.append(start - GUTTER / 2)
            y = MARGIN
            for rank in ranks:
                first = rank == ranks[0]
                y = self._place_rank(rank, y if first and not number else y + self._above(rank))
                for index in self._layers.ranks[rank]:
                    self._items[index].x += start - left
            right, deepest = start + end - left, max(deepest, y)
        return right + MARGIN, deepest + MARGIN + (TRACK if len(self._columns) > 1 else 0.0)

    def _above(self, rank: int) -> float:
        return self._layers.above(rank) + TRACK * len(self._tracks[rank - 1])

    def _place_rank(self, rank: int, y: float) -> float:
        """Put a layer at ``y`` and return where it ends."""
        tallest = max(self._items[i].height for i in self._layers.ranks[rank])
        for index in self._layers.ranks[rank]:
            self._items[index].y = y
            self._items[index].height = tallest
        return y + tallest

    def _port(self, edge: int) -> tuple[float, bool]:
        """Return where an edge enters its target, and whether its text stands to the left."""
        path = self._layers.paths[edge]
        target = self._items[path[-1]]
        rivals = [k for k, p in enumerate(self._layers.paths) if p[-1] == path[-1]]
        if len(rivals) == 1:
            return target.x, False
        rivals.sort(key=lambda k: (self._items[self._layers.paths[k][-2]].x, k))
        half = self._layers.boxes[path[-1]].width / 2 - 24
        step = 2 * half / (len(rivals) - 1)
        at = rivals.index(edge)
        straight = [k for k in rivals if self._items[self._layers.paths[k][-2]].x == target.x]
        if straight and len(rivals) == 2:
            first = straight[0] == rivals[0]
            offsets = (0.0, half) if first else (-half, 0.0)
            return target.x + offsets[at], at == 0
        return target.x - half + at * step, at < len(rivals) / 2

    def _route(self, edge: int) -> Route:
        path = self._layers.paths[edge]
        port, leftward = self._port(edge)
        items = [self._items[i] for i in path]
        start = items[0].y + self._layers.boxes[path[0]].height
        points: list[Point] = [(items[0].x, start)]
        for index, upper, lower in zip(path, items, items[1:], strict=False):
            x = port if lower is items[-1] else lower.x
            if self._column[upper.rank] != self._column[lower.rank]:
                points += self._wrap(upper, x, self._column[lower.rank])
            elif x != points[-1][0]:
                y = upper.y + upper.height + TRACK * (self._tracks[upper.rank][index] + 1)
                points += [(points[-1][0], y), (x, y)]
        points.append((port, items[-1].y))
        return Route(tuple(points), leftward)

    def _wrap(self, upper: Item, x: float, column: int) -> list[Point]:
        low, gutter = upper.y + upper.height + TRACK * 2, self._gutters[column]
        return [(upper.x, low), (gutter, low), (gutter, MARGIN), (x, MARGIN)]

    def _forks(self) -> tuple[Point, ...]:
        return tuple(
            self._fork(index, item)
            for index, item in enumerate(self._items)
            if item.box and len(item.below) > 1
        )

    def _fork(self, index: int, item: Item) -> Point:
        """Return where the edges of ``item`` part: below it, or at the top of the next column."""
        below = [self._items[i] for i in item.below]
        if all(self._column[b.rank] != self._column[item.rank] for b in below):
            return min(b.x for b in below), MARGIN
        return item.x, item.y + item.height + TRACK * (self._tracks[item.rank][index] + 1)
