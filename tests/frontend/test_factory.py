"""Models from code, and their weights, which are read without unpickling objects."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from hwaccel.errors import FrontendError
from hwaccel.frontend.load import load_model
from tests.frontend.tools import Bomb


def refusal(source: str | Path, weights: Path | None = None) -> str:
    with pytest.raises(FrontendError) as caught:
        load_model(source, weights)
    text = str(caught.value)
    assert "\n" not in text
    return text


SOURCE = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU())

ready = make()

class Holder:
    make = staticmethod(make)

def broken():
    raise ValueError("no weights\\nfor you")

def wrong():
    return 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    (tmp_path / "my_models_for_test.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "my_models_for_test"


@pytest.mark.parametrize("name", ["make", "ready", "Holder.make"])
def test_factories(module, name):
    assert isinstance(load_model(f"{module}:{name}"), nn.Sequential)


def test_factories_that_fail(module):
    hint = (
        "the name must be an importable module and, after the colon, a model or a function "
        "without arguments that returns one"
    )
    assert refusal(f"{module}:none") == (
        f"{module}:none: AttributeError: module '{module}' has no attribute 'none'; {hint}"
    )
    assert refusal("no_such_module:make") == (
        f"no_such_module:make: ModuleNotFoundError: No module named 'no_such_module'; {hint}"
    )
    assert refusal(f"{module}:broken") == f"{module}:broken: ValueError: no weights; {hint}"
    assert refusal(f"{module}:wrong") == (
        f"{module}:wrong: returned a int, expected a torch.nn.Module"
    )


def test_a_file_is_no_module(module):
    assert refusal(f"{module}.py:make") == (
        f"{module}.py:make: names a file, expected a module: {module}:make"
    )
    assert refusal("nets/small.py:Net") == (
        "nets/small.py:Net: names a file, expected a module: nets.small:Net"
    )


def test_weights(module, tmp_path):
    model = load_model(f"{module}:make")
    with torch.no_grad():
        model[0].weight.fill_(0.5)
    path = tmp_path / "w.pt"
    torch.save(model.state_dict(), path)
    loaded = load_model(f"{module}:make", path)
    assert torch.equal(loaded[0].weight, model[0].weight)


def test_weights_that_do_not_fit(module, tmp_path):
    path = tmp_path / "w.pt"
    state = load_model(f"{module}:make").state_dict()
    this = "give the weights of this very model"

    def saved(content) -> str:
        torch.save(content, path)
        return refusal(f"{module}:make", path)

    assert saved({"0.weight": state["0.weight"]}) == (
        f"{path}: lacks 0.bias (1 of 2 tensors); {this}"
    )
    assert saved({**state, "9.x\n": torch.zeros(1)}) == (
        f"{path}: has unknown 9.x\\n (1 of 2 tensors); {this}"
    )
    assert saved({**state, "0.bias": torch.zeros(7)}) == (
        f"{path}: 0.bias has shape (7,), the model expects (3,); {this}"
    )
    alone = "save model.state_dict() alone with torch.save"
    assert saved([1, 2]) == f"{path}: holds no state dict; {alone}"
    assert refusal(f"{module}:make", tmp_path / "none.pt") == f"{tmp_path}/none.pt: no such file"
    path.write_bytes(path.read_bytes()[:300])
    assert refusal(f"{module}:make", path).startswith(f"{path}: ")
    path.write_bytes(b"")
    assert refusal(f"{module}:make", path).startswith(f"{path}: ")


def test_weights_are_not_unpickled(module, tmp_path):
    mark = tmp_path / "executed"
    path = tmp_path / "bomb.pt"
    for save in (torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))):
        save(Bomb(mark), path)
        assert refusal(f"{module}:make", path) in {
            f"{path}: {reason}; save model.state_dict() alone with torch.save"
            for reason in (
                "is damaged, or holds objects besides tensors, which are not unpickled",
                "cannot be read as weights (File is not a zip file)",
            )
        }
        assert not mark.exists()


def test_other_files(tmp_path):
    kinds = (
        "give a .pt2 file of torch.export.save, an .onnx file, or package.module:factory with "
        "--weights"
    )
    assert refusal("net.onnx") == "net.onnx: no such file"
    assert refusal("net.pth") == f"net.pth: .pth models are not supported yet; {kinds}"
    assert refusal("net") == f"'net' is no model; {kinds}"
    assert refusal(":make") == f"':make' is no model; {kinds}"
    for name in ("a.pt2", "a.onnx"):
        assert refusal(tmp_path / name, tmp_path / "w.pt") == (
            f"{tmp_path}/{name}: holds its own weights; leave out {tmp_path}/w.pt"
        )
