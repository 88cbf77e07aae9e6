"""What can be chosen for a model, and what is refused before anything runs."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.compress.cost import cost_of
from hwaccel.config import Config, LayerConfig
from hwaccel.errors import ConfigError, ScheduleError
from hwaccel.explore import work
from hwaccel.explore.goal import MEASURES, Facts, goal_of
from hwaccel.explore.space import Space, Way, Wishes, space_of
from hwaccel.ir.hardware import Style
from hwaccel.report.facts import device_of
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.speed import plan_speed
from tests.report.designs import cnn, mlp


def space(base: Config | None = None, **wishes) -> Space:
    return space_of(mlp(), base or Config(), Wishes(**wishes))


def says(text: str, base: Config | None = None, **wishes) -> None:
    with pytest.raises(ConfigError) as caught:
        space(base, **wishes)
    assert str(caught.value) == text


def test_every_way_of_every_layer_is_what_the_schedule_makes() -> None:
    graph = cnn()
    found = space_of(graph, Config(effort="fast"), Wishes(clocks=(100.0,)))
    slowest = tuple(len(knob.values) - 1 for knob in found.knobs)
    checked = 0
    for at, knob in enumerate(found.knobs):
        if knob.field != "hardware":
            continue
        for choice, way in enumerate(knob.values):
            point = (*slowest[:at], choice, *slowest[at + 1 :])
            plan = schedule(graph, found.config(point))
            nodes = [n.name for n in graph.nodes if n.path == knob.path]
            fold = plan.folds[nodes[0]]
            if way.style == "stream":
                assert (fold.style, fold.pe, fold.simd) == (Style.STREAM, way.pe, way.simd)
            else:
                assert fold.style is Style(way.style)
            checked += 1
    assert checked > 20


def test_layers_without_weights_follow() -> None:
    found = space_of(cnn(), Config(), Wishes())
    assert found.followers == {
        "stem": ("stem.relu", "pool"),
        "block.conv": ("block", "block.relu", "flatten"),
    }
    point = [0] * len(found.knobs)
    stem = next(at for at, knob in enumerate(found.knobs) if knob.path == "stem")
    point[stem] = [way.style for way in found.knobs[stem].values].index("pixel")
    config = found.config(tuple(point))
    assert config.layers["pool"].style == config.layers["stem"].style == "pixel"


def test_what_the_configuration_says_is_held() -> None:
    base = Config(latency=3, extra_depth=1, layers={"layers.0": LayerConfig(pe=2)})
    found = space(base)
    ways = {knob.path: knob.values for knob in found.knobs}
    assert {way.pe for way in ways["layers.0"]} == {2}
    assert {way.style for way in ways["layers.2"]} == {"stream", "spatial"}
    assert [knob.field for knob in found.knobs] == ["hardware"] * 2
    config = found.config(tuple(0 for _ in found.knobs))
    assert (config.latency, config.extra_depth) == (3, 1)


def test_no_way_is_offered_that_another_one_beats() -> None:
    for knob in space().knobs[:2]:
        costs = [(w.cycles, w.luts, w.ffs, w.dsps, w.rams) for w in knob.values]
        assert not any(
            a != b and all(x <= y for x, y in zip(a, b, strict=True)) for a in costs for b in costs
        )


def test_a_layer_that_alone_is_too_large_is_not_offered() -> None:
    few = space(most={"dsp": 4})
    assert max(way.dsps for way in few.knobs[0].values if isinstance(way, Way)) <= 4
    says(
        "layer layers.0: has no hardware in style spatial that is within the limits; allow other "
        "styles, a larger target or higher limits",
        styles=("spatial",),
        most={"lut": 10},
    )


def test_widths_are_all_that_the_front_end_is_told() -> None:
    found = space(bits=(4, 8))
    assert [(k.path, k.field) for k in found.knobs if k.field.endswith("bits")] == [
        (path, field)
        for field in ("weight_bits", "activation_bits")
        for path in ("layers.0", "layers.2")
    ]
    told = found.widths(tuple(0 for _ in found.knobs))
    four = LayerConfig(weight_bits=4, activation_bits=4)
    assert told == Config(layers={"layers.0": four, "layers.2": four})


def test_nothing_is_left_to_search() -> None:
    held = LayerConfig(style="stream", pe=1, simd=1)
    says(
        "explore: nothing is left to search: the configuration and the options hold every choice "
        "fixed; allow more styles, clocks or bits",
        Config(layers={"layers.0": held, "layers.2": held}),
        clocks=(100.0,),
    )


def test_wishes_that_cannot_be() -> None:
    both = (
        "target_interval and multipliers choose the folding, which is searched for; leave them "
        "out, and give --min-fps or --max-dsp"
    )
    says(both, Config(multipliers=4))
    says(both, Config(target_interval=4))
    says("--styles: 'stram' is not one of stream, pixel, spatial", styles=("stram",))
    says("--styles: is empty; name one or more of stream, pixel, spatial", styles=())
    says("--bits: 1 is not from 2 to 16", bits=(1, 4))
    says("--clocks: 0 MHz is not above 0 and at most 2000", clocks=(0.0,))
    says("--clocks: a value is there twice; name it once", clocks=(50.0, 50.0))


@pytest.mark.parametrize(
    ("objectives", "limits", "text"),
    [
        (("latncy",), {}, f"--objectives: 'latncy' is not one of {', '.join(MEASURES)}"),
        ((), {}, f"--objectives: is empty; name one or more of {', '.join(MEASURES)}"),
        (("lut", "lut"), {}, "--objectives: 'lut' is there twice; name it once"),
        (
            ("error",),
            {},
            "accuracy is wanted, but not known: give labelled samples with --data",
        ),
        (("lut",), {"lut": 0.0}, "LUT: at most 0, which no hardware keeps"),
        (("lut",), {"dsp": -1.0}, "DSP: at most -1, which no hardware keeps"),
        (("lut",), {"latency": float("nan")}, "latency, us: at most nan, which no hardware keeps"),
    ],
)
def test_goals_that_cannot_be(objectives, limits, text) -> None:
    with pytest.raises(ConfigError) as caught:
        goal_of(objectives, limits, None, measured=False)
    assert str(caught.value) == text


def test_what_the_device_holds_is_a_limit() -> None:
    goal = goal_of(("lut",), {"dsp": 10.0}, device_of("ecp5-25k"), measured=False)
    assert goal.limits == {"dsp": 10, "lut": 24288, "ff": 24288, "ram": 56}


def test_facts_are_those_of_the_schedule() -> None:
    config = Config(multipliers=8)
    graph = mlp()
    design = work.Design(graph, schedule(graph, config), config)
    answer = work._predict(design)
    assert answer.facts is not None
    timing = design.plan.timing()
    assert (answer.facts.cost.latency, answer.facts.cost.interval) == (
        timing.latency,
        timing.interval,
    )
    assert answer.facts.cost == cost_of(design)
    assert answer.facts.latency_us == timing.latency / 100
    speed = plan_speed(design.plan)
    assert speed is not None
    assert answer.facts.fmax_mhz == round(speed.fmax_mhz, 1)
    assert answer.facts.strain == pytest.approx(100 / speed.fmax_mhz, rel=1e-2)
    faster = work.power_index(
        work.Design(graph, design.plan, Config(clock_mhz=200.0)), answer.facts.cost
    )
    assert faster == pytest.approx(2 * answer.facts.power, rel=1e-4)


@pytest.mark.slow
def test_a_random_point_is_a_configuration_or_refused() -> None:
    found = space_of(cnn(), Config(effort="fast"), Wishes())
    rng = np.random.default_rng(0)
    made = 0
    for _ in range(8):
        point = tuple(int(rng.integers(len(knob.values))) for knob in found.knobs)
        try:
            schedule(cnn(), found.config(point))
            made += 1
        except ScheduleError:
            pass
    assert made >= 4


def test_facts_of_a_limit() -> None:
    goal = goal_of(("lut",), {"interval": 10.0}, None, measured=False)
    cost = cost_of(work.Design(mlp(), schedule(mlp(), Config()), Config()))
    slow = Facts(cost=cost, clock_mhz=cost.interval / 20, power=1.0)
    assert goal.excess(slow) == pytest.approx(1.0)
    assert not goal.allows(slow)


def test_a_clock_above_the_estimated_fmax_breaks_its_limit() -> None:
    goal = goal_of(("lut",), {"strain": 1.0}, None, measured=False)
    cost = cost_of(work.Design(mlp(), schedule(mlp(), Config()), Config()))
    known = Facts(cost=cost, clock_mhz=120.0, power=1.0, fmax_mhz=100.0)
    assert goal.excess(known) == pytest.approx(0.2)
    assert goal.allows(Facts(cost=cost, clock_mhz=99.0, power=1.0, fmax_mhz=100.0))
    # Where nothing is estimated, nothing is refused.
    assert goal.allows(Facts(cost=cost, clock_mhz=500.0, power=1.0))
