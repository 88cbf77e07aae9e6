"""Designs behind registers: every register, every counter, starts, stops and resets."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.emit import registers
from hwaccel.emit.registers import Access
from hwaccel.errors import ToolError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Dense
from hwaccel.verify.beats import to_beats
from hwaccel.verify.rtl import run_bench
from tests.rtl.proofs import Mutant, missing
from tests.verify.networks import cnn, two_ins_two_outs

pytestmark = pytest.mark.rtl

FRAMES = 6


def ahead() -> Graph:
    """A dense layer of one input, and another input added."""
    b = GraphBuilder("ahead")
    x = b.input("x", TensorType.full((6,), FixedType.parse("s4.2")))
    bias = b.input("bias", TensorType.full((4,), FixedType.parse("u3.1")))
    weight, zeros = IntArray(np.arange(24).reshape(4, 6) % 7 - 3), IntArray([0] * 4)
    y = b.add("fc", Dense(weight, zeros, zeros, 2), x)
    return b.build(b.add("sum", Add.of(b.type(y), b.type(bias)), y, bias))


BANNER = ("made by a test",)
DESIGNS = {
    # One input is kept whole before the other is needed, and runs ahead of it.
    "ahead": lambda: design_from(ahead(), Config(multipliers=4)),
    # A design of several frames in flight with long frames; two inputs and outputs; one frame
    # per clock, with more frames in flight than beats in a frame.
    "cnn": lambda: design_from(cnn(True, size=4, width=4), Config(multipliers=64)),
    "two": lambda: design_from(two_ins_two_outs(), Config()),
    "spatial": lambda: design_from(two_ins_two_outs(), Config(style="spatial")),
}
# Tests of the bench with all their parameters, but the last one.
TESTS = 1 + 1 + 5 + 4 + 1 + 6 + 1 + 4 + 1 + 7


@cache
def made(name: str) -> Design:
    return DESIGNS[name]()


def beats(batch: np.ndarray, edge) -> list[list[int]]:
    size = edge.axis_bits // 8
    data = to_beats(batch, edge).tobytes()
    words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    return [words[i : i + edge.beats] for i in range(0, len(words), edge.beats)]


def job(design: Design, folder: Path, seed: int) -> dict:
    """What the bench needs to know, from the netlist and the register map."""
    rng = np.random.default_rng(seed)
    types = [value.type for value in design.graph.inputs]
    xs = [rng.integers(t.lo, t.hi + 1, (FRAMES, *t.shape)) for t in types]
    system = design.system
    values = {
        "ID": registers.IDENTITY,
        "VERSION": registers.MAP_VERSION,
        "HASH_LO": int(design.hash, 16) & 0xFFFF_FFFF,
        "HASH_HI": int(design.hash, 16) >> 32,
        "STREAMS": len(system.outputs) << 16 | len(system.inputs),
    }
    for stream in system.streams:
        values[f"{stream.label}_BEATS"] = stream.edge.beats
        values[f"{stream.label}_BITS"] = stream.edge.axis_bits
    ends = {
        side: [
            {
                "port": stream.edge.prefix,
                "beats": stream.edge.beats,
                "bits": stream.edge.axis_bits,
                "frames": beats(batch, stream.edge),
            }
            for stream, batch in zip(streams, batches, strict=True)
        ]
        for side, streams, batches in (
            ("inputs", system.inputs, xs),
            ("outputs", system.outputs, design.golden.raw(*xs)),
        )
    }
    return {
        "result": str(folder / "result.json"),
        "seed": seed,
        "tests": TESTS,
        "registers": {register.name: register.offset for register in system.registers},
        "counters": [r.name for r in system.registers if r.access is Access.COUNTER],
        "address_bits": system.address_bits,
        "values": values,
        **ends,
    }


def files(design: Design) -> dict[str, str]:
    """The Verilog of a design and of what stands around it."""
    around = design.system.files(BANNER).items()
    wrapper = {path.removeprefix("rtl/"): text for path, text in around if path.startswith("rtl/")}
    return {**design.verilog(), **wrapper}


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "two" else pytest.mark.slow) for n in DESIGNS]
)
def test_a_design_behind_registers(name: str, simulator: str, tmp_path: Path) -> None:
    program = {"icarus": "iverilog"}.get(simulator, simulator)
    if missing(program):
        pytest.skip(missing(program))
    design = made(name)
    (tmp_path / "job.json").write_text(json.dumps(job(design, tmp_path, 5)))
    top = design.system.netlist.name
    run_bench(files(design), top, "bench_system", tmp_path, simulator=simulator)


# What the proofs do not reach: registers, counters, and how they are wired. One defect each.
MUTANTS = [
    Mutant(
        "hwa_regs",
        "clears what was not named",
        "~(set_pending ? write_data[1:0]",
        "~(set_pending ? 2'd3",
    ),
    Mutant(
        "hwa_regs",
        "loses an event",
        ": 2'd0)) | events;",
        ": 2'd0) | (set_pending ? 2'd0 : events));",
    ),
    Mutant("hwa_regs", "ignores strobes", "if (set_scratch && write_strb[k])", "if (set_scratch)"),
    Mutant(
        "hwa_regs",
        "ignores the strobe of bits",
        "write && w_first && write_strb[0];",
        "write && w_first;",
    ),
    Mutant(
        "hwa_regs",
        "one stream too many",
        "w_stream <= MOST[PAGE_W+3:0]",
        "w_stream <= STREAMS[PAGE_W+3:0]",
    ),
    Mutant(
        "hwa_regs",
        "maps what is not there",
        "read_addr[7:2] <= LAST",
        "read_addr[7:2] <= LAST + 6'd1",
    ),
    Mutant("hwa_regs", "interrupts unasked", "|(irq_enable_q & irq_pending_q)", "|irq_pending_q"),
    Mutant("hwa_regs", "reports while the error lasts", "frame_error && !error_q", "frame_error"),
    Mutant(
        "hwa_regs", "not busy before the first beat", "held != 32'd0 || |begun", "held != 32'd0"
    ),
    Mutant("hwa_regs", "forgets to resync", "resync_q  <= write_data[2];", "resync_q  <= 1'b0;"),
    Mutant("hwa_tally", "counts stalls that end", "tvalid[k] && !tready[k]", "tvalid[k]"),
    Mutant(
        "hwa_tally",
        "one output is enough",
        ".each    (finish[STREAMS-1:INPUTS])",
        ".each    ({OUTPUTS{|finish[STREAMS-1:INPUTS]}})",
    ),
    Mutant("hwa_meet", "all is any", "assign all = &up;", "assign all = |up;"),
    Mutant("hwa_meet", "forgets who is ahead", "if (each[k] && !all) lead_q <= lead_q + 1'b1;", ""),
    Mutant("hwa_pace", "measures another frame", "held_q - {31'd0, done};", "32'd0;"),
    Mutant("hwa_pace", "one cycle more", "since_q <= 32'd1;", "since_q <= 32'd2;"),
    Mutant(
        "hwa_pace",
        "forgets what began meanwhile",
        "opened && (!measuring_q || ends)",
        "opened && !measuring_q",
    ),
]


@pytest.mark.slow
@pytest.mark.skipif(missing("iverilog") != "", reason=missing("iverilog"))
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_bench_catches(mutant: Mutant, tmp_path: Path) -> None:
    design = made("spatial" if mutant.module == "hwa_pace" else "two")
    broken = files(design)
    broken[f"{mutant.module}.v"] = mutant.apply(broken[f"{mutant.module}.v"])
    (tmp_path / "job.json").write_text(json.dumps(job(design, tmp_path, 5)))
    top = design.system.netlist.name
    with pytest.raises(ToolError, match="the bench failed"):
        run_bench(broken, top, "bench_system", tmp_path, simulator="icarus")
