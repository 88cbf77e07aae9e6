"""Bring every tool's RTL for a workload to the bench and note what came of it."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.spatial import ours
from benchmarks.spatial.measure import Bench, Design, Missing, with_input_registers
from benchmarks.spatial.workloads import Workload, reference
from hwaccel.resources import rtl_file

# Pipelines of networks that rivals are asked for: da4ml's latency per stage, alkaid's number of
# stages; 0 is combinational. One job emits all, so that measuring fewer does not search anew.
SPLITS = (0, 2, 3, 5, 8, 12)
# What hwaccel may choose among for speed: adder levels beyond the least; -1 is no limit.
EXTRA_DEPTHS = (0, 1, 2, -1)
PLAIN_FACTS = ("cost", "adders", "depth", "instances", "latency", "reg_bits", "options", "fuse")


@dataclass
class Row:
    """One design of one tool: what it was asked for, what it says, what was measured."""

    workload: str
    tool: str
    mode: str
    facts: dict[str, Any] = field(default_factory=dict)
    area: dict[str, dict[str, Any]] = field(default_factory=dict)
    simulated: dict[str, Any] = field(default_factory=dict)
    fmax: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return asdict(self)

    @property
    def ranks(self) -> int:
        """Register ranks from input to output; 0 is combinational."""
        return int(self.facts.get("ranks", 0))

    def luts(self, target: str) -> int | None:
        """Return LUTs on a target, or None where there is no number."""
        return self.area.get(target, {}).get("luts")


@dataclass(frozen=True)
class Arena:
    """The tools that take part and the bench they share."""

    bench: Bench
    python: Path
    cache: Path
    tools: tuple[str, ...]
    targets: tuple[str, ...]
    fused: bool = False
    splits: tuple[int, ...] = SPLITS

    @property
    def rivals(self) -> list[str]:
        """The tools other than hwaccel."""
        return [t for t in self.tools if t != "hwaccel"]

    def matrix(self, work: Workload, depths: Sequence[int], *, search: str) -> list[Row]:
        """Measure combinational ``y = W x`` at each depth limit."""
        rows = []
        for depth in depths:
            for tool in self.rivals:
                result = self._rival(work, tool, "matrix", depth, search, [{}])
                row = Row(work.name, tool, mode_name(depth), summary(result))
                rows.append(self._best(row, work, self._designs(result)))
            if "hwaccel" in self.tools:
                rows.append(Row(work.name, "hwaccel", mode_name(depth)))
                self._own(rows[-1], work, 0, (depth,))
        return rows

    def network(self, work: Workload, depths: Sequence[int], *, search: str) -> list[Row]:
        """Measure a network: combinational, then at several numbers of register ranks."""
        rows: list[Row] = []
        for tool in self.rivals:
            named = "cutoff" if tool == "da4ml" else "stages"
            splits: list[dict[str, float]] = [{named: n} if n else {} for n in SPLITS]
            for depth in depths:
                result = self._rival(work, tool, "mlp", depth, search, splits)
                designs = self._designs(result)
                for split in [s for s, n in zip(splits, SPLITS, strict=True) if n in self.splits]:
                    same = [d for d in designs if d.facts["split"] == split]
                    row = Row(work.name, tool, mode_name(depth), summary(result, split))
                    rows.append(self._best(row, work, same, clocked=bool(split)))
        if "hwaccel" in self.tools:
            # Two ranks are the inputs' and the outputs' registers: one stage of logic.
            for ranks in sorted({r.ranks for r in rows} or {0, 3, 6}):
                stages = max(0, ranks - 1)
                rows.append(Row(work.name, "hwaccel", f"latency {stages}"))
                self._own(rows[-1], work, stages, (-1,))
        return rows

    def clocked(
        self, work: Workload, levels: Sequence[int], depths: Sequence[int], clock_mhz: float
    ) -> list[Row]:
        """Place and route a small design: rivals with registers every few adder levels, hwaccel
        with as many register ranks as they have."""
        rows: list[Row] = []
        kind = "mlp" if len(work.layers) > 1 else "matrix"
        for level, tool, depth in itertools.product(levels, self.rivals, depths):
            splits = [{"cutoff": float(level)}]
            result = self._rival(work, tool, kind, depth, "full", splits)
            mode = f"every {level}, {mode_name(depth)}"
            row = Row(work.name, tool, mode, summary(result, splits[0]))
            designs = self._designs(result)
            row.fmax |= self._speed(designs, clock_mhz)
            rows.append(self._best(row, work, designs, clocked=True))
        if "hwaccel" in self.tools:
            for ranks in sorted({r.ranks for r in rows if r.ranks} or {3, 6}):
                row = Row(work.name, "hwaccel", f"latency {ranks - 1}")
                design = self._own(row, work, ranks - 1, EXTRA_DEPTHS).get("ecp5-85k")
                row.fmax |= self._speed([design] if design else [], clock_mhz)
                rows.append(row)
        return rows

    def _speed(self, designs: Sequence[Design], clock_mhz: float) -> dict[str, Any]:
        """Return the fastest of every variant and script."""
        best: dict[str, Any] = {}
        for design in designs:
            for script in self.bench.scripts:
                try:
                    made = self.bench.fmax(design, script, clock_mhz)
                except Missing:
                    made = {"error": "not run"}
                if not best or made.get("fmax_mhz", 0) > best.get("fmax_mhz", 0):
                    best = {**made, "script": script, "fuse": design.facts.get("fuse")}
        return best

    def _best(
        self, row: Row, work: Workload, designs: Sequence[Design], *, clocked: bool = False
    ) -> Row:
        """Fill in the smallest of several variants on each target, and simulate all of them."""
        row.simulated = self._simulated(designs, work, clocked)
        row.facts["adder_bits"] = min(adder_bits(d) for d in designs)
        row.facts["ranks"] = row.simulated.get("ranks", 0)
        for target in self.targets:
            made = []
            for design in designs:
                if design.facts.get("add3") and target.startswith("ecp5"):
                    continue
                try:
                    area = self.bench.best_area(design, target)
                except Missing:
                    area = {"error": "not run"}
                said = {k: design.facts[k] for k in PLAIN_FACTS if k in design.facts}
                said["adder_bits"] = adder_bits(design)
                made.append({**area, "design": said})
            known = [m for m in made if "luts" in m]
            row.area[target] = min(known, key=lambda m: m["luts"]) if known else made[0]
        return row

    def _simulated(
        self, designs: Sequence[Design], work: Workload, clocked: bool
    ) -> dict[str, Any]:
        x = work.inputs(64, seed=2)
        wanted = reference(work.layers, x)
        worst: dict[str, Any] = {}
        for design in designs:
            try:
                seen = self.bench.latency(design, x, wanted, clocked=clocked)
            except Missing:
                return {"error": "not run"}
            if not worst or "error" in seen or seen.get("mismatches", 0) > worst["mismatches"]:
                worst = seen
            if "error" in worst:
                return worst
        return worst

    def _own(
        self, row: Row, work: Workload, latency: int, extra_depths: Sequence[int]
    ) -> dict[str, Design]:
        """Fill in what hwaccel makes; return the measured design of every target."""
        designs = {}
        for target in self.targets:
            asked = "_".join(map(str, extra_depths))
            folder = self.cache / "ours" / work.key() / f"{target}-l{latency}-d{asked}"
            folder.mkdir(parents=True, exist_ok=True)
            sources, top, facts = ours.rtl(
                work, target, folder, latency=latency, extra_depths=extra_depths
            )
            design = Design(tuple(sources), top, facts)
            if latency:
                design = with_input_registers(design, folder)
            designs[target] = design
            try:
                row.area[target] = self.bench.best_area(design, target)
            except Missing:
                row.area[target] = {"error": "not run"}
            said = {k: v for k, v in facts.items() if k not in ("in_widths", "out_kifs")}
            row.area[target]["design"] = said
            row.facts = row.facts or {**said, "ranks": latency + bool(latency)}
        row.simulated = self._simulated(list(designs.values()), work, bool(latency))
        if row.simulated.get("ranks", row.ranks) != row.ranks:
            row.simulated = {"error": f"{row.simulated['ranks']} ranks, asked for {row.ranks}"}
        return designs

    def _rival(
        self,
        work: Workload,
        tool: str,
        kind: str,
        depth: int,
        search: str,
        splits: Sequence[dict[str, float]],
    ) -> dict[str, Any]:
        job: dict[str, Any] = {
            "tool": tool,
            "kind": kind,
            **work.plain(),
            "hard_dc": depth,
            "search": search,
            "splits": list(splits),
            "keep": 1,
            "vectors": 1000,
        }
        key = hashlib.sha256(json.dumps(job).encode()).hexdigest()[:20]
        folder = self.cache / "rivals" / key
        path = folder / "result.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_text(json.dumps({**job, "outdir": str(folder)}))
            script = Path(__file__).with_name("rivals.py")
            self.bench.say(f"{tool} {work.name} {mode_name(depth)}")
            subprocess.run(
                [str(self.python), str(script), str(folder / "job.json")],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        result: dict[str, Any] = json.loads(path.read_text())
        return {**result, "folder": str(folder)}

    def _designs(self, result: dict[str, Any]) -> list[Design]:
        """Return the designs to measure.

        alkaid merges pairs of adders into ternary ones unless told otherwise. These get our adder
        of three, which Yosys maps to one LUT per bit on Xilinx. As alkaid prints them, Yosys makes
        more LUTs of them in every case seen; so they are measured only with ``fused``.
        """
        designs = list(designs_of(result))
        ternary = [d for d in designs if d.facts["fuse"]]
        plain = designs if self.fused else [d for d in designs if not d.facts["fuse"]]
        return [*plain, *map(with_add3, ternary)]


def with_add3(design: Design) -> Design:
    """Return a design of alkaid whose ternary adders are ours."""
    ours = Path(__file__).with_name("ternary_adder.v")
    sources = [ours if path.name == ours.name else path for path in design.sources]
    facts = {**design.facts, "add3": True}
    return Design((*sources, rtl_file("hwa_add3")), design.top, facts)


def designs_of(result: dict[str, Any]) -> Iterator[Design]:
    """Yield the designs of a rival's result."""
    folder = Path(result["folder"])
    for one in result["designs"]:
        yield Design(tuple(folder / s for s in one["sources"]), one["top"], one)


def adder_bits(design: Design) -> int:
    """Return the summed widths of the adders' results, counted alike for both rivals."""
    total = 0
    for path in design.sources:
        for line in path.read_text().splitlines():
            if found := re.search(r"(shift|ternary)_adder #\(([^)]*)\) op_", line):
                values = found[2].split(",")
                total += int(values[4]) if found[1] == "shift" else 2 * int(values[-2])
    return total


def summary(result: dict[str, Any], split: dict[str, float] | None = None) -> dict[str, Any]:
    """Return what a rival says of its cheapest design."""
    designs = [d for d in result["designs"] if split is None or d["split"] == split]
    best = min(designs, key=lambda d: (d["cost"], d["adders"]))
    names = (*PLAIN_FACTS, "split", "stages", "solver_cost", "solver_seconds", "search_seconds")
    facts = {k: best[k] for k in (*names, "trace_seconds", "traces_seconds") if k in best}
    return {**facts, "mismatches": best["mismatches"], "version": result["version"]}


def mode_name(depth: int) -> str:
    """Return a depth limit in words."""
    return "depth free" if depth < 0 else f"depth +{depth}"
