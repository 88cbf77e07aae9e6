"""A project that tests may copy and spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.tools import MODELS, ROOT, done


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    made: dict[str, Path] = {}

    def make(name: str, *shapes: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("made") / name
            examples = [word for shape in shapes for word in ("--example", shape)]
            done("convert", f"{MODELS}:{name}", *examples, "-o", made[name])
        return made[name]

    return make


@pytest.fixture
def project(_made: Callable[..., Path], tmp_path: Path) -> Path:
    """A converted MLP, free to be changed."""
    return Path(shutil.copytree(_made("mlp", "1x8"), tmp_path / "mlp"))


@pytest.fixture
def cnn_project(_made: Callable[..., Path], tmp_path: Path) -> Path:
    """A converted CNN, free to be changed."""
    return Path(shutil.copytree(_made("cnn", "1x1x6x6"), tmp_path / "cnn"))


@pytest.fixture
def two_project(_made: Callable[..., Path], tmp_path: Path) -> Path:
    """A converted sum of two inputs, free to be changed."""
    return Path(shutil.copytree(_made("Two", "1x3", "1x3"), tmp_path / "two"))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are named relative to the repository."""
    monkeypatch.chdir(ROOT)
