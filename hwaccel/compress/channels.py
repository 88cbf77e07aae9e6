"""Pruning of channels: they leave the model, with everything that depends on them.

What depends on what is found by the dependency graph of Torch-Pruning (G. Fang et al., *DepGraph*,
CVPR 2023). It goes by the kinds of layers, so every group is tried before it is used: the shorter
model must give what the whole one gives when nobody listens to the channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from hwaccel.compress.data import Samples
from hwaccel.compress.edits import Edit, layer_of, weighted
from hwaccel.compress.training import copied, outputs_of
from hwaccel.errors import ConfigError

# Of two models, in sums of floats that run in another order; relative to the largest output.
_TOLERANCE = 1e-4
_TRIED = 8


class KeepChannels(Edit, frozen=True):
    """Of the outputs of ``layer`` only those ``kept`` stay, and what depends on the others goes.

    ``kept`` counts the channels the layer has when the edit comes to it.
    """

    layer: str
    kept: tuple[int, ...]

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Shorten the layer, the norms behind it, and all who read it, in place.

        Raises:
            ConfigError: there is no such layer or channel, or the others cannot go alone.
        """
        graph = _dependencies(model, example)
        layer = layer_of(model, self.layer)
        count = _outputs(layer)
        if count == 0 or layer not in graph.module2node:
            raise ConfigError(f"layer {self.layer!r}: has no channels that could go")
        kept = set(self.kept)
        if not kept or not kept <= set(range(count)) or len(kept) != len(self.kept):
            raise ConfigError(
                f"layer {self.layer!r}: channels to keep are {list(self.kept)}; it has {count}, "
                "counted from 0, and keeps at least one"
            )
        gone = sorted(set(range(count)) - kept)
        if gone:
            group = _group(graph, layer, gone)
            if sorted(group[0].idxs) != gone:
                raise ConfigError(
                    f"layer {self.layer!r}: channels {sorted(set(group[0].idxs) - set(gone))} "
                    f"go with {gone}; keep none of them or all"
                )
            group.prune()
        return model


@dataclass(frozen=True, slots=True)
class Unit:
    """Channels ``roots`` of a layer that go together, and who reads them: layer and inputs."""

    roots: tuple[int, ...]
    readers: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The channels of the layer at ``path``.

    ``writers`` make these very channels, it among them; ``layers`` are all that shrink with them.
    """

    path: str
    channels: int
    units: tuple[Unit, ...]
    writers: tuple[str, ...]
    layers: tuple[str, ...]

    def without(self, gone: Collection[int]) -> KeepChannels:
        """Return the edit that removes the units numbered ``gone``."""
        lost = {root for number in gone for root in self.units[number].roots}
        return KeepChannels(self.path, tuple(c for c in range(self.channels) if c not in lost))


def groups(model: nn.Module, example: torch.Tensor) -> tuple[Group, ...]:
    """Return all channels, by the first layer that writes them; ``removable`` says which can go.

    Raises:
        ConfigError: Torch-Pruning is missing, or cannot follow the model.
    """
    graph = _dependencies(model, example)
    names = {module: path for path, module in weighted(model)}
    found = []
    for whole in graph.get_all_groups():
        members = {d.target.module for d, _ in whole}
        writers = {d.target.module for d, _ in whole if _writes(graph, d.handler)}
        root = next((module for module in names if module in writers), None)
        if root is None:
            continue
        units: dict[tuple[int, ...], Unit] = {}
        for channel in range(_outputs(root)):
            group = _group(graph, root, [channel])
            roots = tuple(sorted(group[0].idxs))
            units.setdefault(roots, Unit(roots, tuple(_readers(graph, group, names))))
        outs = tuple(path for module, path in names.items() if module in writers)
        layers = tuple(path for module, path in names.items() if module in members)
        found.append(Group(names[root], _outputs(root), tuple(units.values()), outs, layers))
    order = list(names.values())
    return tuple(sorted(found, key=lambda group: order.index(group.path)))


def unheard(model: nn.Module, group: Group, gone: Collection[int]) -> nn.Module:
    """Return a copy of ``model`` in which nobody listens to the units numbered ``gone``."""
    masked = copied(model)
    for number in gone:
        for path, inputs in group.units[number].readers:
            with torch.no_grad():
                _inputs_first(layer_of(masked, path))[list(inputs)] = 0
    return masked


def removable(model: nn.Module, group: Group, example: torch.Tensor, samples: Samples) -> bool:
    """Can half the units of ``group`` go, and is the result that of ``unheard``."""
    if len(group.units) < 2:
        return False
    gone = range(len(group.units) // 2)
    model, x = _drawn(model), samples.x[:_TRIED]
    try:
        short = group.without(gone).apply(copied(model), example)
        expected, found = outputs_of(unheard(model, group, gone), x), outputs_of(short, x)
    except Exception:  # whatever a model of others raises when its shapes no longer fit
        return False
    scale = float(expected.abs().max()) or 1.0
    return expected.shape == found.shape and bool(
        (expected - found).abs().max() <= _TOLERANCE * scale
    )


def _drawn(model: nn.Module) -> nn.Module:
    """Return a copy with random weights: those it has may be zero where it matters."""
    drawn = copied(model)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for _, layer in weighted(drawn):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.normal_(layer.bias)
    return drawn


def hearing(group: Group, gains: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return for every unit the sum of ``gains``, which are by input, over all who read it."""
    return torch.stack(
        [
            sum((gains[path][list(inputs)].sum() for path, inputs in unit.readers), torch.zeros(()))
            for unit in group.units
        ]
    )


def by_input(layer: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Return the sums of ``values``, shaped like the layer's weight, by input."""
    axis = 0 if getattr(layer, "transposed", False) else 1
    return values.movedim(axis, 0).flatten(1).sum(1)


def _inputs_first(layer: nn.Module) -> torch.Tensor:
    axis = 0 if getattr(layer, "transposed", False) else 1
    weight: torch.Tensor = layer.weight
    return weight.movedim(axis, 0)


def _outputs(layer: nn.Module) -> int:
    return int(getattr(layer, "out_channels", getattr(layer, "out_features", 0)))


def _readers(
    graph: Any, group: Any, names: Mapping[nn.Module, str]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    for dependency, indices in group:
        layer = dependency.target.module
        if layer in names and _reads(graph, dependency.handler):
            yield names[layer], tuple(sorted(indices))


# A depthwise convolution does both, and so neither: its channels are those of others.
def _reads(graph: Any, prunes: Any) -> bool:
    into, out = graph.is_in_channel_pruning_fn(prunes), graph.is_out_channel_pruning_fn(prunes)
    return bool(into and not out)


def _writes(graph: Any, prunes: Any) -> bool:
    into, out = graph.is_in_channel_pruning_fn(prunes), graph.is_out_channel_pruning_fn(prunes)
    return bool(out and not into)


def _group(graph: Any, layer: nn.Module, channels: list[int]) -> Any:
    prunes = graph.get_pruner_of_module(layer).prune_out_channels
    return graph.get_pruning_group(layer, prunes, channels)


def _dependencies(model: nn.Module, example: torch.Tensor) -> Any:
    try:
        import torch_pruning
    except ImportError:
        raise ConfigError(
            "torch_pruning: is not installed; removing channels needs it: "
            "pip install 'hwaccel[prune]'"
        ) from None
    was = model.training
    frozen = [p for p in model.parameters() if not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # In a tuple: a batch would be taken for the arguments of forward.
            graph = torch_pruning.DependencyGraph()
            graph.build_dependency(model, (example,), verbose=False)
    except Exception as error:  # from inside the model as well as from the library
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{type(model).__name__}: torch_pruning cannot follow it ({reason}); prune weights "
            "instead of channels"
        ) from None
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        model.train(was)
    for node in graph.module2node.values():
        if node.type.name == "CONCAT" and node.module.offsets is None:
            _count_on(node)
    return graph


def _count_on(concat: Any) -> None:
    """Let the channels of each operand count on from those of the one before.

    Torch-Pruning 1.6 does so, but not in front of a flattened image: it compares the channels with
    the inputs of the next layer, and takes the concatenation for one of another axis.
    """
    sizes = concat.module.concat_sizes
    if concat.grad_fn._saved_dim != 1 or not sizes or None in sizes:
        return
    start, done = 0, set()
    for operand, size in zip(concat.inputs, sizes, strict=True):
        for source, target, shift in ((concat, operand, -start), (operand, concat, start)):
            edge = next(e for e in source.dependencies if e.target is target and id(e) not in done)
            edge.index_mapping[1] = partial(_shifted, shift=shift, size=start + size)
            done.add(id(edge))
        start += size


def _shifted(indices: list[Any], shift: int, size: int) -> list[Any]:
    """Move indices; back to an operand only those that are its own."""
    own = [i for i in indices if shift > 0 or -shift <= i.idx < size]
    return [i._replace(idx=i.idx + shift) for i in own]
