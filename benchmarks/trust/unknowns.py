"""Four-state simulation: no X and no Z where a bit decides anything, from the first reset on.

Icarus starts every register as X. Looked at in every cycle after a reset: `tvalid`, `tready`,
`tlast` and `frame_error`, `tdata` while `tvalid` is high, and each register that has a reset. The
last are found by Yosys, in the flattened design. An X in a register without one is not wrong, as
long as it gets into none of those: that is how data travel beside their `valid`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.trust import designs
from hwaccel import tools
from hwaccel.api import Design
from hwaccel.errors import MismatchError
from hwaccel.verify.jobs import Bench, Stalls
from hwaccel.verify.rtl import run_benches
from tests.verify.packing import pack

FRAMES = 3
STALLS = (Stalls(), Stalls("bursts", "some", 2), Stalls("some", "bursts", 3))
# What a monitor says in the log of the simulator.
MARK = "unknown bit:"


def registers(design: Design) -> list[str]:
    """Return the registers of a design that have a reset, by their path from its top."""
    yosys = tools.require("yosys")
    script = [
        *[f"read_verilog -defer {name}" for name in design.verilog() if name.endswith(".v")],
        f"hierarchy -top {design.name}",
        "proc",
        "flatten",
        "opt_clean",
        "opt_dff -nodffe",
        # A choice of zero can look like a reset: it counts only if it is that of the design.
        "tee -q -o found.txt select -list w:rst %co1:+[SRST] c:* %i %co1:+[Q] w:* %i",
    ]
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        for name, text in design.verilog().items():
            (Path(folder) / name).write_text(text, encoding="ascii")
        (Path(folder) / "run.ys").write_text("\n".join(script) + "\n")
        tools.run([*yosys.argv, "-q", "run.ys"], cwd=Path(folder), env=yosys.environ())
        lines = (Path(folder) / "found.txt").read_text().split()
    found = sorted(line.partition("/")[2] for line in lines)
    # Names that Yosys made up stand for parts of others.
    return [name for name in found if re.fullmatch(r"[A-Za-z_][\w.\[\]]*", name)]


def monitor(number: int, design: Design, watched: Sequence[str]) -> str:
    """Return Verilog that looks at design ``number`` of a packed top in every cycle."""
    me, checks = f"d{number}", []
    for edge in (*design.netlist.inputs, *design.netlist.outputs):
        port = f"{me}_{edge.prefix}"
        checks += [(f"{port}_tvalid", "1"), (f"{port}_tready", "1")]
        checks += [(f"{port}_tdata", f"{port}_tvalid"), (f"{port}_tlast", f"{port}_tvalid")]
    checks += [(f"{me}_frame_error", "1"), *[(f"{me}.{name}", "1") for name in watched]]
    lines = [
        f"        if (({when}) !== 1'b0 && (^{signal}) === 1'bx) $display(\"{MARK} {signal}\");"
        for signal, when in checks
    ]
    return "\n".join(
        [
            f"    reg {me}_seen = 1'b0;",
            f"    always @(posedge {me}_clk) if ({me}_rst === 1'b1) {me}_seen <= 1'b1;",
            f"    always @(negedge {me}_clk) if ({me}_seen && {me}_rst === 1'b0) begin",
            *lines,
            "    end",
        ]
    )


def watch(members: Sequence[Design], seed: int) -> int:
    """Simulate designs side by side and look at every cycle; return the registers looked at.

    Raises:
        MismatchError: a bit is unknown where none may be, or an output is wrong.
    """
    watched = [registers(design) for design in members]
    monitors = [
        monitor(i, d, names) for i, (d, names) in enumerate(zip(members, watched, strict=True))
    ]
    files, top = pack([design.netlist for design in members], "\n".join(monitors))
    benches = []
    for i, design in enumerate(members):
        files.update(design.verilog())
        xs = designs.frames(design, FRAMES, seed)
        benches.append(Bench(design.netlist, xs, design.golden.raw(*xs), f"d{i}_"))
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        outcomes = run_benches(
            files, top, benches, STALLS, simulator="icarus", workdir=Path(folder)
        )
        for outcome in (one for some in outcomes for one in some):
            outcome.get()
        log = (Path(folder) / "sim.log").read_text(encoding="utf-8", errors="replace")
    found = sorted(set(re.findall(rf"{MARK} (\S+)", log)))
    if found:
        raise MismatchError(f"unknown bits after a reset: {', '.join(found[:10])}")
    return sum(len(names) for names in watched)
