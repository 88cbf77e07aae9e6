"""Hostile and unsupported ONNX files: one clear line each, soon, and nothing is written or read."""

from __future__ import annotations

import contextlib
import random
import struct
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwaccel.errors import FrontendError, HwaccelError
from hwaccel.frontend.load import load_model
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from tests.frontend.onnx_tools import DOMAIN, Net

AGAIN = "export the model again"


@pytest.fixture(autouse=True, scope="module")
def _warm(tmp_path_factory) -> None:
    """Let PyTorch load what it needs to compute shapes; that takes seconds, once."""
    path = tmp_path_factory.mktemp("warm") / "m.onnx"
    path.write_bytes(made(small()).SerializeToString())
    convert(path)


def convert(path: Path) -> None:
    graph = trace(load_model(path))
    quantize(graph, [np.zeros((2, *value.shape)) for value in graph.inputs])


def refusal(path: Path) -> str:
    """Return why a file is refused, without its folder."""
    start = time.perf_counter()
    with pytest.raises(FrontendError) as caught:
        convert(path)
    assert time.perf_counter() - start < 5
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    return text.replace(f"{path.parent}/", "")


def refused(model: onnx.ModelProto, folder: Path) -> str:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return refusal(path)


def small() -> Net:
    """A dense layer and a rectifier; tests break something in it."""
    net = Net(1, 4)
    net.last = net.add("Relu", net.add("MatMul", net.x, np.ones((4, 3))))
    return net


def made(net: Net, *outputs: str) -> onnx.ModelProto:
    return net.model(*(outputs or (net.last,)))


# --- files ----------------------------------------------------------------------------------------


def test_files_that_are_none(tmp_path):
    assert refusal(tmp_path / "no.onnx") == "no.onnx: no such file"
    (tmp_path / "folder.onnx").mkdir()
    assert refusal(tmp_path / "folder.onnx") == "folder.onnx: cannot be read (Is a directory)"
    for data in (b"", b"\x08\x07"):
        (tmp_path / "m.onnx").write_bytes(data)
        assert refusal(tmp_path / "m.onnx") == (
            f"m.onnx: holds no graph, so it is no ONNX model; {AGAIN}"
        )
    for data in (b"PK\x03\x04zip", b"\xff" * 100, b"<onnx>"):
        (tmp_path / "m.onnx").write_bytes(data)
        assert refusal(tmp_path / "m.onnx").startswith("m.onnx: is damaged or no ONNX model (")


def test_every_truncation_and_many_flips(tmp_path):
    net = Net(1, 6)
    x = net.quant(net.x)
    x = net.add("Gemm", x, net.quant(np.ones((6, 3)), 0.25, bits=4), np.ones(3))
    data = made(net, net.add("Relu", x)).SerializeToString()
    path = tmp_path / "m.onnx"
    rng = random.Random(0)
    for trial in range(200):
        if trial < 60:
            broken = data[: rng.randrange(len(data))]
        else:
            place = rng.randrange(len(data))
            broken = bytearray(data)
            broken[place] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(broken))
        start = time.perf_counter()
        with contextlib.suppress(HwaccelError):
            trace(load_model(path))
        assert time.perf_counter() - start < 5


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(made(small()).SerializeToString())
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert refusal(path) == "m.onnx: needs the package onnx; pip install 'hwaccel[qat]'"


def test_more_fields_than_a_network_has(tmp_path):
    """Two bytes of a file make an object of a hundred."""
    path = tmp_path / "m.onnx"
    nodes = b"\x0a\x00" * (1 << 21)
    path.write_bytes(b"\x3a" + varint(len(nodes)) + nodes)
    assert refusal(path) == (f"m.onnx: has more than 262144 fields, expected a network; {AGAIN}")


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.truncate((1 << 29) + 1)
    assert refusal(path) == (
        "m.onnx: has more than 128 MiB, the most that is read; give a model of a network"
    )


def test_tensors_in_other_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(struct.pack("<12f", *range(12)))
    for location in ("secret", "../secret", str(secret), "/etc/passwd"):
        model = made(small())
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        assert refused(model, tmp_path) == (
            "m.onnx: tensor c0 is stored in another file, which is not read; save the model with "
            "save_as_external_data=False"
        )


def test_deep_nesting(tmp_path):
    data = b""
    for _ in range(5000):
        # A graph inside an attribute of a node of a graph, and so on.
        for field in (6, 5, 1):
            data = varint(field << 3 | 2) + varint(len(data)) + data
    (tmp_path / "m.onnx").write_bytes(b"\x3a" + varint(len(data)) + data)
    assert refusal(tmp_path / "m.onnx").startswith("m.onnx: is damaged or no ONNX model (")


# --- what a model says ----------------------------------------------------------------------------


def edit(change) -> onnx.ModelProto:
    model = made(small())
    change(model)
    return model


def set_input(dims, kind: int = TensorProto.FLOAT):
    def change(model):
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, dims))

    return change


def set_tensor(**fields):
    def change(model):
        tensor = model.graph.initializer[0]
        for name, value in fields.items():
            if isinstance(value, list):
                getattr(tensor, name)[:] = value
            else:
                setattr(tensor, name, value)

    return change


def rename(place: int, name: str, *, output: bool = False):
    def change(model):
        node = model.graph.node[place]
        (node.output if output else node.input)[0] = name

    return change


def swap(model):
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[::-1])


def cycle(model):
    model.graph.node[0].input[0] = model.graph.node[1].output[0]


def twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def sparse(model):
    model.graph.sparse_initializer.add()


def double_attribute(model):
    node = model.graph.node[1]
    node.attribute.extend([helper.make_attribute("a", 1), helper.make_attribute("a", 2)])


def fill(value: float):
    def change(model):
        array = np.ones((4, 3), np.float32)
        array[1, 2] = value
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(array, "c0"))

    return change


def opset(version: int):
    def change(model):
        model.opset_import[0].version = version

    return change


def operator(name: str, domain: str = ""):
    def change(model):
        model.graph.node[1].op_type, model.graph.node[1].domain = name, domain

    return change


def attribute(name: str, value):
    def change(model):
        model.graph.node[1].attribute.append(helper.make_attribute(name, value))

    return change


MODELS = {
    "open-axis": (
        set_input([1, "width"]),
        "m.onnx: input x: axis 1 has no fixed length (width); only the batch, axis 0, may be left "
        "open",
    ),
    "no-axis": (
        set_input([]),
        f"m.onnx: input x has 0 axes, expected the batch and 1 to 3 more; {AGAIN}",
    ),
    "no-shape": (
        set_input(None),
        "m.onnx: input x has no shape, or is no tensor; export it with fixed shapes",
    ),
    "strings": (
        set_input([1, 4], TensorProto.STRING),
        "m.onnx: input x has element type 8, which is not supported; use float",
    ),
    "huge-input": (
        set_input([1, 1 << 62]),
        f"m.onnx: input x has the shape (1, {1 << 62}), expected at most 1024 frames of 4194304 "
        "elements; make it smaller",
    ),
    "huge-batch": (
        set_input([1 << 20, 4]),
        "m.onnx: input x has the shape (1048576, 4), expected at most 1024 frames of 4194304 "
        "elements; make it smaller",
    ),
    "flat-input": (
        set_input([4]),
        "input x: shape () without the batch axis has 0 axes, expected 1 to 3; make it "
        "(features,), (channels, length) or (channels, height, width)",
    ),
    "short-data": (
        set_tensor(raw_data=b"1234"),
        "m.onnx: tensor c0 has the shape (4, 3), but 4 entries or bytes, expected 48; " + AGAIN,
    ),
    "huge-dims": (
        set_tensor(dims=[1 << 62, 1 << 62]),
        f"m.onnx: tensor c0 has the shape ({1 << 62}, {1 << 62}), but 48 entries or bytes, "
        f"expected {1 << 126}; {AGAIN}",
    ),
    "negative-dims": (
        set_tensor(dims=[-4, -3]),
        f"m.onnx: tensor c0 has the shape [-4, -3]; {AGAIN}",
    ),
    "many-dims": (
        set_tensor(dims=[1] * 9),
        f"m.onnx: tensor c0 has the shape [1, 1, 1, 1, 1, 1, 1, 1, 1]; {AGAIN}",
    ),
    "complex": (
        set_tensor(data_type=TensorProto.COMPLEX64),
        "m.onnx: tensor c0 has element type 14, which is not supported; use float",
    ),
    "nan": (
        fill(np.nan),
        "MatMul_0 (MatMul): c0 holds nan at index (1, 2); retrain or repair the weights",
    ),
    "infinite": (
        fill(np.inf),
        "MatMul_0 (MatMul): c0 holds inf at index (1, 2); retrain or repair the weights",
    ),
    "sparse": (sparse, "m.onnx: holds sparse tensors; store plain dense ones"),
    "two-tensors": (twice, f"m.onnx: names two tensors 'c0'; {AGAIN}"),
    "dangling": (
        rename(1, "nothing"),
        "Relu_1 (Relu): reads 'nothing', which is no input, no tensor and no output of a node; "
        + AGAIN,
    ),
    "unsorted": (
        swap,
        "Relu_1 (Relu): reads 'y0_0', which is computed behind it; sort the graph",
    ),
    "cycle": (
        cycle,
        "MatMul_0 (MatMul): reads 'y1_0', which is computed behind it; sort the graph",
    ),
    "two-outputs-of-one-name": (
        rename(1, "y0_0", output=True),
        f"Relu_1 (Relu): names its output 'y0_0', a name that is taken; {AGAIN}",
    ),
    "output-named-as-an-input": (
        rename(1, "x", output=True),
        f"Relu_1 (Relu): names its output 'x', a name that is taken; {AGAIN}",
    ),
    "no-output": (
        rename(1, "elsewhere", output=True),
        "the outputs: reads 'y1_0', which is no input, no tensor and no output of a node; " + AGAIN,
    ),
    "old": (
        opset(8),
        "m.onnx: has opset 8, expected 9 to 28; use onnx.version_converter.convert_version",
    ),
    "new": (
        opset(99),
        "m.onnx: has opset 99, expected 9 to 28; use onnx.version_converter.convert_version",
    ),
    "negative-opset": (
        opset(-1),
        "m.onnx: has opset -1, expected 9 to 28; use onnx.version_converter.convert_version",
    ),
    "unknown-op": (
        operator("Loop"),
        "Relu_1 (Loop): operator Loop is not supported; see docs/how-to/onnx.md",
    ),
    "unknown-domain": (
        operator("Relu", "evil\nline"),
        "Relu_1 (Relu): operator Relu of evil\\nline is not supported; see docs/how-to/onnx.md",
    ),
    "long-op": (
        operator("R" * 10**6),
        f"Relu_1 ({'R' * 77}...): operator {'R' * 77}... is not supported; see docs/how-to/onnx.md",
    ),
    "attribute-twice": (double_attribute, f"Relu_1 (Relu): has a twice; {AGAIN}"),
    "unknown-attribute": (
        attribute("beta", 1.0),
        "Relu_1 (Relu): attribute beta is not supported; leave it out",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name, tmp_path):
    change, expected = MODELS[name]
    assert refused(edit(change), tmp_path) == expected


# --- what nodes say -------------------------------------------------------------------------------


def one(op: str, *operands, shape=(1, 3, 6, 6), opset: int = 17, outs: int = 1, **attrs):
    def build() -> onnx.ModelProto:
        net = Net(*shape, opset=opset)
        results = net.add(op, net.x, *operands, outs=outs, **attrs)
        return made(net, results[-1] if outs > 1 else results)

    return build


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def quant(*rest, **attrs):
    def build() -> onnx.ModelProto:
        net = Net(1, 3, 6, 6)
        return made(net, net.quant(net.x, *rest, **attrs))

    return build


def computed(op: str, place: int, *operands, **attrs):
    """Operand ``place`` depends on the input."""

    def build() -> onnx.ModelProto:
        net = Net(1, 3, 6, 6)
        every = [net.x, *operands]
        every[place] = net.add("ReduceMax", net.x, axes=[1, 2, 3], keepdims=0)
        return made(net, net.add(op, *every, **attrs))

    return build


def chain() -> onnx.ModelProto:
    """Constants that double in size, again and again."""
    net = Net(1, 4)
    c = net.tensor(np.ones(2))
    for _ in range(60):
        c = net.add("Concat", c, c, axis=0)
    return made(net, net.add("Add", net.x, net.add("ReduceSum", c)))


def ranges() -> onnx.ModelProto:
    """Constants that take memory."""
    net = Net(1, 4)
    for _ in range(100):
        net.add("Range", np.int64(0), np.int64(1 << 26), np.int64(1))
    return made(net, net.add("Relu", net.x))


def work() -> onnx.ModelProto:
    """Products of constants that take long."""
    net = Net(1, 4)
    a = net.add("ConstantOfShape", whole(4096, 4096))
    for _ in range(200):
        a = net.add("MatMul", a, a)
    return made(net, net.add("Add", net.x, net.add("ReduceSum", a)))


NODES = {
    "filled": (
        one("ConstantOfShape", shape=(1, 4)),
        "ConstantOfShape_0 (ConstantOfShape): input 'x' depends on the model's input; use a "
        "constant",
    ),
    "doubling": (
        chain,
        "Concat_23 (Concat): takes too long to compute on constants; store the final values in the "
        "model",
    ),
    "work": (
        work,
        "MatMul_1 (MatMul): takes too long to compute on constants; store the final values in the "
        "model",
    ),
    "reshape-computed": (
        computed("Reshape", 1, None),
        "Reshape_1 (Reshape): input 'y0_0' depends on the model's input; use a constant",
    ),
    "reshape-misfit": (
        one("Reshape", whole(1, 5, -1)),
        "Reshape_0 (Reshape): operands and attributes do not fit together (shape '[1, 5, -1]' is "
        f"invalid for input of size 108); {AGAIN}",
    ),
    "reshape-negative": (
        one("Reshape", whole(-1, -1, 3)),
        f"Reshape_0 (Reshape): has the target shape (-1, -1, 3); {AGAIN}",
    ),
    "expand": (
        one("Expand", whole(1 << 40, 3, 6, 6)),
        "Expand_0 (Expand): makes a tensor of shape (1099511627776, 3, 6, 6); keep tensors below "
        "33554432 elements",
    ),
    "tile": (
        one("Tile", whole(1, 1 << 20, 1 << 6, 1)),
        "Tile_0 (Tile): makes a tensor of shape (1, 1048576, 64, 1); keep tensors below 33554432 "
        "elements",
    ),
    "pad": (
        one("Pad", whole(0, 0, 0, 0, 0, 0, 0, 1 << 40)),
        "Pad_0 (Pad): gives more than 33554432 elements; make the tensor smaller",
    ),
    "pads-misfit": (
        one("Pad", whole(0, 0, 1)),
        f"Pad_0 (Pad): has 3 pads for 4 axes; {AGAIN}",
    ),
    "gather-range": (
        one("Gather", whole(7), axis=1),
        f"Gather_0 (Gather): has indices that an axis of length 3 has not; {AGAIN}",
    ),
    "gather-computed": (
        computed("Gather", 1, None),
        "Gather_1 (Gather): takes indices that are computed; use them for the rows of a constant",
    ),
    "axis": (
        one("Softmax", axis=9),
        f"Softmax_0 (Softmax): axis is 9, expected -4 to 3; {AGAIN}",
    ),
    "attribute-type": (
        one("Softmax", axis=1.5),
        f"Softmax_0 (Softmax): attribute axis is no integer; {AGAIN}",
    ),
    "attribute-list": (
        one("Conv", np.ones((2, 3, 1, 1)), strides=1.0),
        f"Conv_0 (Conv): attribute strides is no list of integers; {AGAIN}",
    ),
    "strides": (
        one("Conv", np.ones((2, 3, 1, 1)), strides=[0, 1]),
        f"Conv_0 (Conv): has strides, dilations or pads that do not fit 2 axes; {AGAIN}",
    ),
    "kernel-shape": (
        one("Conv", np.ones((2, 3, 1, 1)), kernel_shape=[3, 3]),
        "Conv_0 (Conv): states a kernel_shape other than that of its weight, (1, 1); " + AGAIN,
    ),
    "conv-channels": (
        one("Conv", np.ones((2, 5, 1, 1))),
        "Conv_0 (Conv): operands and attributes do not fit together (Invalid channel "
        f"dimensions); {AGAIN}",
    ),
    "conv-huge-pads": (
        one("Conv", np.ones((2, 3, 1, 1)), pads=[1 << 40, 0, 1 << 40, 0]),
        f"Conv_0 (Conv): has strides, dilations or pads beyond 65536; {AGAIN}",
    ),
    "average-huge": (
        one("AveragePool", kernel_shape=[60000, 60000], pads=[60000] * 4, count_include_pad=1),
        "AveragePool_0 (AveragePool): averages too many elements; use smaller windows",
    ),
    "range": (
        one("Range", np.int64(1 << 40), np.int64(1), shape=(1, 4)),
        "Range_0 (Range): input 'x' depends on the model's input; use a constant",
    ),
    "ranges": (
        ranges,
        "Range_0 (Range): makes more than 1048576 numbers, or none; make it smaller",
    ),
    "conv-no-weight": (one("Conv"), f"Conv_0 (Conv): has no input 1; {AGAIN}"),
    "pool-window": (
        one("MaxPool", kernel_shape=[9, 9]),
        "MaxPool_0 (MaxPool): has windows of (9, 9), larger than the padded operand; " + AGAIN,
    ),
    "pool-gaps": (
        one("MaxPool", kernel_shape=[2, 2], dilations=[2, 1], auto_pad="SAME_UPPER"),
        "MaxPool_0 (MaxPool): executors disagree about auto_pad of windows with gaps; state pads",
    ),
    "pool-indices": (
        one("MaxPool", outs=2, kernel_shape=[2, 2]),
        "the outputs: reads the second output of MaxPool_0 (MaxPool), which is not supported; "
        "leave it out",
    ),
    "dropout": (
        one("Dropout", np.float32(0.5), np.array(True)),
        "Dropout_0 (Dropout): is active; export the model in eval mode",
    ),
    "batch-norm": (
        one("BatchNormalization", *[np.ones(3)] * 4, training_mode=1),
        "BatchNormalization_0 (BatchNormalization): uses the statistics of the batch; export the "
        "model in eval mode",
    ),
    "resize-cubic": (
        one("Resize", "", np.float32([1, 1, 2, 2]), mode="cubic"),
        "Resize_0 (Resize): mode cubic round_prefer_floor is not supported; use nearest or linear",
    ),
    "resize-huge": (
        one("Resize", "", np.float32([1, 1, 60000, 60000])),
        "Resize_0 (Resize): gives more than 33554432 elements; make the tensor smaller",
    ),
    "resize-nan": (
        one("Resize", "", np.float32([1, 1, np.nan, 2])),
        "Resize_0 (Resize): has the scale nan; use a positive one",
    ),
    "clip-nan": (
        one("Clip", np.float32(np.nan), np.float32(1)),
        "Clip_0: clamp: limits are nan and 1; give a lower and an upper one",
    ),
    "cast": (
        one("Cast", to=TensorProto.INT32),
        "Cast_0: to: casts to torch.int32; use float types throughout",
    ),
    "batch": (
        one("Transpose", perm=[1, 0, 2, 3]),
        "output y0_0 has the batch on axis 1, expected in front; bring it there, for example with "
        "x.transpose(0, 1) or x[-1]",
    ),
    "quant-bits": (
        quant(bits=2.5),
        "Quant_0 (Quant): bit width is 2.5, expected a whole number from 1 to 32; train with fixed "
        "bit widths",
    ),
    "quant-bits-huge": (
        quant(bits=1e30),
        "Quant_0 (Quant): bit width is 1e+30, expected a whole number from 1 to 32; train with "
        "fixed bit widths",
    ),
    "quant-bits-nan": (
        quant(bits=np.nan),
        "Quant_0 (Quant): bit width is nan, expected a whole number from 1 to 32; train with fixed "
        "bit widths",
    ),
    "quant-scale": (
        quant(0.0),
        "Quant_0 (Quant): a scale is not between 1e-12 and 1e+12; repair the model",
    ),
    "quant-scale-shape": (
        quant(np.ones(5)),
        "Quant_0 (Quant): scale of shape (5,) does not fit an operand of shape (1, 3, 6, 6); use "
        "one, or one per channel",
    ),
    "quant-zero": (
        quant(0.5, 0.25),
        "Quant_0 (Quant): zero point is no integer of 32 bits; train with integer zero points",
    ),
    "quant-mode": (
        quant(mode="STOCHASTIC"),
        "Quant_0 (Quant): rounding mode STOCHASTIC is not known; use one of ROUND, HALF_EVEN, "
        "FLOOR, CEIL, UP, DOWN, ROUND_TO_ZERO, HALF_UP, HALF_DOWN",
    ),
    "quant-computed": (
        computed("Quant", 1, None, np.float32(0), np.float32(8), domain=DOMAIN, signed=1, narrow=0),
        "Quant_1 (Quant): input 'y0_0' depends on the model's input; use a constant",
    ),
    "quant-no-sign": (
        one("Quant", np.float32(1), np.float32(0), np.float32(8), domain=DOMAIN, narrow=0),
        f"Quant_0 (Quant): lacks the attribute signed; {AGAIN}",
    ),
    "thresholds": (
        one("MultiThreshold", np.ones((5, 3)), domain=DOMAIN, out_dtype="UINT2"),
        "MultiThreshold_0 (MultiThreshold): has thresholds of shape (5, 3) for an operand of shape "
        "(1, 3, 6, 6); give one row per channel",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_node(name, tmp_path):
    build, expected = NODES[name]
    assert refused(build(), tmp_path) == expected
