"""Decide where precision is lost: which values are rounded, and on whose account."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.frontend.floatgraph import (
    Clip,
    FakeQuant,
    FloatGraph,
    FloatNode,
    FloatOp,
    Relu,
    Role,
)
from hwaccel.frontend.indices import index_inputs
from hwaccel.frontend.quantizers import Quantize


@dataclass(frozen=True, slots=True)
class Placement:
    """Where values are rounded.

    ``ends`` maps each op that widens to the value at which its group ends, and ``rounded`` each
    value that gets a requant to the node whose bits it takes. Of ``rectified`` values no
    reader sees the negative part. ``inputs`` are the inputs whose format the model itself
    states, ``fracs`` the finest format it states behind each value, and ``indices`` the inputs
    that are indices. Values in ``only`` are rounded by powers of two and not changed before.
    """

    ends: dict[str, str]
    rounded: dict[str, FloatNode]
    rectified: frozenset[str]
    inputs: dict[str, FakeQuant]
    fracs: dict[str, int]
    indices: dict[str, FakeQuant]
    only: frozenset[str]


def place(graph: FloatGraph) -> Placement:
    """Place requants at the end of each group: an op that widens, with the activation behind it.

    None is placed where nothing needs one: behind the value are only outputs and fake
    quantization, reached through ops that keep the format or add exactly.
    """
    flow = _Flow(graph)
    widening = [n for n in graph.nodes if n.op.role in (Role.SUM, Role.MULTIPLY)]
    ends = {node.name: flow.group_end(node) for node in widening}
    rounded = {ends[node.name]: node for node in widening if flow.needs_requant(ends[node.name])}
    stated, fracs = flow.stated_inputs(), flow.stated_fracs()
    indices = index_inputs(graph)
    return Placement(ends, rounded, flow.rectified(), stated, fracs, indices, flow.only())


class _Flow:
    def __init__(self, graph: FloatGraph) -> None:
        self._graph = graph
        self._consumers = graph.consumers()
        self._outputs = set(graph.outputs)
        self._settled: dict[str, bool] = {}
        self._needs: dict[str, bool] = {}
        self._rectified: dict[str, bool] = {}
        self._fracs: dict[str, set[int]] = {}
        self._only: dict[str, bool] = {}
        # Consumers come after their operands, so backwards every answer is ready when asked for.
        for name in reversed([*(v.name for v in graph.inputs), *(n.name for n in graph.nodes)]):
            readers = self._consumers[name]
            inner = bool(readers) and name not in self._outputs
            self._settled[name] = inner and all(map(self._reader_settles, readers))
            self._needs[name] = any(map(self._reader_needs, readers))
            self._rectified[name] = inner and all(map(self._reader_rectifies, readers))
            self._only[name] = inner and all(map(self._reader_rounds, readers))
            self._fracs[name] = set().union(*map(self._reader_fracs, readers))

    def _reader_settles(self, reader: FloatNode) -> bool:
        if reader.op.role is Role.QUANTIZE:
            return True
        ends = reader.op.role in (Role.MULTIPLY, Role.TABLE, Role.COMPARE)
        return not ends and self._settled[reader.name]

    def _reader_needs(self, reader: FloatNode) -> bool:
        if reader.op.role is Role.KEEP or reader.op.wide:
            return self._needs[reader.name]
        if reader.op.role is Role.SUM:
            return not self._settled[reader.name]
        return reader.op.role in (Role.MULTIPLY, Role.TABLE)

    def _reader_rectifies(self, reader: FloatNode) -> bool:
        # Rounding, clipping at zero, maxima, reshapes and concatenation commute.
        if isinstance(reader.op, Relu) or (isinstance(reader.op, Clip) and reader.op.lo >= 0):
            return True
        return reader.op.role is Role.KEEP and self._rectified[reader.name]

    def _reader_fracs(self, reader: FloatNode) -> set[int]:
        if isinstance(reader.op, FakeQuant | Quantize):
            return {reader.op.frac}
        ends = reader.op.role in (Role.MULTIPLY, Role.TABLE, Role.COMPARE)
        return set() if ends else self._fracs[reader.name]

    def _reader_rounds(self, reader: FloatNode) -> bool:
        if isinstance(reader.op, Quantize):
            return reader.op.dyadic
        keeps = reader.op.role is Role.KEEP and not isinstance(reader.op, Clip)
        return isinstance(reader.op, FakeQuant) or (keeps and self._only[reader.name])

    def only(self) -> frozenset[str]:
        """Return the values that only quantizers by powers of two read, through monotone ops."""
        return frozenset(name for name, yes in self._only.items() if yes)

    def rectified(self) -> frozenset[str]:
        """Return the values whose negative part no reader sees."""
        return frozenset(name for name, yes in self._rectified.items() if yes)

    def stated_fracs(self) -> dict[str, int]:
        """Return the finest fraction of fake quantization behind each value, where there is any."""
        return {name: max(fracs) for name, fracs in self._fracs.items() if fracs}

    def needs_requant(self, name: str) -> bool:
        """Tell whether some reader would be needlessly wide."""
        return self._needs[name]

    def group_end(self, node: FloatNode) -> str:
        """Return the value at which the group that ``node`` begins is rounded."""
        readers = self._consumers[node.name]
        alone = len(readers) == 1 and node.name not in self._outputs
        return readers[0].name if alone and readers[0].op.activates else node.name

    def stated_inputs(self) -> dict[str, FakeQuant]:
        """Return the inputs that are fake-quantized in one way before anything else reads them."""
        stated = {}
        for value in self._graph.inputs:
            ops = [reader.op for reader in self._consumers[value.name]]
            quants = [op for op in map(_stated, ops) if op is not None]
            formats = {(op.frac, op.lo, op.hi) for op in quants}
            one = len(formats) == 1 or all(isinstance(op, Quantize) for op in ops)
            if one and len(quants) == len(ops) > 0 and value.name not in self._outputs:
                stated[value.name] = _union(quants)
        return stated


def _union(formats: list[FakeQuant]) -> FakeQuant:
    """Return a format with the finest steps of all and the widest range."""
    frac = max(op.frac for op in formats)
    lo, hi = (
        min(op.lo << frac - op.frac for op in formats),
        max(op.hi << frac - op.frac for op in formats),
    )
    return FakeQuant(frac, lo, hi)


def _stated(op: FloatOp) -> FakeQuant | None:
    """Return the format that ``op`` states for an input."""
    if isinstance(op, Quantize):
        return op.stated()
    return op if isinstance(op, FakeQuant) else None
