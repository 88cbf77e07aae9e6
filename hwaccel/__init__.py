"""PyTorch models to fixed-point hardware, exact in every bit."""

from hwaccel._version import __version__
from hwaccel.api import Design, Golden, convert, design_from, load
from hwaccel.config import Config, LayerConfig
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
from hwaccel.fxp import FixedType, Overflow, Rounding

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
