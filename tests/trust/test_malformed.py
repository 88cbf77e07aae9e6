"""Damaged files of every kind are refused in one line, soon, and nothing is written."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.trust import bombs, loaders, malformed
from hwaccel.arrays import read_stored
from hwaccel.config import read_config
from hwaccel.errors import ConfigError, FrontendError, HwaccelError, VerifyError
from hwaccel.frontend import pt2
from hwaccel.frontend.fold import fold
from hwaccel.frontend.load import load_state
from hwaccel.frontend.program import Call, Constant, Ref
from hwaccel.frontend.state import read_state
from hwaccel.ops.family import tap_patterns
from tests.cli import models
from tests.cli.tools import MODELS, refused


@pytest.mark.slow
def test_cases_of_every_kind_on_the_command_line(tmp_path: Path) -> None:
    chosen: dict[str, malformed.Case] = {}
    for case in malformed.cases(394, 1):
        kind = case.label.split(":")[0]
        if kind not in ("spatial", "options", "manifest", "result"):
            chosen.setdefault(kind, case)
    tally = malformed.Tally()
    for case in chosen.values():
        malformed.run_here(case, tmp_path / "work", tally)
    assert tally.wrong == []
    assert (tally.cases, tally.refused) == (12, 12)


@pytest.mark.slow
def test_a_case_in_a_process_of_its_own(tmp_path: Path) -> None:
    case = next(c for c in malformed.cases(394, 1) if c.label == "state: all table of contents")
    tally = malformed.Tally()
    malformed.run_apart(case, tmp_path / "work", tally)
    # How long a start of Python and torch takes says something of the machine only.
    assert [reason for reason in tally.wrong if ": took " not in reason] == []
    assert tally.refused == 1


# Those that need seconds: PyTorch's exporter, Brevitas, many edits of a model.
_SLOW = frozenset(["edits", "pt2", "pt2-graph", "pt2-weights", "onnx"])
_NAMES = [pytest.param(n, marks=[pytest.mark.slow] * (n in _SLOW)) for n in loaders.BY_NAME]


# Arrays that are read, and refused by what they are read for.
_NUMBERS = frozenset(["NaN", "infinite", "huge", "no axes", "no frames", "another shape"])


@pytest.mark.parametrize("name", _NAMES)
def test_bombs_and_damages(name: str, tmp_path: Path) -> None:
    loader, rng = loaders.BY_NAME[name], random.Random(3)
    seeds = loader.seeds()
    for label, kind, data, sparse in bombs.bombs(name):
        assert kind == name
        if not sparse and len(data) < 1 << 15:
            text = loaders.refusal(loader, data, tmp_path)
            assert text is not None or label in bombs.MAY_HOLD or label in _NUMBERS, label
    for _ in range(6):
        loaders.refusal(loader, loader.damage(rng.choice(seeds), rng), tmp_path)


# --- what was wrong once -------------------------------------------------------------------------


def test_weights_are_what_torch_reads(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    tied = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    state = {
        **module.state_dict(),
        "tied": tied,
        "view": tied.T[1:],
        "parameter": torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
        "half": torch.ones(3, dtype=torch.float16),
        "flags": torch.tensor([True, False]),
        "none": torch.zeros(0, 4),
        "spread": torch.ones(1).expand(5),
        **{
            f"i{b}": torch.tensor([1, -2], dtype=getattr(torch, f"int{b}")) for b in (8, 16, 32, 64)
        },
    }
    torch.save(state, tmp_path / "w.pt")
    found = read_state(tmp_path / "w.pt")
    expected = torch.load(tmp_path / "w.pt", weights_only=True)
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert torch.equal(found[key], tensor), key


def test_weights_are_not_unpickled_by_anyone(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "w.pt").write_bytes(loaders.states()[0])
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr("pickle.Unpickler", None)
    load_state(models.mlp(), tmp_path / "w.pt")


def test_a_key_whose_hash_never_ends(tmp_path: Path) -> None:
    """torch.load(weights_only=True) works on this one for ever."""
    pickled = b"\x80\x02}K\x00q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"K\x01s."
    (tmp_path / "w.pt").write_bytes(loaders.state_with(pickled))
    with pytest.raises(FrontendError, match="holds objects besides tensors"):
        read_state(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "c.toml", "m.pt2", "m.onnx", "w.pt"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(name)
    words = {
        "x.npy": (f"{MODELS}:mlp", "--example", name),
        "x.npz": (f"{MODELS}:mlp", "--example", name),
        "c.toml": (f"{MODELS}:mlp", "--config", name),
        "w.pt": (f"{MODELS}:mlp", "--weights", name),
    }
    assert "is no regular file" in refused("convert", *words.get(name, (name,)), "-o", "out")


def test_a_packed_archive_does_not_grow(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(loaders.npz(True, x=np.zeros(64 << 20, np.uint8)))
    with pytest.raises(ConfigError, match=r"its members have \d+ bytes, expected at most 33554432"):
        read_stored(tmp_path / "x.npz")


def test_one_storage_used_by_many_weights_is_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pt2, "MAX_WEIGHTS", 100)
    config = json.loads(loaders.BY_NAME["pt2-weights"].seeds()[0])
    config["config"] |= {f"w{i}": config["config"]["0.weight"] for i in range(3)}
    (tmp_path / "m.pt2").write_bytes(loaders.pt2_with_weights(json.dumps(config).encode()))
    with pytest.raises(FrontendError, match="holds 219 numbers, expected at most 100"):
        pt2.read_pt2(tmp_path / "m.pt2")


def test_a_name_of_many_parts(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("a." * 100_000 + "a = 1")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value) == (
        f"{path}: has a line of 200005 bytes, expected at most 8192; break it"
    )
    path.write_text("name = " + "[" * 5000)
    with pytest.raises(ConfigError, match="is not TOML"):
        read_config(path)


def test_windows_over_a_wide_image_are_counted_at_once() -> None:
    started = time.process_time()
    found = tap_patterns(1 << 24, (1 << 20, 1 << 20), 3, 1, 1)
    assert time.process_time() - started < 1
    assert found.tolist() == [
        *([False, False, False], [False, False, True], [False, True, True]),
        *([True, False, False], [True, True, False], [True, True, True]),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_windows_have_the_patterns_of_all_their_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        size, top, bottom, kernel, stride, dilation = (int(n) for n in rng.integers(1, 9, 6))
        padded, span = size + top + bottom, dilation * (kernel - 1) + 1
        if span > padded:
            continue
        starts = np.arange((padded - span) // stride + 1)[:, None] * stride - top
        at = starts + np.arange(kernel) * dilation
        every = np.unique((at >= 0) & (at < size), axis=0)
        assert np.array_equal(tap_patterns(size, (top, bottom), kernel, stride, dilation), every)


def test_messages_are_lines() -> None:
    assert str(VerifyError("a\nb\x1b[2J\ud800é")) == "a\\nb\\x1b[2J\\ud800é"
    text = str(HwaccelError("x" * 10**6 + "the way out"))
    assert len(text) == 2005
    assert text.endswith("the way out")


def test_constants_that_double() -> None:
    args = {"tensors": (Ref("c"), Ref("c")), "dim": 0}
    call = Call("aten.cat.default", args, ("d",), ((1 << 26,),), "")
    big = torch.ones(1).expand(1 << 25)
    with pytest.raises(FrontendError) as caught:
        fold(call, {"c": Constant("c", big)})
    assert str(caught.value) == (
        "the model's forward: cat cannot be computed on constants: more than 33554432 elements; "
        "store the final values in the model"
    )


def test_data_of_another_model(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", **loaders.samples())
    words = ("train", f"{MODELS}:mlp", "--data", "x.npz", "--epochs", "0", "-o", "out")
    assert refused(*words).startswith(f"{MODELS}:mlp: fails on frames of shape (1, 4, 4) (")
    many = {**loaders.images(), "y_train": np.array([0, 1, 2, 9])}
    np.savez("x.npz", **many)
    assert refused("train", f"{MODELS}:cnn", *words[2:]) == (
        f"{MODELS}:cnn: gives 3 numbers, x.npz has 10 classes; give --data for this model"
    )
    assert sorted(os.listdir()) == ["x.npz"]
