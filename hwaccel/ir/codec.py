"""Ops to and from plain values; the text form and the file form share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from typing import Any

import msgspec

from hwaccel.errors import HwaccelError, VerifyError
from hwaccel.fxp import IntArray
from hwaccel.ir.op import Op

# What a field of an op looks like outside of Python. Enums are their value.
Plain = int | bool | str | tuple[int, ...] | IntArray


def attributes(op: Op, *, defaults: bool = True) -> dict[str, Plain]:
    """Return the fields of ``op`` by name; those at their default only with ``defaults``."""
    values: dict[str, Plain] = {}
    for item in fields(op):
        value = getattr(op, item.name)
        if not defaults and item.default is not MISSING and value == item.default:
            continue
        values[item.name] = value.value if isinstance(value, Enum) else value
    return values


def build(
    cls: type[Op], values: Mapping[str, object], constant: Callable[[str], IntArray | None]
) -> Op:
    """Return the op with these fields; ``constant`` finds an array by its name.

    Raises:
        VerifyError: a field is unknown, missing or has the wrong type.
    """
    known = tuple(item.name for item in fields(cls))
    for name in values:
        if name not in known:
            raise VerifyError(
                f"{cls.name} has no field {name!r}; it has {', '.join(known) or 'none'}"
            )

    def array(expected: type, value: object) -> Any:
        found = constant(value) if isinstance(value, str) else value
        if isinstance(found, expected):
            return found
        raise ValueError(f"Expected the name of a constant, got {value!r}")

    try:
        return msgspec.convert(dict(values), cls, dec_hook=array)
    except (msgspec.ValidationError, HwaccelError) as error:
        raise VerifyError(f"{cls.name}: {error}") from None
