"""Handlers for recurrent layers, unrolled over time: RNN, LSTM, GRU and their cells.

LSTM: S. Hochreiter and J. Schmidhuber, *Long short-term memory*, 1997, with the forget gate of
F. Gers et al., 2000; GRU: K. Cho et al., 2014, in the form of cuDNN, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps

import numpy as np
import torch

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import Conv2d, Floats
from hwaccel.frontend.importer import Handler, Importer, Result
from hwaccel.frontend.program import Arg, Call, Turned
from hwaccel.frontend.steps import GUARD, Steps, Term

# Steps of all layers and directions together. Each is hardware of its own.
MOST_STEPS = 256

# The states after a step, the one that is put out first.
States = tuple[Term, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Parameters of one direction of one layer."""

    ih: Floats
    hh: Floats
    b_ih: Floats
    b_hh: Floats
    hr: Floats | None

    def turned(self, order: Sequence[int]) -> Weights:
        """Return the parameters with the gates in another order."""
        ih, hh, b_ih, b_hh = (
            np.concatenate([np.split(v, len(order))[gate] for gate in order])
            for v in (self.ih, self.hh, self.b_ih, self.b_hh)
        )
        return Weights(ih, hh, b_ih, b_hh, self.hr)


class Kind:
    """A kind of cell. Here is the plain one: ``h = f(W x + b + R h)``."""

    order: tuple[int, ...] = (0,)
    states = 1

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.function = function

    def biases(self, w: Weights) -> Floats:
        """Return what is added to the product with the input."""
        return w.b_ih + w.b_hh

    def step(self, s: Steps, w: Weights, x: Term, states: States) -> tuple[Term, States]:
        """Return what is put out and the new states; ``x`` is the product with the input."""
        products = s.dense("recurrent", states[0], w.hh, np.zeros(len(w.hh)))
        h = s.apply("output", self.function, s.add("sum", x, products))
        return h, (h,)


class Lstm(Kind):
    """``c = f c + i g``, ``h = o tanh(c)``; the gates that have a sigmoid stand together."""

    order = (0, 1, 3, 2)
    states = 2

    def step(self, s: Steps, w: Weights, x: Term, states: States) -> tuple[Term, States]:
        """Return ``h`` and ``(h, c)``; ``c`` keeps guard bits."""
        h, c = states
        size = s.size(c)
        total = s.add("sum", x, s.dense("recurrent", h, w.hh, np.zeros(len(w.hh))))
        gates = s.apply("gates", torch.sigmoid, s.part(total, 0, 3 * size))
        g = s.apply("candidate", torch.tanh, s.part(total, 3 * size, 4 * size))
        i, f, o = (s.part(gates, k * size, (k + 1) * size) for k in range(3))
        kept, new = s.mul("kept", f, c, GUARD), s.mul("new", i, g, GUARD)
        c = s.add("cell", kept, new, GUARD)
        h = s.mul("output", o, s.apply("squashed", torch.tanh, s.rounded("seen", c)))
        if w.hr is not None:
            h = s.rounded("projected", s.dense("projection", h, w.hr, np.zeros(len(w.hr))))
        return h, (h, c)


class Gru(Kind):
    """``n = tanh(x_n + r (R_n h + b_n))``, ``h = n + z (h - n)``."""

    order = (0, 1, 2)

    def biases(self, w: Weights) -> Floats:
        """Leave out the bias that the reset gate multiplies."""
        rows = 2 * len(w.b_hh) // 3
        bias: Floats = w.b_ih + np.concatenate([w.b_hh[:rows], np.zeros(rows // 2)])
        return bias

    def step(self, s: Steps, w: Weights, x: Term, states: States) -> tuple[Term, States]:
        """Return ``h`` rounded, and with guard bits as the state."""
        (h,) = states
        size = s.size(h)
        seen = s.rounded("output", h)
        products = s.dense("recurrent", seen, w.hh[: 2 * size], np.zeros(2 * size))
        total = s.add("sum", s.part(x, 0, 2 * size), products)
        gates = s.apply("gates", torch.sigmoid, total)
        r, z = s.part(gates, 0, size), s.part(gates, size, 2 * size)
        inner = s.dense("inner", seen, w.hh[2 * size :], w.b_hh[2 * size :])
        reset = s.mul("reset", r, inner, GUARD)
        n = s.apply(
            "candidate", torch.tanh, s.add("argument", s.part(x, 2 * size, 3 * size), reset)
        )
        change = s.mul("change", z, s.sub("difference", h, n, GUARD), GUARD)
        h = s.add("state", n, change, GUARD)
        return s.rounded("output", h), (h,)


KINDS = {
    "lstm": Lstm(torch.tanh),
    "gru": Gru(torch.tanh),
    "rnn_tanh": Kind(torch.tanh),
    "rnn_relu": Kind(torch.relu),
}


def _cell(kind: Kind, i: Importer, call: Call) -> str | tuple[str, ...]:
    """One step."""
    names = ("w_ih", "w_hh")
    ih, hh = (i.constant(call, name) for name in names)
    b_ih, b_hh = (i.vector(call, name, len(ih), 0.0) for name in ("b_ih", "b_hh"))
    w = Weights(ih, hh, b_ih, b_hh, None).turned(kind.order)
    args = call.args["hx"]
    states = tuple(
        _vector(i, call, "hx", a) for a in (args if isinstance(args, tuple) else (args,))
    )
    steps = Steps(i, call, call.path)
    x = steps.dense("input", _vector(i, call, "input", call.args["input"]), w.ih, kind.biases(w))
    y, after = kind.step(steps, w, x, states)
    y = steps.value("the state", y)
    i.note(y, (steps.value("the state", after[0]),))
    return (y, *(steps.value("the state", state) for state in after[1:]))


def _vector(i: Importer, call: Call, name: str, arg: Arg) -> Term:
    """Return an operand ``(N, F)`` of a cell; a state that a cell made, with its guard bits."""
    part = Call(call.target, {name: arg}, call.results, call.shapes, call.path)
    if not i.is_constant(part, name):
        value = i.value(part, name)
        return next(iter(i.noted(value)), value) if name == "hx" else value
    array = i.constant(part, name)
    if array.ndim == 2 and (array != array[:1]).any():
        raise i.refuse(call, f"{name} differs from frame to frame; give it as an input")
    return array[0] if array.ndim == 2 else array


def _layer(kind: Kind, i: Importer, call: Call) -> tuple[Result, ...]:
    """All layers, both directions, all steps."""
    if call.args["train"] and call.args["dropout"]:
        raise i.refuse(call, "has active dropout; convert in eval mode")
    batch_axis = 0 if call.args["batch_first"] else 1
    xs: str | list[Term] = _sequence(i, call, batch_axis)
    weights = _weights(i, call, kind)
    length = call.shapes[0][1 - batch_axis]
    if length * len(weights) > MOST_STEPS:
        raise i.refuse(
            call,
            f"runs {length} steps in {len(weights)} layers and directions, each hardware of its "
            f"own, and at most {MOST_STEPS} in all fit; shorten the sequence, or use convolutions "
            "over time",
        )
    states = [_initial(i, call, arg, len(weights)) for arg in _each(call.args["hx"])]
    directions = 2 if call.args["bidirectional"] else 1
    finals: list[States] = []
    for first in range(0, len(weights), directions):
        sides: list[list[Term]] = []
        for place in range(first, first + directions):
            steps = Steps(i, call, f"{call.path}:{call.results}:{place}")
            begin = tuple(state[place] for state in states)
            out, final = _direction(kind, steps, weights[place], xs, begin, place - first == 1)
            sides.append(out)
            finals.append(final)
        one, other = sides[0], sides[-1]
        if directions == 2:
            one = [steps.join("both", a, b) for a, b in zip(one, other, strict=True)]
        xs = one
    assert isinstance(xs, list)
    all_steps = _stacked(i, call, xs)
    i.note(all_steps, tuple(x for x in xs if isinstance(x, str)))
    ends = [_stacked(i, call, [f[k] for f in finals]) for k in range(kind.states)]
    return (Turned(all_steps, 1) if batch_axis else all_steps, *(Turned(end, 1) for end in ends))


def _sequence(i: Importer, call: Call, batch_axis: int) -> str | list[Term]:
    """Return the input ``(T, F)``, or its steps where these are known."""
    turned = i.turned(call.args["input"])
    if len(call.shapes[0]) != 3 or (turned.axis if turned else 0) != batch_axis:
        raise i.refuse(
            call,
            "takes the batch for time; build the layer with batch_first=True and give it (N, "
            "steps, features)",
        )
    x = turned.value if turned else i.value(call, "input")
    known = i.noted(x)
    return list(known) if known else x


def _direction(
    kind: Kind,
    s: Steps,
    w: Weights,
    xs: str | list[Term],
    states: States,
    backwards: bool,
) -> tuple[list[Term], States]:
    """Return what every step puts out, in the order of time, and the last states."""
    bias = kind.biases(w)
    if isinstance(xs, str):
        products = _projected(s, xs, w.ih, bias)
    else:
        products = [s.dense("input", x, w.ih, bias) for x in xs]
    out: list[Term] = []
    for x in reversed(products) if backwards else products:
        y, states = kind.step(s, w, x, states)
        out.append(y)
    return out[::-1] if backwards else out, (out[-1], *states[1:])


def _projected(s: Steps, xs: str, weight: Floats, bias: Floats) -> list[Term]:
    """Multiply all steps by one layer: a convolution of one pixel, time along the row."""
    length, features = s.i.shape(xs)
    front = moves.permute(s.i, s.call, xs, (1, 0))
    image = s.i.reshape(s.call, front, (features, 1, length))
    op = Conv2d(weight[:, :, None, None], bias, (1, 1), (0, 0, 0, 0), (1, 1), 1)
    rows = len(bias)
    y = s.i.add(s.call, op, image, shape=(rows, 1, length), guard=GUARD, group=f"{s.group}:input")
    return _halved(s, y)


def _halved(s: Steps, y: str) -> list[Term]:
    """Cut ``(rows, 1, T)`` into its steps by halves, so that no buffer holds much for a step."""
    rows, _, length = s.i.shape(y)
    if length == 1:
        return [s.i.reshape(s.call, y, (rows,))]
    places = np.arange(rows * length).reshape(rows, 1, length)
    halves = (places[:, :, : length // 2], places[:, :, length // 2 :])
    return [
        step
        for half in halves
        for step in _halved(s, moves.gather(s.i, s.call, y, half.ravel(), half.shape))
    ]


def _stacked(i: Importer, call: Call, terms: Sequence[Term]) -> str:
    """Return vectors of one length as the rows of a matrix."""
    steps = Steps(i, call, call.path)
    value = steps.value("the state", terms[0])
    for term in terms[1:]:
        value = steps.value("the state", steps.join("all", value, term))
    return i.reshape(call, value, (len(terms), steps.size(terms[0])))


def _weights(i: Importer, call: Call, kind: Kind) -> list[Weights]:
    refs = call.args["params"]
    assert isinstance(refs, tuple)
    arrays = [i.constant(_with(call, {"params": ref}), "params") for ref in refs]
    biases = bool(call.args["has_biases"])
    count = int(call.number("num_layers")) * (2 if call.args["bidirectional"] else 1)
    each = len(arrays) // count
    made = []
    for k in range(0, len(arrays), each):
        ih, hh, *rest = arrays[k : k + each]
        b_ih, b_hh = rest[:2] if biases else (np.zeros(len(ih)), np.zeros(len(ih)))
        hr = rest[-1] if len(rest) % 2 else None
        made.append(Weights(ih, hh, b_ih, b_hh, hr).turned(kind.order))
    return made


def _with(call: Call, args: dict[str, Arg]) -> Call:
    """Return ``call`` with other arguments."""
    return Call(call.target, args, call.results, call.shapes, call.path)


def _initial(i: Importer, call: Call, arg: Arg, count: int) -> list[Term]:
    """Return the initial state ``(layers * directions, N, H)`` as ``count`` vectors."""
    part = _with(call, {"hx": arg})
    if i.is_constant(part, "hx"):
        array = i.constant(part, "hx")
        if array.ndim != 3 or (array != array[:, :1]).any():
            raise i.refuse(call, "hx differs from frame to frame; give it as an input")
        return [array[k, 0] for k in range(count)]
    turned = i.turned(arg)
    if turned is None or turned.axis != 1:
        raise i.refuse(
            call,
            "hx must have the batch on axis 1; take it as an input (N, layers, H) and turn it "
            "with h.transpose(0, 1)",
        )
    steps = Steps(i, call, call.path)
    size = i.shape(turned.value)[-1]
    flat = i.reshape(call, turned.value, (count * size,))
    return [steps.part(flat, k * size, (k + 1) * size) for k in range(count)]


def _each(arg: Arg) -> tuple[Arg, ...]:
    return arg if isinstance(arg, tuple) else (arg,)


def _packed(i: Importer, call: Call) -> str:
    """Packed sequences, which differ in length from frame to frame."""
    raise i.refuse(call, "takes packed sequences; give it padded ones of one length")


def _handler(function: Callable[..., Result | tuple[Result, ...]], kind: Kind) -> Handler:
    @wraps(function)
    def handle(i: Importer, call: Call) -> Result | tuple[Result, ...]:
        return function(kind, i, call)

    return handle


HANDLERS: dict[str, Handler] = {
    **{f"aten.{name}.input": _handler(_layer, kind) for name, kind in KINDS.items()},
    **{f"aten.{name}_cell.default": _handler(_cell, kind) for name, kind in KINDS.items()},
    **{f"aten.{name}.data": _packed for name in KINDS},
}
