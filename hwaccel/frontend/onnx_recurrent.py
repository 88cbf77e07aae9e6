"""What recurrent layers of ONNX are in ATen calls: gates in another order, time in front."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hwaccel.frontend.onnx_file import AGAIN
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref
from hwaccel.frontend.recurrent import MOST_STEPS


@dataclass(frozen=True, slots=True)
class _Kind:
    """``gates`` are the places of PyTorch's gates among those of ONNX."""

    target: str
    gates: tuple[int, ...]
    states: int
    functions: tuple[str, ...]


_LSTM = _Kind("lstm.input", (0, 2, 3, 1), 2, ("sigmoid", "tanh", "tanh"))
_GRU = _Kind("gru.input", (1, 0, 2), 1, ("sigmoid", "tanh"))
_TANH = _Kind("rnn_tanh.input", (0,), 1, ("tanh",))
_RELU = _Kind("rnn_relu.input", (0,), 1, ("relu",))


def _lstm(s: Step) -> Result:
    if s.integer("input_forget", 0):
        raise s.refuse("couples its gates; use input_forget=0")
    return _layer(s, _LSTM)


def _gru(s: Step) -> Result:
    if not s.integer("linear_before_reset", 0):
        raise s.refuse("resets before it multiplies; use linear_before_reset=1, as PyTorch does")
    return _layer(s, _GRU)


def _rnn(s: Step) -> Result:
    named = s.attribute("activations")
    plain = isinstance(named, tuple) and {str(v).lower() for v in named} == {"relu"}
    return _layer(s, _RELU if plain else _TANH)


def _layer(s: Step, kind: _Kind) -> Result:
    x, turned = s.input(0), bool(s.integer("layout", 0))
    if s.rank(x) != 3:
        raise s.refuse(f"takes sequences (time, batch, features), found {s.shape(x)}; {AGAIN}")
    if turned:
        x = s.call("permute.default", self=x, dims=(1, 0, 2))
    time, batch, _ = s.shape(x)
    direction = s.text("direction", "forward")
    ways = {"forward": 1, "reverse": 1, "bidirectional": 2}.get(direction, 0)
    if time * ways > MOST_STEPS:
        raise s.refuse(
            f"unrolls {time * ways} steps, expected at most {MOST_STEPS}; use shorter sequences"
        )
    params, size = _parameters(s, kind, ways)
    _check(s, kind, ways, size, time)
    if direction == "reverse":
        x = s.call("flip.default", self=x, dims=(0,))
    states = [_state(s, 5 + k, (ways, batch, size), turned) for k in range(kind.states)]
    args = {
        "input": x,
        "hx": tuple(states) if kind.states > 1 else states[0],
        "params": params,
        "has_biases": len(params) > 2 * ways,
        "num_layers": 1,
        "dropout": 0.0,
        "train": False,
        "bidirectional": ways == 2,
        "batch_first": False,
    }
    y, *last = s.several(kind.target, **args)
    if direction == "reverse":
        y = s.call("flip.default", self=y, dims=(0,))
    y = s.call("reshape.default", self=y, shape=(time, batch, ways, size))
    y = s.call("permute.default", self=y, dims=(1, 0, 2, 3) if turned else (0, 2, 1, 3))
    if turned:
        last = [s.call("permute.default", self=h, dims=(1, 0, 2)) for h in last]
    return (y, *last)


def _parameters(s: Step, kind: _Kind, ways: int) -> tuple[tuple[Ref, ...], int]:
    """Return what PyTorch calls parameters, direction by direction, and the size of a state."""
    weights = [s.tensor(1), s.tensor(2)]
    gates, size = len(kind.gates), weights[1].shape[-1] if weights[1].dim() else 0
    rows = gates * size
    if s.has(3):
        bias = s.tensor(3)
        weights += bias.chunk(2, -1) if bias.dim() == 2 and bias.shape[1] == 2 * rows else [bias]
    axes = [3, 3, 2, 2][: len(weights)]
    fits = [
        w.dim() == n and w.shape[:2] == (ways, rows) for w, n in zip(weights, axes, strict=True)
    ]
    if not ways or not all(fits) or not rows:
        raise s.refuse(f"has weights that do not fit direction and hidden_size; {AGAIN}")

    def turned(w: torch.Tensor) -> Ref:
        return s.constant(torch.cat([w.chunk(gates)[gate] for gate in kind.gates]))

    return tuple(turned(w[way]) for way in range(ways) for w in weights), size


def _check(s: Step, kind: _Kind, ways: int, size: int, time: int) -> None:
    """Refuse what PyTorch's layers do not have."""
    if s.integer("hidden_size", size) != size:
        raise s.refuse(f"states a hidden_size other than that of its weights, {size}; {AGAIN}")
    named = s.attribute("activations")
    if named is not None and (
        not isinstance(named, tuple)
        or tuple(str(v).lower() for v in named) != kind.functions * ways
    ):
        raise s.refuse(f"has other functions than {', '.join(kind.functions)}; use these")
    if s.has(4) and not bool((s.tensor(4) == time).all()):
        raise s.refuse("has sequences of several lengths; use one length")


def _state(s: Step, place: int, shape: tuple[int, ...], turned: bool) -> Ref:
    """Return an initial state; zeros where there is none."""
    if not s.has(place):
        return s.constant(torch.zeros(shape))
    state = s.input(place)
    return s.call("permute.default", self=state, dims=(1, 0, 2)) if turned else state


OPS: dict[str, Convert] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}
