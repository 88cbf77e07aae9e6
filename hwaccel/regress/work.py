"""What a worker does: make a design, or run one simulation of it. Requests and answers are JSON."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from hwaccel import inputs, stages, tools
from hwaccel._version import __version__
from hwaccel.api import Design, convert, load
from hwaccel.config import Config
from hwaccel.emit.project import read_project, write_project
from hwaccel.errors import HwaccelError, MismatchError, StreamError
from hwaccel.farm.trade import Reply, Trade
from hwaccel.tools.cache import user_cache
from hwaccel.traces import Setting, mismatch_record, sim_command
from hwaccel.verify.compare import TensorMismatch

# Designs that a worker keeps at hand; runs of one design tend to come together.
_AT_HAND = 8
# What ``load`` needs of a project.
_FILES = ("graph.json", "plan.json", "config.json", "spatial.json")
_TOOLS = {"icarus": "iverilog", "verilator": "verilator", "fast": "verilator"}

Status = Literal["made", "passed", "failed", "error", "hung", "lost"]


class Make(msgspec.Struct, frozen=True, kw_only=True, tag="make"):
    """Convert a model and write the project to ``folder``; without a source, read it there."""

    folder: str
    source: str = ""
    weights: str | None = None
    example: tuple[str, ...] = ()
    calibration: tuple[str, ...] = ()
    config: Config = Config()


class Try(msgspec.Struct, frozen=True, kw_only=True, tag="try"):
    """Simulate a project once.

    ``content`` is what its ``Make`` said, and ``version`` who asks. ``folder`` keeps what a run
    that does not pass leaves behind; empty, nothing is kept. ``waves`` asks for waves there.
    ``named`` is the project's place as whoever asks sees it, for messages.
    """

    project: str
    named: str
    content: str
    simulator: str
    frames: int
    seed: int
    idle: str
    backpressure: str
    folder: str = ""
    waves: bool = False
    version: str = __version__


class Answer(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a request.

    ``failed``: the hardware differs from the golden model, or breaks a rule of its streams.
    ``error``: something else went wrong. ``hung`` and ``lost`` come from who asked the worker, and
    ``left`` as well: where it found log and frames of a run that did not pass. ``origin`` says
    where wrong numbers begin, as far as waves show it.
    """

    status: Status
    content: str = ""
    latency: int = 0
    interval: int = 0
    cycles: int = 0
    waves: str = ""
    origin: str = ""
    left: str = ""
    tool: str = ""


Request = Make | Try


def perform(request: Request) -> Answer:
    """Do what is asked for; whatever goes wrong is an answer, too."""
    started = time.monotonic()
    try:
        answer = _make(request) if isinstance(request, Make) else _try(request)
    except (MismatchError, StreamError) as error:
        answer = Answer(status="failed", message=str(error))
    except HwaccelError as error:
        answer = Answer(status="error", message=str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        answer = Answer(status="error", message=f"{where}{error.strerror or error}")
    except Exception as error:
        said = HwaccelError(f"{type(error).__name__}: {error}")
        answer = Answer(status="error", message=f"unexpected {said}")
    return msgspec.structs.replace(answer, seconds=round(time.monotonic() - started, 3))


def content_of(design: Design) -> str:
    """Return a hash of all that a simulation depends on: the graph, the plan and the Verilog."""
    texts = [design.hash, *(f"{name}\0{text}" for name, text in sorted(design.verilog().items()))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


def _make(request: Make) -> Answer:
    folder = Path(request.folder)
    if request.source:
        model = inputs.read_model(
            request.source, Path(request.weights) if request.weights else None
        )
        shown = inputs.read_examples(request.example) if request.example else None
        given = tuple(a for _, a in inputs.read_arrays([Path(p) for p in request.calibration]))
        data = given or inputs.stand_in(model, shown)
        design = convert(model, shown, calibration=data, config=request.config)
        design.write(folder)
    else:
        design = load(folder)
    return Answer(status="made", content=content_of(design))


def _try(request: Try) -> Answer:
    if request.version != __version__:
        raise HwaccelError(
            f"the worker has hwaccel {__version__}, expected {request.version}; install the same"
        )
    design = _loaded(request.project, request.content)
    xs = stages.frames(design, request.frames, request.seed, ())
    folder = Path(request.folder or tempfile.mkdtemp(prefix="hwaccel-regress-"))
    folder.mkdir(parents=True, exist_ok=True)
    waves = folder / f"waves.{'fst' if request.simulator == 'icarus' else 'vcd'}"
    stalls = request.idle, request.backpressure
    command = sim_command(request.named, request.simulator, request.frames, *stalls, request.seed)
    try:
        result = design.simulate_raw(
            xs,
            simulator=request.simulator,
            idle=request.idle,
            backpressure=request.backpressure,
            seed=request.seed,
            waves=waves if request.waves else None,
            workdir=user_cache("fast") if request.simulator == "fast" else folder,
            command=command,
        )
        if request.backpressure == "none":
            stages.require_cycles(stages.predicted_for(design, result), result, command)
    except (MismatchError, StreamError) as error:
        kept, origin = request.waves and waves.is_file(), ""
        if kept and isinstance(error, TensorMismatch):
            setting = Setting(folder, request.simulator, *stalls, request.seed, command)
            origin = stages.origin_line(mismatch_record(design, setting, xs, error, waves))
        return Answer(
            status="failed",
            message=str(error),
            waves=waves.name if kept else "",
            origin=origin,
            tool=_version(request.simulator),
        )
    finally:
        if not request.folder:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    return Answer(
        status="passed",
        latency=result.latency,
        interval=result.interval,
        cycles=result.cycles,
        tool=_version(request.simulator),
    )


@lru_cache(maxsize=_AT_HAND)
def _loaded(project: str, content: str) -> Design:
    design = load(project)
    if content_of(design) != content:
        raise HwaccelError(f"{project}: was changed while the suite ran; start it again")
    return design


@lru_cache
def _version(simulator: str) -> str:
    name = _TOOLS[simulator]
    return f"{name} {tools.version(tools.require(name)) or 'of unknown version'}"


def _packed(request: Request) -> Mapping[str, bytes]:
    """Return the files of a project: designs are made where the suite is."""
    assert isinstance(request, Try)
    return _bundle(request.project, request.content)


@cache
def _bundle(project: str, content: str) -> dict[str, bytes]:
    """Return the files of a project; ``content`` tells it from what was there before."""
    _, files = read_project(Path(project))
    return {name: files[name] for name in _FILES if name in files}


def _unpacked(request: Request, files: Mapping[str, bytes], root: Path) -> Request:
    assert isinstance(request, Try)
    project = root / request.content
    if not (project / "manifest.json").is_file():
        write_project(project, "design", request.version, dict(files))
    # Its folder is one of another machine: nothing is kept here.
    return msgspec.structs.replace(request, project=str(project), folder="")


TRADE: Trade[Request, Answer] = Trade(__name__, Request, Answer, perform, _packed, _unpacked)
