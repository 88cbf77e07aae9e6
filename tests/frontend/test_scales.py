"""Quantizers of any scale: exact lines, factors that meet in quantizers, spelled-out forms."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwaccel
from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import FakeQuant
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.quantizers import Mode, Quantize
from hwaccel.frontend.requantize import MULTIPLIER_BITS, Rescale, line_of
from hwaccel.frontend.scales import factor_scales
from hwaccel.frontend.torch_export import trace
from hwaccel.frontend.units import units
from hwaccel.fxp import Rounding
from hwaccel.fxp.arith import round_shift
from hwaccel.ir import TensorType
from tests.frontend.tools import Lambda, answers, convert, golden, ops

# --- one quantizer: every integer, in exact arithmetic --------------------------------------------


def rounded(mode: Mode, y: Fraction) -> int:
    """Return ``y`` rounded, as the mode's name says."""
    below, tie = floor(y), (y - floor(y)) == Fraction(1, 2)
    nearest = below if y - below < Fraction(1, 2) else below + 1
    even = below if below % 2 == 0 else below + 1
    return {
        Mode.FLOOR: below,
        Mode.CEIL: ceil(y),
        Mode.TO_ZERO: below if y >= 0 else ceil(y),
        Mode.AWAY: ceil(y) if y >= 0 else below,
        Mode.HALF_UP: below + 1 if tie else nearest,
        Mode.HALF_DOWN: below if tie else nearest,
        Mode.HALF_EVEN: even if tie else nearest,
        Mode.HALF_ODD: 2 * below + 1 - even if tie else nearest,
        Mode.HALF_AWAY: (below + 1 if y > 0 else below) if tie else nearest,
        Mode.HALF_ZERO: (below if y > 0 else below + 1) if tie else nearest,
        Mode.HALF_EVEN_UP: (even if y > 0 else below + 1) if tie else nearest,
    }[mode]


def wanted(op: Quantize, type: TensorType) -> np.ndarray:
    scale, offset = Fraction(op.scale[0]) * 2**type.frac, Fraction(op.offset[0])
    ints = range(type.lo, type.hi + 1)
    return np.array(
        [min(max(rounded(op.mode, i / scale + offset), op.lo), op.hi) for i in ints], np.int64
    )


def found(op: Quantize, type: TensorType) -> tuple[np.ndarray, bool]:
    line = line_of(op, type)
    x = np.arange(type.lo, type.hi + 1) * line.mult[0] + line.add[0]
    y = round_shift(x, line.shift, line.rounding) if line.shift > 0 else x << -line.shift
    assert int(line.mult.max()).bit_length() <= MULTIPLIER_BITS
    return np.clip(y, op.lo + line.more, op.hi + line.more) - line.more, line.exact


def single(scale: float, offset: float, lo: int, hi: int, mode: Mode) -> Quantize:
    array = np.array([scale])
    return Quantize(array, np.ones(1), np.array([offset]), np.zeros(1), lo, hi, mode)


LINES = [mode for mode in Mode if mode not in (Mode.TO_ZERO, Mode.AWAY)]


@pytest.mark.parametrize("mode", LINES, ids=lambda m: m.value)
def test_lines_round_like_exact_arithmetic(mode):
    rng = np.random.default_rng(LINES.index(mode))
    for _ in range(25):
        bits = int(rng.integers(1, 9))
        lo = -(1 << (bits - 1)) if rng.random() < 0.5 else 0
        frac, most = int(rng.integers(0, 6)), int(rng.integers(2, 1 << 11))
        scale = float(np.float32(np.exp(rng.normal()) * most / 2 ** (frac + bits)))
        offset = float(np.float32(rng.normal(0, 3)))
        if rng.random() < 0.3:
            scale, offset = 2.0 ** round(np.log2(scale)), float(round(offset))
        op = single(scale, offset, lo, lo + (1 << bits) - 1, mode)
        ends = (-most, most) if rng.random() < 0.7 else (-most // 3, -most // 7)
        type = TensorType((1,), frac, *ends)
        got, exact = found(op, type)
        want = wanted(op, type)
        assert np.abs(got - want).max() <= 1
        assert np.array_equal(got, want) or not exact


def test_lines_are_exact_for_what_networks_need():
    """Scales of float32, accumulators of 16 bits, results of up to 8."""
    rng = np.random.default_rng(0)
    for bits in (2, 4, 8):
        for _ in range(10):
            scale = float(np.float32(rng.uniform(1, 2) * 2 ** (14 - bits)))
            op = single(scale, float(np.float32(rng.normal())), 0, (1 << bits) - 1, Mode.HALF_EVEN)
            _, exact = found(op, TensorType((1,), 0, -(1 << 15), (1 << 15) - 1))
            assert exact


def test_ties_that_no_line_has():
    """``x / 6`` half to even goes down at 3 and up at 9 and down at 15."""
    op = single(6.0, 0.0, -40, 40, Mode.HALF_EVEN)
    type = TensorType((1,), 0, -200, 200)
    got, exact = found(op, type)
    apart = np.flatnonzero(got != wanted(op, type)) + type.lo
    assert not exact
    assert set(apart % 6) <= {3}
    assert np.abs(got - wanted(op, type)).max() <= 1


def test_thirds_have_no_ties():
    op = single(9.0, 0.0, -40, 40, Mode.HALF_EVEN)
    type = TensorType((1,), 0, -400, 400)
    got, exact = found(op, type)
    assert exact
    assert np.array_equal(got, wanted(op, type))


def test_powers_of_two_are_shifts():
    line = line_of(single(2.0**-3, 0.0, -8, 7, Mode.HALF_EVEN), TensorType((1,), 7, -999, 999))
    assert (line.mult.tolist(), line.add.tolist(), line.shift) == ([1], [0], 4)
    assert line.rounding is Rounding.HALF_EVEN


@pytest.mark.parametrize("mode", list(Mode), ids=lambda m: m.value)
def test_torch_rounds_like_that(mode):
    y = np.arange(-20, 21) / 4
    want = [rounded(mode, Fraction(v)) for v in y]
    assert mode.round(torch.from_numpy(y)).tolist() == want
    n = np.arange(-4.0, 4.0)
    place, above = mode.thresholds(n)
    for k, at, inclusive in zip(n, place, above, strict=True):
        finer = Fraction(1, 1000)
        assert rounded(mode, Fraction(at) - finer) <= k < rounded(mode, Fraction(at) + finer)
        assert (rounded(mode, Fraction(at)) > k) == inclusive


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 12, 16])
@pytest.mark.parametrize("channels", [1, 6])
def test_units_of_weights(bits, channels):
    rng = np.random.default_rng(bits)
    half = 1 << (bits - 1)
    ints = rng.integers(1 - half, half, (6, 4, 3, 3))
    ints[:, 0, 0, :2] = half - 1, 1
    scale = np.exp(rng.normal(size=(channels, 1, 1, 1))).astype(np.float32)
    weight = (ints.astype(np.float32) * scale).astype(np.float64)
    made = units(weight)
    assert made is not None
    assert made.bits == bits
    mantissa, _ = np.frexp(scale.ravel().astype(np.float64))
    assert np.array_equal(made.factor, 2 * mantissa)
    found = made.exact / ints.clip(1) * (ints > 0)
    assert all(len(np.unique(row[row > 0])) == 1 for row in found.reshape(6, -1))


def test_random_weights_have_no_unit():
    rng = np.random.default_rng(0)
    for shape in ((5, 3), (5, 4), (8, 40), (6, 1, 3, 3)):
        assert units(rng.normal(size=shape).astype(np.float32).astype(np.float64)) is None


def test_few_different_weights():
    weight = np.float32(0.3) * np.array([[1.0, -1, 0], [1, 0, 0]], np.float32)
    made = units(weight.astype(np.float64))
    assert made is not None
    assert made.bits == 2
    assert units(np.zeros((2, 3))).bits == 2


# --- graphs ---------------------------------------------------------------------------------------


def fake(x, scale, lo=-128, hi=127, zero=0):
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, lo, hi)


def frames(*shape, count=50, scale=1.0, seed=3):
    """Return random multiples of 2^-10 times ``scale``."""
    ints = np.random.default_rng(seed).integers(-1500, 1500, (count, *shape))
    return (ints * scale / 1024).astype(np.float32)


def kinds(model, shape):
    return [type(node.op) for node in factor_scales(trace(model, frames(*shape))).nodes]


def test_graphs_without_formats_stay():
    graph = trace(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), frames(4))
    assert factor_scales(graph) is graph


def test_powers_of_two_need_no_factor():
    def forward(m, x):
        w = fake(m.one.weight, 2.0**-4)
        return fake(functional.linear(fake(x, 2.0**-5), w), 2.0**-3)

    found = kinds(Lambda(forward, one=nn.Linear(4, 3)), (4,))
    assert Quantize not in found
    assert Rescale not in found


CONFIG = Config(input="s14.10")


def apart(model, shape, config=CONFIG):
    """Return how far golden is from PyTorch, and the graph."""
    xs = [frames(*shape)]
    graph = convert(model, xs, config)
    return np.abs(golden(graph, xs)[0] - answers(model, xs)[0]), graph


def test_scales_meet_in_quantizers():
    def forward(m, x):
        w = fake(m.one.weight, 0.013)
        return fake(functional.linear(fake(x, 0.017), w, m.one.bias), 0.031)

    torch.manual_seed(0)
    error, graph = apart(Lambda(forward, one=nn.Linear(12, 8)), (12,))
    assert error.max() < 1e-6
    # For the input, behind the layer, and for the output.
    assert ops(graph).count("scale") == 3


def test_channels_of_activations():
    scale = torch.rand(6) * 0.01 + 0.01
    zero = torch.zeros(6, dtype=torch.int32)

    def forward(m, x):
        x = torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -128, 127)
        w = fake(m.one.weight, 0.02)
        return fake(functional.conv2d(x, w, groups=6), 0.023)

    torch.manual_seed(0)
    model = Lambda(forward, one=nn.Conv2d(6, 12, 3, groups=6))
    error, _ = apart(model, (6, 5, 5))
    assert error.max() < 1e-6


def test_channels_by_powers_of_two_go_into_weights():
    scale = 2.0 ** -torch.tensor([5.0, 6, 7, 5])
    zero = torch.zeros(4, dtype=torch.int32)

    def forward(m, x):
        x = torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -128, 127)
        return fake(functional.linear(x, fake(m.one.weight, 2.0**-6)), 2.0**-5)

    torch.manual_seed(0)
    error, _ = apart(Lambda(forward, one=nn.Linear(4, 5)), (4,))
    assert error.max() == 0
    assert Rescale not in kinds(Lambda(forward, one=nn.Linear(4, 5)), (4,))


def test_sums_of_other_scales():
    def forward(m, x):
        # Numbers with few common multiples, or sums would lie on thresholds.
        a, b = fake(x, 0.0191234), fake(2 * x, 0.0331777)
        return fake(a + b, 0.0412), fake(a - 3 * b, 0.1017), fake(torch.maximum(a, b), 0.0207)

    xs = [frames(9)]
    graph = convert(Lambda(forward), xs, CONFIG)
    for got, want, step in zip(
        golden(graph, xs), answers(Lambda(forward), xs), (0.0412, 0.1017, 0.0207), strict=True
    ):
        # Twenty bits of a factor can turn a rounding next to a threshold.
        error = np.abs(got - want)
        assert error.max() <= 1.001 * step
        assert (error > step / 2).mean() < 0.01


def test_products_of_values():
    def forward(m, x):
        return fake(fake(x, 0.017) * fake(x.flip(1), 0.033), 0.02)

    error, _ = apart(Lambda(forward), (8,))
    assert error.max() < 1e-6


def test_concatenation_of_other_scales():
    """A quantizer behind it is exact; a layer behind it gets 4 bits more than activation_bits."""

    def quantized(m, x):
        return fake(torch.cat([fake(x, 0.019), fake(x, 0.033)], 1), 0.025)

    def layer(m, x):
        both = torch.cat([fake(x, 0.019), fake(x, 0.033)], 1)
        return functional.linear(both, fake(m.one.weight, 0.02))

    torch.manual_seed(0)
    error, _ = apart(Lambda(quantized), (6,))
    assert error.max() < 1e-6
    one = nn.Linear(12, 4)
    error, _ = apart(Lambda(layer, one=one), (6,))
    assert error.max() <= 0.033 / 32 * float(one.weight.detach().abs().sum(1).max())


def test_averages_of_odd_windows():
    def forward(m, x):
        return fake(functional.avg_pool2d(fake(x, 0.021), 3), 0.013)

    error, _ = apart(Lambda(forward), (2, 6, 6))
    assert error.max() < 1e-6


def test_comparisons_and_places_need_no_factor():
    def forward(m, x):
        x = fake(x, 0.021)
        return (x > 0.1).float(), x.argmax(1, keepdim=True).float()

    xs = [frames(7)]
    graph = convert(Lambda(forward), xs, CONFIG)
    for got, want in zip(golden(graph, xs), answers(Lambda(forward), xs), strict=True):
        assert np.array_equal(got, want)


def test_functions_of_quantized_numbers_are_exact():
    def forward(m, x):
        return fake(torch.sigmoid(fake(x, 0.021)), 1 / 255, 0, 255)

    error, graph = apart(Lambda(forward), (7,))
    assert error.max() < 1e-6
    assert "table" in ops(graph)


def test_biases_of_floats_round_as_they_should():
    """A bias of 24 bits needs one bit more than what it is added to."""

    def forward(m, x):
        x = fake(x, 2.0**-5)
        return fake(torch.relu(functional.linear(x, fake(m.one.weight, 2.0**-6), m.one.bias)), 0.25)

    torch.manual_seed(1)
    one = nn.Linear(10, 16)
    xs = [frames(10, count=400)]
    graph = convert(Lambda(forward, one=one), xs, CONFIG)
    x = np.clip(np.rint(xs[0].astype(np.float64) * 32), -128, 127)
    w = np.clip(np.rint(one.weight.detach().double().numpy() * 64), -128, 127)
    total = x @ w.T / 2**11 + one.bias.detach().double().numpy()
    want = np.clip(np.rint(np.maximum(total, 0) * 4), -128, 127) / 4
    assert np.array_equal(golden(graph, xs)[0], want)
    dense = next(node for node in graph.nodes if node.op.name == "dense")
    assert graph.types()[dense.name].frac == 12


# --- zero points and rounding modes ---------------------------------------------------------------


@pytest.mark.parametrize("zero", [0, 3, 5, 8])
@pytest.mark.parametrize("scale", [0.25, 0.0371])
def test_zero_points(zero, scale):
    def behind(m, x):
        return fake(x, scale, 0, 15, zero)

    def inside(m, x):
        return (torch.clamp(torch.round(x / scale + zero), 0, 15) - zero) * scale

    for function in (behind, inside):
        error, _ = apart(Lambda(function), (20,))
        assert error.max() < 1e-6


def test_zero_points_of_channels():
    scale, zero = torch.tensor([0.031, 0.022, 0.25]), torch.tensor([3, -1, 7], dtype=torch.int32)

    def forward(m, x):
        return torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -8, 7)

    error, _ = apart(Lambda(forward), (3, 40))
    assert error.max() < 1e-6


SPELLED = {
    "half_even": lambda x: torch.clamp(torch.round(x / 0.03), -8, 7) * 0.03,
    "dyadic": lambda x: torch.clamp(torch.round(x * 8), -8, 7) / 8,
    "floor": lambda x: torch.clamp(torch.floor(x / 0.03), -8, 7) * 0.03,
    "half_up": lambda x: torch.clamp(torch.floor(x / 0.03 + 0.5), -8, 7) * 0.03,
    "ceil": lambda x: torch.clamp(torch.ceil(x / 0.03), -8, 7) * 0.03,
    "to_zero": lambda x: torch.clamp(torch.trunc(x / 0.03), -8, 7) * 0.03,
    "to_zero_dyadic": lambda x: torch.clamp(torch.trunc(x / 0.25), -8, 7) * 0.25,
    "scalar_tensor": lambda x: torch.clamp(torch.round(x / x.new_tensor(0.03)), -8, 7) * 0.03,
    "clipped_before": lambda x: torch.round(torch.clamp(x, 0, 1) * 15) / 15,
    "extrema": lambda x: (
        torch.minimum(torch.maximum(torch.round(x / 0.03), torch.tensor(-8.0)), torch.tensor(7.0))
        * 0.03
    ),
    "relu": lambda x: torch.clamp(torch.round(torch.relu(x) / 0.03), max=15) * 0.03,
    "binary": lambda x: torch.where(x >= 0, 0.3, -0.3),
    "binary_arithmetic": lambda x: ((x >= 0).to(x.dtype) * 2 - 1) * 0.3,
    "binary_strict": lambda x: torch.where(x > 0.125, 0.5, -0.5),
}


@pytest.mark.parametrize("name", SPELLED)
def test_spelled_out(name):
    error, graph = apart(Lambda(lambda m, x: SPELLED[name](x)), (30,))
    assert error.max() < 1e-6
    assert "table" not in ops(graph)


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1)])
def test_spelled_out_for_channels(shape):
    scale = (torch.rand(4) * 0.03 + 0.01).reshape(shape)
    zero = torch.tensor([1.0, 3, 5, 0]).reshape(shape)

    def forward(m, x):
        return (torch.clamp(torch.round(x / scale + zero), 0, 15) - zero) * scale

    error, graph = apart(Lambda(forward), (4, 3, 3))
    assert error.max() < 1e-6
    assert "table" not in ops(graph)


def test_spelled_out_along_the_last_axis():
    scale = torch.rand(4) * 0.03 + 0.01

    def forward(m, x):
        return torch.clamp(torch.round(x / scale), -8, 7) * scale

    error, graph = apart(Lambda(forward), (3, 4))
    assert error.max() < 1e-6
    assert "table" not in ops(graph)


def test_rounding_without_limits_is_a_table():
    graph = convert(Lambda(lambda m, x: torch.round(x)), [frames(4)], CONFIG)
    assert "table" in ops(graph)


def test_weights_that_are_spelled_out():
    def forward(m, x):
        w = torch.clamp(torch.round(m.one.weight / 0.02), -7, 7) * 0.02
        x = torch.clamp(torch.round(x / 0.017), -128, 127) * 0.017
        return torch.clamp(torch.round(functional.linear(x, w) / 0.03), -128, 127) * 0.03

    torch.manual_seed(0)
    error, _ = apart(Lambda(forward, one=nn.Linear(12, 8)), (12,))
    assert error.max() < 1e-6


def test_float_graph_of_a_power_of_two():
    graph = trace(Lambda(lambda m, x: fake(x, 0.25, 0, 15, 4)), frames(4))
    (node,) = graph.nodes
    assert isinstance(node.op, FakeQuant)
    assert (node.op.frac, node.op.lo, node.op.hi) == (2, -4, 11)


def test_too_many_steps_are_refused():
    """Only as many as the operand can reach count."""
    few = Lambda(lambda m, x: fake(x, 0.03, -(1 << 30), (1 << 30) - 1))
    error, _ = apart(few, (4,))
    assert error.max() < 1e-6
    many = Lambda(lambda m, x: fake(x, 0.03, -(1 << 30), (1 << 30) - 1))
    with pytest.raises(FrontendError) as raised:
        apart(many, (4,), Config(input="s30.4"))
    assert str(raised.value) == (
        "the model's forward: quantize: rounds to 2147483648 integers by a scale that is no power "
        "of two, expected at most 1048576; use 16 bits or fewer"
    )


# --- inputs and hardware --------------------------------------------------------------------------


def test_inputs_have_eight_bits_more_than_their_quantizer():
    graph = quantize(trace(Lambda(lambda m, x: fake(x, 0.03)), frames(4)), frames(4))
    (value,) = graph.inputs
    assert str(value.type.fixed) == "s17.14"


@pytest.mark.rtl
def test_hardware():
    def forward(m, x):
        x = torch.clamp(torch.trunc(x / 0.03), -8, 7) * 0.03
        y = functional.linear(x, fake(m.one.weight, 0.02, -8, 7), m.one.bias)
        z = torch.where(y >= 0, 0.3, -0.3)
        return fake(z + fake(y, 0.07, 0, 15, 5), 0.05, -8, 7)

    torch.manual_seed(0)
    model, xs = Lambda(forward, one=nn.Linear(6, 4)), frames(6, count=4)
    design = hwaccel.convert(model, torch.from_numpy(xs), config=CONFIG)
    design.simulate(xs, simulator="icarus")
