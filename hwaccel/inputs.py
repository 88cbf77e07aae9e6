"""Models and arrays named on the command line. All of them are untrusted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ConfigError, HwaccelError

_SHAPE = re.compile(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8}){0,4}")
_STAND_IN_FRAMES = 64


def read_model(source: str, weights: Path | None) -> Any:
    """Return the model called ``source``: a ``.pt2`` file or ``package.module:factory``.

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


def read_array(path: Path) -> NDArray[np.float64]:
    """Read numbers from a ``.npy`` file; pickled objects are refused.

    Raises:
        ConfigError: the file is missing, damaged, or does not hold numbers.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, EOFError, MemoryError, SyntaxError) as error:
        raise ConfigError(f"{path}: is not a .npy file of numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ConfigError(
            f"{path}: holds {getattr(array, 'dtype', 'an archive')}, expected numbers"
        )
    return array.astype(np.float64)


def read_example(text: str) -> NDArray[np.float32]:
    """Return a batch of inputs: zeros of a shape like ``1x3x32x32``, or a ``.npy`` file.

    Raises:
        ConfigError: the text is neither.
    """
    if _SHAPE.fullmatch(text):
        shape = tuple(int(n) for n in text.split("x"))
        if np.prod(shape, dtype=np.float64) > 1e8:
            raise ConfigError(f"--example {text}: is more than 100 million numbers")
        return np.zeros(shape, dtype=np.float32)
    if text.endswith(".npy"):
        return read_array(Path(text)).astype(np.float32)
    raise ConfigError(
        f"--example {text}: is neither a shape with batch like 1x3x32x32 nor a .npy file"
    )


def stand_in(model: Any, example: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return random frames of the model's input shape, for want of calibration data.

    Raises:
        ConfigError: neither the model nor the example tells the shape.
    """
    shape = tuple(example.shape) if example is not None else _input_shape(model)
    rng = np.random.default_rng(0)
    return rng.standard_normal((_STAND_IN_FRAMES, *shape[1:])).astype(np.float32)


def _input_shape(model: Any) -> tuple[int, ...]:
    from hwaccel.frontend.program import Program

    if not isinstance(model, Program):
        raise ConfigError(
            f"{type(model).__name__}: its input shape is not known; give --example with batch, "
            "like 1x3x32x32"
        )
    if len(model.inputs) != 1:
        raise ConfigError(
            f"{model.name}: has {len(model.inputs)} inputs, and the command line has data for one; "
            "call hwaccel.convert from Python"
        )
    return tuple(model.inputs[0].shape)
