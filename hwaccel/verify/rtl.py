"""Run emitted Verilog on Icarus or Verilator, with the cocotb bench of ``sim/bench_design.py``."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hwaccel import resources, tools
from hwaccel.emit.netlist import Netlist
from hwaccel.errors import ConfigError, ToolError
from hwaccel.verify.beats import Ints
from hwaccel.verify.jobs import Bench, Outcome, Stalls, read_outcomes, write_job
from hwaccel.verify.models import cocotb_files, random_start, verilated
from hwaccel.verify.result import SimResult

Simulator = Literal["icarus", "verilator"]
# Cycles without a transfer on any stream after which the design counts as stuck.
PATIENCE_CYCLES = 200_000
TIMEOUT_S = 600.0

_RUNNER = Path(__file__).with_name("_cocotb_run.py")
# cocotb reads these; what a user or pytest has set must not change a run.
_ENVIRONMENT = {
    "COCOTB_LOG_LEVEL": "WARNING",
    "COCOTB_REWRITE_ASSERTION_FILES": "",
    "COCOTB_TEST_FILTER": "",
    "GPI_LOG_LEVEL": "WARNING",
    "GUI": "",
    "PYTEST_CURRENT_TEST": "",
    "WAVES": "",
}


def simulate(
    rtl: Path | Mapping[str, str],
    netlist: Netlist,
    xs: Sequence[Ints],
    *,
    simulator: Simulator,
    idle: str = "none",
    backpressure: str = "none",
    seed: int = 1,
    expected: Sequence[Ints] = (),
    repeat: str = "",
    waves: Path | None = None,
    workdir: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    patience_cycles: int = PATIENCE_CYCLES,
) -> SimResult:
    """Send ``xs`` (one array ``(N, *shape)`` per input) through the design in ``rtl``.

    ``rtl`` is a folder of ``*.v`` and ``*.mem`` files, or their texts by name. With ``expected``
    the run stops at the first wrong beat; ``repeat`` is the command that repeats the run.
    ``waves`` names a file for all signals: FST, or VCD if it ends in ``.vcd``, which only Verilator
    writes. ``workdir`` keeps
    job, log and results; without it they are deleted unless the run fails.

    Raises:
        ConfigError: the frames do not fit the inputs, or a stall pattern is unknown.
        MismatchError: an output differs from ``expected``.
        ToolError: a tool is missing or fails, time runs out, or the design breaks a rule of its
            streams: stuck, ``tlast`` out of place, a beat too many, an unknown bit.
    """
    ((outcome,),) = run_benches(
        read_rtl(rtl),
        netlist.name,
        [Bench(netlist, xs, expected)],
        [Stalls(idle, backpressure, seed)],
        simulator=simulator,
        repeat=repeat,
        waves=waves,
        workdir=workdir,
        timeout_s=timeout_s,
        patience_cycles=patience_cycles,
    )
    return outcome.get()


def read_rtl(rtl: Path | Mapping[str, str]) -> Mapping[str, str]:
    """Return file name to text of the Verilog and memory files in a folder."""
    if not isinstance(rtl, Path):
        return rtl
    files = [path for kind in ("*.v", "*.mem") for path in sorted(rtl.glob(kind))]
    if not files:
        raise ConfigError(f"{rtl}: holds no Verilog; write the design there first")
    return {path.name: path.read_text(encoding="ascii") for path in files}


def run_benches(
    files: Mapping[str, str],
    top: str,
    benches: Sequence[Bench],
    stalls: Sequence[Stalls],
    *,
    simulator: Simulator,
    repeat: str = "",
    waves: Path | None = None,
    workdir: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    patience_cycles: int = PATIENCE_CYCLES,
) -> list[list[Outcome]]:
    """Run every bench with every set of stalls in one simulation of module ``top``.

    Returns one list per bench, with one outcome per set of stalls; an outcome keeps the error
    that ``simulate`` would raise. Tools that fail raise at once.
    """
    if workdir is not None:
        workdir.mkdir(parents=True, exist_ok=True)
    folder = (workdir or Path(tempfile.mkdtemp(prefix="hwaccel-sim-"))).resolve()
    job = write_job(folder, benches, stalls, patience_cycles)
    _Simulation(files, top, simulator, folder, stalls[0].seed, waves).run(timeout_s)
    outcomes = read_outcomes(job, benches, simulator, repeat)
    if workdir is None:
        shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def run_bench(
    files: Mapping[str, str],
    top: str,
    bench: str,
    folder: Path,
    *,
    simulator: Simulator,
    seed: int = 1,
    waves: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Run the cocotb module ``bench`` of ``sim/`` on the job in ``folder``, see that all is well.

    The job is ``job.json``; the bench leaves ``result.json`` where it has passed.

    Raises:
        ToolError: a tool is missing or fails, time runs out, or the bench failed.
    """
    (folder / "result.json").unlink(missing_ok=True)
    _Simulation(files, top, simulator, folder, seed, waves, bench).run(timeout_s)


@dataclass(frozen=True, slots=True)
class _Simulation:
    """One run of a simulator: what to compile, and the folder in which to run it."""

    files: Mapping[str, str]
    top: str
    simulator: Simulator
    folder: Path
    seed: int
    waves: Path | None
    bench: str = "bench_design"

    def run(self, timeout_s: float) -> None:
        """Compile and simulate; see that the bench got to its end."""
        cocotb_files()
        runner = self._icarus() if self.simulator == "icarus" else self._verilator()
        common = {
            "simulator": self.simulator,
            "benches": str(resources.sim()),
            "module": self.bench,
            "top": self.top,
            "test_dir": str(self.folder),
            "waves": self.waves is not None,
            "seed": self.seed,
            "env": {"HWACCEL_JOB": str(self.folder / "job.json")},
        }
        file, log = self.folder / "run.json", self.folder / "sim.log"
        file.write_text(json.dumps(common | runner, indent=1), encoding="utf-8")
        done = tools.run(
            # -P: the folder of the script holds modules with common names.
            [sys.executable, "-P", _RUNNER, file],
            cwd=self.folder,
            env=_ENVIRONMENT | self._dumping,
            log=log,
            timeout_s=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise ToolError(tools.failure(self.simulator, done, log))
        if not (self.folder / "result.json").is_file():
            raise ToolError(f"{self.simulator}: the bench failed: {self._reason()} (log: {log})")
        self._keep_waves()

    def _icarus(self) -> dict[str, object]:
        for tool in ("iverilog", "vvp"):
            tools.require(tool)
        self._write(self.files)
        sources = [name for name in sorted(self.files) if name.endswith(".v")]
        return {
            "build": True,
            "sources": [str(self.folder / name) for name in sources],
            "build_dir": str(self.folder),
            "test_args": [],
        }

    def _verilator(self) -> dict[str, object]:
        verilog = {name: text for name, text in self.files.items() if name.endswith(".v")}
        self._write({name: text for name, text in self.files.items() if name not in verilog})
        program = verilated(verilog, self.top, waves=self._format if self.waves else "")
        traced = ["--trace-file", str(self._traced)] if self.waves is not None else []
        return {
            "build": False,
            "sources": [],
            "build_dir": str(program),
            "test_args": [*random_start(self.seed), *traced],
        }

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="ascii")

    @property
    def _dumping(self) -> dict[str, str]:
        """Let a source that dumps its own waves do so, as VCD; cocotb silences Icarus otherwise."""
        plain = self.simulator == "icarus" and self.waves is None
        return {"SIM_CMD_SUFFIX": "-vcd" if plain else ""}

    @property
    def _traced(self) -> Path:
        return self.folder / f"{self.top}.{self._format}"

    @property
    def _format(self) -> str:
        """What the name asks for; FST is all that cocotb's runner lets Icarus write."""
        named_vcd = self.waves is not None and self.waves.suffix.lower() == ".vcd"
        return "vcd" if named_vcd and self.simulator == "verilator" else "fst"

    def _keep_waves(self) -> None:
        if self.waves is not None:
            self.waves.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._traced, self.waves)

    def _reason(self) -> str:
        """Return what cocotb noted about the test that did not end well."""
        results = self.folder / "results.xml"
        if results.is_file():
            for failure in ElementTree.parse(results).iter("failure"):
                return f"{failure.get('type')}: {failure.get('message')}"
        return "the simulator stopped before its end"
