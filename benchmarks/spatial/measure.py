"""Measure Verilog with Yosys, nextpnr and Icarus; every answer is kept by the hash of its input."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.spatial.workloads import Ints
from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.synth.nextpnr import place_and_route
from hwaccel.synth.target import target as find_target
from hwaccel.synth.yosys import Options, synthesize

TARGETS = ("xcup", "ecp5-85k")
SCRIPTS = ("keep-adders", "default")
# In the structure-keeping script the mapper may take any depth, so that it counts area.
RELAXED_PS = 1_000_000
TOO_LARGE = "too large"


@dataclass(frozen=True)
class Design:
    """One piece of RTL: its files, its top, and what its maker said about it."""

    sources: tuple[Path, ...]
    top: str
    facts: dict[str, Any]

    def key(self) -> str:
        """Return a hash of the text."""
        digest = hashlib.sha256(self.top.encode())
        for text in sorted(p.read_bytes() for p in self.sources):
            digest.update(hashlib.sha256(text).digest())
        return digest.hexdigest()[:20]


class Cache:
    """Answers on disk, one JSON file each."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, kind: str, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the stored answer, or make and store it."""
        path = self.root / kind / f"{key}.json"
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        answer = make()
        if not answer.get("error", TOO_LARGE).startswith(TOO_LARGE):
            return answer  # a tool that failed may not fail again
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(answer, indent=1))
        partial.rename(path)
        return answer


@dataclass(frozen=True)
class Bench:
    """The tools, where answers are kept, and how long one run may take."""

    cache: Cache
    timeout_s: float = 600.0
    deadline: float = float("inf")
    scripts: tuple[str, ...] = SCRIPTS
    say: Callable[[str], None] = print

    def area(self, design: Design, target: str, script: str) -> dict[str, Any]:
        """Return LUTs, flip-flops and seconds after Yosys, or ``error``."""
        key = f"{design.key()}-{target}-{script}"
        if script == "keep-adders":
            key += f"-{RELAXED_PS}"

        def make() -> dict[str, Any]:
            self._may_start(key)
            self.say(f"yosys {target} {script}")
            with tempfile.TemporaryDirectory(prefix="spatial-") as folder:
                return self._synthesize(design, target, script, Path(folder))[0]

        return self.cache.get("area", key, make)

    def best_area(self, design: Design, target: str) -> dict[str, Any]:
        """Return the better of the scripts, with the count of each in ``scripts``."""
        made = {script: self.area(design, target, script) for script in self.scripts}
        good = {s: m for s, m in made.items() if "error" not in m}
        if not good:
            return next(iter(made.values()))
        script = min(good, key=lambda s: good[s]["luts"])
        counts = {s: m.get("luts", m.get("error")) for s, m in made.items()}
        return {**good[script], "script": script, "scripts": counts}

    def fmax(self, design: Design, script: str, clock_mhz: float, seed: int = 1) -> dict[str, Any]:
        """Return MHz after routing on the large ECP5, out of context, or ``error``."""
        key = f"{design.key()}-{script}-{clock_mhz:g}-{seed}"

        def make() -> dict[str, Any]:
            self._may_start(key)
            self.say(f"nextpnr {script} seed {seed}")
            with tempfile.TemporaryDirectory(prefix="spatial-") as folder:
                return self._route(design, script, clock_mhz, seed, Path(folder))

        return self.cache.get("fmax", key, make)

    def _may_start(self, what: str) -> None:
        if time.monotonic() > self.deadline:
            raise Missing(what)

    def _synthesize(
        self, design: Design, target: str, script: str, folder: Path
    ) -> tuple[dict[str, Any], Path]:
        kept = script == "keep-adders"
        options = Options(
            dsp=False, block_ram=False, keep_adders=kept, delay_ps=RELAXED_PS if kept else None
        )
        try:
            made = synthesize(
                design.sources,
                design.top,
                find_target(target),
                folder / "yosys",
                options=options,
                timeout_s=self.timeout_s,
            )
        except ToolError as error:
            return {"error": _short(error, self.timeout_s)}, folder
        used = made.utilization
        facts = {
            "luts": used.lut4_equivalents or used.luts,
            "ffs": used.ffs,
            "carries": used.carries,
            "dsps": used.dsps,
            "cells": dict(used.cells),
            "seconds": made.seconds,
            "version": made.tool_version,
        }
        return facts, made.netlist_json

    def _route(
        self, design: Design, script: str, clock_mhz: float, seed: int, folder: Path
    ) -> dict[str, Any]:
        name = "ecp5-85k"
        facts, netlist = self._synthesize(design, name, script, folder)
        if "error" in facts:
            return facts
        try:
            placed = place_and_route(
                netlist,
                find_target(name),
                folder / "nextpnr",
                top=design.top,
                clock_mhz=clock_mhz,
                seed=seed,
                timeout_s=self.timeout_s,
            )
        except ToolError as error:
            return {"error": _short(error, self.timeout_s)}
        return {
            "fmax_mhz": placed.fmax_mhz,
            "routed": placed.routed,
            "cells": {r.name: r.used for r in placed.utilization},
            "seconds": placed.seconds,
        }

    def latency(
        self, design: Design, x: Ints, wanted: Ints, *, clocked: bool, limit: int = 120
    ) -> dict[str, Any]:
        """Simulate the emitted text; return its register ranks and the outputs that differ."""
        key = f"{design.key()}-{hashlib.sha256(x.tobytes()).hexdigest()[:8]}"

        def make() -> dict[str, Any]:
            self._may_start(key)
            got = simulate(design, x, clocked=clocked, extra=limit)
            for ranks in range(limit if clocked else 1):
                part = got[ranks : ranks + len(x)]
                if len(part) == len(wanted) and part[-1] == wanted[-1].tolist():
                    wrong = sum(
                        a != b
                        for p, w in zip(part, wanted.tolist(), strict=True)
                        for a, b in zip(p, w, strict=True)
                    )
                    return {"ranks": ranks, "mismatches": wrong}
            return {"error": "the simulated outputs never match the reference"}

        return self.cache.get("simulation", key, make)


def with_input_registers(design: Design, folder: Path) -> Design:
    """Return the design within a module that holds its inputs in registers.

    Rivals register inputs and outputs. Without the same around every design, the logic before the
    first register would count neither in flip-flops nor in what nextpnr times.
    """
    text = next(t for p in design.sources if f"module {design.top} " in (t := p.read_text()))
    head = text[text.index(f"module {design.top} ") :]
    head = re.sub(r"//.*", "", head[: head.index(");")])
    pattern = r"\b(input|output)\s+(?:wire|reg)?\s*(?:signed)?\s*(\[[^\]]*\])?\s*(\w+)"
    ports = re.findall(pattern, head)
    held = [(width, name) for way, width, name in ports if way == "input" and name != "clk"]
    lines = [f"    {way} wire {width} {name}" for way, width, name in ports]
    body = [f"  reg {width} {name}_held;" for width, name in held]
    body += ["  always @(posedge clk) begin"]
    body += [f"    {name}_held <= {name};" for _, name in held] + ["  end"]
    names = {name for _, name in held}
    pins = [f".{name}({name}_held)" if name in names else f".{name}({name})" for *_, name in ports]
    top = f"{design.top}_held"
    body += [f"  {design.top} inner ({', '.join(pins)});", "endmodule", ""]
    path = folder / f"{top}.v"
    path.write_text(f"module {top} (\n" + ",\n".join(lines) + "\n);\n" + "\n".join(body))
    return Design((*design.sources, path), top, design.facts)


class Missing(Exception):
    """An answer is not in the cache and must not be made now."""


def simulate(design: Design, x: Ints, *, clocked: bool, extra: int) -> list[list[int | None]]:
    """Run rows of ``x``, one a cycle, through RTL with one packed input and one packed output.

    ``facts`` of the design say how the ports are laid out, least significant value first:
    ``in_widths`` in bits, ``out_kifs`` as (signed, integer, fraction) bits; and their names,
    ``in_port`` and ``out_port``, where those are not the rivals'.
    """
    widths, kifs = design.facts["in_widths"], design.facts["out_kifs"]
    in_bits, out_bits = sum(widths), sum(sum(k) for k in kifs)
    rows = [_packed(row.tolist(), widths) for row in x]
    rows += [0] * (extra if clocked else 0)
    clock = ".clk(clk), " if clocked else ""
    given = design.facts.get("in_port", "model_inp")
    made = design.facts.get("out_port", "model_out")
    bench = f"""`timescale 1ns/1ps
module bench;
  reg clk = 0;
  reg [{in_bits - 1}:0] rows [0:{len(rows) - 1}];
  reg [{in_bits - 1}:0] value = 0;
  wire [{out_bits - 1}:0] result;
  integer i;
  {design.top} dut ({clock}.{given}(value), .{made}(result));
  initial begin
    $readmemh("rows.hex", rows);
    for (i = 0; i < {len(rows)}; i = i + 1) begin
      value = rows[i]; #1 $display("%h", result); #1 clk = 1; #1 clk = 0; #1;
    end
    $finish;
  end
endmodule
"""
    with tempfile.TemporaryDirectory(prefix="spatial-") as name:
        folder = Path(name)
        for source in design.sources:
            shutil.copy(source, folder / source.name)
        (folder / "rows.hex").write_text("\n".join(f"{row:x}" for row in rows))
        (folder / "bench.v").write_text(bench)
        compiler, runner = tools.require("iverilog"), tools.require("vvp")
        files = [p.name for p in design.sources]
        build = [*compiler.argv, "-g2012", "-s", "bench", "-o", "sim", "bench.v", *files]
        tools.run(build, cwd=folder, env=compiler.environ(), timeout_s=600)
        done = tools.run([*runner.argv, "sim"], cwd=folder, env=runner.environ(), timeout_s=600)
    lines = [x for x in done.stdout.split() if len(x) == (out_bits + 3) // 4]
    return [_unpacked(line, kifs) for line in lines]


def _packed(values: Sequence[int], widths: Sequence[int]) -> int:
    word = at = 0
    for value, width in zip(values, widths, strict=True):
        word |= (value & (1 << width) - 1) << at
        at += width
    return word


def _unpacked(text: str, kifs: Sequence[Sequence[int]]) -> list[int | None]:
    if "x" in text or "z" in text:
        return [None] * len(kifs)
    word = int(text, 16)
    values: list[int | None] = []
    for signed, integer, fraction in kifs:
        width = signed + integer + fraction
        value = word & (1 << width) - 1
        word >>= width
        value -= (value >> width - 1) << width if signed and width else 0
        values.append(value << -fraction if fraction < 0 else value >> fraction)
    return values


def _short(error: ToolError, timeout_s: float) -> str:
    text = str(error)
    if "stopped after" in text:
        return f"{TOO_LARGE}: stopped after {timeout_s:g} s"
    return text.splitlines()[0][:300]
