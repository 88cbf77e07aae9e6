"""What the models of area and delay say of every node: that to which their constants were fitted.

Whoever counts otherwise compares with synthesis again, and rewrites the golden file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hwaccel.circuit import Circuit
from hwaccel.circuit.cost import breakdown, estimate, luts
from hwaccel.circuit.delay import NEVER, Arc, model_for
from hwaccel.circuit.pipeline import pipeline
from hwaccel.circuit.timing import Timing
from tests.circuit.test_pipeline import random_circuit
from tests.emit.circuits import sums3

GOLDEN = Path(__file__).parents[1] / "golden" / "circuit_models.txt"
BANNER = (
    "Golden file of tests/circuit/test_models.py; pytest --update-golden rewrites it.\n"
    "LUTs of each node, and its delays from each operand: low to low, low to high, high to low, "
    "high to high.\n"
)
FAMILIES = ("ecp5", "xcup")
CIRCUITS = {
    "random 0": lambda: random_circuit(0, 50),
    "random 1": lambda: random_circuit(1, 70, bits=7),
    "random 2": lambda: random_circuit(2, 60, bits=4),
    "sums of three": lambda: sums3(24),
}


def delays(arc: Arc) -> str:
    times = (arc.low_low, arc.low_high, arc.high_low, arc.high_high)
    return "/".join("-" if time == NEVER else f"{round(time, 3):g}" for time in times)


def lines_of(circuit: Circuit) -> Iterator[str]:
    """Yield a line for each kind of node with the same costs, in order of the first."""
    arcs = {family: model_for(family).arcs(circuit) for family in FAMILIES}
    seen = set()
    for number, node in enumerate(circuit.nodes):
        said = [
            f"{family} {luts(node, circuit.nodes, family):g} "
            + " ".join(map(delays, arcs[family][number]))
            for family in FAMILIES
        ]
        line = f"{node.kind}, {node.width} bits: {'; '.join(said)}"
        if arcs["ecp5"][number] and line not in seen:
            seen.add(line)
            yield line
    for family in FAMILIES:
        model = model_for(family)
        piped = pipeline(circuit, model, clock_ns=14.0 if family == "ecp5" else 4.0)
        cost, times = estimate(piped, family), Timing(circuit, model)
        parts = breakdown(piped, family).items()
        yield f"{family}, {piped.latency} stages: {cost.luts:g} LUTs, {cost.ffs:g} registers"
        yield "  " + ", ".join(f"{k} {p.count}: {p.luts:g}/{p.ffs:g}/{p.dsps}" for k, p in parts)
        yield "  ns: " + " ".join(
            f"{time:.3f}" for _, time in sorted(times.stage_times(piped.stages).items())
        )


def text() -> str:
    made = [BANNER]
    made += ["\n".join([f"# {name}", *lines_of(make())]) + "\n" for name, make in CIRCUITS.items()]
    return "\n".join(made)


def test_models_say_what_their_constants_were_fitted_to(
    same_as_file: Callable[[Path, str], None],
) -> None:
    same_as_file(GOLDEN, text())
