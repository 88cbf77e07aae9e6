"""Configuration: limits, files, and the page that describes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from hwaccel.config import Config, LayerConfig, checked, override, read_config
from hwaccel.errors import ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.+?) \|$", re.MULTILINE)


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Return type and default of each field in the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return {name: (kind, default) for name, kind, default, _ in ROW.findall(section)}


def kind(type: Any) -> str:
    """Return a type and its limits as the page has them."""
    match type:
        case inspect.UnionType():
            parts = [t for t in type.types if not isinstance(t, inspect.NoneType)]
            return f"{kind(parts[0])} or none"
        case inspect.IntType():
            most = f"2^{type.le.bit_length() - 1}" if type.le > 1000 else str(type.le)
            return f"{type.ge} to {most}"
        case inspect.FloatType():
            return f"above {type.gt:g}, to {type.le:g}"
        case inspect.LiteralType():
            return ", ".join(f'`"{value}"`' for value in type.values)
        case inspect.StrType():
            return "text"
        case inspect.DictType():
            return "table"
    raise AssertionError(type)


def default(field: inspect.Field) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{field.default_factory()}`"
    if field.default is None:
        return "none"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


# --- the page ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("struct", "heading"), [(Config, "Fields"), (LayerConfig, "Fields of a layer")]
)
def test_the_page_has_every_field_with_its_limits(struct: type, heading: str) -> None:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    fields = {field.name: (kind(field.type), default(field)) for field in described.fields}
    found = rows(heading)
    for name, (type, value) in fields.items():
        if name in ("calibration", "rounding"):
            assert set(found[name][0].split(", ")) == set(type.split(", "))
            assert found[name][1] == value
        else:
            assert found[name] == (type, value)
    assert list(found) == list(fields)


def test_the_example_of_the_page_can_be_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "c.toml").write_text(text)
    assert read_config(tmp_path / "c.toml") == Config(
        name="digits",
        weight_bits=6,
        activation_bits=6,
        input="u4.4",
        multipliers=128,
        layers={"features.0": LayerConfig(weight_bits=8), "classifier": LayerConfig(pe=10, simd=4)},
    )


# --- values --------------------------------------------------------------------------------------


def problem(**fields: object) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(Config(**fields))
    return str(caught.value)


@pytest.mark.parametrize("field", ["weight_bits", "activation_bits", "output_bits"])
def test_bits(field: str) -> None:
    for bits in (1, 16):
        checked(Config(**{field: bits}))
    assert problem(**{field: 0}) == f"{field}: expected `int` >= 1"
    assert problem(**{field: 17}) == f"{field}: expected `int` <= 16"


def test_what_is_made_in_python_is_checked() -> None:
    assert problem(weight_bits="8") == "weight_bits: expected `int`, got `str`"
    assert problem(calibration="entropy") == "calibration: 'entropy' is not one of minmax, mse"
    assert problem(clock_mhz=0) == "clock_mhz: expected `float` > 0.0"
    assert problem(style="fast") == "style: 'fast' is not one of stream, pixel, spatial, auto"
    assert problem(input="q8") == (
        "input: 'q8' is not a fixed-point format; write it like s8.4 or u8.8"
    )
    assert problem(target_interval=1, multipliers=1) == (
        "target_interval and multipliers exclude each other; give one"
    )


def test_what_is_no_configuration_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^config is a str, expected a hwaccel.Config; for a "):
        checked("spatial")


def test_of_many_layers_the_wrong_one_is_named() -> None:
    right = {"a": LayerConfig(pe=1), "b.c": LayerConfig()}
    assert (
        problem(layers={**right, "d.0": LayerConfig(pe=0)}) == "layers.d.0.pe: expected `int` >= 1"
    )
    assert problem(layers={"x": LayerConfig(style="fast"), **right}) == (
        "layers.x.style: 'fast' is not one of stream, pixel, spatial, auto"
    )
    assert problem(layers={**right, "e": 4}) == "layers.e: expected `object`, got `int`"


def test_override() -> None:
    base = Config(weight_bits=4, name="a")
    assert override(base, {"weight_bits": None, "name": "b"}) == Config(weight_bits=4, name="b")
    assert override(base, {}) == base
    with pytest.raises(ConfigError, match=r"^weight_bits: expected `int` <= 16$"):
        override(base, {"weight_bits": 99})
    with pytest.raises(ConfigError, match="exclude each other"):
        override(Config(target_interval=3), {"multipliers": 3})


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().weight_bits = 3


def test_layers_default_to_nothing() -> None:
    config = Config(layers={"a": LayerConfig(pe=2)})
    assert config.layer("a").pe == 2
    assert config.layer("b") == LayerConfig()


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("")
    assert read_config(path) == Config()
    path.write_text('weight_bits = 3\ninput = "s4.1"\nlayers."x.y" = {simd = 2}\n')
    assert read_config(path) == Config(
        weight_bits=3, input="s4.1", layers={"x.y": LayerConfig(simd=2)}
    )
