"""Models of Brevitas layers for the tests: by powers of two, and by any scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from brevitas import nn as qnn
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8BiasPerTensorFixedPointInternalScaling,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerTensorFloat,
    Uint8ActPerTensorFixedPoint,
    Uint8ActPerTensorFloat,
)
from brevitas.quant.binary import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from brevitas.quant.fixed_point import Int8WeightPerChannelFixedPoint
from brevitas.quant.ternary import SignedTernaryActPerTensorConst, SignedTernaryWeightPerTensorConst
from torch import nn

Shape = tuple[int, ...]
Made = tuple[nn.Module, Shape]


class Family:
    """The quantizers of a model: of activations, after relus, of weights, and per channel."""

    def __init__(self, signed: Any, unsigned: Any, weight: Any, channel: Any) -> None:
        self.signed, self._unsigned = signed, unsigned
        self._weight, self._channel = weight, channel

    def identity(self, bits: int = 8) -> nn.Module:
        quant = self.signed
        return qnn.QuantIdentity(act_quant=quant, bit_width=bits, return_quant_tensor=True)

    def relu(self, bits: int = 4) -> nn.Module:
        quant = self._unsigned
        return qnn.QuantReLU(act_quant=quant, bit_width=bits, return_quant_tensor=True)

    def layer(self, kind: Any, *sizes: int, bits: int = 4, channel: bool = False, **more: Any):
        quant = self._channel if channel else self._weight
        more.setdefault("bias_quant", Int32Bias if more.get("bias", True) else None)
        more.setdefault("bias", True)
        return kind(*sizes, weight_quant=quant, weight_bit_width=bits, **more)

    def linear(self, *sizes: int, **more: Any) -> nn.Module:
        return self.layer(qnn.QuantLinear, *sizes, **more)

    def conv(self, *sizes: int, **more: Any) -> nn.Module:
        return self.layer(qnn.QuantConv2d, *sizes, **more)


DYADIC = Family(
    Int8ActPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerChannelFixedPoint,
)
ANY = Family(
    Int8ActPerTensorFloat,
    Uint8ActPerTensorFloat,
    Int8WeightPerTensorFloat,
    Int8WeightPerChannelFloat,
)


# --- graphs that every family can be made of ------------------------------------------------------


def mlp(f: Family) -> Made:
    layers = f.identity(), f.linear(16, 24), f.relu(), f.linear(24, 10, bits=6)
    return nn.Sequential(*layers), (16,)


def cnn(f: Family) -> Made:
    first, second = f.conv(2, 6, 3, padding=1), f.conv(6, 8, 3, channel=True)
    front = f.identity(), first, f.relu(), nn.MaxPool2d(2), second, f.relu()
    return nn.Sequential(*front, nn.Flatten(), f.linear(8 * 2 * 2, 5)), (2, 8, 8)


class _Residual(nn.Module):
    def __init__(self, f: Family) -> None:
        super().__init__()
        self.front = nn.Sequential(f.identity(), f.conv(2, 6, 3, padding=1), f.relu())
        self.block = nn.Sequential(
            f.conv(6, 6, 3, padding=1), f.relu(), f.conv(6, 6, 3, padding=1, channel=True)
        )
        self.same, self.relu, self.last = f.identity(), f.relu(), f.linear(96, 4)

    def forward(self, x):
        x = self.front(x)
        y = self.relu(self.same(x) + self.same(self.block(x)))
        return self.last(torch.flatten(y, 1))


def residual(f: Family) -> Made:
    return _Residual(f), (2, 4, 4)


class _Plain(nn.Module):
    """A sum of an accumulator and an activation, quantized at once."""

    def __init__(self, f: Family) -> None:
        super().__init__()
        self.front = nn.Sequential(f.identity(), f.conv(2, 4, 3, padding=1), f.relu())
        self.conv, self.relu = f.conv(4, 4, 3, padding=1, channel=True), f.relu()

    def forward(self, x):
        x = self.front(x)
        return self.relu(x.value + self.conv(x) if isinstance(x, tuple) else x + self.conv(x))


class _Added(nn.Module):
    def __init__(self, f: Family) -> None:
        super().__init__()
        self.front = nn.Sequential(f.identity(), f.conv(2, 4, 3, padding=1), f.relu())
        self.conv = f.conv(4, 4, 3, padding=1)
        self.add = qnn.QuantEltwiseAdd(
            input_quant=f.signed, output_quant=f.signed, return_quant_tensor=True
        )
        self.relu = f.relu()

    def forward(self, x):
        x = self.front(x)
        return self.relu(self.add(x, self.conv(x)))


def added(f: Family) -> Made:
    return _Added(f), (2, 5, 5)


class _Joined(nn.Module):
    def __init__(self, f: Family) -> None:
        super().__init__()
        self.quant = f.identity()
        self.one, self.two = f.conv(2, 4, 3, bias=False), f.conv(2, 3, 3, bias=False, channel=True)
        self.same, self.last, self.out = f.identity(), f.conv(7, 3, 1), f.identity()

    def forward(self, x):
        x = self.quant(x)
        both = torch.cat([self.same(self.one(x)), self.same(self.two(x))], 1)
        return self.out(self.last(both))


def joined(f: Family) -> Made:
    return _Joined(f), (2, 5, 5)


def depthwise(f: Family) -> Made:
    one = f.conv(4, 4, 3, groups=4, padding=1, channel=True)
    layers = f.identity(), one, f.relu(), f.conv(4, 8, 1, channel=True), f.relu()
    return nn.Sequential(*layers), (4, 6, 6)


def sequences(f: Family) -> Made:
    one = f.layer(qnn.QuantConv1d, 3, 6, 3)
    two = f.layer(qnn.QuantConv1d, 6, 4, 3, dilation=2, channel=True)
    return nn.Sequential(f.identity(), one, f.relu(), two, f.identity(6)), (3, 16)


def transposed(f: Family) -> Made:
    one = f.layer(qnn.QuantConvTranspose2d, 3, 4, 3, stride=2)
    return nn.Sequential(f.identity(), one, f.relu(), f.conv(4, 2, 3), f.identity()), (3, 4, 4)


def transposed1d(f: Family) -> Made:
    one = f.layer(qnn.QuantConvTranspose1d, 3, 4, 3, stride=2)
    two = f.layer(qnn.QuantConv1d, 4, 2, 3)
    return nn.Sequential(f.identity(), one, f.relu(), two, f.identity()), (3, 6)


def truncated(f: Family) -> Made:
    pool = qnn.TruncAvgPool2d(2, bit_width=6)
    layers = f.identity(), f.conv(3, 4, 3), f.relu(6), pool, f.conv(4, 3, 1), f.identity()
    return nn.Sequential(*layers), (3, 6, 6)


def truncated_thirds(f: Family) -> Made:
    """Nine pixels per average: their sum is an integer again."""
    pool = qnn.TruncAvgPool2d(3, bit_width=6)
    layers = f.identity(), f.conv(3, 4, 3), f.relu(6), pool, f.conv(4, 3, 1), f.identity()
    return nn.Sequential(*layers), (3, 8, 8)


def global_average(f: Family) -> Made:
    pool = qnn.TruncAdaptiveAvgPool2d(1, bit_width=6)
    layers = f.identity(), f.conv(3, 4, 3), f.relu(6), pool, nn.Flatten(), f.linear(4, 3)
    return nn.Sequential(*layers), (3, 6, 6)


def averaged(f: Family) -> Made:
    layers = f.identity(), f.conv(3, 4, 3), f.relu(6), nn.AvgPool2d(2), f.identity(6)
    return nn.Sequential(*layers, f.conv(4, 3, 1), f.identity()), (3, 6, 6)


def normalized(f: Family) -> Made:
    """Batch normalization between a convolution and its quantizer: a scale per channel."""
    one, two = f.conv(3, 6, 3, bias=False), f.conv(6, 4, 3, bias=False, channel=True)
    layers = f.identity(), one, nn.BatchNorm2d(6), f.relu(), two, nn.BatchNorm2d(4), f.relu()
    return nn.Sequential(*layers), (3, 6, 6)


def float_bias(f: Family) -> Made:
    one, two = f.linear(8, 12, bias=False), f.linear(12, 6, bias_quant=None)
    return nn.Sequential(f.identity(), one, f.relu(), two, f.identity(5)), (8,)


def rows(f: Family) -> Made:
    """Linear layers along the last axis of two."""
    layers = f.identity(), f.linear(8, 6, channel=True), f.relu(), f.linear(6, 4), f.identity()
    return nn.Sequential(*layers), (5, 8)


def upsampled(f: Family) -> Made:
    layers = f.identity(), f.conv(2, 3, 3), f.identity(), qnn.QuantUpsample(scale_factor=2)
    return nn.Sequential(*layers, f.conv(3, 2, 3), f.identity()), (2, 5, 5)


def clipped(f: Family) -> Made:
    one = qnn.QuantHardTanh(
        min_val=-1.0, max_val=1.0, act_quant=f.signed, bit_width=4, return_quant_tensor=True
    )
    return nn.Sequential(f.identity(), f.linear(8, 8), one, f.linear(8, 4)), (8,)


GRAPHS: tuple[Callable[[Family], Made], ...] = (
    *(mlp, cnn, residual, added, joined, depthwise, sequences, transposed, transposed1d),
    *(truncated, truncated_thirds, global_average, averaged, normalized, float_bias, rows),
    *(upsampled, clipped),
)


# --- graphs of a family of their own --------------------------------------------------------------


def binary() -> Made:
    act = SignedBinaryActPerTensorConst.let(scaling_const=0.5)
    weight = SignedBinaryWeightPerTensorConst.let(scaling_const=0.25)
    return _bits(act, weight)


def ternary() -> Made:
    act = SignedTernaryActPerTensorConst.let(scaling_const=1.0)
    weight = SignedTernaryWeightPerTensorConst.let(scaling_const=0.25)
    return _bits(act, weight)


def _bits(act: Any, weight: Any) -> Made:
    def identity() -> nn.Module:
        return qnn.QuantIdentity(act_quant=act, return_quant_tensor=True)

    layers = [qnn.QuantLinear(16, 12, bias=False, weight_quant=weight), identity()]
    return nn.Sequential(
        identity(), *layers, qnn.QuantLinear(12, 5, bias=False, weight_quant=weight)
    ), (16,)


def own_bias() -> Made:
    f, bias = DYADIC, Int8BiasPerTensorFixedPointInternalScaling
    layers = f.identity(), f.linear(8, 6, bias_quant=bias), f.relu(), f.linear(6, 3, bias=False)
    return nn.Sequential(*layers), (8,)


def shifted() -> Made:
    """Zero points of activations, where the bias stays a float: its quantizer knows none."""
    f = Family(ShiftedUint8ActPerTensorFloat, Uint8ActPerTensorFloat, Int8WeightPerTensorFloat, 0)
    one, two = (f.linear(*sizes, bias_quant=None) for sizes in ((16, 12), (12, 5)))
    return nn.Sequential(f.identity(), one, f.identity(4), two, f.identity()), (16,)


def shifted_weights() -> Made:
    f = Family(Int8ActPerTensorFloat, Uint8ActPerTensorFloat, ShiftedUint8WeightPerTensorFloat, 0)
    layers = f.identity(), f.linear(16, 12, bias_quant=None), f.relu(), f.linear(12, 5, bias=False)
    return nn.Sequential(*layers, f.identity()), (16,)


def plain_sum() -> Made:
    return _Plain(ANY), (2, 5, 5)


def no_input_quantizer() -> Made:
    layers = ANY.linear(8, 8, channel=True, bias_quant=None), ANY.relu(), ANY.linear(8, 4)
    return nn.Sequential(*layers), (8,)


def sigmoid() -> Made:
    quant = qnn.QuantSigmoid(bit_width=6, return_quant_tensor=True)
    return nn.Sequential(ANY.identity(), ANY.linear(8, 8), quant), (8,)


def tanh() -> Made:
    quant = qnn.QuantTanh(bit_width=6, return_quant_tensor=True)
    return nn.Sequential(ANY.identity(), ANY.linear(8, 8), quant), (8,)


def embedded() -> Made:
    """Words of five indices."""
    words = qnn.QuantEmbedding(10, 4, weight_quant=Int8WeightPerTensorFloat)
    layers = ANY.linear(20, 6, bias_quant=None), ANY.relu(), ANY.linear(6, 3), ANY.identity()
    return nn.Sequential(words, nn.Flatten(), *layers), (5,)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = qnn.QuantMultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


def attention() -> Made:
    return _Attention(), (4, 8)


# --- what all tests do with them ------------------------------------------------------------------


def trained(made: Made, seed: int = 0) -> tuple[nn.Module, Shape]:
    """Return a model in eval mode whose quantizers have seen some frames."""
    model, shape = made
    torch.manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-0.5, 0.5)
        model.train()
        for _ in range(10):
            whole = isinstance(next(iter(model.children())), nn.Embedding)
            model(torch.randint(0, 10, (16, *shape)) if whole else torch.randn(16, *shape))
    return model.eval(), shape


def said(model: nn.Module, x: Any) -> Any:
    """Return what Brevitas gives for an array of frames."""
    with torch.no_grad():
        y = model(torch.from_numpy(x).float())
    return (y if isinstance(y, torch.Tensor) else y.value).double().numpy()
