"""RTL of hwaccel for the workloads of this benchmark (to be filled in)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.spatial.workloads import Layer, Workload

Rtl = tuple[list[Path], str, dict[str, Any]]


def matrix_rtl(workload: Workload, depth_extra: int, outdir: Path) -> Rtl:
    """Return sources, top and facts of combinational ``y = W x``.

    ``depth_extra`` is the adder levels allowed beyond the least possible (-1: no limit).
    """
    raise NotImplementedError("hwaccel has no combinational matrix yet")


def mlp_rtl(
    workload: Workload,
    layers: Sequence[Layer],
    outdir: Path,
    *,
    latency: int | None = None,
    levels: int | None = None,
) -> Rtl:
    """Return sources, top and facts of the network, with ``latency`` register ranks.

    ``latency`` 0 is combinational. ``levels`` instead asks for a register every that many adder
    levels. ``facts["latency"]`` holds the ranks that were made, inputs and outputs included.
    """
    raise NotImplementedError("hwaccel has no spatial network yet")
