"""Choose how parallel every node is, for a target interval or a multiplier budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ir.hardware import Area, Fold, Hardware

DEFAULT_MULTIPLIERS = 64


@dataclass(frozen=True, slots=True)
class Choice:
    """One legal parallelism of a node and what it costs."""

    fold: Fold
    cycles: int
    multipliers: int
    area: Area


def choices(node: Node, types: Mapping[str, TensorType]) -> tuple[Choice, ...]:
    """Return every legal parallelism of ``node``, cheapest first."""
    ins = tuple(types[name] for name in node.inputs)
    works = node.op.multiplications(*ins) > 0
    found = []
    for fold in node.op.folds(*ins):
        hardware = node.op.hardware(ins, fold)
        area = sum((pipe.area for pipe in hardware.pipes), Area())
        lanes = fold.pe * fold.simd if works else 0
        found.append(Choice(fold, frame_cycles(hardware, ins, node.output.type), lanes, area))
    return tuple(sorted(found, key=lambda c: (c.multipliers, c.area.luts + c.area.ffs, c.cycles)))


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
    types = graph.types()
    options = {node.name: _allowed(node, types, config) for node in graph.nodes}
    if config.target_interval is not None:
        return _fastest_under(graph, options, config.target_interval, strict=True)
    budget = config.multipliers or DEFAULT_MULTIPLIERS
    targets = sorted({c.cycles for cs in options.values() for c in cs})
    low, high = 0, len(targets) - 1
    while low < high:  # the multipliers needed fall as the target grows
        middle = (low + high) // 2
        folds = _fastest_under(graph, options, targets[middle], strict=False)
        if _multipliers(options, folds) <= budget and _reached(options, folds, targets[middle]):
            high = middle
        else:
            low = middle + 1
    folds = _fastest_under(graph, options, targets[low], strict=False)
    needed = _multipliers(options, folds)
    if config.multipliers is not None and needed > budget:
        raise ScheduleError(
            f"multipliers={budget} is not enough: this network needs at least {needed}, one for "
            "each layer that multiplies"
        )
    return folds


def _allowed(node: Node, types: Mapping[str, TensorType], config: Config) -> tuple[Choice, ...]:
    layer = config.layer(node.path)
    every = choices(node, types)
    works = any(c.multipliers for c in every)
    if not works or (layer.pe is None and layer.simd is None):
        return every
    kept = tuple(
        c for c in every if layer.pe in (None, c.fold.pe) and layer.simd in (None, c.fold.simd)
    )
    if not kept:
        legal = ", ".join(sorted({str(c.fold) for c in every}, key=len)[:12])
        raise ScheduleError(
            f"{node.where}: pe={layer.pe}, simd={layer.simd} is not a legal folding; "
            f"legal ones (pe x simd): {legal}"
        )
    return kept


def _fastest_under(
    graph: Graph, options: Mapping[str, tuple[Choice, ...]], target: int, *, strict: bool
) -> dict[str, Fold]:
    folds = {}
    for node in graph.nodes:
        fitting = [c for c in options[node.name] if c.cycles <= target]
        if not fitting and strict:
            nearest = min(c.cycles for c in options[node.name])
            raise ScheduleError(
                f"{node.where}: cannot take a frame every {target} cycles; the nearest it can "
                f"reach in the streaming style is {nearest}"
            )
        pick = fitting[0] if fitting else min(options[node.name], key=lambda c: c.cycles)
        folds[node.name] = pick.fold
    return folds


def _pick(options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold]) -> list[Choice]:
    return [next(c for c in options[name] if c.fold == fold) for name, fold in folds.items()]


def _multipliers(options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold]) -> int:
    return sum(c.multipliers for c in _pick(options, folds))


def _reached(
    options: Mapping[str, tuple[Choice, ...]], folds: Mapping[str, Fold], target: int
) -> bool:
    return all(c.cycles <= target for c in _pick(options, folds))
