"""The nodes of a circuit: one integer each, an interval each, no state.

A circuit is what a network becomes when every element has logic of its own. All values are
integers; powers of two are shifts, which are wires. Operands are numbers of earlier nodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(ABC):
    """One integer of ``[lo, hi]``."""

    kind: ClassVar[str]

    lo: int
    hi: int

    @property
    def operands(self) -> tuple[int, ...]:
        """The nodes read."""
        return ()

    @abstractmethod
    def evaluate(self, *xs: Ints) -> Ints:
        """Return the value for batches of operand values."""

    def moved(self, new: dict[int, int]) -> Node:
        """Return the node with its operands renumbered."""
        return self

    def empty(self, *zeros: int) -> int:
        """Return how many of the lowest bits are 0, from the number of those of each operand."""
        return 0

    @property
    def signed(self) -> bool:
        """Tell whether a sign bit is needed."""
        return self.lo < 0

    @property
    def width(self) -> int:
        """Bits needed, at least one."""
        bits = max(self.hi.bit_length(), (~self.lo if self.lo < 0 else 0).bit_length())
        return max(1, bits + self.signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Node):
    """Element ``index`` of the input vector."""

    kind: ClassVar[str] = "input"

    index: int

    def evaluate(self, *xs: Ints) -> Ints:
        """Take no operands: the circuit supplies the value."""
        raise AssertionError("inputs are given, not computed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Node):
    """The integer ``lo``, which is also ``hi``."""

    kind: ClassVar[str] = "constant"

    def evaluate(self, *xs: Ints) -> Ints:
        """Return the value; it broadcasts."""
        return np.full(1, self.lo, dtype=np.int64)

    def empty(self, *zeros: int) -> int:
        """Count the zeros below the lowest one."""
        return (self.lo & -self.lo).bit_length() - 1 if self.lo else self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """A node with one operand."""

    a: int

    @property
    def operands(self) -> tuple[int, ...]:
        """The operand."""
        return (self.a,)

    def moved(self, new: dict[int, int]) -> Node:
        """Return the node with its operand renumbered."""
        return replace(self, a=new[self.a])


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Node):
    """A node with two operands."""

    a: int
    b: int

    @property
    def operands(self) -> tuple[int, ...]:
        """Both operands."""
        return self.a, self.b

    def moved(self, new: dict[int, int]) -> Node:
        """Return the node with its operands renumbered."""
        return replace(self, a=new[self.a], b=new[self.b])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Binary):
    """``(a << max(0, -shift)) + (b << max(0, shift))``, or minus with ``subtract``."""

    kind: ClassVar[str] = "sum"

    shift: int = 0
    subtract: bool = False

    @property
    def ups(self) -> tuple[int, int]:
        """By how much each operand is shifted up."""
        return max(0, -self.shift), max(0, self.shift)

    @property
    def negative(self) -> tuple[bool, bool]:
        """Which operands are subtracted."""
        return False, self.subtract

    def evaluate(self, *xs: Ints) -> Ints:
        """Add or subtract."""
        a, b = (x << up for x, up in zip(xs, self.ups, strict=True))
        return a - b if self.subtract else a + b

    def empty(self, *zeros: int) -> int:
        """Begin where the lower operand does."""
        return min(low + up for low, up in zip(zeros, self.ups, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum3(Node):
    """``(a << ups[0]) + (b << ups[1]) + (c << ups[2])``, the last ``subtract`` of them negated.

    One carry chain, on families whose LUTs add three bits in front of it.
    """

    kind: ClassVar[str] = "sum3"

    a: int
    b: int
    c: int
    ups: tuple[int, int, int]
    subtract: int = 0

    @property
    def operands(self) -> tuple[int, ...]:
        """The three that are added or subtracted."""
        return self.a, self.b, self.c

    @property
    def negative(self) -> tuple[bool, bool, bool]:
        """Which operands are subtracted."""
        return False, self.subtract > 1, self.subtract > 0

    def moved(self, new: dict[int, int]) -> Node:
        """Return the node with its operands renumbered."""
        return replace(self, a=new[self.a], b=new[self.b], c=new[self.c])

    def evaluate(self, *xs: Ints) -> Ints:
        """Add and subtract."""
        a, b, c = (
            -(x << up) if negative else x << up
            for x, up, negative in zip(xs, self.ups, self.negative, strict=True)
        )
        total: Ints = a + b + c
        return total

    def empty(self, *zeros: int) -> int:
        """Begin where the lowest operand does."""
        return min(low + up for low, up in zip(zeros, self.ups, strict=True))


def first_bit(node: Sum | Sum3, zeros: Sequence[int]) -> int:
    """Return the lowest bit of the adder of a sum; below it one operand passes.

    ``zeros`` are the low bits of each operand known to be zero. What is subtracted does not pass,
    it has to be negated.
    """
    ends = [(low + up, n) for low, up, n in zip(zeros, node.ups, node.negative, strict=True)]
    (lowest, negated), (second, _), *_ = sorted(ends)
    return min(lowest if negated else second, node.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift(Unary):
    """``a * 2^amount``, rounded down where ``amount`` is negative."""

    kind: ClassVar[str] = "shift"

    amount: int

    def evaluate(self, *xs: Ints) -> Ints:
        """Shift."""
        return xs[0] << self.amount if self.amount >= 0 else xs[0] >> -self.amount

    def empty(self, *zeros: int) -> int:
        """Move the zeros along."""
        return max(0, zeros[0] + self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Even(Unary):
    """``a >> shift`` with bit 0 cleared where the dropped bits are all zero.

    With half of the last place added before, this rounds half to even: a tie leaves nothing
    below, and only then does the odd neighbour give way.
    """

    kind: ClassVar[str] = "even"

    shift: int

    def evaluate(self, *xs: Ints) -> Ints:
        """Shift, and clear bit 0 of ties."""
        tie = (xs[0] & ((1 << self.shift) - 1)) == 0
        rounded: Ints = (xs[0] >> self.shift) & ~tie.astype(np.int64)
        return rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Unary):
    """``min(max(a, lo), hi)``."""

    kind: ClassVar[str] = "clip"

    floor: int
    ceiling: int

    def evaluate(self, *xs: Ints) -> Ints:
        """Clip."""
        return np.clip(xs[0], self.floor, self.ceiling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrap(Unary):
    """``a`` modulo ``2^bits`` in ``[base, base + 2^bits)``; ``base`` is 0 or ``-2^(bits-1)``."""

    kind: ClassVar[str] = "wrap"

    bits: int
    base: int

    def evaluate(self, *xs: Ints) -> Ints:
        """Keep the low bits."""
        return ((xs[0] - self.base) & ((1 << self.bits) - 1)) + self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Max(Binary):
    """``max(a, b)``."""

    kind: ClassVar[str] = "max"

    def evaluate(self, *xs: Ints) -> Ints:
        """Compare and choose."""
        return np.maximum(xs[0], xs[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Times(Binary):
    """``a * b``."""

    kind: ClassVar[str] = "times"

    def evaluate(self, *xs: Ints) -> Ints:
        """Multiply."""
        return xs[0] * xs[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Node):
    """``b`` where ``a < 0``, else ``c``."""

    kind: ClassVar[str] = "choose"

    a: int
    b: int
    c: int

    @property
    def operands(self) -> tuple[int, ...]:
        """What decides, then the two to choose from."""
        return self.a, self.b, self.c

    def moved(self, new: dict[int, int]) -> Node:
        """Return the node with its operands renumbered."""
        return replace(self, a=new[self.a], b=new[self.b], c=new[self.c])

    def evaluate(self, *xs: Ints) -> Ints:
        """Choose."""
        return np.where(xs[0] < 0, xs[1], xs[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Unary):
    """``values[a - first]``: any function of an operand of few bits."""

    kind: ClassVar[str] = "table"

    first: int
    values: tuple[int, ...]

    def evaluate(self, *xs: Ints) -> Ints:
        """Look up."""
        return np.array(self.values, dtype=np.int64)[xs[0] - self.first]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot(Node):
    """Row ``row`` of matrix product ``job``, plus ``offset``: a sum not laid out yet.

    Only a builder holds such nodes; a finished circuit has sums in their place.
    """

    kind: ClassVar[str] = "dot"

    job: int
    row: int
    offset: int
    xs: tuple[int, ...]

    @property
    def operands(self) -> tuple[int, ...]:
        """The elements with a weight that is not zero."""
        return self.xs

    def evaluate(self, *xs: Ints) -> Ints:
        """Belong to no finished circuit."""
        raise AssertionError("a matrix product was not laid out")
