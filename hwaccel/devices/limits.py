"""``Limits``: what one device has, and by how much a part of a network is above it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hwaccel.errors import ConfigError
from hwaccel.ir.hardware import Area
from hwaccel.synth.target import target as find_target

_LABELS = {"luts": "LUT", "dsps": "DSP", "rams": "RAM"}


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each resource on one device; ``None`` is no limit. RAMs have 18 kbit."""

    luts: int | None = None
    dsps: int | None = None
    rams: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.given().items():
            if limit < 0 or (limit == 0 and name == "luts"):
                raise ConfigError(f"limits: {_LABELS[name]} is {limit}, which no hardware meets")

    def given(self) -> dict[str, int]:
        """Return the limits that there are, by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in every.items() if limit is not None}

    def share(self, area: Area) -> float:
        """Return the share of the scarcest resource that ``area`` takes; above 1 does not fit."""
        shares = [0.0]
        for name, limit in self.given().items():
            need = getattr(area, name)
            shares.append(need / limit if limit else float(need) * (1 << 30))
        return max(shares)

    def scaled(self, share: float) -> Limits:
        """Return ``share`` of every limit, rounded down."""
        given = {name: int(limit * share) for name, limit in self.given().items()}
        return Limits(**given)

    def __str__(self) -> str:
        given = self.given()
        return ", ".join(f"{n} {_LABELS[k]}" for k, n in given.items()) or "no limit"


# LUTs (with four inputs but for xcup and xc7), multipliers as Yosys counts them, and memories of
# 18 kbit, from the data sheets; those of iCE40 have 4 kbit and count for less.
CAPACITIES = {
    "ecp5-25k": Limits(24_288, 28, 56),
    "ecp5-45k": Limits(43_848, 72, 108),
    "ecp5-85k": Limits(83_640, 156, 208),
    "ice40-up5k": Limits(5_280, 8, 6),
    "ice40hx-8k": Limits(7_680, 0, 7),
    "gw1n-9c": Limits(8_640, 20, 26),
    "gw2a-18": Limits(20_736, 48, 46),
    "xc7": Limits(63_400, 240, 270),
    "xcup": Limits(230_400, 1_728, 624),
}


def capacity(name: str) -> Limits:
    """Return what a target has.

    Raises:
        ConfigError: it is not known.
    """
    return CAPACITIES[find_target(name).name]


def described(area: Area) -> str:
    """Return an estimate in words."""
    return f"{area.luts:,} LUT, {area.dsps:,} DSP, {area.rams:,} RAM"
