"""Make a graph that fails as small as it gets, and keep it as one file that the suite runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hwaccel.errors import HwaccelError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, Interpreter, Node, Op, TensorType, Value, verify
from hwaccel.ir.file import load_graph, save_graph
from hwaccel.ops import OP_BY_NAME, Conv2d, Dense, Gather, Reshape, Scale, Tabulate
from tests.graphs import Ints
from tests.trust.executors import BUG, EXECUTORS, ON_GPU, Case, build, problems

Fails = Callable[[Case], bool]
REPRODUCERS = Path(__file__).with_name("reproducers")


def shrink(case: Case, fails: Fails, tries: int = 600) -> Case:
    """Return the smallest case found in ``tries`` attempts that still fails."""
    left, progress = tries, True
    while progress:
        progress = False
        for smaller in candidates(case):
            left -= 1
            if left < 0:
                return case
            if fails(smaller):
                case, progress = smaller, True
                break
    return case


def candidates(case: Case) -> Iterator[Case]:
    """Yield smaller legal cases, those that may take away most first."""
    for make in (_fewer_frames, _parts, _bypassed, _smaller_shapes, _simpler_ops, _calmer):
        for graph, xs in make(case):
            made = _legal(graph, xs)
            if made is not None:
                yield made


def _legal(graph: Graph, xs: Sequence[Ints]) -> Case | None:
    """Return the case without what is dead, types inferred anew; ``None`` where it is illegal."""
    alive = set(graph.outputs)
    for node in reversed(graph.nodes):
        alive.update(node.inputs if node.name in alive else ())
    kept = [(v, x) for v, x in zip(graph.inputs, xs, strict=True) if v.name in alive]
    types = {v.name: v.type for v, _ in kept}
    nodes: list[Node] = []
    try:
        for node in (n for n in graph.nodes if n.name in alive):
            ins = tuple(types[name] for name in node.inputs)
            op = _fitted(node.op, ins)
            op.verify(*ins)
            types[node.name] = op.infer(*ins)
            nodes.append(replace(node, op=op, output=Value(node.name, types[node.name])))
        made = replace(graph, inputs=tuple(v for v, _ in kept), nodes=tuple(nodes))
        verify(made)
        return Case(made, tuple(x for _, x in kept)) if nodes else None
    except (HwaccelError, ArithmeticError, ValueError, IndexError):
        return None


def _fitted(op: Op, ins: Sequence[TensorType]) -> Op:
    """Return the op with its constants cut to what is left of the operand."""
    x = ins[0]
    if isinstance(op, Dense):
        return replace(op, weight=IntArray(op.weight.a[:, : x.size]))
    if isinstance(op, Conv2d):
        return replace(op, weight=IntArray(op.weight.a[:, : x.channels // op.groups]))
    if isinstance(op, Scale):
        return replace(op, mult=_first(op.mult, x.channels), add=_first(op.add, x.channels))
    if isinstance(op, Reshape) and prod(op.shape) != x.size:
        return replace(op, shape=(x.size,))
    if isinstance(op, Gather):
        return replace(op, source=IntArray(np.minimum(op.source.a, x.size - 1)))
    if isinstance(op, Tabulate):
        return replace(op, values=IntArray(op.values.a[x.lo - op.lo :][: x.hi - x.lo + 1]), lo=x.lo)
    return op


def _first(array: IntArray, count: int) -> IntArray:
    return IntArray(array.a[:count])


# --- what becomes smaller ------------------------------------------------------------------------

Smaller = Iterator[tuple[Graph, Sequence[Ints]]]


def _fewer_frames(case: Case) -> Smaller:
    count = len(case.xs[0])
    if count > 1:
        half = count // 2
        for part in (slice(0, half), slice(half, count), slice(0, 1), slice(1, count)):
            yield case.graph, [x[part] for x in case.xs]


def _parts(case: Case) -> Smaller:
    """One output; another value as the output; a value in the middle as an input."""
    graph = case.graph
    for name in dict.fromkeys((*graph.outputs, *(n.name for n in graph.nodes))):
        if graph.outputs != (name,):
            yield replace(graph, outputs=(name,)), case.xs
    known = Interpreter(graph).trace(*case.xs)
    for node in reversed(graph.nodes):
        if node.name not in graph.outputs:
            nodes = tuple(n for n in graph.nodes if n is not node)
            yield (
                replace(graph, inputs=(*graph.inputs, node.output), nodes=nodes),
                [*case.xs, known[node.name]],
            )


def _bypassed(case: Case) -> Smaller:
    """An operand in place of a node's result."""
    graph = case.graph
    for node in graph.nodes:
        for operand in dict.fromkeys(node.inputs):
            swap = {node.name: operand}
            nodes = tuple(
                replace(n, inputs=tuple(swap.get(i, i) for i in n.inputs))
                for n in graph.nodes
                if n is not node
            )
            outputs = tuple(dict.fromkeys(swap.get(name, name) for name in graph.outputs))
            yield replace(graph, nodes=nodes, outputs=outputs), case.xs


def _smaller_shapes(case: Case) -> Smaller:
    """One place of an axis of an input, half of them, or one less; the same of outputs' rows."""
    graph = case.graph
    for at, value in enumerate(graph.inputs):
        for axis, size in enumerate(value.type.shape):
            for count in sorted({1, size // 2, size - 1} - {0, size}):
                shape = (*value.type.shape[:axis], count, *value.type.shape[axis + 1 :])
                cut = Value(value.name, value.type.reshaped(shape))
                xs = list(case.xs)
                xs[at] = np.take(xs[at], range(count), axis=axis + 1)
                inputs = (*graph.inputs[:at], cut, *graph.inputs[at + 1 :])
                yield replace(graph, inputs=inputs), xs
    for node in graph.nodes:
        if isinstance(node.op, Dense | Conv2d):
            rows = node.op.weight.shape[0]
            for count in sorted({1, rows // 2, rows - 1} - {0, rows}):
                cuts = {n: _first(getattr(node.op, n), count) for n in ("weight", "shift", "bias")}
                yield _with(graph, node, replace(node.op, **cuts)), case.xs


def _simpler_ops(case: Case) -> Smaller:
    for node in case.graph.nodes:
        for item in fields(node.op):
            for simpler in _simpler(getattr(node.op, item.name), item.name):
                changed: dict[str, Any] = {item.name: simpler}
                yield _with(case.graph, node, replace(node.op, **changed)), case.xs


def _simpler(value: object, name: str) -> Iterator[object]:
    if isinstance(value, IntArray):
        array = value.a
        zero = np.zeros_like(array)
        yield from (IntArray(v) for v in (zero, array // 2) if not np.array_equal(v, array))
        flat = array.ravel()
        for at in np.flatnonzero(flat) if np.count_nonzero(flat) <= 16 else []:
            one = flat.copy()
            one[at] = 0
            yield IntArray(one.reshape(array.shape))
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        yield from dict.fromkeys(v for v in (0, 1, value // 2, value - 1) if 0 <= v < value)
        yield from dict.fromkeys(v for v in (0, -(-value // 2)) if value < v <= 0)
    elif isinstance(value, tuple) and name != "shape":
        least = int(name != "padding")
        for at in range(len(value)):
            if value[at] > least:
                yield (*value[:at], value[at] - 1, *value[at + 1 :])


def _calmer(case: Case) -> Smaller:
    """Numbers nearer to zero, intervals of half the size."""
    for at, value in enumerate(case.graph.inputs):
        t, xs = value.type, list(case.xs)
        near = min(max(0, t.lo), t.hi)
        for x in (np.full_like(xs[at], near), near + (xs[at] - near) // 2):
            if not np.array_equal(x, xs[at]) and np.abs(x).sum() < np.abs(xs[at]).sum():
                yield case.graph, [*xs[:at], x, *xs[at + 1 :]]
        lo, hi = near - (near - t.lo) // 2, near + (t.hi - near) // 2
        for narrow in ((lo, hi), (lo, t.hi), (t.lo, hi)):
            if narrow != (t.lo, t.hi):
                cut = Value(value.name, TensorType(t.shape, t.frac, *narrow))
                inputs = (*case.graph.inputs[:at], cut, *case.graph.inputs[at + 1 :])
                x = np.clip(xs[at], *narrow)
                yield replace(case.graph, inputs=inputs), [*xs[:at], x, *xs[at + 1 :]]


def _with(graph: Graph, node: Node, op: Op) -> Graph:
    nodes = tuple(replace(n, op=op) if n is node else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


# --- reproducers ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reproducer:
    """A case, and which executor failed on it in which style; ``seed`` decided the folds."""

    executor: str
    style: str
    seed: int
    said: str
    case: Case

    def problem(self) -> str:
        """Return what is wrong now, or nothing."""
        return problem(self.case, self.executor, self.style, self.seed)

    def save(self, folder: Path = REPRODUCERS) -> Path:
        """Write one file that holds all of it."""
        case = self.case
        document = {
            "executor": self.executor,
            "style": self.style,
            "seed": self.seed,
            "said": self.said,
            "graph": json.loads(save_graph(case.graph)),
            "xs": [x.reshape(len(x), -1).tolist() for x in case.xs],
            "expected": [y.reshape(len(y), -1).tolist() for y in case.expected],
        }
        lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in document.items())
        text = f"{{\n{lines}\n}}\n"
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        file = folder / f"{self.executor}-{self.style}-{digest}.json"
        file.write_text(text, encoding="utf-8")
        return file

    @classmethod
    def load(cls, file: Path) -> Reproducer:
        """Read a file; the reference must still say what it says."""
        document = json.loads(file.read_text(encoding="utf-8"))
        graph = load_graph(json.dumps(document["graph"]).encode(), OP_BY_NAME, file.name)
        xs = tuple(
            np.array(x, dtype=np.int64).reshape(-1, *value.type.shape)
            for x, value in zip(document["xs"], graph.inputs, strict=True)
        )
        case = Case(graph, xs)
        found = [y.reshape(len(y), -1).tolist() for y in case.expected]
        assert found == document["expected"], f"{file.name}: the reference changed its mind"
        return cls(
            document["executor"], document["style"], document["seed"], document["said"], case
        )


def problem(case: Case, executor: str, style: str, seed: int) -> str:
    """Return what ``executor`` does wrong with the case, or nothing.

    A design that is refused is no problem; one that cannot be made for any other reason is.
    """
    try:
        built = build(case, style, seed)
    except HwaccelError as error:
        return str(error) if BUG in str(error) else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    known = EXECUTORS | ON_GPU
    (said,) = problems(known[executor], [built]) if executor in known else [""]
    return said


def reduced(case: Case, executor: str, style: str, seed: int) -> Reproducer:
    """Shrink a case on which ``executor`` fails; less far where each attempt compiles."""
    tries = 600 if executor in ("build", "golden", "torch") else 150
    case = shrink(case, lambda c: bool(problem(c, executor, style, seed)), tries)
    return Reproducer(executor, style, seed, problem(case, executor, style, seed), case)
