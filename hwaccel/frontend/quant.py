"""Post-training quantization: ``FloatGraph`` and calibration data to an IR ``Graph``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from numpy.typing import ArrayLike

from hwaccel.config import Config
from hwaccel.errors import ConfigError, FrontendError
from hwaccel.frontend.absorb import absorb, before_moves
from hwaccel.frontend.batchnorm import fold_batchnorm
from hwaccel.frontend.calibrate import Progress, batches, calibrate, pooled
from hwaccel.frontend.floatgraph import FloatGraph, Role
from hwaccel.frontend.fuse import cancel_moves, fuse_functions
from hwaccel.frontend.losses import Loss, losses_of
from hwaccel.frontend.lower import Lowering
from hwaccel.frontend.lower_ops import LOWER
from hwaccel.frontend.placement import place
from hwaccel.frontend.program import shown
from hwaccel.frontend.scales import factor_scales
from hwaccel.frontend.spelled import recognize
from hwaccel.frontend.spelled_quantizers import recognize_quantizers
from hwaccel.ir import Graph

Observer = Callable[[tuple[Loss, ...]], None]


def quantize(
    graph: FloatGraph,
    calibration: ArrayLike | Sequence[ArrayLike] | None,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    observer: Observer | None = None,
) -> Graph:
    """Return ``graph`` in fixed point.

    ``calibration`` is one array ``(N, *shape)`` per input, or a single array for a single input.
    ``progress`` is called with steps done, steps in all, and a label. ``observer`` hears in the
    end how far each value is from the float model's on these data.

    Raises:
        ConfigError: the configuration names unknown modules or too few bits.
        FrontendError: the calibration data does not fit the model, or numbers run out of range.
    """
    config = config or Config()
    graph = recognize_quantizers(cancel_moves(graph))
    graph = fuse_functions(fold_batchnorm(cancel_moves(recognize(graph))))
    graph = absorb(factor_scales(before_moves(graph)))
    _check_layers(graph, config)
    _check_inputs(graph)
    data = batches(graph, calibration)
    placement = place(graph)
    tables = {node.name for node in graph.nodes if node.op.role is Role.TABLE}
    inputs = {value.name for value in graph.inputs}
    wanted = {*placement.ends.values(), *graph.outputs, *inputs, *tables}
    seen = pooled(graph, calibrate(graph, data, wanted, progress))
    lowering = Lowering(graph, placement, seen, config, LOWER)
    made = lowering.run(progress)
    if observer is not None:
        observer(losses_of(graph, lowering.names, made, data))
    return made


def _check_layers(graph: FloatGraph, config: Config) -> None:
    """Refuse choices that would have no effect."""
    if config.weight_bits < 2:
        raise ConfigError(f"weight_bits is {config.weight_bits}, {_TOO_FEW}")
    roles: dict[str, set[Role]] = {}
    for node in graph.nodes:
        roles.setdefault(node.path, set()).add(node.op.role)
    for path, layer in config.layers.items():
        name = f"layer {shown(path)!r}"
        if path not in roles:
            raise ConfigError(f"{name} {_no_layer(path, sorted(roles), graph.modules)}")
        if layer.weight_bits is not None and Role.MULTIPLY not in roles[path]:
            raise ConfigError(f"{name} has no weights, so weight_bits has no effect; leave it out")
        if layer.activation_bits is not None and not roles[path] & {
            Role.MULTIPLY,
            Role.SUM,
            Role.TABLE,
        }:
            raise ConfigError(
                f"{name} keeps its operand's format; give activation_bits to the layer in front"
            )
        if layer.weight_bits is not None and layer.weight_bits < 2:
            raise ConfigError(f"{name}: weight_bits is {layer.weight_bits}, {_TOO_FEW}")


def _no_layer(path: str, known: list[str], modules: tuple[str, ...]) -> str:
    if path in modules:
        inside = [p for p in known if p.startswith(f"{path}.")][:3]
        if inside:
            return f"is a container; name one of its layers: {', '.join(map(shown, inside))}"
        return "computes nothing, or is folded into the layer in front; leave it out"
    close = get_close_matches(path, known, 3, 0.3) or known[:3]
    return (
        "matches no module of the model; did you mean "
        f"{' or '.join(repr(shown(p)) for p in close)}?"
    )


_TOO_FEW = "needs at least 2 bits: one bit holds -1 and 0 only"


def _check_inputs(graph: FloatGraph) -> None:
    consumers = graph.consumers()
    for value in graph.inputs:
        if not consumers[value.name]:
            raise FrontendError(
                f"input {value.name} reaches no output; remove it from the model's forward"
            )
