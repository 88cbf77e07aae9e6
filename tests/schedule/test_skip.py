"""Beats whose weights are all zero take no cycle: predicted, simulated and exact."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType
from hwaccel.ir.hardware import Fold
from hwaccel.ops import Conv2d, Dense
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.choices import choices_of, plan_from, schedule
from hwaccel.schedule.fold import choices
from hwaccel.schedule.plan import Plan, build_plan
from hwaccel.tools import find
from hwaccel.verify.jobs import Stalls
from tests.verify.packing import design, one_op, run_packed

STALLS = (
    Stalls("none", "none", 1),
    Stalls("bursts", "none", 2),
    Stalls("some", "heavy", 3),
    Stalls("none", "bursts", 4),
)


def blocks(shape: tuple[int, int], pe: int, simd: int, share: float, seed: int = 0) -> np.ndarray:
    """A matrix of which this share of the blocks of ``pe`` rows and ``simd`` columns is zero,

    alike in every row of blocks, as far as it comes out even.
    """
    rng = np.random.default_rng(seed)
    rows, columns = shape[0] // pe, shape[1] // simd
    kept = np.ones((columns, rows), dtype=np.int64)
    kept.ravel()[: round(share * kept.size)] = 0
    kept = rng.permuted(kept.T, axis=1)
    weight = rng.integers(1, 8, shape) * rng.choice([-1, 1], shape)
    return weight * np.kron(kept, np.ones((pe, simd), dtype=np.int64))


def dense(pe: int = 2, simd: int = 4, share: float = 0.5, outputs: int = 8) -> Dense:
    weight = blocks((outputs, 16), pe, simd, share)
    return Dense(IntArray(weight), IntArray([1] * outputs), IntArray(range(outputs)))


def conv(
    channels: int = 4,
    kernel: tuple[int, int] = (3, 3),
    share: float = 0.5,
    groups: int = 1,
    seed: int = 0,
    **geometry: tuple[int, ...],
) -> Conv2d:
    """Four outputs in words of 2 x 2, or lanes of 2 where depthwise."""
    depthwise = groups == channels
    taps, per_group = kernel[0] * kernel[1], channels // groups
    columns = 1 if depthwise else per_group
    flat = blocks((4, taps * columns), 2, 1 if depthwise else min(2, columns), share, seed)
    weight = flat.reshape(4, taps, columns).transpose(0, 2, 1).reshape(4, columns, *kernel)
    zeros = IntArray([0] * 4)
    return Conv2d(IntArray(weight), zeros, IntArray([3, 0, -3, 1]), groups=groups, **geometry)


def plan_of(op: Op, x: TensorType, fold: Fold) -> Plan:
    return size_buffers(build_plan(one_op("one", op, (x,)), {"y": fold}))


VECTOR = TensorType.full((16,), FixedType.parse("s5.2"))


def image(height: int = 5, width: int = 6, channels: int = 4) -> TensorType:
    return TensorType.full((channels, height, width), FixedType.parse("u5.5"))


CASES: dict[str, tuple[Op, TensorType, Fold]] = {
    "dense": (dense(), VECTOR, Fold(2, 4, skip=True)),
    "dense-packed": (dense(), VECTOR, Fold(2, 4, skip=True, pack=2)),
    "dense-fine": (dense(1, 1, 0.8), VECTOR, Fold(1, 1, skip=True)),
    "dense-nothing": (dense(2, 4, 1.0), VECTOR, Fold(2, 4, skip=True)),
    "dense-one-word": (dense(2, 16, 1.0, 2), VECTOR, Fold(2, 16, skip=True)),
    "pointwise": (conv(kernel=(1, 1)), image(), Fold(2, 2, skip=True)),
    "same": (conv(padding=(1, 1, 1, 1)), image(), Fold(2, 2, skip=True)),
    "valid": (conv(), image(), Fold(2, 2, skip=True)),
    "rare": (conv(share=0.9, padding=(1, 1, 1, 1)), image(), Fold(2, 2, skip=True)),
    "stride": (
        conv(stride=(2, 3), padding=(1, 0, 1, 2), share=0.6),
        image(),
        Fold(2, 2, skip=True),
    ),
    "dilated": (conv(dilation=(2, 1), padding=(2, 1, 2, 1)), image(), Fold(2, 2, skip=True)),
    "grouped": (conv(groups=2, padding=(1, 1, 1, 1)), image(), Fold(2, 2, skip=True)),
    "depthwise": (conv(groups=4, padding=(1, 1, 1, 1)), image(), Fold(2, 1, skip=True)),
    "all-zero": (conv(share=1.0, padding=(1, 1, 1, 1)), image(), Fold(2, 2, skip=True)),
    # One row, and weights only above and below it.
    "outside": (
        Conv2d(
            IntArray(np.array([1, 0, 1])[None, None, :, None] * np.ones((2, 2, 1, 1), np.int64)),
            IntArray([0, 0]),
            IntArray([1, 2]),
            padding=(1, 0, 1, 0),
        ),
        image(1, 4, 2),
        Fold(2, 2, skip=True),
    ),
}


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.slow)])
def test_skipping_is_exact_and_takes_the_cycles_it_should(simulator) -> None:
    if find("iverilog" if simulator == "icarus" else "verilator") is None:
        pytest.skip(f"{simulator} is not installed")
    graphs = [one_op(name, op, (x,)) for name, (op, x, _) in CASES.items()]
    folds = [fold for _, _, fold in CASES.values()]
    made = [design(graph, {"y": fold}) for graph, fold in zip(graphs, folds, strict=True)]
    for one, outcomes in zip(made, run_packed(made, STALLS, simulator), strict=True):
        results = [outcome.get() for outcome in outcomes]  # raises where a bit is wrong
        for stalls, result in zip(STALLS, results, strict=True):
            if stalls.backpressure == "none":
                arrivals = dict(zip(one.plan.inputs, map(list, result.offered), strict=True))
                predicted = one.plan.timing(len(one.xs[0]), arrivals)
                assert result.finished == predicted.finished(), one.netlist.name
                assert result.latency == predicted.latency
                assert result.interval == predicted.interval
        assert results[0].finished == one.plan.timing(len(one.xs[0])).finished()


@pytest.mark.parametrize("name", CASES)
def test_every_word_is_read_once_and_no_zero_needlessly(name: str) -> None:
    op, x, fold = CASES[name]
    window = op.hardware((x,), fold).issuer
    whole = op.hardware((x,), Fold(fold.pe, fold.simd))
    words = whole.pipes[0].roms[0].fields.a
    reductions = words.any(axis=1).reshape(-1, window.reduction)
    needed = np.maximum(reductions.sum(axis=1), 1).sum()
    steps = len(window.kept.a)
    # A beat more where nothing that counts is ever inside the image.
    assert needed <= steps <= needed + (name == "outside")
    assert window.cycles == steps * window.out_height * window.out_width
    assert window.shortest == min(len(beats) for beats in window.read())
    assert sum(len(beats) for beats in window.read()) == steps


@pytest.mark.parametrize("name", ["dense", "pointwise", "same", "depthwise"])
def test_half_of_the_blocks_takes_half_of_the_time(name: str) -> None:
    op, x, fold = CASES[name]
    plan = plan_of(op, x, fold)
    whole = plan_of(op, x, Fold(fold.pe, fold.simd))
    busy = max(whole.bottleneck.cycles // 2, whole.streams[whole.inputs[0]].beats)
    assert plan.timing(6).interval <= busy + 2
    assert whole.timing(6).interval >= whole.bottleneck.cycles


def test_folds_that_skip_are_offered_where_an_eighth_is_zero() -> None:
    def skips(op: Op, x: TensorType) -> set[str]:
        return {str(fold) for fold in op.folds(x) if fold.skip}

    assert "2x4" in skips(dense(share=0.5), VECTOR)
    assert "8x16" not in skips(dense(share=0.5), VECTOR)
    assert not skips(dense(share=0.0), VECTOR)
    assert "2x2" in skips(conv(), image())
    assert {"1x1", "2x1"} <= skips(conv(groups=4), image())


def network() -> Graph:
    b = GraphBuilder("net")
    return b.build(b.add("fc", dense(), b.input("x", VECTOR), path="fc"))


def test_the_scheduler_spends_fewer_multipliers_on_zeros() -> None:
    whole = dense(share=0.0)
    b = GraphBuilder("whole")
    full = b.build(b.add("fc", whole, b.input("x", VECTOR)))
    config = Config(target_interval=8, target="none")
    assert schedule(network(), config).folds["fc"].multipliers == 8
    assert schedule(full, config).folds["fc"].multipliers == 16
    cycles = {c.fold: c.cycles for c in choices(network().node("fc"), network().types())}
    assert cycles[Fold(2, 4, skip=True)] == 8
    assert cycles[Fold(2, 4)] == 16


def test_a_plan_that_skips_comes_back_from_its_choices() -> None:
    plan = schedule(network(), Config(target_interval=8))
    kept = choices_of(plan)
    assert kept.skips == ["fc"]
    assert plan_from(network(), kept) == plan


def test_a_plan_must_not_skip_or_share_what_cannot_be() -> None:
    kept = choices_of(schedule(network(), Config(target_interval=8)))
    b = GraphBuilder("whole")
    full = b.build(b.add("fc", dense(share=0.0), b.input("x", VECTOR), path="fc"))
    for change, message in (
        ({"skips": ["fc"]}, "fc (fc): 2x4 is not a legal folding; convert again"),
        (
            {"skips": [], "packs": {"fc": 3}},
            "fc (fc): 3 outputs cannot share a multiplier where 2x4 are computed side by side; "
            "convert again",
        ),
        ({"skips": ["f"]}, "f: is not a node of this graph; convert again"),
        ({"skips": [], "packs": {"f": 2}}, "f: is not a node of this graph; convert again"),
    ):
        with pytest.raises(ScheduleError) as caught:
            plan_from(full, msgspec.structs.replace(kept, **change))
        assert str(caught.value) == message
