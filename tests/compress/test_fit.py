"""The search for a model that fits a budget: what it keeps, where it goes on, what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.budget import Budget
from hwaccel.compress.checkpoint import Checkpoint, restored
from hwaccel.compress.cost import Cost, cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.fit import Fitted, _Search, fit, front
from hwaccel.compress.points import Found, Point, neighbours
from hwaccel.compress.quantize import edit_for, quantize
from hwaccel.compress.training import Recipe, Score, evaluate, outputs_of, train
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType
from hwaccel.report.front import Front, Tried, draw_front, front_page

BUDGET = Budget(luts=1200, dsps=0)
CONFIG = Config(style="spatial", effort="fast", target="xcup")
RECIPE = Recipe(epochs=3, rate=1e-2, batch=64)


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


@pytest.fixture(scope="module")
def start(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)
    return Checkpoint(train(nn.Sequential(*layers), data.train, Recipe(epochs=12, rate=1e-2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "made"


@pytest.fixture(scope="module")
def fitted(data: Data, start: Checkpoint, folder: Path) -> Fitted:
    return fit(start, data, BUDGET, Bound(accuracy_drop=30), folder, RECIPE, CONFIG, points=2)


def test_the_best_point_is_within_the_limits_and_is_what_was_measured(fitted, data):
    model, best = fitted.checkpoint.model, fitted.best
    assert BUDGET.fits(best.cost)
    assert fitted.before.accuracy - best.valid.accuracy <= 30
    assert cost_of(hardware(model, data, CONFIG)) == best.cost
    assert (evaluate(model, data.valid), evaluate(model, data.test)) == (best.valid, best.test)


def test_the_hardware_of_the_best_point_is_the_model_bit_for_bit(fitted, data):
    design = hardware(fitted.checkpoint.model, data, CONFIG)
    x = data.test.x
    want = outputs_of(fitted.checkpoint.model, x).double().numpy()
    assert np.array_equal(design.golden(x.numpy()), want)


def test_the_start_is_left_as_it_was(fitted, start, data):
    assert evaluate(start.model, data.valid) == fitted.before
    assert start.edits == ()


def test_a_second_run_goes_on(fitted, start, data, folder):
    said: list[str] = []
    again = fit(
        start, data, BUDGET, Bound(accuracy_drop=30), folder, RECIPE, CONFIG,
        points=2, progress=said.append,
    )  # fmt: skip
    assert again.points == fitted.points
    assert not [line for line in said if "epoch" in line]


def test_a_folder_of_another_search_is_left_alone(fitted, start, data, folder):
    other = msgspec.structs.replace(CONFIG, target="ecp5-85k")
    with pytest.raises(ConfigError) as error:
        fit(start, data, BUDGET, Bound(), folder, RECIPE, other, points=2)
    assert str(error.value) == (
        f"{folder}: is of another model, data, recipe or configuration; choose another folder"
    )


def test_a_folder_with_other_files_is_refused(start, data, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds files that are no search; choose an empty or new"):
        fit(start, data, BUDGET, Bound(), tmp_path, RECIPE, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_index_is_one_line(start, data, tmp_path: Path):
    (tmp_path / "fit.json").write_text('{"key": 3}')
    with pytest.raises(ConfigError, match=r"fit\.json: .*; choose another folder"):
        fit(start, data, BUDGET, Bound(), tmp_path, RECIPE, CONFIG)


def test_a_budget_that_nothing_meets_names_the_nearest(start, data, tmp_path: Path):
    with pytest.raises(ConfigError) as error:
        fit(start, data, Budget(luts=3), Bound(), tmp_path / "made", RECIPE, CONFIG, points=1)
    said = str(error.value)
    assert re.fullmatch(
        r"fit: no point is within luts 3; the smallest found has .*; allow more", said
    )


def test_something_must_be_limited(start, data, tmp_path: Path):
    with pytest.raises(ConfigError) as error:
        fit(start, data, Budget(), Bound(), tmp_path, RECIPE, CONFIG)
    assert str(error.value) == "fit: nothing is limited; give a budget or an accuracy drop"


@pytest.mark.parametrize("limit", [{"luts": 0}, {"dsps": -1}, {"interval": 0}])
def test_budgets_that_no_hardware_meets(limit):
    ((name, value),) = limit.items()
    with pytest.raises(ConfigError, match=f"budget: {name} is {value}, which no hardware meets"):
        Budget(**limit)


def test_excess_is_that_of_the_limit_that_is_broken_most():
    cost = Cost(luts=300, ffs=10, dsps=0, rams=2, latency=5, interval=7)
    assert Budget(luts=100, interval=14).excess(cost) == 3
    assert Budget(dsps=0).fits(cost)
    assert Budget(rams=0).excess(cost) == 3
    assert not Budget(rams=0).fits(cost)


def found(luts: int, correct: int) -> Found:
    cost = Cost(luts, 0, 0, 0, 1, 1)
    score = Score(1.0, correct, 100)
    return Found(Point(sparsity=luts % 7), cost, score, score)


def test_the_front_holds_what_nothing_beats():
    points = [found(100, 80), found(200, 79), found(300, 90), found(300, 85), found(50, 10)]
    kept = front(tuple(points), Budget(luts=1000))
    assert [(f.cost.luts, f.valid.correct) for f in kept] == [(50, 10), (100, 80), (300, 90)]


def test_neighbours_ease_one_way_and_let_at_most_one_pay():
    here = Point(1, 3, 2, 2, inputs=1)
    near = list(neighbours(here))
    assert len(set(near)) == len(near)
    for point in near:
        steps = [
            b - a
            for a, b in zip(
                msgspec.structs.astuple(here), msgspec.structs.astuple(point), strict=True
            )
        ]
        assert sorted(steps) in ([-1, 0, 0, 0, 0, 0], [-1, 0, 0, 0, 0, 1])


def test_the_ladder_of_inputs():
    ladder = [Point(1, 2, 3, 4)]
    while (next_ := ladder[-1].moved("inputs", 1)) is not None:
        ladder.append(next_)
    assert [point.name for point in ladder[:3]] == ["c1s2w3a4", "c1s2w3a4i1", "c1s2w3a4i2"]
    assert len(ladder) == 8
    assert str(ladder[0]).endswith("4 bits per weight, 3 per activation")
    assert str(ladder[1]).endswith("3 per activation, 1 bit less per input")
    assert str(ladder[2]).endswith("3 per activation, 2 bits less per input")
    assert Point(units=4).moved("inputs", 1) is None


def test_narrow_inputs_are_the_nearest_grid_and_exact_hardware(start, data):
    assert edit_for(data, 6, 6).input == "u4.4"
    errors = []
    for narrower in (1, 2, 3):
        edit = edit_for(data, 6, 6, narrower=narrower)
        fixed = FixedType.parse(edit.input)
        assert (fixed.signed, fixed.width) == (False, 4 - narrower)
        made, _ = quantize(start, data, edit)
        x = data.test.x
        step = 2.0**-fixed.frac
        near = (x / step).round().clamp(0, 2**fixed.width - 1) * step
        errors.append(float((near - x).square().mean()))
        want = outputs_of(made.model, x).double().numpy()
        # Rounding is what the input does, and nothing more is lost behind it.
        assert np.array_equal(outputs_of(made.model, near).double().numpy(), want)
        design = hardware(made.model, data, CONFIG)
        assert design.graph.types()[design.graph.inputs[0].name].fixed == fixed
        assert np.array_equal(design.golden(x.numpy()), want)
    assert errors == sorted(errors)
    with pytest.raises(ConfigError) as error:
        edit_for(data, 6, 6, narrower=4)
    assert str(error.value) == "inputs: u4.4 cannot lose 4 bits"


class Told(_Search):
    """A search in which hardware and short lessons cost nothing but a look into a table."""

    def __init__(self, costs, losses):
        self.costs, self.losses, self.trained = costs, losses, []

    def _cost(self, point):
        luts = self.costs(point)
        return None if luts is None else Cost(luts, 0, 0, 0, 1, 1)

    def _promise(self, point):
        return self.losses(point)

    def _train(self, point):
        self.trained.append(point)


@pytest.mark.parametrize(("best", "inputs"), [(0, 0), (2, 2), (7, 3)])
def test_inputs_lose_bits_as_long_as_the_loss_falls(best: int, inputs: int):
    """Inputs of four bits; every bit less of them lets a rung of weights stay."""

    def luts(point):
        whole = point == Point(point.channels, point.sparsity, 3, 3, 0, point.inputs)
        whole = whole and point.channels == 0 and point.inputs < 4
        return 10 - point.sparsity - point.inputs if whole else None

    search = Told(luts, lambda point: abs(point.inputs - best))
    search._at(lambda cost: cost.luts <= 6, 1)
    assert search.trained == [Point(0, 4 - inputs, 3, 3, inputs=inputs)]


def test_the_page_shows_every_point_and_the_limit():
    points = tuple(
        Tried(f"point <{i}>", 100.0 * (i + 1), 90.0 + i, (f"{i}",), i < 2, i == 1) for i in range(3)
    )
    page = Front("a <model>", ("lead",), "predicted LUTs", 250.0, ("LUT",), points)
    picture = draw_front(page)
    assert sum(len(group.circles) for group in picture.groups) == 3
    assert [group.title for group in picture.groups][:3] == ["axes", "limit", "front"]
    for group in picture.groups:
        for dot in group.circles:
            assert 0 <= dot.cx <= picture.width
            assert 0 <= dot.cy <= picture.height
    text = front_page(page)
    assert "a &lt;model&gt;" in text
    assert text.count("<script") == 1
    assert text.count("point &lt;") >= 6


def test_tables_are_among_the_points_and_are_exact(fitted, start, data, folder):
    tables = [f for f in fitted.points if f.point.units]
    assert len(tables) == 1
    assert BUDGET.fits(tables[0].cost)
    made = restored(start, folder / "points" / tables[0].point.name, data.example)
    design = hardware(made.model, data, CONFIG)
    want = outputs_of(made.model, data.test.x).double().numpy()
    assert np.array_equal(design.golden(data.test.x.numpy()), want)
    assert evaluate(made.model, data.test) == tables[0].test
    assert tables[0].test.accuracy > 75
