"""What is wanted of a point: costs that should be small, and limits that it must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from hwaccel.compress.cost import Cost
from hwaccel.errors import ConfigError
from hwaccel.report.facts import Device
from hwaccel.report.text import listed


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of a point: cycles are exact, area, Fmax and power are estimates.

    ``power`` is an index without unit, see ``work.power_index``; ``accuracy`` is in percent.
    ``fmax_mhz`` is None where nothing is estimated.
    """

    cost: Cost
    clock_mhz: float
    power: float
    accuracy: float | None = None
    fmax_mhz: float | None = None

    @property
    def strain(self) -> float:
        """The clock that is asked for over the estimated Fmax; 0 where that is not known."""
        return self.clock_mhz / self.fmax_mhz if self.fmax_mhz else 0.0

    @property
    def latency_us(self) -> float:
        """Time of the first frame, in microseconds."""
        return self.cost.latency / self.clock_mhz

    @property
    def interval_us(self) -> float:
        """Time between frames, in microseconds."""
        return self.cost.interval / self.clock_mhz


# What can be asked to be small, and its unit.
MEASURES: Mapping[str, tuple[str, Callable[[Facts], float]]] = {
    "latency": ("latency, us", lambda f: f.latency_us),
    "interval": ("interval, us", lambda f: f.interval_us),
    "lut": ("LUT", lambda f: f.cost.luts),
    "ff": ("FF", lambda f: f.cost.ffs),
    "dsp": ("DSP", lambda f: f.cost.dsps),
    "ram": ("RAM", lambda f: f.cost.rams),
    "power": ("power index", lambda f: f.power),
    "strain": ("clock over estimated Fmax", lambda f: f.strain),
    "error": ("error, %", lambda f: 0.0 if f.accuracy is None else 100.0 - f.accuracy),
}
# A cost of none still has a logarithm: what this much more or less of it is worth is nothing.
_FLOOR = {"latency": 0.0, "interval": 0.0, "power": 0.0, "strain": 0.05, "error": 0.05}


@dataclass(frozen=True, slots=True)
class Goal:
    """The costs to weigh against each other, and the most of each that there may be."""

    objectives: tuple[str, ...]
    limits: Mapping[str, float] = field(default_factory=dict)

    def costs(self, facts: Facts) -> tuple[float, ...]:
        """Return the objectives of a point; a resource of which there may be none counts from 1."""
        return tuple(MEASURES[o][1](facts) + _FLOOR.get(o, 1.0) for o in self.objectives)

    def excess(self, facts: Facts) -> float:
        """Return the sum of the shares by which limits are broken; 0 where all are kept."""
        found = [(MEASURES[name][1](facts), limit) for name, limit in self.limits.items()]
        return sum(max(0.0, value / limit - 1 if limit else value) for value, limit in found)

    def allows(self, facts: Facts) -> bool:
        """Tell whether a point keeps all limits."""
        return self.excess(facts) <= 0

    def __str__(self) -> str:
        limits = [f"{MEASURES[n][0]} at most {value:g}" for n, value in self.limits.items()]
        wanted = listed([MEASURES[o][0] for o in self.objectives])
        return f"small {wanted}" + (f"; {listed(limits)}" if limits else "")


def goal_of(
    objectives: Sequence[str], limits: Mapping[str, float | None], device: Device | None, *,
    measured: bool,
) -> Goal:  # fmt: skip
    """Return the goal of a user; what the device holds is a limit as well.

    ``measured`` says that accuracy will be known.

    Raises:
        ConfigError: an objective is unknown or there twice, or a limit is no limit.
    """
    for at, name in enumerate(objectives):
        if name not in MEASURES:
            raise ConfigError(f"--objectives: {name!r} is not one of {', '.join(MEASURES)}")
        if name in objectives[:at]:
            raise ConfigError(f"--objectives: {name!r} is there twice; name it once")
    if not objectives:
        raise ConfigError(f"--objectives: is empty; name one or more of {', '.join(MEASURES)}")
    kept = {name: value for name, value in limits.items() if value is not None}
    if "error" in (*objectives, *kept) and not measured:
        raise ConfigError("accuracy is wanted, but not known: give labelled samples with --data")
    for name, value in kept.items():
        if not value >= 0 or (value == 0 and name not in ("dsp", "ram", "error")):
            raise ConfigError(f"{MEASURES[name][0]}: at most {value:g}, which no hardware keeps")
    if device is not None:
        holds = {"lut": device.lut4, "ff": device.ffs, "dsp": device.dsps, "ram": device.block_rams}
        kept = {**kept, **{n: min(kept.get(n, most), most) for n, most in holds.items()}}
    return Goal(tuple(objectives), kept)
