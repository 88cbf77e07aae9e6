"""``Bound``: how much worse a model may become, and the search for the most that stays within."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from hwaccel.compress.training import Answers, Score
from hwaccel.errors import ConfigError

# The search ends when the share is known this well.
_RESOLUTION = 1 / 128


@dataclass(frozen=True, slots=True)
class Bound:
    """Limits of what may be lost against the start; ``None`` is no limit.

    ``accuracy_drop`` is in points, ``loss_rise`` in the unit of the loss.
    """

    accuracy_drop: float | None = None
    loss_rise: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("accuracy_drop", self.accuracy_drop), ("loss_rise", self.loss_rise)):
            if value is not None and not 0 <= value < float("inf"):
                raise ConfigError(f"{name} {value:g}: expected a number from 0")

    @property
    def limits(self) -> bool:
        """Is there any limit."""
        return self.accuracy_drop is not None or self.loss_rise is not None

    def holds(self, before: Score, after: Score) -> bool:
        """Is ``after`` within the limits; a loss that is not finite never is."""
        if not after.loss < float("inf"):
            return False
        drop, rise = before.accuracy - after.accuracy, after.loss - before.loss
        # Accuracies are quotients; what they lose in rounding is far less than one hit.
        return (self.accuracy_drop is None or drop <= self.accuracy_drop + 1e-9) and (
            self.loss_rise is None or rise <= self.loss_rise
        )

    def surely(self, before: Answers, after: Answers, errors: float) -> bool:
        """Is ``after`` within the limits, were both losses ``errors`` standard errors larger.

        A search keeps what looks best on its samples, which is better than it is elsewhere. The
        errors are those of the differences sample by sample, which is what two models that agree
        on most of them differ in.
        """
        if not bool(after.losses.mean() < float("inf")):
            return False
        drop = _at_most(100 * (before.hits - after.hits), errors)
        rise = _at_most(after.losses - before.losses, errors)
        return (self.accuracy_drop is None or drop <= self.accuracy_drop + 1e-9) and (
            self.loss_rise is None or rise <= self.loss_rise
        )

    def __str__(self) -> str:
        parts = []
        if self.accuracy_drop is not None:
            parts.append(f"the accuracy within {self.accuracy_drop:g} points")
        if self.loss_rise is not None:
            parts.append(f"the loss within {self.loss_rise:g}")
        return " and ".join(parts) or "nothing"


def _at_most(differences: torch.Tensor, errors: float) -> float:
    """Return the mean and so many of its standard errors."""
    spread = float(differences.std(correction=0) / len(differences) ** 0.5)
    return float(differences.mean()) + errors * spread


def largest(holds: Callable[[float], bool], most: float = 1.0) -> float:
    """Return the largest share, to within 1/128, that ``holds``: 0 if no larger one was found.

    Bisection. What is returned was seen to hold, and a share a little larger was seen not to; a
    loss that dips again beyond that is not looked for.
    """
    low, high = 0.0, most
    if holds(most):
        return most
    while high - low > _RESOLUTION * most:
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
