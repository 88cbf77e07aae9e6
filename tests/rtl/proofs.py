"""Runs the HWA_FORMAL block of one Verilog module: Yosys writes SMT2, yosys-smtbmc asks z3.

Also the way in which the tests of the RTL library start a tool: `run` and `missing`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwaccel import tools
from hwaccel.emit.netlist import library_closure

RTL = Path(__file__).resolve().parents[2] / "rtl"
# Read with their properties, whoever uses them. Other modules that one uses are read without: what
# they take for granted would bind the one that is proved, which has to grant it.
LIBRARY = (
    RTL / "formal" / "hwa_pipe_check.v",
    RTL / "formal" / "hwa_stream_check.v",
    RTL / "formal" / "hwa_stream_order.v",
    RTL / "mem" / "hwa_ram.v",
    RTL / "mem" / "hwa_rom.v",
    RTL / "op" / "hwa_loop.v",
)


# What a stream module promises; a label in the Verilog names the property, `p_` an assertion of it
# and `c_` the story that shows it at work. What has no label states the rest of the contract and
# helps the induction.
PROPERTIES = {
    "reset": "idle after a reset, whatever was inside",
    "handshake": "an offer stays, with its data, until it is taken",
    "double": "nothing leaves that did not come",
    "loss": "nothing stays inside for ever",
    "order": "the k-th in is the k-th out",
}
CONTRACT = "contract"


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
    # Its story takes long to find.
    slow: bool = False
    # Macros that are defined.
    defines: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = [f"{name}={value}" for name, value in self.parameters.items()]
        return "-".join([self.module, *values])


@dataclass(frozen=True)
class Mutant:
    """A module broken on purpose: `old` becomes `new`, and the property `breaks` must notice.

    It is then the only one that is looked at: of PROPERTIES, or CONTRACT for all the others.
    """

    module: str
    fault: str
    old: str
    new: str
    breaks: str = CONTRACT

    def __str__(self) -> str:
        return f"{self.module}-{self.fault.replace(' ', '_')}"

    def apply(self, source: str) -> str:
        """Break the circuit; what is there for proofs only stays as it is."""
        parts = re.split(r"(`ifdef HWA_FORMAL.*?`(?:else|endif))", source, flags=re.DOTALL)
        found = sum(part.count(self.old) for part in parts[::2])
        assert found == 1, f"{self}: {self.old!r} occurs {found} times in the circuit, must be 1"
        parts[::2] = [part.replace(self.old, self.new) for part in parts[::2]]
        return "".join(parts)


def source_of(module: str) -> str:
    """The text of a module of the library."""
    return _file(module).read_text()


def _file(module: str) -> Path:
    (path,) = RTL.glob(f"*/{module}.v")
    return path


def write_smt2(
    case: Case, folder: Path, source: str | None = None, only: str | None = None
) -> Path:
    """Compile a case, or a changed `source` of its module, to one SMT2 file.

    With `only` the assertions of one property are left.
    """
    for name, text in case.files.items():
        (folder / name).write_text(text)
    source = _with_parameters(source or source_of(case.module), case.parameters)
    left = [] if only is None else [f"chformal -assert -remove {_others(only)}"]
    return _compile(case, folder, {f"{case.module}.v": source}, case.module, left)


def write_together(cases: Sequence[Case], folder: Path) -> Path:
    """Compile cases of one module, which name no files, to one SMT2 file: all hold or it fails."""
    module, source = cases[0].module, source_of(cases[0].module)
    driven = [name for name in ("clk", "rst") if re.search(rf"input +wire +{name}\b", source)]
    ports = ", ".join(f".{name}({name})" for name in driven)
    lines = [
        f"    {module} #({_pairs(case.parameters)}) u{i} ({ports});" for i, case in enumerate(cases)
    ]
    head = "module together (input wire clk, input wire rst);"
    texts = {f"{module}.v": source, "together.v": "\n".join([head, *lines, "endmodule", ""])}
    # What is not connected may be anything, in every cycle.
    return _compile(cases[0], folder, texts, "together", ["setundef -undriven -anyseq"])


def _compile(
    case: Case, folder: Path, sources: Mapping[str, str], top: str, extra: Sequence[str]
) -> Path:
    # All in one folder and by relative names: the WebAssembly Yosys has a /tmp of its own.
    proved = [path for path in LIBRARY if path.stem != case.module]
    parts = [_file(name) for name in library_closure([case.module])]
    parts = [path for path in parts if path not in LIBRARY and path.stem != case.module]
    for path in (*proved, *parts):
        shutil.copy(path, folder)
    for name, text in sources.items():
        (folder / name).write_text(text)
    smt2 = folder / f"{top}.smt2"
    defines = " ".join(f"-D{name}" for name in ("HWA_FORMAL", *case.defines))
    formal = " ".join([*(path.name for path in proved), *sources])
    script = [
        *[f"read_verilog -defer {path.name}" for path in parts],
        f"read_verilog -defer -formal {defines} {formal}",
        f"prep -top {top} -flatten",
        *extra,
        # Products of the circuit and of its specification become the same ones to the solver: once
        # nothing is added to a factor, that is narrower, too.
        "wreduce",
        "opt -full",
        "wreduce",
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


def _pairs(values: Mapping[str, int | str]) -> str:
    """Parameters as an instance sets them; a number of more than 32 bits needs its size."""
    words = {name: str(value) for name, value in values.items()}
    for name, value in values.items():
        if isinstance(value, int) and abs(value) >= 1 << 31:
            words[name] = f"{'-' if value < 0 else ''}64'sd{abs(value)}"
    return ", ".join(f".{name}({word})" for name, word in words.items())


def _others(kept: str) -> str:
    """Select, in words of Yosys, the assertions of all properties but one."""
    if kept == CONTRACT:
        return "c:p_* c:*.p_*"
    return f"c:* c:p_{kept} %d c:*.p_{kept} %d"


def labels(smt2: Path) -> set[str]:
    """The labels of the assertions and covers in an SMT2 file, such as `p_reset`."""
    named = re.findall(r"^; yosys-smt2-(?:assert|cover) .*", smt2.read_text(), re.M)
    return {word for line in named for word in re.findall(r"\b[pc]_[a-z]+\b", line)}


# z3 is then given one question of bit vectors at a time, which it answers faster where there is
# arithmetic, and slower where there is none.
AT_ONCE = ("--unroll", "--noincr")


def bounded(smt2: Path, cycles: int, how: Sequence[str] = ()) -> tuple[bool, str]:
    """No assertion fails within so many cycles of the first reset."""
    return _smtbmc(smt2, *how, "-t", str(cycles))


def induction(smt2: Path, cycles: int, how: Sequence[str] = ()) -> tuple[bool, str]:
    """After so many cycles without a failure none can follow: a proof for all time."""
    return _smtbmc(smt2, *how, "-i", "-t", str(cycles))


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


def _with_parameters(source: str, values: Mapping[str, int | str]) -> str:
    """Put values in the place of defaults: the chparam of Yosys takes no negative numbers."""
    head, module, body = source.partition("\nmodule ")
    for name, value in values.items():
        word = str(value) if isinstance(value, int) else f'"{value}"'
        default = rf"(parameter [^=\n]*\b{name} = )[^,\n]+"
        body, count = re.subn(default, lambda found, word=word: found[1] + word, body, count=1)
        assert count == 1, f"no parameter {name}"
    return head + module + body
