"""Models from outside: ``.pt2`` and ``.onnx`` files, and ``package.module:factory``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.onnx_program import read_onnx
from hwaccel.frontend.program import Program, reason, shown
from hwaccel.frontend.pt2 import read_pt2
from hwaccel.frontend.state import read_state
from hwaccel.untrusted import MAX_MODEL_BYTES, read_file

_KINDS = (
    "give a .pt2 file of torch.export.save, an .onnx file, or package.module:factory with --weights"
)
_READERS = {".pt2": read_pt2, ".onnx": read_onnx}


def load_model(source: str | Path, weights: Path | None = None) -> torch.nn.Module | Program:
    """Return the model called ``source``, ready for ``trace``.

    A ``.pt2`` or ``.onnx`` file is data and is never run. ``package.module:factory`` is code and
    is: the factory is a module, or takes no arguments and returns one; the current directory is
    searched as Python would. ``weights`` is a state dict for it, ``.safetensors`` or of
    ``torch.save``, read without unpickling objects.

    Raises:
        FrontendError: the model or its weights cannot be read; the message names the file.
    """
    text = str(source)
    suffix = Path(text).suffix.lower()
    if suffix in _READERS:
        if weights is not None:
            raise FrontendError(f"{text}: holds its own weights; leave out {weights}")
        return _READERS[suffix](Path(text))
    if suffix in (".pt", ".pth", ".ts", ".h5", ".safetensors", ".tflite"):
        raise FrontendError(f"{text}: {suffix} models are not supported yet; {_KINDS}")
    name, colon, attribute = text.partition(":")
    if not colon or not name or not attribute:
        raise FrontendError(f"{text!r} is no model; {_KINDS}")
    if name.endswith(".py"):
        module = ".".join(Path(name).with_suffix("").parts)
        raise FrontendError(f"{text}: names a file, expected a module: {module}:{attribute}")
    model = _make(text, name, attribute)
    if weights is not None:
        load_state(model, weights)
    return model


def _make(text: str, name: str, attribute: str) -> torch.nn.Module:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(name)
        for part in attribute.split("."):
            found = getattr(found, part)
        model = found if isinstance(found, torch.nn.Module) else found()
    except Exception as error:
        raise FrontendError(
            f"{text}: {type(error).__name__}: {reason(error)}; the name must be an importable "
            "module and, after the colon, a model or a function without arguments that returns one"
        ) from None
    if not isinstance(model, torch.nn.Module):
        raise FrontendError(
            f"{text}: returned a {type(model).__name__}, expected a torch.nn.Module"
        )
    return model


def load_state(model: torch.nn.Module, path: Path) -> None:
    """Load a state dict, ``.safetensors`` or of ``torch.save``, without unpickling objects.

    Raises:
        FrontendError: the file cannot be read, or holds the weights of another model.
    """
    state = _state_dict(path)
    expected = model.state_dict()
    missing, unknown = (
        sorted(expected.keys() - state.keys()),
        sorted(state.keys() - expected.keys()),
    )
    for label, keys in (("lacks", missing), ("has unknown", unknown)):
        if keys:
            listed = ", ".join(map(shown, keys[:5])) + (", ..." if len(keys) > 5 else "")
            raise FrontendError(
                f"{path}: {label} {listed} ({len(keys)} of {len(expected)} tensors); "
                "give the weights of this very model"
            )
    for key, tensor in expected.items():
        if tuple(state[key].shape) != tuple(tensor.shape):
            raise FrontendError(
                f"{path}: {shown(key)} has shape {tuple(state[key].shape)}, the model expects "
                f"{tuple(tensor.shape)}; give the weights of this very model"
            )
    model.load_state_dict(dict(state))


def _state_dict(path: Path) -> Mapping[str, torch.Tensor]:
    if not path.exists():
        raise FrontendError(f"{path}: no such file")
    if path.suffix.lower() == ".safetensors":
        return _safetensors(path)
    return read_state(path)


def _safetensors(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        reader = importlib.import_module("safetensors.torch")
    except ImportError:
        raise FrontendError(
            f"{path}: needs the package safetensors; pip install safetensors"
        ) from None
    try:
        state: Mapping[str, torch.Tensor] = reader.load(read_file(path, MAX_MODEL_BYTES))
    except Exception as error:
        raise FrontendError(f"{path}: is damaged ({reason(error)}); save it again") from None
    return state
