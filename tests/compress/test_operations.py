"""Exact rewrites are counted as they happen; approximate ones stay within the bound."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.api import convert
from hwaccel.cmvm import Problem, solve
from hwaccel.compress.approximate import (
    CoarseTable,
    ShiftPool,
    Simpler,
    coarse_table,
    operand_of,
)
from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import AnyEdit, Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.edits import Edit
from hwaccel.compress.operations import exact_rewrites, unshared_adders
from hwaccel.compress.simplify import Simplified, same, simplify
from hwaccel.compress.training import Recipe, evaluate, outputs_of, train
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from hwaccel.ops import Tabulate
from tests.cli.tools import done
from tests.compress.models import Curved, Net, curved

FACTORIES = "tests.compress.models"
CONFIG = Config(multipliers=8)


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


# --- exact ---------------------------------------------------------------------------------------


def test_batch_norm_and_rounding(data: Data) -> None:
    torch.manual_seed(0)
    rewrites = exact_rewrites(Net(2, 8).eval(), data, CONFIG)
    front = {r.name: r for r in rewrites if r.stage == "front end"}
    # One multiplication per element of the convolution's result.
    assert front["fold_batchnorm"].saved.multiplications == 2 * 8 * 8
    assert front["fold_batchnorm"].saved.nodes == 1
    assert front["fuse_functions"].changes == 0
    passes = {r.name: r for r in rewrites if r.stage == "passes"}
    # Divisor and rounding of the average are one shift; the relu is the clip of a rounding.
    assert passes["fuse_requant"].changes >= 1
    assert passes["fuse_requant"].saved.nodes >= 1
    assert passes["fuse_requant"].saved.area is not None
    assert all(r.saved.multiplications >= 0 for r in rewrites)
    assert all(r.what.endswith(".") for r in rewrites)


def test_constants_are_folded(data: Data) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc = nn.Linear(64, 10)
            self.mask = nn.Parameter(torch.rand(10, 64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(x.flatten(1), self.fc.weight * torch.tanh(self.mask))

    folded = {r.name: r for r in exact_rewrites(Masked().eval(), data, CONFIG)}["fold_constants"]
    assert (folded.changes, folded.saved.nodes) == (1, 2)  # tanh and the product
    plain = {r.name: r for r in exact_rewrites(Net(2, 8).eval(), data, CONFIG)}["fold_constants"]
    assert plain.saved.nodes == plain.changes == 0


def test_dead_and_equal_work_is_seen(data: Data) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc1, self.fc2 = nn.Linear(64, 8), nn.Linear(8, 4)
            with torch.no_grad():
                self.fc2.weight[:, :3] = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.fc1(x.flatten(1)))
            return self.fc2(x.sigmoid() * x)

    rewrites = exact_rewrites(Twice(), data, CONFIG)
    found = {r.name: r for r in rewrites}
    # sigmoid and product are one table.
    assert rewrites[4].name == "fuse_functions"
    assert rewrites[4].saved.nodes == 1
    # Three neurons that nobody reads, and three columns.
    assert found["prune_channels"].saved.multiplications == 3 * 64 + 3 * 4


def test_sharing_in_logic(data: Data) -> None:
    torch.manual_seed(0)
    config = Config(style="spatial", effort="fast", weight_bits=4, activation_bits=4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10))
    found = {r.name: r for r in exact_rewrites(model, data, config)}
    strength, shared = found["strength_reduction"], found["shared_sums"]
    assert strength.saved.multiplications == 64 * 6 + 6 * 10
    assert shared.before.adders is not None
    assert shared.after.adders is not None
    assert shared.before.adders > shared.after.adders > 0


def test_adders_without_sharing() -> None:
    # 7 = 8 - 1 and 5 = 4 + 1 have two digits each; the bias is one more term.
    graph = solve(Problem.of([[7, 5], [0, 3], [1, 0], [0, 0]], -8, 7, [0, 1, 0, 0]))
    assert unshared_adders(graph) == 3 + 2 + 0 + 0


# --- approximate ---------------------------------------------------------------------------------


def test_pool_divided_by_a_shift(data: Data) -> None:
    torch.manual_seed(0)
    model = Curved().eval()
    want = outputs_of(model, data.test.x)
    edit = ShiftPool("pool", 8, "conv2")
    assert same(model, edit, data)
    assert not same(model, ShiftPool("pool", 8), data)
    made = edit.apply(Curved(), data.example)
    made.load_state_dict(model.state_dict() | {"conv2.weight": model.conv2.weight * 8 / 9})
    assert torch.allclose(outputs_of(made, data.test.x), want, atol=1e-5)


@pytest.mark.parametrize(
    ("edit", "kind", "function"),
    [
        (Simpler("tanh", "hardtanh"), nn.Hardtanh, lambda x: x.clamp(-1, 1)),
        (Simpler("gelu", "relu"), nn.ReLU, torch.relu),
        (Simpler("sigmoid", "line"), None, lambda x: (x / 4 + 0.5).clamp(0, 1)),
        (Simpler("leaky", "slope"), None, lambda x: torch.where(x < 0, x / 8, x)),
    ],
    ids=["tanh", "gelu", "sigmoid", "leaky"],
)
def test_simpler(edit: Simpler, kind: type | None, function: object, data: Data) -> None:
    made = edit.apply(Curved(), data.example).get_submodule(edit.layer)
    assert kind is None or type(made) is kind
    x = torch.linspace(-6, 6, 101)
    assert torch.allclose(made(x), function(x))


def test_a_simpler_sigmoid_needs_no_table(data: Data) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Sigmoid(), nn.Linear(4, 2))

    def tables(made: nn.Module) -> int:
        design = convert(made, data.example, calibration=data.calibration(64), config=CONFIG)
        return sum(isinstance(node.op, Tabulate) for node in design.graph.nodes)

    assert tables(model) == 1
    assert tables(Simpler("2", "line").apply(model, data.example)) == 0


def test_a_coarse_table_is_short_and_near(data: Data) -> None:
    torch.manual_seed(0)
    model, sizes, errors = Curved().eval(), [], []
    typical = data.train.x[:128]
    operand = operand_of(model, "tanh", typical)
    for bits in (7, 5, 4):
        edit = coarse_table(model, "tanh", bits, typical)
        assert edit.bits == bits
        made = edit.apply(Curved().eval(), data.example)
        made.load_state_dict(
            {k.replace("tanh.", "tanh.1."): v for k, v in model.state_dict().items()}
        )
        errors.append(float((made.tanh(operand) - operand.tanh()).square().mean()))
        design = hardware(made, data, CONFIG)
        (node,) = [
            n
            for n in design.graph.nodes
            if n.path.startswith("tanh") and isinstance(n.op, Tabulate)
        ]
        source = design.graph.types()[node.inputs[0]]
        sizes.append(source.fixed.width)
    assert sizes == [7, 5, 4]
    assert errors == sorted(errors)
    assert errors[0] < 1e-4


@pytest.mark.parametrize(
    "edit",
    [Simpler("tanh", "hardtanh"), CoarseTable("tanh", 5, 3, True), ShiftPool("pool", 8)],
    ids=lambda e: type(e).__name__,
)
def test_edits_are_data(edit: Edit) -> None:
    assert msgspec.json.decode(msgspec.json.encode([edit]), type=list[AnyEdit]) == [edit]


def test_refusals_of_edits(data: Data) -> None:
    def refusal(edit: Edit) -> str:
        with pytest.raises(ConfigError) as error:
            edit.apply(Curved(), data.example)
        return str(error.value)

    assert refusal(Simpler("tanh", "relu")) == "layer 'tanh' is a Tanh, which does not become relu"
    assert refusal(CoarseTable("pool", 5, 3, True)) == (
        "layer 'pool' is a AvgPool2d with 5 bits; a function that is a table can have 2 to 16"
    )
    assert refusal(ShiftPool("pool", 9)) == (
        "layer 'pool' is a AvgPool2d to be divided by 9; expected an average pool with one "
        "divisor, and a power of two"
    )


# --- the search ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(train(curved(), data.train, Recipe(epochs=15, rate=1e-2, batch=32)))


@pytest.fixture(scope="module")
def result(data: Data, start: Checkpoint) -> tuple[Checkpoint, Simplified]:
    return simplify(start, data, Recipe(epochs=1, batch=64), Bound(accuracy_drop=3.0), CONFIG)


def test_what_is_kept_saves_and_is_within_the_bound(
    data: Data, start: Checkpoint, result: tuple[Checkpoint, Simplified]
) -> None:
    made, record = result
    kept = [change for change in record.changes if change.kept]
    assert any(change.exact and "divided by 8" in change.what for change in kept)
    for change in kept:
        assert change.after is not None
        assert change.score_after is not None
        assert change.after.work < change.before.work
        assert record.valid_before.accuracy - change.score_after.accuracy <= 3.0 + 1e-9
    assert record.cost_after.work < record.cost_before.work
    assert record.cost_after == cost_of(hardware(made.model, data, CONFIG))
    assert len(made.edits) == len(kept)
    assert record.test_before == evaluate(start.model, data.test)
    assert record.test_after == evaluate(made.model, data.test)
    assert [type(m) for m in start.model.modules()] == [type(m) for m in curved().modules()]


def test_the_result_can_be_made_again_and_is_exact_hardware(
    data: Data, result: tuple[Checkpoint, Simplified], tmp_path: Path
) -> None:
    made, _ = result
    write_checkpoint(tmp_path / "s", made, data.example, {})
    again = read_checkpoint(f"{FACTORIES}:curved", tmp_path / "s", data.example)
    assert torch.equal(outputs_of(again.model, data.test.x), outputs_of(made.model, data.test.x))
    design = hardware(made.model, data, CONFIG)
    xs = design.golden.quantize(data.test.x[:20].numpy())
    for executor in ("hls", "torch"):
        found = design.execute(executor, xs)
        assert all(map(np.array_equal, found, design.golden.raw(*xs)))


def test_command(data: Data, start: Checkpoint, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "t", start, data.example, {})
    (tmp_path / "c.toml").write_text("multipliers = 8\n")
    words = ["simplify", f"{FACTORIES}:curved", "--weights", tmp_path / "t", "-o", tmp_path / "s"]
    words += ["--epochs", "0", "--config", tmp_path / "c.toml"]
    said = done(*words, "--accuracy-drop", "3")
    assert "fuse_requant" in said
    assert said.splitlines()[-1].endswith(f"; written to {tmp_path / 's'}/")
    record = json.loads((tmp_path / "s" / "record.json").read_text())
    assert {change["what"].split(":")[0] for change in record["changes"]} >= {"gelu", "pool"}


def test_a_bound_is_needed(data: Data, start: Checkpoint) -> None:
    with pytest.raises(ConfigError) as error:
        simplify(start, data, Recipe(epochs=0), Bound(), CONFIG)
    assert str(error.value) == (
        "simplifying needs a limit of what may be lost; give --accuracy-drop"
    )
