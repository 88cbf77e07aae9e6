"""Fake quantization modules of ``torch.ao``: their switches are tensors, which nothing may ask.

``torch.export`` follows no branch that depends on a tensor. In eval mode these branches are
settled, so each module is exported as the one call that it comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import where


@contextmanager
def switched(model: nn.Module) -> Iterator[None]:
    """Let fake quantization modules do what their switches say.

    Raises:
        FrontendError: one still observes, so its scale changes with every frame.
    """
    found = [(path, m) for path, m in model.named_modules() if _is_fake(m)]
    for path, module in found:
        if module.observer_enabled[0] == 1:
            raise FrontendError(
                f"{where(path)}: observes its operand in eval mode; call "
                "model.apply(torch.ao.quantization.disable_observer)"
            )
    for _, module in found:
        module.forward = partial(_call, module) if module.fake_quant_enabled[0] == 1 else _nothing
    try:
        yield
    finally:
        for _, module in found:
            del module.forward


def _is_fake(module: Any) -> bool:
    # Asked by name, since importing torch.ao.quantization warns.
    return "forward" not in vars(module) and any(
        c.__name__ == "FakeQuantizeBase" and c.__module__.startswith("torch.ao.")
        for c in type(module).__mro__
    )


def _nothing(x: torch.Tensor) -> torch.Tensor:
    return x


def _call(module: Any, x: torch.Tensor) -> torch.Tensor:
    observer, zero = module.activation_post_process, module.zero_point
    ends = observer.quant_min, observer.quant_max
    if module.is_per_channel:
        return torch.fake_quantize_per_channel_affine(x, module.scale, zero, module.ch_axis, *ends)
    return torch.fake_quantize_per_tensor_affine(x, module.scale, zero, *ends)
