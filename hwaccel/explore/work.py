"""What a worker does: read the model at some widths, score it, predict a point, or build it."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from hwaccel import inputs
from hwaccel._version import __version__
from hwaccel.api import Design
from hwaccel.compress.cost import CALIBRATION, Cost, cost_of, layer_costs
from hwaccel.config import Config
from hwaccel.emit.project import replace_file
from hwaccel.errors import HwaccelError, ScheduleError, ToolError
from hwaccel.explore.goal import Facts
from hwaccel.farm.trade import Reply, Trade
from hwaccel.ir import Graph
from hwaccel.ir.file import load_graph, save_graph
from hwaccel.ops import OP_BY_NAME
from hwaccel.passes import optimize
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.speed import plan_speed
from hwaccel.untrusted import read_file

# Graphs that a worker keeps at hand; there is one for each choice of widths.
_AT_HAND = 8
_MAX_GRAPH = 1 << 28
_BATCH = 256
# What nextpnr says of a design for which the device is too small.
_TOO_LARGE = "does not fit"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the model comes from: what ``hwaccel convert`` would be told.

    ``data`` names labelled samples; without ``calibration``, formats follow those to learn from.
    """

    model: str
    weights: str | None = None
    example: tuple[str, ...] = ()
    calibration: tuple[str, ...] = ()
    data: str = ""


class Read(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """Trace, quantize and simplify a model; write the graph into ``folder``, named by its hash."""

    source: Source
    config: Config
    folder: str


class Rate(msgspec.Struct, frozen=True, kw_only=True, tag="rate"):
    """Find the share of the samples for choices of ``data`` that a graph gets right."""

    graph: str
    content: str
    data: str


class Predict(msgspec.Struct, frozen=True, kw_only=True, tag="predict"):
    """Schedule a graph: exact cycles, estimated area."""

    graph: str
    content: str
    config: Config
    version: str = __version__


class Build(msgspec.Struct, frozen=True, kw_only=True, tag="build"):
    """Synthesize a point for its target; place and route it where that can be done."""

    graph: str
    content: str
    config: Config
    pnr: bool = True
    seed: int = 1
    version: str = __version__


class Built(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the tools found. ``fmax_mhz`` is a bound where delays of some cells are not known."""

    luts: int
    ffs: int
    dsps: int
    rams: int
    fmax_mhz: float | None = None
    bounded: bool = False
    tools: dict[str, str] = {}


class Answer(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a request.

    ``refused``: there is no such hardware, now and ever; ``error``: something else went wrong.
    """

    status: Literal["read", "rated", "predicted", "built", "refused", "error", "hung", "lost"]
    content: str = ""
    accuracy: float | None = None
    facts: Facts | None = None
    layers: dict[str, Cost] = msgspec.field(default_factory=dict)
    built: Built | None = None
    cpu_seconds: float = 0.0

    @property
    def final(self) -> bool:
        """Say whether another try could not find anything else."""
        return self.status in ("rated", "predicted", "built", "refused")


Request = Read | Rate | Predict | Build


def perform(request: Request) -> Answer:
    """Do what is asked for; whatever goes wrong is an answer, too."""
    started, busy = time.monotonic(), time.process_time()
    try:
        answer = _perform(request)
    except ScheduleError as error:
        answer = Answer(status="refused", message=str(error))
    except ToolError as error:
        status: Any = "refused" if _TOO_LARGE in str(error) else "error"
        answer = Answer(status=status, message=str(error))
    except HwaccelError as error:
        answer = Answer(status="error", message=str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        answer = Answer(status="error", message=f"{where}{error.strerror or error}")
    except Exception as error:
        said = HwaccelError(f"{type(error).__name__}: {error}")
        answer = Answer(status="error", message=f"unexpected {said}")
    return msgspec.structs.replace(
        answer,
        seconds=round(time.monotonic() - started, 3),
        cpu_seconds=round(time.process_time() - busy, 3),
    )


def _perform(request: Request) -> Answer:
    if isinstance(request, Read):
        return _read(request)
    if isinstance(request, Rate):
        return _rate(request)
    if request.version != __version__:
        raise HwaccelError(
            f"the worker has hwaccel {__version__}, expected {request.version}; install the same"
        )
    design = design_of(request.graph, request.content, request.config)
    return _build(design, request) if isinstance(request, Build) else _predict(design)


def content_of(data: bytes) -> str:
    """Return what a graph is named by."""
    return hashlib.sha256(data).hexdigest()[:32]


def design_of(graph: str, content: str, config: Config) -> Design:
    """Return the design of a graph in one configuration.

    Raises:
        ScheduleError: there is no such hardware.
    """
    loaded = _loaded(graph, content)
    return Design(loaded, schedule(loaded, config), config)


@lru_cache(maxsize=_AT_HAND)
def _loaded(graph: str, content: str) -> Graph:
    data = read_file(Path(graph), _MAX_GRAPH)
    if content_of(data) != content:
        raise HwaccelError(f"{graph}: was changed while it was explored; start it again")
    return load_graph(data, OP_BY_NAME, graph)


def _read(request: Read) -> Answer:
    from hwaccel.frontend.quant import quantize

    traced, data = _traced(request.source)
    graph = quantize(traced, data, request.config)
    if request.config.name:
        graph = replace(graph, name=request.config.name)
    text = save_graph(optimize(graph))
    content = content_of(text)
    place = Path(request.folder) / f"{content}.json"
    if not place.is_file() or content_of(place.read_bytes()) != content:
        replace_file(place, text)
    return Answer(status="read", content=content)


@lru_cache(maxsize=1)
def _traced(source: Source) -> tuple[Any, Any]:
    """Return the model as a graph of floating-point operations, and calibration data."""
    import torch

    from hwaccel.frontend.torch_export import trace

    torch.manual_seed(0)  # a factory without weights gives every worker the same ones
    model = inputs.read_model(source.model, Path(source.weights) if source.weights else None)
    shown = inputs.read_examples(source.example) if source.example else None
    given: tuple[Any, ...] = tuple(
        array for _, array in inputs.read_arrays([Path(p) for p in source.calibration])
    )
    if source.data:
        from hwaccel.compress.data import load_data

        data = load_data(source.data)
        shown = shown or (data.example.numpy(),)
        given = given or (data.calibration(CALIBRATION),)
    return trace(model, shown), given or inputs.stand_in(model, shown)


def _rate(request: Rate) -> Answer:
    from hwaccel.compress.data import load_data
    from hwaccel.golden import Golden

    valid = load_data(request.data).valid
    golden = Golden(_loaded(request.graph, request.content))
    right = 0
    for start in range(0, len(valid), _BATCH):
        x, y = (part[start : start + _BATCH].numpy() for part in (valid.x, valid.y))
        (scores,) = golden.raw(*golden.quantize(x))
        right += int((np.argmax(scores.reshape(len(y), -1), axis=1) == y).sum())
    return Answer(status="rated", accuracy=100.0 * right / len(valid))


def _predict(design: Design) -> Answer:
    cost = cost_of(design)
    speed = plan_speed(design.plan)
    facts = Facts(
        cost=cost,
        clock_mhz=design.config.clock_mhz,
        power=power_index(design, cost),
        fmax_mhz=round(speed.fmax_mhz, 1) if speed else None,
    )
    return Answer(status="predicted", facts=facts, layers=layer_costs(design))


def power_index(design: Design, cost: Cost) -> float:
    """Return what the power of a design is taken to be proportional to.

    Each layer counts its area in LUTs (see ``Cost.area``) for the share of the cycles in which it
    works at full pace, and all of its registers always; times the clock in GHz. Uncalibrated: it
    orders designs of one model on one device and is no number of watts.
    """
    parts = layer_costs(design).values()
    active = sum(part.area * min(1.0, part.interval / cost.interval) for part in parts)
    return round((active + cost.ffs) * design.config.clock_mhz / 1000.0, 3)


def _build(design: Design, request: Build) -> Answer:
    with tempfile.TemporaryDirectory(prefix="hwaccel-explore-") as folder:
        made = design.synthesize(
            design.config.target, pnr=request.pnr, seed=request.seed, workdir=Path(folder)
        )
    luts, ffs, dsps, rams = made.synth.utilization.amounts
    return Answer(
        status="built",
        built=Built(
            luts=luts,
            ffs=ffs,
            dsps=dsps,
            rams=rams,
            fmax_mhz=made.fmax_mhz,
            bounded=made.routed and bool(made.untimed),
            tools=dict(made.tool_versions),
        ),
    )


def _packed(request: Request) -> Mapping[str, bytes]:
    """Return the graph: models are read where the search runs."""
    assert isinstance(request, Predict | Build)
    return {f"{request.content}.json": _bytes(request.graph, request.content)}


@lru_cache(maxsize=_AT_HAND)
def _bytes(graph: str, content: str) -> bytes:
    """Return the file of a graph; ``content`` tells it from what was there before."""
    return read_file(Path(graph), _MAX_GRAPH)


def _unpacked(request: Request, files: Mapping[str, bytes], root: Path) -> Request:
    assert isinstance(request, Predict | Build)
    for name, data in files.items():
        if not (root / name).is_file():
            replace_file(root / name, data)
    return msgspec.structs.replace(request, graph=str(root / f"{request.content}.json"))


TRADE: Trade[Request, Answer] = Trade(__name__, Request, Answer, perform, _packed, _unpacked)
