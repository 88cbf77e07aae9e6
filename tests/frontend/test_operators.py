"""Every supported operator, in many legal spellings, equals PyTorch exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.frontend.program import Call, Placeholder, Program, Ref, overload
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import HANDLERS, trace
from tests.frontend.tools import (
    EXACT,
    Lambda,
    answers,
    check_exact,
    convert,
    frames,
    golden,
    on_grid,
    ops,
)


def sized(values):
    return "-".join(str(v).replace(" ", "") for v in values) if isinstance(values, tuple) else None


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 3), (16, 10)])
def test_linear(inputs, outputs, bias):
    graph = check_exact(on_grid(nn.Linear(inputs, outputs, bias)), frames(inputs))
    assert ops(graph) == ["dense"]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: functional.linear(x, m.w, m.b),
        lambda m, x: functional.linear(x, m.w),
        lambda m, x: x @ m.w.T,
        lambda m, x: torch.matmul(x, m.w.t()) + m.b,
        lambda m, x: m.b + x.matmul(m.w.transpose(0, 1)),
        lambda m, x: torch.mm(x, m.w.T),
        lambda m, x: torch.addmm(m.b, x, m.w.T),
    ],
    ids=["linear", "no-bias", "matmul", "matmul-add", "add-matmul", "mm", "addmm"],
)
def test_linear_functional(function):
    model = Lambda(function, w=torch.arange(-6.0, 6.0).reshape(3, 4) / 8, b=torch.ones(3) / 4)
    graph = check_exact(model, frames(4))
    assert ops(graph) == ["dense"]


CONVOLUTIONS = [
    # channels in, out, kernel, stride, padding, dilation, groups
    (1, 1, 1, 1, 0, 1, 1),
    (3, 4, 3, 1, 1, 1, 1),
    (3, 4, 3, 2, 1, 1, 1),
    (2, 3, (1, 4), 1, 0, 1, 1),
    (2, 3, (3, 2), (2, 1), (1, 0), 1, 1),
    (2, 2, 3, 1, 2, 2, 1),
    (2, 2, (2, 3), (3, 2), (2, 1), (2, 1), 1),
    (4, 6, 3, 1, 1, 1, 2),
    (4, 4, 3, 1, 1, 1, 4),
    (4, 8, 3, 2, 0, 1, 4),
    (2, 2, 5, 1, 4, 1, 1),
    (2, 3, 2, 1, "same", 1, 1),
    (2, 3, (4, 3), 1, "same", (1, 2), 1),
    (2, 3, 3, 2, "valid", 1, 1),
    (1, 2, (6, 7), 1, 0, 1, 1),
    (2, 2, 1, 3, 0, 1, 1),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(
    ("channels", "outputs", "kernel", "stride", "padding", "dilation", "groups"),
    CONVOLUTIONS,
    ids=map(sized, CONVOLUTIONS),
)
def test_conv2d(channels, outputs, kernel, stride, padding, dilation, groups):
    model = nn.Conv2d(channels, outputs, kernel, stride, padding, dilation, groups)
    graph = check_exact(on_grid(model), frames(channels, 6, 7))
    assert ops(graph) == ["conv2d"]


def test_conv2d_without_bias_and_functional():
    check_exact(on_grid(nn.Conv2d(2, 3, 3, bias=False)), frames(2, 4, 5))
    model = Lambda(lambda m, x: functional.conv2d(x, m.w, padding=1), w=torch.ones(2, 3, 3, 3))
    check_exact(model, frames(3, 4, 4))


@pytest.mark.parametrize("padding", [0, 2, "same"])
def test_conv1d_is_one_row(padding):
    model = nn.Sequential(nn.Conv1d(2, 4, 3, padding=padding), nn.ReLU(), nn.MaxPool1d(2))
    graph = check_exact(on_grid(model), frames(2, 9))
    assert ops(graph) == ["reshape", "conv2d", "reshape", "relu", "reshape", "maxpool2d", "reshape"]


MAX_POOLS = [
    (arguments, size)
    for arguments in [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (2, 3), "stride": (3, 1), "padding": (1, 0)},
        {"kernel_size": 2, "stride": 1, "dilation": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": (1, 2)},
    ]
    for size in [(6, 7), (5, 5)]
]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("arguments", "size"), MAX_POOLS)
def test_max_pool2d(arguments, size, ceil_mode):
    graph = check_exact(nn.MaxPool2d(**arguments, ceil_mode=ceil_mode), frames(3, *size))
    assert ops(graph) == ["maxpool2d"]


AVG_POOLS = [
    {"kernel_size": 2},
    {"kernel_size": 4, "stride": 2},
    {"kernel_size": (1, 2), "stride": 1},
    {"kernel_size": 2, "stride": 2, "padding": 1},
    {"kernel_size": (4, 2), "stride": (1, 3), "padding": (2, 1)},
    {"kernel_size": 3, "divisor_override": 8},
    {"kernel_size": 3, "divisor_override": 1, "padding": 1, "stride": 2},
    {"kernel_size": 2, "ceil_mode": True},
    {"kernel_size": 2, "padding": 0, "count_include_pad": False},
    {"kernel_size": 2, "padding": 1, "count_include_pad": False, "divisor_override": 4},
]


@pytest.mark.parametrize("arguments", AVG_POOLS, ids=str)
def test_avg_pool2d_by_powers_of_two(arguments):
    graph = check_exact(nn.AvgPool2d(**arguments), frames(3, 6, 8))
    assert ops(graph) == ["sumpool2d"]


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.AdaptiveAvgPool2d(1), (3, 4, 4)),
        (nn.AdaptiveAvgPool2d((2, 1)), (3, 4, 4)),
        (nn.AdaptiveAvgPool2d((None, 2)), (3, 4, 4)),
        (nn.AdaptiveAvgPool2d(1), (5, 1, 1)),
        (nn.AvgPool1d(4, 2), (2, 10)),
        (nn.AdaptiveAvgPool1d(2), (2, 8)),
        (Lambda(lambda m, x: x.mean((2, 3))), (3, 4, 2)),
        (Lambda(lambda m, x: x.sum((2, 3))), (3, 3, 5)),
        (Lambda(lambda m, x: x.sum(2, keepdim=True)), (3, 3, 5)),
        (Lambda(lambda m, x: x.amax((2, 3))), (3, 3, 5)),
        (Lambda(lambda m, x: x.amax(-1)), (3, 5)),
        (Lambda(lambda m, x: x.mean((-1, -2), keepdim=True)), (3, 4, 2)),
        (Lambda(lambda m, x: x.mean(3)), (3, 3, 4)),
        (Lambda(lambda m, x: x.mean(2, keepdim=True)), (3, 4, 3)),
        (Lambda(lambda m, x: torch.mean(x, dim=-1)), (3, 8)),
        (Lambda(lambda m, x: functional.adaptive_avg_pool2d(x, 2)), (3, 4, 8)),
        (Lambda(lambda m, x: functional.avg_pool2d(x, 2)), (3, 4, 8)),
    ],
)
def test_averages(module, shape):
    check_exact(module, frames(*shape))


@pytest.mark.parametrize(
    ("function", "shape", "result"),
    [
        (lambda m, x: torch.flatten(x, 1), (2, 3, 4), (24,)),
        (lambda m, x: x.flatten(2), (2, 3, 4), (2, 12)),
        (lambda m, x: x.view(x.size(0), -1), (2, 3, 4), (24,)),
        (lambda m, x: x.view(-1, 6, 4), (2, 3, 4), (6, 4)),
        (lambda m, x: x.reshape(x.shape[0], 4, 3, 2), (24,), (4, 3, 2)),
        (lambda m, x: x.unflatten(1, (2, 3)), (6,), (2, 3)),
        (lambda m, x: x.unsqueeze(1), (5,), (1, 5)),
        (lambda m, x: x.unsqueeze(-1).unsqueeze(-1), (5,), (5, 1, 1)),
        (lambda m, x: x.squeeze(), (5, 1, 1), (5,)),
        (lambda m, x: x.squeeze(3).squeeze(2), (5, 1, 1), (5,)),
        (lambda m, x: x.squeeze((2, 3)), (5, 1, 1), (5,)),
        (lambda m, x: nn.Flatten()(x), (2, 3), (6,)),
    ],
)
def test_shapes(function, shape, result):
    graph = check_exact(Lambda(lambda m, x: torch.relu(function(m, x))), frames(*shape))
    assert graph.types()[graph.outputs[0]].shape == result


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: functional.relu(x),
        lambda m, x: torch.relu(x),
        lambda m, x: x.relu(),
        lambda m, x: torch.relu_(x.clone()),
        lambda m, x: functional.relu(x, inplace=True),
        lambda m, x: x.clamp(min=0),
        lambda m, x: x.clamp_min(0.0),
        lambda m, x: torch.clamp(x, 0),
        lambda m, x: x.clone().clamp_(min=0),
        lambda m, x: x.clone().clamp_min_(0),
    ],
)
def test_relu(function):
    graph = check_exact(Lambda(function), frames(4, 3))
    assert ops(graph) == ["relu"]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: torch.maximum(x, torch.tensor(-1.25)),
        lambda m, x: torch.minimum(torch.full((1, 1, 1), 2.0), x),
        lambda m, x: torch.max(torch.zeros(4, 3), x),
    ],
)
def test_extrema_with_a_number_are_clips(function):
    """Found by random networks: ``run_decompositions`` spells some functions so."""
    graph = check_exact(Lambda(function), frames(4, 3))
    assert len(graph.nodes) == 1


@pytest.mark.parametrize(
    "module",
    [
        nn.Dropout(0.5),
        nn.Dropout2d(0.5),
        nn.AlphaDropout(0.5),
        nn.Identity(),
        nn.Dropout(0.3, inplace=True),
        Lambda(lambda m, x: functional.dropout(x, 0.5, m.training)),
        Lambda(lambda m, x: functional.dropout2d(x, 0.5, m.training)),
        Lambda(lambda m, x: x.contiguous().clone().detach()),
    ],
)
def test_modules_that_do_nothing(module):
    graph = check_exact(nn.Sequential(nn.ReLU(), module), frames(4, 3, 3))
    assert ops(graph) == ["relu"]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, a, b: a + b,
        lambda m, a, b: torch.add(a, b),
        lambda m, a, b: torch.add(a, b, alpha=1),
        lambda m, a, b: a.clone().add_(b),
    ],
)
def test_add(function):
    graph = check_exact(Lambda(function), frames(3, 4), frames(3, 4, seed=2))
    assert ops(graph) == ["add"]


def test_add_of_a_value_with_itself():
    graph = check_exact(Lambda(lambda m, x: x + x), frames(3, 4))
    assert [len(set(node.inputs)) for node in graph.nodes] == [1]


@pytest.mark.parametrize(
    "function",
    [
        lambda m, a, b: torch.cat([a, b], 1),
        lambda m, a, b: torch.cat((a, b), dim=1 - a.ndim),
        lambda m, a, b: torch.concat([a, b], dim=1),
        lambda m, a, b: torch.concatenate([a, b], axis=1),
        lambda m, a, b: torch.hstack([a, b]),
    ],
    ids=["cat", "negative", "concat", "concatenate", "hstack"],
)
@pytest.mark.parametrize("rest", [(), (5,), (3, 4)], ids=["vector", "sequence", "image"])
def test_concat(function, rest):
    graph = check_exact(Lambda(function), frames(3, *rest), frames(2, *rest, seed=2))
    assert ops(graph) == ["concat"]
    assert graph.types()[graph.outputs[0]].shape == (5, *rest)


def test_concat_of_many_is_a_chain():
    def forward(m, x):
        return torch.relu(torch.cat([x, m.conv(x), x, torch.cat([x], 2)], 1))

    model = on_grid(Lambda(forward, conv=nn.Conv2d(2, 3, 1)))
    graph = check_exact(model, frames(2, 4, 3), config=EXACT_WIDE)
    assert ops(graph).count("concat") == 3
    assert graph.types()[graph.outputs[0]].shape == (9, 4, 3)


def test_concat_of_one_tensor_is_a_copy():
    def forward(m, x):
        y = torch.cat([x], 1)
        return y.relu_() + x

    check_exact(Lambda(forward), frames(3, 2))


@pytest.mark.parametrize(("a", "b"), [(0.125, 2.0), (2.0, 0.125), (0.5, 0.5)])
def test_concat_keeps_what_fake_quantization_says(a, b):
    """Operands of any two formats; nothing rounds them on the way to the next layer."""

    def forward(m, x):
        left = torch.fake_quantize_per_tensor_affine(m.one(x), a, 0, -8, 7)
        right = torch.fake_quantize_per_tensor_affine(m.two(x), b, 0, 0, 15)
        return m.last(torch.cat([left, right], 1))

    convs = {"one": nn.Conv2d(2, 3, 1), "two": nn.Conv2d(2, 2, 3, padding=1)}
    model = on_grid(Lambda(forward, **convs, last=nn.Conv2d(5, 2, 1)))
    graph = check_exact(model, frames(2, 4, 4))
    assert [name for name in ops(graph) if name != "conv2d"] == ["requant", "requant", "concat"]


def test_concat_is_not_rounded_in_front_of_fake_quantization():
    def forward(m, x):
        y = torch.cat([m.one(x), m.two(x)], 1)
        return torch.fake_quantize_per_tensor_affine(torch.relu(y), 0.5, 0, 0, 255)

    model = on_grid(Lambda(forward, one=nn.Linear(4, 3), two=nn.Linear(4, 2)))
    graph = check_exact(model, frames(4))
    assert ops(graph) == ["dense", "dense", "concat", "relu", "requant"]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda m, x: x * 0.5, (3, 4)),
        (lambda m, x: 2 * x, (3,)),
        (lambda m, x: x / 4, (3, 2, 2)),
        (lambda m, x: x + 1.5, (3, 2, 2)),
        (lambda m, x: x - 1, (3, 2, 2)),
        (lambda m, x: 1 - x, (3, 2, 2)),
        (lambda m, x: m.c - x, (3, 2, 2)),
        (lambda m, x: x - m.c, (3, 2, 2)),
        (lambda m, x: (x - m.c) / 0.5, (3, 2, 2)),
        (lambda m, x: m.c * x, (3, 2, 2)),
        (lambda m, x: x.mul_(m.c).add_(m.c).sub_(m.c).div_(2), (3, 2, 2)),
    ],
)
def test_constants_per_channel(function, shape):
    model = Lambda(function, c=torch.tensor([0.5, -1.0, 2.0]).reshape(3, 1, 1))
    # Copies: in-place functions would change the frames.
    check_exact(Lambda(lambda m, x: m.inner(x.clone()), inner=model), frames(*shape))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 0, 1, 3), (1, 2)])
def test_zero_padding(sizes):
    check_exact(Lambda(lambda m, x: functional.pad(x, sizes)), frames(2, 3, 4))


def test_zero_pad_module_in_front_of_a_convolution():
    model = on_grid(nn.Sequential(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 3, 3)))
    check_exact(model, frames(2, 4, 4))


def test_batch_norm_alone_is_a_scale():
    norm = nn.BatchNorm2d(3, eps=0.0)
    norm.running_var.copy_(torch.tensor([4.0, 1.0, 0.25]))
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    on_grid(norm)
    graph = check_exact(norm, frames(3, 2, 4))
    assert ops(graph) == ["scale"]


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Linear(4, 3), nn.BatchNorm1d(3, eps=0.0), (4,)),
        (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, eps=0.0), (2, 4, 4)),
        (nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3, eps=0.0, affine=False), (2, 4, 4)),
        (nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3, eps=0.0), (2, 6)),
    ],
)
def test_batch_norm_is_folded(layer, norm, shape):
    norm.running_var.copy_(torch.tensor([4.0, 1.0, 0.25]))
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    model = on_grid(nn.Sequential(layer, norm))
    graph = check_exact(model, frames(*shape), config=EXACT_WIDE)
    assert "scale" not in ops(graph)


EXACT_WIDE = type(EXACT)(input="s8.4", weight_bits=12, activation_bits=12)


def test_batch_norm_is_not_folded_where_the_sum_is_read_twice():
    def forward(m, x):
        y = m.conv(x)
        return m.norm(y) + y

    norm = nn.BatchNorm2d(3, eps=0.0)
    model = on_grid(Lambda(forward, conv=nn.Conv2d(2, 3, 1), norm=norm))
    x = frames(2, 3, 3)
    graph = convert(model, [x], EXACT_WIDE)
    assert ops(graph) == ["conv2d", "requant", "scale", "requant", "add"]


def test_multiple_inputs_and_outputs():
    def forward(m, a, b):
        y = m.fc(torch.relu(a)) + b
        return y, torch.relu(y), b + b

    model = on_grid(Lambda(forward, fc=nn.Linear(4, 3)))
    x = frames(4), frames(3)
    graph = convert(model, x, EXACT_WIDE)
    assert [value.type.shape for value in graph.inputs] == [(4,), (3,)]
    # The first sum is rounded before it meets b, as nothing in the model says otherwise.
    for found, expected in zip(golden(graph, x), answers(model, x), strict=True):
        np.testing.assert_allclose(found, expected, atol=2**-6)


def test_nested_outputs_are_flattened_in_order():
    model = Lambda(lambda m, x: {"b": torch.relu(x), "a": (x + x,)})
    graph = convert(model, [frames(3)])
    x = frames(3)
    low, double = golden(graph, [x])
    np.testing.assert_array_equal(low, np.maximum(x, 0))
    np.testing.assert_array_equal(double, 2 * x)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda m, x: functional.pad(x, (1, 1)), (2, 3, 4)),
        (lambda m, x: functional.adaptive_avg_pool2d(x, 2), (2, 4, 4)),
        (lambda m, x: functional.avg_pool2d(x, 2), (2, 4, 4)),
        (lambda m, x: functional.max_pool2d(x, 3, 2, 1), (2, 4, 5)),
        (lambda m, x: torch.fake_quantize_per_tensor_affine(x + 1, 0.5, 0, -8, 7), (4,)),
        (lambda m, x: (x.double() * 2).float(), (4,)),
        (lambda m, x: (1 - x).relu_(), (2, 3)),
        (lambda m, x: functional.linear(x, torch.ones(3, 4), torch.ones(3)), (4,)),
        (lambda m, x: functional.conv1d(x, torch.ones(3, 2, 2), padding=1), (2, 5)),
    ],
)
def test_decomposed_programs(function, shape):
    """``run_decompositions`` spells the same operators differently."""
    x = frames(*shape)
    exported = torch.export.export(Lambda(function), (torch.from_numpy(x),))
    graph = quantize(trace(exported.run_decompositions()), x, EXACT)
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(Lambda(function), [x])[0])


@pytest.mark.parametrize(
    ("target", "arguments", "kind"),
    [
        ("aten.add.Scalar", {"other": 1.5, "alpha": 1}, "scale"),
        ("aten.add_.Scalar", {"other": 1.5, "alpha": 1}, "scale"),
        ("aten.sub.Scalar", {"other": 1.5, "alpha": 1}, "scale"),
        ("aten.sub_.Scalar", {"other": 1.5, "alpha": 1}, "scale"),
        ("aten.mul.Scalar", {"other": 1.5}, "scale"),
        ("aten.mul_.Scalar", {"other": 1.5}, "scale"),
        ("aten.div.Scalar", {"other": 1.5}, "scale"),
        ("aten.div_.Scalar", {"other": 1.5}, "scale"),
        ("aten._unsafe_view.default", {"size": (7, 6)}, "reshape"),
        ("aten.alias.default", {}, None),
        ("aten.contiguous.default", {"memory_format": None}, None),
        ("aten.to.dtype_layout", {"dtype": "torch.float32"}, None),
        ("aten.feature_dropout_.default", {"p": 0.5, "train": False}, None),
        ("aten.rsub.Tensor", {"other": 3, "alpha": 1}, "scale"),
    ],
)
def test_spellings_of_other_exporters(target, arguments, kind):
    shape = (7, 6) if kind == "reshape" else (7, 2, 3)
    call = Call(target, {"self": Ref("x"), **arguments}, ("y",), (shape,), "")
    relu = Call("aten.relu.default", {"self": Ref("y")}, ("z",), (shape,), "")
    program = Program("p", (Placeholder("x", (7, 2, 3)),), {}, (call, relu), ("z",), ())
    assert [node.op.kind for node in trace(program).nodes] == [*filter(None, [kind]), "relu"]


def test_every_target_is_one_of_pytorch():
    ours = {"hwaccel.quantize.default"}
    assert all(overload(target) is not None for target in HANDLERS.keys() - ours)
