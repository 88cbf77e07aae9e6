"""``IntArray``: an immutable integer array that compares and hashes by content."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


class IntArray:
    """Read-only int64 array for use as a field of frozen dataclasses."""

    __slots__ = ("_digest", "a")

    a: NDArray[np.int64]

    def __init__(self, values: Any) -> None:
        array = np.array(values, dtype=np.int64, order="C")
        array.setflags(write=False)
        object.__setattr__(self, "a", array)
        object.__setattr__(self, "_digest", "")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"IntArray is immutable; cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"IntArray is immutable; cannot delete {name}")

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.a,)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(state[0])  # type: ignore[misc]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.a.shape

    @property
    def digest(self) -> str:
        """SHA-256 of shape and content, in hex; found when it is first asked for."""
        known: str = self._digest  # type: ignore[attr-defined]
        if not known:
            data = repr(self.a.shape).encode() + self.a.astype("<i8").tobytes()
            known = hashlib.sha256(data).hexdigest()
            object.__setattr__(self, "_digest", known)
        return known

    def range(self) -> tuple[int, int]:
        """Return the smallest and largest element; ``(0, 0)`` when empty."""
        return (int(self.a.min()), int(self.a.max())) if self.a.size else (0, 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntArray) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return (
            f"IntArray({self.a.tolist()!r})"
            if self.a.size <= 8
            else (f"IntArray(shape={self.shape}, sha256={self.digest[:8]})")
        )
