"""``Budget``: the hardware that there is."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hwaccel.compress.cost import Cost
from hwaccel.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Budget:
    """The most of each resource, and the most cycles; ``None`` is no limit."""

    luts: int | None = None
    ffs: int | None = None
    dsps: int | None = None
    rams: int | None = None
    latency: int | None = None
    interval: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits().items():
            if limit < 0 or (limit == 0 and name in ("luts", "latency", "interval")):
                raise ConfigError(f"budget: {name} is {limit}, which no hardware meets")

    def limits(self) -> dict[str, int]:
        """Return the limits that there are, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in given.items() if limit is not None}

    def excess(self, cost: Cost) -> float:
        """Return by what factor ``cost`` is above the limit that it breaks most; 1 or less fits."""
        worst = 0.0
        for name, limit in self.limits().items():
            found = float(getattr(cost, name))
            worst = max(worst, found / limit if limit else 1 + found if found else 0)
        return worst

    def fits(self, cost: Cost) -> bool:
        """Tell whether ``cost`` is within every limit."""
        return not self.limits() or self.excess(cost) <= 1

    def __str__(self) -> str:
        return ", ".join(f"{name} {limit}" for name, limit in self.limits().items()) or "no limit"
