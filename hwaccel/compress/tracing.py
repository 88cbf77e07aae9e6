"""Trace a model with ``torch.fx`` and note the shapes of its values."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import torch
from torch import fx, nn

from hwaccel.errors import ConfigError


def traced(model: nn.Module, example: torch.Tensor, purpose: str) -> fx.GraphModule:
    """Return ``model``, in eval mode, as a graph of calls; its layers are shared, not copied.

    Raises:
        ConfigError: it cannot be traced, takes several inputs, or does not run on ``example``.
    """
    name = type(model).__name__
    model.eval()
    try:
        made = fx.GraphModule(model, fx.Tracer().trace(model), name)
    except Exception as error:
        raise ConfigError(
            f"{name}: cannot be traced for {purpose} ({_first_line(error)}); let forward branch "
            "on no values of tensors"
        ) from None
    inputs = len(made.graph.find_nodes(op="placeholder"))
    if inputs != 1:
        raise ConfigError(f"{name}: takes {inputs} inputs; {purpose} takes models of one input")
    try:
        with redirect_stderr(io.StringIO()):  # it prints a traceback before it raises
            fx.passes.shape_prop.ShapeProp(made).propagate(example)
    except Exception as error:
        raise ConfigError(
            f"{name}: does not run on inputs of shape {tuple(example.shape[1:])} "
            f"({_first_line(error)}); give the data of this model"
        ) from None
    return made


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
