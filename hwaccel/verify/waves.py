"""Read waves that a simulation has left, FST or VCD, as values in every clock cycle."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ConfigError, ToolError

Ints = NDArray[np.int64]
# What a bit is whose value a simulator does not know.
UNKNOWN = -1


class Waves:
    """The signals under ``top``, sampled at the rising edges of its clock.

    Cycle 0 ends with the first rising edge at which ``rst`` is low. What a signal is in a cycle is
    what that edge samples: the value before it.
    """

    def __init__(self, file: Path, top: str) -> None:
        """Read the hierarchy of ``file``.

        Raises:
            ToolError: pywellen is not installed.
            ConfigError: the file is no waves, or not those of ``top``.
        """
        self._file, self._top = file, top
        # Values are read from it when they are asked for.
        self._waves = _opened(file)
        self._vars = {var.full_name: var for var in self._waves.all_vars()}
        self._edges = self._find_edges()

    @property
    def cycles(self) -> int:
        """Number of clock cycles after reset."""
        return len(self._edges)

    def __contains__(self, name: str) -> bool:
        return f"{self._top}.{name}" in self._vars

    def width(self, name: str) -> int:
        """Return the bits of a signal."""
        return self._var(name).bitwidth or 1

    def bit(self, name: str) -> Ints:
        """Return a signal of one bit in every cycle: 0, 1 or ``UNKNOWN``."""
        times, values = self._changes(name)
        numbers = [v if isinstance(v, int) else UNKNOWN for v in values]
        known = np.array([UNKNOWN, *numbers], dtype=np.int64)
        found: Ints = known[self._places(times, self._edges)]
        return found

    def values(self, name: str, cycles: Sequence[int] | Ints) -> list[int | None]:
        """Return a signal of any width in each of ``cycles``; ``None`` with an unknown bit."""
        times, values = self._changes(name)
        known = [None, *(v if isinstance(v, int) else None for v in values)]
        at = self._places(times, self._edges[np.asarray(cycles, dtype=np.int64)])
        return [known[i] for i in at.tolist()]

    def _find_edges(self) -> Ints:
        times, values = self._changes("clk")
        high = np.array([v == 1 for v in values], dtype=bool)
        edges = times[high]
        reset, levels = self._changes("rst")
        low = np.array([False, *(v == 0 for v in levels)])[self._places(reset, edges)]
        first = int(low.argmax()) if low.any() else len(edges)
        found: Ints = edges[first:]
        return found

    def _changes(self, name: str) -> tuple[Ints, list[int | str]]:
        pairs = self._var(name).tv
        return np.array([t for t, _ in pairs], dtype=np.int64), [v for _, v in pairs]

    @staticmethod
    def _places(times: Ints, edges: Ints) -> Ints:
        """Return, for each edge, how many changes come before it."""
        places: Ints = np.searchsorted(times, edges, side="left")
        return places

    def _var(self, name: str) -> Any:
        found = self._vars.get(f"{self._top}.{name}")
        if found is None:
            raise ConfigError(f"{self._file}: has no signal {self._top}.{name}")
        return found


def _opened(file: Path) -> Any:
    read = _reader()
    if not file.is_file():
        raise ConfigError(f"{file}: cannot be read as waves: there is no such file")
    try:
        return read(str(file))
    except BaseException as error:
        # What pywellen 0.25 does not expect ends in a panic, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ConfigError(f"{file}: cannot be read as waves") from None


def _reader() -> Any:
    if importlib.util.find_spec("pywellen") is None:
        raise ToolError(
            "pywellen: not found; it reads waves; install it with: pip install 'hwaccel[sim]'"
        )
    return importlib.import_module("pywellen").Waveform
