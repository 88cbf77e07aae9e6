"""Handlers for products of tensors: ``@`` and its relatives, and ``einsum``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from hwaccel.frontend import layers, moves
from hwaccel.frontend.contract import Contract
from hwaccel.frontend.floatgraph import AvgPool2d, Conv2d, Dense, Floats
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.program import Call

# Places of the factors are kept one by one; beyond, tables grow past use.
_MOST = 1 << 22
_MIXED = (
    "mixes frames of the batch; give every operand the same number of axes, the batch the first "
    "of each"
)
# NumPy states types for the form with letters only.
_einsum: Any = np.einsum


class Made(NamedTuple):
    """A value that is no argument of the call."""

    value: str


# The name of an argument, or a value, and the names of its axes.
Operand = tuple[str | Made, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A value, or a constant, and the names of its axes; those of a value leave out the batch."""

    what: str | Floats
    names: tuple[int, ...]

    @property
    def value(self) -> str:
        """The value; there is always one."""
        assert isinstance(self.what, str)
        return self.what


# --- calls ----------------------------------------------------------------------------------------


def matmul(i: Importer, call: Call) -> str:
    """``a @ b`` of any ranks: matrices in the last two axes, the others stretched."""
    a, b = "self", "mat2" if "mat2" in call.args else "vec" if "vec" in call.args else "other"
    ranks = [_rank(i, call, name) for name in (a, b)]
    leading = max(*ranks, 2) - 2
    left = _matrix(ranks[0], leading, (leading, leading + 1))
    right = _matrix(ranks[1], leading, (leading + 1, leading + 2))
    if ranks[0] == 1:
        left = (leading + 1,)
    if ranks[1] == 1:
        right = (leading + 1,)
    result = [*range(leading), *([leading] if ranks[0] > 1 else [])]
    result += [leading + 2] if ranks[1] > 1 else []
    return contract(i, call, [(a, left), (b, right)], result)


def _matrix(rank: int, leading: int, last: tuple[int, int]) -> tuple[int, ...]:
    return (*range(leading - max(0, rank - 2), leading), *last)


def inner(i: Importer, call: Call) -> str:
    """``inner``: sums over the last axes."""
    ranks = [_rank(i, call, name) for name in ("self", "other")]
    if 1 in ranks:
        both = [(0,) if rank == 1 else (*range(1, rank), 0) for rank in ranks]
    else:
        both = [(*range(1, ranks[0]), 0), (*range(ranks[0], sum(ranks) - 1), 0)]
    result = [name for names in both for name in names if name]
    return contract(i, call, list(zip(("self", "other"), both, strict=True)), result)


def tensordot(i: Importer, call: Call) -> str:
    """``tensordot``: sums over pairs of axes."""
    ranks = [_rank(i, call, name) for name in ("self", "other")]
    pairs = list(zip(call.integers("dims_self"), call.integers("dims_other"), strict=True))
    left = list(range(ranks[0]))
    right = list(range(ranks[0], sum(ranks)))
    for a, b in pairs:
        right[b] = left[a]
    kept = [n for n in (*left, *right) if not (n in left and n in right)]
    return contract(i, call, [("self", tuple(left)), ("other", tuple(right))], kept)


def vecdot(i: Importer, call: Call) -> str:
    """``linalg.vecdot``: sums of products along one axis."""
    names = ("x", "y")
    ranks = [_rank(i, call, name) for name in names]
    rank = max(ranks)
    (dim,) = call.integers("dim")
    every = tuple(range(rank))
    terms = [(n, every[rank - r :]) for n, r in zip(names, ranks, strict=True)]
    return contract(i, call, terms, [n for n in every if n != dim % rank])


def einsum(i: Importer, call: Call) -> str:
    """``einsum`` of any number of operands, with repeated letters and an ellipsis."""
    tensors, text = call.args["tensors"], str(call.args["equation"]).replace(" ", "")
    if not isinstance(tensors, tuple):
        raise i.refuse(call, "has no operands; export the model again")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    call = replace(call, args={f"tensors[{n}]": ref for n, ref in enumerate(tensors)})
    ranks = [_rank(i, call, name) for name in call.args]
    spread = max(r - len(p.replace("...", "")) for p, r in zip(parts, ranks, strict=True))
    letters = sorted({c for c in left if c.isalpha()})
    names = {c: spread + place for place, c in enumerate(letters)}

    def expand(part: str, rank: int) -> tuple[int, ...]:
        before, dots, after = part.partition("...")
        own = rank - len(before) - len(after) if dots else 0
        middle = range(spread - own, spread)
        return (*(names[c] for c in before), *middle, *(names[c] for c in after))

    if not arrow:
        once = [c for c in letters if left.count(c) == 1]
        result = (*range(spread if "..." in left else 0), *(names[c] for c in once))
    else:
        result = expand(right, len(right.replace("...", "")) + spread * ("..." in right))
    operands = [(n, expand(p, r)) for n, p, r in zip(call.args, parts, ranks, strict=True)]
    return contract(i, call, operands, result)


def _rank(i: Importer, call: Call, name: str) -> int:
    if i.is_constant(call, name):
        return i.constant(call, name).ndim
    return len(i.shape(i.value(call, name))) + 1


# --- the sum of products ----------------------------------------------------------------------


def contract(
    i: Importer,
    call: Call,
    operands: Sequence[Operand],
    result: Sequence[int],
    *,
    guard: int = 0,
) -> str:
    """Return the sum of the product of all operands over the axes that ``result`` does not name.

    Names are those of all axes, the batch among them; an axis of length 1 stretches.
    """
    kept = tuple(result)[1:]
    if not kept:
        raise i.refuse(
            call, "gives one number per frame; keep an axis, for example with keepdim or unsqueeze"
        )
    if len(i.inner(call)) != len(kept):
        raise i.refuse(call, _MIXED)
    made = _Product(i, call, operands, tuple(result), guard).run()
    order = [made.names.index(n) for n in kept]
    return moves.permute(i, call, made.value, order)


def _unexpanded(array: Floats, batch: int) -> Floats:
    """Return a constant that is the same for all frames as one for one frame."""
    same = array.ndim > 2 and len(array) == batch and (array == array[:1]).all()
    return array[:1] if same else array


def _summed(*args: object) -> Floats:
    """``einsum`` of arrays with numbers for letters, as far down as those of its axes go."""
    found: Floats = np.asarray(_einsum(*args))
    return found


class _Product:
    """The product of one call, two operands at a time."""

    def __init__(
        self,
        i: Importer,
        call: Call,
        operands: Sequence[Operand],
        result: tuple[int, ...],
        guard: int,
    ) -> None:
        self._i, self._call, self._guard = i, call, guard
        self._batch, *kept = result
        self._kept = frozenset(kept)
        self._sizes: dict[int, int] = {}
        for name, names in operands:
            for axis, size in zip(names, self._shape(name), strict=True):
                self._sizes[axis] = max(size, self._sizes.get(axis, 1))
        self._terms = [self._term(*operand) for operand in operands]

    def run(self) -> Term:
        """Return the result, its axes in any order."""
        terms = self._terms
        terms = [self._reduced(t, [*terms[:n], *terms[n + 1 :]]) for n, t in enumerate(terms)]
        while len(terms) > 1:
            first, second, *rest = terms
            needed = self._kept.union(*(t.names for t in rest))
            names = tuple(n for n in dict.fromkeys((*first.names, *second.names)) if n in needed)
            terms = [self._pair(first, second, names), *rest]
        return terms[0]

    # --- operands -------------------------------------------------------------------------------

    def _operand(self, name: str | Made) -> str | Floats:
        if isinstance(name, Made):
            return name.value
        if self._i.is_constant(self._call, name):
            return _unexpanded(self._i.constant(self._call, name), self._i.batch)
        return self._i.value(self._call, name)

    def _shape(self, name: str | Made) -> tuple[int, ...]:
        what = self._operand(name)
        if isinstance(what, np.ndarray):
            return what.shape
        return (self._i.batch, *self._i.shape(what))

    def _term(self, name: str | Made, names: tuple[int, ...]) -> Term:
        """Return an operand without its batch axis and without axes that stretch."""
        i, call, shape = self._i, self._call, self._shape(name)
        value = self._operand(name)
        constant = isinstance(value, np.ndarray)
        if not constant and (names[0] != self._batch or self._batch in names[1:]):
            raise i.refuse(call, _MIXED)
        # The axis 0 of a value is the batch, which is not there.
        places = range(0 if constant else 1, len(names))
        stays = [p for p in places if shape[p] == self._sizes[names[p]] and names[p] != self._batch]
        lost = [p for p in places if p not in stays and shape[p] != 1]
        if lost:
            raise i.refuse(
                call,
                f"a constant of shape {shape} differs from frame to frame; give it no batch axis",
            )
        kept, sizes = tuple(names[p] for p in stays), tuple(shape[p] for p in stays)
        once = tuple(dict.fromkeys(kept))
        if isinstance(value, np.ndarray):
            return Term(_summed(value.reshape(sizes), list(kept), list(once)), once)
        if not kept:
            return Term(i.reshape(call, value, (1,)), ())
        value = i.reshape(call, value, sizes)
        if once != kept:
            places_of = np.arange(prod(sizes)).reshape(sizes)
            diagonal = _summed(places_of, list(kept), list(once)).astype(np.int64)
            value = moves.gather(i, call, value, diagonal.ravel(), diagonal.shape)
        return Term(value, once)

    def _size(self, names: Sequence[int]) -> int:
        return prod(self._sizes[n] for n in names)

    def _dims(self, names: Sequence[int]) -> tuple[int, ...]:
        return tuple(self._sizes[n] for n in names) or (1,)

    def _reduced(self, term: Term, others: Sequence[Term]) -> Term:
        """Add up along the axes that nothing else has."""
        needed = self._kept.union(*(t.names for t in others))
        kept = tuple(n for n in term.names if n in needed)
        summed = tuple(n for n in term.names if n not in needed)
        if not summed:
            return term
        if isinstance(term.what, np.ndarray):
            return Term(_summed(term.what, list(term.names), list(kept)), kept)
        i, call = self._i, self._call
        moved = self._permuted(term, (*kept, *summed))
        image = i.reshape(call, moved, (self._size(kept), 1, self._size(summed)))
        kernel = (1, self._size(summed))
        total = AvgPool2d(kernel, kernel, (0, 0, 0, 0), 1)
        # With so many bits more the sum of numbers that are rounded already is exact.
        guard = (self._size(summed) - 1).bit_length()
        made = i.add(call, total, image, shape=(self._size(kept), 1, 1), guard=guard)
        return Term(i.reshape(call, made, self._dims(kept)), kept)

    def _permuted(self, term: Term, names: Sequence[int]) -> str:
        order = [term.names.index(n) for n in names] if term.names else [0]
        return moves.permute(self._i, self._call, term.value, order)

    # --- two at a time --------------------------------------------------------------------------

    def _pair(self, a: Term, b: Term, names: tuple[int, ...]) -> Term:
        if isinstance(a.what, np.ndarray) and isinstance(b.what, np.ndarray):
            product = _summed(a.what, list(a.names), b.what, list(b.names), list(names))
            return Term(product, names)
        if isinstance(b.what, np.ndarray):
            return self._scaled(a, b.what, b.names, names)
        if isinstance(a.what, np.ndarray):
            return self._scaled(b, a.what, a.names, names)
        every = tuple(dict.fromkeys((*a.names, *b.names)))
        if self._size(every) > _MOST:
            raise self._i.refuse(
                self._call,
                f"takes {self._size(every)} products per frame, expected at most {_MOST}; make "
                "the operands smaller",
            )
        places = {n: place for place, n in enumerate(every)}
        one, other, result = (tuple(places[n] for n in t) for t in (a.names, b.names, names))
        op = Contract(one, other, result, tuple(self._sizes[n] for n in every))
        values = (a.value, b.value)
        made = self._i.add(self._call, op, *values, shape=self._dims(names), guard=self._guard)
        return Term(made, names)

    def _scaled(
        self, x: Term, weight: Floats, own: tuple[int, ...], names: tuple[int, ...]
    ) -> Term:
        """Multiply a value by a constant: a layer of weights, of one pixel where axes remain."""
        i, call = self._i, self._call
        both = [n for n in own if n in x.names]
        groups = [n for n in both if n in names]
        summed = [n for n in both if n not in names]
        outputs = [n for n in own if n not in x.names]
        rest = [n for n in x.names if n not in both]
        if not summed and not outputs:
            spread = weight.reshape([self._sizes[n] for n in own] + [1] * len(rest))
            order = [[*own, *rest].index(n) for n in x.names]
            scale = spread.transpose(order) if x.names else spread.reshape(1)
            return Term(layers.affine(i, call, x.value, scale, 0.0), x.names)
        order = [own.index(n) for n in (*groups, *outputs, *summed)]
        count, made, terms, pixels = map(self._size, (groups, outputs, summed, rest))
        matrix = weight.transpose(order).reshape(count * made, terms)
        bias = np.zeros(count * made)
        front = self._permuted(x, (*groups, *summed, *rest))
        result = (*groups, *outputs, *rest)
        if not groups and not rest:
            y = i.add(call, Dense(matrix, bias), i.reshape(call, front, (terms,)), shape=(made,))
        else:
            image = i.reshape(call, front, (count * terms, 1, pixels))
            kernel = matrix[:, :, None, None]
            op = Conv2d(kernel, bias, (1, 1), (0, 0, 0, 0), (1, 1), count)
            y = i.add(call, op, image, shape=(count * made, 1, pixels))
        return Term(i.reshape(call, y, self._dims(result)), result)


HANDLERS: dict[str, Handler] = {
    "aten.matmul.default": matmul,
    "aten.mm.default": matmul,
    "aten.bmm.default": matmul,
    "aten.mv.default": matmul,
    "aten.dot.default": matmul,
    "aten.inner.default": inner,
    "aten.tensordot.default": tensordot,
    "aten.linalg_vecdot.default": vecdot,
    "aten.einsum.default": einsum,
}
