"""Models and arrays named on the command line. All of them are untrusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.arrays import read_stored
from hwaccel.errors import ConfigError, HwaccelError

Floats = NDArray[np.float64]

_SHAPE = re.compile(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8}){0,4}")
_STAND_IN_FRAMES = 64


def read_model(source: str, weights: Path | None) -> Any:
    """Return the model called ``source``: a file, or ``package.module:factory``.

    Raises:
        HwaccelError: torch is not installed, or the front end refuses the model.
    """
    try:
        from hwaccel.frontend.load import load_model
    except ImportError as error:
        if error.name != "torch":
            raise
        raise HwaccelError(
            "torch: is not installed; reading a model needs it: pip install 'hwaccel[torch]'"
        ) from None
    return load_model(source, weights)


def read_arrays(paths: Sequence[Path]) -> tuple[tuple[str, Floats], ...]:
    """Read numbers, one array per input of a design, and say where each came from.

    A ``.npy`` file holds one array, an ``.npz`` file those of several inputs in their order.
    Pickled objects are refused.

    Raises:
        ConfigError: a file is missing, damaged, or does not hold numbers.
    """
    return tuple(found for path in paths for found in _read(path))


def _read(path: Path) -> list[tuple[str, Floats]]:
    found = read_stored(path)
    named = [(f"{path} ({name})" if name else str(path), array) for name, array in found]
    try:
        return [(label, array.astype(np.float64)) for label, array in named]
    except MemoryError:
        raise ConfigError(f"{path}: holds more numbers than fit into memory; give fewer") from None


def read_examples(texts: Sequence[str]) -> tuple[NDArray[np.float32], ...]:
    """Return one batch per text: zeros of a shape like ``1x3x32x32``, or what a file holds.

    Raises:
        ConfigError: a text is neither.
    """
    return tuple(array for text in texts for array in _example(text))


def _example(text: str) -> list[NDArray[np.float32]]:
    if _SHAPE.fullmatch(text):
        shape = tuple(int(n) for n in text.split("x"))
        if np.prod(shape, dtype=np.float64) > 1e8:
            raise ConfigError(f"--example {text}: is more than 100 million numbers")
        return [np.zeros(shape, dtype=np.float32)]
    if text.endswith((".npy", ".npz")):
        return [array.astype(np.float32) for _, array in _read(Path(text))]
    raise ConfigError(
        f"--example {text}: is neither a shape with batch like 1x3x32x32 nor a .npy or .npz file"
    )


def stand_in(
    model: Any, examples: Sequence[NDArray[np.float32]] | None
) -> tuple[NDArray[np.float32], ...]:
    """Return random frames of the shapes of the model's inputs, for want of calibration data.

    Raises:
        ConfigError: neither the model nor the examples tell the shapes.
    """
    shapes = [tuple(x.shape) for x in examples] if examples else _input_shapes(model)
    rng = np.random.default_rng(0)
    return tuple(
        rng.standard_normal((_STAND_IN_FRAMES, *shape[1:])).astype(np.float32) for shape in shapes
    )


def _input_shapes(model: Any) -> list[tuple[int, ...]]:
    from hwaccel.frontend.program import Program

    if not isinstance(model, Program):
        raise ConfigError(
            f"{type(model).__name__}: its input shape is not known; give --example with batch, "
            "like 1x3x32x32, once for each input"
        )
    return [tuple(value.shape) for value in model.inputs]
