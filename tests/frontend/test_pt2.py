"""A ``.pt2`` file is data: it is read without running anything, or refused in one line."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.config import Config
from hwaccel.errors import FrontendError, HwaccelError
from hwaccel.frontend.load import load_model
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from tests.frontend.tools import Bomb, answers, convert, frames, golden

AGAIN = "save it again with torch.export.save of torch 2.10 or newer"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding="same")
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fc = nn.Linear(4, 3)
        self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0, 1.0]))

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x)))
        y = self.pool(y).relu_()
        y += y
        return nn.functional.linear(y.mean((2, 3)), self.fc.weight * self.mask, self.fc.bias), y


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(torch.export.export(model, (torch.zeros(3, 2, 5, 5),)), path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FrontendError) as caught:
        trace(load_model(path))
    text = str(caught.value)
    assert "\n" not in text
    return text


def rewritten(source: Path, target: Path, change) -> Path:
    """Copy an archive; ``change(name, data)`` returns the new content, or ``None`` to drop it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = change(info.filename.split("/", 1)[1], old.read(info))
            if data is not None:
                new.writestr(info.filename, data)
    return target


def edited(source: Path, target: Path, name: str, change) -> Path:
    """Copy an archive after ``change(json)`` of member ``name``."""

    def member(found: str, data: bytes) -> bytes:
        if found != name:
            return data
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    return rewritten(source, target, member)


def test_a_saved_model_is_the_same_model(model, saved):
    x = frames(2, 5, 5)
    graph = quantize(trace(load_model(saved)), x, Config())
    live = convert(model, [x], Config())
    assert graph.nodes == live.nodes
    assert graph.outputs == live.outputs
    assert graph.name == "net"


def test_a_program_that_is_exported_already(model):
    x = frames(2, 5, 5)
    batch = {"x": {0: torch.export.Dim("batch", min=1, max=64)}}
    for shapes in (None, batch):
        exported = torch.export.export(model, (torch.zeros(3, 2, 5, 5),), dynamic_shapes=shapes)
        assert quantize(trace(exported), x).nodes == convert(model, [x], Config()).nodes


def test_a_dynamic_batch(model, tmp_path):
    batch = {"x": {0: torch.export.Dim("batch", min=1, max=64)}}
    path = tmp_path / "net.pt2"
    example = (torch.zeros(3, 2, 5, 5),)
    torch.export.save(torch.export.export(model, example, dynamic_shapes=batch), path)
    x = frames(2, 5, 5)
    assert quantize(trace(load_model(path)), x).nodes == convert(model, [x], Config()).nodes


def test_a_decomposed_model(model, tmp_path):
    path = tmp_path / "net.pt2"
    exported = torch.export.export(model, (torch.zeros(3, 2, 5, 5),)).run_decompositions()
    torch.export.save(exported, path)
    x = frames(2, 5, 5)
    graph = quantize(trace(load_model(path)), x, Config(weight_bits=16, activation_bits=16))
    for found, expected in zip(golden(graph, [x]), answers(model, [x]), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_element_types(dtype, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).to(dtype)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(model, (torch.zeros(2, 4, dtype=dtype),)), path)
    x = frames(4)
    assert quantize(trace(load_model(path)), x).nodes == convert(model, [x], Config()).nodes


@pytest.mark.filterwarnings("ignore:No complete tensor")
def test_strided_and_shared_tensors(tmp_path):
    base = torch.arange(24.0).reshape(4, 6) / 8
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    with torch.no_grad():
        model[0].weight = nn.Parameter(base[1:, 1:4])
        model[1].weight = nn.Parameter(base[:3, 3:].T)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(model, (torch.zeros(2, 3),)), path)
    x = frames(3)
    assert quantize(trace(load_model(path)), x).nodes == convert(model, [x], Config()).nodes


def test_pickles_are_never_opened(saved, tmp_path):
    mark = tmp_path / "executed"
    bomb = pickle.dumps(Bomb(mark))
    torch.save(Bomb(mark), tmp_path / "bomb.pt")
    archive = (tmp_path / "bomb.pt").read_bytes()

    # Sample inputs are pickled in every archive: they are not read.
    sample = rewritten(
        saved,
        tmp_path / "a.pt2",
        lambda n, d: archive if n.endswith("sample_inputs/model.pt") else d,
    )
    assert trace(load_model(sample)).outputs
    assert not mark.exists()

    # Weights can be pickled one by one,
    def pickled(config):
        config["config"]["conv.bias"]["use_pickle"] = True

    path = edited(saved, tmp_path / "b.pt2", "data/weights/model_weights_config.json", pickled)
    path = rewritten(path, tmp_path / "c.pt2", lambda n, d: bomb if "weight_1" in n else d)
    assert refusal(path) == (
        f"{path}: conv.bias is stored as a pickle, which is not read; store plain dense tensors in "
        "the model"
    )
    # or all at once, as old versions do,
    path = tmp_path / "d.pt2"
    shutil.copy(saved, path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("net/data/weights/model.pt", archive)
    assert refusal(path) == f"{path}: holds weights as a pickle, which is not read; {AGAIN}"

    # and constants can be objects.
    def custom(config):
        config["config"]["x"] = {
            "path_name": "custom_obj_0",
            "is_param": False,
            "use_pickle": True,
            "tensor_meta": None,
        }

    path = edited(saved, tmp_path / "e.pt2", "data/constants/model_constants_config.json", custom)
    assert "x is stored as a pickle, which is not read" in refusal(path)
    assert not mark.exists()
    # The bombs are real.
    torch.load(tmp_path / "bomb.pt", weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize(
    "expression", ["__import__('os').mkdir('{mark}')", "().__class__.__base__.__subclasses__()"]
)
def test_expressions_are_never_evaluated(saved, tmp_path, expression):
    mark = tmp_path / "executed"
    text = expression.replace("{mark}", str(mark))

    def change(content):
        graph = content["graph_module"]["graph"]
        graph["tensor_values"]["x"]["sizes"][0] = {
            "as_expr": {"expr_str": text, "hint": {"as_int": 3}}
        }
        graph["sym_int_values"]["s0"] = {"as_expr": {"expr_str": text, "hint": None}}
        content["guards_code"] = [text]

    path = edited(saved, tmp_path / "f.pt2", "models/model.json", change)
    assert trace(load_model(path)).outputs
    assert not mark.exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.mul.Tensor.__class__",
        "os.system",
        "torch.hub.load",
        "torch.ops.aten.__class__.default",
        "_operator.attrgetter",
        "torch.ops.aten.relu.__init__",
        "",
    ],
)
def test_only_known_operators_are_called(saved, tmp_path, target):
    def change(content):
        content["graph_module"]["graph"]["nodes"][0]["target"] = target

    path = edited(saved, tmp_path / "g.pt2", "models/model.json", change)
    assert "is not supported; see docs/how-to/supported-models.md" in refusal(path)


def test_damaged_archives(saved, tmp_path):
    path = tmp_path / "broken.pt2"
    assert refusal(tmp_path / "none.pt2") == f"{tmp_path}/none.pt2: no such file"
    assert refusal(tmp_path.with_suffix(".pt2")) == f"{tmp_path.with_suffix('.pt2')}: no such file"
    data = saved.read_bytes()
    for cut in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        assert refusal(path) == (
            f"{path}: is damaged or no .pt2 archive (File is not a zip file); {AGAIN}"
        )
    (tmp_path / "folder.pt2").mkdir()
    assert refusal(tmp_path / "folder.pt2") == (
        f"{tmp_path}/folder.pt2: cannot be read (Is a directory)"
    )


def test_flipped_bytes_are_noticed(saved, tmp_path):
    """Every member that is read is guarded by its checksum."""
    path = tmp_path / "flipped.pt2"
    data = bytearray(saved.read_bytes())
    at = data.index(b'"graph_module"') + 3
    data[at] ^= 1
    path.write_bytes(bytes(data))
    assert f"{path}: is damaged or no .pt2 archive (Bad CRC-32" in refusal(path)


@pytest.mark.parametrize("name", ["archive_format", "models/model.json"])
def test_members_that_are_missing(saved, tmp_path, name):
    path = rewritten(saved, tmp_path / "m.pt2", lambda n, d: None if n == name else d)
    assert refusal(path) == f"{path}: holds no {name}, so it is no .pt2 model; {AGAIN}"


def test_other_archives(saved, tmp_path):
    path = tmp_path / "other.pt2"
    with zipfile.ZipFile(path, "w"):
        pass
    assert refusal(path) == f"{path}: holds no archive_format, so it is no .pt2 model; {AGAIN}"
    torch.save(torch.zeros(3), path)
    assert refusal(path) == f"{path}: holds no archive_format, so it is no .pt2 model; {AGAIN}"
    rewritten(saved, path, lambda n, d: b"big" if n == "byteorder" else d)
    assert refusal(path) == f"{path}: was saved on a big-endian machine; {AGAIN}"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    assert refusal(path) == (
        f"{path}: is damaged or no .pt2 archive (member 'data/weights/weight_0' is compressed); "
        f"{AGAIN}"
    )


def test_another_version(saved, tmp_path):
    def change(content):
        content["schema_version"]["major"] = 9

    path = edited(saved, tmp_path / "v.pt2", "models/model.json", change)
    assert refusal(path).startswith(f"{path}: has schema version 9.")
    path = rewritten(saved, tmp_path / "w.pt2", lambda n, d: b"{}" if n.endswith("l.json") else d)
    assert refusal(path) == (
        f"{path}: models/model.json is not readable (Object missing required field "
        f"`graph_module`); {AGAIN}"
    )
    deep = b"[" * 100000
    path = rewritten(saved, tmp_path / "z.pt2", lambda n, d: deep if n.endswith("l.json") else d)
    assert "models/model.json is not readable" in refusal(path)


WEIGHTS = "data/weights/model_weights_config.json"
TENSORS = [
    ("sizes", [{"as_int": 1 << 40}], "needs more than the 16 bytes that are stored"),
    ("sizes", [{"as_int": -4}], "has a size that is not known"),
    ("strides", [{"as_int": 1000}], "needs more than the 16 bytes that are stored"),
    ("strides", [], "needs more than the 16 bytes that are stored"),
    ("storage_offset", {"as_int": 1}, "needs more than the 16 bytes that are stored"),
    ("dtype", 8, "needs more than the 16 bytes that are stored"),
    ("dtype", 99, "has an element type that is not supported"),
]


@pytest.mark.parametrize(("field", "value", "text"), TENSORS)
def test_tensors_that_lie(saved, tmp_path, field, value, text):
    def change(content):
        content["config"]["conv.bias"]["tensor_meta"][field] = value

    path = edited(saved, tmp_path / "t.pt2", WEIGHTS, change)
    assert refusal(path).startswith(f"{path}: conv.bias {text}")


def test_graphs_that_lie(saved, tmp_path):
    """A graph that PyTorch would not have written is refused in one line, whatever is wrong."""

    def shapes(content):
        content["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][1] = {"as_int": 5}

    def arguments(content):
        for node in content["graph_module"]["graph"]["nodes"]:
            for argument in node["inputs"]:
                if argument["name"] in ("stride", "kernel_size"):
                    argument["arg"] = {"as_ints": [0]}

    def kinds(content):
        content["graph_module"]["graph"]["nodes"][0]["inputs"][3]["arg"] = {"as_string": "x"}

    def missing(content):
        content["graph_module"]["graph"]["nodes"][1]["inputs"][0]["arg"]["as_tensor"]["name"] = "?"

    def whole(path):
        graph = trace(load_model(path))
        return quantize(graph, np.zeros((2, *graph.inputs[0].shape), np.float32))

    for change in (shapes, arguments, kinds, missing):
        path = edited(saved, tmp_path / f"{change.__name__}.pt2", "models/model.json", change)
        with pytest.raises(FrontendError) as caught:
            whole(path)
        assert "\n" not in str(caught.value)


MUTANTS = [0, 1, -1, 7, 1 << 62, 1e300, "same", None, [], {}, [0, 0], {"as_tensor": {"name": "x"}}]


def places(content, path=()):
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        if key not in ("stack_trace", "module_call_graph"):
            yield (*path, key)
            if isinstance(value, dict | list):
                yield from places(value, (*path, key))


@pytest.mark.parametrize("seed", range(4))
def test_mutants_are_read_or_refused_in_one_line(saved, tmp_path, seed):
    rng = random.Random(seed)

    def change(content):
        *path, last = rng.choice(list(places(content)))
        for key in path:
            content = content[key]
        content[last] = rng.choice(MUTANTS)

    for _ in range(15):
        path = edited(saved, tmp_path / "x.pt2", "models/model.json", change)
        with contextlib.suppress(HwaccelError):
            graph = trace(load_model(path))
            quantize(graph, [np.zeros((2, *v.shape), np.float32) for v in graph.inputs])
