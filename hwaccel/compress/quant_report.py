"""What quantization did to each layer: bits, loss when it alone rounds, hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware, layer_costs
from hwaccel.compress.data import Data
from hwaccel.compress.quantize import Place, losses_alone
from hwaccel.config import Config


@dataclass(frozen=True, slots=True)
class Row:
    """A module of the quantized model; ``None`` where it has no such thing.

    ``loss_alone`` is that on the samples for choices where nothing but this module rounds. Areas
    are in LUTs; what several modules do together counts for the first.
    """

    path: str
    weight_bits: int | None
    activation_bits: int | None
    loss_alone: float | None
    area_before: int | None
    area_after: int | None


@dataclass(frozen=True, slots=True)
class QuantReport:
    """Every module, and the whole design, against a float model converted as ``config`` says."""

    rows: tuple[Row, ...]
    before: Cost
    after: Cost


def quant_report(
    start: Checkpoint, made: Checkpoint, data: Data, config: Config | None = None
) -> QuantReport:
    """Compare the hardware of the float model ``start`` with that of its quantized successor."""
    config = config or Config()
    designs = [hardware(one.model, data, config) for one in (start, made)]
    before, after = (layer_costs(design) for design in designs)
    alone = losses_alone(made.model, data)
    order = {path: place for place, (path, _) in enumerate(made.model.named_modules())}
    found = {*after, *before, *(place.path for place in alone)}
    paths = sorted(found, key=lambda path: (order.get(path, len(order)), path))
    rows = tuple(_row(path, alone, before, after) for path in paths)
    return QuantReport(rows, cost_of(designs[0]), cost_of(designs[1]))


def _row(
    path: str, alone: Mapping[Place, float], before: Mapping[str, Cost], after: Mapping[str, Cost]
) -> Row:
    bits = {place.field: place.bits for place in alone if place.path == path}
    losses = [loss for place, loss in alone.items() if place.path == path]
    return Row(
        path,
        bits.get("weight_bits"),
        bits.get("activation_bits"),
        losses[0] if losses else None,
        before[path].area if path in before else None,
        after[path].area if path in after else None,
    )
