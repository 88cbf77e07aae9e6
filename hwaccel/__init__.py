"""PyTorch models to fixed-point hardware, exact in every bit."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hwaccel._version import __version__
from hwaccel.errors import (
    ConfigError,
    EmitError,
    FrontendError,
    HwaccelError,
    MismatchError,
    ScheduleError,
    ToolError,
    VerifyError,
)

if TYPE_CHECKING:
    from hwaccel.api import Design, convert, design_from, load
    from hwaccel.config import Config, LayerConfig
    from hwaccel.fxp import FixedType, Overflow, Rounding
    from hwaccel.golden import Golden

# Loaded on first use, so that `import hwaccel` costs nothing where only a part is needed.
_LAZY = {
    "Config": "hwaccel.config",
    "Design": "hwaccel.api",
    "FixedType": "hwaccel.fxp",
    "Golden": "hwaccel.golden",
    "LayerConfig": "hwaccel.config",
    "Overflow": "hwaccel.fxp",
    "Rounding": "hwaccel.fxp",
    "convert": "hwaccel.api",
    "design_from": "hwaccel.api",
    "load": "hwaccel.api",
}

__all__ = [
    "Config",
    "ConfigError",
    "Design",
    "EmitError",
    "FixedType",
    "FrontendError",
    "Golden",
    "HwaccelError",
    "LayerConfig",
    "MismatchError",
    "Overflow",
    "Rounding",
    "ScheduleError",
    "ToolError",
    "VerifyError",
    "__version__",
    "convert",
    "design_from",
    "load",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'hwaccel' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
