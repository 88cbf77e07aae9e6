"""Switching activity of a netlist, counted in the waves (VCD) of its simulation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hwaccel.errors import ToolError
from hwaccel.synth.gates import Gates

# What OpenSTA is told of a pin that no simulation was made of, in changes per clock cycle.
DEFAULT_ACTIVITY = 0.1
_PIN = re.compile(r"[A-Za-z0-9_]+/[A-Za-z0-9_]+|[A-Za-z0-9_]+(\[\d+\])?")


@dataclass(frozen=True, slots=True)
class Activity:
    """Changes of one pin per clock cycle, and the part of the time in which it is high.

    A pin of a cell is ``g12/Y``, an input of the design ``rst`` or ``s_axis_tdata[3]``.
    """

    pin: str
    rate: float
    duty: float

    @property
    def is_port(self) -> bool:
        """Tell an input of the design from a pin of a cell."""
        return "/" not in self.pin

    @property
    def tcl_pin(self) -> str:
        """Return the pin as one Tcl word; the index must not be taken for a command."""
        return f"{{{self.pin}}}"


@dataclass(slots=True)
class _Bit:
    """One bit of a variable: what it was last, since when, how often it changed, how long high."""

    net: int | str
    last: str = "x"
    since: int = 0
    changes: int = 0
    high: int = 0

    def become(self, value: str, now: int) -> None:
        """Note a new value."""
        last = self.last
        if last == "1":
            self.high += now - self.since
            self.changes += value == "0"
        elif last == "0":
            self.changes += value == "1"
        self.last, self.since = value, now


def read_activity(vcd: Path, gates: Gates, top: str, clock: str = "clk") -> tuple[Activity, ...]:
    """Count changes between 0 and 1 on every driven net of ``top`` in a wave file.

    All time counts, from the beginning of the file to its end; a cycle is a rising edge of
    ``clock``. What was never known has no activity.

    Raises:
        ToolError: the file cannot be read, or the clock does not run in it.
    """
    try:
        with vcd.open(encoding="ascii", errors="replace") as lines:
            codes, ticking = _header(lines, gates, top, clock)
            end = _read(lines, codes)
    except OSError as error:
        raise ToolError(f"{vcd}: cannot be read ({error.strerror}); simulate again") from None
    cycles = codes[ticking][0].changes // 2 if ticking in codes else 0
    if not cycles:
        raise ToolError(f"{vcd}: the clock {clock} does not run in these waves; simulate again")
    found: dict[str, Activity] = {}
    for bit in (bit for bits in codes.values() for bit in bits):
        pin = gates.drivers.get(bit.net) if isinstance(bit.net, int) else None
        if pin is not None and _PIN.fullmatch(pin):
            found[pin] = Activity(pin, round(bit.changes / cycles, 6), round(bit.high / end, 6))
    return tuple(found[pin] for pin in sorted(found))


def _read(lines: Iterable[str], codes: dict[str, tuple[_Bit, ...]]) -> int:
    """Follow every variable to the end of the file; return the last time."""
    now = 0
    for line in lines:
        mark = line[0]
        if mark in "01xz":
            bits = codes.get(line[1:-1])
            if bits is not None:
                bits[0].become(mark, now)
        elif mark == "#":
            now = int(line[1:])
        elif mark == "b":
            value, _, code = line[1:].strip().partition(" ")
            bits = codes.get(code, ())
            fill = value[0] if value[0] in "xz" else "0"
            for bit, one in zip(bits, reversed(value.rjust(len(bits), fill)), strict=False):
                bit.become(one, now)
    for bit in (bit for bits in codes.values() for bit in bits):
        bit.become(bit.last, now)
    return now


def _header(
    lines: Iterable[str], gates: Gates, top: str, clock: str
) -> tuple[dict[str, tuple[_Bit, ...]], str]:
    """Return the variables of module ``top`` by their code in the file, and the clock's code.

    Several nets may share a code: they are one net to the simulator.
    """
    codes: dict[str, tuple[_Bit, ...]] = {}
    ticking, scopes = "", [""]
    for line in lines:
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"] and scopes[-1] == top:
            name, code = words[4].removeprefix("\\"), words[3]
            nets = gates.nets.get(name)
            if nets is not None and len(nets) == int(words[2]):
                codes.setdefault(code, tuple(_Bit(net) for net in nets))
                ticking = code if name == clock else ticking
        elif words[:1] == ["$enddefinitions"]:
            break
    return codes, ticking
