"""What the exporters of PyTorch and onnxruntime write is what PyTorch and onnxruntime compute."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from tests.frontend.onnx_tools import by_runtime, graph_of
from tests.frontend.tools import Lambda, answers, convert, frames, golden

FINE = Config(weight_bits=14, activation_bits=14)
BOUND = 4e-3
torch.set_num_threads(1)


def residual() -> nn.Module:
    def forward(m, x):
        return functional.relu(m.norm(m.conv(x)) + x)

    return Lambda(forward, conv=nn.Conv2d(3, 3, 3, padding=1), norm=nn.BatchNorm2d(3))


def flattened() -> nn.Module:
    def forward(m, x):
        return m.fc(functional.max_pool2d(x, 2).view(x.size(0), -1))

    return Lambda(forward, fc=nn.Linear(27, 3))


def attention() -> nn.Module:
    def forward(m, x):
        return m.heads(x, x, x, need_weights=False)[0]

    return Lambda(forward, heads=nn.MultiheadAttention(8, 2, batch_first=True))


def masked() -> nn.Module:
    def forward(m, x):
        scores = m.fc(x) @ x.transpose(1, 2)
        return scores.masked_fill(torch.ones(4, 4).triu(1).bool(), -1e9).softmax(-1)

    return Lambda(forward, fc=nn.Linear(6, 6))


def pieces() -> nn.Module:
    def forward(m, x):
        parts = [part.relu() for part in x.chunk(2, 1)]
        return torch.cat(parts[::-1], 1)[:, 1:, ::2] + x[:, :-1, 1::2].flip(1)

    return Lambda(forward)


def recurrent(kind: str, **options):
    def make() -> nn.Module:
        layer = getattr(nn, kind)(5, 4, batch_first=True, **options)
        return Lambda(lambda m, x: m.layer(x)[0], layer=layer)

    return make


MODELS = {
    "lstm": (recurrent("LSTM"), (3, 5)),
    "gru": (recurrent("GRU", bidirectional=True), (3, 5)),
    "residual": (residual, (3, 6, 6)),
    "flattened": (flattened, (3, 6, 6)),
    "mobile": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU6(),
            nn.Conv2d(4, 4, 3, groups=4),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
        (3, 8, 8),
    ),
    "functions": (
        lambda: nn.Sequential(nn.Linear(8, 6), nn.SiLU(), nn.Linear(6, 6), nn.GELU()),
        (8,),
    ),
    "upsampled": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(3, 2, 3, 2, 1, 1), nn.Upsample(scale_factor=2, mode="bilinear")
        ),
        (3, 3, 3),
    ),
    "norm": (lambda: nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6)), (4, 8)),
    "group-norm": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), (3, 6, 6)),
    "attention": (attention, (4, 8)),
    "masked": (masked, (4, 6)),
    "pieces": (pieces, (4, 6)),
}


def exported(model: nn.Module, shape: tuple[int, ...], path, **options) -> onnx.ModelProto:
    said = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, *shape),), path, **options)
    return onnx.load(path)


@pytest.mark.parametrize("exporter", ["traced", "traced-open-batch", "exported"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_pytorch(name, exporter, tmp_path):
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model = make().eval()
    options: dict = {"dynamo": exporter == "exported", "opset_version": 18}
    if exporter == "exported":
        pytest.importorskip("onnxscript")
    elif exporter == "traced-open-batch":
        options |= {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    made = exported(model, shape, tmp_path / "made.onnx", **options)
    xs = [frames(*shape) / 4]
    graph = graph_of(made, xs, FINE, tmp_path)
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        np.testing.assert_allclose(found, expected, atol=BOUND)


@pytest.mark.parametrize("name", ["residual", "mobile", "functions", "pieces"])
def test_files_become_what_models_become(name, tmp_path):
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model = make().eval()
    made = exported(model, shape, tmp_path / "made.onnx", dynamo=False, do_constant_folding=False)
    xs = [frames(*shape) / 4]
    # Folding of batch normalization by the exporter rounds to float32.
    found, live = graph_of(made, xs, FINE, tmp_path), convert(model, xs, FINE)
    assert [n.op.name for n in found.nodes] == [n.op.name for n in live.nodes]
    assert [n.path for n in found.nodes] == [n.path for n in live.nodes]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["QUInt8", "QInt8"])
def test_a_model_quantized_by_onnxruntime_gives_the_same_steps(kind, per_channel, tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).eval()
    xs = frames(3, 8, 8, count=32) / 4
    exported(
        model, (3, 8, 8), tmp_path / "f.onnx", dynamo=False, opset_version=17, input_names=["x"]
    )

    class Reader(quantization.CalibrationDataReader):
        rows = iter(xs)

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {"x": row[None]}

    quantization.quantize_static(
        tmp_path / "f.onnx",
        tmp_path / "q.onnx",
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=getattr(quantization.QuantType, kind),
        weight_type=quantization.QuantType.QInt8,
    )
    made = onnx.load(tmp_path / "q.onnx")
    (found,) = golden(graph_of(made, [xs], Config(), tmp_path), [xs])
    (expected,) = by_runtime(made, [xs])
    np.testing.assert_allclose(found, expected, atol=2.0**-18 * np.abs(expected).max())
