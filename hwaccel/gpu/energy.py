"""Counters of energy: the GPU's own through NVML, those of the processor through RAPL."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Meter:
    """``energy`` returns joules since some time; ``name`` says what is counted, or what lacks.

    Everything that the counted parts do is in it, idle power and other programs included.
    """

    name: str
    energy: Callable[[], float] | None = None

    def read(self) -> float | None:
        """Return joules since some time, or ``None`` without a counter."""
        return None if self.energy is None else self.energy()


def cpu_meter(folder: Path = _POWERCAP) -> Meter:
    """Return the counters of all processor packages (RAPL), if they may be read."""
    packages = []
    with contextlib.suppress(OSError, ValueError):
        for path in sorted(folder.glob("intel-rapl:*")):
            if path.name.count(":") == 1:  # those with two are parts of a package
                packages.append(_Rapl(path))
    if not packages:
        return Meter("no counter: RAPL is not there, or only for the administrator")
    return Meter("processor packages, by RAPL", lambda: sum(p.joules() for p in packages))


class _Rapl:
    """A counter of microjoules that begins again at 0 after its maximum."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text("ascii")) + 1
        self._last, self._turns = self._microjoules(), 0

    def _microjoules(self) -> int:
        return int(self._file.read_text("ascii"))

    def joules(self) -> float:
        """Return what was counted since some time before this object was made."""
        now = self._microjoules()
        self._turns += now < self._last
        self._last = now
        return (now + self._turns * self._range) / 1e6


def gpu_meter(uuid: str) -> Meter:
    """Return the counter of the GPU with this UUID, as torch writes it: NVML's, of the board."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return Meter("no counter: reading NVML's needs pip install 'hwaccel[gpu]'")
    try:
        nvml.nvmlInit()
        device = nvml.nvmlDeviceGetHandleByUUID(_named(uuid))
        nvml.nvmlDeviceGetTotalEnergyConsumption(device)
    except nvml.NVMLError as error:
        return Meter(f"no counter: NVML says {error}")
    return Meter(
        "GPU board, by NVML",
        lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(device)) / 1e3,
    )


def _named(uuid: str) -> str:
    known: Sequence[str] = ("GPU-", "MIG-")
    return uuid if uuid.startswith(tuple(known)) else f"GPU-{uuid}"
