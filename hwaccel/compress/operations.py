"""What exact rewrites save: every step of front end, passes and search, before and after it.

Nothing is rewritten here for good; but for the merging of layers, these are the steps that a
conversion takes anyway, run one by one. What they give is equal in every bit to what they got, or
the same function of real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import torch

from hwaccel.cmvm import AdderGraph
from hwaccel.cmvm.problem import digit_weight
from hwaccel.compress.cost import CALIBRATION, cost_of, hardware
from hwaccel.compress.data import Data
from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.frontend.absorb import absorb
from hwaccel.frontend.batchnorm import fold_batchnorm
from hwaccel.frontend.decomposed import plain_numbers
from hwaccel.frontend.export import export
from hwaccel.frontend.floatgraph import FloatGraph, Role
from hwaccel.frontend.fold import constant_calls
from hwaccel.frontend.fuse import cancel_moves, fuse_functions
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.scales import factor_scales
from hwaccel.frontend.spelled import recognize
from hwaccel.frontend.torch_export import trace
from hwaccel.ir import Graph
from hwaccel.passes import PIPELINE, optimize
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.plan import Plan

_FRONT: tuple[tuple[str, Callable[[FloatGraph], FloatGraph], str], ...] = (
    ("recognize", recognize, "Equal calls are made once; normalization spelled out is one op."),
    ("cancel_moves", cancel_moves, "Moves of elements that undo one another vanish."),
    ("fold_batchnorm", fold_batchnorm, "Batch normalization goes into the weights in front."),
    ("fuse_functions", fuse_functions, "Calls on one number become one table."),
    ("factor_scales", factor_scales, "Scales of quantizers go into weights and roundings."),
    ("absorb", absorb, "A bias, a relu or a function goes into the quantizer behind it."),
)


@dataclass(frozen=True, slots=True)
class Size:
    """Nodes and multiplications of a graph, and the area of its hardware where it is known.

    ``area`` is in LUTs, as ``Area.equivalent`` counts; ``adders`` are those of constant matrices
    that are laid out in logic.
    """

    nodes: int
    multiplications: int
    area: int | None = None
    adders: int | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A kind of exact rewrite, how often it changed something, and what that saved in all.

    ``stage`` is where it happens: ``model``, ``front end``, ``passes`` or ``logic``.
    """

    stage: str
    name: str
    what: str
    changes: int
    before: Size
    after: Size

    @property
    def saved(self) -> Size:
        """The difference of both sizes."""
        areas = (self.before.area, self.after.area)
        adders = (self.before.adders, self.after.adders)
        return Size(
            self.before.nodes - self.after.nodes,
            self.before.multiplications - self.after.multiplications,
            None if None in areas else (areas[0] or 0) - (areas[1] or 0),
            None if None in adders else (adders[0] or 0) - (adders[1] or 0),
        )


def exact_rewrites(
    model: torch.nn.Module, data: Data, config: Config | None = None
) -> tuple[Rewrite, ...]:
    """Return what every kind of exact rewrite does for ``model``; those that do nothing too.

    Areas are worked out for the streaming style only.

    Raises:
        HwaccelError: the model cannot be converted.
    """
    config = config or Config()
    traced = trace(model, data.example)
    found, graph = (
        [_folding(model, data), *_front_end(traced)],
        quantize(traced, data.calibration(CALIBRATION), config),
    )
    found += _passes(graph, config)
    if config.style != "stream":
        found += _sharing(schedule(optimize(graph), config))
    return tuple(found)


def reassociation(
    before: torch.nn.Module, after: torch.nn.Module, merges: int, data: Data, config: Config
) -> Rewrite:
    """Return what it saved that ``merges`` pairs of layers became one each.

    Raises:
        HwaccelError: a model cannot be converted.
    """
    what = "Layers with nothing but linear calls between them are multiplied, if that is cheaper."
    one = _built(before, data, config)
    other = _built(after, data, config) if merges else one
    return Rewrite("model", "reassociate", what, merges, one, other)


def _built(model: torch.nn.Module, data: Data, config: Config) -> Size:
    design = hardware(model, data, config)
    return replace(_size(design.graph, config), area=cost_of(design).area)


def _folding(model: torch.nn.Module, data: Data) -> Rewrite:
    """Return what is computed before there is a graph: nodes are calls of the exported model."""
    program = plain_numbers(export(model, data.example))
    calls, folded = len(program.calls), constant_calls(program)
    what = "Calls on weights and sizes alone are computed once, at conversion."
    sizes = Size(calls, 0), Size(calls - folded, 0)
    return Rewrite("front end", "fold_constants", what, int(folded > 0), *sizes)


def _front_end(graph: FloatGraph) -> list[Rewrite]:
    found = []
    for name, step, what in _FRONT:
        after = step(graph)
        sizes = _float_size(graph), _float_size(after)
        found.append(Rewrite("front end", name, what, int(sizes[0] != sizes[1]), *sizes))
        graph = after
    return found


def _float_size(graph: FloatGraph) -> Size:
    products = 0
    for node in graph.nodes:
        if node.op.role is Role.MULTIPLY:
            weight, size = getattr(node.op, "weight", None), prod(node.output.shape)
            # Each weight is used once per pixel of the result; others are factors by element.
            products += size if weight is None else weight.size * (size // len(weight))
    return Size(len(graph.nodes), products)


def _passes(graph: Graph, config: Config) -> list[Rewrite]:
    """Run the pipeline and add up what each pass changed, wherever it ran."""
    sizes: list[tuple[str, Size]] = []
    optimize(graph, lambda _, name, changed: sizes.append((name, _size(changed, config))))
    kinds = {item.name: item for chapter in PIPELINE.chapters for item in chapter.passes}
    found = {}
    for name, item in kinds.items():
        what = (type(item).__doc__ or "").strip().splitlines()[0]
        found[name] = Rewrite("passes", name, what, 0, Size(0, 0, 0), Size(0, 0, 0))
    for (_, before), (name, after) in pairwise(sizes):
        was = found[name]
        found[name] = replace(
            was,
            changes=was.changes + 1,
            before=_added(was.before, before),
            after=_added(was.after, after),
        )
    return list(found.values())


def _added(one: Size, other: Size) -> Size:
    known = one.area is not None and other.area is not None
    area = (one.area or 0) + (other.area or 0) if known else None
    return Size(one.nodes + other.nodes, one.multiplications + other.multiplications, area)


def _size(graph: Graph, config: Config) -> Size:
    types = graph.types()
    products = sum(
        node.op.multiplications(*(types[name] for name in node.inputs)) for node in graph.nodes
    )
    area = None
    if config.style == "stream":
        try:
            area = plan_area(schedule(graph, config)).equivalent
        except ScheduleError:
            area = None  # what is not simplified yet may not fit
    return Size(len(graph.nodes), products, area)


def _sharing(plan: Plan) -> list[Rewrite]:
    """Return what shifts in the place of products save, and sums that several outputs share."""
    laid_out = [node.name for s in plan.spatial.values() for node in s.region.nodes]
    types = plan.graph.types()
    products = 0
    for name in laid_out:
        node = plan.graph.node(name)
        assert node is not None
        products += node.op.multiplications(*(types[i] for i in node.inputs))
    left = sum(s.unit.piped.circuit.counts()["times"] for s in plan.spatial.values())
    matrices = [product.graph for product in plan.found.products.values()]
    alone = sum(unshared_adders(graph) for graph in matrices)
    shared = sum(len(graph.adds) for graph in matrices)
    count = len(laid_out)
    return [
        Rewrite(
            "logic",
            "strength_reduction",
            "Products with constants become shifts and sums of the fewest signed digits.",
            int(products > left),
            Size(count, products),
            Size(count, left),
        ),
        Rewrite(
            "logic",
            "shared_sums",
            "Sums that several rows of a matrix have in common are made once.",
            int(alone > shared),
            Size(count, left, adders=alone),
            Size(count, left, adders=shared),
        ),
    ]


def unshared_adders(graph: AdderGraph) -> int:
    """Return the adders of a matrix whose rows share nothing: a digit less one for every row."""
    coefficients, constants = graph.form()
    count = 0
    for node in {tap.node for tap in graph.outputs if tap.node >= 0}:
        digits = sum(digit_weight(int(c)) for c in coefficients[node]) + bool(constants[node])
        count += max(0, digits - 1)
    return count
