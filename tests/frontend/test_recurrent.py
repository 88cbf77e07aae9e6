"""Recurrent layers, unrolled over time, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend import recurrent
from hwaccel.frontend.load import load_model
from hwaccel.frontend.torch_export import trace
from hwaccel.ir import Graph
from tests.frontend.tools import Lambda, answers, check_exact, convert, golden, on_grid, ops

T, F, H = 5, 3, 4
FINE = Config(weight_bits=12, activation_bits=12)


def normal(*shape: int, count: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def check(model: nn.Module, *xs: np.ndarray, bound: float = 6e-3, config: Config = FINE) -> Graph:
    """Convert; every output is as close to PyTorch's as some roundings of 2^-10 allow."""
    graph = convert(model, xs, config)
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= bound
        assert np.abs(expected).max() > 20 * bound
    return graph


def made(kind: type[nn.Module], *args, **options) -> nn.Module:
    torch.manual_seed(3)
    layer = kind(*args, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    return layer


LAYERS = {
    "rnn-tanh": (nn.RNN, {}),
    "rnn-relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "lstm-no-bias": (nn.LSTM, {"bias": False}),
    "gru-no-bias": (nn.GRU, {"bias": False}),
    "lstm-projected": (nn.LSTM, {"proj_size": 2}),
    "rnn-two-layers": (nn.RNN, {"num_layers": 2, "dropout": 0.5}),
    "lstm-both-ways": (nn.LSTM, {"bidirectional": True}),
    "gru-both-ways-two-layers": (nn.GRU, {"bidirectional": True, "num_layers": 2}),
    "lstm-all": (nn.LSTM, {"bidirectional": True, "num_layers": 2, "proj_size": 3}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_all_steps_and_final_states(name):
    kind, options = LAYERS[name]
    layer = made(kind, F, H, batch_first=True, **options)

    def everything(m, x):
        out, state = m.layer(x)
        states = state if isinstance(state, tuple) else (state,)
        return out, *(s.transpose(0, 1) for s in states)

    check(Lambda(everything, layer=layer), normal(T, F), bound=1.5e-2)


OUTPUTS = {
    "last-step": lambda m, x: m.layer(x)[0][:, -1],
    "last-of-state": lambda m, x: m.layer(x)[1][0][-1],
    "cell-state": lambda m, x: m.layer(x)[1][1][0],
    "both-directions": lambda m, x: (lambda h: torch.cat((h[-2], h[-1]), 1))(m.layer(x)[1][0]),
    "flat-state": lambda m, x: m.layer(x)[1][0].permute(1, 0, 2).flatten(1),
    "mean-over-time": lambda m, x: m.layer(x)[0].mean(1),
    "head-on-every-step": lambda m, x: m.head(m.layer(x)[0]),
    "unstacked": lambda m, x: torch.stack(m.layer(x)[0].unbind(1)[1:3], 2),
    "middle": lambda m, x: m.layer(x)[0][:, 2],
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs(name):
    layer = made(nn.LSTM, F, H, batch_first=True, bidirectional=True)
    head = made(nn.Linear, 2 * H, 3)
    check(Lambda(OUTPUTS[name], layer=layer, head=head), normal(T, F), bound=1e-2)


TIME_FIRST = {
    "transposed": lambda m, x: m.layer(x.transpose(0, 1))[0].transpose(0, 1),
    "last": lambda m, x: m.layer(x.permute(1, 0, 2))[0][-1],
    "head": lambda m, x: m.head(torch.relu(m.layer(x.transpose(0, 1))[0]) * 2).movedim(1, 0),
    "state": lambda m, x: m.layer(x.transpose(0, 1))[1].squeeze(0),
    "sum": lambda m, x: (lambda y: (y + y * 0.5).transpose(0, 1))(m.layer(x.transpose(0, 1))[0]),
    "stacked-layers": lambda m, x: m.next(m.layer(x.transpose(0, 1))[0])[0][-1],
}


@pytest.mark.parametrize("name", TIME_FIRST)
def test_time_first(name):
    children = {
        "layer": made(nn.GRU, F, H),
        "next": made(nn.GRU, H, H),
        "head": made(nn.Linear, H, 2),
    }
    check(Lambda(TIME_FIRST[name], **children), normal(T, F), bound=2e-2)


STATES = {
    "input": (lambda m, x, h: m.layer(x, h.unsqueeze(0))[0], [(H,)]),
    "input-of-layers": (lambda m, x, h: m.deep(x, h.transpose(0, 1))[0], [(2, H)]),
    "two-inputs": (
        lambda m, x, h, c: m.lstm(x, (h.unsqueeze(0), c.unsqueeze(0)))[1][1][0],
        [(H,), (H,)],
    ),
    "constant": (lambda m, x: m.layer(x, m.h0.expand(1, len(x), H))[0], []),
    "constants": (
        lambda m, x: m.lstm(x, (m.h0.expand(1, len(x), H), torch.ones(1, len(x), H)))[0][:, -1],
        [],
    ),
    "zeros": (lambda m, x: m.layer(x, torch.zeros(1, x.shape[0], H))[0], []),
    "computed": (lambda m, x: m.layer(x, m.head(x[:, 0]).unsqueeze(0))[0], []),
}


@pytest.mark.parametrize("name", STATES)
def test_initial_states(name):
    function, shapes = STATES[name]
    model = Lambda(
        function,
        layer=made(nn.GRU, F, H, batch_first=True),
        deep=made(nn.RNN, F, H, 2, batch_first=True),
        lstm=made(nn.LSTM, F, H, batch_first=True),
        head=made(nn.Linear, F, H),
        h0=torch.linspace(-1, 1, H),
    )
    states = [normal(*shape, seed=k + 1) for k, shape in enumerate(shapes)]
    check(model, normal(T, F), *states, bound=2e-2)


CELLS = {
    "rnn": (made(nn.RNNCell, F, H), lambda m, x: m.cell(x)),
    "rnn-relu": (made(nn.RNNCell, F, H, nonlinearity="relu"), lambda m, x: m.cell(x)),
    "lstm": (made(nn.LSTMCell, F, H), lambda m, x: m.cell(x)),
    "gru": (made(nn.GRUCell, F, H, bias=False), lambda m, x: m.cell(x)),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    cell, function = CELLS[name]
    check(Lambda(function, cell=cell), normal(F), bound=1e-2)


def test_a_loop_of_cells():
    def loop(m, x):
        h, c = x.new_zeros(x.shape[0], H), torch.zeros(x.shape[0], H)
        g = x[:, 0, :1].expand(-1, H)
        for t in range(x.shape[1]):
            h, c = m.lstm(x[:, t], (h, c))
            g = m.gru(h, g)
        return g, h

    model = Lambda(loop, lstm=made(nn.LSTMCell, F, H), gru=made(nn.GRUCell, H, H))
    check(model, normal(T, F), bound=2e-2)


def test_a_decoder_that_begins_with_a_constant():
    def decode(m, x):
        h, y, ys = torch.tanh(m.encode(x)), torch.zeros(len(x), 2), []
        for _ in range(3):
            h = m.cell(y, h)
            y = m.head(h)
            ys.append(y)
        return torch.stack(ys, 1)

    children = {"encode": (F, H), "head": (H, 2)}
    linear = {name: made(nn.Linear, *sizes) for name, sizes in children.items()}
    check(Lambda(decode, cell=made(nn.GRUCell, 2, H), **linear), normal(F), bound=2e-2)


def test_a_rectified_network_on_a_grid_is_exact():
    layer = on_grid(nn.RNN(2, 2, nonlinearity="relu", batch_first=True))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter.round().clamp(-1, 1))
    xs = np.random.default_rng(0).integers(-4, 4, (32, 3, 2)).astype(np.float32)
    config = Config(input="s4.0", weight_bits=3, activation_bits=16, calibration="minmax")
    check_exact(Lambda(lambda m, x: m.layer(x)[0], layer=layer), xs, config=config)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_steps_share_their_formats(kind):
    layer = made(kind, F, H, batch_first=True)
    model = Lambda(lambda m, x: m.layer(x)[0][:, -1], layer=layer)
    graph = convert(model, [normal(T, F)], Config(activation_bits=8))
    types = graph.types()
    # The first step of a GRU, whose state is zero, has another one, of a gate and what follows.
    tables = [n for n in graph.nodes if n.op.name == "table" and "_table" in n.name]
    per_step = len(tables) // T
    assert per_step == {nn.RNN: 1, nn.LSTM: 3, nn.GRU: 2}[kind]
    for role in range(per_step):
        same = tables[role::per_step]
        assert len({(types[n.inputs[0]].frac, n.output.type.frac) for n in same}) == 1
    weights = [n.op.weight for n in graph.nodes if n.op.name == "dense"]
    assert len(weights) == (T - 1) * (2 if kind is nn.GRU else 1)
    assert len(set(weights)) == (2 if kind is nn.GRU else 1)


def test_only_what_the_outputs_need_is_built():
    layer = made(nn.RNN, F, H, batch_first=True, bidirectional=True)
    graph = convert(Lambda(lambda m, x: m.layer(x)[0][:, -1], layer=layer), [normal(T, F)], FINE)
    # All steps forwards, and the first one backwards.
    assert ops(graph).count("table") == T + 1
    assert ops(graph).count("concat") == 1


def test_a_network_in_a_file(tmp_path):
    layer = made(nn.LSTM, F, H, batch_first=True)
    model = Lambda(lambda m, x: m.layer(x)[1][0][-1], layer=layer)
    xs = normal(T, F)
    for batch in (1, 2):
        for dynamic in (None, ({0: torch.export.Dim.AUTO},)):
            if batch == 1 and dynamic:
                continue
            inputs = (torch.from_numpy(xs[:batch]),)
            shapes = None if dynamic is None else (dynamic,)
            program = torch.export.export(model.eval(), inputs, dynamic_shapes=shapes)
            path = tmp_path / f"m{batch}.pt2"
            torch.export.save(program, path)
            from_file = trace(load_model(path))
            directly = trace(model, xs[:1])
            assert [n.op.kind for n in from_file.nodes] == [n.op.kind for n in directly.nodes]


def refusal(function, *shapes, **children) -> str:
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function, **children), [normal(*shape) for shape in shapes])
    return str(caught.value)


def test_refusals():
    first, second = made(nn.LSTM, F, H, batch_first=True), made(nn.GRU, F, H)
    assert refusal(lambda m, x: m.layer(x)[0], (T, F), layer=second) == (
        "layer: gru: takes the batch for time; build the layer with batch_first=True and give it "
        "(N, steps, features)"
    )
    assert refusal(lambda m, x: m.layer(x)[1][0], (T, F), layer=first) == (
        "output getitem_1 has the batch on axis 1, expected in front; bring it there, for example "
        "with x.transpose(0, 1) or x[-1]"
    )
    assert refusal(lambda m, x: m.layer(x)[1][0].cumsum(2)[0], (T, F), layer=first) == (
        "the model's forward: cumsum: operand 'self' has the batch on axis 1, expected in front; "
        "bring it there, for example with x.transpose(0, 1) or x[-1]"
    )
    assert refusal(lambda m, x: torch.cat(m.layer(x)[1], 2)[0], (T, F), layer=first) == (
        "the model's forward: cat: operand 'tensors' has the batch on axis 1, expected in front; "
        "bring it there, for example with x.transpose(0, 1) or x[-1]"
    )
    assert refusal(lambda m, x: (m.layer(x)[1][0] + x[:, 0, :1])[0], (T, F), layer=first) == (
        "the model's forward: add: operands have their batches at different axes; give every "
        "operand the batch as its first axis, for example with batch_first=True"
    )
    assert refusal(lambda m, x: m.layer(x)[0][:, -1], (300, F), layer=first) == (
        "layer: lstm: runs 300 steps in 1 layers and directions, each hardware of its own, and at "
        f"most {recurrent.MOST_STEPS} in all fit; shorten the sequence, or use convolutions over "
        "time"
    )
    assert refusal(
        lambda m, x: m.layer(x, torch.arange(7.0).reshape(1, 7, 1).expand(1, 7, H))[0],
        (T, F),
        layer=made(nn.RNN, F, H, batch_first=True),
    ) == ("layer: rnn_tanh: hx differs from frame to frame; give it as an input")
    assert refusal(
        lambda m, x: m.cell(x, torch.arange(7.0).reshape(7, 1).expand(7, H)),
        (F,),
        cell=made(nn.GRUCell, F, H),
    ) == ("cell: gru_cell: hx differs from frame to frame; give it as an input")


def test_active_dropout_is_refused():
    def drop(m, x):
        return torch.ops.aten.lstm.input(
            x, (torch.zeros(1, 7, H),) * 2, list(m.layer.parameters()), True, 1, 0.5, True, False,
            True,
        )[0]  # fmt: skip

    layer = made(nn.LSTM, F, H, batch_first=True)
    assert refusal(drop, (T, F), layer=layer).endswith(
        "lstm: has active dropout; convert in eval mode"
    )


def test_packed_sequences_are_refused():
    def packed(m, x):
        batch = torch.full((T,), 7, dtype=torch.int64)
        h = torch.zeros(1, 7, H)
        data = x.transpose(0, 1).reshape(-1, F)
        return torch.ops.aten.gru.data(
            data, batch, h, list(m.layer.parameters()), True, 1, 0.0, False, False
        )[0]

    text = refusal(packed, (T, F), layer=made(nn.GRU, F, H, batch_first=True))
    assert "\n" not in text
