"""Trained models in folders: weights, edits of the structure, a ``.pt2`` to convert."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwaccel._version import __version__
from hwaccel.compress.approximate import CoarseTable, ShiftPool, Simpler
from hwaccel.compress.channels import KeepChannels
from hwaccel.compress.data import Samples
from hwaccel.compress.depthwise import Depthwise
from hwaccel.compress.drop import DropLayer
from hwaccel.compress.edits import Edit, Sparse, apply_all, kept_zeros
from hwaccel.compress.lookup import Lookup
from hwaccel.compress.lowrank import LowRank
from hwaccel.compress.merge import Merge
from hwaccel.compress.quantized import Quantized
from hwaccel.compress.training import Loss, Progress, Recipe, copied, cross_entropy, train
from hwaccel.emit.project import CHECKPOINT, check_folder, pretty_json, read_project, write_project
from hwaccel.errors import ConfigError, HwaccelError
from hwaccel.frontend.export import exported as exported_model
from hwaccel.frontend.load import load_model, load_state
from hwaccel.frontend.program import reason
from hwaccel.untrusted import decode_json

AnyEdit = (
    Sparse
    | KeepChannels
    | LowRank
    | Depthwise
    | DropLayer
    | Merge
    | Simpler
    | CoarseTable
    | ShiftPool
    | Quantized
    | Lookup
)
_WEIGHTS, _EDITS, _RECORD, _EXPORTED = "weights.pt", "edits.json", "record.json", "model.pt2"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A model and the edits that made its structure out of the factory's."""

    model: nn.Module
    edits: tuple[Edit, ...] = ()

    def train(
        self,
        samples: Samples,
        recipe: Recipe,
        *,
        loss: Loss = cross_entropy,
        targets: torch.Tensor | None = None,
        progress: Progress | None = None,
        label: str = "training",
    ) -> None:
        """Train the model in place; what was pruned stays zero."""
        zeros = kept_zeros(self.model) if Sparse() in self.edits else nullcontext()
        with zeros:
            train(
                self.model,
                samples,
                recipe,
                loss=loss,
                targets=targets,
                progress=progress,
                label=label,
            )

    def then(self, model: nn.Module, *edits: Edit) -> Checkpoint:
        """Return the successor: ``model``, made by ``edits`` on top of those before."""
        return Checkpoint(model, (*self.edits, *(e for e in edits if e not in self.edits)))


def read_checkpoint(source: str, weights: Path | None, example: torch.Tensor) -> Checkpoint:
    """Return the model of factory ``source``, with ``weights``: a state dict or a checkpoint.

    Raises:
        HwaccelError: the factory or the weights cannot be read, or do not belong together.
    """
    if weights is None or not weights.is_dir():
        model = load_model(source, weights)
        if not isinstance(model, nn.Module):
            raise ConfigError(
                f"{source}: holds a graph, which is not trained; give package.module:factory"
            )
        _check_example(source, model, example)
        return Checkpoint(model.eval())
    model = load_model(source)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{source}: holds its own weights; leave out {weights}")
    _check_example(source, model, example)
    return restored(Checkpoint(model), weights, example)


def _check_example(source: str, model: nn.Module, example: torch.Tensor) -> None:
    """Run the model once; what it says of frames it does not take is not for users."""
    try:
        with torch.no_grad():
            model.eval()(example)
    except Exception as error:
        raise ConfigError(
            f"{source}: fails on frames of shape {tuple(example.shape[1:])} ({reason(error)}); "
            "give --data for this model"
        ) from None


def restored(start: Checkpoint, folder: Path, example: torch.Tensor) -> Checkpoint:
    """Return the model of a checkpoint folder whose edits begin with those of ``start``.

    Raises:
        HwaccelError: the folder is no checkpoint, is damaged, or has another start.
    """
    _, files = read_project(folder, CHECKPOINT)
    if _WEIGHTS not in files:
        raise ConfigError(f"{folder / _WEIGHTS}: is missing; make the checkpoint again")
    try:
        edits = tuple(decode_json(files.get(_EDITS, b"[]"), list[AnyEdit]))
    except HwaccelError as error:
        raise ConfigError(f"{folder / _EDITS}: {error}; make the checkpoint again") from None
    if edits[: len(start.edits)] != start.edits:
        raise ConfigError(f"{folder}: was made from another model; choose another folder")
    model = apply_all(edits[len(start.edits) :], copied(start.model), example)
    load_state(model, folder / _WEIGHTS)
    return Checkpoint(model.eval(), edits)


def check_output(folder: Path) -> None:
    """Refuse, before any work, a folder that ``write_checkpoint`` must not replace."""
    check_folder(folder, CHECKPOINT)


def write_checkpoint(
    folder: Path, made: Checkpoint, example: torch.Tensor, record: Mapping[str, Any]
) -> None:
    """Write a checkpoint folder, whole or not at all.

    ``weights.pt`` is the state dict, ``edits.json`` the structure, ``record.json`` what was
    measured, ``model.pt2`` what ``hwaccel convert`` takes.

    Raises:
        EmitError: the folder is not ours, or cannot be written.
    """
    state, program = io.BytesIO(), io.BytesIO()
    torch.save(made.model.state_dict(), state)
    torch.export.save(exported_model(made.model, example), program)
    files: dict[str, str | bytes] = {
        _WEIGHTS: state.getvalue(),
        _EDITS: pretty_json(made.edits),
        _RECORD: pretty_json(record),
        _EXPORTED: program.getvalue(),
    }
    write_project(folder, type(made.model).__name__, __version__, files, CHECKPOINT)
