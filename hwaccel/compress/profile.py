"""Where a model spends work, memory and hardware: the profile of the design it becomes."""

from __future__ import annotations

from hwaccel.api import Design
from hwaccel.report.profile import Part, Profile, profile_of


def profile(design: Design) -> Profile:
    """Return what every module of ``design`` costs, and where the bottlenecks are."""
    return profile_of(design.plan)


__all__ = ["Part", "Profile", "profile"]
