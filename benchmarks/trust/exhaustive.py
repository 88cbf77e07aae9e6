"""Every elementwise op on every input: 1 to 8 bits, both signs, every rounding and overflow mode.

``python -m benchmarks.trust.exhaustive`` compares golden, carried in int64, float32 and float64,
the laid-out circuit, and the Verilog of the RTL library in Icarus with integers of Python
(``tests/trust/exhaustive.py``). ``--part golden``, ``circuit`` or ``rtl`` runs one of them.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.trust.line import print_line
from hwaccel.circuit import Builder
from hwaccel.circuit.lay_out import lay_out
from hwaccel.cmvm import Settings, solve_many
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Op, TensorType
from hwaccel.ops import Add, MinMax, Multiply, Relu, Requant, Scale, Tabulate
from tests.trust import exhaustive as reference
from tests.trust.exhaustive import FORMATS, Format

CARRIERS = (np.int64, np.float32, np.float64)
SHIFTS = range(-4, 12)
ALIGNMENTS = ((0, 0), (1, 0), (0, 1), (3, 0), (0, 2), (2, 0), (0, 3))


@dataclass(frozen=True)
class Case:
    """An op, its operands' formats, all inputs, and what is due; rows of one or more channels."""

    op: Op
    ins: tuple[TensorType, ...]
    xs: tuple[np.ndarray, ...]
    due: np.ndarray


def _type(format: Format, frac: int = 0, channels: int = 1) -> TensorType:
    signed, width = format
    return TensorType.full((channels,), FixedType(signed, width, frac))


def _column(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)[:, None]


def requants(formats: list[Format]) -> Iterator[Case]:
    """Every shift, rounding and overflow, to every format and to ranges that are none."""
    odd = [(-5, 9), (-1, 0), (0, 0), (1, 6), (-7, -3), (-100, 99), (0, 200)]
    for format in formats:
        xs = reference.integers(format)
        for shift in SHIFTS:
            for rounding in Rounding:
                ranges = [(*reference.ends(out), over) for out in formats for over in Overflow]
                for lo, hi, over in ranges + [(*ends, Overflow.SATURATE) for ends in odd]:
                    op = Requant(shift, lo, hi, rounding, over)
                    due = reference.requant(xs, shift, lo, hi, rounding.value, over.value)
                    yield Case(op, (_type(format),), (_column(xs),), _column(due))


def binaries(formats: list[Format]) -> Iterator[Case]:
    """Sums, differences, products, maxima and minima of every pair of formats."""
    for a in formats:
        for b in formats:
            left, right = reference.pairs(a, b)
            xs = (_column(left), _column(right))
            ins = (_type(a), _type(b))
            yield Case(Multiply(), ins, xs, _column(reference.multiply(left, right)))
            for p, q in ALIGNMENTS:
                types = (_type(a, q), _type(b, p))
                for flag in (False, True):
                    due = reference.add(left, right, p, q, flag)
                    yield Case(Add(p, q, flag), types, xs, _column(due))
                    due = reference.minmax(left, right, p, q, flag)
                    yield Case(MinMax(p, q, flag), types, xs, _column(due))


def scales(formats: list[Format]) -> Iterator[Case]:
    """Every multiplier of eight bits with a sign, at several offsets."""
    constants = [(m, a) for m in range(-128, 128) for a in (-(1 << 15), -1, 0, 1, 127)]
    mult, add = zip(*constants, strict=True)
    for format in formats:
        xs = reference.integers(format)
        due = np.array(reference.scale(xs, mult, add), dtype=np.int64)
        x = np.repeat(_column(xs), len(mult), axis=1)
        ins = (_type(format, channels=len(mult)),)
        yield Case(Scale(IntArray(mult), IntArray(add)), ins, (x,), due)


def tables(formats: list[Format]) -> Iterator[Case]:
    """Rectifiers, and tables of random entries, as long as the format or longer."""
    rng = random.Random(1)
    for format in formats:
        xs = reference.integers(format)
        lo, hi = reference.ends(format)
        yield Case(Relu(), (_type(format),), (_column(xs),), _column(reference.relu(xs)))
        for bits in range(1, 9):
            for more in (0, 3):
                entries = [rng.randrange(-(1 << bits), 1 << bits) for _ in range(lo, hi + 1 + more)]
                op = Tabulate(IntArray(entries), lo, 0)
                due = reference.table(xs, lambda x, e=entries, lo=lo: e[x - lo])
                yield Case(op, (_type(format),), (_column(xs),), _column(due))


def every_case(formats: list[Format] = FORMATS) -> Iterator[Case]:
    """All cases whose operands have these formats; nothing in their order is random."""
    yield from requants(formats)
    yield from binaries(formats)
    yield from scales(formats)
    yield from tables(formats)


def check_golden(case: Case) -> int:
    """Compare golden in every carrier that may hold its numbers; return the values compared."""
    case.op.verify(*case.ins)
    type = case.op.infer(*case.ins)
    assert type.lo <= case.due.min() <= case.due.max() <= type.hi, case.op
    for carrier in CARRIERS:
        found = case.op.golden(*(x.astype(carrier) for x in case.xs))
        assert found.dtype == carrier, case.op
        if not np.array_equal(found, case.due):
            raise AssertionError(_difference(case, found, carrier.__name__))
    assert case.op.bound(*case.ins) < 1 << 24, "float32 would not be used"
    return int(case.due.size) * len(CARRIERS)


def check_circuit(case: Case) -> int:
    """Compare the op laid out element by element; return the values compared."""
    build = Builder()
    build.origin = "op"
    ends = [(t.lo, t.hi) for t in case.ins for _ in range(t.size)]
    ids = [build.input(i, lo, hi) for i, (lo, hi) in enumerate(ends)]
    first = case.ins[0].size
    operands = [np.array(ids[:first]), np.array(ids[first:])][: len(case.ins)]
    y = [int(i) for i in case.op.unroll(build, *operands).ravel()]
    settings = Settings(effort="fast")
    circuit = lay_out(build, ends, y, lambda problems: solve_many(problems, settings))
    found = circuit.evaluate(np.concatenate(case.xs, axis=1))
    if not np.array_equal(found, case.due):
        raise AssertionError(_difference(case, found, "circuit"))
    return int(case.due.size)


def _difference(case: Case, found: np.ndarray, what: str) -> str:
    row, channel = np.argwhere(found != case.due)[0]
    given = ", ".join(str(int(x[row, channel])) for x in case.xs)
    return (
        f"{what}: {case.op} of {', '.join(str(t.fixed) for t in case.ins)}: of {given}: expected "
        f"{case.due[row, channel]}, found {found[row, channel]}"
    )


def main() -> None:
    """Compare everything, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("golden", "circuit", "rtl"))
    args = parser.parse_args()
    from benchmarks.trust.exhaustive_rtl import check_rtl

    for part, check in (("golden", check_golden), ("circuit", check_circuit)):
        if args.part in (None, part):
            cases: Counter[str] = Counter()
            values = 0
            for case in every_case():
                values += check(case)
                cases[case.op.name] += 1
            print_line(f"exhaustive arithmetic, {part}", _figure(cases, values))
    if args.part in (None, "rtl"):
        some = list(every_case())
        values = check_rtl(some)
        figure = _figure(Counter(case.op.name for case in some), values)
        print_line("exhaustive arithmetic, RTL in Icarus", figure, using=("iverilog",))


def _figure(cases: Counter[str], values: int) -> str:
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(cases.items()))
    return f"{sum(cases.values())} operations ({kinds}), {values} results, 0 mismatches"


if __name__ == "__main__":
    main()
