"""Post-training quantization: ``FloatGraph`` and calibration data to an IR ``Graph``."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from numpy.typing import ArrayLike

from hwaccel.config import Config
from hwaccel.errors import ConfigError, FrontendError
from hwaccel.frontend.batchnorm import fold_batchnorm
from hwaccel.frontend.calibrate import Progress, batches, calibrate
from hwaccel.frontend.floatgraph import FloatGraph
from hwaccel.frontend.lower import Lowering
from hwaccel.frontend.placement import place
from hwaccel.frontend.program import shown
from hwaccel.ir import Graph


def quantize(
    graph: FloatGraph,
    calibration: ArrayLike | Sequence[ArrayLike],
    config: Config | None = None,
    *,
    progress: Progress | None = None,
) -> Graph:
    """Return ``graph`` in fixed point.

    ``calibration`` is one array ``(N, *shape)`` per input, or a single array for a single input.
    ``progress`` is called with steps done, steps in all, and a label.

    Raises:
        ConfigError: the configuration names unknown modules or too few bits.
        FrontendError: the calibration data does not fit the model, or numbers run out of range.
    """
    config = config or Config()
    _check_layers(graph, config)
    _check_inputs(graph)
    data = batches(graph, calibration)
    graph = fold_batchnorm(graph)
    placement = place(graph)
    ends = {node.name for node in graph.nodes} | {value.name for value in graph.inputs}
    seen = calibrate(graph, data, ends, progress)
    return Lowering(graph, placement, seen, config).run(progress)


def _check_layers(graph: FloatGraph, config: Config) -> None:
    known = sorted({node.path for node in graph.nodes})
    for path, layer in config.layers.items():
        if path in known:
            bits = layer.weight_bits
            if bits is not None and bits < 2:
                raise ConfigError(f"layer {shown(path)!r}: weight_bits is {bits}, {_TOO_FEW}")
            continue
        if path in graph.modules:
            inside = [p for p in known if p.startswith(f"{path}.")][:3]
            hint = f"; name one of its layers: {', '.join(map(shown, inside))}" if inside else ""
            raise ConfigError(f"layer {shown(path)!r} computes nothing itself{hint}")
        close = get_close_matches(path, known, 3, 0.3) or known[:3]
        raise ConfigError(
            f"layer {shown(path)!r} matches no module of the model; "
            f"did you mean {' or '.join(repr(shown(p)) for p in close)}?"
        )
    if config.weight_bits < 2:
        raise ConfigError(f"weight_bits is {config.weight_bits}, {_TOO_FEW}")


_TOO_FEW = "needs at least 2 bits: one bit holds -1 and 0 only"


def _check_inputs(graph: FloatGraph) -> None:
    consumers = graph.consumers()
    for value in graph.inputs:
        if not consumers[value.name]:
            raise FrontendError(
                f"input {value.name} reaches no output; remove it from the model's forward"
            )
