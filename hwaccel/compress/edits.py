"""``Edit``: a change of a model's structure, as data.

A list of edits and a state dict make a model again from the factory that its first ancestor came
from. So nothing is unpickled, and every step can be looked at, repeated and resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import torch
from torch import nn

from hwaccel.errors import ConfigError


class Edit(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="edit", tag=str.lower
):
    """Base of the edits; one frozen struct each, told apart by its name in lower case."""

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Return ``model``, changed in place or wrapped; ``example`` is a batch of inputs.

        Raises:
            ConfigError: the model has no such layer, or the edit does not fit it.
        """
        raise NotImplementedError


class Sparse(Edit, frozen=True):
    """Weights that are zero were pruned: training leaves them zero."""

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Change nothing; ``kept_zeros`` reads the zeros themselves."""
        return model


def apply_all(edits: Iterable[Edit], model: nn.Module, example: torch.Tensor) -> nn.Module:
    """Apply ``edits`` in order."""
    for edit in edits:
        model = edit.apply(model, example)
    return model


def layer_of(model: nn.Module, path: str) -> nn.Module:
    """Return the module at ``path``.

    Raises:
        ConfigError: there is none.
    """
    try:
        return model.get_submodule(path)
    except AttributeError:
        known = ", ".join(name for name, _ in weighted(model)[:5])
        raise ConfigError(f"layer {path!r} is not in the model; it has {known}") from None


def replace_layer(model: nn.Module, path: str, new: nn.Module) -> None:
    """Put ``new`` in the place of the module at ``path``."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)


def weighted(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the layers with a weight that multiplies activations, by path, in order."""
    kinds = (
        nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
    )  # fmt: skip
    return [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]


@contextmanager
def kept_zeros(model: nn.Module) -> Iterator[None]:
    """While this context lasts, training leaves weights zero that are zero at its start.

    Their gradient is, so no optimizer that begins in this context moves them. Nothing is put in
    the place of a weight, from which a Brevitas layer would make its quantizer anew.
    """
    hooks = []
    for _, layer in weighted(model):
        mask = layer.weight.detach() != 0
        if layer.weight.requires_grad and not bool(mask.all()):
            hooks.append(layer.weight.register_hook(partial(_masked, mask)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _masked(mask: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return gradient * mask.to(gradient.device)
