"""``Config``: every choice a user can make, validated on construction and when read from TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType
from hwaccel.untrusted import Damaged, read_file

# A name of many parts takes the reader of TOML the square of its length.
_MAX_BYTES, _MAX_LINE = 1 << 18, 1 << 13
# What the parser calls every layer.
_LAYER = "layers[...]"
Bits = Annotated[int, msgspec.Meta(ge=1, le=16)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]


Style = Literal["stream", "pixel", "spatial", "auto"]
Effort = Literal["fast", "normal", "high"]


class LayerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choices for one PyTorch module; ``None`` takes the design's."""

    weight_bits: Bits | None = None
    activation_bits: Bits | None = None
    pe: Positive | None = None
    simd: Positive | None = None
    style: Style | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choices for a design.

    ``input`` is the format of the input stream (``u8.8``); ``None`` lets calibration choose one
    of ``activation_bits``. ``output_bits`` rounds the result; ``None`` keeps the last
    accumulator exact. ``target_interval`` is in clock cycles per frame; ``multipliers`` is a
    budget of multipliers, which may hold several products on ``target``; with neither, the
    budget is 64. ``layers`` is keyed by PyTorch module path.

    ``style`` is how layers become hardware: ``stream`` shares multipliers over time, ``pixel``
    lays out every weight and takes a pixel per clock, ``spatial`` lays out every element and
    takes a frame per clock, ``auto`` takes the first of them that meets ``target_interval``
    (default: a pixel per clock). For what is laid out, registers are placed for ``clock_mhz`` on
    ``target``, or for ``latency`` clock cycles where that is given; ``extra_depth`` limits
    each product to that many adders above the shortest possible chain; ``effort`` and ``seed``
    steer the search for small adder graphs.
    """

    name: str = ""
    weight_bits: Bits = 8
    activation_bits: Bits = 8
    input: str | None = None
    output_bits: Bits | None = None
    calibration: Literal["minmax", "mse"] = "mse"
    rounding: Literal["half_even", "half_up", "floor"] = "half_even"
    target_interval: Positive | None = None
    multipliers: Positive | None = None
    clock_mhz: Annotated[float, msgspec.Meta(gt=0, le=2000)] = 100.0
    target: str = "ecp5-85k"
    style: Style = "stream"
    latency: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    extra_depth: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    effort: Effort = "normal"
    seed: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] = 0
    layers: dict[str, LayerConfig] = {}

    def __post_init__(self) -> None:
        if self.input is not None:
            try:
                FixedType.parse(self.input)
            except ConfigError as error:
                raise ConfigError(f"input: {error}") from None
        if self.target_interval is not None and self.multipliers is not None:
            raise ConfigError("target_interval and multipliers exclude each other; give one")

    @property
    def family(self) -> str:
        """FPGA family of the target, the first word of its name: what cost and delay depend on."""
        return self.target.split("-")[0]

    def layer(self, path: str) -> LayerConfig:
        """Return the choices for module ``path``."""
        return self.layers.get(path, LayerConfig())


def override(config: Config, changes: Mapping[str, object]) -> Config:
    """Return ``config`` with every change that is not ``None``, validated.

    Raises:
        ConfigError: a value is illegal; the message names the field.
    """
    fields = {key: value for key, value in changes.items() if value is not None}
    fields = {**msgspec.to_builtins(config), **fields}
    try:
        return msgspec.convert(fields, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(error, fields)) from None


def checked(config: Config) -> Config:
    """Return ``config`` after validating every field against its limits.

    Raises:
        ConfigError: a field has the wrong type or is out of range; the message names it.
    """
    if not isinstance(config, Config):
        raise ConfigError(
            f"config is a {type(config).__name__}, expected a hwaccel.Config; for a file, "
            "read_config of hwaccel.config"
        )
    return override(config, {})


def read_config(path: Path) -> Config:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing, not TOML, or holds an unknown or illegal field.
    """
    try:
        return config_of(read_toml(path))
    except ConfigError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise ConfigError(f"{path}: {error}") from None


def config_of(fields: Mapping[str, Any]) -> Config:
    """Return the options in a table of TOML.

    Raises:
        ConfigError: it holds an unknown or illegal field; the message names it.
    """
    try:
        return msgspec.convert(fields, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_readable(error, fields)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ConfigError: the file is missing or not TOML; the message begins with ``path``.
    """
    try:
        data = read_file(path, _MAX_BYTES)
        longest = max(map(len, data.split(b"\n")))
        if longest > _MAX_LINE:
            raise Damaged(f"has a line of {longest} bytes, expected at most {_MAX_LINE}; break it")
        return msgspec.toml.decode(data, type=dict[str, Any])
    except Damaged as error:
        raise ConfigError(f"{path}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML ({error})") from None


def _readable(error: msgspec.ValidationError, fields: Mapping[str, Any]) -> str:
    """Return the complaint about ``fields`` with its place in front, and what would be right."""
    said = re.fullmatch(r"(.*?)(?: - at `\$\.?(.*)`)?", str(error), re.DOTALL)
    assert said is not None
    what, place = said[1], said[2] or ""
    struct = LayerConfig if place.startswith(_LAYER) else Config
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    other = re.fullmatch(r"Invalid enum value ('.*')", what, re.DOTALL)
    if other is not None:
        what = f"{other[1]} is not one of {', '.join(_known(struct, place.split('.')[-1]))}"
    if unknown is not None:
        what = f"{unknown[1]!r} is no option; known are {', '.join(struct.__struct_fields__)}"
    if place.startswith(_LAYER):
        place = f"layers.{_wrong_layer(fields)}{place.removeprefix(_LAYER)}"
    return f"{place}: {what[0].lower()}{what[1:]}" if place else what


def _known(struct: type, field: str) -> list[str]:
    """Return the words that a field may be."""
    hint = get_type_hints(struct)[field]
    return [
        w for part in (hint, *get_args(hint)) if get_origin(part) is Literal for w in get_args(part)
    ]


def _wrong_layer(fields: Mapping[str, Any]) -> str:
    """Return the path of the first layer that is not right; the parser does not say which it is."""
    for path, layer in fields["layers"].items():
        try:
            msgspec.convert(layer, LayerConfig)
        except msgspec.ValidationError:
            return str(path)
    return "..."
