"""What each block of a design takes of a netlist in which nothing of the hierarchy is left.

Flattening keeps the hierarchy in the names: a cell is called after the instance that it stood in,
and what the mapping made without a name after a net that it drives or reads, by Yosys' `autoname`.
So every cell belongs to one block, and together they are the whole netlist. Logic that two blocks
share counts for the one whose net has named it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import msgspec

from hwaccel.emit.netlist import Netlist, sections_of
from hwaccel.errors import ToolError
from hwaccel.schedule.plan import Plan
from hwaccel.synth.utilization import Utilization, count_cells
from hwaccel.synth.yosys import SynthResult

# What Yosys puts in front of the name of a cell that it made while flattening.
_FLATTENED = re.compile(r"\$\w+\\")


class _Cell(msgspec.Struct):
    type: str


class _Module(msgspec.Struct):
    cells: dict[str, _Cell] = {}


class _Netlist(msgspec.Struct):
    modules: dict[str, _Module]


def parts_of(made: SynthResult, netlist: Netlist, plan: Plan) -> dict[str, Utilization]:
    """Return what each block of ``plan`` takes, by its name; under "" what belongs to none.

    ``made`` is ``netlist`` synthesized.

    Raises:
        ToolError: the file of the synthesized netlist cannot be read.
    """
    owners = owners_of(netlist, plan)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("", *owners.values())}
    for name, cell in _cells(made).items():
        counts[_owner(name, owners)][cell.type] += 1
    family = made.target.family
    return {
        name: count_cells(dict(cells), family, made.top) for name, cells in counts.items() if cells
    }


def owners_of(netlist: Netlist, plan: Plan) -> dict[str, str]:
    """Return the block of every instance and every wire of the top."""
    owners: dict[str, str] = {}
    for block, section in sections_of(netlist, plan):
        names = [i.name for i in section.instances] + [w.name for w in section.wires]
        owners |= dict.fromkeys(names, block.name)
    return owners


def _owner(name: str, owners: Mapping[str, str]) -> str:
    """Return the block of a cell: that of its instance or, without one, of its net."""
    plain = _FLATTENED.sub("", name).lstrip("\\")
    first, inside, _ = plain.partition(".")
    while not inside and first and first not in owners:
        first = first.rpartition("_")[0]  # what follows a net is the kind of cell and its pin
    return owners.get(first, "")


def _cells(made: SynthResult) -> Mapping[str, _Cell]:
    try:
        read = msgspec.json.decode(made.netlist_json.read_bytes(), type=_Netlist)
        return read.modules[made.top].cells
    except OSError as error:
        raise ToolError(f"{made.netlist_json}: cannot be read ({error.strerror})") from None
    except (msgspec.MsgspecError, KeyError) as error:
        raise ToolError(f"{made.netlist_json}: is no netlist of {made.top} ({error})") from None
