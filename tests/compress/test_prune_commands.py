"""``hwaccel prune``: round trips, refusals, and the commands of its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from hwaccel.compress.channels import KeepChannels
from hwaccel.compress.checkpoint import read_checkpoint
from hwaccel.compress.data import load_data
from hwaccel.compress.edits import Sparse
from hwaccel.compress.sparsity import overall, sparsity
from hwaccel.compress.training import evaluate
from tests.cli.tools import content, done, refused

NET = "tests.compress.nets:Digits"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prune") / "trained"
    done("train", NET, "--epochs", 6, "--rate", 1e-2, "-o", folder)
    return folder


def test_zeros_and_back(trained: Path, tmp_path: Path) -> None:
    before = content(trained)
    folder = tmp_path / "sparse"
    options = "--sparsity 0.6 --rounds 2 --epochs 1 --style stream --skip fc2"
    said = done("prune", NET, "--weights", trained, "-o", folder, *options.split())
    assert content(trained) == before
    data = load_data("digits")
    made = read_checkpoint(NET, folder, data.example)
    assert made.edits == (Sparse(),)
    layers = [layer for layer in sparsity(made.model) if layer.path != "fc2"]
    assert overall(layers) == pytest.approx(0.6, abs=1e-3)
    record = json.loads((folder / "record.json").read_text())
    assert record["accuracy"] == evaluate(made.model, data.test).accuracy
    assert (record["command"], record["pattern"], record["style"]) == (
        "prune", "unstructured", "stream",
    )  # fmt: skip
    assert [layer["path"] for layer in record["layers"]] == ["conv1", "conv2", "fc1", "fc2"]
    zeros = sum(layer.zeros for layer in sparsity(made.model))
    assert f"total: {100 * zeros / 3636:.2f} % of the weights gone" in said
    assert re.search(r"│ fc2 +│ +240 │ +240 │ +0.0 % │", said)
    # And on from there: zeros stay, as a part of those of the next command.
    on = ("prune", NET, "--weights", folder, "-o", tmp_path / "more", "--epochs", 0)
    done(*on, "--pattern", "channels", "--sparsity", 0.25, "--rounds", 1)
    more = read_checkpoint(NET, tmp_path / "more", data.example)
    assert [type(edit) for edit in more.edits] == [Sparse, *[KeepChannels] * (len(more.edits) - 1)]
    assert len(more.edits) > 1
    assert overall(sparsity(more.model)) > 0.3


def test_refusals(trained: Path, tmp_path: Path) -> None:
    def said(*words: object) -> str:
        return refused("prune", NET, "--weights", trained, "-o", tmp_path / "out", *words)

    assert said() == (
        "pattern unstructured: how far to prune is open; give a sparsity, an accuracy drop or a "
        "loss rise"
    )
    assert said("--sparsity", 1) == "sparsity 1: expected at least 0 and less than 1"
    assert said("--pattern", "2:4", "--rounds", 1) == (
        "conv1: inputs side by side: 1, which 4 of pattern 2:4 does not divide; leave the layer "
        "out with --skip conv1, or choose another pattern"
    )
    assert said("--sparsity", 0.5, "--scope", "all") == (
        "scope 'all': is none of global, layer, sensitivity"
    )
    assert said("--accuracy-drop", -1) == "accuracy_drop -1: expected a number from 0"
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    assert refused("prune", NET, "--sparsity", 0.5, "-o", tmp_path / "mine") == (
        f"{tmp_path / 'mine'}: holds files that hwaccel did not write; choose an empty or new "
        "folder"
    )
