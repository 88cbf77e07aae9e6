"""Circuits that the emitters are tried on, and the benches that try them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwaccel import resources, tools
from hwaccel.circuit import Builder, Circuit, Lanes, Pipelined, Unit
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Node, Sum3
from hwaccel.emit.circuit import emit_unit

Ints = NDArray[np.int64]
Maker = Callable[[Builder, random.Random, int, int], int | None]
# Wider nodes are not made from: a sum of two with a shift has to stay below 64 bits.
_WIDEST = 50


def _interval(rng: random.Random) -> tuple[int, int]:
    size = 1 << rng.choice((1, 3, 7, 12))
    a, b = rng.randint(1, size), rng.randint(0, size)
    return rng.choice(
        [(0, a), (a, a + b), (-a - b, -a), (-a, b), (0, 1), (-1, 0), (-(1 << 40) + a, b << 27)]
    )


def _clip(b: Builder, rng: random.Random, x: int, y: int) -> int:
    node = b.nodes[x]
    half = 1 << rng.randint(0, 7)
    anywhere = [rng.randint(node.lo - 2, node.hi + 2) for _ in "ab"]
    return b.clip(x, *rng.choice([(-half, half - 1), (0, 2 * half - 1), tuple(sorted(anywhere))]))


def _wrap(b: Builder, rng: random.Random, x: int, y: int) -> int:
    bits = rng.randint(1, b.nodes[x].width + 1)
    base = rng.choice((0, -(1 << (bits - 1))))
    return b.wrap(x, base, base + (1 << bits) - 1)


def _table(b: Builder, rng: random.Random, x: int, y: int) -> int | None:
    size = b.nodes[x].hi - b.nodes[x].lo + 1
    return b.table(x, tuple(rng.randint(-30, 30) for _ in range(size))) if size < 40 else None


def _with_constant(b: Builder, rng: random.Random, x: int, y: int) -> int:
    pair = [x, b.constant(rng.choice((0, 1, -1, 8, rng.randint(-99, 99))))]
    rng.shuffle(pair)
    return b.sum(pair[0], pair[1], rng.randint(-3, 3), rng.random() < 0.5)


def _choose(b: Builder, rng: random.Random, x: int, y: int) -> int:
    z = rng.randrange(len(b.nodes))
    lo = min(b.nodes[i].lo for i in (y, z))
    return b.choose(x, y, z, lo, max(b.nodes[i].hi for i in (y, z)))


def _product(b: Builder, rng: random.Random, x: int, y: int) -> int | None:
    a, c = b.nodes[x], b.nodes[y]
    fits = a.lo < a.hi and c.lo < c.hi and a.width + c.width <= _WIDEST
    return b.product(x, y) if fits else None


_MAKERS: tuple[Maker, ...] = (
    *[lambda b, rng, x, y: b.sum(x, y, rng.randint(-4, 4), rng.random() < 0.5)] * 6,
    lambda b, rng, x, y: b.shift(x, rng.randint(-b.nodes[x].width - 1, 3)),
    lambda b, rng, x, y: b.even(x, rng.randint(1, 5)),
    lambda b, rng, x, y: b.maximum(x, y),
    lambda b, rng, x, y: b.minimum(x, y),
    _choose,
    *[_product] * 2,
    lambda b, rng, x, y: b.constant(rng.randint(-40, 40)),
    *[_clip] * 2,
    _wrap,
    _table,
    *[_with_constant] * 2,
)


def random_circuit(seed: int, size: int = 80) -> Circuit:
    """Return a circuit of every kind of node, with intervals of every kind."""
    rng = random.Random(seed)
    b = Builder()
    b.origin = "in"
    intervals = [_interval(rng) for _ in range(8)]
    pool = [b.input(i, lo, hi) for i, (lo, hi) in enumerate(intervals)]
    while len(b.nodes) < size:
        b.origin = f"layer{len(b.nodes) // 20}"
        x, y = rng.choice(pool[-20:]), rng.choice(pool)
        if max(b.nodes[x].width, b.nodes[y].width) > _WIDEST:
            continue
        made = rng.choice(_MAKERS)(b, rng, x, y)
        if made is not None:
            pool.append(made)
            if rng.random() < 0.4:
                b.elements.setdefault(made, (b.origin, len(pool)))
    outputs = [rng.choice(pool) for _ in range(4)] + pool[-12:]
    return pruned(b, intervals, outputs)


def clips() -> Circuit:
    """Return every clip of an input of few bits."""
    b = Builder()
    b.origin = "clip"
    intervals = [(-5, 6), (0, 11), (3, 9), (-9, -2)]
    outputs = []
    for i, (lo, hi) in enumerate(intervals):
        x = b.input(i, lo, hi)
        ends = range(lo - 1, hi + 2)
        outputs += [
            b.clip(x, floor, ceiling) for floor in ends for ceiling in ends if floor <= ceiling
        ]
    return pruned(b, intervals, outputs)


def sums() -> Circuit:
    """Return every sum, maximum, minimum and product of every two of some inputs."""
    b = Builder()
    b.origin = "sum"
    intervals = [(0, 1), (-1, 0), (0, 5), (-3, 2), (-6, -5)]
    xs = [b.input(i, lo, hi) for i, (lo, hi) in enumerate(intervals)]
    xs += [b.shift(xs[3], 2), *(b.constant(value) for value in (-4, 0, 3))]
    outputs = [
        b.sum(x, y, shift, subtract)
        for x in xs
        for y in xs
        for shift in (-3, -1, 0, 2)
        for subtract in (False, True)
    ]
    outputs += [b.maximum(x, y) for x in xs for y in xs]
    outputs += [b.minimum(x, y) for x in xs for y in xs]
    outputs += [b.product(x, y) for x in xs[:6] for y in xs[:6]]
    return pruned(b, intervals, list(dict.fromkeys(outputs)))


def sums3(count: int = 400) -> Circuit:
    """Return sums of three of some inputs, at random: shifts, signs, low zeros, constants."""
    rng = random.Random(3)
    b = Builder()
    b.origin = "sum"
    intervals = [(0, 1), (-1, 0), (0, 5), (-3, 2), (-6, -5), (0, 200)]
    xs = [b.input(i, lo, hi) for i, (lo, hi) in enumerate(intervals)]
    xs += [b.shift(xs[3], 2), b.shift(xs[5], 5), *(b.constant(value) for value in (-4, 0, 3))]
    outputs = []
    for _ in range(count):
        a, c, d = (rng.choice(xs) for _ in range(3))
        ups = (rng.choice((0, 0, 1, 4)), rng.choice((0, 0, 2, 3)), rng.choice((0, 0, 1, 9)))
        node = Sum3(a=a, b=c, c=d, ups=ups, subtract=rng.randint(0, 2), lo=0, hi=0)
        ends = [
            [v << up for v in (b.nodes[i].lo, b.nodes[i].hi)]
            for i, up in zip(node.operands, ups, strict=True)
        ]
        ends = [[-h, -lo] if n else [lo, h] for (lo, h), n in zip(ends, node.negative, strict=True)]
        lo, hi = (sum(end[side] for end in ends) for side in (0, 1))
        if lo < hi:
            outputs.append(b.add(replace(node, lo=lo, hi=hi)))
    return pruned(b, intervals, list(dict.fromkeys(outputs)))


def lanes(name: str, intervals: Sequence[tuple[int, int]], spare: int = 0) -> Lanes:
    """Return lanes that hold the intervals, with ``spare`` bits more than they need."""
    nodes = [_Interval(lo=lo, hi=hi) for lo, hi in intervals]
    signed = any(node.signed for node in nodes)
    width = max(node.width + (signed and not node.signed) for node in nodes)
    return Lanes(name, len(nodes), width + spare, signed)


class _Interval(Node):
    kind = "interval"

    def evaluate(self, *xs: Ints) -> Ints:
        raise AssertionError


def unit(circuit: Circuit, name: str = "unit", latency: int = 0, seed: int = 0) -> Unit:
    """Return ``circuit`` cut into cycles at random, its vectors split in two."""
    rng = random.Random(seed)
    stages = [0] * len(circuit.nodes)
    for number, node in enumerate(circuit.nodes if latency else ()):
        if node.kind not in ("input", "constant"):
            first = max((stages[i] for i in node.operands), default=0)
            stages[number] = min(latency - 1, first + (rng.random() < 0.3))
    ins = circuit.inputs
    outs = [(circuit.nodes[i].lo, circuit.nodes[i].hi) for i in circuit.outputs]
    half = len(ins) // 2
    return Unit(
        name,
        Pipelined(circuit, tuple(stages), latency),
        (lanes("x", ins[:half], seed % 3), lanes("in2", ins[half:])),
        (lanes("y", outs[:5]), *([lanes("rest", outs[5:], seed % 2)] if outs[5:] else [])),
        tuple((origin, f"net.{origin}") for origin in dict.fromkeys(circuit.origins)),
    )


def batch(circuit: Circuit, count: int, seed: int = 0) -> Ints:
    """Return input vectors that like the ends of intervals."""
    rng = np.random.default_rng(seed)
    columns = []
    for lo, hi in circuit.inputs:
        values, where = rng.integers(lo, hi, count, endpoint=True), rng.random(count)
        values[where < 0.2], values[where > 0.8] = lo, hi
        columns.append(values)
    return np.stack(columns, axis=1)


# --- benches -----------------------------------------------------------------------------------

_BENCH = """
module bench_{name};
    reg clk = 0;
    reg rst = 1;
    reg in_valid = 0;
    reg [{in_top}:0] x;
    reg [{in_top}+1:0] beats [0:{last}];
    wire out_valid;
    wire [{out_top}:0] y;
    integer i;

    {name} dut (.clk(clk), .rst(rst), .in_valid(in_valid), {ports},
        .out_valid(out_valid), .out_data(y));

    initial begin
        $readmemh("{name}.hex", beats);
        for (i = 0; i < 4; i = i + 1) begin
            #5 clk = 1; #5 clk = 0;
        end
        rst = 0;
        for (i = 0; i <= {last}; i = i + 1) begin
            {{in_valid, x}} = beats[i];
            #4 if (out_valid !== 1'b0) $display("{name} %0d %b %h", i, out_valid, y);
            #1 clk = 1; #5 clk = 0;
        end
    end
endmodule
"""


def bench(units: Sequence[Unit], folder: Path, count: int = 30) -> list[str]:
    """Write units, beats and one bench for all of them; return the lines it has to print."""
    due = []
    text = ["`timescale 1ns / 1ps"]
    for u in units:
        x = batch(u.piped.circuit, count)
        rng = random.Random(u.name)
        beats = []
        for word, result in zip(
            _packed(x, u.ins), _packed(u.piped.circuit.evaluate(x), u.outs), strict=True
        ):
            while rng.random() < 0.3:
                beats.append((rng.getrandbits(_bits(u.ins)), 0, 0))
            beats.append((word, 1, result))
        beats += [(0, 0, 0)] * (u.piped.latency + 1)
        digits = -(-_bits(u.outs) // 4)
        due += [
            f"{u.name} {i + u.piped.latency} 1 {result:0{digits}x}"
            for i, (_, valid, result) in enumerate(beats)
            if valid
        ]
        words = [f"{valid << _bits(u.ins) | word:x}\n" for word, valid, _ in beats]
        (folder / f"{u.name}.hex").write_text("".join(words))
        for name, source in emit_unit(u, ("bench",)).items():
            (folder / name).write_text(source, encoding="ascii")
        ports, low = [], 0
        for port in u.ins:
            ports.append(f".{port.name}(x[{low + port.bits - 1}:{low}])")
            low += port.bits
        text.append(
            _BENCH.format(
                name=u.name,
                in_top=_bits(u.ins) - 1,
                out_top=_bits(u.outs) - 1,
                last=len(beats) - 1,
                ports=", ".join(ports),
            )
        )
    adder = resources.rtl_file("hwa_add3")
    (folder / adder.name).write_text(adder.read_text(encoding="ascii"), encoding="ascii")
    instances = "".join(f"    bench_{u.name} b_{u.name} ();\n" for u in units)
    text.append(f"module bench;\n{instances}endmodule\n")
    (folder / "bench.v").write_text("\n".join(text))
    return sorted(due)


def icarus(folder: Path) -> list[str]:
    """Run the bench in Icarus; return what it printed."""
    sources = sorted(path.name for path in folder.glob("*.v"))
    argv = [*tools.require("iverilog").argv, "-g2005", "-s", "bench", "-o", "bench.vvp", *sources]
    tools.run(argv, cwd=folder)
    return sorted(tools.run(["vvp", "-n", "bench.vvp"], cwd=folder).stdout.splitlines())


def verilator(folder: Path) -> list[str]:
    """Run the bench in Verilator, registers at random; return what it printed."""
    sources = sorted(path.name for path in folder.glob("*.v"))
    flags = [
        "--binary",
        "--timing",
        "--x-initial",
        "unique",
        "--x-assign",
        "unique",
        "-CFLAGS",
        "-O0",
    ]
    argv = [*tools.require("verilator").argv, *flags, "--top-module", "bench", "-Mdir", "obj"]
    tools.run([*argv, "-Wno-fatal", *sources], cwd=folder, env=tools.verilator_env())
    program = [folder / "obj" / "Vbench", "+verilator+rand+reset+2"]
    lines = tools.run(program, cwd=folder).stdout.splitlines()
    return sorted(line for line in lines if not line.startswith("- "))


def _bits(sides: Sequence[Lanes]) -> int:
    return sum(side.bits for side in sides)


def _packed(rows: Ints, sides: Sequence[Lanes]) -> list[int]:
    widths = [side.width for side in sides for _ in range(side.count)]
    words = []
    for row in rows.tolist():
        word = low = 0
        for value, width in zip(row, widths, strict=True):
            word |= (value & ((1 << width) - 1)) << low
            low += width
        words.append(word)
    return words
