"""Exports of PT2E quantization, and fake quantization modules of ``torch.ao``."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwaccel
from hwaccel.errors import FrontendError
from hwaccel.frontend import load_model
from hwaccel.frontend.torch_export import trace
from hwaccel.fxp.boundary import dequantize, quantize_input
from tests.frontend.tools import Lambda

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch.ao.quantization as ao
    import torch.ao.quantization.fx._decomposed  # defines the calls

INT8 = -128, 127, torch.int8


def calls():
    return torch.ops.quantized_decomposed


def pair(x, scale, zero=0):
    """Quantize and dequantize, as PT2E writes it."""
    q = calls().quantize_per_tensor(x, scale, zero, *INT8)
    return calls().dequantize_per_tensor(q, scale, zero, *INT8)


def frames(*shape, count=60, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)


class Net(nn.Module):
    """Integer weights per channel and per tensor, zero points, moves of integers."""

    def __init__(self, dyadic: bool) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.register_buffer("w1", torch.randint(-127, 128, (6, 2, 3, 3), generator=rng).char())
        self.register_buffer("w2", torch.randint(-127, 128, (5, 96), generator=rng).char())
        exact = 2.0 ** -torch.tensor([9.0, 8, 9, 10, 9, 9])
        some = torch.rand(6, generator=rng) * 0.002 + 0.001
        self.register_buffer("s1", exact if dyadic else some)
        self.register_buffer("z1", torch.zeros(6, dtype=torch.int64))
        self.first, self.second, self.third = (
            (2.0**-5, 2.0**-6, 2.0**-4) if dyadic else (0.0213, 0.0171, 0.0657)
        )
        self.bias = nn.Parameter(torch.randint(-50, 50, (6,), generator=rng) * 2.0**-10)

    def forward(self, x):
        x = pair(x, self.first, 3)
        w = calls().dequantize_per_channel(self.w1, self.s1, self.z1, 0, -127, 127, torch.int8)
        x = functional.relu(functional.conv2d(x, w, self.bias, padding=1))
        q = calls().quantize_per_tensor(x, self.second, -128, *INT8)
        q = q.reshape(q.shape[0], 6, 4, 2, 8)[:, :, :, 0, :]
        q = torch.cat([q[:, :3], q[:, 3:]], 1).permute(0, 1, 3, 2).flatten(1)[:, :96]
        x = calls().dequantize_per_tensor(q, self.second, -128, *INT8)
        w = calls().dequantize_per_tensor(self.w2, 2.0**-7, 0, -127, 127, torch.int8)
        return pair(functional.linear(x, w), self.third)


def on_grid(design, xs):
    type = design.graph.inputs[0].type
    ints = quantize_input(xs.astype(np.float64), frac=type.frac, lo=type.lo, hi=type.hi)
    return dequantize(ints, frac=type.frac).astype(np.float32)


def apart(model, xs):
    """Return how far golden is from PyTorch on frames that the input holds, and the design."""
    design = hwaccel.convert(model.eval(), torch.from_numpy(xs))
    x = on_grid(design, xs)
    with torch.no_grad():
        want = model(torch.from_numpy(x)).double().numpy()
    return np.abs(design.golden(x) - want), design


def test_powers_of_two_are_exact():
    error, _ = apart(Net(True), frames(2, 8, 8))
    assert error.max() == 0


def test_other_scales():
    model = Net(False)
    error, _ = apart(model, frames(2, 8, 8))
    # Float32 itself turns a rounding now and then.
    assert error.max() <= 1.001 * model.third
    assert (error > 1e-6).mean() <= 0.004


@pytest.mark.parametrize("dyadic", [True, False])
def test_files(tmp_path, dyadic):
    model, xs = Net(dyadic).eval(), frames(2, 8, 8)
    torch.export.save(torch.export.export(model, (torch.from_numpy(xs),)), tmp_path / "model.pt2")
    design = hwaccel.convert(load_model(tmp_path / "model.pt2"), calibration=xs)
    live = hwaccel.convert(model, torch.from_numpy(xs))
    assert np.array_equal(design.golden(xs), live.golden(xs))


def test_scales_that_are_tensors():
    scale, zero = torch.tensor(0.031), torch.tensor(5)
    lo, hi = torch.tensor(-128), torch.tensor(127)

    def tensor(m, x):
        q = calls().quantize_per_tensor.tensor(x, m.scale, m.zero, *INT8)
        return calls().dequantize_per_tensor.tensor(q, m.scale, m.zero, *INT8)

    def ends(m, x):
        q = calls().quantize_per_tensor.tensor2(x, m.scale, m.zero, m.lo, m.hi, torch.int8)
        return calls().dequantize_per_tensor.tensor2(q, m.scale, m.zero, m.lo, m.hi, torch.int8)

    for function in (tensor, ends):
        error, _ = apart(Lambda(function, scale=scale, zero=zero, lo=lo, hi=hi), frames(9))
        assert error.max() < 1e-6


def test_channels_of_activations():
    scale, zero = torch.tensor([0.031, 0.25, 0.017]), torch.tensor([4, -2, 0])

    def forward(m, x):
        q = calls().quantize_per_channel(x, m.scale, m.zero, 1, *INT8)
        return calls().dequantize_per_channel(q, m.scale, m.zero, 1, *INT8)

    error, _ = apart(Lambda(forward, scale=scale, zero=zero), frames(3, 20))
    assert error.max() < 1e-5


def test_weights_that_are_quantized_in_the_graph():
    def forward(m, x):
        args = m.scale, m.zero, 0, *INT8
        w = calls().dequantize_per_channel(calls().quantize_per_channel(m.one.weight, *args), *args)
        return pair(functional.linear(pair(x, 0.0213), w, m.one.bias), 0.0371)

    torch.manual_seed(0)
    scale, zero = torch.rand(4) * 0.002 + 0.002, torch.zeros(4, dtype=torch.int64)
    model = Lambda(forward, one=nn.Linear(8, 4), scale=scale, zero=zero)
    error, _ = apart(model, frames(8))
    assert error.max() < 1e-6


REFUSED = "dequantize first, by the scale and zero point of the quantizer"


def test_integers_that_are_computed_with():
    def forward(m, x):
        return calls().quantize_per_tensor(x, 0.5, 0, *INT8) + 1

    with pytest.raises(FrontendError) as raised:
        trace(Lambda(forward), frames(4))
    assert str(raised.value) == (
        f"the model's forward: add: reads integers of a quantizer; {REFUSED}"
    )


def test_another_scale():
    def forward(m, x):
        q = calls().quantize_per_tensor(x, 0.5, 0, *INT8)
        return calls().dequantize_per_tensor(q, 0.25, 0, *INT8)

    with pytest.raises(FrontendError) as raised:
        trace(Lambda(forward), frames(4))
    assert str(raised.value) == (
        "the model's forward: quantized_decomposed.dequantize_per_tensor.default: has another "
        f"scale or zero point than the quantizer; {REFUSED}"
    )


def test_integers_that_are_outputs():
    def forward(m, x):
        return calls().quantize_per_tensor(x, 0.5, 0, *INT8)

    with pytest.raises(FrontendError) as raised:
        trace(Lambda(forward), frames(4))
    assert str(raised.value) == (
        f"output quantize_per_tensor: holds integers of a quantizer; {REFUSED}"
    )


# --- torch.ao -------------------------------------------------------------------------------------


class Trained(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant = ao.FakeQuantize(ao.MovingAverageMinMaxObserver, 0, 255)
        self.linear = nn.Linear(8, 6)
        self.weights = ao.default_per_channel_weight_fake_quant()
        self.out = ao.FusedMovingAvgObsFakeQuantize()

    def forward(self, x):
        w = self.weights(self.linear.weight)
        return self.out(functional.relu(functional.linear(self.quant(x), w, self.linear.bias)))


def observed():
    torch.manual_seed(0)
    model = Trained()
    for _ in range(5):
        model(torch.randn(20, 8))
    return model.eval()


def test_fake_quantization_modules():
    model = observed()
    model.apply(ao.disable_observer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    error, _ = apart(model, frames(8, count=200))
    assert error.max() <= 1.001 * float(model.out.scale)
    assert (error > 1e-6).mean() <= 0.004
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())


def test_fake_quantization_that_is_switched_off():
    model = observed()
    model.apply(ao.disable_observer)
    model.out.disable_fake_quant()
    graph = trace(model, frames(8))
    assert [node.op.kind for node in graph.nodes] == ["quantize", "dense", "relu"]


def test_observers_are_refused():
    with pytest.raises(FrontendError) as raised:
        trace(observed(), frames(8))
    assert str(raised.value) == (
        "quant: observes its operand in eval mode; call "
        "model.apply(torch.ao.quantization.disable_observer)"
    )


@pytest.mark.rtl
def test_hardware():
    xs = frames(2, 8, 8, count=3)
    design = hwaccel.convert(Net(False).eval(), torch.from_numpy(xs))
    design.simulate(xs[:2], simulator="icarus")
