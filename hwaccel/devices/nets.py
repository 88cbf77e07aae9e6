"""Names of nets and connections that the netlists of systems share."""

from __future__ import annotations

from hwaccel.emit.names import Namer
from hwaccel.emit.netlist import Netlist, Wire

CLOCK = (("clk", "clk"), ("rst", "rst"))
Pairs = tuple[tuple[str, str], ...]


def stream(name: str, bits: int) -> list[Wire]:
    """Return the wires of a stream."""
    return [Wire(f"{name}_tvalid", 1), Wire(f"{name}_tready", 1), Wire(f"{name}_tdata", bits)]


def slave(nets: str, data: str) -> Pairs:
    """Return the connections of what takes the stream ``nets`` with the data ``data``."""
    return (
        ("s_axis_tvalid", f"{nets}_tvalid"),
        ("s_axis_tready", f"{nets}_tready"),
        ("s_axis_tdata", data),
    )


def master(nets: str, data: str) -> Pairs:
    """Return the connections of what gives the stream ``nets`` with the data ``data``."""
    return (
        ("m_axis_tvalid", f"{nets}_tvalid"),
        ("m_axis_tready", f"{nets}_tready"),
        ("m_axis_tdata", data),
    )


def padded(net: str, bits: int, width: int) -> str:
    """Return a net of ``bits`` bits with zeros above, ``width`` in all."""
    return net if bits == width else f"{{{width - bits}'d0, {net}}}"


def module_name(core: Netlist, word: str) -> str:
    """Return a name for a module around the design ``core``, like those of none of its modules."""
    taken = {core.name, *(unit.name for unit in core.units)}
    return Namer(taken).name(f"{core.name}_{word}")
