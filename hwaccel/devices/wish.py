"""Limits and links from what a user writes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hwaccel.devices.limits import Limits, capacity
from hwaccel.devices.links import LinkSpec, full_rate
from hwaccel.errors import ConfigError


def devices_of(count: int, targets: Sequence[str], fill: float, each: Limits) -> tuple[Limits, ...]:
    """Return the limits of ``count`` devices: a share of their targets, and ``each`` instead.

    Raises:
        ConfigError: a target is not known, or their number is not one or ``count``.
    """
    if not 0 < fill <= 1:
        raise ConfigError(f"--fill is {fill:g}, expected more than 0 and at most 1")
    if len(targets) not in (0, 1, count):
        raise ConfigError(
            f"--target: found {len(targets)} for {count} devices; name one for all, or one for each"
        )
    bases = [capacity(name).scaled(fill) for name in targets] or [Limits()]
    bases = bases * count if len(bases) == 1 else bases
    return tuple(Limits(**(base.given() | each.given())) for base in bases)


def link_of(width: int, latency: int, credits: int | None) -> LinkSpec:
    """Return what links are like; by default a word can go in every cycle.

    Raises:
        ConfigError: a number is out of range.
    """
    try:
        document = {
            "width": width,
            "latency": latency,
            "credits": full_rate(latency) if credits is None else credits,
        }
        return msgspec.convert(document, LinkSpec)
    except msgspec.ValidationError as error:
        text = str(error).replace(" - at `$.", " for the link's ").rstrip("`")
        raise ConfigError(text) from None
