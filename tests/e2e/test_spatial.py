"""Networks laid out in logic, alone and beside streaming layers: every bit, every cycle."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import hwaccel
from hwaccel import Config, FixedType
from hwaccel.circuit import Pipelined
from hwaccel.circuit.cost import estimate
from hwaccel.circuit.delay import model_for
from hwaccel.circuit.pipeline import check
from hwaccel.config import LayerConfig
from hwaccel.errors import ScheduleError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Conv2d, Dense, MaxPool2d, Relu, Requant, Reshape
from hwaccel.schedule import spatial
from hwaccel.schedule.spatial import MOST_WEIGHTS
from hwaccel.verify.rtl import simulate
from tests.emit.networks import branches
from tests.trust.netlists import xilinx_models

FRAMES = 6
FAST = {"effort": "fast", "clock_mhz": 60.0}


def mlp() -> Graph:
    rng = np.random.default_rng(5)
    b = GraphBuilder("mlp")
    x = b.input("x", TensorType.full((6,), FixedType.parse("s8.4")))
    for i, (inputs, outputs) in enumerate([(6, 8), (8, 3)]):
        weight = IntArray(rng.integers(-8, 8, (outputs, inputs)))
        bias = IntArray(rng.integers(-50, 50, outputs))
        x = b.add(f"fc{i}", Dense(weight, IntArray([0] * outputs), bias, 3), x, path=f"fc{i}")
        if i == 0:
            x = b.add("relu", Relu(), x, path="act")
            x = b.add("round", Requant(4, 0, 255), x, path="act")
    return b.build(x)


def cnn() -> Graph:
    """Convolutions with and without padding, pooling, a residual, a head."""
    rng = np.random.default_rng(6)
    b = GraphBuilder("cnn")

    def conv(name: str, channels: int, x: str, pad: int) -> str:
        weight = IntArray(rng.integers(-4, 5, (3, channels, 3, 3)))
        bias = IntArray(rng.integers(-9, 9, 3))
        op = Conv2d(weight, IntArray([0, 1, 0]), bias, 3, padding=(pad,) * 4)
        return b.add(name, op, x, path=name)

    x = b.input("x", TensorType.full((1, 8, 8), FixedType.parse("u6.6")))
    x = b.add("act1", Requant(5, 0, 63), conv("c1", 1, x, 0), path="c1")
    p = b.add("pool", MaxPool2d((2, 2), (2, 2)), x, path="pool")
    y = b.add("act2", Requant(6, -32, 31), conv("c2", 3, p, 1), path="c2")
    x = b.add("sum", Add.of(b.type(y), b.type(p)), y, p, path="sum")
    x = b.add("flat", Reshape((27,)), x, path="flat")
    head = Dense(IntArray(rng.integers(-4, 5, (4, 27))), IntArray([0] * 4), IntArray([1] * 4), 3)
    return b.build(b.add("head", head, x, path="head"))


def uneven() -> Graph:
    """Layers whose channels reach unequally far; one never changes and feeds a sum all the same."""
    rng = np.random.default_rng(12)
    b = GraphBuilder("uneven")
    x = b.input("x", TensorType.full((2, 5, 4), FixedType.parse("s5.2")))
    weight = rng.integers(-4, 5, (4, 2, 3, 3))
    weight[1, :, 1:], weight[2, 0], weight[3] = 0, 0, weight[3] // 4
    bias = IntArray([60, -9, 0, 5])
    op = Conv2d(IntArray(weight), IntArray([0] * 4), bias, 2, padding=(1,) * 4)
    x = b.add("act1", Requant(2, -50, 63), b.add("c1", op, x, path="c1"), path="c1")
    still = rng.integers(-4, 5, (4, 4, 1, 1))
    still[2] = 0
    op = Conv2d(IntArray(still), IntArray([0] * 4), IntArray([3, 0, 7, -1]), 2)
    y = b.add("act2", Requant(3, -64, 63), b.add("c2", op, x, path="c2"), path="c2")
    x = b.add("sum", Add.of(b.type(x), b.type(y)), x, y, path="sum")
    op = Conv2d(IntArray(rng.integers(-4, 5, (2, 4, 3, 3))), IntArray([0, 1]), IntArray([1, 2]), 2)
    x = b.add("act3", Requant(4, -99, 99), b.add("c3", op, x, path="c3"), path="c3")
    x = b.add("flat", Reshape((12,)), x, path="flat")
    head = Dense(IntArray(rng.integers(-4, 5, (3, 12))), IntArray([0] * 3), IntArray([1] * 3), 3)
    return b.build(b.add("head", head, x, path="head"))


def layers(**styles: str) -> dict[str, LayerConfig]:
    return {name: LayerConfig(style=style) for name, style in styles.items()}  # type: ignore[arg-type]


CASES = {
    "mlp-spatial": (mlp(), Config(style="spatial", **FAST)),
    "mlp-latency-7": (mlp(), Config(style="spatial", latency=7, effort="fast")),
    "mlp-mixed": (mlp(), Config(layers=layers(fc0="spatial"), **FAST)),
    # Sums of three numbers, made before the registers and between them.
    "mlp-ternary": (mlp(), Config(style="spatial", target="xcup", **FAST)),
    "mlp-ternary-latency-4": (
        mlp(),
        Config(style="spatial", target="xc7", latency=4, effort="fast"),
    ),
    "cnn-ternary": (cnn(), Config(style="pixel", target="xc7", **FAST)),
    "cnn-pixel": (cnn(), Config(style="pixel", **FAST)),
    "cnn-mixed": (cnn(), Config(layers=layers(c1="pixel", c2="spatial"), **FAST)),
    "cnn-auto": (cnn(), Config(style="auto", target_interval=64, **FAST)),
    "uneven-around": (
        uneven(),
        Config(layers=layers(c1="spatial", sum="spatial", flat="spatial", head="spatial"), **FAST),
    ),
    "uneven-behind": (
        uneven(),
        Config(layers=layers(c2="pixel", c3="pixel", flat="spatial", head="spatial"), **FAST),
    ),
}


def frames(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    xs = [rng.integers(v.type.lo, v.type.hi + 1, (FRAMES, *v.type.shape)) for v in graph.inputs]
    for x, v in zip(xs, graph.inputs, strict=True):
        x[0], x[1] = v.type.lo, v.type.hi
    return xs


@pytest.mark.rtl
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_every_bit_and_cycle(case: str, simulator: str) -> None:
    graph, config = CASES[case]
    design = hwaccel.design_from(graph, config)
    xs = frames(graph)
    plain = design.simulate_raw(xs, simulator=simulator)
    assert plain.finished == design.plan.timing(FRAMES).finished()
    design.simulate_raw(xs, simulator=simulator, idle="some", backpressure="bursts")


@pytest.mark.rtl
@pytest.mark.slow
def test_a_whole_frame_per_clock() -> None:
    design = hwaccel.design_from(cnn(), Config(style="spatial", **FAST))
    assert len(design.netlist.units) == 1
    assert design.plan.timing(FRAMES).interval == 1
    result = design.simulate_raw(frames(design.graph), simulator="icarus")
    assert result.finished == design.plan.timing(FRAMES).finished()


@pytest.mark.parametrize("case", CASES)
def test_a_written_project_loads_without_a_search(case: str, tmp_path: Path) -> None:
    graph, config = CASES[case]
    design = hwaccel.design_from(graph, config)
    design.write(tmp_path / "p")
    loaded = hwaccel.load(tmp_path / "p")
    assert loaded.verilog() == design.verilog()
    design.check_structure()


C_CASES = CASES | {
    "branches-spatial": (branches(), Config(style="spatial", **FAST)),
    "branches-pixel": (branches(), Config(style="pixel", **FAST)),
    "branches-auto": (branches(), Config(style="auto", target_interval=72, **FAST)),
}


@pytest.mark.hls
@pytest.mark.parametrize("case", C_CASES)
def test_c_forms_equal_golden(case: str) -> None:
    graph, config = C_CASES[case]
    design = hwaccel.design_from(graph, config)
    xs = frames(graph)
    for what in ("hls", "cuda-host"):
        design.require_golden(xs, design.execute(what, xs), what=what)


@pytest.mark.parametrize("case", C_CASES)
def test_c_forms_hold_the_circuits_of_the_verilog(case: str) -> None:
    graph, config = C_CASES[case]
    design = hwaccel.design_from(graph, config)
    verilog, hls, cuda = design.verilog(), design.hls(), design.cuda()
    assert design.netlist.units
    for unit, region in zip(design.netlist.units, design.plan.spatial, strict=True):
        wires = re.findall(r"^    wire\b[^=]*?(\w+) =", verilog[f"{unit.name}.v"], re.M)
        nodes = [name for name in wires if not name.endswith(("_over", "_under", "unused"))]
        assert len(nodes) > 5
        for files in (hls, cuda):
            text = files[f"circuits/{region}.h"]
            assert re.findall(r"^    const [\w<>]+ (\w+) =", text, re.M) == nodes
    # The beats at the edge are those of the Verilog ports.
    for edge in (*design.netlist.inputs, *design.netlist.outputs):
        assert f"ap_axiu<{edge.axis_bits}, 0, 0, 0> > &{edge.prefix}" in hls[f"{design.name}.h"]


def test_one_pixel_per_clock() -> None:
    design = hwaccel.design_from(cnn(), Config(style="pixel", **FAST))
    assert design.plan.timing(6).interval == 64


def test_a_latency_is_met() -> None:
    design = hwaccel.design_from(*CASES["mlp-latency-7"])
    (unit,) = design.netlist.units
    assert unit.piped.latency == 7
    # One cycle more: the FIFO behind the circuit.
    assert design.plan.timing().latency == 8


@pytest.mark.parametrize("case", [name for name in CASES if "ternary" in name])
def test_sums_of_three_are_made_and_kept(case: str) -> None:
    graph, config = CASES[case]
    design = hwaccel.design_from(graph, config)
    assert sum(unit.piped.circuit.counts()["sum3"] for unit in design.netlist.units) > 5
    assert "hwa_add3.v" in design.verilog()


def test_with_a_latency_sums_of_three_are_made_where_area_times_delay_is_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, config = CASES["mlp-ternary-latency-4"]
    design = hwaccel.design_from(graph, config)
    (unit,) = design.netlist.units
    assert unit.piped.latency == 4
    # What is kept says how, so that a saved project is the same hardware.
    loaded = hwaccel.load(design.write(tmp_path / "kept"))
    assert loaded.verilog() == design.verilog()
    # Only after the registers: fewer of them fit.
    monkeypatch.setattr(spatial, "fused", lambda circuit, *_, **__: circuit)
    (after,) = hwaccel.design_from(graph, config).netlist.units

    def area_delay(piped: Pipelined) -> float:
        return estimate(piped, "xcup").luts * check(piped, model_for("xcup"))

    assert after.piped.latency == 4
    assert area_delay(unit.piped) < area_delay(after.piped)


def test_with_a_clock_sums_of_three_take_no_cycle_more(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, _ = CASES["mlp-ternary"]
    for clock_mhz in (120.0, 260.0):
        clocked = Config(style="spatial", target="xcup", clock_mhz=clock_mhz, effort="fast")
        (unit,) = hwaccel.design_from(graph, clocked).netlist.units
        assert unit.piped.circuit.counts()["sum3"] > 0
        assert check(unit.piped, model_for("xcup")) <= 1000 / clock_mhz
        with monkeypatch.context() as patch:
            # Only after the registers.
            patch.setattr(spatial, "fused", lambda circuit, *_, **__: circuit)
            (after,) = hwaccel.design_from(graph, clocked).netlist.units
        assert unit.piped.latency <= after.piped.latency
        assert estimate(unit.piped, "xcup").luts <= estimate(after.piped, "xcup").luts


@pytest.mark.synth
@pytest.mark.parametrize("case", ["mlp-ternary", "mlp-ternary-latency-4"])
def test_the_netlist_of_sums_of_three_equals_golden(case: str, tmp_path: Path) -> None:
    graph, config = CASES[case]
    design = hwaccel.design_from(graph, config)
    made = design.synthesize(config.target, pnr=False, workdir=tmp_path)
    assert dict(made.synth.utilization.cells)["LUT6_2"] > 20
    gates = (xilinx_models(), made.synth.netlist_verilog)
    files = {path.name: path.read_text(encoding="utf-8") for path in gates}
    xs = frames(graph)
    result = simulate(files, design.netlist, xs, simulator="icarus", backpressure="some")
    np.testing.assert_array_equal(result.outputs[0], design.golden.raw(*xs)[0])


def test_too_large_to_unroll_says_what_to_do() -> None:
    b = GraphBuilder("large")
    x = b.input("x", TensorType.full((1, 64, 64), FixedType.parse("u8.8")))
    weight = IntArray(np.ones((8, 1, 3, 3)))
    x = b.add("c1", Conv2d(weight, IntArray([0] * 8), IntArray([0] * 8)), x, path="features.0")
    graph = b.build(x)
    assert MOST_WEIGHTS < 8 * 9 * 62 * 62
    with pytest.raises(ScheduleError, match=r"features\.0.*need about .* LUTs.*stream"):
        hwaccel.design_from(graph, Config(style="spatial"))


def test_weights_too_wide_to_unroll_say_where_and_what_to_do() -> None:
    b = GraphBuilder("wide")
    x = b.input("x", TensorType.full((2,), FixedType.parse("s2.0")))
    fc = Dense(IntArray([[1 << 15, 5]]), IntArray([20]), IntArray([0]))
    graph = b.build(b.add("fc", fc, x, path="head.fc"))
    with pytest.raises(ScheduleError, match=r"head\.fc.*entries of up to 32 bits.*style stream"):
        hwaccel.design_from(graph, Config(style="spatial"))
    assert hwaccel.design_from(graph, Config()).netlist


def test_an_unreachable_clock_names_the_nearest() -> None:
    with pytest.raises(ScheduleError, match="MHz"):
        hwaccel.design_from(mlp(), Config(style="spatial", effort="fast", clock_mhz=2000.0))


def test_an_edited_adder_graph_is_refused(tmp_path: Path) -> None:
    design = hwaccel.design_from(*CASES["mlp-spatial"])
    found = design.plan.found
    digest, product = next(iter(found.products.items()))
    a, b, shift, subtract = product.adds[0]
    product.adds[0] = (a, b, shift + 1, subtract)
    from hwaccel.schedule.choices import choices_of, plan_from

    assert digest
    with pytest.raises(ScheduleError, match="does not compute its matrix"):
        plan_from(design.graph, choices_of(design.plan), design.config, found)
