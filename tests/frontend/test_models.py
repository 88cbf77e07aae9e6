"""Whole models: sharing, pruning, parametrization, memory aliasing, element types, names."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from hwaccel.config import Config
from hwaccel.frontend.batchnorm import fold_batchnorm
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
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


def snapshot(model: nn.Module):
    """Return what can be told apart of a model: modes, attributes, which tensors, their content."""
    tensors = (torch.Tensor, nn.Module)
    return {
        (path, key): id(value) if isinstance(value, tensors) else repr(value)
        for path, module in model.named_modules()
        for key, value in vars(module).items()
    }


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(12, 2),
    )
    model.train()
    model[1].eval()
    prune.l1_unstructured(model[5], "weight", 0.5)
    before = snapshot(model)
    trace(model, frames(2, 4, 4))
    assert snapshot(model) == before
    assert model[5].weight.shape == (2, 12)
    assert type(model[5].weight) is torch.Tensor


def test_the_mode_is_restored_after_a_refusal():
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(0)).train()
    with pytest.raises(Exception, match="softmax"):
        trace(model, frames(4))
    with pytest.raises(Exception, match="does not run"):
        trace(model, frames(5))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("removed", [False, True])
def test_pruned_weights_stay_zero(removed):
    model = on_grid(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)))
    prune.random_unstructured(model[0], "weight", 0.6)
    prune.ln_structured(model[3], "weight", 0.5, n=1, dim=1)
    if removed:
        prune.remove(model[0], "weight")
    masks = [model[i].weight.detach().numpy() == 0 for i in (0, 3)]
    graph = convert(model, [frames(2, 4, 4)], Config(input="s8.4"))
    linear = [node.op.weight.a for node in graph.nodes if node.op.name in ("conv2d", "dense")]
    for weight, mask in zip(linear, masks, strict=True):
        np.testing.assert_array_equal(weight == 0, mask)


def test_parametrized_weights_are_computed():
    class Doubled(nn.Module):
        def forward(self, x):
            return torch.round(x * 2 * 8) / 8

    model = on_grid(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
    parametrize.register_parametrization(model[0], "weight", Doubled())
    check_exact(model, frames(4), config=Config(input="s8.4", weight_bits=6, activation_bits=8))


def test_weight_and_spectral_norm():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)), nn.ReLU())
    x = frames(4)
    graph = convert(model, [x], Config(input="s8.4", weight_bits=16, activation_bits=16))
    np.testing.assert_allclose(golden(graph, [x])[0], answers(model, [x])[0], atol=1e-3)


def test_a_module_used_twice_and_tied_weights():
    layer = nn.Linear(4, 4)
    tied = nn.Linear(4, 4)
    tied.weight = layer.weight
    model = on_grid(nn.Sequential(layer, nn.ReLU(), layer, tied))
    x = frames(4)
    graph = convert(model, [x], Config(input="s8.4", weight_bits=5, activation_bits=16))
    dense = [node for node in graph.nodes if node.op.name == "dense"]
    assert [node.path for node in dense] == ["0", "2", "3"]
    assert len({node.name for node in dense}) == 3
    assert dense[0].op.weight == dense[1].op.weight == dense[2].op.weight
    np.testing.assert_allclose(golden(graph, [x])[0], answers(model, [x])[0], atol=0.05)


def test_in_place_changes_are_seen_by_every_name():
    def forward(m, x):
        y = x + 1.0
        same = torch.dropout(y, 0.5, False)
        z = y.relu_()
        return same + z, y + y

    check_exact(Lambda(forward), frames(3, 2), config=Config(input="s8.4", activation_bits=16))


def test_in_place_changes_do_not_reach_copies():
    def forward(m, x):
        y = x - 1.0
        copy = y.clone()
        y.relu_()
        other = y.clone().add_(1.0)
        return copy + y, other + copy

    check_exact(Lambda(forward), frames(3, 2), config=Config(input="s8.4", activation_bits=16))


def test_residual_with_in_place_relu_on_the_skip():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            skip = x
            x = self.relu(x)
            # The skip is changed as well: that is what PyTorch computes.
            x = self.conv(x) + skip
            return x

    model = on_grid(nn.Sequential(nn.Conv2d(2, 2, 1), Block()))
    x = frames(2, 4, 4)
    graph = convert(model, [x], Config(input="s8.4", weight_bits=5, activation_bits=16))
    np.testing.assert_allclose(golden(graph, [x])[0], answers(model, [x])[0], atol=0.02)


def test_forks_are_one_value():
    def apart(m, x):
        return m.a(torch.relu(x)) + m.b(torch.relu(x))

    def forked(m, x):
        y = torch.relu(x)
        return m.a(y) + m.b(y)

    layers = {"a": nn.Linear(4, 3), "b": nn.Linear(4, 3)}
    model, shared = Lambda(apart, **layers), Lambda(forked, **layers)
    assert ops(convert(model, [frames(4)])).count("relu") == 2
    graph = convert(shared, [frames(4)])
    assert ops(graph).count("relu") == 1
    assert len(graph.consumers("relu")) == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_element_types(dtype):
    model = on_grid(nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)))
    x = frames(2, 4, 4)
    expected = convert(model, [x], EXACT)
    assert convert(copy.deepcopy(model).to(dtype), [x], EXACT) == expected


def test_casts_between_float_types_do_nothing():
    model = Lambda(lambda m, x: torch.relu(x.double()).float())
    assert ops(check_exact(model, frames(4))) == ["relu"]


def test_example_types():
    model = nn.Sequential(nn.Linear(4, 3))
    shapes = [
        trace(model, example).outputs
        for example in (
            torch.zeros(1, 4),
            np.zeros((5, 4)),
            np.zeros((1, 4), np.uint8),
            [torch.zeros(2, 4)],
            (np.zeros((1, 4), np.float16),),
        )
    ]
    assert len(set(shapes)) == 1


HOSTILE = [
    "module",
    "a;b",
    "$(touch /tmp/pwned)",
    "/etc/passwd",
    "ünïcödé☃",
    "new\nline",
    "`include",
    "endmodule",
    '"; $finish; //',
    "x" * 500,
    "  ",
    "%s{{7*7}}",
    "a,b",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_module_names_stay_in_the_path(name):
    model = nn.Module()
    model.add_module(name, nn.Linear(4, 4))
    model.forward = lambda x: getattr(model, name)(x).relu()
    graph = convert(model, [frames(4)])
    assert graph.nodes[0].path == name
    for text in (graph.name, *(node.name for node in graph.nodes), graph.inputs[0].name):
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,60}", text)


def test_hostile_names_fit_one_line_of_a_message():
    model = nn.Module()
    model.add_module("new\nline" + "y" * 500, nn.Softmax(0))
    model.forward = lambda x: next(model.children())(x)
    with pytest.raises(Exception, match="softmax") as caught:
        trace(model, frames(4))
    text = str(caught.value)
    assert text.startswith("new\\nlineyyy")
    assert "\n" not in text
    assert len(text) < 250


def test_names_that_meet_are_kept_apart():
    model = nn.Sequential()
    for name in ("a-b", "a_b", "A.B".replace(".", "+")):
        model.add_module(name, nn.Linear(4, 4))
    graph = convert(model, [frames(4)])
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)


def test_names_follow_the_modules():
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()))
    model.add_module("pool", nn.MaxPool2d(2))
    model.add_module("flat", nn.Flatten())
    model.add_module("fc", nn.Linear(8, 2))
    graph = convert(model, [frames(1, 6, 6)])
    assert [(node.name, node.path) for node in graph.nodes] == [
        ("features_0_conv2d", "features.0"),
        ("features_2_relu", "features.2"),
        ("features_0_requant", "features.0"),
        ("pool_maxpool2d", "pool"),
        ("flat_reshape", "flat"),
        ("fc_dense", "fc"),
    ]
    assert graph.name == "sequential"


def test_the_graph_takes_the_name_of_the_configuration():
    graph = quantize(trace(nn.ReLU(), frames(4)), frames(4), Config(name="My Net!"))
    assert graph.name == "my_net"


def test_the_float_graph_computes_what_the_model_does():
    """Calibration depends on it."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.ZeroPad2d((1, 0, 2, 1)),
        nn.Conv2d(2, 6, 3, padding="same", groups=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        nn.BatchNorm2d(6),
        nn.AvgPool2d(3, 1, padding=1),
        nn.Flatten(),
        nn.Linear(6 * 5 * 5, 4),
        nn.BatchNorm1d(4),
    )
    with torch.no_grad():
        model(torch.randn(64, 2, 5, 8))
    x = torch.randn(9, 2, 5, 8)
    graph = trace(model, x)
    for variant in (graph, fold_batchnorm(graph)):
        env = {variant.inputs[0].name: x}
        for node in variant.nodes:
            env[node.name] = node.op.run(*(env[name] for name in node.inputs))
            assert tuple(env[node.name].shape[1:]) == node.output.shape
        expected = torch.from_numpy(answers(model, [x.numpy()])[0]).float()
        torch.testing.assert_close(env[variant.outputs[0]], expected)
    assert len(fold_batchnorm(graph).nodes) == len(graph.nodes) - 2
