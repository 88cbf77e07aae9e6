"""Runs the bench of a design on mutants of it, chosen by its port ``mutant``; 0 is the design.

The job is that of ``bench_design.py`` with one bench and ``"mutants": [1, 2, ...]``. The answer is
a list of what was found wrong, one text for each mutant and empty where nothing was.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from bench_design import Bench


async def verdict(bench: Bench, runs: list[dict[str, Any]]) -> str:
    """Do the runs of a bench until something is wrong with the design; return what it is."""
    if said := await bench.misplace():
        return said
    for stalls in runs:
        run = await bench.run(stalls)
        for text in (*run["differences"], run["failure"]):
            if text:
                return text
    return ""


@cocotb.test(timeout_time=1000, timeout_unit="sec")
async def try_mutants(dut: Any) -> None:
    """See that nothing is wrong with mutant 0; write down what is wrong with the others."""
    job = json.loads(Path(os.environ["HWACCEL_JOB"]).read_text(encoding="utf-8"))
    (spec,) = job["benches"]
    bench = Bench(dut, spec, job["patience"])
    bench._clock.start()
    dut.mutant.value = 0
    said = await verdict(bench, spec["runs"])
    assert not said, f"the design itself: {said}"
    found = []
    for number in job["mutants"]:
        dut.mutant.value = number
        found.append(await verdict(bench, spec["runs"]))
    Path(job["result"]).write_text(json.dumps(found), encoding="utf-8")
