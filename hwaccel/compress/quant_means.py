"""Averages: over how many values a traced call takes them, and whether hardware rounds them alike.

A quotient by a power of two is exact. One by an odd number is rounded by the quantizer behind, and
never lies in the middle between two steps, so that a product with a close fraction rounds alike.
Any other quotient may lie there, and then it does not.
"""

from __future__ import annotations

from math import prod
from typing import Any

from torch import fx, nn
from torch.nn import functional

_POOLS = (nn.AvgPool1d, nn.AvgPool2d)
_ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


def averaged(node: fx.Node, module: nn.Module | None) -> int:
    """Return by what the call divides a sum of values; 1 where it takes no average."""
    if isinstance(module, _POOLS):
        axes = 1 if isinstance(module, nn.AvgPool1d) else 2
        override = getattr(module, "divisor_override", None)
        return int(override or _area(module.kernel_size, axes))
    if node.target is functional.avg_pool2d:
        override = node.kwargs.get("divisor_override") or (node.args[6:7] or (None,))[0]
        kernel = node.kwargs.get("kernel_size") or node.args[1]
        return int(override or _area(kernel, 2))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if isinstance(module, _ADAPTIVE) or name in ("mean", "adaptive_avg_pool2d"):
        before, after = (prod(n.meta["tensor_meta"].shape) for n in (node.all_input_nodes[0], node))
        return int(before // after)
    return 1


def _area(kernel: Any, axes: int) -> int:
    return int(kernel**axes if isinstance(kernel, int) else prod(kernel))


def odd_part(count: int) -> int:
    """Return ``count`` without its factors of two."""
    return count // (count & -count)
