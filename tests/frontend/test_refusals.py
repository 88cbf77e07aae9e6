"""What cannot be converted is refused in one line: where, what, and the way out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.torch_export import trace
from tests.frontend.tools import Lambda, convert, frames

SUPPORTED = "see docs/how-to/supported-models.md for what is"


def first_word(value) -> str:
    return value.partition(":")[0] if isinstance(value, str) else ""


class Outer(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.ReLU(), module)

    def forward(self, x):
        return self.block(x)


def refusal(model, *shapes) -> str:
    with pytest.raises(FrontendError) as caught:
        convert(model, [frames(*shape) for shape in shapes])
    text = str(caught.value)
    assert "\n" not in text
    return text


IMAGE = (3, 6, 6)

MODULES = [
    (
        nn.Softmax(0),
        (4,),
        "softmax: dim is 0, the batch; use another axis",
    ),
    (
        nn.AvgPool2d(2, divisor_override=-4),
        IMAGE,
        "avg_pool2d: divisor_override is -4; use a positive one",
    ),
    (
        nn.FractionalMaxPool2d(2, output_size=3),
        IMAGE,
        "rand: is not supported; keep nothing random and nothing uninitialized in eval mode",
    ),
    (
        nn.BatchNorm2d(3, track_running_stats=False),
        IMAGE,
        "batch_norm: uses batch statistics; train with track_running_stats=True, convert in eval "
        "mode",
    ),
    (
        nn.Flatten(0),
        IMAGE,
        "flatten: turns 7 frames into shape (756,), so it touches the batch axis; keep the first "
        "axis as it is, for example with torch.flatten(x, 1)",
    ),
]


@pytest.mark.parametrize(("module", "shape", "text"), MODULES, ids=first_word)
def test_modules(module, shape, text):
    assert refusal(Outer(module), shape) == f"block.1: {text}"


FUNCTIONS = [
    (
        lambda m, x: x.clamp(3, 1),
        "clamp: limits are 3 and 1; give a lower and an upper one",
    ),
    (
        lambda m, x: x.view(1, -1),
        "view: turns 7 frames into shape (1, 756), so it touches the batch axis; keep the"
        " first axis as it is, for example with torch.flatten(x, 1)",
    ),
    (
        lambda m, x: torch.cat([x, x], 0)[:7],
        "cat: dim is 0, the batch; concatenate along another axis",
    ),
    (
        lambda m, x: torch.cat([x, torch.zeros(7, 2, 6, 6)], 1),
        "cat: operand 'tensors' must depend on the model's input, found the constant zeros; "
        "compute it outside the model",
    ),
    (
        lambda m, x: torch.stack([x, x], 0)[0],
        "stack: stacks along the batch axis; use another one, for example dim=1",
    ),
    (
        lambda m, x: x + torch.arange(7.0).reshape(7, 1, 1, 1),
        "add: a constant of shape (7, 1, 1, 1) differs from frame to frame; give it the same "
        "number of axes as the operand, the first of length 1",
    ),
    (
        lambda m, x: x.mean((0, 1)),
        "mean: dim is (0, 1), which has the batch in it; leave it out",
    ),
    (
        lambda m, x: x.roll(1, 0),
        "roll: moves elements from one frame of the batch to another",
    ),
    (lambda m, x: torch.linalg.inv(x), f"linalg_inv: is not supported; {SUPPORTED}"),
    (
        lambda m, x: functional.dropout(x),
        "dropout: is active although the model is in eval mode; pass "
        "training=self.training, or use nn.Dropout",
    ),
    (
        lambda m, x: functional.max_pool2d(x, 2, return_indices=True)[1] + 1,
        "add: reads a further result of max_pool2d_with_indices, of which only the first is "
        "supported; leave the others out",
    ),
    (
        lambda m, x: torch.fake_quantize_per_tensor_affine(x, -0.5, 3, 0, 255),
        "fake_quantize_per_tensor_affine: a scale is -0.5, expected a positive one; repair it",
    ),
    (
        lambda m, x: torch.fake_quantize_per_channel_affine(
            x, torch.ones(7), torch.zeros(7, dtype=torch.int32), 0, 0, 255
        ),
        "fake_quantize_per_channel_affine: axis is 0, the batch; quantize along another axis",
    ),
    (
        lambda m, x: torch.fake_quantize_per_channel_affine(
            x, torch.ones(6), torch.arange(6, dtype=torch.int32), 3, 0, 255
        ),
        "fake_quantize_per_channel_affine: zero points of channels are odd and even, so ties are "
        "rounded in two ways; make them equal",
    ),
    (
        lambda m, x: torch.fake_quantize_per_channel_affine(
            x, torch.ones(6), torch.full((6,), 0.5), 3, 0, 255
        ),
        "fake_quantize_per_channel_affine: a zero point is no integer; round it and fine-tune the "
        "model",
    ),
    (
        lambda m, x: torch.maximum(x, torch.arange(6.0)),
        "maximum: other holds different limits; use one for all elements",
    ),
    (
        lambda m, x: functional.conv3d(x[:, None], torch.ones(1, 1, 2, 2, 2)),
        "conv3d: is not supported; make the slices of a volume channels of 2d layers; for "
        "LocalResponseNorm, use BatchNorm",
    ),
    (lambda m, x: x / 0, "div: divides by zero; repair the constant"),
    (lambda m, x: x + float("inf"), "add: operand 'other' is inf; use a finite number"),
    (
        lambda m, x: torch.add(x, x, alpha=2),
        "add: alpha is 2, expected 1; scale the weights instead",
    ),
    (lambda m, x: x.int(), "to: casts to torch.int32; use float types throughout"),
]


class Single(nn.Module):
    """One input called ``x``."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize(
    ("function", "text"), FUNCTIONS, ids=[row[1].split(":")[0] for row in FUNCTIONS]
)
def test_functions(function, text):
    assert refusal(Single(function), IMAGE) == f"the model's forward: {text}"


def test_what_is_no_model():
    for model, name in (("nets:mlp", "str"), (None, "NoneType"), (nn.Linear, "type")):
        with pytest.raises(FrontendError) as caught:
            trace(model, np.zeros((1, 4)))
        assert str(caught.value) == (
            f"the model is a {name}, expected a torch.nn.Module, what torch.export.export "
            "returned, or what hwaccel.frontend.load_model read"
        )


def test_wrong_examples():
    assert refusal(nn.Linear(5, 3), (4,)) == (
        "Linear: forward does not run on 7 frames of shape (4,): a and b must have same reduction "
        "dim, but got [7, 4] X [5, 3]; check the shape of the example, whose first axis is the "
        "batch"
    )
    for example, text in [
        (np.zeros(4), "example 0 has shape (4,), expected (N, ...); the first axis is the batch"),
        (np.zeros((1, 0, 4)), "example 0 has shape (1, 0, 4); no axis may be empty"),
        ([], "the example is empty; give one array or tensor per input"),
        ([[1.0, 2.0]], "example 0 is a float; give one array or tensor per input"),
        (None, "Linear: an example input is needed; give an array (N, ...)"),
    ]:
        with pytest.raises(FrontendError) as caught:
            trace(nn.Linear(4, 3), example)
        assert str(caught.value) == text


def test_data_dependent_control_flow(capfd):
    model = Single(lambda m, x: torch.relu(x) if x.sum() > 0 else x)
    assert refusal(model, (4,)) == (
        "Single: forward decides by the values of tensors, which a fixed circuit cannot; "
        "remove the branch or the loop"
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda m, x: x, "output x is an input of the model, unchanged; leave it out"),
        (
            lambda m, x: (x.relu(), torch.ones(7, 3)),
            "output ones does not depend on the model's input; return computed values",
        ),
        (
            lambda m, x: (x.relu(), None),
            "the model returns something that is no tensor; return tensors only",
        ),
        (
            lambda m, x: functional.max_pool2d(x.view(-1, 1, 1, 3), (1, 2), return_indices=True),
            "output getitem_1 is a further result of max_pool2d_with_indices, of which only the "
            "first is supported; leave the others out",
        ),
        (lambda m, x: (), "the model returns no tensor; return at least one"),
        (
            lambda m, x: torch.fake_quantize_per_tensor_affine(x, 0.5, 0, 0, 7),
            "output requant is an input of the model in its own format; leave it out",
        ),
    ],
)
def test_outputs(function, text):
    model = Single(function)
    with pytest.raises(FrontendError) as caught:
        convert(model, [frames(3)], Config())
    assert str(caught.value) == text


def test_unused_input():
    model = Lambda(lambda m, x, y: torch.relu(x))
    assert refusal(model, (3,), (3,)) == (
        "input xs_1 reaches no output; remove it from the model's forward"
    )


def test_five_axes():
    assert refusal(nn.ReLU(), (1, 4, 4, 4)) == (
        "input input: shape (1, 4, 4, 4) without the batch axis has 4 axes, expected 1 to 3; "
        "make it (features,), (channels, length) or (channels, height, width)"
    )


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_weights_that_are_no_numbers(value, word):
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight[1, 2] = value
    assert refusal(Outer(layer), (4,)) == (
        f"block.1: block.1.weight holds {word} at index (1, 2); retrain or repair the weights"
    )


def test_negative_variance():
    norm = nn.BatchNorm1d(4)
    norm.running_var[1] = -1
    assert refusal(Outer(norm), (4,)) == (
        "block.1: batch_norm: running_var plus eps is not positive; repair the statistics"
    )


def test_buffers_that_change():
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += 1
            return x * self.seen

    assert refusal(Counter(), (3,)) == (
        "the model's forward: add_: changes the constant seen in place; keep no state "
        "between frames"
    )
