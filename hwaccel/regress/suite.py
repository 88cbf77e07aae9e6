"""A suite: which models, styles, simulators, seeds, stalls and frames are run with each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import msgspec

from hwaccel.config import Config, Style, config_of, read_config, read_toml
from hwaccel.errors import ConfigError
from hwaccel.verify.jobs import PATTERNS
from hwaccel.verify.run import SIMULATORS

MAX_RUNS = 200_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILES = (".pt2", ".onnx")

T = TypeVar("T", bound=msgspec.Struct)
Seed = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
Frames = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=604_800)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table in which a name that is not known is an error."""


class Seeds(_Strict, frozen=True, kw_only=True):
    """All seeds from ``first`` to ``last``."""

    first: Seed = 1
    last: Seed


class ModelTable(_Strict, frozen=True, kw_only=True):
    """What a suite says about a model; ``config`` is a table of options or a file of them."""

    source: Annotated[str, msgspec.Meta(min_length=1)]
    weights: str | None = None
    example: tuple[str, ...] = ()
    calibration: tuple[str, ...] = ()
    config: str | dict[str, Any] = {}


class Exclusion(_Strict, frozen=True, kw_only=True):
    """Runs that are left out: those that have one of the values in every list that is given."""

    models: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    simulators: tuple[str, ...] = ()
    seeds: tuple[Seed, ...] = ()
    stalls: tuple[str, ...] = ()
    frames: tuple[Frames, ...] = ()


class _SuiteTable(_Strict, frozen=True, kw_only=True):
    name: str = ""
    models: dict[str, dict[str, Any]] = {}
    styles: tuple[Style, ...] = ()
    simulators: tuple[str, ...] = ("icarus",)
    seeds: tuple[Seed, ...] | Seeds = (1,)
    stalls: tuple[str, ...] = ("none",)
    frames: tuple[Frames, ...] | Frames = 16
    time_limit: Seconds = 600.0
    exclude: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """Where a design comes from: what ``hwaccel convert`` would be told, or a project folder."""

    name: str
    source: str
    weights: str | None
    example: tuple[str, ...]
    calibration: tuple[str, ...]
    config: Config = field(hash=False)

    @property
    def is_project(self) -> bool:
        """Say whether the design is made already."""
        return ":" not in self.source and Path(self.source).suffix.lower() not in _FILES


@dataclass(frozen=True, slots=True)
class Suite:
    """The lists whose combinations are run. Paths are relative to ``folder``.

    Without ``styles`` each model has the one of its configuration; a project has its own anyway.
    """

    name: str
    folder: Path
    models: tuple[Model, ...]
    styles: tuple[str, ...]
    simulators: tuple[str, ...]
    seeds: tuple[int, ...]
    stalls: tuple[str, ...]
    frames: tuple[int, ...]
    time_limit_s: float
    exclude: tuple[Exclusion, ...]


def read_suite(path: Path) -> Suite:
    """Read a suite from TOML.

    Raises:
        ConfigError: the file is missing or not TOML, or something in it is unknown or illegal.
    """
    tables = read_toml(path)
    try:
        return _suite(_table(tables, _SuiteTable, ""), path)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _suite(table: _SuiteTable, path: Path) -> Suite:
    if not table.models:
        raise ConfigError("models: there are none; add a table [models.NAME] with a source")
    models = tuple(_model(name, fields, path.parent) for name, fields in table.models.items())
    exclude = tuple(
        _table(fields, Exclusion, f"exclude[{at}]") for at, fields in enumerate(table.exclude)
    )
    suite = Suite(
        name=table.name or path.stem,
        folder=path.resolve().parent,
        models=models,
        styles=table.styles,
        simulators=table.simulators,
        seeds=_seeds(table.seeds),
        stalls=table.stalls,
        frames=table.frames if isinstance(table.frames, tuple) else (table.frames,),
        time_limit_s=table.time_limit,
        exclude=exclude,
    )
    _check_lists(suite)
    for at, rule in enumerate(exclude):
        _check_exclusion(rule, suite, f"exclude[{at}]")
    return replace(suite, stalls=tuple(map(both_sides, suite.stalls)), exclude=_paired(exclude))


def both_sides(stall: str) -> str:
    """Return ``idle/backpressure`` for one pattern on both sides or a pair of them."""
    return stall if "/" in stall else f"{stall}/{stall}"


def _paired(rules: Sequence[Exclusion]) -> tuple[Exclusion, ...]:
    return tuple(
        msgspec.structs.replace(rule, stalls=tuple(map(both_sides, rule.stalls))) for rule in rules
    )


def _model(name: str, fields: Mapping[str, Any], folder: Path) -> Model:
    place = f"models.{name}"
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"models: {name!r} is no name for a model; use up to 64 letters, digits, '.', '_' and "
            "'-', a letter or digit first"
        )
    table = _table(fields, ModelTable, place)
    try:
        named = table.config
        config = read_config(folder / named) if isinstance(named, str) else config_of(named)
    except ConfigError as error:
        raise ConfigError(f"{place}.config: {error}") from None
    model = Model(name, table.source, table.weights, table.example, table.calibration, config)
    if model.is_project:
        given = [k for k in ("weights", "example", "calibration", "config") if getattr(table, k)]
        if given:
            raise ConfigError(
                f"{place}: {table.source} is a project folder, which has its own choices; leave "
                f"out {' and '.join(given)}"
            )
    return model


def _seeds(given: tuple[int, ...] | Seeds) -> tuple[int, ...]:
    if isinstance(given, tuple):
        return given
    if not 0 <= given.last - given.first < MAX_RUNS:
        raise ConfigError(
            f"seeds: {given.first} to {given.last} are not 1 to {MAX_RUNS} seeds; last is the last "
            "one that is run"
        )
    return tuple(range(given.first, given.last + 1))


def _check_lists(suite: Suite) -> None:
    _check_known("simulators", suite.simulators, SIMULATORS)
    for stall in suite.stalls:
        for pattern in stall.split("/", 1):
            _check_known("stalls", (pattern,), PATTERNS)
    for name in ("styles", "simulators", "seeds", "stalls", "frames"):
        values = getattr(suite, name)
        if not values and name != "styles":
            raise ConfigError(f"{name}: is empty; name one, or leave it out")
        shown = [both_sides(v) for v in values] if name == "stalls" else list(values)
        if len(set(shown)) != len(shown):
            twice = next(v for at, v in enumerate(values) if shown[at] in shown[:at])
            raise ConfigError(f"{name}: {twice!r} is there twice; name it once")


def _check_exclusion(rule: Exclusion, suite: Suite, place: str) -> None:
    if not any(getattr(rule, name) for name in rule.__struct_fields__):
        raise ConfigError(f"{place}: names nothing, and so everything; name what is left out")
    known = {
        "models": tuple(model.name for model in suite.models),
        "styles": suite.styles or get_args(Style),
        "simulators": suite.simulators,
        "stalls": suite.stalls,
    }
    for name, names in known.items():
        _check_known(f"{place}.{name}", getattr(rule, name), names)
    for name in ("seeds", "frames"):
        for value in getattr(rule, name):
            if value not in getattr(suite, name):
                raise ConfigError(f"{place}.{name}: {value} is not among those of the suite")


def _check_known(place: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise ConfigError(f"{place}: {unknown(value, known)}")


def unknown(value: str, known: Sequence[str]) -> str:
    """Say that a name is not known, and which known one comes nearest."""
    close = get_close_matches(value, known, 1, 0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{value!r} is not one of {', '.join(known)}{hint}"


def _table(fields: Mapping[str, Any], kind: type[T], place: str) -> T:
    """Return a table as ``kind``; the complaint begins with the place."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").lstrip(".")
        extra = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
        if extra is not None:
            known = msgspec.structs.fields(Seeds if path == "seeds" else kind)
            what = unknown(extra[1], [one.name for one in known])
        at = ".".join(part for part in (place, path) if part)
        said = what if extra else f"{what[0].lower()}{what[1:]}"
        raise ConfigError(f"{at}: {said}" if at else said) from None
