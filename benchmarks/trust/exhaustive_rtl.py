"""Modules of the RTL library, many in one simulation, on every input in turn."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwaccel import resources, tools
from hwaccel.emit.literals import rom_lines, verilog_parameter
from hwaccel.ir.hardware import Fold, Pipe

if TYPE_CHECKING:
    from benchmarks.trust.exhaustive import Case

# Instances of one simulation, and of the line of hexadecimal digits that shows their results.
TOGETHER = 3000
PER_LINE = 250
RESET = 8
_NAMES = "add minmax multiply relu table requant scale rom loop"
LIBRARY = tuple(f"hwa_{name}" for name in _NAMES.split())

_BENCH = """`timescale 1ns / 1ps
module bench;
    reg clk = 0;
    reg rst = 1;
    reg [31:0] i = 0;
    integer t, {files};
{instances}
    initial begin
{opened}
        for (t = 0; t < {cycles} + {reset}; t = t + 1) begin
            if (t == {reset}) rst = 0;
            i = t < {reset} ? 0 : t - {reset};
            #4;
            if (t >= {reset}) begin
{shown}
            end
            #1 clk = 1; #5 clk = 0;
        end
        $finish;
    end
endmodule
"""


def check_rtl(cases: Sequence[Case]) -> int:
    """Compare every case in Icarus; return how many values were."""
    groups: dict[int, list[Case]] = defaultdict(list)
    compared = 0
    for case in cases:
        (pipe,) = case.op.hardware(case.ins, Fold(1, 1)).pipes or (None,)
        if pipe is None:  # wires only: the operand as it is
            assert np.array_equal(case.xs[0], case.due), case.op
            compared += case.due.size
        else:
            groups[case.due.size].append(case)
    for size in sorted(groups):
        step = TOGETHER if size <= 1 << 12 else PER_LINE
        for at in range(0, len(groups[size]), step):
            compared += _simulated(groups[size][at : at + step], size)
    return compared


def _simulated(cases: Sequence[Case], beats: int) -> int:
    """Run cases of as many beats side by side and compare."""
    pipes = [case.op.hardware(case.ins, Fold(1, 1)).pipes[0] for case in cases]
    longest = max(pipe.latency for pipe in pipes)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as name:
        folder = Path(name)
        lines = [range(at, min(at + PER_LINE, len(cases))) for at in range(0, len(cases), PER_LINE)]
        (folder / "bench.v").write_text(_bench(folder, cases, pipes, lines, beats + longest))
        for module in LIBRARY:
            (folder / f"{module}.v").write_text(resources.rtl_file(module).read_text())
        sources = ["bench.v", *(f"{module}.v" for module in LIBRARY)]
        argv = [*tools.require("iverilog").argv, "-g2005", "-s", "bench", "-o", "bench.vvp"]
        tools.run([*argv, *sources], cwd=folder)
        tools.run(["vvp", "-n", "bench.vvp"], cwd=folder)
        for number, span in enumerate(lines):
            shown = _read(folder / f"out{number}.txt", [_digits(pipes[i]) for i in span])
            for column, i in zip(shown, span, strict=True):
                _compare(cases[i], pipes[i], column, beats)
    return sum(case.due.size for case in cases)


def _bench(
    folder: Path, cases: Sequence[Case], pipes: Sequence[Pipe], lines: Sequence[range], cycles: int
) -> str:
    instances = [
        _instance(folder, n, c, p) for n, (c, p) in enumerate(zip(cases, pipes, strict=True))
    ]
    files = [f"f{n}" for n in range(len(lines))]
    opened = [f'        {file} = $fopen("out{n}.txt");' for n, file in enumerate(files)]
    shown = [
        f'                $fdisplay({file}, "%h", {{{", ".join(f"y{i}" for i in span)}}});'
        for file, span in zip(files, lines, strict=True)
    ]
    return _BENCH.format(
        files=", ".join(files),
        instances="\n".join(instances),
        opened="\n".join(opened),
        shown="\n".join(shown),
        cycles=cycles,
        reset=RESET,
    )


def _instance(folder: Path, number: int, case: Case, pipe: Pipe) -> str:
    """Return a module with the bits of the counter as its operands, and its results as ``yN``."""
    params = [f".{name}({verilog_parameter(name, value)})" for name, value in pipe.params]
    for rom in pipe.roms:
        (folder / f"rom{number}.mem").write_text("\n".join(rom_lines(rom)) + "\n")
        params.append(f'.{rom.parameter}("rom{number}.mem")')
    wires, names, low, channels = "", [], 0, case.ins[0].channels
    for port, type in zip(pipe.operands, case.ins, strict=True):
        wire = f"x{number}_{port}"
        bits = f"(i / {channels}) >> {low}"
        wires += f"    wire [{type.fixed.width - 1}:0] {wire} = {bits};\n"
        names.append(f".{port}({wire})")
        low += type.fixed.width
    empty = 4 * _digits(pipe) - pipe.width - 1
    pad = f"{empty}'d0, " if empty else ""
    return (
        f"{wires}    wire v{number}; wire [{pipe.width - 1}:0] d{number};\n"
        f"    wire [{4 * _digits(pipe) - 1}:0] y{number} = {{{pad}v{number}, d{number}}};\n"
        f"    {pipe.module} #({', '.join(params)}) u{number} (.clk(clk), .rst(rst), "
        f".in_valid(!rst), {', '.join(names)}, .out_valid(v{number}), .out_data(d{number}));"
    )


def _digits(pipe: Pipe) -> int:
    """Return the hexadecimal digits of the result of a pipe with its valid bit above."""
    return (pipe.width + 1 + 3) // 4


def _read(file: Path, digits: Sequence[int]) -> list[np.ndarray]:
    """Return the numbers of every column of a file."""
    data = np.frombuffer(file.read_bytes(), dtype=np.uint8).reshape(-1, sum(digits) + 1)
    values = np.full(256, -1, dtype=np.int64)
    for value, digit in enumerate(b"0123456789abcdef"):
        values[digit] = value
    nibbles = values[data[:, :-1]]
    assert nibbles.min() >= 0, f"{file.name}: unknown bits"
    columns, at = [], 0
    for count in digits:
        weights = 16 ** np.arange(count - 1, -1, -1, dtype=np.int64)
        columns.append(nibbles[:, at : at + count] @ weights)
        at += count
    return columns


def _compare(case: Case, pipe: Pipe, column: np.ndarray, beats: int) -> None:
    type = case.op.infer(*case.ins).fixed
    assert not (column[: pipe.latency] >> pipe.width).any(), f"{case.op}: valid too early"
    shown = column[pipe.latency : pipe.latency + beats]
    assert (shown >> pipe.width == 1).all(), f"{case.op}: not valid in time"
    found = shown & ((1 << pipe.width) - 1)
    if type.signed:
        found = found - ((found >> (pipe.width - 1)) << pipe.width)
    due = case.due.ravel()
    if not np.array_equal(found, due):
        at = int((found != due).argmax())
        given = ", ".join(str(int(x.ravel()[at])) for x in case.xs)
        raise AssertionError(
            f"{pipe.module}: {case.op} of {given}: expected {due[at]}, found {found[at]}"
        )
