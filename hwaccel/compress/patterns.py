"""Patterns of zeros: which weights of a layer go together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import torch

from hwaccel.compress.order import Order
from hwaccel.config import Style
from hwaccel.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Pattern:
    """Base of the patterns of weights; ``str`` gives what ``parse_pattern`` reads.

    ``style`` is the style of hardware that gains most from it.
    """

    style: ClassVar[Style] = "auto"

    def units(self, path: str, weight: torch.Tensor, order: Order) -> torch.Tensor:
        """Return the weights that go together, as positions ``(units, size)`` in ``weight``.

        Raises:
            ConfigError: the pattern does not divide the layer.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Unstructured(Pattern):
    """Any weight may go."""

    def units(self, path: str, weight: torch.Tensor, order: Order) -> torch.Tensor:
        """Every weight is a unit."""
        return order.positions.reshape(-1, 1)

    def __str__(self) -> str:
        return "unstructured"


@dataclass(frozen=True, slots=True)
class Block(Pattern):
    """Blocks of ``rows`` outputs by ``columns`` inputs: the words of the streaming hardware."""

    style: ClassVar[Style] = "stream"
    rows: int
    columns: int

    def units(self, path: str, weight: torch.Tensor, order: Order) -> torch.Tensor:
        """Every block is a unit."""
        outputs, inputs = order.positions.shape
        _check_divides(path, self, self.rows, outputs, "outputs")
        _check_divides(path, self, self.columns, order.channels, "inputs side by side")
        blocks = order.positions.reshape(
            outputs // self.rows, self.rows, inputs // self.columns, self.columns
        )
        return blocks.permute(0, 2, 1, 3).reshape(-1, self.rows * self.columns)

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"


@dataclass(frozen=True, slots=True)
class Few(Pattern):
    """At most ``kept`` of ``of`` inputs side by side count (A. Mishra et al., arXiv 2104.08378)."""

    kept: int
    of: int

    def units(self, path: str, weight: torch.Tensor, order: Order) -> torch.Tensor:
        """The smallest weights of every group, of the whole layer, are one unit."""
        _check_divides(path, self, self.of, order.channels, "inputs side by side")
        groups = order.positions.reshape(-1, self.of)
        rank = weight.detach().flatten()[groups].abs().argsort(dim=1, stable=True)
        return groups.gather(1, rank[:, : self.of - self.kept]).reshape(1, -1)

    @property
    def share(self) -> float:
        """Zeros over weights."""
        return 1 - self.kept / self.of

    def __str__(self) -> str:
        return f"{self.kept}:{self.of}"


@dataclass(frozen=True, slots=True)
class Channels(Pattern):
    """Whole channels; they leave the model, with everything that depends on them."""

    style: ClassVar[Style] = "stream"

    def __str__(self) -> str:
        return "channels"


def parse_pattern(text: str) -> Pattern:
    """Read ``unstructured``, ``channels``, ``2:4`` or ``4x1``.

    Raises:
        ConfigError: it is none of these, or numbers make no sense.
    """
    if text in ("unstructured", "channels"):
        return Unstructured() if text == "unstructured" else Channels()
    found = re.fullmatch(r"(\d{1,6})([:x])(\d{1,6})", text)
    if found is None:
        raise ConfigError(
            f"pattern {text!r}: is none of unstructured, channels, N:M like 2:4, and outputs x "
            "inputs like 4x1"
        )
    first, kind, second = int(found[1]), found[2], int(found[3])
    if kind == ":" and not 0 < first < second:
        raise ConfigError(f"pattern {text}: keeps {first} of {second}; expected 0 < N < M")
    if kind == "x" and (first < 1 or second < 1):
        raise ConfigError(f"pattern {text}: a block has at least one output and one input")
    return Few(first, second) if kind == ":" else Block(first, second)


def _check_divides(path: str, pattern: Pattern, part: int, count: int, what: str) -> None:
    if count % part:
        raise ConfigError(
            f"{path}: {what}: {count}, which {part} of pattern {pattern} does not divide; leave "
            f"the layer out with --skip {path}, or choose another pattern"
        )
