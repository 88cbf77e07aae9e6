"""Every class of ``torch.nn`` and every function of ``torch.nn.functional``.

Each is converted, and then right within a computed bound, or refused in one line that names the
place, the reason and a way out. The tables say which; a name that PyTorch adds fails the test
until somebody says what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.ir import verify
from tests.frontend.oracle import check_conversion
from tests.frontend.tools import Lambda, frames, readable

# What is said of operators without advice of their own: too little for what PyTorch itself offers.
FALLBACK = "see docs/how-to/supported-models.md for what is"
WIDE = Config(name="one", input="s9.5", weight_bits=10, activation_bits=12)

VECTOR, SEQUENCE, IMAGE = (6,), (4, 6), (4, 6, 6)
Shape = tuple[int, ...]
Row = tuple[Callable[[], nn.Module], tuple[Shape, ...]]


def _row(make: Callable[[], nn.Module], *shapes: Shape) -> Row:
    return make, shapes


class Attention(nn.Module):
    """Self-attention without the weights, which are a second result."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class First(nn.Module):
    """The first result of a module that has several."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *xs):
        return self.inner(*xs)[0]


class Indexed(nn.Module):
    """A module that takes integers."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.long())


class Volume(nn.Module):
    """A module on volumes: four axes inside a model, three at its ends."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.unflatten(1, (2, 4))).flatten(1)


def _volume(make: Callable[[], nn.Module]) -> Row:
    return (lambda: Volume(make())), ((8, 4, 4),)


def _unpooled(pool: Callable[..., Any], module: nn.Module) -> nn.Module:
    return Lambda(lambda m, x: m.inner(*pool(x, 2, return_indices=True)), inner=module)


def _encoder_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True)


def _decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(4, 2, 6, 0.0, batch_first=True)


CONVERTED: dict[str, Row] = {
    "AdaptiveAvgPool1d": _row(lambda: nn.AdaptiveAvgPool1d(4), SEQUENCE),
    "AdaptiveAvgPool2d": _row(lambda: nn.AdaptiveAvgPool2d((4, 2)), IMAGE),
    "AlphaDropout": _row(nn.AlphaDropout, VECTOR),
    "AvgPool1d": _row(lambda: nn.AvgPool1d(3, 2, 1), SEQUENCE),
    "AvgPool2d": _row(lambda: nn.AvgPool2d(3, 2, 1), IMAGE),
    "BatchNorm1d": _row(lambda: nn.BatchNorm1d(4), SEQUENCE),
    "BatchNorm2d": _row(lambda: nn.BatchNorm2d(4), IMAGE),
    "CELU": _row(nn.CELU, VECTOR),
    "ChannelShuffle": _row(lambda: nn.ChannelShuffle(2), IMAGE),
    "CircularPad1d": _row(lambda: nn.CircularPad1d(2), SEQUENCE),
    "CircularPad2d": _row(lambda: nn.CircularPad2d((1, 0, 2, 1)), IMAGE),
    "ConstantPad1d": _row(lambda: nn.ConstantPad1d(2, 0.5), SEQUENCE),
    "ConstantPad2d": _row(lambda: nn.ConstantPad2d(1, -1.5), IMAGE),
    "Conv1d": _row(lambda: nn.Conv1d(4, 3, 3), SEQUENCE),
    "Conv2d": _row(lambda: nn.Conv2d(4, 3, 3), IMAGE),
    "ConvTranspose1d": _row(lambda: nn.ConvTranspose1d(4, 3, 3, 2), SEQUENCE),
    "ConvTranspose2d": _row(lambda: nn.ConvTranspose2d(4, 3, 3, 2), IMAGE),
    "Dropout": _row(nn.Dropout, VECTOR),
    "Dropout1d": _row(nn.Dropout1d, SEQUENCE),
    "Dropout2d": _row(nn.Dropout2d, IMAGE),
    "ELU": _row(nn.ELU, VECTOR),
    "FeatureAlphaDropout": _row(nn.FeatureAlphaDropout, IMAGE),
    "Flatten": _row(nn.Flatten, IMAGE),
    "GELU": _row(nn.GELU, VECTOR),
    "Hardshrink": _row(nn.Hardshrink, VECTOR),
    "Hardsigmoid": _row(nn.Hardsigmoid, VECTOR),
    "Hardswish": _row(nn.Hardswish, VECTOR),
    "Hardtanh": _row(nn.Hardtanh, VECTOR),
    "Identity": _row(nn.Identity, VECTOR),
    "LeakyReLU": _row(nn.LeakyReLU, VECTOR),
    "Linear": _row(lambda: nn.Linear(6, 4), VECTOR),
    "LogSigmoid": _row(nn.LogSigmoid, VECTOR),
    "MaxPool1d": _row(lambda: nn.MaxPool1d(2), SEQUENCE),
    "MaxPool2d": _row(lambda: nn.MaxPool2d(3, 2, 1), IMAGE),
    "Mish": _row(nn.Mish, VECTOR),
    "PixelShuffle": _row(lambda: nn.PixelShuffle(2), IMAGE),
    "PixelUnshuffle": _row(lambda: nn.PixelUnshuffle(2), IMAGE),
    "ReLU": _row(nn.ReLU, VECTOR),
    "ReLU6": _row(nn.ReLU6, VECTOR),
    "ReflectionPad1d": _row(lambda: nn.ReflectionPad1d(2), SEQUENCE),
    "ReflectionPad2d": _row(lambda: nn.ReflectionPad2d(1), IMAGE),
    "ReplicationPad1d": _row(lambda: nn.ReplicationPad1d(2), SEQUENCE),
    "ReplicationPad2d": _row(lambda: nn.ReplicationPad2d(1), IMAGE),
    "SELU": _row(nn.SELU, VECTOR),
    "Sequential": _row(lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU()), VECTOR),
    "SiLU": _row(nn.SiLU, VECTOR),
    "Sigmoid": _row(nn.Sigmoid, VECTOR),
    "Softplus": _row(nn.Softplus, VECTOR),
    "Softshrink": _row(nn.Softshrink, VECTOR),
    "Softsign": _row(nn.Softsign, VECTOR),
    "SyncBatchNorm": _row(lambda: nn.SyncBatchNorm(4), IMAGE),
    "Tanh": _row(nn.Tanh, VECTOR),
    "Tanhshrink": _row(nn.Tanhshrink, VECTOR),
    "Threshold": _row(lambda: nn.Threshold(0.5, -1.0), VECTOR),
    "Unflatten": _row(lambda: nn.Unflatten(1, (2, 3)), VECTOR),
    "Upsample": _row(lambda: nn.Upsample(scale_factor=2), IMAGE),
    "UpsamplingBilinear2d": _row(lambda: nn.UpsamplingBilinear2d(scale_factor=2), IMAGE),
    "UpsamplingNearest2d": _row(lambda: nn.UpsamplingNearest2d(scale_factor=2), IMAGE),
    "ZeroPad1d": _row(lambda: nn.ZeroPad1d(2), SEQUENCE),
    "ZeroPad2d": _row(lambda: nn.ZeroPad2d((1, 0, 2, 1)), IMAGE),
}
# Converted or refused: checked like the ones above where conversion succeeds; so are volumes.
EITHER: dict[str, Row] = {
    "AdaptiveMaxPool1d": _row(lambda: nn.AdaptiveMaxPool1d(4), SEQUENCE),
    "AdaptiveMaxPool2d": _row(lambda: nn.AdaptiveMaxPool2d(2), IMAGE),
    "Bilinear": _row(lambda: nn.Bilinear(4, 3, 2), (4,), (3,)),
    "CosineSimilarity": _row(lambda: nn.CosineSimilarity(2), SEQUENCE, SEQUENCE),
    "CrossMapLRN2d": _row(lambda: nn.CrossMapLRN2d(3), IMAGE),
    "Embedding": _row(lambda: Indexed(nn.Embedding(5, 3)), VECTOR),
    "EmbeddingBag": _row(lambda: Indexed(nn.EmbeddingBag(5, 3)), VECTOR),
    "GLU": _row(lambda: nn.GLU(1), VECTOR),
    "GRU": _row(lambda: First(nn.GRU(6, 3, batch_first=True)), SEQUENCE),
    "GRUCell": _row(lambda: nn.GRUCell(6, 3), VECTOR),
    "GroupNorm": _row(lambda: nn.GroupNorm(2, 4), IMAGE),
    "InstanceNorm1d": _row(lambda: nn.InstanceNorm1d(4), SEQUENCE),
    "InstanceNorm2d": _row(lambda: nn.InstanceNorm2d(4), IMAGE),
    "LPPool1d": _row(lambda: nn.LPPool1d(2, 2), SEQUENCE),
    "LPPool2d": _row(lambda: nn.LPPool2d(2, 2), IMAGE),
    "LSTM": _row(lambda: First(nn.LSTM(6, 3, batch_first=True)), SEQUENCE),
    "LSTMCell": _row(lambda: First(nn.LSTMCell(6, 3)), VECTOR),
    "LayerNorm": _row(lambda: nn.LayerNorm(6), VECTOR),
    "LocalResponseNorm": _row(lambda: nn.LocalResponseNorm(3), IMAGE),
    "LogSoftmax": _row(lambda: nn.LogSoftmax(1), VECTOR),
    "MultiheadAttention": _row(Attention, SEQUENCE[::-1]),
    "PReLU": _row(lambda: nn.PReLU(4), IMAGE),
    "PairwiseDistance": _row(lambda: nn.PairwiseDistance(keepdim=True), VECTOR, VECTOR),
    "RMSNorm": _row(lambda: nn.RMSNorm(6, eps=1e-5), VECTOR),
    "RNN": _row(lambda: First(nn.RNN(6, 3, batch_first=True)), SEQUENCE),
    "RNNCell": _row(lambda: nn.RNNCell(6, 3), VECTOR),
    "RReLU": _row(nn.RReLU, VECTOR),
    "Softmax": _row(lambda: nn.Softmax(1), VECTOR),
    "Softmax2d": _row(nn.Softmax2d, IMAGE),
    "Softmin": _row(lambda: nn.Softmin(1), VECTOR),
    "Transformer": _row(
        lambda: nn.Transformer(4, 2, 1, 1, 6, 0.0, batch_first=True), (3, 4), (3, 4)
    ),
    "TransformerDecoder": _row(lambda: nn.TransformerDecoder(_decoder_layer(), 1), (3, 4), (3, 4)),
    "TransformerDecoderLayer": _row(_decoder_layer, (3, 4), (3, 4)),
    "TransformerEncoder": _row(
        lambda: nn.TransformerEncoder(_encoder_layer(), 1, enable_nested_tensor=False), (3, 4)
    ),
    "TransformerEncoderLayer": _row(_encoder_layer, (3, 4)),
    "Unfold": _row(lambda: nn.Unfold(2), IMAGE),
    "Fold": _row(lambda: nn.Fold((3, 3), 2), (8, 4)),
}
VOLUMES: dict[str, Row] = {
    "AdaptiveAvgPool3d": _volume(lambda: nn.AdaptiveAvgPool3d(2)),
    "AdaptiveMaxPool3d": _volume(lambda: nn.AdaptiveMaxPool3d(2)),
    "AvgPool3d": _volume(lambda: nn.AvgPool3d(2)),
    "BatchNorm3d": _volume(lambda: nn.BatchNorm3d(2)),
    "CircularPad3d": _volume(lambda: nn.CircularPad3d(1)),
    "ConstantPad3d": _volume(lambda: nn.ConstantPad3d(1, 0.0)),
    "Conv3d": _volume(lambda: nn.Conv3d(2, 2, 2)),
    "ConvTranspose3d": _volume(lambda: nn.ConvTranspose3d(2, 2, 2)),
    "Dropout3d": _volume(nn.Dropout3d),
    "FractionalMaxPool3d": _volume(lambda: nn.FractionalMaxPool3d(2, 2)),
    "InstanceNorm3d": _volume(lambda: nn.InstanceNorm3d(2)),
    "LPPool3d": _volume(lambda: nn.LPPool3d(2, 2)),
    "MaxPool3d": _volume(lambda: nn.MaxPool3d(2)),
    "ReflectionPad3d": _volume(lambda: nn.ReflectionPad3d(1)),
    "ReplicationPad3d": _volume(lambda: nn.ReplicationPad3d(1)),
    "ZeroPad3d": _volume(lambda: nn.ZeroPad3d(1)),
    "MaxUnpool3d": _volume(lambda: _unpooled(functional.max_pool3d, nn.MaxUnpool3d(2))),
}
REFUSED: dict[str, Row] = {
    "FractionalMaxPool2d": _row(lambda: nn.FractionalMaxPool2d(2, 3), IMAGE),
    "MaxUnpool1d": _row(lambda: _unpooled(functional.max_pool1d, nn.MaxUnpool1d(2)), SEQUENCE),
    "MaxUnpool2d": _row(lambda: _unpooled(functional.max_pool2d, nn.MaxUnpool2d(2)), IMAGE),
}
# What a training loop computes from a batch, not a model from a frame.
LOSSES = """
AdaptiveLogSoftmaxWithLoss BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss
GaussianNLLLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss
MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d
PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss
"""
# Bases and containers without a forward of their own, and classes that turn into another on use.
NO_LAYERS = """
Container DataParallel Module ModuleDict ModuleList ParameterDict ParameterList RNNBase RNNCellBase
LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d
LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d
LazyInstanceNorm3d LazyLinear
"""


class Outer(nn.Module):
    """Gives a module a path, and operands that are no inputs."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *xs):
        return self.block(*(x * 1 for x in xs))


def refusal(model: nn.Module, *shapes: Shape) -> str:
    """Convert ``model``; return why it was refused, or check it and return ``""``."""
    xs = [frames(*shape, count=8, seed=i) for i, shape in enumerate(shapes)]
    try:
        low, _ = check_conversion(Outer(model), xs, WIDE)
    except FrontendError as error:
        return str(error)
    verify(low.graph)
    return ""


MODULES = CONVERTED | EITHER | VOLUMES | REFUSED


@pytest.mark.parametrize("name", MODULES)
def test_module(name: str) -> None:
    make, shapes = MODULES[name]
    torch.manual_seed(1)
    text = refusal(make(), *shapes)
    if name in CONVERTED:
        assert not text
    if name in REFUSED:
        assert text
    if text:
        assert readable(text), text
        assert FALLBACK not in text


def test_every_class_has_a_row() -> None:
    named = {*MODULES, *LOSSES.split(), *NO_LAYERS.split()}
    assert named == {
        name
        for name, value in vars(nn).items()
        if isinstance(value, type) and issubclass(value, nn.Module)
    }


Function = Callable[..., torch.Tensor]
F = functional


def _index(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(0, 4).long()


# The function on operands of these shapes. Where a module above calls it, only its spelling is new.
FUNCTIONS: dict[str, tuple[Function, tuple[Shape, ...]]] = {
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x, 2), (SEQUENCE,)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 4), (IMAGE,)),
    "alpha_dropout": (lambda x: F.alpha_dropout(x, 0.5, False), (VECTOR,)),
    "avg_pool1d": (lambda x: F.avg_pool1d(x, 3), (SEQUENCE,)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), (IMAGE,)),
    "batch_norm": (lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4)), (IMAGE,)),
    "celu": (F.celu, (VECTOR,)),
    "celu_": (lambda x: F.celu_(x * 1), (VECTOR,)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), (IMAGE,)),
    "conv1d": (lambda x: F.conv1d(x, torch.ones(2, 4, 3) / 4), (SEQUENCE,)),
    "conv2d": (lambda x: F.conv2d(x, torch.ones(2, 2, 3, 1) / 4, groups=2), (IMAGE,)),
    "conv_transpose1d": (lambda x: F.conv_transpose1d(x, torch.ones(4, 2, 3) / 4), (SEQUENCE,)),
    "conv_transpose2d": (lambda x: F.conv_transpose2d(x, torch.ones(4, 2, 2, 2) / 4), (IMAGE,)),
    "dropout": (lambda x: F.dropout(x, 0.5, False), (VECTOR,)),
    "dropout1d": (lambda x: F.dropout1d(x, 0.5, False), (SEQUENCE,)),
    "dropout2d": (lambda x: F.dropout2d(x, 0.5, False), (IMAGE,)),
    "elu": (F.elu, (VECTOR,)),
    "elu_": (lambda x: F.elu_(x * 1), (VECTOR,)),
    "feature_alpha_dropout": (lambda x: F.feature_alpha_dropout(x, 0.5, False), (IMAGE,)),
    "gelu": (F.gelu, (VECTOR,)),
    "hardshrink": (F.hardshrink, (VECTOR,)),
    "hardsigmoid": (F.hardsigmoid, (VECTOR,)),
    "hardswish": (F.hardswish, (VECTOR,)),
    "hardtanh": (F.hardtanh, (VECTOR,)),
    "hardtanh_": (lambda x: F.hardtanh_(x * 1), (VECTOR,)),
    "interpolate": (lambda x: F.interpolate(x, size=(4, 9), mode="bilinear"), (IMAGE,)),
    "leaky_relu": (F.leaky_relu, (VECTOR,)),
    "leaky_relu_": (lambda x: F.leaky_relu_(x * 1), (VECTOR,)),
    "linear": (lambda x: F.linear(x, torch.ones(2, 6) / 4), (SEQUENCE,)),
    "logsigmoid": (F.logsigmoid, (VECTOR,)),
    "max_pool1d": (lambda x: F.max_pool1d(x, 3), (SEQUENCE,)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), (IMAGE,)),
    "mish": (F.mish, (VECTOR,)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=1.5), (IMAGE,)),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), (IMAGE,)),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (IMAGE,)),
    "relu": (F.relu, (VECTOR,)),
    "relu6": (F.relu6, (VECTOR,)),
    "relu_": (lambda x: F.relu_(x * 1), (VECTOR,)),
    "selu": (F.selu, (VECTOR,)),
    "selu_": (lambda x: F.selu_(x * 1), (VECTOR,)),
    "sigmoid": (F.sigmoid, (VECTOR,)),
    "silu": (F.silu, (VECTOR,)),
    "softplus": (F.softplus, (VECTOR,)),
    "softshrink": (F.softshrink, (VECTOR,)),
    "softsign": (F.softsign, (VECTOR,)),
    "tanh": (F.tanh, (VECTOR,)),
    "tanhshrink": (F.tanhshrink, (VECTOR,)),
    "threshold": (lambda x: F.threshold(x, 0.5, 1.0), (VECTOR,)),
    "threshold_": (lambda x: F.threshold_(x * 1, 0.5, 1.0), (VECTOR,)),
    "upsample": (lambda x: F.upsample(x, scale_factor=2), (IMAGE,)),
    "upsample_bilinear": (lambda x: F.upsample_bilinear(x, scale_factor=2), (IMAGE,)),
    "upsample_nearest": (lambda x: F.upsample_nearest(x, scale_factor=2), (IMAGE,)),
}
FUNCTIONS_EITHER: dict[str, tuple[Function, tuple[Shape, ...]]] = {
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x, 2), (SEQUENCE,)),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, 2), (IMAGE,)),
    "bilinear": (lambda a, b: F.bilinear(a, b, torch.ones(2, 6, 6)), (VECTOR, VECTOR)),
    "cosine_similarity": (lambda a, b: F.cosine_similarity(a, b, 2), (SEQUENCE, SEQUENCE)),
    "dropout3d": (lambda x: F.dropout3d(x, 0.5, False), (IMAGE,)),
    "embedding": (lambda x: F.embedding(_index(x), torch.ones(5, 3)), (VECTOR,)),
    "embedding_bag": (lambda x: F.embedding_bag(_index(x), torch.ones(5, 3)), (VECTOR,)),
    "fold": (lambda x: F.fold(x, (3, 3), 2), ((8, 4),)),
    "glu": (F.glu, (SEQUENCE,)),
    "group_norm": (lambda x: F.group_norm(x, 2), (IMAGE,)),
    "instance_norm": (F.instance_norm, (IMAGE,)),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), (SEQUENCE,)),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3), (IMAGE,)),
    "log_softmax": (lambda x: F.log_softmax(x, 1), (VECTOR,)),
    "lp_pool1d": (lambda x: F.lp_pool1d(x, 2, 2), (SEQUENCE,)),
    "lp_pool2d": (lambda x: F.lp_pool2d(x, 2, 2), (IMAGE,)),
    "native_channel_shuffle": (lambda x: F.native_channel_shuffle(x, 2), (IMAGE,)),
    "normalize": (F.normalize, (VECTOR,)),
    "one_hot": (lambda x: F.one_hot(_index(x), 5).float(), (VECTOR,)),
    "pairwise_distance": (lambda a, b: F.pairwise_distance(a, b, keepdim=True), (VECTOR, VECTOR)),
    "prelu": (lambda x: F.prelu(x, torch.ones(4) / 4), (IMAGE,)),
    "rms_norm": (lambda x: F.rms_norm(x, (6,), eps=1e-5), (SEQUENCE,)),
    "rrelu": (F.rrelu, (VECTOR,)),
    "rrelu_": (lambda x: F.rrelu_(x * 1), (VECTOR,)),
    "scaled_dot_product_attention": (
        lambda x: F.scaled_dot_product_attention(x, x, x),
        (SEQUENCE,),
    ),
    "softmax": (lambda x: F.softmax(x, 1), (VECTOR,)),
    "softmin": (lambda x: F.softmin(x, 1), (VECTOR,)),
    "unfold": (lambda x: F.unfold(x, 2), (IMAGE,)),
}
FUNCTIONS_REFUSED: dict[str, tuple[Function, tuple[Shape, ...]]] = {
    "adaptive_max_pool1d_with_indices": (
        lambda x: F.adaptive_max_pool1d(x, 2, True)[1] + 0.5,
        (SEQUENCE,),
    ),
    "adaptive_max_pool2d_with_indices": (
        lambda x: F.adaptive_max_pool2d(x, 2, True)[1] + 0.5,
        (IMAGE,),
    ),
    "affine_grid": (lambda x: F.affine_grid(x, [7, 1, 2, 2]).flatten(1), ((2, 3),)),
    "conv_tbc": (lambda x: F.conv_tbc(x, torch.ones(2, 6, 3), torch.ones(3)), (SEQUENCE,)),
    "fractional_max_pool2d": (lambda x: F.fractional_max_pool2d(x, 2, 3), (IMAGE,)),
    "fractional_max_pool2d_with_indices": (
        lambda x: F.fractional_max_pool2d(x, 2, 3, return_indices=True)[0],
        (IMAGE,),
    ),
    "grid_sample": (lambda x, g: F.grid_sample(x, g), (IMAGE, (3, 3, 2))),
    "gumbel_softmax": (F.gumbel_softmax, (VECTOR,)),
    "max_pool1d_with_indices": (
        lambda x: F.max_pool1d(x, 2, return_indices=True)[1] + 0.5,
        (SEQUENCE,),
    ),
    "max_pool2d_with_indices": (
        lambda x: F.max_pool2d(x, 2, return_indices=True)[1] + 0.5,
        (IMAGE,),
    ),
    "max_unpool1d": (
        lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2),
        (SEQUENCE,),
    ),
    "max_unpool2d": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        (IMAGE,),
    ),
    "pdist": (F.pdist, (VECTOR,)),
    "mse_loss": (lambda a, b: F.mse_loss(a, b, reduction="none"), (VECTOR, VECTOR)),
    "l1_loss": (lambda a, b: F.l1_loss(a, b, reduction="none"), (VECTOR, VECTOR)),
    "huber_loss": (lambda a, b: F.huber_loss(a, b, reduction="none"), (VECTOR, VECTOR)),
    "smooth_l1_loss": (lambda a, b: F.smooth_l1_loss(a, b, reduction="none"), (VECTOR, VECTOR)),
    "soft_margin_loss": (
        lambda a, b: F.soft_margin_loss(a, b, reduction="none"),
        (VECTOR, VECTOR),
    ),
    "kl_div": (lambda a, b: F.kl_div(a, b, reduction="none"), (VECTOR, VECTOR)),
}
# Losses of batches, volumes (their modules stand above), and what is no layer.
FUNCTIONS_OUT = """
adaptive_avg_pool3d adaptive_max_pool3d adaptive_max_pool3d_with_indices avg_pool3d conv3d
conv_transpose3d fractional_max_pool3d fractional_max_pool3d_with_indices lp_pool3d max_pool3d
max_pool3d_with_indices max_unpool3d
binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss
gaussian_nll_loss hinge_embedding_loss linear_cross_entropy margin_ranking_loss multi_margin_loss
multilabel_margin_loss multilabel_soft_margin_loss nll_loss poisson_nll_loss triplet_margin_loss
triplet_margin_with_distance_loss
assert_int_or_pair boolean_dispatch handle_torch_function has_torch_function
has_torch_function_unary has_torch_function_variadic grouped_mm multi_head_attention_forward
scaled_grouped_mm scaled_mm
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*FUNCTIONS, *FUNCTIONS_EITHER, *FUNCTIONS_REFUSED])
def test_function(name: str) -> None:
    function, shapes = (FUNCTIONS | FUNCTIONS_EITHER | FUNCTIONS_REFUSED)[name]
    text = refusal(Lambda(lambda m, *xs: function(*xs)), *shapes)
    if name in FUNCTIONS:
        assert not text
    if name in FUNCTIONS_REFUSED:
        assert text
    if text:
        assert readable(text), text
        assert FALLBACK not in text


def test_every_function_has_a_row() -> None:
    tables = (FUNCTIONS, FUNCTIONS_EITHER, FUNCTIONS_REFUSED, FUNCTIONS_OUT.split())
    assert {name for table in tables for name in table} == {
        name
        for name in dir(functional)
        if callable(getattr(functional, name)) and name.islower() and not name.startswith("_")
    }
