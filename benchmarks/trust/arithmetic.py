"""Arithmetic modules proved equal to plain integers for every parameter set of the example designs.

python -m benchmarks.trust.arithmetic [--quick] [--every N] [--verbose]

The sets are collected from the designs themselves: every op and example at every parallelism, the
networks of the tests, the models of the examples and the trained demo (`--quick` leaves out what
needs torch). Yosys elaborates an instance of each, which gives the sets of the modules inside, too.
For each set the block HWA_FORMAL of the module is proved by induction: what comes out, and when,
equals a specification in integers that are wide enough, for every content of its ROMs.

A multiply-accumulate is proved by parts: its products here, its adders and its accumulator as the
modules that they are. Where several lanes share a multiplier, the product is proved for one
multiplier on its own, and the wiring of all of them for inputs of 0 and 1.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path

from benchmarks.trust import designs
from benchmarks.trust.line import print_line
from hwaccel import tools
from hwaccel.emit.design import build_netlist
from hwaccel.emit.netlist import Netlist, library_closure
from hwaccel.errors import ToolError
from tests.rtl.arithmetic import CASES
from tests.rtl.proofs import AT_ONCE, RTL, Case, bounded, induction, write_together

Values = Mapping[str, int]
# What does not compute; and what an induction of each other module looks back.
OTHERS = ("hwa_rom", "hwa_meet", "hwa_window")
LOOKS_BACK = {case.module: case.induction for case in CASES if case.module not in OTHERS}
# Parameters that name a file, and those that only a module inside looks at, where it is proved.
FILES = ("WEIGHTS", "CHANNELS", "TABLE", "INIT", "ORDER")
INSIDE = ("ACC_W", "OUT_W", "SHIFT_W", "BIAS_W", "CHANNEL_WORDS")
SIGNED = ("LO", "HI", "SHIFT")
# Cases that the solver gets at once: starting the tools takes longer than most proofs.
TOGETHER = 12


def instances(netlists: Iterable[Netlist]) -> list[str]:
    """Return one Verilog instantiation for each module and set of parameters in the netlists."""
    found = set()
    for netlist in netlists:
        for instance in (one for section in netlist.sections for one in section.instances):
            if instance.module in LOOKS_BACK:
                values = [pair for pair in instance.params if pair[0] not in FILES]
                pairs = ", ".join(f".{name}({value})" for name, value in values)
                found.add(f"{instance.module} #({pairs})")
    return sorted(found)


def elaborated(used: Iterable[str]) -> set[tuple[str, tuple[tuple[str, int], ...]]]:
    """Return the modules of arithmetic and their parameters, those inside of others included."""
    lines = [f"    {text} u{number} ();" for number, text in enumerate(used)]
    top = "module top;\n" + "\n".join(lines) + "\nendmodule\n"
    names = library_closure(LOOKS_BACK)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        for path in (path for path in RTL.glob("*/*.v") if path.stem in names):
            (Path(folder) / path.name).write_text(path.read_text())
        (Path(folder) / "top.v").write_text(top)
        reads = [f"read_verilog -defer {name}.v" for name in names]
        script = "\n".join([*reads, "read_verilog top.v", "hierarchy -top top"])
        (Path(folder) / "run.ys").write_text(script + "\n")
        yosys = tools.require("yosys")
        log = tools.run([*yosys.argv, "run.ys"], cwd=Path(folder), env=yosys.environ()).output
    derived = r"derive mode using pre-parsed AST for module `\\(hwa_\w+)'\.\n((?:Parameter .*\n)*)"
    return {
        (module, tuple(sorted(_parameters(text).items())))
        for module, text in re.findall(derived, log)
        if module in LOOKS_BACK
    }


def _parameters(text: str) -> dict[str, int]:
    """Read the parameters that Yosys says it derived a module with."""
    values = {}
    for name, word in re.findall(r"^Parameter (?:\d+ \()?\\(\w+)\)? = (.*)$", text, re.MULTILINE):
        if name not in FILES:
            size, _, bits = word.partition("'")
            value = int(bits, 2) if bits else int(word)
            high = 1 << (int(size) - 1) if bits else 1 << 62
            values[name] = value - 2 * high if name in SIGNED and value >= high else value
    return values


def cases(module: str, values: Values) -> Iterator[Case]:
    """Return what must be proved of a module for a set of parameters."""
    if module in ("hwa_mac", "hwa_mac_lanes"):
        values = {name: value for name, value in values.items() if name not in INSIDE}
    back = LOOKS_BACK[module]
    if module == "hwa_sum_tree":
        # Sums too large for their leaves are ruled out level by level.
        back = 2 + (values["COUNT"] - 1).bit_length()
    if module == "hwa_mac":
        # Its tree has a register behind every level.
        back = 4 + max(1, (values["SIMD"] - 1).bit_length())
    shared = values.get("PACK", 1)
    if shared == 1:
        yield Case(module, dict(values), 0, back)
        return
    yield Case(module, dict(values), 0, back, defines=("HWA_FORMAL_SLICES",))
    lanes = values["PE"]
    for count in {min(shared, lanes), lanes % shared} - {0}:
        yield Case(module, {**values, "PE": count, "SIMD": 1, "WORDS": 1}, 0, back)


def unproved(group: Sequence[Case]) -> list[Case]:
    """Prove cases of a module, all at once and, where that ends nowhere, halves and single ones.

    Raises:
        AssertionError: one of them is not true within a few cycles of a reset.
    """
    if _proved(group):
        return []
    if len(group) == 1:
        return list(group)
    middle = len(group) // 2
    return unproved(group[:middle]) + unproved(group[middle:])


def _proved(group: Sequence[Case]) -> bool:
    """Tell whether a group of cases is proved; False where the induction fails or does not end."""
    back = max(case.induction for case in group)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        smt2 = write_together(group, Path(folder))
        try:
            holds, text = bounded(smt2, back + 1, AT_ONCE)
            assert holds, f"one of {', '.join(map(str, group))}: {text}"
            return induction(smt2, back, AT_ONCE)[0]
        except ToolError:
            return False


def groups(chosen: Iterable[Case]) -> Iterator[list[Case]]:
    """Put cases together that are compiled alike."""
    for _, alike in groupby(chosen, lambda case: (case.module, case.defines)):
        members = list(alike)
        yield from (members[at : at + TOGETHER] for at in range(0, len(members), TOGETHER))


def collected(quick: bool) -> list[Case]:
    """Return every case of every set of parameters that an example design uses."""
    plans = (build_netlist(plan) for plan in designs.every_fold())
    made = chain(designs.one_op(), designs.networks())
    if not quick:
        made = chain(made, designs.converted(), [designs.demo()])
    sets = elaborated(instances(chain(plans, (design.netlist for design in made))))
    found = {
        str(case): case for module, values in sorted(sets) for case in cases(module, dict(values))
    }
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only designs that need no torch")
    parser.add_argument("--every", type=int, default=1, help="prove one in so many")
    parser.add_argument("--verbose", action="store_true", help="name each proof and its seconds")
    arguments = parser.parse_args()
    started = time.monotonic()
    chosen = collected(arguments.quick)[:: arguments.every]
    still_open = []
    for group in groups(chosen):
        began = time.monotonic()
        still_open += unproved(group)
        if arguments.verbose:
            print(
                f"{time.monotonic() - began:6.1f} s  {len(group)} of {group[0].module}", flush=True
            )
    modules = len({case.module for case in chosen})
    figure = (
        f"{modules} modules, {len(chosen)} parameter sets of the example designs: "
        f"{len(chosen) - len(still_open)} proved by induction for all inputs and ROM contents, "
        f"{len(still_open)} open{''.join(f' ({name})' for name in still_open)}; "
        f"{time.monotonic() - started:.0f} s"
    )
    print_line("arithmetic", figure, using=("yosys", "z3"))


if __name__ == "__main__":
    main()
