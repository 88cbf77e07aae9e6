"""Print a netlist as Verilog and gather the library modules and memory files it needs."""

from __future__ import annotations

from hwaccel import resources
from hwaccel.emit.circuit import emit_unit
from hwaccel.emit.env import render
from hwaccel.emit.netlist import Netlist


def emit_verilog(netlist: Netlist, banner: tuple[str, ...]) -> dict[str, str]:
    """Return file name to text: the top module, its library modules, its memory files."""
    files = {f"{netlist.name}.v": render("verilog/top.v.j2", net=netlist, lines=banner)}
    for module in netlist.modules():
        files[f"{module}.v"] = resources.rtl_file(module).read_text(encoding="ascii")
    for unit in netlist.units:
        files |= emit_unit(unit, banner)
    for name, lines in netlist.memories.items():
        files[name] = "\n".join(lines) + "\n"
    return files
