"""``Merge``: two layers with nothing but linear calls between them become one.

``W2 (a (W1 x + b1) + o) + b2`` is one layer of ``x``: the same function of real numbers. Whether
it is less hardware is another question, which a pair of low rank answers with no.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from hwaccel.compress.edits import Edit, layer_of, replace_layer
from hwaccel.compress.norms import line_of
from hwaccel.compress.tracing import traced
from hwaccel.errors import ConfigError

_CONVS = (nn.Conv1d, nn.Conv2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
_SUMS = {operator.add, torch.add, "add"}
_DIFFERENCES = {operator.sub, torch.sub, "sub"}
_PRODUCTS = {operator.mul, torch.mul, "mul"}
_QUOTIENTS = {operator.truediv, torch.div, "div"}
_NEGATIONS = {operator.neg, torch.neg, "neg"}
# Elements of a convolution that is written out as a matrix.
_MAX_MATRIX = 1 << 24


class Merge(Edit, frozen=True):
    """Layer ``first`` becomes nothing, and ``second`` does what both did.

    Batch normalization and factors and terms that are numbers, between the two, vanish too.
    """

    first: str
    second: str

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Merge the layers, in place; a model that computes with numbers itself is traced.

        Raises:
            ConfigError: the model cannot be traced, there are no such layers, or no one layer does
                what both do.
        """
        for path in (self.first, self.second):
            layer_of(model, path)
        graph = traced(model, example, "merging layers")
        found = next((link for link in _links(graph) if link.edit == self), None)
        if found is None:
            raise ConfigError(
                f"layers {self.first!r} and {self.second!r}: expected the second to be the only "
                "one that reads the first, with nothing but linear calls between them"
            )
        made = found.merged()
        if found.calls:
            model = graph
            for call in found.calls:
                call.replace_all_uses_with(_value(call))
                graph.graph.erase_node(call)
            graph.recompile()
        for path in (self.first, *found.norms):
            replace_layer(model, path, nn.Identity())
        replace_layer(model, self.second, made)
        return model


def mergeable(model: nn.Module, example: torch.Tensor) -> tuple[Merge, ...]:
    """Return the pairs of layers that one layer can replace, in order; none if untraceable."""
    try:
        links = _links(traced(model, example, "merging layers"))
    except ConfigError:
        return ()
    found = []
    for link in links:
        try:
            link.merged()
        except ConfigError:
            continue
        found.append(link.edit)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    """Two layers and what is between them: ``a x + o`` by channel, perhaps a flattening.

    ``calls`` are those of functions, ``norms`` the paths of modules that vanish. ``shape`` is that
    of a frame that the first layer gets, ``given`` of what it gives.
    """

    edit: Merge
    first: Any
    second: Any
    factor: torch.Tensor
    offset: torch.Tensor
    flat: bool
    calls: tuple[fx.Node, ...]
    norms: tuple[str, ...]
    shape: tuple[int, ...]
    given: tuple[int, ...]

    def merged(self) -> nn.Module:
        """Return the layer that does what both do.

        Raises:
            ConfigError: there is none.
        """
        weight, bias = _numbers(self.first)
        weight = weight * self.factor.reshape(-1, *[1] * (weight.ndim - 1))
        bias = bias * self.factor + self.offset
        if isinstance(self.second, nn.Linear):
            if self.flat:
                weight, bias = self._as_matrix(weight, bias)
            return _linear(self.second, *_product(self.second, weight, bias))
        return self._convolution(weight, bias)

    def _refuse(self, why: str) -> ConfigError:
        return ConfigError(f"layers {self.edit.first!r} and {self.edit.second!r}: {why}")

    def _as_matrix(
        self, weight: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write a convolution out for flattened frames."""
        inputs, outputs = prod(self.shape), prod(self.given)
        if inputs * outputs > _MAX_MATRIX:
            raise self._refuse(f"a matrix of {outputs} by {inputs} is too large to be looked at")
        first = self.first
        frames = torch.eye(inputs, dtype=torch.float64).reshape(inputs, *self.shape)
        if first.padding_mode != "zeros":
            raise self._refuse("the first pads with something else than zeros")
        apply = functional.conv1d if weight.ndim == 3 else functional.conv2d
        columns = apply(
            frames, weight, None, first.stride, first.padding, first.dilation, first.groups
        )
        return columns.reshape(inputs, outputs).T, bias.repeat_interleave(outputs // len(bias))

    def _convolution(self, weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
        """Return a convolution whose kernel reaches as far as both do, one after the other.

        The second must see no border of its own: what it would put there is no result of the
        first, unless the first mixes no pixels and adds nothing.
        """
        first, second = self.first, self.second
        for layer in (first, second):
            if layer.groups != 1 or isinstance(layer.padding, str):
                raise self._refuse("one has groups, or names its padding; neither is merged")
        padding, mode = first.padding, first.padding_mode
        if any(second.padding):
            plain = set(first.kernel_size + first.stride) == {1} and not any(padding)
            if not plain or (second.padding_mode == "zeros" and bool((bias != 0).any())):
                raise self._refuse("the second pads what the first gives, so borders would differ")
            padding, mode = second.padding, second.padding_mode
        outer, added = _numbers(second)
        expand = functional.conv_transpose1d if weight.ndim == 3 else functional.conv_transpose2d
        steps = [s * d for s, d in zip(first.stride, second.dilation, strict=True)]
        kernel = expand(outer, weight, stride=steps, dilation=first.dilation)
        made: Any = type(second)(
            first.in_channels, second.out_channels, tuple(kernel.shape[2:]),
            tuple(s * t for s, t in zip(first.stride, second.stride, strict=True)),
            padding, padding_mode=mode,
        )  # fmt: skip
        total = added + outer.flatten(2).sum(2) @ bias
        return _filled(made, kernel, total, second)


def _numbers(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    weight: torch.Tensor = layer.weight.detach().double()
    zeros = torch.zeros(len(weight), dtype=torch.float64)
    return weight, zeros if layer.bias is None else layer.bias.detach().double()


def _product(
    second: nn.Linear, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    outer, added = _numbers(second)
    return outer @ weight, outer @ bias + added


def _linear(second: nn.Linear, weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
    return _filled(nn.Linear(weight.shape[1], weight.shape[0]), weight, bias, second)


def _filled(made: Any, weight: torch.Tensor, bias: torch.Tensor, like: Any) -> nn.Module:
    module: nn.Module = made.to(like.weight.dtype).train(like.training)
    with torch.no_grad():
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    return module


# --- what is between ------------------------------------------------------------------------------


def _links(graph: fx.GraphModule) -> list[_Link]:
    """Return the pairs of layers with only linear calls between them, in order."""
    modules = dict(graph.named_modules())
    calls = [str(node.target) for node in graph.graph.nodes if node.op == "call_module"]
    found = (_link(node, modules, calls) for node in graph.graph.nodes)
    return [link for link in found if link is not None]


def _link(node: fx.Node, modules: dict[str, Any], calls: list[str]) -> _Link | None:
    """Go on from the layer at ``node`` to the next; nothing if something else is in between."""
    first = _layer(node, modules, calls, (nn.Linear, *_CONVS))
    if first is None:
        return None
    given = tuple(node.meta["tensor_meta"].shape[1:])
    factor = torch.ones(len(first.weight), dtype=torch.float64)
    offset, flat = torch.zeros_like(factor), False
    functions: list[fx.Node] = []
    norms: list[str] = []
    at = node
    while len(at.users) == 1:
        (at,) = at.users
        if at.op == "output" or "tensor_meta" not in at.meta:
            return None
        second = _layer(at, modules, calls, (nn.Linear, *_CONVS))
        if second is not None:
            if not _fits(first, second, flat):
                return None
            shape = tuple(_value(node).meta["tensor_meta"].shape[1:])
            edit = Merge(str(node.target), str(at.target))
            return _Link(
                edit, first, second, factor, offset, flat, tuple(functions), tuple(norms),
                shape, given,
            )  # fmt: skip
        norm = _layer(at, modules, calls, _NORMS)
        line = _line(at) if norm is None else None
        if norm is not None and norm.running_mean is not None and _by_channel(first, given, flat):
            scale, shift = line_of(norm)
            factor, offset = factor * scale, offset * scale + shift
            norms.append(str(at.target))
        elif line is not None:
            factor, offset = factor * line[0], offset * line[0] + line[1]
            functions.append(at)
        elif _flattens(at, modules) and isinstance(first, _CONVS) and not flat:
            flat = True
        elif not (at.op == "call_module" and isinstance(modules[str(at.target)], _NOTHING)):
            return None
    return None


def _layer(
    node: fx.Node, modules: dict[str, Any], calls: list[str], kinds: tuple[type, ...]
) -> Any | None:
    """Return the module that is called, if it is one of ``kinds`` and is called once."""
    if node.op != "call_module" or calls.count(str(node.target)) != 1:
        return None
    module = modules[str(node.target)]
    shared = sum(other is module for other in modules.values())
    return module if type(module) in kinds and shared == 1 else None


def _fits(first: Any, second: Any, flat: bool) -> bool:
    if isinstance(first, nn.Linear):
        return isinstance(second, nn.Linear)
    return isinstance(second, nn.Linear) if flat else type(first) is type(second)


def _by_channel(first: Any, given: tuple[int, ...], flat: bool) -> bool:
    """Are the channels of a norm here those of the layer."""
    return not flat and (isinstance(first, _CONVS) or len(given) == 1)


def _flattens(node: fx.Node, modules: dict[str, Any]) -> bool:
    """Does the call flatten frames, whatever their size."""
    if node.op == "call_module":
        module = modules[str(node.target)]
        return isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1)
    flatten = node.target is torch.flatten or (node.op, node.target) == ("call_method", "flatten")
    return flatten and node.args[1:] == (1,) and not node.kwargs


def _line(node: fx.Node) -> tuple[float, float] | None:
    """Return factor and term of a call that combines one value with a number."""
    if node.op not in ("call_function", "call_method") or node.kwargs:
        return None
    what, values = node.target, node.args
    if what in _NEGATIONS:
        return -1.0, 0.0
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(values) != 2 or len(numbers) != 1:
        return None
    number, leads = float(numbers[0]), isinstance(values[0], fx.Node)
    if what in _SUMS:
        return 1.0, number
    if what in _DIFFERENCES:
        return (1.0, -number) if leads else (-1.0, number)
    if what in _PRODUCTS:
        return number, 0.0
    if what in _QUOTIENTS and leads and number:
        return 1 / number, 0.0
    return None


def _value(node: fx.Node) -> fx.Node:
    (found,) = node.all_input_nodes
    return found
