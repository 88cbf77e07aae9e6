"""``hwaccel quantize``: what it prints and writes, and what it refuses in one line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

pytest.importorskip("brevitas")

from hwaccel.api import convert
from hwaccel.compress.checkpoint import read_checkpoint
from hwaccel.compress.data import load_data
from hwaccel.compress.training import evaluate, outputs_of
from hwaccel.frontend import load_model
from tests.cli.tools import content, done, refused, run

torch.set_num_threads(1)
MODELS = "tests.compress.quantized_models"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkpoint_its_record_and_its_hardware(inside: Path) -> None:
    done("train", f"{MODELS}:Mlp", "--epochs", 6, "--rate", 2e-2, "-o", "float")
    words = ["--weight-bits", 4, "--activation-bits", 5, "--layer", "fc2=6", "-o", "four"]
    said = done("quantize", f"{MODELS}:Mlp", "--weights", "float", *words)
    rows = [
        [cell.strip() for cell in line.split("│")[1:4]] for line in said.splitlines() if "│" in line
    ]
    assert rows == [["fc1", "4", ""], ["relu", "", "5"], ["fc2", "6", ""]]
    data = load_data("digits")
    made = read_checkpoint(f"{MODELS}:Mlp", Path("four"), data.example)
    score = evaluate(made.model, data.test)
    assert said.splitlines()[-1].endswith(f" before, {score} after; written to four/")
    record = msgspec.json.decode(Path("four/record.json").read_bytes())
    assert record["accuracy"] == score.accuracy
    assert record["method"] == "ptq"
    assert record["choices"]["after"]["count"] == len(data.valid)
    assert [row["weight_bits"] for row in record["hardware"]["rows"]] == [4, None, 6]
    design = convert(load_model("four/model.pt2"), calibration=data.calibration(4) * 3 - 1)
    want = outputs_of(made.model, data.test.x).numpy()
    np.testing.assert_array_equal(design.golden(data.test.x.numpy()), want)


def test_search_and_training(inside: Path) -> None:
    done("train", f"{MODELS}:Mlp", "--epochs", 6, "--rate", 2e-2, "-o", "float")
    words = ["--weight-bits", 4, "--activation-bits", 3, "--loss-rise", 0.1, "-o", "found"]
    ran = run("quantize", f"{MODELS}:Mlp", "--weights", "float", "--method", "qat", *words)
    assert ran.code == 0, ran.err
    assert "sensitivity: 2 bits" in ran.err
    assert any(line.startswith("search: ") for line in ran.err)
    record = msgspec.json.decode(Path("found/record.json").read_bytes())
    assert record["bound"] == {"accuracy_drop": None, "loss_rise": 0.1}
    before, after = record["choices"]["before"], record["choices"]["after"]
    assert after["loss"] <= before["loss"] + 0.1
    assert record["steps"]


def test_refusals(inside: Path) -> None:
    mlp = f"{MODELS}:Mlp"
    done("quantize", mlp, "-o", "q")
    before = content(Path("q"))

    def failing(*words: object) -> str:
        line = refused("quantize", *words, "-o", "q")
        assert content(Path("q")) == before
        return line

    assert failing(mlp, "--weight-bits", 0) == "weight_bits is 0; use 2 to 16 bits"
    assert failing(mlp, "--activation-bits", 17) == "activation_bits is 17; use 2 to 16 bits"
    assert failing(mlp, "--layer", "fc9=4") == ("layer 'fc9' is not quantized; layers are fc1, fc2")
    assert failing(mlp, "--layer", "fc1") == (
        "--layer fc1: expected PATH=WEIGHTS/ACTIVATIONS with at least one of them, like "
        "conv1=6/4, conv1=6 or relu1=/4, and every layer once"
    )
    assert failing(mlp, "--accuracy-drop", "-1") == "accuracy_drop -1: expected a number from 0"
    assert failing(mlp, "--weights", "q") == (
        "the checkpoint is quantized already; quantize the float checkpoint it came from"
    )
    assert failing(mlp, "--data", "cifar") == "--data cifar: is neither digits nor a .npz file"
    (inside / "mine").mkdir()
    (inside / "mine" / "file").write_text("")
    assert refused("quantize", mlp, "-o", "mine").startswith("mine: ")
