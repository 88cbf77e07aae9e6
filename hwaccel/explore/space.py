"""The space of a search: what may be chosen for each layer and for the design, as lists.

A point is an index into the list of every knob; ``config`` makes a configuration of it. A layer
that multiplies has one knob for how it becomes hardware: each folding that no other one beats in
cycles, multipliers and area together, and being laid out in logic where that can fit. A layer
without weights takes the style of the one in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hwaccel.config import Config, LayerConfig
from hwaccel.errors import ConfigError
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ir.hardware import Style
from hwaccel.pareto import nondominated
from hwaccel.schedule.fold import Choice, choices, laid_out, multiplier_of
from hwaccel.schedule.spatial import LUTS_PER_BIT, MOST_WEIGHTS, unrolled

Point = tuple[int, ...]
STYLES = ("stream", "pixel", "spatial")
# Of the clock of the configuration; slower ones take fewer registers, and less power.
_CLOCKS = (0.5, 0.75, 1.0)
_DEPTHS = (None, 2, 0)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a layer becomes hardware, and a guess of what it costs alone."""

    style: str
    pe: int | None
    simd: int | None
    cycles: int
    luts: int
    ffs: int = 0
    dsps: int = 0
    rams: int = 0

    def __str__(self) -> str:
        return f"{self.pe}x{self.simd}" if self.pe is not None else self.style

    def fits(self, most: Mapping[str, float]) -> bool:
        """Tell whether the layer alone is within ``most``, as far as can be guessed."""
        needs = {"lut": self.luts, "ff": self.ffs, "dsp": self.dsps, "ram": self.rams}
        return all(needs[name] <= limit for name, limit in most.items() if name in needs)

    @property
    def layer(self) -> dict[str, Any]:
        """The choice as fields of ``LayerConfig``."""
        return {"style": self.style, "pe": self.pe, "simd": self.simd}


@dataclass(frozen=True, slots=True)
class Knob:
    """Something to choose: ``values`` are ways, numbers of bits, clocks, or depths.

    ``path`` is the layer, or empty for the whole design; ``field`` says what is chosen.
    """

    path: str
    field: str
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.path} {self.field}".strip()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user lets the search choose from.

    ``bits`` are tried for the weights and activations of every layer; without any, widths are
    those of the configuration. ``most`` is what there is of each resource, by its name in
    ``goal``: a layer that alone is guessed at more is not offered.
    """

    styles: tuple[str, ...] = STYLES
    clocks: tuple[float, ...] = ()
    bits: tuple[int, ...] = ()
    most: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Space:
    """All knobs, and the layers without weights that follow those with a style."""

    base: Config
    knobs: tuple[Knob, ...]
    followers: Mapping[str, tuple[str, ...]]

    @property
    def size(self) -> int:
        """How many points there are."""
        number = 1
        for knob in self.knobs:
            number *= len(knob.values)
        return number

    def config(self, point: Point) -> Config:
        """Return the configuration of a point."""
        layers = {p: msgspec.to_builtins(layer) for p, layer in self.base.layers.items()}
        design: dict[str, Any] = {}
        for knob, value in self._chosen(point):
            if isinstance(value, Way):
                layers[knob.path] = {**layers.get(knob.path, {}), **value.layer}
                for path in self.followers.get(knob.path, ()):
                    layers[path] = {**layers.get(path, {}), "style": value.style}
            elif knob.path:
                layers[knob.path] = {**layers.get(knob.path, {}), knob.field: value}
            else:
                design[knob.field] = value
        made = {p: msgspec.convert(fields, LayerConfig) for p, fields in layers.items()}
        return msgspec.structs.replace(self.base, layers=made, **design)

    def widths(self, point: Point) -> Config:
        """Return what the front end is told of a point: nothing of how it becomes hardware."""
        layers = {p: msgspec.to_builtins(layer) for p, layer in self.base.layers.items()}
        for knob, value in self._chosen(point):
            if knob.field in ("weight_bits", "activation_bits"):
                layers[knob.path] = {**layers.get(knob.path, {}), knob.field: value}
        made = {p: msgspec.convert(fields, LayerConfig) for p, fields in layers.items()}
        return msgspec.structs.replace(self.base, layers=made)

    def describe(self, point: Point) -> dict[str, str]:
        """Return the choices by name of the knob."""
        return {knob.name: _shown(value) for knob, value in self._chosen(point)}

    def _chosen(self, point: Point) -> list[tuple[Knob, Any]]:
        pairs = zip(self.knobs, point, strict=True)
        return [(knob, knob.values[at]) for knob, at in pairs]


def _shown(value: object) -> str:
    if value is None:
        return "free"
    return f"{value:g}" if isinstance(value, float) else str(value)


def space_of(graph: Graph, base: Config, wishes: Wishes) -> Space:
    """Return what can be chosen for ``graph`` beyond what ``base`` holds fixed.

    Raises:
        ConfigError: a wish is impossible, or nothing is left to choose.
    """
    check_wishes(base, wishes)
    types, paths = graph.types(), _weighted(graph)
    knobs = [Knob(path, "hardware", _ways(nodes, types, base, wishes)) for path, nodes in paths]
    if not all(knob.values for knob in knobs):
        (path, *_) = (knob.path for knob in knobs if not knob.values)
        raise ConfigError(
            f"layer {path}: has no hardware in style {', '.join(wishes.styles)} that is within the "
            "limits; allow other styles, a larger target or higher limits"
        )
    for name in ("weight_bits", "activation_bits"):
        bits = tuple(sorted(wishes.bits))
        held = [p for p, _ in paths if getattr(base.layer(p), name) is not None]
        knobs += [Knob(path, name, bits) for path, _ in paths if bits and path not in held]
    if base.latency is None:
        clocks = wishes.clocks or tuple(round(base.clock_mhz * share, 3) for share in _CLOCKS)
        knobs.append(Knob("", "clock_mhz", tuple(sorted(clocks))))
    if base.extra_depth is None and any(_in_logic(knob) for knob in knobs):
        knobs.append(Knob("", "extra_depth", _DEPTHS))
    if not any(len(knob.values) > 1 for knob in knobs):
        raise ConfigError(
            "explore: nothing is left to search: the configuration and the options hold every "
            "choice fixed; allow more styles, clocks or bits"
        )
    return Space(base, tuple(knobs), _followers(graph, base))


def check_wishes(base: Config, wishes: Wishes) -> None:
    """See that each choice is one, whatever the model.

    Raises:
        ConfigError: it is not; the line names the option.
    """
    if base.target_interval is not None or base.multipliers is not None:
        raise ConfigError(
            "target_interval and multipliers choose the folding, which is searched for; leave "
            "them out, and give --min-fps or --max-dsp"
        )
    for style in wishes.styles:
        if style not in STYLES:
            raise ConfigError(f"--styles: {style!r} is not one of {', '.join(STYLES)}")
    for bits in wishes.bits:
        if not 2 <= bits <= 16:
            raise ConfigError(f"--bits: {bits} is not from 2 to 16")
    for clock in wishes.clocks:
        if not 0 < clock <= 2000:
            raise ConfigError(f"--clocks: {clock:g} MHz is not above 0 and at most 2000")
    for name in ("styles", "bits", "clocks"):
        values: Sequence[object] = getattr(wishes, name)
        if len(set(values)) != len(values):
            raise ConfigError(f"--{name}: a value is there twice; name it once")
    if not wishes.styles:
        raise ConfigError(f"--styles: is empty; name one or more of {', '.join(STYLES)}")


def _weighted(graph: Graph) -> list[tuple[str, tuple[Node, ...]]]:
    """Return the nodes that multiply, by the module path that names them all."""
    types = graph.types()
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.path and node.op.multiplications(*(types[name] for name in node.inputs)):
            found.setdefault(node.path, []).append(node)
    return [(path, tuple(nodes)) for path, nodes in found.items()]


def _ways(
    nodes: Sequence[Node], types: Mapping[str, TensorType], base: Config, wishes: Wishes
) -> tuple[Way, ...]:
    """Return the ways of a layer, the fastest first; several nodes of it all go the same one."""
    own = base.layer(nodes[0].path)
    styles = wishes.styles if own.style is None else (own.style,)
    found: list[Way] = []
    if "stream" in styles:
        found += _foldings(nodes, types, base, own)
    if own.pe is None and own.simd is None:
        found += [w for s in styles if (w := _in_logic_as(s, nodes, types, base))]
    found = [way for way in found if way.fits(wishes.most)]
    kept = nondominated([(w.cycles, w.luts, w.ffs, w.dsps, w.rams) for w in found])
    return tuple(sorted((found[at] for at in kept), key=lambda w: (w.cycles, w.luts, str(w))))


def _foldings(
    nodes: Sequence[Node], types: Mapping[str, TensorType], base: Config, own: LayerConfig
) -> list[Way]:
    tables: list[dict[tuple[int, int], Choice]] = []
    for node in nodes:
        every = choices(node, types, multiplier_of(base.family))
        tables.append({(c.fold.pe, c.fold.simd): c for c in reversed(every)})
    ways = []
    for pe, simd in tables[0]:
        legal = all((pe, simd) in table for table in tables)
        if not legal or own.pe not in (None, pe) or own.simd not in (None, simd):
            continue
        parts = [table[pe, simd] for table in tables]
        luts, ffs = (sum(getattr(c.area, name) for c in parts) for name in ("luts", "ffs"))
        dsps, rams = (sum(getattr(c.area, name) for c in parts) for name in ("dsps", "rams"))
        cycles = max(c.cycles for c in parts)
        ways.append(Way("stream", pe, simd, cycles, luts, ffs, dsps, rams))
    return ways


def _in_logic_as(
    style: str,
    nodes: Sequence[Node],
    types: Mapping[str, TensorType],
    base: Config,
) -> Way | None:
    """Return a layer in logic, where it can be unrolled and may fit."""
    if style not in ("pixel", "spatial"):
        return None
    as_style = Style(style)
    if as_style is Style.PIXEL and any(types[n.inputs[0]].image == (1, 1) for n in nodes):
        return None  # one pixel is the whole frame
    weights = sum(unrolled(node, types, as_style) for node in nodes)
    bits = base.layer(nodes[0].path).weight_bits or base.weight_bits
    luts = round(weights * LUTS_PER_BIT * bits)
    if weights > MOST_WEIGHTS:
        return None
    cycles = max(laid_out(node, types, as_style).cycles for node in nodes)
    return Way(style, None, None, cycles, luts, ffs=luts // 2)


def _in_logic(knob: Knob) -> bool:
    return any(isinstance(value, Way) and value.style != "stream" for value in knob.values)


def _followers(graph: Graph, base: Config) -> dict[str, tuple[str, ...]]:
    """Return the paths without weights behind each layer, up to the next one that has some."""
    weighted = {path for path, _ in _weighted(graph)}
    leader: dict[str, str] = {}
    behind: dict[str, list[str]] = {}
    for node in graph.nodes:
        ahead = next((leader[name] for name in node.inputs if name in leader), "")
        leads = node.path if node.path in weighted else ahead
        if not leads:
            continue
        leader[node.name] = leads
        held = base.layer(node.path).style is not None
        if node.path and node.path not in weighted and not held:
            known = behind.setdefault(leads, [])
            known += [node.path] if node.path not in known else []
    return {path: tuple(paths) for path, paths in behind.items()}
