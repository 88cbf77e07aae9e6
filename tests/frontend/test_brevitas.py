"""Models of Brevitas: exact by powers of two, and otherwise what exact arithmetic gives."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel.errors import FrontendError
from hwaccel.frontend.torch_export import trace
from hwaccel.fxp.boundary import dequantize, quantize_input

brevitas = pytest.importorskip("brevitas")
from brevitas import nn as qnn  # noqa: E402
from brevitas.inject.enum import BitWidthImplType, FloatToIntImplType  # noqa: E402
from brevitas.proxy.runtime_quant import DynamicActQuantProxyFromInjector  # noqa: E402
from brevitas.quant import (  # noqa: E402
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFixedPoint,
)
from brevitas.quant.float_quant_ocp import Fp8e4m3OCPWeightPerTensorFloat  # noqa: E402
from brevitas.quant.mx_quant_ocp import MXInt8Weight  # noqa: E402

from tests.frontend import brevitas_zoo as zoo  # noqa: E402

# Output integers are multiplied by factors of so many bits; float32 has as many.
_OUTPUT = 2.0**-21
# Of float32 results, so many may be turned by float32 itself.
_TURNED = 2e-3


def frames(shape, count=60, seed=1):
    return np.random.default_rng(seed).normal(0, 1.5, (count, *shape)).astype(np.float32)


def on_grid(design, xs):
    """Return the frames that the design's input holds."""
    type = design.graph.inputs[0].type
    ints = quantize_input(xs.astype(np.float64), frac=type.frac, lo=type.lo, hi=type.hi)
    return dequantize(ints, frac=type.frac)


def exactly(model, x):
    """Return what the model's float graph gives in float64."""
    graph = trace(model, x[:1].astype(np.float32))
    values = {graph.inputs[0].name: torch.from_numpy(x)}
    for node in graph.nodes:
        values[node.name] = node.op.run(*(values[name] for name in node.inputs))
    return values[graph.outputs[0]].numpy()


def converted(model, shape, **more):
    xs = frames(shape)
    return hwaccel.convert(model, torch.from_numpy(xs), **more), xs


@pytest.mark.parametrize("graph", zoo.GRAPHS, ids=lambda g: g.__name__)
def test_powers_of_two_are_exact(graph):
    model, shape = zoo.trained(graph(zoo.DYADIC))
    design, xs = converted(model, shape)
    ties = np.random.default_rng(2).integers(-600, 600, (40, *shape)) / 64
    for x in (xs, ties.astype(np.float32), 100 * xs):
        assert np.array_equal(design.golden(x), zoo.said(model, x))


@pytest.mark.parametrize("graph", [zoo.binary, zoo.ternary, zoo.own_bias], ids=lambda g: g.__name__)
def test_other_powers_of_two_are_exact(graph):
    model, shape = zoo.trained(graph())
    design, xs = converted(model, shape)
    ties = np.random.default_rng(2).integers(-300, 300, (40, *shape)) / 64
    for x in (on_grid(design, xs), on_grid(design, ties)):
        assert np.array_equal(design.golden(x), zoo.said(model, x))


def check_bound(made):
    """Every quantizer gives what exact arithmetic gives; so far float32 agrees with that."""
    model, shape = zoo.trained(made)
    design, xs = converted(model, shape)
    x = on_grid(design, xs)
    got, want, brevitas_says = design.golden(x), exactly(model, x), zoo.said(model, x)
    tolerance = _OUTPUT * np.abs(want).max()
    assert np.abs(got - want).max() <= tolerance
    assert (np.abs(got - brevitas_says) > 4 * tolerance).mean() <= _TURNED
    return model, design


@pytest.mark.parametrize("graph", zoo.GRAPHS, ids=lambda g: g.__name__)
def test_other_scales_are_rounded_exactly(graph):
    check_bound(graph(zoo.ANY))


@pytest.mark.parametrize(
    "graph",
    [zoo.shifted, zoo.shifted_weights, zoo.plain_sum, zoo.no_input_quantizer],
    ids=lambda g: g.__name__,
)
def test_zero_points_and_sums_of_other_scales(graph):
    check_bound(graph())


@pytest.mark.parametrize("graph", [zoo.sigmoid, zoo.tanh], ids=lambda g: g.__name__)
def test_functions_differ_by_one_step(graph):
    """Their operand is rounded to 12 bits."""
    model, shape = zoo.trained(graph())
    design, xs = converted(model, shape)
    x = on_grid(design, xs)
    apart = np.abs(design.golden(x) - zoo.said(model, x))
    step = float(model[-1].act_quant.scale())
    assert apart.max() <= 1.001 * step
    assert (apart > step / 2).mean() < 0.1


def test_embedding():
    model, shape = zoo.trained(zoo.embedded())
    xs = torch.randint(0, 10, (60, *shape), generator=torch.Generator().manual_seed(0))
    design = hwaccel.convert(model, xs)
    with torch.no_grad():
        want = model(xs).value.double().numpy()
    assert (np.abs(design.golden(xs.numpy()) - want) > 1e-6).mean() <= _TURNED


def test_attention():
    model, shape = zoo.trained(zoo.attention())
    design, xs = converted(model, shape)
    x = on_grid(design, xs)
    apart = np.abs(design.golden(x) - zoo.said(model, x))
    assert apart.max() < 0.02 * np.abs(zoo.said(model, x)).max()


@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width(bits):
    f = zoo.DYADIC
    layers = f.identity(bits), f.linear(12, 9, bits=bits), f.relu(bits), f.linear(9, 4, bits=bits)
    model, shape = zoo.trained((nn.Sequential(*layers), (12,)), seed=bits)
    design, xs = converted(model, shape)
    assert np.array_equal(design.golden(xs), zoo.said(model, xs))


@pytest.mark.parametrize("how", ["ROUND", "FLOOR", "CEIL", "ROUND_TO_ZERO", "DPU"])
@pytest.mark.parametrize("family", [zoo.DYADIC, zoo.ANY], ids=["dyadic", "any"])
def test_every_rounding(how, family):
    rounds = FloatToIntImplType[how]
    layers = [
        qnn.QuantIdentity(
            act_quant=family.signed.let(float_to_int_impl_type=rounds),
            bit_width=bits,
            return_quant_tensor=True,
        )
        for bits in (8, 5)
    ]
    model, shape = zoo.trained((nn.Sequential(layers[0], family.linear(9, 8), layers[1]), (9,)))
    design, _ = converted(model, shape)
    ties = on_grid(design, np.random.default_rng(2).integers(-500, 500, (40, *shape)) / 64)
    apart = np.abs(design.golden(ties) - zoo.said(model, ties))
    if family is zoo.DYADIC:
        assert apart.max() == 0
    assert (apart > 1e-5).mean() <= _TURNED


def test_learned_widths():
    f = zoo.DYADIC
    layer = f.linear(12, 5, bias=False, weight_bit_width_impl_type=BitWidthImplType.PARAMETER)
    model, shape = zoo.trained((nn.Sequential(f.identity(), layer, f.identity()), (12,)))
    design, xs = converted(model, shape)
    assert np.array_equal(design.golden(xs), zoo.said(model, xs))


def test_sixteen_bits():
    f = zoo.DYADIC
    model, shape = zoo.trained(
        (nn.Sequential(f.identity(16), f.linear(6, 4, bits=10), f.identity(16)), (6,))
    )
    design, xs = converted(model, shape)
    assert np.array_equal(design.golden(xs), zoo.said(model, xs))


# --- the model itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("returns", [True, False])
def test_the_model_stays_as_it_was(returns):
    model, shape = zoo.trained(zoo.float_bias(zoo.ANY))
    model[0].return_quant_tensor = returns
    model.train()
    x = torch.from_numpy(frames(shape))
    before, state = copy.deepcopy(model.state_dict()), model.state_dict()
    attributes = [sorted(vars(m)) for m in model.modules()]
    hwaccel.convert(model, x)
    assert model.training
    assert model[0].return_quant_tensor is returns
    assert [sorted(vars(m)) for m in model.modules()] == attributes
    assert all(torch.equal(before[name], state[name]) for name in before)
    assert model.state_dict().keys() == before.keys()


def test_layers_are_named_as_in_the_model():
    model, shape = zoo.trained(zoo.mlp(zoo.DYADIC))
    design, _ = converted(model, shape)
    assert {node.path for node in design.graph.nodes} == {"1", "2", "3"}


def test_weights_have_the_bits_of_the_model():
    """Whatever the configuration says of layers in general."""
    model, shape = zoo.trained(zoo.mlp(zoo.DYADIC))
    design, xs = converted(model, shape, config=hwaccel.Config(weight_bits=2, activation_bits=3))
    assert np.array_equal(design.golden(xs), zoo.said(model, xs))


def test_shared_quantizers():
    """Two layers share the quantizer of their weights."""
    f = zoo.DYADIC
    one = f.linear(8, 8, bias=False)
    two = qnn.QuantLinear(8, 8, bias=False, weight_quant=one.weight_quant)
    model, shape = zoo.trained((nn.Sequential(f.identity(), one, f.relu(), two), (8,)))
    design, xs = converted(model, shape)
    assert np.array_equal(design.golden(xs), zoo.said(model, xs))


# --- hardware -------------------------------------------------------------------------------------


@pytest.mark.rtl
@pytest.mark.parametrize("graph", [zoo.mlp, zoo.rows], ids=lambda g: g.__name__)
def test_hardware_of_other_scales(graph):
    model, shape = zoo.trained(graph(zoo.ANY))
    design, xs = converted(model, shape)
    design.simulate(xs[:3], simulator="icarus")


@pytest.mark.rtl
@pytest.mark.parametrize("graph", [zoo.binary, zoo.shifted], ids=lambda g: g.__name__)
def test_hardware_of_few_bits_and_zero_points(graph):
    model, shape = zoo.trained(graph())
    design, xs = converted(model, shape)
    design.simulate(xs[:3], simulator="icarus")


@pytest.mark.hls
@pytest.mark.parametrize("family", [zoo.DYADIC, zoo.ANY], ids=["dyadic", "any"])
def test_compiled(family):
    model, shape = zoo.trained(zoo.cnn(family))
    design, xs = converted(model, shape)
    type = design.graph.inputs[0].type
    ints = quantize_input(xs[:4].astype(np.float64), frac=type.frac, lo=type.lo, hi=type.hi)
    frac = design.graph.types()[design.graph.outputs[0]].frac
    want = design.golden(dequantize(ints, frac=type.frac))
    for what in ("hls", "torch"):
        (found,) = design.execute(what, [ints])
        assert np.array_equal(dequantize(found, frac=frac), want)


# --- refusals -------------------------------------------------------------------------------------


class _Quant(nn.Module):
    def __init__(self, layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


def _dynamic():
    quant = Int8ActPerTensorFloat.let(proxy_class=DynamicActQuantProxyFromInjector)
    return qnn.QuantIdentity(act_quant=quant)


def _floating():
    return qnn.QuantLinear(4, 3, bias=False, weight_quant=Fp8e4m3OCPWeightPerTensorFloat)


def _grouped():
    return qnn.QuantLinear(32, 3, bias=False, weight_quant=MXInt8Weight)


def _wide():
    return qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=24)


def _recurrent():
    return qnn.QuantLSTM(4, 3, batch_first=True)


_KINDS = "use an integer, binary or ternary quantizer"


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (
            _dynamic,
            (4,),
            "layer.act_quant: quantizes by scales that depend on the input, which is not "
            f"supported; {_KINDS}",
        ),
        (
            _floating,
            (4,),
            "layer.weight_quant: quantizes to floating point, which is not supported; " + _KINDS,
        ),
        (
            _grouped,
            (32,),
            "layer.weight_quant: quantizes in groups, which is not supported; " + _KINDS,
        ),
        (
            _wide,
            (4,),
            "layer.act_quant: has a bit width of 24, expected an integer from 1 to 16; fix it and "
            "fine-tune the model",
        ),
        (
            _recurrent,
            (5, 4),
            "layer.layers.0.0: is a recurrent layer of Brevitas, which is not supported; write its "
            "steps with QuantLinear, QuantSigmoid, QuantTanh and QuantIdentity",
        ),
    ],
    ids=["dynamic", "floating", "grouped", "wide", "recurrent"],
)
def test_refusals(make, shape, text):
    model = _Quant(make()).eval()
    with pytest.raises(FrontendError, match=f"^{re.escape(text)}$"):
        trace(model, torch.zeros(1, *shape))


def test_a_model_that_does_not_run_is_refused():
    layer = qnn.QuantLinear(4, 3, bias=True, weight_quant=Int8WeightPerTensorFixedPoint)
    layer.return_quant_tensor = True
    with pytest.raises(FrontendError) as raised:
        trace(_Quant(layer).eval(), torch.zeros(1, 4))
    assert str(raised.value) == (
        "_Quant: does not run: QuantLayer is not correctly configured; repair the model"
    )


class _Reads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant = zoo.DYADIC.identity()

    def forward(self, x):
        return self.quant(x).value + 1


def test_reading_more_than_numbers_is_refused():
    with pytest.raises(FrontendError) as raised:
        trace(_Reads().eval(), torch.zeros(1, 4))
    assert str(raised.value) == (
        "_Reads: forward reads more of a quantized tensor than its numbers ('FakeTensor' object "
        "has no attribute 'value'); let it use the tensor itself"
    )


def test_random_rounding_is_refused():
    quant = Int8ActPerTensorFixedPoint.let(
        float_to_int_impl_type=FloatToIntImplType.STOCHASTIC_ROUND
    )
    model = _Quant(qnn.QuantIdentity(act_quant=quant)).eval()
    with pytest.raises(FrontendError) as raised:
        trace(model, torch.zeros(1, 4))
    assert str(raised.value) == (
        "layer.act_quant: rounds by StochasticRoundSte, which is not supported; use round or floor"
    )


def test_observers_are_refused():
    """A quantizer that only collects statistics gives other numbers than it says."""
    layer = zoo.ANY.identity(4)
    layer.act_quant.fused_activation_quant_proxy.tensor_quant.observer_only = True
    with pytest.raises(FrontendError) as raised:
        trace(_Quant(layer).eval(), torch.zeros(1, 4))
    assert str(raised.value) == (
        "layer.act_quant: gives other numbers than its scale, zero point and bits say; use an "
        "integer, binary or ternary quantizer"
    )
