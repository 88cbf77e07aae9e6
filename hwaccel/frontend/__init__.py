"""PyTorch models in, fixed-point graphs out: ``load_model``, ``trace``, ``quantize``."""

from hwaccel.errors import ToolError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise ToolError("PyTorch is not installed; pip install 'hwaccel[torch]'") from None

from hwaccel.frontend.load import load_model
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace

__all__ = ["load_model", "quantize", "trace"]
