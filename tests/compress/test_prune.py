"""Zeros in patterns: how many, where, chosen by what, and that they stay."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel.compress.bound import Bound, largest
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.order import areas, order_of
from hwaccel.compress.patterns import Block, Channels, Few, Unstructured, parse_pattern
from hwaccel.compress.prune import Goal, Pruned, prune
from hwaccel.compress.sensitivity import Curve, Step, by_steps, sensitivity, steps
from hwaccel.compress.sparsity import overall, sparsity
from hwaccel.compress.training import Recipe, cross_entropy, evaluate
from hwaccel.compress.units import Units, across, per_layer, without
from hwaccel.compress.zeros import Zeros, magnitude
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from tests.compress.nets import Bare, Digits

STREAM = Config(multipliers=16)
ONCE = Recipe(epochs=1, rate=2e-3)
NEVER = Recipe(epochs=0)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data() -> Data:
    return load_data("digits")


@pytest.fixture(scope="module")
def trained(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    made = Checkpoint(Digits())
    made.train(data.train, Recipe(epochs=12, rate=1e-2))
    assert evaluate(made.model, data.test).accuracy > 94
    return made


def run(start: Checkpoint, data: Data, **fields: object) -> Pruned:
    goal = Goal(**{"rounds": 1, "recipe": NEVER, **fields})  # type: ignore[arg-type]
    return prune(start, data, goal, config=STREAM)


def zeros_by_layer(model: nn.Module) -> dict[str, int]:
    return {layer.path: layer.zeros for layer in sparsity(model)}


# --- the order of the hardware -------------------------------------------------------------------

LAYERS = {
    "linear": (nn.Linear(6, 4, bias=False), (3, 6)),
    "conv1d": (nn.Conv1d(4, 6, 3, bias=False), (3, 4, 9)),
    "conv2d": (nn.Conv2d(3, 4, (2, 3), bias=False), (3, 3, 5, 5)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2, bias=False), (3, 4, 5, 5)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (3, 4, 5, 5)),
    "conv3d": (nn.Conv3d(2, 4, 2, bias=False), (3, 2, 3, 3, 3)),
    "transposed1d": (nn.ConvTranspose1d(4, 3, 3, bias=False), (3, 4, 5)),
    "transposed2d": (nn.ConvTranspose2d(4, 6, 3, bias=False), (3, 4, 5, 5)),
    "transposed-grouped": (nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), (3, 4, 5, 5)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_row_is_an_output_and_a_column_an_input_of_a_tap(kind: str) -> None:
    layer, shape = LAYERS[kind]
    order = order_of(layer)
    assert sorted(order.positions.flatten().tolist()) == list(range(layer.weight.numel()))
    kept, x = layer.weight.detach().clone(), torch.rand(shape)
    for output in range(len(order.positions)):
        with torch.no_grad():
            layer.weight.flatten()[order.positions[output]] = 0
            gone = layer(x).movedim(1, 0).flatten(1).abs().sum(1) == 0
            layer.weight.copy_(kept)
        assert gone.nonzero().flatten().tolist() == [output]
    inputs = shape[1] // getattr(layer, "groups", 1)
    assert order.channels == inputs
    # One tap after the other, so the first columns are all inputs of the first tap.
    taps = layer.weight[..., 0] if kind != "linear" else layer.weight
    while taps.ndim > 2:
        taps = taps[..., 0]
    first = layer.weight.flatten()[order.positions[:, :inputs]]
    assert set(first.flatten().tolist()) == set(taps.flatten().tolist())


def test_blocks_lie_where_the_hardware_has_its_words(data: Data) -> None:
    model = Digits().eval()
    assert areas(model, data.example) == {"fc1": 16, "fc2": 1}
    rng = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 2, model.fc1.weight.shape, generator=rng).float()
    with torch.no_grad():
        model.fc1.weight.copy_(mask)
    design = hwaccel.convert(model, data.example, calibration=data.calibration(32), config=STREAM)
    (dense,) = [n.op for n in design.graph.nodes if n.path == "fc1" and n.op.name == "dense"]
    expected = mask.flatten()[order_of(model.fc1, 16).positions]
    assert np.array_equal(dense.weight.a != 0, expected.numpy() != 0)


def test_areas_of_other_ways_in(data: Data) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = nn.Conv2d(1, 2, 3), nn.ReLU()
            self.view, self.pooled = nn.Linear(2 * 36, 64), nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.conv(x).view(x.shape[0], -1))
            return self.pooled(torch.sigmoid(self.view(x)))

    assert areas(Odd(), data.example) == {"view": 36, "pooled": 1}


# --- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["unstructured", "channels", "2:4", "1:4", "3:7", "4x1", "1x8"])
def test_patterns_are_read_as_they_are_written(text: str) -> None:
    assert str(parse_pattern(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "blocks",
            "pattern 'blocks': is none of unstructured, channels, N:M like 2:4, and outputs x "
            "inputs like 4x1",
        ),
        ("4:2", "pattern 4:2: keeps 4 of 2; expected 0 < N < M"),
        ("4:4", "pattern 4:4: keeps 4 of 4; expected 0 < N < M"),
        ("0:4", "pattern 0:4: keeps 0 of 4; expected 0 < N < M"),
        ("0x4", "pattern 0x4: a block has at least one output and one input"),
    ],
)
def test_other_patterns_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_pattern(text)
    assert str(error.value) == said


def test_one_threshold_for_all_layers(trained: Checkpoint, data: Data) -> None:
    before = {k: v.clone() for k, v in trained.model.state_dict().items()}
    made = run(trained, data, sparsity=0.75)
    total = sum(layer.weights for layer in sparsity(trained.model))
    assert sum(zeros_by_layer(made.checkpoint.model).values()) == round(0.75 * total)
    assert len({round(layer.share, 2) for layer in sparsity(made.checkpoint.model)}) > 1
    # Within a layer the smallest went, and what stayed is as it was.
    for name, weight in made.checkpoint.model.state_dict().items():
        if name.endswith("weight") and (weight == 0).any():
            assert before[name][weight == 0].abs().max() <= weight[weight != 0].abs().min()
            assert torch.equal(weight[weight != 0], before[name][weight != 0])
    assert all(torch.equal(v, before[k]) for k, v in trained.model.state_dict().items())
    assert made.record.sparsity == pytest.approx(0.75, abs=1e-3)
    assert made.record.reached


def test_the_same_share_of_every_layer(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, sparsity=0.6, scope="layer")
    for layer in sparsity(made.checkpoint.model):
        assert layer.zeros == round(0.6 * layer.weights)


def test_skipped_layers_keep_all(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, sparsity=0.5, skip=("conv1", "fc2"))
    found = zeros_by_layer(made.checkpoint.model)
    assert found == {"conv1": 0, "conv2": found["conv2"], "fc1": found["fc1"], "fc2": 0}
    assert found["conv2"] + found["fc1"] == (288 + 2048 * 24 // 16) // 2


@pytest.mark.parametrize(("kept", "of"), [(2, 4), (1, 4), (1, 2), (3, 8)])
def test_so_many_of_every_group_are_zero(
    kept: int, of: int, trained: Checkpoint, data: Data
) -> None:
    skip = ("conv1", "conv2") if of == 8 else ("conv1",)
    made = run(trained, data, pattern=Few(kept, of), skip=skip)
    assert made.record.reached
    for path, area in (("conv2", 1), ("fc1", 16), ("fc2", 1)):
        if path in skip:
            continue
        before, layer = trained.model.get_submodule(path), made.checkpoint.model.get_submodule(path)
        order = order_of(layer, area).positions
        groups = layer.weight.flatten()[order].reshape(-1, of)
        whole = before.weight.flatten()[order].reshape(-1, of).abs()
        assert ((groups == 0).sum(1) == of - kept).all()
        largest_gone = whole.masked_fill(groups != 0, 0).amax(1)
        assert (largest_gone <= whole.masked_fill(groups == 0, torch.inf).amin(1)).all()


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (8, 1), (1, 4), (2, 2)])
def test_blocks_are_zero_or_whole(rows: int, columns: int, trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, pattern=Block(rows, columns), sparsity=0.5, skip=("conv1", "fc2"))
    zero = 0
    for path, area in (("conv2", 1), ("fc1", 16)):
        layer = made.checkpoint.model.get_submodule(path)
        matrix = layer.weight.flatten()[order_of(layer, area).positions]
        outputs, inputs = matrix.shape
        blocks = matrix.reshape(outputs // rows, rows, inputs // columns, columns)
        count = (blocks == 0).sum((1, 3))
        assert ((count == 0) | (count == rows * columns)).all()
        zero += int((count > 0).sum())
    assert zero == (288 + 3072) // (rows * columns) // 2


@pytest.mark.parametrize(
    ("pattern", "skip", "said"),
    [
        (
            "2:4",
            (),
            "conv1: inputs side by side: 1, which 4 of pattern 2:4 does not divide; leave the "
            "layer out with --skip conv1, or choose another pattern",
        ),
        (
            "4x4",
            ("conv1",),
            "fc2: outputs: 10, which 4 of pattern 4x4 does not divide; leave the layer out with "
            "--skip fc2, or choose another pattern",
        ),
    ],
)
def test_a_pattern_that_does_not_divide(
    pattern: str, skip: tuple[str, ...], said: str, trained: Checkpoint, data: Data
) -> None:
    sparse = None if ":" in pattern else 0.5
    with pytest.raises(ConfigError) as error:
        run(trained, data, pattern=parse_pattern(pattern), sparsity=sparse, skip=skip)
    assert str(error.value) == said


# --- amounts -------------------------------------------------------------------------------------


def some_units() -> tuple[Units, ...]:
    rng = torch.Generator().manual_seed(1)

    def nothing(model: nn.Module, gone: torch.Tensor) -> None:
        raise AssertionError

    return tuple(
        Units(path, torch.rand(count, generator=rng), size, (path,), nothing)  # type: ignore[arg-type]
        for path, count, size in (("a", 40, 1), ("b", 7, 3), ("c", 200, 1))
    )


def test_amounts_grow_with_the_share_and_leave_one() -> None:
    units = some_units()
    order = (Step("c", 0.9), Step("a", 0.5), Step("b", 0.4))
    for choose in (per_layer, across, lambda u, s: by_steps(u, s, order)):
        last = dict.fromkeys("abc", 0)
        for share in np.linspace(0, 1, 60):
            amounts = choose(units, float(share))
            assert all(amounts[path] >= last[path] for path in last)
            last = amounts
        assert last == {"a": 39, "b": 6, "c": 199}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.5, 0.9])
def test_one_threshold_comes_as_near_as_can_be(share: float) -> None:
    units = some_units()
    amounts = across(units, share)
    gone = sum(u.size * amounts[u.path] for u in units)
    assert abs(gone - share * 261) <= 1.5
    taken = max(
        (float(u.scores.sort().values[amounts[u.path] - 1]) for u in units if amounts[u.path]),
        default=0,
    )
    left = min(float(u.scores.sort().values[amounts[u.path]]) for u in units)
    assert taken <= left


def test_scores_compare_layers_whatever_their_scale() -> None:
    energy = torch.rand(50, generator=torch.Generator().manual_seed(0)).double()
    scores = magnitude(energy)
    assert torch.equal(scores.argsort(), energy.argsort())
    assert torch.allclose(magnitude(1e6 * energy), scores)
    assert scores.max() == 1
    assert magnitude(torch.zeros(3)).tolist() == [0, 0, 0]


def test_steps_follow_the_loss_for_the_hardware_saved() -> None:
    # The first half of b is dear, its second half free: together they are cheaper than a.
    a = Curve("a", (0, 0.5, 1), (0, 1.0, 8.0))
    b = Curve("b", (0, 0.5, 1), (0, 0.9, 0.9))
    assert steps((a, b), {"a": 1, "b": 1}) == (Step("b", 1), Step("a", 0.5), Step("a", 1))
    # Four times the hardware makes the first half of a worth it.
    assert steps((a, b), {"a": 4, "b": 1}) == (Step("a", 0.5), Step("b", 1), Step("a", 1))


def test_sensitivity_is_measured_layer_by_layer(trained: Checkpoint, data: Data) -> None:
    units = Zeros(Unstructured(), {})(trained.model)
    curves = sensitivity(trained, units, data.valid, cross_entropy, (0.5, 0.9))
    base = evaluate(trained.model, data.valid).loss
    for curve, u in zip(curves, units, strict=True):
        assert curve.path == u.path
        for share, rise in zip(curve.shares, curve.rises, strict=True):
            less = without(trained, (u,), {u.path: u.amount(share)})
            assert rise == pytest.approx(evaluate(less.model, data.valid).loss - base, abs=1e-6)
            assert overall(x for x in sparsity(less.model) if x.path == u.path) == share


def test_the_dearest_layer_gives_most(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, sparsity=0.5, scope="sensitivity").record
    assert made.sparsity == pytest.approx(0.5, abs=2e-3)
    assert [curve.path for curve in made.curves] == ["conv1", "conv2", "fc1", "fc2"]


# --- the bound -----------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", [0.0, 0.013, 0.3, 0.62, 0.995, 1.0])
def test_the_search_ends_at_the_edge(edge: float) -> None:
    found = largest(lambda share: share <= edge)
    assert found <= edge <= found + 1 / 128


def test_the_search_ends_within_whatever_the_loss_does() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 0.1, 2000)
        holds = {
            share: bool(share + noise[round(share * 1024)] <= 0.5)
            for share in np.arange(1025) / 1024
        }
        holds[0.0] = True
        found = largest(lambda share, holds=holds: holds[share])
        assert holds[found]


@pytest.mark.parametrize("bound", [Bound(loss_rise=0.05), Bound(accuracy_drop=2.0)])
def test_without_training_the_loss_stays_within_the_bound(
    bound: Bound, trained: Checkpoint, data: Data
) -> None:
    made = run(trained, data, bound=bound)
    before = evaluate(trained.model, data.valid)
    assert bound.holds(before, evaluate(made.checkpoint.model, data.valid))
    assert made.record.sparsity > 0.2
    wider = Bound(*(None if x is None else 4 * x for x in (bound.accuracy_drop, bound.loss_rise)))
    assert run(trained, data, bound=wider).record.sparsity >= made.record.sparsity


def test_rounds_of_training_go_further(trained: Checkpoint, data: Data) -> None:
    bound = Bound(loss_rise=0.1)
    alone = run(trained, data, bound=bound)
    made = run(trained, data, bound=bound, rounds=3, recipe=Recipe(epochs=4, rate=1e-2))
    assert made.record.sparsity > alone.record.sparsity
    before = evaluate(trained.model, data.valid)
    assert bound.holds(before, evaluate(made.checkpoint.model, data.valid))
    best = max(tried.share for tried in made.record.rounds if tried.kept)
    assert made.record.sparsity == pytest.approx(best, abs=2e-3)


def test_a_bound_ends_the_way_to_a_sparsity(trained: Checkpoint, data: Data) -> None:
    made = run(
        trained, data, sparsity=0.995, bound=Bound(loss_rise=0.2), rounds=6, recipe=ONCE
    ).record
    assert not made.reached
    assert [tried.kept for tried in made.rounds] == [True] * (len(made.rounds) - 1) + [False]
    assert made.sparsity == pytest.approx(made.rounds[-2].share, abs=2e-3)


def test_a_bound_that_nothing_meets(trained: Checkpoint, data: Data) -> None:
    skip = ("conv1", "conv2")
    with pytest.raises(ConfigError) as error:
        run(trained, data, pattern=Few(1, 4), bound=Bound(loss_rise=1e-3), skip=skip)
    before = evaluate(trained.model, data.valid)
    text = str(error.value)
    assert text.startswith(
        f"pattern 1:4: nothing can go that keeps the loss within 0.001 of {before}; the nearest "
        "point is sparsity 0."
    )
    assert text.endswith("; allow more, or try --epochs")


def test_a_pattern_of_few_goes_as_far_as_the_bound(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, pattern=Few(2, 4), bound=Bound(loss_rise=0.2), skip=("conv1",))
    shares = {layer.path: layer.share for layer in sparsity(made.checkpoint.model)}
    assert set(shares.values()) == {0, 0.5}


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [Unstructured(), Few(2, 4), Block(4, 4)], ids=str)
def test_zeros_survive_training_and_come_back_from_a_folder(
    pattern: Unstructured | Few | Block, trained: Checkpoint, data: Data, tmp_path: Path
) -> None:
    share = None if isinstance(pattern, Few) else 0.6
    made = run(
        trained,
        data,
        pattern=pattern,
        sparsity=share,
        rounds=2,
        recipe=ONCE,
        skip=("conv1", "fc2"),
    ).checkpoint
    zeros = {
        path: layer.weight == 0
        for path, layer in made.model.named_modules()
        if path in ("conv2", "fc1")
    }
    assert sum(int(zero.sum()) for zero in zeros.values()) == round((share or 0.5) * 3360)
    write_checkpoint(tmp_path / "pruned", made, data.example, {})
    again = read_checkpoint("tests.compress.nets:Digits", tmp_path / "pruned", data.example)
    assert again.edits == made.edits
    again.train(data.train, ONCE)
    for path, zero in zeros.items():
        weight = again.model.get_submodule(path).weight
        assert torch.equal(weight == 0, zero)
        assert not torch.equal(weight, made.model.get_submodule(path).weight)
    assert not hasattr(again.model.conv2, "weight_mask")


def test_training_updates_the_statistics(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, sparsity=0.5, recipe=ONCE).checkpoint.model
    assert not torch.equal(made.bn1.running_mean, trained.model.bn1.running_mean)
    assert not made.training


def test_sparsity_follows_a_cubic_from_where_the_model_is(trained: Checkpoint, data: Data) -> None:
    half = run(trained, data, sparsity=0.5).checkpoint
    made = run(half, data, sparsity=0.9, rounds=4)
    expected = [0.9 - 0.4 * (1 - k / 4) ** 3 for k in range(1, 5)]
    assert [tried.share for tried in made.record.rounds] == pytest.approx(expected, abs=1e-3)
    already = half.model.fc1.weight == 0
    assert (made.checkpoint.model.fc1.weight[already] == 0).all()
    with pytest.raises(ConfigError) as error:
        run(half, data, sparsity=0.4)
    assert str(error.value) == "sparsity 0.4: the model has 0.5000 already; ask for more"


# --- hardware ------------------------------------------------------------------------------------


def test_zeros_are_zeros_in_the_design_and_make_it_smaller(trained: Checkpoint, data: Data) -> None:
    goal = Goal(sparsity=0.8, rounds=1, recipe=NEVER)
    made = prune(trained, data, goal, config=Config(style="pixel", effort="fast"))
    before, after = made.record.cost_before, made.record.cost_after
    assert after.luts < 0.5 * before.luts
    kept = {layer.path: layer.kept for layer in made.record.layers}
    model = made.checkpoint.model
    assert kept == {p: int((model.get_submodule(p).weight != 0).sum()) for p in kept}
    design = hwaccel.convert(model, data.example, calibration=data.calibration(64), config=STREAM)
    for node in design.graph.nodes:
        if node.op.name == "dense":
            assert np.count_nonzero(node.op.weight.a) <= kept[node.path]


def test_blocks_save_cycles_in_streams(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, pattern=Block(4, 4), sparsity=0.75, skip=("conv1", "fc2"))
    assert made.record.cost_after.latency < 0.8 * made.record.cost_before.latency
    assert made.record.cost_after.area < made.record.cost_before.area


@pytest.mark.rtl
def test_a_pruned_model_is_exact_in_hardware(trained: Checkpoint, data: Data) -> None:
    made = run(trained, data, pattern=Block(4, 4), sparsity=0.75, skip=("conv1", "fc2"))
    design = hwaccel.convert(
        made.checkpoint.model, data.example, calibration=data.calibration(64), config=STREAM
    )
    design.simulate(data.test.x[:2].numpy(), simulator="icarus")


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sparsity": 1.0}, "sparsity 1: expected at least 0 and less than 1"),
        ({"sparsity": -0.1}, "sparsity -0.1: expected at least 0 and less than 1"),
        ({"sparsity": float("nan")}, "sparsity nan: expected at least 0 and less than 1"),
        (
            {},
            "pattern unstructured: how far to prune is open; give a sparsity, an accuracy drop or "
            "a loss rise",
        ),
        (
            {"pattern": Few(2, 4), "sparsity": 0.5},
            "pattern 2:4: the pattern itself says how many weights stay; leave out the sparsity",
        ),
        ({"sparsity": 0.5, "rounds": 0}, "rounds 0: expected at least 1"),
        (
            {"sparsity": 0.5, "scope": "local"},
            "scope 'local': is none of global, layer, sensitivity",
        ),
        (
            {"sparsity": 0.5, "skip": ("conv9",)},
            "layer 'conv9' is not in the model; it has conv1, conv2, fc1, fc2",
        ),
        (
            {"sparsity": 0.5, "skip": ("conv1", "conv2", "fc1", "fc2")},
            "Digits: no layer can be pruned, pattern unstructured; layers need weights, and "
            "channels readers that take them one by one",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    fields: dict[str, object], said: str, trained: Checkpoint, data: Data
) -> None:
    with pytest.raises(ConfigError) as error:
        run(trained, data, **fields)
    assert str(error.value) == said


@pytest.mark.parametrize("bound", [{"accuracy_drop": -1.0}, {"loss_rise": float("inf")}])
def test_bounds_are_numbers_from_0(bound: dict[str, float]) -> None:
    ((name, value),) = bound.items()
    with pytest.raises(ConfigError) as error:
        Bound(**bound)
    assert str(error.value) == f"{name} {value:g}: expected a number from 0"


@pytest.mark.parametrize("pattern", [Unstructured(), Channels()], ids=str)
def test_a_model_without_weights(pattern: Unstructured | Channels, data: Data) -> None:
    with pytest.raises(ConfigError) as error:
        run(Checkpoint(Bare()), data, pattern=pattern, sparsity=0.5)
    assert str(error.value) == (
        f"Bare: no layer can be pruned, pattern {pattern}; layers need weights, and channels "
        "readers that take them one by one"
    )


def test_records_are_plain(trained: Checkpoint, data: Data) -> None:
    record = run(trained, data, sparsity=0.5).record
    plain = json.loads(msgspec.json.encode(record))
    assert plain["pattern"] == "unstructured"
    assert plain["layers"][0]["weights"] == 36
