"""The profile counts what the design holds, and its bottlenecks are the largest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.api import Design, convert
from hwaccel.compress.cost import layer_costs
from hwaccel.config import Config
from hwaccel.ops import OPS
from hwaccel.report.profile import profile_of
from hwaccel.report.text import megahertz
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.speed import plan_speed
from tests.cli.tools import MODELS, done, refused


class Small(nn.Module):
    """A convolution that rides with its relu, a pool, a flip, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3)
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(36, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.conv(x)))
        return self.fc(x.flip(1).flatten(1))


def made(style: str = "stream") -> Design:
    x = np.random.default_rng(0).random((16, 1, 8, 8)).astype(np.float32)
    config = Config(style=style, multipliers=16, effort="fast")
    return convert(Small(), x[:1], calibration=x, config=config)


def test_counts() -> None:
    parts = {part.path: part for part in profile_of(made().plan).parts}
    conv, pool, fc = parts["conv"], parts["pool"], parts["fc"]
    assert (conv.parameters, conv.weights) == (4 * 9 + 4, 4 * 9)
    assert conv.multiplications == conv.additions == 4 * 9 * 6 * 6
    assert pool.multiplications == 0
    assert pool.additions == 3 * 4 * 3 * 3
    assert (fc.parameters, fc.multiplications) == (36 * 5 + 5, 36 * 5)


@pytest.mark.parametrize("style", ["stream", "spatial", "pixel"])
def test_areas_add_up_and_agree_with_the_cost(style: str) -> None:
    design = made(style)
    found, costs = profile_of(design.plan), layer_costs(design)
    assert found.area == plan_area(design.plan)
    assert found.interval == design.plan.timing().interval
    for part in found.parts:
        if part.path in costs:
            cost = costs[part.path]
            assert (cost.luts, cost.ffs, cost.dsps) == (
                part.area.luts,
                part.area.ffs,
                part.area.dsps,
            )
            assert cost.work <= part.work  # a reorder may take longer than all segments


def test_bits_of_a_linear_layer() -> None:
    design = convert(
        nn.Linear(8, 4),
        np.zeros((1, 8), np.float32),
        calibration=np.random.default_rng(0).random((16, 8)).astype(np.float32),
        config=Config(multipliers=1),
    )
    (part,) = profile_of(design.plan).parts
    (segment,) = design.plan.segments
    streams = design.plan.streams
    ins, out = streams[segment.inputs[0]], streams[segment.outputs[0]]
    roms = {rom.parameter: rom for pipe in segment.pipes for rom in pipe.roms}
    weights = 32 * roms["WEIGHTS"].word_bits
    assert part.moved_bits == 8 * ins.bits + 4 * out.bits + weights + 4 * roms["CHANNELS"].word_bits
    assert part.memory_bits == segment.issuer.depth * ins.bits + segment.depth * out.bits
    assert part.limit == "32 products, 1 per cycle"


def test_zeros_are_seen() -> None:
    model = nn.Linear(8, 4)
    with torch.no_grad():
        model.weight[:, ::2] = 0
        model.weight[0, 1] = 0
    x = np.random.default_rng(0).random((16, 8)).astype(np.float32)
    (part,) = profile_of(convert(model, x[:1], calibration=x).plan).parts
    assert (part.weights, part.zeros) == (32, 17)
    assert part.sparsity == 17 / 32


def test_bottlenecks_are_the_largest() -> None:
    found = profile_of(made().plan)
    said = dict(found.bottlenecks())
    assert list(said) == ["cycles", "area", "work", "clock"]
    assert found.speed == plan_speed(made().plan)
    assert said["clock"].startswith(f"about {megahertz(found.speed.fmax_mhz)} MHz, an estimate off")
    for by, key in (
        ("cycles", lambda p: p.cycles),
        ("area", lambda p: p.area.equivalent),
        ("work", lambda p: p.work),
    ):
        assert said[by].startswith(max(found.parts, key=key).path)


def test_additions_of_every_op() -> None:
    """An op that multiplies also adds, unless it multiplies two values."""
    for op in OPS:
        for example in op.examples():
            sums, products = example.op.additions(*example.ins), 0
            products = example.op.multiplications(*example.ins)
            assert sums >= 0
            assert sums == products or op.name in ("add", "chansum", "sumpool2d", "multiply")


def test_command_on_a_model() -> None:
    said = done("profile", f"{MODELS}:cnn", "--example", "1x1x6x6")
    assert "│ 0 " in said
    assert "bottleneck by work: " in said


def test_command_on_a_project(tmp_path: Path) -> None:
    done("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", tmp_path / "p")
    said = done("profile", tmp_path / "p")
    assert said.splitlines()[0].strip() == "sequential"
    assert "bottleneck by cycles: 0 needs " in said
    assert refused("profile", tmp_path / "p", "--data", "digits") == (
        f"{tmp_path / 'p'}: is converted already; give the folder alone"
    )


def test_refusals(tmp_path: Path) -> None:
    assert refused("profile", f"{MODELS}:mlp", "--weights", tmp_path) == (
        f"--weights {tmp_path}: is a checkpoint; give --data, which it was made for"
    )
    assert refused("profile", f"{MODELS}:mlp", "--data", "digits", "--example", "1x8") == (
        "--example and --data exclude each other; give one"
    )
