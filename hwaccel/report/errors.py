"""How far each layer is from the float model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10

from hwaccel.report.evidence import ErrorRecord
from hwaccel.report.results import Results
from hwaccel.report.text import clean


@dataclass(frozen=True, slots=True)
class LayerLoss:
    """Signal to noise in decibels, ``None`` without noise, and the largest difference."""

    name: str
    decibels: float | None
    largest: float
    frames: int

    @property
    def ratio(self) -> str:
        """The ratio as text."""
        return "exact" if self.decibels is None else f"{self.decibels:.1f} dB"

    @property
    def words(self) -> str:
        """Both numbers in words."""
        if self.decibels is None:
            return "equal to the float model"
        return f"{self.ratio} signal to noise, off by at most {self.largest:.3g}"


def losses_of(results: Results) -> Mapping[str, LayerLoss]:
    """Return what quantization costs, by layer."""
    found: dict[str, LayerLoss] = {}
    for record in results.of(ErrorRecord):
        for layer in record.layers:
            name = clean(layer.name)
            found[name] = LayerLoss(
                name, decibels(layer.signal, layer.noise), layer.largest, record.frames
            )
    return found


def decibels(signal: float, noise: float) -> float | None:
    """Return ten times the logarithm of the ratio; ``None`` without noise."""
    if noise == 0.0:
        return None
    return 10 * (log10(max(signal, 1e-300)) - log10(noise))
