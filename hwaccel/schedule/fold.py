"""Choose how parallel every node is, for a target interval or a multiplier budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph, Node, Op, TensorType
from hwaccel.ir.hardware import Area, Fold, Hardware, Multiplier, Style

DEFAULT_MULTIPLIERS = 64
# Below so many cycles per frame a stream shares no multiplier and pays for handshakes.
_SHARED = 8
# Nodes whose choices are kept: who compares configurations asks for the same ones again and again.
_KNOWN = 1024
_NAMES = {Style.STREAM: "streaming", Style.PIXEL: "pixel", Style.SPATIAL: "spatial"}
# UG479, UG579, FPGA-TN-02205, FPGA-TN-02007, UG287 (Gowin); what Yosys leaves to LUTs.
_MULTIPLIERS = {
    "ecp5": Multiplier(18, 18),
    "gw1n": Multiplier(18, 18),
    "gw2a": Multiplier(18, 18),
    "ice40": Multiplier(16, 16, soft_bits=10),
    "xc7": Multiplier(25, 18),
    "xcup": Multiplier(27, 18),
}


def multiplier_of(family: str) -> Multiplier | None:
    """Return the hard multiplier of an FPGA family; ``None`` where it is not known."""
    return _MULTIPLIERS.get(family)


@dataclass(frozen=True, slots=True)
class Choice:
    """One legal parallelism of a node, what it costs, and the lanes of its streams."""

    fold: Fold
    cycles: int
    multipliers: int
    area: Area
    in_lanes: tuple[int, ...]
    out_lanes: int


def choices(
    node: Node, types: Mapping[str, TensorType], multiplier: Multiplier | None = None
) -> tuple[Choice, ...]:
    """Return every legal parallelism of ``node``, cheapest first.

    With a ``multiplier``, each of its multipliers computes as many products as it can hold.
    """
    ins = tuple(types[name] for name in node.inputs)
    return _choices(node.op, ins, node.output.type, multiplier)


@lru_cache(maxsize=_KNOWN)
def _choices(
    op: Op, ins: tuple[TensorType, ...], out: TensorType, multiplier: Multiplier | None
) -> tuple[Choice, ...]:
    works = op.multiplications(*ins) > 0
    found = []
    for fold in op.folds(*ins):
        if multiplier is not None:
            fold = replace(fold, pack=op.packing(ins, fold, multiplier))
        hardware = op.hardware(ins, fold)
        area = sum((pipe.area for pipe in hardware.pipes), Area())
        if hardware.issuer is not None:
            area += hardware.issuer.list_area
        lanes = fold.multipliers if works else 0
        cycles = frame_cycles(hardware, ins, out)
        found.append(Choice(fold, cycles, lanes, area, hardware.in_lanes, hardware.out_lanes))
    return tuple(sorted(found, key=lambda c: (c.multipliers, c.area.luts + c.area.ffs, c.cycles)))


def laid_out(node: Node, types: Mapping[str, TensorType], style: Style) -> Choice:
    """Return the one choice of a node in pixel or spatial style."""
    ins, out = tuple(types[name] for name in node.inputs), node.output.type
    fold = Fold(style=style)
    if style is Style.SPATIAL:
        return Choice(fold, 1, 0, Area(), tuple(t.size for t in ins), out.size)
    lines, _ = node.op.pixel(*ins)
    height, width = ins[0].image
    cycles = lines.cycles if lines else height * width
    return Choice(fold, cycles, 0, Area(), tuple(t.channels for t in ins), out.channels)


def frame_cycles(hardware: Hardware, ins: tuple[TensorType, ...], out: TensorType) -> int:
    """Return the cycles per frame of a node when nothing waits."""
    beats = max(t.size // lanes for t, lanes in zip(ins, hardware.in_lanes, strict=True))
    issue = hardware.issuer.cycles if hardware.issuer else 0
    return max(beats, issue, out.size // hardware.out_lanes)


def choose_folds(graph: Graph, config: Config) -> dict[str, Fold]:
    """Return the parallelism of every node.

    Raises:
        ScheduleError: a target is out of reach, or a fold asked for is not legal; the message
            names the node and the nearest legal value.
    """
    if not graph.nodes:
        raise ScheduleError(f"{graph.name}: computes nothing; a design needs at least one node")
    types = graph.types()
    options = _options(graph, types, config)
    if config.target_interval is not None:
        return _under(graph, options, config.target_interval, strict=True)
    budget = config.multipliers or DEFAULT_MULTIPLIERS
    targets = sorted({c.cycles for cs in options.values() for c in cs})
    low, high = 0, len(targets) - 1
    while low < high:  # the multipliers needed fall as the target grows
        middle = (low + high) // 2
        folds = _under(graph, options, targets[middle], strict=False)
        if _multipliers(options, folds) <= budget and _reached(options, folds, targets[middle]):
            high = middle
        else:
            low = middle + 1
    folds = _under(graph, options, targets[low], strict=False)
    needed = _multipliers(options, folds)
    if config.multipliers is not None and needed > budget:
        raise ScheduleError(
            f"multipliers={budget} is not enough: this network needs at least {needed}, one for "
            "each layer that multiplies"
        )
    return folds


def _options(
    graph: Graph, types: Mapping[str, TensorType], config: Config
) -> dict[str, tuple[Choice, ...]]:
    """Return the choices of every node in its style.

    An elementwise node without a style of its own takes that of the node in front.
    """
    options: dict[str, tuple[Choice, ...]] = {}
    uses, goal = graph.uses(), _goal(graph, config)
    for node in graph.nodes:
        own = config.layer(node.path).style
        ahead = options.get(node.inputs[0])
        rides = node.op.elementwise and ahead is not None and uses[node.inputs[0]] == 1
        if own is None and rides and ahead is not None and ahead[0].fold.style is not Style.STREAM:
            style: str = ahead[0].fold.style
        else:
            style = own or config.style
        may_stream = style in ("auto", Style.STREAM) or node.op.renames
        shared = _allowed(node, types, config) if may_stream else ()
        if style == "auto":
            style = _first_style(
                node, types, shared, goal, asked=config.target_interval is not None
            )
        if style == Style.PIXEL and types[node.inputs[0]].image == (1, 1):
            style = Style.SPATIAL  # one pixel is the whole frame, and frames share circuits
        if style == Style.PIXEL and node.op.renames:
            style = Style.STREAM
        options[node.name] = (
            shared if style == Style.STREAM else (laid_out(node, types, Style(style)),)
        )
    return options


def _goal(graph: Graph, config: Config) -> int:
    """Return the interval that ``auto`` aims at: that of the user, or a pixel per clock."""
    if config.target_interval is not None:
        return config.target_interval
    sizes = [value.type.image for value in graph.inputs]
    return max((height * width for height, width in sizes), default=1)


def _first_style(
    node: Node,
    types: Mapping[str, TensorType],
    shared: tuple[Choice, ...],
    goal: int,
    *,
    asked: bool,
) -> Style:
    """Return the first style, cheapest hardware first, in which ``node`` meets ``goal``.

    ``shared`` are its choices in stream style. A goal that nobody ``asked`` for is a pixel per
    clock, not the frame in so many cycles: padding may add some without a frame's worth of logic.
    """
    if goal >= _SHARED and min(c.cycles for c in shared) <= goal:
        return Style.STREAM
    fast = not asked or laid_out(node, types, Style.PIXEL).cycles <= goal
    return Style.PIXEL if fast else Style.SPATIAL


def _allowed(node: Node, types: Mapping[str, TensorType], config: Config) -> tuple[Choice, ...]:
    layer = config.layer(node.path)
    every = choices(node, types, multiplier_of(config.family))
    works = any(c.multipliers for c in every)
    if not works or (layer.pe is None and layer.simd is None):
        return every
    kept = tuple(
        c for c in every if layer.pe in (None, c.fold.pe) and layer.simd in (None, c.fold.simd)
    )
    if not kept:
        legal = ", ".join(sorted({str(c.fold) for c in every}, key=lambda t: (len(t), t))[:12])
        asked = ", ".join(f"{k}={n}" for k, n in (("pe", layer.pe), ("simd", layer.simd)) if n)
        raise ScheduleError(
            f"{node.where}: {asked} is not a legal folding; legal ones (pe x simd): {legal}"
        )
    return kept


def _under(
    graph: Graph, options: Mapping[str, tuple[Choice, ...]], target: int, *, strict: bool
) -> dict[str, Fold]:
    """Give every node its cheapest fold within ``target`` cycles, width adapters counted in."""
    types = graph.types()
    lanes: dict[str, int] = {}
    folds = {}
    for node in graph.nodes:
        every = options[node.name]
        fitting = [c for c in every if c.cycles <= target]
        if not fitting and strict:
            often = f"{target} cycles" if target > 1 else "cycle"
            raise ScheduleError(
                f"{node.where}: cannot take a frame every {often}; the nearest it can reach "
                f"in the {_NAMES[every[0].fold.style]} style is "
                f"{min(c.cycles for c in every)}"
            )
        have = [(lanes.get(name, 0), types[name].fixed.width) for name in node.inputs]
        pick = _cheapest(fitting, have) if fitting else min(every, key=lambda c: c.cycles)
        folds[node.name] = pick.fold
        # Elementwise nodes ride in their producer's segment and so keep its lanes.
        rides = node.op.elementwise and lanes.get(node.inputs[0], 0)
        follows = rides and pick.fold.style is Style.STREAM
        lanes[node.name] = lanes[node.inputs[0]] if follows else pick.out_lanes
    return folds


def _cheapest(options: list[Choice], have: list[tuple[int, int]]) -> Choice:
    """Return the option with the fewest multipliers, then the least area around them."""
    return min(options, key=lambda c: (c.multipliers, _cost(c, have), c.cycles))


def _cost(choice: Choice, have: list[tuple[int, int]]) -> int:
    """Estimate LUTs and registers of a choice; ``have`` is lanes and width of each operand.

    An adapter holds one beat of its wider side and a multiplexer for the narrower one.
    """
    adapters = sum(
        (2 * max(lanes, needed) + min(lanes, needed)) * width
        for (lanes, width), needed in zip(have, choice.in_lanes, strict=True)
        if lanes and lanes != needed
    )
    return choice.area.luts + choice.area.ffs + adapters


def _pick(options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold]) -> list[Choice]:
    return [next(c for c in options[name] if c.fold == fold) for name, fold in folds.items()]


def _multipliers(options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold]) -> int:
    return sum(c.multipliers for c in _pick(options, folds))


def _reached(
    options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold], target: int
) -> bool:
    return all(c.cycles <= target for c in _pick(options, folds))
