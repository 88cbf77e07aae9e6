"""Say where two executors first disagree: tensor, frame, element, and how to see it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import MismatchError
from hwaccel.ir import TensorType

Ints = NDArray[np.int64]


class TensorMismatch(MismatchError):
    """A batch ``found`` of tensor ``name`` that is not as ``expected``, both ``(N, *shape)``.

    ``cycles`` of shape ``(N, beats)`` say when each beat came, where that is known.
    """

    def __init__(
        self,
        text: str,
        name: str,
        expected: Ints,
        found: Ints,
        cycles: Ints | None = None,
        lanes: int = 0,
    ) -> None:
        super().__init__(text)
        self.name, self.expected, self.found = name, expected, found
        self.cycles, self.lanes = cycles, lanes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first element, in C order, at which two batches differ; ``count`` of ``size`` do."""

    frame: int
    index: tuple[int, ...]
    expected: int
    found: int
    count: int
    size: int

    def beat(self, shape: tuple[int, ...], lanes: int) -> int:
        """Return the beat of the frame that carries the element: channels inside pixels."""
        pixel = int(np.ravel_multi_index(self.index[1:], shape[1:])) if len(shape) > 1 else 0
        return (pixel * shape[0] + self.index[0]) // lanes


def first_mismatch(expected: Ints, found: Ints) -> Mismatch | None:
    """Compare batches ``(N, *shape)`` of the same shape; return ``None`` when they are equal."""
    wrong = expected != found
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
    return Mismatch(at[0], at[1:], int(expected[at]), int(found[at]), int(wrong.sum()), wrong.size)


def require_equal(
    expected: Ints,
    found: Ints,
    type: TensorType,
    name: str,
    *,
    what: str = "",
    lanes: int = 0,
    cycles: NDArray[np.int64] | None = None,
    seed: int | None = None,
    repeat: str = "",
) -> None:
    """Do nothing when batches ``(N, *shape)`` of tensor ``name`` are equal.

    ``what`` is who made ``found``. ``lanes`` elements per beat place the element in the stream,
    ``cycles`` of shape ``(N, beats)`` in time. ``seed`` and the command ``repeat`` lead back to
    the same run.

    Raises:
        MismatchError: shapes or elements differ; the line names the first one in C order.
    """
    by = f" by {what}" if what else ""
    if expected.shape != found.shape:
        raise MismatchError(f"{name}: expected shape {expected.shape}, found {found.shape}{by}")
    wrong = first_mismatch(expected, found)
    if wrong is None:
        return
    place = ", ".join(str(i) for i in wrong.index)
    facts = [
        f"{name}: frame {wrong.frame}, index ({place}): expected {_both(wrong.expected, type)}, "
        f"found {_both(wrong.found, type)}{by}",
        f"{wrong.count} of {wrong.size} elements differ",
    ]
    facts += _stream_facts(wrong, type, lanes, cycles, seed)
    if repeat:
        facts.append(f"repeat with: {repeat}")
    raise TensorMismatch("; ".join(facts), name, expected, found, cycles, lanes)


def _stream_facts(
    wrong: Mismatch,
    type: TensorType,
    lanes: int,
    cycles: NDArray[np.int64] | None,
    seed: int | None,
) -> list[str]:
    facts = []
    if lanes:
        beat = wrong.beat(type.shape, lanes)
        when = f", cycle {cycles[wrong.frame, beat]}" if cycles is not None else ""
        facts.append(f"beat {beat}{when}")
    if seed is not None:
        facts.append(f"seed {seed}")
    return facts


def _both(integer: int, type: TensorType) -> str:
    """Return the integer and the number it stands for, the latter to 12 digits."""
    return f"{integer} ({integer * 2.0**-type.frac:.12g})"
