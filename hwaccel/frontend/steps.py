"""``Steps``: what the steps of a recurrent layer are made of.

A term is a float value, or a constant where nothing computed has come in yet: with an initial
state of zeros the first step has no products, and no hardware for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    Concat,
    Dense,
    FloatOp,
    Floats,
    Function,
    Multiply,
    Relu,
    Round,
    Subtract,
)
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call

Term = str | Floats

# Bits that partial sums, products and states keep beyond activation_bits.
GUARD = 4


@dataclass(frozen=True, slots=True)
class Steps:
    """Builds the nodes of one direction of one layer.

    Every method takes a ``role``, the name of the place in the step: nodes of one role have one
    number format at all times. Terms are vectors.
    """

    i: Importer
    call: Call
    group: str

    def _node(self, op: FloatOp, role: str, *terms: str, size: int, guard: int = 0) -> str:
        group = f"{self.group}:{role}"
        return self.i.add(self.call, op, *terms, shape=(size,), guard=guard, group=group)

    def size(self, term: Term) -> int:
        """Return the number of elements."""
        return self.i.shape(term)[0] if isinstance(term, str) else len(term)

    def dense(self, role: str, x: Term, weight: Floats, bias: Floats) -> Term:
        """Return ``weight @ x + bias`` with guard bits."""
        if not isinstance(x, str):
            return weight @ x + bias
        return self._node(Dense(weight, bias), role, x, size=len(bias), guard=GUARD)

    def rounded(self, role: str, x: Term) -> Term:
        """Return ``x`` rounded to ``activation_bits``, for tables and products with weights."""
        return self._node(Round(), role, x, size=self.size(x)) if isinstance(x, str) else x

    def add(self, role: str, a: Term, b: Term, guard: int = 0) -> Term:
        """Return ``a + b``."""
        if isinstance(a, str) and isinstance(b, str):
            return self._node(Add(), role, a, b, size=self.size(a), guard=guard)
        if isinstance(a, str) or isinstance(b, str):
            x, offset = (a, b) if isinstance(a, str) else (b, a)
            return self._affine(role, x, 1.0, offset, guard)
        return a + b

    def sub(self, role: str, a: Term, b: Term, guard: int = 0) -> Term:
        """Return ``a - b``."""
        if isinstance(a, str) and isinstance(b, str):
            return self._node(Subtract(), role, a, b, size=self.size(a), guard=guard)
        if isinstance(b, str):
            return self._affine(role, b, -1.0, a, guard)
        return self.add(role, a, -b, guard)

    def mul(self, role: str, a: Term, b: Term, guard: int = 0) -> Term:
        """Return ``a * b``."""
        if isinstance(a, str) and isinstance(b, str):
            return self._node(Multiply(), role, a, b, size=self.size(a), guard=guard)
        if isinstance(a, str) or isinstance(b, str):
            x, scale = (a, b) if isinstance(a, str) else (b, a)
            assert not isinstance(scale, str)
            return self._affine(role, x, scale, 0.0, guard) if scale.any() else 0.0 * scale
        return a * b

    def _affine(
        self, role: str, x: Term, scale: Term | float, offset: Term | float, guard: int
    ) -> Term:
        assert isinstance(x, str)
        size = self.size(x)
        made = [np.broadcast_to(np.asarray(v, np.float64), (size,)) for v in (scale, offset)]
        if (made[0] == 1).all() and not made[1].any():
            return self._node(Round(), role, x, size=size, guard=guard)
        return self._node(Affine(*(v.copy() for v in made)), role, x, size=size, guard=guard)

    def apply(self, role: str, f: Callable[[torch.Tensor], torch.Tensor], x: Term) -> Term:
        """Return ``f(x)``, by table unless it is ``relu``."""
        if isinstance(x, str):
            op = Relu() if f is torch.relu else Function(f)
            return self._node(op, role, x, size=self.size(x))
        found: Floats = f(torch.from_numpy(x)).numpy()
        return found

    def part(self, x: Term, start: int, stop: int) -> Term:
        """Return ``x[start:stop]``."""
        if not isinstance(x, str):
            return x[start:stop]
        return moves.gather(self.i, self.call, x, np.arange(start, stop), (stop - start,))

    def join(self, role: str, a: Term, b: Term) -> Term:
        """Return the elements of ``a``, then those of ``b``."""
        if isinstance(a, str) and isinstance(b, str):
            return self._node(Concat(), role, a, b, size=self.size(a) + self.size(b))
        values = [self.value(role, x) for x in (a, b)]
        return self._node(Concat(), role, *values, size=self.size(a) + self.size(b))

    def value(self, role: str, x: Term) -> str:
        """Return ``x`` as a value; refuse a constant, which no hardware computes."""
        if isinstance(x, str):
            return x
        raise self.i.refuse(
            self.call, f"{role} does not depend on the model's input; return computed values"
        )
