"""Quantized models: exact in hardware, choices by the loss, clear refusals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

pytest.importorskip("brevitas")

from hwaccel.api import convert
from hwaccel.compress import quant_layers
from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.correct import unrounded
from hwaccel.compress.data import Data, load_data, make_data
from hwaccel.compress.edits import Sparse
from hwaccel.compress.precision import search
from hwaccel.compress.quant_report import quant_report
from hwaccel.compress.quantize import edit_for, losses_alone, places, quantize
from hwaccel.compress.quantized import LayerBits, Quantized, parse_layers
from hwaccel.compress.scales import calibrate, input_format
from hwaccel.compress.training import (
    Answers,
    Recipe,
    Score,
    answers,
    copied,
    evaluate,
    outputs_of,
    train,
)
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from hwaccel.frontend import load_model
from tests.compress.quantized_models import MODELS, Cnn, Mlp, Residual, Reused, made

torch.set_num_threads(1)
HERE = "tests.compress.quantized_models"


@pytest.fixture(scope="module")
def data() -> Data:
    return load_data("digits")


@pytest.fixture(scope="module")
def trained(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(train(Cnn(), data.train, Recipe(epochs=8, rate=1e-2)))


@pytest.fixture(scope="module")
def small(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(train(Mlp(), data.train, Recipe(epochs=15, rate=2e-2)))


def design_of(model: nn.Module, x: torch.Tensor, **options: Any) -> Any:
    return convert(model, x[:1], calibration=x[:64].numpy(), config=Config(**options))


def logits(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    return outputs_of(model, x).numpy()


# --- exactness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [(8, 8), (5, 6), (2, 2)])
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_golden_equals_the_quantized_model(
    model: type[nn.Module], bits: tuple[int, int], data: Data
) -> None:
    quantized, _ = quantize(Checkpoint(made(model)), data, edit_for(data, *bits))
    want = logits(quantized.model, data.test.x)
    found = design_of(quantized.model, data.train.x).golden(data.test.x.numpy())
    assert np.unique(want).size > 3
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("bits", range(2, 9))
def test_all_widths_are_exact(bits: int, data: Data) -> None:
    quantized, _ = quantize(Checkpoint(made(Cnn)), data, edit_for(data, bits, 10 - bits))
    found = design_of(quantized.model, data.train.x).golden(data.test.x.numpy())
    np.testing.assert_array_equal(found, logits(quantized.model, data.test.x))
    for layer in (quantized.model.conv1, quantized.model.fc):
        scale = layer.quant_weight().scale
        ints = (layer.quant_weight().value / scale).detach()
        assert torch.equal(torch.log2(scale), torch.log2(scale).round())
        assert torch.equal(ints, ints.round())
        assert -(1 << (bits - 1)) <= ints.min()
        assert ints.max() < 1 << (bits - 1)


@pytest.mark.parametrize("model", [Residual, Reused], ids=lambda m: m.__name__)
def test_trained_models_are_exact(model: type[nn.Module], data: Data) -> None:
    few = data.reduced(256)
    edit = msgspec.structs.replace(edit_for(data, 4, 4), learned=True)
    recipe = Recipe(epochs=2, rate=2e-2)
    quantized, _ = quantize(Checkpoint(made(model)), few, edit, recipe)
    found = design_of(quantized.model, data.train.x).golden(data.test.x.numpy())
    np.testing.assert_array_equal(found, logits(quantized.model, data.test.x))


def test_signed_inputs_are_exact(data: Data) -> None:
    x = data.train.x - 0.5
    centered = make_data(
        "centered", x.numpy(), data.train.y.numpy(), x.numpy(), data.train.y.numpy()
    )
    edit = edit_for(centered, 4, 4)
    assert edit.input == "s4.4"
    quantized, _ = quantize(Checkpoint(made(Residual)), centered, edit)
    found = design_of(quantized.model, x).golden(x.numpy())
    np.testing.assert_array_equal(found, logits(quantized.model, x))


@pytest.mark.parametrize(
    "function",
    [nn.GELU(), nn.SiLU(), nn.ELU(), nn.Hardswish(), nn.Softplus(), nn.Mish(), nn.Hardsigmoid()],
    ids=lambda f: type(f).__name__,
)
def test_functions_are_exact(function: nn.Module, data: Data) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), function, nn.Linear(8, 10))
    quantized, _ = quantize(Checkpoint(net.eval()), data, edit_for(data, 6, 7))
    found = design_of(quantized.model, data.train.x).golden(data.test.x.numpy())
    np.testing.assert_array_equal(found, logits(quantized.model, data.test.x))


class Pooled(nn.Module):
    def __init__(self, pool: nn.Module, last: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 4)
        self.pool = pool
        self.fc = nn.Identity() if last else nn.LazyLinear(10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.flatten(self.pool(torch.relu(self.conv(x))), 1))


@pytest.mark.parametrize(
    ("pool", "last"),
    [
        (nn.AvgPool2d(3), False),
        (nn.AvgPool2d((5, 1), padding=(1, 0)), False),
        (nn.AdaptiveAvgPool2d(1), False),
        (nn.AdaptiveAvgPool2d(1), True),
    ],
)
def test_averages_of_odd_counts_are_exact(pool: nn.Module, last: bool, data: Data) -> None:
    torch.manual_seed(0)
    net = Pooled(pool, last)
    net(data.example)
    quantized, _ = quantize(Checkpoint(net.eval()), data, edit_for(data, 5, 7))
    x = torch.cat([data.train.x, data.test.x])
    found = design_of(quantized.model, x).golden(x.numpy())
    np.testing.assert_array_equal(found, logits(quantized.model, x))


def test_averages_whose_halves_would_differ_are_refused(data: Data) -> None:
    for pool, path, count in (
        (nn.AvgPool2d((2, 3)), "pool", 6),
        (nn.AvgPool2d(2, divisor_override=12), "pool", 12),
    ):
        net = nn.Sequential()
        net.add_module("pool", pool)
        assert refused(lambda net=net: Quantized(input="u4.4").apply(net, data.example)) == (
            f"layer {path!r}: averages {count} values, neither an odd number nor a power of two, "
            f"so halves would round in another way in hardware; {_OUT}"
        )
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1))
    assert "layer '1': averages 36 values, " in refused(
        lambda: Quantized(input="u4.4").apply(net, data.example)
    )


def test_pixels_in_bytes_arrive_exactly() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (64, 1, 8, 8)) / 256
    y = np.arange(64) % 10
    images = make_data("bytes", x, y, x, y)
    edit = edit_for(images, 4, 4)
    assert edit.input == "u8.8"
    quantized, _ = quantize(Checkpoint(made(Mlp)), images, edit)
    assert torch.equal(quantized.model.input_quant(images.train.x).value, images.train.x)


@pytest.mark.rtl
@pytest.mark.slow
def test_every_executor_computes_the_quantized_model(data: Data) -> None:
    quantized, _ = quantize(Checkpoint(made(Residual)), data, edit_for(data, 4, 4))
    x = data.test.x[:20]
    design = design_of(quantized.model, data.train.x, multipliers=64)
    ints = design.golden.quantize(x.numpy())
    want = logits(quantized.model, x)
    for what in ("hls", "cuda-host", "torch"):
        np.testing.assert_array_equal(design.golden.read(design.execute(what, ints)), want)
    result = design.simulate(x.numpy(), simulator="fast")
    np.testing.assert_array_equal(design.golden.read(result.outputs), want)


def test_formats_of_inputs() -> None:
    def of(*values: float) -> str:
        return str(input_format(torch.tensor(values), 8))

    assert of(0, 1, 2, 3) == "u2.0"
    assert of(0) == "u1.0"
    assert of(-1, 0.5) == "s2.1"
    assert of(-0.5, -0.25) == "s2.2"
    assert of(255 / 256, 1 / 256) == "u8.8"
    assert of(0.1, 0.9) == "u8.8"
    assert of(-0.3, 100.1).startswith("s8.")


# --- structure and checkpoints ------------------------------------------------------------------


def test_a_checkpoint_makes_the_same_model_again(data: Data, tmp_path: Path) -> None:
    edit = msgspec.structs.replace(
        edit_for(data, 4, 5), layers=parse_layers(["conv1=6/7", "fc2=3", "relu_2=/2"])
    )
    quantized, _ = quantize(Checkpoint(made(Reused)), data, edit)
    write_checkpoint(tmp_path / "q", quantized, data.example, {})
    again = read_checkpoint(f"{HERE}:Reused", tmp_path / "q", data.example)
    assert again.edits == (edit,)
    want = logits(quantized.model, data.test.x)
    np.testing.assert_array_equal(logits(again.model, data.test.x), want)
    exported = load_model(str(tmp_path / "q" / "model.pt2"))
    # Other numbers than the images: all formats are those of the model.
    design = convert(exported, calibration=np.random.default_rng(0).standard_normal((8, 1, 8, 8)))
    np.testing.assert_array_equal(design.golden(data.test.x.numpy()), want)


def test_bits_of_layers(data: Data) -> None:
    layers = parse_layers(["conv1=6/7", "relu2=/3", "fc=5"])
    edit = msgspec.structs.replace(edit_for(data, 4, 4), layers=layers)
    model = edit.apply(made(Cnn), data.example)
    found = {(place.path, place.field.split("_")[0]): place.bits for place in places(model)}
    assert found == {
        ("conv1", "weight"): 6,
        ("relu1", "activation"): 7,
        ("conv2", "weight"): 4,
        ("relu2", "activation"): 3,
        ("fc", "weight"): 5,
    }


def test_the_float_model_is_left_alone_and_without_rounding_nothing_changes(data: Data) -> None:
    float_model = made(Residual)
    before = {name: value.clone() for name, value in float_model.state_dict().items()}
    quantized, _ = quantize(Checkpoint(float_model), data, edit_for(data, 3, 3), corrected=False)
    assert all(torch.equal(v, before[k]) for k, v in float_model.state_dict().items())
    with unrounded(quantized.model):
        found = logits(quantized.model, data.test.x)
    want = logits(float_model, data.test.x)
    np.testing.assert_allclose(found, want, atol=1e-4)
    assert np.abs(logits(quantized.model, data.test.x) - want).max() > 1e-2


def test_pruned_weights_stay_zero(data: Data) -> None:
    model = made(Cnn)
    with torch.no_grad():
        for layer in (model.conv1, model.conv2, model.fc):
            layer.weight[torch.rand(layer.weight.shape) < 0.5] = 0
    masks = {name: getattr(model, name).weight == 0 for name in ("conv1", "conv2", "fc")}
    start = Checkpoint(model, (Sparse(),))
    recipe = Recipe(epochs=2, rate=1e-2)
    quantized, _ = quantize(start, data.reduced(256), edit_for(data, 4, 4), recipe)
    for name, mask in masks.items():
        layer = getattr(quantized.model, name)
        assert bool((layer.weight[mask] == 0).all())
        assert bool((layer.quant_weight().value[mask] == 0).all())
        assert bool((layer.weight[~mask] != 0).any())
        assert isinstance(layer.weight, nn.Parameter)
    assert quantized.edits[0] == Sparse()


# --- what is lost -------------------------------------------------------------------------------


def test_corrections_lower_the_loss(data: Data, trained: Checkpoint) -> None:
    edit = edit_for(data, 3, 6)
    _, plain = quantize(trained, data, edit, corrected=False)
    _, corrected = quantize(trained, data, edit)
    assert plain.before == corrected.before
    assert corrected.after.loss < plain.after.loss
    assert plain.after.loss > plain.before.loss


def test_corrections_keep_means(data: Data, trained: Checkpoint) -> None:
    edit = edit_for(data, 3, 4)
    x = torch.from_numpy(data.calibration())
    means = []
    for corrected in (False, True):
        made_, _ = quantize(trained, data, edit, corrected=corrected)
        float_mean = outputs_of(trained.model, x).mean(0)
        means.append(float((outputs_of(made_.model, x).mean(0) - float_mean).abs().max()))
    # What remains is the rounding of the bias to the accumulator's grid.
    assert means[1] < 0.1 < means[0]


def test_training_lowers_the_loss(data: Data, trained: Checkpoint) -> None:
    lines: list[str] = []
    recipe = Recipe(epochs=3, rate=5e-3)
    _, lost = quantize(trained, data, edit_for(data, 2, 3), recipe, progress=lines.append)
    assert lost.after.loss < lost.rounded.loss
    assert lines[0] == "choosing scales"
    assert lines[-1].startswith("quantization-aware training: epoch 3 of 3, loss ")


def test_learned_scales_move_by_powers_of_two(data: Data, trained: Checkpoint) -> None:
    edit = msgspec.structs.replace(edit_for(data, 2, 3), learned=True)
    frozen, _ = quantize(trained, data, edit)
    learned, _ = quantize(trained, data, edit, Recipe(epochs=4, rate=5e-2))
    scales = []
    for model in (frozen.model, learned.model):
        layers = [m.weight_quant.scale().flatten() for m in (model.conv1, model.conv2, model.fc)]
        values = [m.act_quant.scale()[None] for m in (model.relu1, model.relu2)]
        scales.append(torch.cat([*layers, *values]).detach())
    ratios = scales[0] / scales[1]
    assert bool((ratios != 1).any())
    assert torch.equal(torch.log2(ratios), torch.log2(ratios).round())
    assert learned.model.input_quant.act_quant.scale() == 2**-4
    design = design_of(learned.model, data.train.x)
    want = logits(learned.model, data.test.x)
    np.testing.assert_array_equal(design.golden(data.test.x.numpy()), want)


def test_each_place_alone_rounds(data: Data, trained: Checkpoint) -> None:
    quantized, lost = quantize(trained, data, edit_for(data, 2, 2), corrected=False)
    alone = losses_alone(quantized.model, data)
    assert [place.path for place in alone] == ["conv1", "relu1", "conv2", "relu2", "fc"]
    assert all(loss != lost.before.loss for loss in alone.values())
    assert min(alone.values()) < lost.after.loss
    assert evaluate(quantized.model, data.valid) == lost.after


def test_search_stays_within_the_bound_and_saves_hardware(data: Data, small: Checkpoint) -> None:
    edit = edit_for(data, 5, 4)
    bound = Bound(loss_rise=0.05)
    made_, found = search(small, data, edit, bound)
    before, after = found.quantization.before, found.quantization.after
    assert after == evaluate(made_.model, data.valid)
    assert after.loss <= before.loss + 0.05
    assert bound.surely(answers(small.model, data.valid), answers(made_.model, data.valid), 1.0)
    assert found.cost_after.work < found.cost_before.work
    assert any(step.kept for step in found.steps)
    assert any(not step.kept for step in found.steps)
    assert all(step.score.loss <= before.loss + 0.05 for step in found.steps if step.kept)
    assert not any(step.trained for step in found.steps)
    bits = {place.path: place.bits for place in places(made_.model)}
    assert min(bits.values()) < 5
    report = quant_report(small, made_, data)
    assert {
        row.path: row.weight_bits or row.activation_bits for row in report.rows if row.loss_alone
    } == bits
    assert report.after == found.cost_after


@pytest.mark.slow
def test_search_trains_what_breaks_the_bound(data: Data, small: Checkpoint) -> None:
    few = data.reduced(512)
    recipe = Recipe(epochs=2, rate=5e-3)
    made_, found = search(small, few, edit_for(data, 4, 4), Bound(loss_rise=0.015), recipe)
    after = evaluate(made_.model, few.valid)
    assert after.loss <= found.quantization.before.loss + 0.015
    assert any(step.trained for step in found.steps)
    found_design = design_of(made_.model, data.train.x)
    np.testing.assert_array_equal(
        found_design.golden(data.test.x.numpy()), logits(made_.model, data.test.x)
    )


# --- refusals -----------------------------------------------------------------------------------


def refused(action: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        action()
    return str(raised.value)


def test_bits_are_two_to_sixteen() -> None:
    assert refused(lambda: Quantized(weight_bits=0)) == "weight_bits is 0; use 2 to 16 bits"
    assert (
        refused(lambda: Quantized(activation_bits=17)) == "activation_bits is 17; use 2 to 16 bits"
    )
    layers = {"fc": LayerBits(weight_bits=1)}
    want = "layer 'fc': weight_bits is 1; use 2 to 16 bits"
    assert refused(lambda: Quantized(layers=layers)) == want
    want = "quantized input: u20.8 is too wide; use at most 16 bits"
    assert refused(lambda: Quantized(input="u20.8")) == want
    assert refused(lambda: Quantized(input="8 bits")).startswith("quantized input: ")


@pytest.mark.parametrize("text", ["fc", "fc=", "fc=/", "fc=a/4", "=4", "fc=4/5/6", "fc=1000"])
def test_texts_of_layers(text: str) -> None:
    assert refused(lambda: parse_layers([text])) == (
        f"--layer {text}: expected PATH=WEIGHTS/ACTIVATIONS with at least one of them, like "
        "conv1=6/4, conv1=6 or relu1=/4, and every layer once"
    )


def test_unknown_layers(data: Data) -> None:
    def apply(text: str) -> str:
        edit = Quantized(input="u4.4", layers=parse_layers([text]))
        return refused(lambda: edit.apply(made(Cnn), data.example))

    assert apply("conv9=4") == "layer 'conv9' is not quantized; layers are conv1, conv2, fc"
    assert apply("relu1=4") == "layer 'relu1' has no weights; leave weight_bits out"
    assert apply("fc=/4") == (
        "layer 'fc' has no quantizer of its own behind it; leave activation_bits out"
    )


def test_calibration_needs_finite_inputs(data: Data) -> None:
    model = Quantized(input="u4.4").apply(made(Mlp), data.example)
    none, odd = data.train.x[:0], data.train.x[:4].clone()
    odd[2, 0, 1, 1] = float("nan")
    want = "calibration: holds no inputs; give at least one"
    assert refused(lambda: calibrate(model, none)) == want
    assert refused(lambda: input_format(none, 8)) == want
    assert refused(lambda: calibrate(model, odd)) == (
        "calibration: holds a number that is not finite; remove it"
    )


def test_one_class_is_nothing_to_learn(data: Data) -> None:
    x = data.train.x[:8].numpy()
    y = np.zeros(8)
    assert refused(lambda: make_data("one", x, y, x, y)) == (
        "one: y_train holds one class only; nothing can be learned from it"
    )


class Branch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class TwoInputs(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class Number(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) * self.gain


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) * 3


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = Doubled()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.softmax(self.cell(x), 1)


_OUT = "leave it out, or convert the float model, which hwaccel convert quantizes by itself"


def test_models_that_are_not_quantized(data: Data) -> None:
    def apply(model: nn.Module) -> str:
        return refused(lambda: Quantized(input="u4.4").apply(model, data.example))

    assert apply(Branch()) == (
        "Branch: cannot be traced for quantization (symbolically traced variables cannot be used "
        "as inputs to control flow); let forward branch on no values of tensors"
    )
    assert apply(TwoInputs()) == "TwoInputs: takes 2 inputs; quantization takes models of one input"
    assert apply(nn.Linear(3, 2)) == (
        "Linear: does not run on inputs of shape (1, 8, 8) (mat1 and mat2 shapes cannot be "
        "multiplied (8x8 and 3x2)); give the data of this model"
    )
    assert apply(Number()) == (
        "gain: is used as a number in forward, which is not quantized; use layers of torch.nn"
    )
    assert apply(Doubled()) == (
        f"Doubled: combines a value with a number, which is not quantized; {_OUT}"
    )
    assert apply(nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Softmax(1))) == (
        f"layer '2': Softmax is not quantized; {_OUT}"
    )
    inner = Inner()
    inner.cell = nn.Flatten()
    assert apply(inner) == f"Inner: softmax is not quantized; {_OUT}"
    assert apply(nn.Sequential(Doubled())) == (
        f"layer '0': combines a value with a number, which is not quantized; {_OUT}"
    )
    norm = nn.BatchNorm1d(64)
    assert apply(nn.Sequential(nn.Flatten(), norm).eval()) == (
        "layer '1': BatchNorm1d has no Linear or Conv1d of its own in front, into which it could "
        "be folded; move it there or remove it"
    )
    bare = nn.BatchNorm2d(1, track_running_stats=False)
    assert apply(nn.Sequential(bare)) == (
        "layer '0': BatchNorm2d has no running statistics, so its scale depends on the batch; set "
        "track_running_stats"
    )


def test_a_quantized_model_is_not_quantized_again(data: Data) -> None:
    edit = edit_for(data, 4, 4)
    quantized, _ = quantize(Checkpoint(made(Mlp)), data, edit)
    assert refused(lambda: quantize(quantized, data, edit)) == (
        "the checkpoint is quantized already; quantize the float checkpoint it came from"
    )
    assert refused(lambda: edit.apply(copied(quantized.model), data.example)) == (
        "the model is quantized already; quantize the float model it came from"
    )


def test_a_margin_is_of_the_differences_sample_by_sample() -> None:
    hits = torch.ones(400, dtype=torch.float64)
    losses = torch.linspace(0, 5, 400, dtype=torch.float64)
    before = Answers(losses, hits)
    assert before.score == Score(pytest.approx(2.5), 400, 400)
    # Four of 400 are lost: one point, and half a point of it is a standard error.
    fewer = hits.clone()
    fewer[[3, 99, 200, 310]] = 0
    after = Answers(losses + 0.25, fewer)
    error = 100 * (0.01 * 0.99 / 400) ** 0.5
    for margin in (0.0, 1.0, 2.0):
        assert Bound(accuracy_drop=1 + margin * error + 1e-6).surely(before, after, margin)
        assert not Bound(accuracy_drop=1 + margin * error - 1e-6).surely(before, after, margin)
        # All losses rise alike, so the error of the rise is none, wide as losses are spread.
        assert Bound(loss_rise=0.2501).surely(before, after, margin)
        assert not Bound(loss_rise=0.2499).surely(before, after, margin)
    broken = Answers(torch.full_like(losses, torch.nan), hits)
    assert not Bound(accuracy_drop=50).surely(before, broken, 0.0)
    assert Bound(accuracy_drop=0).surely(before, before, 5.0)


def test_steps_need_the_margin_and_the_first_bits_do_not(data: Data, small: Checkpoint) -> None:
    bound, edit = Bound(loss_rise=0.2), edit_for(data, 3, 3)
    few = data.reduced(512)
    made_, found = search(small, few, edit, bound, margin=1e6)
    assert found.steps
    assert not any(step.kept for step in found.steps)
    assert {place.bits for place in places(made_.model)} == {3}
    with pytest.raises(ConfigError) as error:
        search(small, few, edit, bound, margin=-1)
    assert str(error.value) == "search: margin is -1; expected standard errors from 0"


def test_bounds(data: Data, trained: Checkpoint) -> None:
    assert refused(lambda: search(trained, data, edit_for(data, 2, 2), Bound())) == (
        "search: nothing is limited; give an accuracy drop or a loss rise"
    )
    assert refused(lambda: Bound(accuracy_drop=-1)) == "accuracy_drop -1: expected a number from 0"
    before = evaluate(trained.model, data.valid)
    text = refused(lambda: search(trained, data, edit_for(data, 2, 2), Bound(loss_rise=0.0)))
    assert text.startswith("search: the most bits already lose more than the bound allows (")
    assert text.endswith(f"; before: {before}); use more bits, a wider bound, or training")


def test_brevitas_that_is_missing(monkeypatch: pytest.MonkeyPatch, data: Data) -> None:
    quant_layers.brevitas.cache_clear()
    monkeypatch.setitem(sys.modules, "brevitas.nn", None)
    assert refused(lambda: Quantized(input="u4.4").apply(made(Mlp), data.example)) == (
        "brevitas: is not installed; quantized models need it: pip install 'hwaccel[qat]'"
    )
    quant_layers.brevitas.cache_clear()
