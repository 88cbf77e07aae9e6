"""What a model costs as hardware: the schedule's prediction, whole and by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwaccel.api import Design, convert
from hwaccel.config import Config
from hwaccel.ir.hardware import Area
from hwaccel.report.text import every
from hwaccel.schedule.estimate import block_area, plan_area

if TYPE_CHECKING:
    import torch

    from hwaccel.compress.data import Data

# Samples that formats follow where hardware is predicted.
CALIBRATION = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """Predicted hardware: area is an estimate, cycles are exact.

    ``latency`` is that of the first frame, ``interval`` the cycles between frames.
    """

    luts: int
    ffs: int
    dsps: int
    rams: int
    latency: int
    interval: int

    @property
    def area(self) -> int:
        """LUTs, where a multiplier or a block RAM counts as many as a device has for each."""
        return Area(self.luts, self.ffs, self.dsps, self.rams).equivalent

    @property
    def work(self) -> int:
        """Area times cycles per frame: what a frame takes, however it is folded."""
        return self.area * self.interval

    def __str__(self) -> str:
        return (
            f"{self.luts} LUT, {self.ffs} FF, {self.dsps} DSP, {self.rams} RAM, "
            f"a frame {every(self.interval)}"
        )


def hardware(model: torch.nn.Module, data: Data, config: Config) -> Design:
    """Convert ``model`` with formats calibrated on training samples."""
    return convert(model, data.example, calibration=data.calibration(CALIBRATION), config=config)


def cost_of(design: Design) -> Cost:
    """Return the predicted cost of a design."""
    timing = design.plan.timing()
    return _cost(plan_area(design.plan), timing.latency, timing.interval)


def layer_costs(design: Design) -> dict[str, Cost]:
    """Return the predicted cost of the segments of every module path, in order.

    A segment of several modules counts for the first. ``interval`` is that of the slowest segment
    of the path alone, ``latency`` the sum over its segments.
    """
    paths = {node.name: node.path for node in design.graph.nodes}
    areas: dict[str, Area] = {}
    cycles: dict[str, int] = {}
    latency: dict[str, int] = {}
    for segment in design.plan.segments:
        path = next((paths[name] for name in segment.nodes if paths[name]), "")
        areas[path] = areas.get(path, Area()) + block_area(segment, design.plan)
        cycles[path] = max(cycles.get(path, 0), segment.cycles)
        latency[path] = latency.get(path, 0) + segment.latency
    return {path: _cost(area, latency[path], cycles[path]) for path, area in areas.items()}


def _cost(area: Area, latency: int, interval: int) -> Cost:
    return Cost(area.luts, area.ffs, area.dsps, area.rams, latency, interval)
