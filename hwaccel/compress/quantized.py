"""``Quantized``: the edit that makes a Brevitas model, all of whose scales are powers of two."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import torch
from torch import nn

from hwaccel.compress.edits import Edit
from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType

MAX_BITS = 16
Bits = Annotated[int, msgspec.Meta(ge=2, le=MAX_BITS)]


class LayerBits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bits of one layer; ``None`` takes those of the model.

    ``activation_bits`` are those of the quantizer of this name, or of the one behind the layer.
    """

    weight_bits: Bits | None = None
    activation_bits: Bits | None = None


class Quantized(Edit, frozen=True, kw_only=True):
    """Weights, inputs of layers and biases are integers times powers of two, through Brevitas.

    ``input`` is the format in which inputs arrive (``u8.8``). ``layers`` is keyed by module path.
    With ``learned``, training moves the scales too (Jain et al., *Trained Quantization
    Thresholds*, 2019, arXiv 1903.08066); otherwise they stay what calibration chose.
    """

    weight_bits: Bits = 8
    activation_bits: Bits = 8
    input: str = "u8.8"
    layers: dict[str, LayerBits] = msgspec.field(default_factory=dict)
    learned: bool = False

    def __post_init__(self) -> None:
        _check_bits("weight_bits", self.weight_bits)
        _check_bits("activation_bits", self.activation_bits)
        for path, layer in self.layers.items():
            _check_bits(f"layer {path!r}: weight_bits", layer.weight_bits)
            _check_bits(f"layer {path!r}: activation_bits", layer.activation_bits)
        try:
            fixed = FixedType.parse(self.input)
        except ConfigError as error:
            raise ConfigError(f"quantized input: {error}") from None
        if fixed.width > MAX_BITS:
            raise ConfigError(f"quantized input: {fixed} is too wide; use at most {MAX_BITS} bits")

    def weights_of(self, path: str) -> int:
        """Return the bits of the weights of layer ``path``."""
        return self.layers.get(path, _DEFAULT).weight_bits or self.weight_bits

    def activations_of(self, *paths: str) -> int:
        """Return the bits of a quantizer, which has several names; the first that is listed."""
        found = (self.layers.get(path, _DEFAULT).activation_bits for path in paths)
        return next((bits for bits in found if bits is not None), self.activation_bits)

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Return the Brevitas model; scales are those of a state dict or of ``calibrate``.

        Raises:
            ConfigError: Brevitas is missing, or the model has something that is not quantized.
        """
        from hwaccel.compress.quant_graph import rewrite

        return rewrite(model, example, self)


_DEFAULT = LayerBits()


def _check_bits(name: str, bits: int | None) -> None:
    if bits is not None and not 2 <= bits <= MAX_BITS:
        raise ConfigError(f"{name} is {bits}; use 2 to {MAX_BITS} bits")


def parse_layers(texts: Sequence[str]) -> dict[str, LayerBits]:
    """Return the bits in texts like ``conv1=6/4``, ``conv1=6`` and ``relu1=/4``.

    Raises:
        ConfigError: a text is none of these, or names a layer again.
    """
    made: dict[str, LayerBits] = {}
    for text in texts:
        found = _LAYER.fullmatch(text)
        if found is None or found[1] in made or not (found[2] or found[3]):
            raise ConfigError(
                f"--layer {text}: expected PATH=WEIGHTS/ACTIVATIONS with at least one of them, "
                "like conv1=6/4, conv1=6 or relu1=/4, and every layer once"
            )
        bits = [int(part) if part else None for part in (found[2], found[3])]
        made[found[1]] = LayerBits(weight_bits=bits[0], activation_bits=bits[1])
    return made


_LAYER = re.compile(r"([^=\s]+)=([0-9]{0,3})(?:/([0-9]{1,3}))?")


def changed(edit: Quantized, layers: Mapping[str, LayerBits]) -> Quantized:
    """Return ``edit`` with other bits for some layers; what is ``None`` remains."""
    made = dict(edit.layers)
    for path, bits in layers.items():
        before: Any = made.get(path, _DEFAULT)
        made[path] = LayerBits(
            weight_bits=bits.weight_bits or before.weight_bits,
            activation_bits=bits.activation_bits or before.activation_bits,
        )
    return msgspec.structs.replace(edit, layers=made)
