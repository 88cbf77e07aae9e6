"""Clock and pin constraints as data, and their text for each family of tools."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hwaccel.emit import env
from hwaccel.errors import ConfigError
from hwaccel.synth.names import checked_identifier

_PORT_BIT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[0-9]+\])?")
_SITE = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that enters at ``port``."""

    port: str
    frequency_mhz: float

    def __post_init__(self) -> None:
        checked_identifier(self.port, "clock port")
        if not 0 < self.frequency_mhz < 10_000:
            raise ConfigError(
                f"clock {self.port}: {self.frequency_mhz} MHz; expected more than 0 and less than "
                "10000"
            )

    @property
    def period_ns(self) -> float:
        """Return the period in whole picoseconds, never longer than the frequency asks for."""
        return math.floor(1e6 / self.frequency_mhz + 1e-6) / 1e3


def fmax_mhz(clock_mhz: float, slack_ns: float | None) -> float | None:
    """Return the highest clock, from the slack left at ``clock_mhz``; None without any path."""
    return None if slack_ns is None else 1e3 / (1e3 / clock_mhz - slack_ns)


@dataclass(frozen=True, slots=True)
class Pin:
    """One bit of a port on one pin of the package, such as ``s_axis_tdata[0]`` on ``A10``."""

    port: str
    site: str
    standard: str = "LVCMOS33"

    def __post_init__(self) -> None:
        if not _PORT_BIT.fullmatch(self.port):
            raise ConfigError(f"pin port {self.port!r}: expected a port or one bit, as in data[3]")
        for what, text in (("site", self.site), ("I/O standard", self.standard)):
            if not _SITE.fullmatch(text):
                raise ConfigError(f"pin {self.port}: {what} {text!r}; expected letters and digits")

    @property
    def tcl_port(self) -> str:
        """Return the port as one Tcl word; the index must not be taken for a command."""
        return f"{{{self.port}}}"


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a design asks of the tools that place and route it."""

    clocks: tuple[Clock, ...]
    pins: tuple[Pin, ...] = ()

    def lpf(self) -> str:
        """Return Lattice preferences, as nextpnr-ecp5 and Diamond read them."""
        return self._render("lpf")

    def xdc(self) -> str:
        """Return Xilinx design constraints, as Vivado reads them."""
        return self._render("xdc")

    def sdc(self) -> str:
        """Return Synopsys design constraints: the clocks, for Quartus and OpenSTA."""
        return self._render("sdc")

    def pcf(self) -> str:
        """Return the pins as nextpnr-ice40 reads them; it is told the clock by a flag."""
        return self._render("pcf")

    def cst(self) -> str:
        """Return the pins as nextpnr for Gowin and Gowin's own tools read them."""
        return self._render("cst")

    def text(self, language: str) -> str:
        """Return the text in the language that has this file suffix."""
        return self._render(language)

    def _render(self, suffix: str) -> str:
        return env.render(f"synth/clock.{suffix}.j2", constraints=self)
