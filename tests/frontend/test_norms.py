"""Normalization, moments and norms, against PyTorch on the same quantized input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.staged import segments
from hwaccel.frontend.torch_export import trace
from tests.frontend.tools import Lambda, answers, convert, frames, golden, ops

BITS = 8
EIGHT = Config(
    input="s8.4",
    weight_bits=8,
    activation_bits=BITS,
    output_bits=BITS,
    calibration="minmax",
)


def trained(model: nn.Module) -> nn.Module:
    """Replace weights by numbers around one, and biases by numbers around zero."""
    torch.manual_seed(len(list(model.parameters())))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.rand_like(parameter) + (0.5 if "bias" not in name else -0.5))
    return model


def steps(model: nn.Module, x: np.ndarray, config: Config = EIGHT) -> float:
    """Return the largest distance from PyTorch, in steps of the result."""
    graph = convert(model, [x], config)
    worst = 0.0
    found = zip(graph.outputs, golden(graph, [x]), answers(model, [x]), strict=True)
    for output, y, expected in found:
        error = np.abs(y.reshape(expected.shape) - expected).max()
        worst = max(worst, float(error) * 2.0 ** graph.types()[output].frac)
    return worst


class Spelled(nn.Module):
    """Layers as people write them."""

    def __init__(self, function, size: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.function = function

    def forward(self, x):
        return self.function(x, self.weight, self.bias)


def convnext(x, w, b):
    mean = x.mean(1, keepdim=True)
    var = (x - mean).pow(2).mean(1, keepdim=True)
    return w[:, None, None] * ((x - mean) / torch.sqrt(var + 1e-6)) + b[:, None, None]


def annotated(x, w, b):
    return w * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6) + b


def llama(x, w, b):
    return w * (x.float() * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x)


def instance(x, w, b):
    var, mean = torch.var_mean(x, dim=(2, 3), unbiased=False, keepdim=True)
    return (x - mean) * torch.rsqrt(var + 1e-5)


def running(norm: nn.Module) -> nn.Module:
    norm.running_mean.copy_(torch.linspace(-1, 1, 6))
    norm.running_var.copy_(torch.linspace(0.5, 2, 6))
    return norm


NORMS = {
    "layer-vector": (nn.LayerNorm(24), (24,)),
    "layer-one": (nn.LayerNorm(24, elementwise_affine=False), (24,)),
    "layer-no-bias": (nn.LayerNorm(7, bias=False), (3, 7)),
    "layer-last": (nn.LayerNorm(6), (5, 6)),
    "layer-all": (nn.LayerNorm((3, 4, 5)), (3, 4, 5)),
    "layer-two": (nn.LayerNorm((4, 5)), (3, 4, 5)),
    "layer-image": (nn.LayerNorm(5), (3, 4, 5)),
    "layer-power-of-two": (nn.LayerNorm(16, eps=0.125), (2, 16)),
    "layer-single": (nn.LayerNorm(1), (5, 1)),
    "layer-functional": (Lambda(lambda m, x: functional.layer_norm(x, (6,))), (4, 6)),
    "group": (nn.GroupNorm(2, 6), (6, 4, 3)),
    "group-one": (nn.GroupNorm(1, 6), (6, 5)),
    "group-vector": (nn.GroupNorm(3, 12), (12,)),
    "group-each": (nn.GroupNorm(4, 4, affine=False), (4, 3, 3)),
    "group-functional": (Lambda(lambda m, x: functional.group_norm(x, 3)), (6, 4)),
    "instance-2d": (nn.InstanceNorm2d(6, affine=True), (6, 4, 3)),
    "instance-1d": (nn.InstanceNorm1d(6), (6, 9)),
    "instance-running": (running(nn.InstanceNorm2d(6, track_running_stats=True)), (6, 3, 3)),
    "instance-functional": (Lambda(lambda m, x: functional.instance_norm(x)), (6, 4, 3)),
    "rms": (nn.RMSNorm(24), (24,)),
    "rms-two": (nn.RMSNorm((4, 5), eps=1e-3), (3, 4, 5)),
    "rms-functional": (Lambda(lambda m, x: functional.rms_norm(x, (6,))), (4, 6)),
    "unit": (Lambda(lambda m, x: functional.normalize(x)), (10,)),
    "unit-channels": (Lambda(lambda m, x: functional.normalize(x, dim=1)), (6, 3, 2)),
    "unit-own": (Lambda(lambda m, x: x / x.norm(dim=-1, keepdim=True)), (4, 6)),
    "spelled-convnext": (Spelled(convnext, 6), (6, 3, 4)),
    "spelled-annotated": (Spelled(annotated, 8), (5, 8)),
    "spelled-llama": (Spelled(llama, 8), (5, 8)),
    "spelled-instance": (Spelled(instance, 1), (4, 3, 5)),
}


@pytest.mark.parametrize("name", NORMS)
def test_within_a_step(name):
    """Half a step is the rounding; weights of 10 bits and an inverse root of 10 are the rest."""
    model, shape = NORMS[name]
    assert steps(trained(model), frames(*shape, count=12)) <= 0.75


@pytest.mark.parametrize("name", [name for name in NORMS if name.startswith("spelled")])
def test_what_is_spelled_out_is_one_op(name):
    model, shape = NORMS[name]
    found = ops(convert(model, [frames(*shape)], EIGHT))
    # Two products of computed values in front of the root, one behind it, or without a mean one.
    assert found.count("multiply") == (2 if "llama" in name else 3)


def test_what_falls_too_fast_stays_apart():
    """The root tables need a power of the mean square; anything else is computed as written."""
    model = Lambda(lambda m, x: x * torch.exp(-(x * x).mean(1, keepdim=True)))
    found = ops(convert(model, [frames(6) / 8], EIGHT))
    assert (found.count("table"), found.count("multiply")) == (1, 2)


@pytest.mark.parametrize("name", ["layer-last", "layer-two", "group", "rms-two", "unit-channels"])
def test_decomposed(name):
    model, shape = NORMS[name]
    x = frames(*shape, count=12)
    exported = torch.export.export(trained(model).eval(), (torch.from_numpy(x),))
    graph = quantize(trace(exported.run_decompositions()), x, EIGHT)
    error = np.abs(golden(graph, [x])[0] - answers(model, [x])[0]).max()
    assert error * 2.0 ** graph.types()[graph.outputs[0]].frac <= 0.75


def test_any_variance():
    """From one unit in the last place to the whole range, and none at all."""
    rng = np.random.default_rng(3)
    rows = [np.rint(rng.normal(0, 2.0**k, (6, 40))) for k in np.arange(-2, 13.5, 0.5)]
    x = (np.clip(np.concatenate([*rows, np.full((1, 40), 77)]), -(2**15), 2**15 - 1)) / 256
    x = x.astype(np.float32)
    config = Config(
        input="s16.8", activation_bits=8, output_bits=8, weight_bits=8, calibration="minmax"
    )
    assert steps(nn.LayerNorm(40, eps=1e-5), x, config) <= 0.75
    assert steps(nn.LayerNorm(40, eps=0.5), x, config) <= 0.75


@pytest.mark.parametrize("bits", [4, 6, 10, 12])
def test_other_widths(bits):
    config = Config(
        input=f"s{bits}.{bits - 4}",
        activation_bits=bits,
        output_bits=bits,
        weight_bits=12,
        calibration="minmax",
    )
    x = np.round(frames(32, count=12) * 2.0 ** (bits - 8)) / 2.0 ** (bits - 8)
    limit = 2.0 ** (bits - 1) - 1
    x = (np.clip(np.rint(x * 2.0 ** (bits - 4)), -limit, limit) / 2.0 ** (bits - 4)).astype("f4")
    assert steps(nn.LayerNorm(32, elementwise_affine=False), x, config) <= 0.75


def test_segments_are_fine_enough_and_meet():
    for bottom, top, offset, bits in [
        (1, 1, 0, 9),
        (63, 1 << 26, 0, 9),
        (1, 1 << 40, 0, 5),
        (0, 1 << 30, 1e5, 9),
        (5, 5000, 1e9, 12),
        (1000, 1 << 50, 3.0, 14),
    ]:
        cut = segments(bottom, top, offset, bits)
        assert cut[0].first <= bottom
        assert cut[-1].last >= top
        for before, after in pairwise(cut):
            assert before.last == after.first
        for part in cut:
            lo, hi = part.ends
            assert (lo << part.shift, hi << part.shift) == (part.first, part.last)
            assert hi - lo < 1 << min(max(bits + 3, 12), 16)
            half = 2.0 ** (part.shift - 1) if part.shift else 0.0
            assert half <= (max(part.first, bottom) + offset) * 2.0**-bits


MOMENTS = {
    "var": (lambda m, x: x.var(1), (6, 3, 4)),
    "var-last": (lambda m, x: x.var(-1, unbiased=False), (6, 3, 4)),
    "var-axes": (lambda m, x: torch.var(x, (1, 3), keepdim=True), (6, 3, 4)),
    "var-all": (lambda m, x: x.flatten(1).var(1, correction=0), (6, 3, 4)),
    "std": (lambda m, x: x.std(2), (6, 3, 4)),
    "std-axes": (lambda m, x: x.std((2, 3), correction=0), (6, 3, 4)),
    "std-vector": (lambda m, x: x.std(1), (9,)),
    "var-mean": (lambda m, x: torch.var_mean(x, 1), (6, 4)),
    "std-mean": (lambda m, x: torch.std_mean(x, (1, 2), correction=0), (5, 4, 3)),
    "norm": (lambda m, x: x.norm(dim=1), (6, 3)),
    "norm-functional": (lambda m, x: torch.linalg.norm(x, dim=-1), (6, 3)),
    "norm-1": (lambda m, x: torch.norm(x, p=1, dim=2), (6, 3)),
    "norm-inf": (lambda m, x: torch.linalg.vector_norm(x, float("inf"), dim=(1, 2)), (6, 3)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    function, shape = MOMENTS[name]
    assert steps(Lambda(function), frames(*shape, count=12)) <= 0.75


def test_a_root_of_nothing_is_nothing():
    graph = convert(Lambda(lambda m, x: x.std(1)), [frames(6, 3)], EIGHT)
    (found,) = golden(graph, [np.full((1, 6, 3), 1.5, np.float32)])
    assert not found.any()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda m, x: x.var(0),
            "var: dim is (0,), which has the batch in it; leave it out",
        ),
        (
            lambda m, x: x[:, :1].var(1),
            "var: divides by 1 - 1; use correction=0, or more elements",
        ),
        (
            lambda m, x: x.norm(p=3, dim=1),
            "linalg_vector_norm: the order is 3; use 1, 2 or inf",
        ),
        (
            lambda m, x: functional.layer_norm(x, (7, 6)),
            "layer_norm: normalizes over the batch; leave that axis out of normalized_shape",
        ),
        (
            lambda m, x: x.prod(1),
            "prod: is not supported; split the tensor and multiply the parts, or sum logarithms",
        ),
        (
            lambda m, x: x.sort(1)[0],
            "sort: is not supported; use topk with k=1, which is max over a dim, or choose outside "
            "the model",
        ),
    ],
)
def test_refused(function, text):
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(6)])
    assert str(caught.value) == f"the model's forward: {text}"


def test_too_many_bits():
    with pytest.raises(FrontendError) as caught:
        convert(nn.LayerNorm(64), [frames(64)], Config(input="s30.10"))
    assert str(caught.value) == (
        "the model's forward: standardize: squares of sums of 64 numbers of 30 bits need more than "
        "60 bits; use fewer bits for activations"
    )
