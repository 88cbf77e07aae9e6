"""Runs the FORMAL block of one Verilog module: Yosys writes SMT2, yosys-smtbmc asks z3.

Also the way in which the tests of the RTL library start a tool: `run` and `missing`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwaccel import tools

RTL = Path(__file__).resolve().parents[2] / "rtl"
LIBRARY = (
    RTL / "formal" / "hwa_stream_check.v",
    RTL / "formal" / "hwa_stream_order.v",
    RTL / "mem" / "hwa_rom.v",
)


@dataclass(frozen=True)
class Case:
    """One module with parameters small enough for the solver, and how far to look."""

    module: str
    parameters: Mapping[str, int | str]
    # Cycles of the bounded check and of the search for the covers.
    cycles: int = 16
    # Cycles that the induction step may assume.
    induction: int = 4
    # Why this choice of parameters cannot tell the module's story; "" when it can.
    no_cover: str = ""
    # Hex files that a parameter names.
    files: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        values = [f"{name}={value}" for name, value in self.parameters.items()]
        return "-".join([self.module, *values])


@dataclass(frozen=True)
class Mutant:
    """A module broken on purpose: `old` becomes `new`, and some assertion must notice."""

    module: str
    fault: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.module}-{self.fault.replace(' ', '_')}"

    def apply(self, source: str) -> str:
        """Break the circuit; its FORMAL block stays as it is."""
        circuit, directive, properties = source.partition("`ifdef FORMAL")
        found = circuit.count(self.old)
        assert found == 1, f"{self}: {self.old!r} occurs {found} times in the circuit, must be 1"
        return circuit.replace(self.old, self.new) + directive + properties


def source_of(module: str) -> str:
    """The text of a module of the library."""
    (path,) = RTL.glob(f"*/{module}.v")
    return path.read_text()


def write_smt2(case: Case, folder: Path, source: str | None = None) -> Path:
    """Compile a case, or a changed `source` of its module, to one SMT2 file."""
    # All in one folder and by relative names: the WebAssembly Yosys has a /tmp of its own.
    for name, text in case.files.items():
        (folder / name).write_text(text)
    for path in LIBRARY:
        shutil.copy(path, folder)
    module = folder / f"{case.module}.v"
    if source is None:
        source = source_of(case.module)
    module.write_text(source)
    smt2 = module.with_suffix(".smt2")
    sources = " ".join(path.name for path in (*LIBRARY, module))
    values = " ".join(f"-set {name} {_literal(v)}" for name, v in case.parameters.items())
    script = [
        f"read_verilog -defer -formal {sources}",
        f"chparam {values} {case.module}",
        f"prep -top {case.module} -flatten",
        "memory_map",
        "opt -full",
        "async2sync",
        "dffunmap",
        f"write_smt2 -wires {smt2.name}",
    ]
    (folder / "prove.ys").write_text("\n".join(script) + "\n")
    code, text = run(["yosys", "-q", "prove.ys"], folder)
    assert code == 0, text
    return smt2


def bounded(smt2: Path, cycles: int) -> tuple[bool, str]:
    """No assertion fails within so many cycles of the first reset."""
    return _smtbmc(smt2, "-t", str(cycles))


def induction(smt2: Path, cycles: int) -> tuple[bool, str]:
    """After so many cycles without a failure none can follow: a proof for all time."""
    return _smtbmc(smt2, "-i", "-t", str(cycles))


def cover(smt2: Path, cycles: int) -> tuple[bool, str]:
    """Every cover is reached within so many cycles."""
    return _smtbmc(smt2, "-c", "-t", str(cycles))


def _smtbmc(smt2: Path, *options: str) -> tuple[bool, str]:
    argv = ["yosys-smtbmc", "-s", "z3", *options, smt2.name]
    code, text = run(argv, smt2.parent)
    assert "Status: PASSED" in text or "Status: FAILED" in text, text
    return code == 0, text


def missing(*names: str) -> str:
    """Those of the tools that this machine lacks, as a reason to skip; "" when all are there."""
    lacking = [name for name in names if _find(name) is None]
    return f"missing: {', '.join(lacking)}" if lacking else ""


def run(argv: list[str], folder: Path) -> tuple[int, str]:
    """Run a tool, named as `missing` names it, in a folder: its exit code and all it printed."""
    command, environment = _find(argv[0]) or ((argv[0],), {})
    done = tools.run([*command, *argv[1:]], cwd=folder, timeout_s=300, env=environment, check=False)
    return done.returncode, done.output


def _find(name: str) -> tuple[tuple[str, ...], dict[str, str]] | None:
    if name != "yosys-smtbmc":
        tool = tools.find(name)
        return (tool.argv, tool.environ()) if tool else None
    # It lies beside Yosys and starts the solver by its name.
    yosys, solver = tools.find("yosys"), tools.find("z3")
    script = yosys.path.with_name(f"{yosys.path.name}-smtbmc") if yosys else None
    if script is None or not script.is_file() or solver is None:
        return None
    return (str(script),), {"PATH": f"{solver.path.parent}{os.pathsep}{os.environ['PATH']}"}


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'
