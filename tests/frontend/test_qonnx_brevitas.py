"""What Brevitas writes as QONNX is what the qonnx package computes, in every bit."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from hwaccel.config import Config
from tests.frontend.onnx_tools import by_qonnx, graph_of
from tests.frontend.tools import frames, golden

qnn = pytest.importorskip("brevitas.nn")
quant = pytest.importorskip("brevitas.quant")
pytest.importorskip("onnxoptimizer")
pytest.importorskip("qonnx")
torch.set_num_threads(1)


class Weights(quant.Int8WeightPerTensorFloat):
    restrict_scaling_type = "power_of_two"


class Channels(quant.Int8WeightPerChannelFloat):
    restrict_scaling_type = "power_of_two"


class Signed(quant.Int8ActPerTensorFixedPoint):
    scaling_impl_type = "const"
    scaling_init = 4.0


class Unsigned(quant.Uint8ActPerTensorFixedPoint):
    scaling_impl_type = "const"
    scaling_init = 4.0


def weights(bits: int, kind: type = Weights) -> dict:
    return {"weight_quant": kind, "weight_bit_width": bits}


def mlp() -> nn.Module:
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Signed, bit_width=7, return_quant_tensor=True),
        qnn.QuantLinear(12, 16, True, bias_quant=quant.Int16Bias, **weights(4)),
        qnn.QuantReLU(act_quant=Unsigned, bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(16, 5, False, **weights(3, Channels)),
        qnn.QuantIdentity(act_quant=Signed, bit_width=6),
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Signed, return_quant_tensor=True),
        qnn.QuantConv2d(3, 4, 3, padding=1, bias=False, **weights(4, Channels)),
        nn.BatchNorm2d(4, eps=0.0),
        qnn.QuantReLU(act_quant=Unsigned, bit_width=5),
        nn.MaxPool2d(2),
        qnn.QuantConv2d(4, 4, 3, groups=4, padding=1, bias=False, **weights(4)),
        qnn.QuantReLU(act_quant=Unsigned, bit_width=5),
        nn.Flatten(),
        qnn.QuantLinear(36, 5, False, **weights(4)),
    )


def residual() -> nn.Module:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = qnn.QuantIdentity(act_quant=Signed)
            self.conv = qnn.QuantConv2d(3, 3, 3, padding=1, bias=False, **weights(4))
            self.second = qnn.QuantIdentity(act_quant=Signed, bit_width=6)
            self.last = qnn.QuantReLU(act_quant=Unsigned, bit_width=6)

        def forward(self, x):
            x = self.first(x)
            return self.last(x + self.second(self.conv(x)))

    return Residual()


def pooled() -> nn.Module:
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Signed, bit_width=6, return_quant_tensor=True),
        qnn.QuantConv2d(3, 4, 3, bias=False, **weights(3)),
        qnn.QuantReLU(act_quant=Unsigned, bit_width=5, return_quant_tensor=True),
        qnn.TruncAvgPool2d(2),
    )


def binary() -> nn.Module:
    class Signs(quant.SignedBinaryActPerTensorConst):
        scaling_init = 0.5

    class Bits(quant.SignedBinaryWeightPerTensorConst):
        scaling_const = 0.25

    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Signs),
        qnn.QuantLinear(12, 8, False, weight_quant=Bits),
        qnn.QuantIdentity(act_quant=Signs),
        qnn.QuantLinear(8, 3, False, weight_quant=Bits),
    )


MODELS = {
    "mlp": (mlp, (12,)),
    "cnn": (cnn, (3, 6, 6)),
    "residual": (residual, (3, 6, 6)),
    "pooled": (pooled, (3, 6, 6)),
    "binary": (binary, (12,)),
}


def exported(model: nn.Module, shape: tuple[int, ...], path) -> onnx.ModelProto:
    from brevitas.export import export_qonnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_qonnx(model, args=torch.zeros(1, *shape), export_path=str(path))
    return onnx.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_is_exact(name, tmp_path):
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model = make().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                module.running_var.fill_(0.25)
                module.bias.copy_(torch.tensor([0.5, -0.25, 0.125, 0.0]))
    made = exported(model, shape, tmp_path / "brevitas.onnx")
    xs = [frames(*shape, count=8) / 2]
    graph = graph_of(made, xs, Config(), tmp_path)
    stored = {tensor.name for tensor in made.graph.initializer}
    for value in [v for v in made.graph.input if v.name in stored]:
        made.graph.input.remove(value)
    (found,), (expected,) = golden(graph, xs), by_qonnx(made, xs)
    np.testing.assert_array_equal(found, expected)
