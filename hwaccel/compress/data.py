"""Labelled data for training and for choices made by the loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.arrays import read_stored
from hwaccel.errors import ConfigError

# Of the training samples, those that choices are made by; the test samples choose nothing.
_VALID = 0.1
_NAMES = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Inputs ``x`` ``(N, *shape)`` in float32 and their classes ``y`` ``(N,)`` in int64."""

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.y)

    def first(self, count: int) -> Samples:
        """Return the first ``count`` samples, or all if there are fewer."""
        return Samples(self.x[:count], self.y[:count])


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Samples to learn from, to choose by, and to report with; they share nothing."""

    name: str
    train: Samples
    valid: Samples
    test: Samples
    classes: int

    @property
    def example(self) -> torch.Tensor:
        """A batch of one input."""
        return self.train.x[:1]

    def calibration(self, count: int = 512) -> NDArray[np.float32]:
        """Return inputs that are typical, for formats chosen by calibration."""
        typical: NDArray[np.float32] = self.train.x[:count].numpy()
        return typical

    def reduced(self, train: int, valid: int | None = None) -> Data:
        """Return the data with fewer samples to learn from and to choose by."""
        few = self.valid.first(valid) if valid else self.valid
        return Data(self.name, self.train.first(train), few, self.test, self.classes)


def load_data(source: str) -> Data:
    """Return ``digits`` of scikit-learn, or what a ``.npz`` file holds.

    The file holds ``x_train``, ``y_train``, ``x_test`` and ``y_test``. Bytes count 256ths, so that
    every pixel is exact in ``u8.8``; images without a channel axis get one. A tenth of the
    training samples, drawn once and for all, is kept for choices.

    Raises:
        ConfigError: the file is missing or damaged, or its arrays do not belong together.
    """
    if source == "digits":
        return _digits()
    if not source.endswith(".npz"):
        raise ConfigError(f"--data {source}: is neither digits nor a .npz file")
    found = dict(read_stored(Path(source)))
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise ConfigError(f"{source}: lacks {', '.join(missing)}; it needs {', '.join(_NAMES)}")
    return make_data(source, *(_scaled(name, found[name]) for name in _NAMES))


def _scaled(name: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype == np.uint8 and name.startswith("x"):
        return array.astype(np.float32) / np.float32(256)
    return array


def make_data(
    name: str,
    x_train: NDArray[np.generic],
    y_train: NDArray[np.generic],
    x_test: NDArray[np.generic],
    y_test: NDArray[np.generic],
) -> Data:
    """Return checked data; a tenth of the training samples becomes ``valid``.

    Raises:
        ConfigError: counts or shapes differ, a label is no class, there is one class only, or a
            number is not finite.
    """
    train, test = _samples(name, "train", x_train, y_train), _samples(name, "test", x_test, y_test)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ConfigError(
            f"{name}: x_train has frames of shape {tuple(train.x.shape[1:])}, x_test of shape "
            f"{tuple(test.x.shape[1:])}; they must agree"
        )
    classes = int(train.y.max()) + 1
    seen = torch.bincount(train.y, minlength=classes)
    if int((seen > 0).sum()) < 2:
        raise ConfigError(f"{name}: y_train holds one class only; nothing can be learned from it")
    if int(test.y.max()) >= classes:
        raise ConfigError(
            f"{name}: y_test holds label {int(test.y.max())}, y_train none above {classes - 1}"
        )
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(train)))
    kept = max(1, round(_VALID * len(train)))
    if kept == len(train):
        raise ConfigError(f"{name}: one training sample is not enough; give at least two")
    valid = Samples(train.x[order[:kept]], train.y[order[:kept]])
    rest = Samples(train.x[order[kept:]], train.y[order[kept:]])
    return Data(name, rest, valid, test, classes)


def _samples(name: str, part: str, x: NDArray[np.generic], y: NDArray[np.generic]) -> Samples:
    with np.errstate(over="ignore"):  # what is beyond float32 is named below, as infinite
        inputs, labels = np.asarray(x, np.float32), np.asarray(y)
    if inputs.ndim < 2:
        raise ConfigError(
            f"{name}: x_{part} has shape {inputs.shape}, expected samples of one axis or more"
        )
    if len(inputs) == 0:
        raise ConfigError(f"{name}: x_{part} holds no samples")
    if inputs.ndim == 3:
        inputs = inputs[:, None]
    if labels.shape != (len(inputs),):
        raise ConfigError(
            f"{name}: y_{part} has shape {labels.shape}, expected ({len(inputs)},): one label for "
            f"each of x_{part}"
        )
    if not np.isfinite(inputs).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(inputs))[0])
        raise ConfigError(f"{name}: x_{part} holds {inputs[at]} at index {at}; remove it")
    with np.errstate(invalid="ignore"):  # what is no whole number is named below
        whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels) or whole.min() < 0 or whole.max() >= 1 << 16:
        odd = np.argmax((whole != labels) | (whole < 0) | (whole >= 1 << 16))
        raise ConfigError(
            f"{name}: y_{part} holds {labels[odd]} at index {odd}; labels are whole numbers from 0"
        )
    return Samples(torch.from_numpy(inputs), torch.from_numpy(whole))


def _digits() -> Data:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ConfigError(
            "--data digits: scikit-learn is not installed; pip install 'hwaccel[demo]'"
        ) from None
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    # The images count 0 to 16; 16 becomes 15 so that four bits hold every pixel exactly.
    x, y = np.minimum(found.images[order], 15) / 16, found.target[order]
    split = len(y) - 360
    return make_data("digits", x[:split], y[:split], x[split:], y[split:])
