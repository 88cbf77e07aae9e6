"""Keep what single cycles and single numbers of a simulation say, for the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwaccel.api import Design
from hwaccel.emit.project import work_folder
from hwaccel.errors import HwaccelError, MismatchError
from hwaccel.ir import Interpreter
from hwaccel.report.evidence import (
    MOST_LINES,
    MOST_PICTURED,
    MOST_TENSORS,
    MOST_WRONG,
    Change,
    Excerpt,
    Lane,
    MismatchRecord,
    TraceRecord,
    Wrong,
    WrongTensor,
)
from hwaccel.report.text import clean
from hwaccel.schedule.blocks import Block, Fork, Segment
from hwaccel.schedule.watch import watch
from hwaccel.verify.compare import TensorMismatch
from hwaccel.verify.traced import Astray, Traced, check_times, check_values
from hwaccel.verify.waves import Waves

Ints = NDArray[np.int64]
# Cycles of an excerpt before and after the one it is about.
_BEFORE, _AFTER = 20, 28
# Digits of a value that are shown.
_DIGITS = 12
# Streams inside the design in the excerpt of its first results.
_INSIDE = 8


def sim_command(
    project: Path | str, simulator: str, frames: int, idle: str, backpressure: str, seed: int
) -> str:
    """Return the command that makes a simulation once more."""
    return (
        f"hwaccel sim {project} --simulator {simulator} --frames {frames} "
        f"--idle {idle} --backpressure {backpressure} --seed {seed}"
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A simulation: how the design ``project`` was run, and the command that does it again."""

    project: Path
    simulator: str
    idle: str
    backpressure: str
    seed: int
    command: str

    @property
    def suffix(self) -> str:
        """What the names of its records end in."""
        calm = (self.idle, self.backpressure) == ("none", "none")
        return self.simulator + ("" if calm else f"-{self.idle}-{self.backpressure}")

    def waves(self) -> Path:
        """Return a new place for waves that nobody asked to keep."""
        # To write FST, Verilator compiles more than the model of most designs.
        name = f"waves.{'vcd' if self.simulator == 'verilator' else 'fst'}"
        return work_folder(self.project, f"waves-{self.simulator}") / name


def trace_record(
    design: Design,
    setting: Setting,
    file: Path,
    xs: Sequence[Ints],
    offered: Sequence[Sequence[int]],
) -> TraceRecord:
    """Return what the waves of a run say that gave the right results."""
    waves, timed = read(design, file), setting.backpressure == "none"
    found = check(design, waves, xs, offered if timed else None)
    first = first_results(design, waves)
    return TraceRecord(
        design=design.hash,
        command=f"{setting.command} --trace",
        simulator=setting.simulator,
        frames=len(xs[0]),
        seed=setting.seed,
        idle=setting.idle,
        backpressure=setting.backpressure,
        timed=timed,
        cycles=found.cycles,
        streams=found.streams,
        issuers=found.issuers,
        bits=found.bits,
        beats=found.beats,
        odd=lines(found),
        excerpts=(first,) if first else (),
    )


def mismatch_record(
    design: Design, setting: Setting, xs: Sequence[Ints], error: TensorMismatch, file: Path | None
) -> MismatchRecord:
    """Return what a run got wrong and, from its waves, where that begins.

    Without waves in ``file`` the run is made once more, with them.
    """
    astray: list[Astray] = []
    fed = False
    excerpts: tuple[Excerpt, ...] = ()
    # Without the tools for that it is known that the results are wrong, not where.
    with suppress(HwaccelError):
        waves = read(design, file or _once_more(design, setting, xs))
        found = check(design, waves, xs, None)
        astray = found.astray
        fed = bool(astray) and _fed(design, found)
        excerpts = (around(design, waves, astray[0]),) if astray else ()
    return MismatchRecord(
        design=design.hash,
        command=setting.command,
        simulator=setting.simulator,
        frames=len(xs[0]),
        seed=setting.seed,
        idle=setting.idle,
        backpressure=setting.backpressure,
        message=clean(str(error), 3000),
        located=bool(astray),
        fed=fed,
        tensors=located(design, astray) or [wrong_output(design, error)],
        excerpts=excerpts,
    )


def _once_more(design: Design, setting: Setting, xs: Sequence[Ints]) -> Path:
    """Make a run again with waves; one of the fast path in Verilator, without stalls."""
    again = setting
    if setting.simulator == "fast":
        again = replace(setting, simulator="verilator", idle="none", backpressure="none")
    file = again.waves()
    with suppress(MismatchError):
        design.simulate_raw(
            xs,
            simulator=again.simulator,
            idle=again.idle,
            backpressure=again.backpressure,
            seed=again.seed,
            waves=file,
            workdir=work_folder(setting.project, f"sim-{again.simulator}"),
        )
    return file


def read(design: Design, file: Path) -> Waves:
    """Return the waves of a simulation of ``design``."""
    return Waves(file, design.name)


def check(
    design: Design, waves: Waves, xs: Sequence[Ints], offered: Sequence[Sequence[int]] | None
) -> Traced:
    """Compare the waves of a run on the integers ``xs`` with schedule and golden model.

    ``offered`` says from when each input beat was; without it, times are not compared.
    """
    if offered is None:
        found = Traced(waves.cycles)
    else:
        arrivals = dict(zip(design.plan.inputs, offered, strict=True))
        watched = watch(design.plan, len(xs[0]), arrivals)
        found = check_times(waves, design.netlist, design.plan, watched)
    values = Interpreter(design.graph).trace(*xs)
    check_values(waves, design.netlist, design.plan, values, found)
    return found


def lines(found: Traced) -> tuple[str, ...]:
    """Say what is not as predicted, in as many lines as a record keeps."""
    wrong = [
        f"{a.stream}: carries wrong numbers from cycle {a.cycle} on, "
        f"{int((a.expected != a.found).sum())} in all"
        for a in found.astray
    ]
    said = [clean(text, 1000) for text in [*map(str, found.odd), *wrong]]
    return tuple(said[:MOST_LINES])


def located(design: Design, astray: Iterable[Astray]) -> list[WrongTensor]:
    """Return the tensors that are wrong inside the design, in its order, each of them once."""
    found: dict[str, WrongTensor] = {}
    for one in astray:
        if one.value not in found:
            found[one.value] = _tensor(design, one.value, one.expected, one.found, one.cycle)
    return list(found.values())[:MOST_TENSORS]


def wrong_output(design: Design, error: TensorMismatch) -> WrongTensor:
    """Return the output that a run got wrong."""
    expected, found = error.expected, error.found
    cycle = None
    if error.cycles is not None and error.lanes:
        at = np.argwhere(expected != found)
        shape = design.graph.types()[error.name].shape
        beats = [(int(f), _beat(tuple(index), shape, error.lanes)) for f, *index in at.tolist()]
        cycle = min(int(error.cycles[place]) for place in beats)
    return _tensor(design, error.name, expected, found, cycle)


def _beat(index: tuple[int, ...], shape: tuple[int, ...], lanes: int) -> int:
    pixel = int(np.ravel_multi_index(index[1:], shape[1:])) if len(shape) > 1 else 0
    return (pixel * shape[0] + index[0]) // lanes


def _tensor(
    design: Design, name: str, expected: Ints, found: Ints, cycle: int | None
) -> WrongTensor:
    node, type = design.graph.node(name), design.graph.types()[name]
    frames = len(expected)
    wrong = expected.reshape(frames, -1) != found.reshape(frames, -1)
    places = np.argwhere(wrong)
    frame = int(places[0][0])
    pictured = expected[frame].size <= MOST_PICTURED
    return WrongTensor(
        name=clean(name),
        path=clean(node.path) if node else "",
        shape=list(type.shape),
        format=str(type.fixed),
        count=int(wrong.sum()),
        size=wrong.size,
        cycle=cycle,
        wrong=[
            Wrong(f, at, int(expected[f].flat[at]), int(found[f].flat[at]))
            for f, at in places[:MOST_WRONG].tolist()
        ],
        frame=frame,
        expected=expected[frame].ravel().tolist() if pictured else [],
        found=found[frame].ravel().tolist() if pictured else [],
    )


def first_results(design: Design, waves: Waves) -> Excerpt | None:
    """Return the cycles around the first beat that leaves the design."""
    nets = design.netlist.nets
    moves = [
        waves.bit(f"{edge.prefix}_tvalid") & waves.bit(f"{edge.prefix}_tready")
        for edge in design.netlist.outputs
    ]
    first = [int(np.argmax(m == 1)) for m in moves if (m == 1).any()]
    if not first:
        return None
    inside = [nets[block.outputs[0]] for block in design.plan.blocks if isinstance(block, Segment)]
    shown = [*(edge.prefix for edge in design.netlist.inputs), *inside[:_INSIDE]]
    shown += [edge.prefix for edge in design.netlist.outputs]
    return excerpt(waves, "The first results leave the design", _signals(shown), min(first))


def around(design: Design, waves: Waves, astray: Astray) -> Excerpt:
    """Return the cycles in which a stream goes astray, with what its block reads."""
    nets, block = design.netlist.nets, _maker(design, astray.stream)
    shown = [*(nets[name] for name in block.inputs)] if block else []
    signals = _signals([*shown, nets[astray.stream]])
    if isinstance(block, Segment):
        signals += [f"{nets[block.outputs[0]]}_{s}" for s in ("grant", "take")]
    title = f"{clean(astray.value)} goes astray"
    return excerpt(waves, title, signals, astray.cycle)


def _fed(design: Design, found: Traced) -> bool:
    """Tell whether all that makes the first stream astray was looked at, and is right."""
    block = _maker(design, found.astray[0].stream)
    wrong = {one.stream for one in found.astray}
    sources = {_source(design, name) for name in block.inputs} if block else set()
    return block is not None and sources <= found.read - wrong


def _source(design: Design, stream: str) -> str:
    """Return the stream of which this one is a copy, or itself."""
    block = _maker(design, stream)
    while isinstance(block, Fork) and not block.parts:
        (stream,) = block.inputs
        block = _maker(design, stream)
    return stream


def _maker(design: Design, stream: str) -> Block | None:
    return next((block for block in design.plan.blocks if stream in block.outputs), None)


def _signals(prefixes: Iterable[str]) -> list[str]:
    return [f"{p}_{s}" for p in dict.fromkeys(prefixes) for s in ("tvalid", "tready", "tdata")]


def excerpt(waves: Waves, title: str, signals: Sequence[str], mark: int) -> Excerpt:
    """Return those of ``signals`` that the waves have, around cycle ``mark``."""
    first = max(0, mark - _BEFORE)
    cycles = range(first, min(waves.cycles, mark + _AFTER))
    lanes = [_lane(waves, signal, cycles) for signal in signals if signal in waves][:40]
    return Excerpt(title, first, len(cycles), mark, lanes)


def _lane(waves: Waves, signal: str, cycles: range) -> Lane:
    values = ["x" if v is None else f"{v:x}" for v in waves.values(signal, np.array(cycles))]
    changes = [
        Change(at, text if len(text) <= _DIGITS else f"…{text[1 - _DIGITS :]}")
        for at, text in enumerate(values)
        if not at or text != values[at - 1]
    ]
    return Lane(clean(signal), waves.width(signal), changes)
