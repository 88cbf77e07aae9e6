"""A mapped netlist as data: which pin drives which net, and what each net is called."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hwaccel.errors import ToolError


class _Cell(msgspec.Struct):
    type: str
    port_directions: dict[str, str] = {}
    connections: dict[str, list[int | str]] = {}
    parameters: dict[str, str | int] = {}


class _Net(msgspec.Struct):
    bits: list[int | str]


class _Port(msgspec.Struct):
    direction: str
    bits: list[int | str]


class _Module(msgspec.Struct):
    ports: dict[str, _Port] = {}
    cells: dict[str, _Cell] = {}
    netnames: dict[str, _Net] = {}


class _Netlist(msgspec.Struct):
    modules: dict[str, _Module]


@dataclass(frozen=True, slots=True)
class Gates:
    """Who drives which bit, and what each net is called.

    ``drivers`` are pins of cells, as in ``g12/Y``, and inputs, as in ``rst`` or ``x[3]``, by the
    bit they drive; ``nets`` are bits by the name of the net.
    """

    drivers: Mapping[int, str]
    nets: Mapping[str, tuple[int | str, ...]]

    def names(self, cells: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the nets behind each of ``cells``, those of the design first."""
        wanted = set(cells)
        of_bit = {bit: pin.split("/")[0] for bit, pin in self.drivers.items() if "/" in pin}
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
    module = _read(netlist_json, top)
    drivers = {
        bit: f"{name}/{pin}"
        for name, cell in module.cells.items()
        for pin, direction in cell.port_directions.items()
        if direction == "output"
        for bit in cell.connections.get(pin, [])
        if isinstance(bit, int)
    }
    for name, port in module.ports.items():
        if port.direction == "input":
            wide = len(port.bits) > 1
            drivers |= {
                bit: f"{name}[{place}]" if wide else name
                for place, bit in enumerate(port.bits)
                if isinstance(bit, int)
            }
    return Gates(drivers, {name: tuple(net.bits) for name, net in module.netnames.items()})


def read_memories(netlist_json: Path, top: str, module: str) -> tuple[tuple[str, int], ...]:
    """Return the memories of a netlist by size, as in ``128x24`` (words by bits), and how many.

    Raises:
        ToolError: the netlist cannot be read.
    """
    cells = [c for c in _read(netlist_json, top).cells.values() if c.type == module]
    sizes = Counter(f"{_number(c, 'DEPTH')}x{_number(c, 'WIDTH')}" for c in cells)
    return tuple(sorted(sizes.items()))


def _number(cell: _Cell, name: str) -> int:
    value = cell.parameters.get(name, 0)
    return value if isinstance(value, int) else int(value, 2)


def _read(netlist_json: Path, top: str) -> _Module:
    try:
        return msgspec.json.decode(netlist_json.read_bytes(), type=_Netlist).modules[top]
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        raise ToolError(f"{netlist_json}: is no netlist of {top} ({error}); run it again") from None


def bench_netlist(
    netlist: str, top: str, registers: Mapping[str, Collection[str]], waves: str, seed: int
) -> str:
    """Let a netlist write ``waves``, and its registers begin somewhere until the second edge.

    ``registers`` are the output pins of the cells that store, by type; ``seed`` draws the values.

    Raises:
        ToolError: the netlist does not end with its module.
    """
    head, mark, tail = netlist.rpartition("endmodule")
    if not mark or tail.strip():
        raise ToolError(f"{top}: the netlist of yosys does not end with its module")
    pins = ((pin, net, type) for type, body in _INSTANCE.findall(netlist)
            for pin, net in _PIN.findall(body))  # fmt: skip
    nets = dict.fromkeys(net for pin, net, type in pins if pin in registers.get(type, ()))
    rng = random.Random(seed)
    lines = [
        "  initial begin",
        f'    $dumpfile("{waves}");',
        f"    $dumpvars(1, {top});",
        "  end",
        "  initial begin",
        *[f"    force {net} = 1'b{rng.getrandbits(1)};" for net in nets],
        "    repeat (2) @(posedge clk);",
        "    @(negedge clk);",
        *[f"    release {net};" for net in nets],
        "  end",
    ]
    return head + "\n".join(lines) + "\nendmodule\n"


_INSTANCE = re.compile(r"^  (\w+) (?:\\\S+ |\w+) \(\n(.*?)\n  \);", re.MULTILINE | re.DOTALL)
_PIN = re.compile(r"\.(\w+)\((\\\S+ ?(?:\[\d+\])?|\w+(?:\[\d+\])?)\)")
_ASSIGN = re.compile(r"^  assign (.+) = (.+);$", re.MULTILINE)
_PART = re.compile(r"(\\\S+ |\w+)(?:\[(\d+)(?::(\d+))?\])?|(\d+)'b([01xz]+)")


def one_bit_assigns(netlist: str, widths: Mapping[str, int]) -> str:
    """Write every assign of a netlist as assigns of single bits; OpenSTA reads no others.

    ``widths`` are those of the ports. Yosys leaves assigns where ports share a net or are constant.
    """

    def lines(found: re.Match[str]) -> str:
        left, right = (_bits(side, widths) for side in found.groups())
        pairs = zip(left, right, strict=True)
        return "\n".join(f"  assign {one} = {other};" for one, other in pairs)

    return _ASSIGN.sub(lines, netlist)


def _bits(side: str, widths: Mapping[str, int]) -> list[str]:
    """Return the bits of one side, most significant first."""
    found: list[str] = []
    for part in side.strip("{} ").split(", "):
        parsed = _PART.fullmatch(part) or _PART.fullmatch(f"{part} ")
        if parsed is None:
            raise ToolError(f"the netlist of yosys has an assign that is not known: {part[:80]!r}")
        name, high, low, _, digits = parsed.groups()
        if digits:
            found += [f"1'b{digit}" for digit in digits]
        elif high is None:
            width = widths.get(name, 1)
            found += [f"{name}[{i}]" for i in reversed(range(width))] if width > 1 else [name]
        else:
            found += [f"{name}[{i}]" for i in range(int(high), int(low or high) - 1, -1)]
    return found
