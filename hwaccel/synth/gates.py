"""A mapped netlist as data: which pin drives which net, and what each net is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hwaccel.errors import ToolError


class _Cell(msgspec.Struct):
    type: str
    port_directions: dict[str, str] = {}
    connections: dict[str, list[int | str]] = {}


class _Net(msgspec.Struct):
    bits: list[int | str]


class _Module(msgspec.Struct):
    cells: dict[str, _Cell] = {}
    netnames: dict[str, _Net] = {}


class _Netlist(msgspec.Struct):
    modules: dict[str, _Module]


@dataclass(frozen=True, slots=True)
class Gates:
    """``drivers`` are pins, as in ``g12/Y``, by the bit they drive; ``nets`` bits by net name."""

    drivers: Mapping[int, str]
    nets: Mapping[str, tuple[int | str, ...]]

    def names(self, cells: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the nets behind each of ``cells``, those of the design first."""
        wanted = set(cells)
        of_bit = {bit: pin.split("/")[0] for bit, pin in self.drivers.items()}
        found: dict[str, list[str]] = {cell: [] for cell in wanted}
        for name, bits in self.nets.items():
            for place, bit in enumerate(bits):
                cell = of_bit.get(bit) if isinstance(bit, int) else None
                if cell in wanted:
                    found[cell].append(f"{name}[{place}]" if len(bits) > 1 else name)
        return {cell: tuple(sorted(names, key=_plainness)) for cell, names in found.items()}


def _plainness(name: str) -> tuple[bool, int, str]:
    """Names of the design come before those that Yosys made up, instances before ports."""
    made_up = name.startswith("g") and name[1:].isdigit()
    return made_up, -name.count("."), name


def read_gates(netlist_json: Path, top: str) -> Gates:
    """Read the JSON that ``map_to_cells`` left.

    Raises:
        ToolError: it is missing, or no netlist with this top.
    """
    try:
        module = msgspec.json.decode(netlist_json.read_bytes(), type=_Netlist).modules[top]
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        raise ToolError(f"{netlist_json}: is no netlist of {top} ({error}); run it again") from None
    drivers = {
        bit: f"{name}/{pin}"
        for name, cell in module.cells.items()
        for pin, direction in cell.port_directions.items()
        if direction == "output"
        for bit in cell.connections.get(pin, [])
        if isinstance(bit, int)
    }
    return Gates(drivers, {name: tuple(net.bits) for name, net in module.netnames.items()})
