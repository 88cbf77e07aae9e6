"""Emitted kernels and torch beside the hardware: throughput, latency, energy, and equal bits."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hwaccel import inputs, tools
from hwaccel._version import __version__
from hwaccel.api import Design
from hwaccel.errors import ConfigError, ToolError
from hwaccel.gpu.cuda import build_device, build_host
from hwaccel.gpu.energy import Meter, cpu_meter, gpu_meter
from hwaccel.gpu.executors import (
    Executor,
    FloatTorch,
    IntegerTorch,
    Kernels,
    bytes_needed,
    fitting,
    flat,
    latency,
    measure,
    memory_free,
)
from hwaccel.report.results import (
    Batch,
    CsimRecord,
    ExecutorRow,
    HardwareRow,
    Results,
    SimRecord,
    SpeedRecord,
    SynthRecord,
    load_results,
    save_result,
)

if TYPE_CHECKING:
    import torch

Ints = NDArray[np.int64]
Progress = Callable[[str], None]
DEVICES = ("cpu", "cuda")
# What a batch is where nobody says: enough for a GPU, short on a CPU.
_BATCHES = {"cpu": 32, "cuda": 1024}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and for how long.

    ``model`` is what float torch runs, if anything, ``source`` how the command line names it.
    """

    batches: tuple[int, ...] = ()
    seconds: float = 1.0
    device: str | None = None
    model: torch.nn.Module | None = None
    source: str = ""
    with_data: bool = False


def device_of(wanted: str | None) -> str:
    """Return the device to compare on: the GPU where there is one.

    Raises:
        ConfigError: there is no such kind of device.
        ToolError: it is not there, or what compiles for it.
    """
    if wanted is not None and wanted not in DEVICES:
        raise ConfigError(f"--device {wanted!r}: is not one of {', '.join(DEVICES)}")
    device = wanted or ("cuda" if tools.find("cuda") is not None else "cpu")
    if device == "cuda":
        tools.require("cuda")
    tools.require("nvcc" if device == "cuda" else "g++")
    return device


def float_model(source: str, weights: Path | None, design: Design) -> torch.nn.Module:
    """Return the float model that ``design`` was made from, on the CPU.

    Raises:
        HwaccelError: it cannot be read, or its inputs or outputs are not those of the design.
    """
    if weights is not None and weights.is_dir():
        import torch

        from hwaccel.compress.checkpoint import read_checkpoint

        frame = torch.zeros(1, *design.graph.inputs[0].type.shape)
        model: Any = read_checkpoint(source, weights, frame).model
    else:
        model = inputs.read_model(source, weights)
    if not hasattr(model, "eval"):
        raise ConfigError(
            f"{source}: holds a graph, which is read but never run; give package.module:factory"
        )
    _check_model(source, model, design)
    return model


def _check_model(source: str, model: Any, design: Design) -> None:
    import torch

    types = design.graph.types()
    remedy = "give the model that this project was made from"
    frames = [torch.zeros(2, *value.type.shape) for value in design.graph.inputs]
    try:
        with torch.no_grad():
            found = list(flat(model.eval()(*frames)))
    except Exception as error:
        shapes = ", ".join(str(value.type.shape) for value in design.graph.inputs)
        said = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{source}: fails on frames of shape {shapes} ({said}); {remedy}"
        ) from None
    have = [tuple(getattr(y, "shape", ())) for y in found]
    want = [types[name] for name in design.graph.outputs]
    same = len(have) == len(want) and all(
        h[:1] == (2,) and int(np.prod(h[1:])) == t.size for h, t in zip(have, want, strict=True)
    )
    if not same:
        made = ", ".join(str(h[1:]) for h in have)
        wanted = ", ".join(str(t.shape) for t in want)
        raise ConfigError(f"{source}: returns {made}, the project {wanted}; {remedy}")


def run(
    design: Design,
    project: Path,
    xs: Sequence[Ints],
    settings: Settings,
    *,
    seed: int = 1,
    progress: Progress = lambda _: None,
) -> SpeedRecord:
    """Do what ``compare`` does for a project; save and return the record.

    Raises:
        HwaccelError: as ``compare`` does, or the record cannot be written.
    """
    results = load_results(project).measured_on(design.hash)
    record = compare(design, xs, settings, results=results, seed=seed, progress=progress)
    record = msgspec.structs.replace(record, command=_command(project, settings, record))
    _save(project, record)
    return record


def compare(
    design: Design,
    xs: Sequence[Ints],
    settings: Settings,
    *,
    results: Results | None = None,
    seed: int = 1,
    progress: Progress = lambda _: None,
) -> SpeedRecord:
    """Compare every executor with golden on ``xs``, time it, and set the hardware beside it.

    ``results`` are those of the design: its routed clocks, and the frames that were simulated.

    Raises:
        ConfigError: the device is not known.
        MismatchError: an executor and the golden model differ.
        ToolError: a compiler or the device is missing, or a batch does not fit into memory.
    """
    device = device_of(settings.device)
    batches = settings.batches or (_BATCHES[device],)
    for batch in batches:
        _check_memory(design, batch, device)
    meter, where = _device(device)
    with tempfile.TemporaryDirectory(prefix="hwaccel-cuda-") as folder:
        progress(f"compiling the kernels for {'the GPU' if device == 'cuda' else 'the host'}")
        build = build_device if device == "cuda" else build_host
        library = build(design.cuda(), Path(folder))
        kernels = "emitted CUDA kernels" + ("" if device == "cuda" else ", compiled for the host")
        executors: dict[str, Executor] = {
            kernels: Kernels(library, design.graph, device),
            "golden model, integer torch": IntegerTorch(design.graph, device),
        }
        if settings.model is not None:
            fracs = [value.type.frac for value in design.graph.inputs]
            executors["float32 torch"] = FloatTorch(settings.model, fracs, device)
        rows = [
            _row(design, name, executor, xs, batches, settings, meter, progress)
            for name, executor in executors.items()
        ]
    return SpeedRecord(
        design=design.hash,
        device=where,
        on_gpu=device == "cuda",
        meter=meter.name,
        frames=len(xs[0]),
        seed=seed,
        executors=tuple(rows),
        hardware=hardware(design, results or Results()),
        tool_versions=_versions(device),
    )


def _row(
    design: Design,
    name: str,
    executor: Executor,
    xs: Sequence[Ints],
    batches: Sequence[int],
    settings: Settings,
    meter: Meter,
    progress: Progress,
) -> ExecutorRow:
    exact = not isinstance(executor, FloatTorch)
    progress(f"{name}: comparing {len(xs[0])} frames")
    with fitting(f"{len(xs[0])} frames"):
        call = executor.ready(xs)
        call.run()
        found = call.results()
    if exact:
        design.require_golden(xs, found, what=name)
    speeds = []
    for batch in batches:
        progress(f"{name}: batches of {batch:,}")
        with fitting(f"a batch of {batch:,}"):
            taken = np.arange(batch) % len(xs[0])
            speed = measure(executor, [x[taken] for x in xs], settings.seconds, meter)
        speeds.append(
            Batch(
                batch=batch,
                frames=speed.frames,
                frames_per_second=speed.frames / speed.seconds,
                joules_per_frame=speed.joules / speed.frames if speed.joules else None,
            )
        )
    progress(f"{name}: one frame")
    return ExecutorRow(
        executor=name,
        mismatches=0 if exact else None,
        difference=_difference(design, xs, found) if settings.with_data and not exact else None,
        latency_s=latency(executor, [x[:1] for x in xs], settings.seconds / 4),
        batches=tuple(speeds),
    )


def _difference(design: Design, xs: Sequence[Ints], found: Sequence[Any]) -> float:
    """Return the largest difference of float outputs from the numbers of the golden model."""
    raw = design.golden.raw(*xs)
    types = design.graph.types()
    return max(
        float(np.max(np.abs(have.reshape(want.shape) - np.ldexp(want, -types[name].frac))))
        for name, want, have in zip(design.graph.outputs, raw, found, strict=True)
    )


def hardware(design: Design, results: Results) -> tuple[HardwareRow, ...]:
    """Return the design at every Fmax that a routed result holds, or at the configured clock."""
    routed = [r for r in results.of(SynthRecord) if r.routed and r.fmax_mhz is not None]
    clocks = [(float(r.fmax_mhz or 0), r.target, bool(r.untimed)) for r in routed]
    timing = design.plan.timing()
    interval = timing.interval or 1
    simulated = sum(
        record.frames
        for record in results.of(SimRecord)
        if not record.stalled
        and record.mismatches == 0
        and record.latency == record.predicted_latency
        and record.interval == record.predicted_interval
    )
    return tuple(
        HardwareRow(
            clock_mhz=clock,
            target=target,
            upper_bound=bound,
            latency_cycles=timing.latency,
            interval_cycles=interval,
            frames_per_second=clock * 1e6 / interval,
            latency_s=timing.latency / (clock * 1e6),
            simulated=simulated,
        )
        for clock, target, bound in clocks or [(design.config.clock_mhz, "", False)]
    )


def _check_memory(design: Design, batch: int, device: str) -> None:
    needed, free = bytes_needed(design.graph, batch), memory_free(device)
    if needed > free:
        raise ToolError(
            f"a batch of {batch:,}: needs {needed / 1e9:,.1f} GB and more, {free / 1e9:,.1f} GB "
            "are free; give a smaller --batch"
        )


def _device(device: str) -> tuple[Meter, str]:
    import torch

    if device == "cpu":
        cpu = platform.processor() or platform.machine()
        return cpu_meter(), f"CPU ({cpu}, {torch.get_num_threads()} threads for torch)"
    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    return gpu_meter(str(getattr(found, "uuid", ""))), torch.cuda.get_device_name()


def _versions(device: str) -> dict[str, str]:
    import torch

    compiler = "nvcc" if device == "cuda" else "g++"
    versions = {"hwaccel": __version__, "torch": str(torch.__version__)}
    return versions | {compiler: tools.version(tools.require(compiler)) or "unknown"}


def _command(project: Path, settings: Settings, record: SpeedRecord) -> str:
    words = [f"hwaccel gpu compare {project} --device {'cuda' if record.on_gpu else 'cpu'}"]
    words += [f"--batch {row.batch}" for row in record.executors[0].batches]
    words += [f"--seconds {settings.seconds:g} --frames {record.frames} --seed {record.seed}"]
    words += [f"--model {settings.source}"] if settings.source else []
    return " ".join(words)


def _save(project: Path, record: SpeedRecord) -> None:
    """Keep the speeds, and for each exact executor that it equals the golden model."""
    for what, row in zip(("cuda" if record.on_gpu else "cuda-host", "torch"), record.executors,
                         strict=False):  # fmt: skip
        equal = CsimRecord(
            design=record.design,
            command=record.command,
            what=what,  # type: ignore[arg-type]
            frames=record.frames,
            mismatches=row.mismatches or 0,
        )
        save_result(project, f"csim-{what}", equal)
    save_result(project, "gpu-compare", record)
