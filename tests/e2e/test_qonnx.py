"""QONNX graphs in hardware: what the qonnx package computes, the RTL computes, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import hwaccel
from hwaccel.config import Config
from hwaccel.frontend import load_model
from tests.frontend.onnx_tools import Net, by_qonnx
from tests.frontend.test_qonnx import GRAPHS, linear_pair
from tests.frontend.tools import frames

CHOSEN = ("mlp", "image", "binary", "residual", "zero-7", "channel-scales", "average-truncated")


@pytest.fixture(scope="module")
def designs(tmp_path_factory):
    made = {}
    for name in CHOSEN:
        build, shape = GRAPHS[name]
        net = Net(1, *shape)
        model = net.model(build(net))
        path = tmp_path_factory.mktemp(name) / "net.onnx"
        path.write_bytes(model.SerializeToString())
        xs = frames(*shape, count=6)
        config = Config(multipliers=24)
        design = hwaccel.convert(load_model(path), calibration=xs, config=config)
        made[name] = design, xs, by_qonnx(model, [xs])[0]
    return made


@pytest.mark.parametrize("name", CHOSEN)
def test_golden_is_the_executor(name, designs):
    design, xs, expected = designs[name]
    np.testing.assert_array_equal(design.golden(xs), expected)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "image", "zero-7"])
def test_fast_simulation_is_exact_and_on_time(name, designs, tmp_path):
    design, xs, _ = designs[name]
    result = design.simulate(xs, simulator="fast", workdir=tmp_path)
    arrivals = dict(zip(design.plan.inputs, result.offered, strict=True))
    assert design.plan.timing(len(xs), arrivals).finished() == result.finished
    design.simulate(xs, simulator="fast", idle="some", backpressure="bursts", workdir=tmp_path)


@pytest.mark.rtl
@pytest.mark.parametrize("name", ["mlp", "binary"])
def test_icarus_is_exact(name, designs):
    design, xs, _ = designs[name]
    design.simulate(xs[:3], simulator="icarus")


@pytest.mark.hls
@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("what", ["hls", "cuda-host", "torch"])
def test_other_executors_are_exact(name, what, designs):
    design, xs, _ = designs[name]
    ints = design.golden.quantize(xs)
    design.require_golden(ints, design.execute(what, ints), what=what)


@pytest.mark.rtl
def test_linear_quantizers_in_hardware(tmp_path):
    net = Net(1, 8, opset=13)
    x = linear_pair(net, net.x, 1 / 16, 130, np.uint8)
    w = np.random.default_rng(0).integers(-128, 128, (8, 3)).astype(np.int8)
    x = net.add("MatMul", x, net.add("DequantizeLinear", w, np.float32(1 / 64)))
    model = net.model(linear_pair(net, x, 1 / 4, -5, np.int8))
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    xs = frames(8)
    design = hwaccel.convert(load_model(tmp_path / "net.onnx"), calibration=xs)
    design.simulate(xs[:3], simulator="icarus")
