"""``DropLayer``: a layer whose result has the shape of its operand is left out."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hwaccel.compress.edits import Edit, layer_of, replace_layer, weighted
from hwaccel.errors import ConfigError


class DropLayer(Edit, frozen=True):
    """``layer``, which may be a block of layers, is replaced by nothing."""

    layer: str

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Replace the layer.

        Raises:
            ConfigError: there is no such layer, or its result differs in shape from its operand.
        """
        layer_of(model, self.layer)
        if self.layer not in droppable(model, example):
            raise ConfigError(
                f"layer {self.layer!r}: its result must have the shape of its one operand to be "
                "left out"
            )
        replace_layer(model, self.layer, nn.Identity())
        return model


def droppable(model: nn.Module, example: torch.Tensor) -> tuple[str, ...]:
    """Return the layers and blocks with weights that keep the shape of the one tensor they get."""
    heavy = [path for path, _ in weighted(model)]
    paths = {
        path: module
        for path, module in model.named_modules()
        if path and any(name == path or name.startswith(f"{path}.") for name in heavy)
    }
    found: dict[str, bool] = {}

    def look(path: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            same = (
                len(inputs) == 1
                and isinstance(inputs[0], torch.Tensor)
                and isinstance(output, torch.Tensor)
                and inputs[0].shape == output.shape
            )
            found[path] = found.get(path, True) and same

        return hook

    held = [module.register_forward_hook(look(path)) for path, module in paths.items()]
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(example)
    finally:
        for hook in held:
            hook.remove()
        model.train(was)
    return tuple(path for path in paths if found.get(path, False))
