"""Rewrite a float model to a Brevitas one: trace it, fold norms, replace layers, add quantizers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from hwaccel.compress import quant_layers
from hwaccel.compress.edits import replace_layer, weighted
from hwaccel.compress.norms import fold_norms
from hwaccel.compress.quant_kinds import (
    APART,
    DIFFERENCES,
    FUNCTIONS,
    METHODS,
    MODULES,
    UNSIGNED,
    Kind,
)
from hwaccel.compress.quant_means import averaged, odd_part
from hwaccel.compress.quantized import Quantized
from hwaccel.compress.tracing import traced
from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType

# Where the quantizer of the input stands in the model.
INPUT = "input_quant"


def rewrite(model: nn.Module, example: torch.Tensor, edit: Quantized) -> nn.Module:
    """Return the Brevitas model of ``edit``, in eval mode.

    Raises:
        ConfigError: Brevitas is missing, the model cannot be traced, or something in it or in the
            edit does not fit.
    """
    brevitas = quant_layers.brevitas()
    if any(type(m).__module__.startswith(brevitas.__name__) for m in model.modules()):
        raise ConfigError("the model is quantized already; quantize the float model it came from")
    made = traced(model, example, "quantization")
    fold_norms(made)
    rewriter = _Rewriter(made, edit)
    rewriter.run()
    _check_names(made, edit, rewriter.names)
    made.graph.lint()
    made.recompile()
    return made.eval()


def plain(value: Any) -> Any:
    """Return the numbers of a quantized tensor; what is none as it is."""
    return getattr(value, "value", value)


@dataclass(frozen=True, slots=True)
class _Value:
    """What is known of a traced value.

    ``names`` are those by which a quantizer behind it may be called in an edit; ``source`` is the
    quantizer whose steps it counts in, if it is one.
    """

    quantized: bool
    signed: bool
    names: tuple[str, ...] = ()
    source: str = ""


class _Rewriter:
    def __init__(self, model: fx.GraphModule, edit: Quantized) -> None:
        self._traced = model
        self._graph = model.graph
        self._edit = edit
        self._modules = dict(model.named_modules())
        self._known: dict[fx.Node, _Value] = {}
        self._plain: dict[fx.Node, fx.Node] = {}
        self._quantized: dict[fx.Node, fx.Node] = {}
        self._taken: set[str] = set()
        # Names that have an effect in the edit, for each of its fields.
        self.names: dict[str, set[str]] = {"weight_bits": set(), "activation_bits": set()}

    def run(self) -> None:
        """Rewrite every call."""
        for node in list(self._graph.nodes):
            if node.op == "placeholder":
                self._input(node)
            elif node.op == "get_attr":
                raise ConfigError(
                    f"{node.target}: is used as a number in forward, which is not quantized; use "
                    "layers of torch.nn"
                )
            elif node.op == "output":
                node.args = fx.node.map_arg(node.args, self._as_plain)
            elif self._is_value(node):
                self._call(node)

    # --- what is called ---------------------------------------------------------------------

    def _is_value(self, node: fx.Node) -> bool:
        """Tell a call that computes with values from one that asks for shapes."""
        return "tensor_meta" in node.meta and any(n in self._known for n in node.all_input_nodes)

    def _call(self, node: fx.Node) -> None:
        node.target = APART.get(node.target, node.target)
        what, kind = self._kind(node)
        operands = [n for n in node.all_input_nodes if n in self._known]
        known = [self._known[n] for n in operands]
        signed = any(v.signed for v in known) or what in DIFFERENCES
        names = known[0].names if len(known) == 1 else ()
        if kind in (Kind.SUM, Kind.PRODUCT) and _has_constant(node, self._known):
            raise self._refuse(node, "combines a value with a number, which is not quantized")
        if kind is Kind.LAYER:
            self._layer(node, operands[0])
        elif kind is Kind.RECTIFY:
            self._rectify(node, operands[0])
        elif kind is Kind.KEEP:
            self._known[node] = replace(known[0], names=names)
        elif kind in (Kind.TABLE, Kind.PRODUCT):
            self._replace(node, {n: self._as_plain(self._as_quantized(n)) for n in operands})
            never = kind is Kind.TABLE and what in UNSIGNED
            signed = (signed or kind is Kind.TABLE) and not never
            self._known[node] = _Value(False, signed, (self._path(node),))
            if kind is Kind.TABLE:
                self._requantize(node)
        else:
            count = averaged(node, self._modules.get(str(node.target)))
            if odd_part(count) not in (1, count):
                raise self._refuse(
                    node,
                    f"averages {count} values, neither an odd number nor a power of two, so halves "
                    "would round in another way in hardware",
                )
            self._replace(node, {n: self._as_plain(n) for n in operands})
            signed = signed and not (kind is Kind.CLIP and what in UNSIGNED)
            names = names if kind in (Kind.MOVE, Kind.CLIP) else (self._path(node),)
            sources = {v.source for v in known}
            moved = kind is Kind.MOVE and len(sources) == 1
            self._known[node] = _Value(False, signed, names, sources.pop() if moved else "")
            if odd_part(count) > 1:
                self._requantize(node)

    def _kind(self, node: fx.Node) -> tuple[Any, Kind]:
        """Return what tells the calls apart, and the kind.

        Raises:
            ConfigError: it is none that is known.
        """
        if node.op == "call_module":
            module = self._modules[str(node.target)]
            what: Any = type(module)
            kind = MODULES.get(what)
            if isinstance(module, nn.MaxPool1d | nn.MaxPool2d) and module.return_indices:
                kind = None
            name = what.__name__
        else:
            what = node.target
            kind = FUNCTIONS.get(what) if callable(what) else METHODS.get(what)
            name = what if isinstance(what, str) else what.__name__
        fills = what is functional.pad and (len(node.args) > 3 or "value" in node.kwargs)
        if kind is None or fills:
            raise self._refuse(node, f"{name} is not quantized")
        return what, kind

    def _refuse(self, node: fx.Node, why: str) -> ConfigError:
        path = str(node.target) if node.op == "call_module" else self._scope(node)
        place = f"layer {path!r}" if path else type(self._traced).__name__
        return ConfigError(
            f"{place}: {why}; leave it out, or convert the float model, which hwaccel convert "
            "quantizes by itself"
        )

    # --- quantizers -------------------------------------------------------------------------

    def _input(self, node: fx.Node) -> None:
        fixed = FixedType.parse(self._edit.input)
        quantizer = quant_layers.identity(fixed.width, signed=fixed.signed)
        quant_layers.set_format(quantizer, fixed)
        made = self._insert(node, INPUT, quantizer, node)
        quant_layers.frozen(quantizer)
        self._known[node] = self._known[made] = _Value(True, fixed.signed, (), INPUT)
        node.replace_all_uses_with(made, lambda user: user is not made)

    def _layer(self, node: fx.Node, x: fx.Node) -> None:
        path = str(node.target)
        layer = self._modules[path]
        if path in self._taken:  # what arrives has another scale, and so has the bias
            node.target = path = self._free(path)
        self._taken.add(path)
        self._replace(node, {x: self._as_quantized(x)})
        self._known[node] = _Value(False, True, (path,))
        self.names["weight_bits"].add(path)
        made = quant_layers.quantized_layer(layer, self._edit.weights_of(path))
        self._learn(made)
        replace_layer(self._traced, path, made)

    def _rectify(self, node: fx.Node, x: fx.Node) -> None:
        path = self._path(node)
        if path in self._taken:
            path = self._free(path)
        names = (path, *self._known[x].names)
        bits = self._edit.activations_of(*names)
        made = self._insert(node, path, quant_layers.rectifier(bits), x)
        node.replace_all_uses_with(made)
        self._graph.erase_node(node)
        self._known[made] = _Value(True, False, (path,), path)
        self.names["activation_bits"].update(names)

    def _as_quantized(self, x: fx.Node) -> fx.Node:
        """Return ``x``, quantized where it is not, in the same way for all who ask."""
        if self._known[x].quantized:
            return x
        if x not in self._quantized:
            self._quantized[x] = self._identity(x)
        return self._quantized[x]

    def _requantize(self, x: fx.Node) -> None:
        """Let everybody read ``x`` quantized."""
        made = self._identity(x)
        x.replace_all_uses_with(made, lambda user: user is not made)

    def _identity(self, x: fx.Node) -> fx.Node:
        known = self._known[x]
        if known.source:  # once more by the same quantizer, which changes nothing
            with self._graph.inserting_after(x):
                made = self._graph.call_module(known.source, (x,))
            made.meta = dict(x.meta)
            self._known[made] = replace(known, quantized=True)
            return made
        path = self._free(f"{self._path(x)}_quant")
        names = (path, *known.names)
        quantizer = quant_layers.identity(self._edit.activations_of(*names), signed=known.signed)
        made = self._insert(x, path, quantizer, x)
        self._known[made] = _Value(True, known.signed, (path,), path)
        self.names["activation_bits"].update(names)
        return made

    def _as_plain(self, x: fx.Node) -> fx.Node:
        """Return the numbers of ``x``."""
        if x not in self._known or not self._known[x].quantized:
            return x
        if x not in self._plain:
            with self._graph.inserting_after(x):
                self._plain[x] = self._graph.call_function(plain, (x,))
            self._plain[x].meta = dict(x.meta)
            self._known[self._plain[x]] = replace(self._known[x], quantized=False)
        return self._plain[x]

    # --- the graph --------------------------------------------------------------------------

    def _insert(self, after: fx.Node, path: str, module: nn.Module, x: fx.Node) -> fx.Node:
        self._learn(module)
        self._taken.add(path)
        parent, _, name = path.rpartition(".")
        setattr(self._traced.get_submodule(parent), name, module)
        with self._graph.inserting_after(after):
            made = self._graph.call_module(path, (x,))
        made.meta = dict(x.meta)
        return made

    def _learn(self, module: nn.Module) -> None:
        for threshold in quant_layers.thresholds(module):
            threshold.requires_grad_(self._edit.learned)

    def _replace(self, node: fx.Node, new: dict[fx.Node, fx.Node]) -> None:
        node.args = fx.node.map_arg(node.args, lambda n: new.get(n, n))
        node.kwargs = fx.node.map_arg(node.kwargs, lambda n: new.get(n, n))

    def _path(self, node: fx.Node) -> str:
        """Return the path of a module, or a name inside the module that calls a function."""
        if node.op == "call_module":
            return str(node.target)
        scope = self._scope(node)
        return f"{scope}.{node.name}" if scope else node.name

    def _scope(self, node: fx.Node) -> str:
        stack = list(node.meta.get("nn_module_stack", {}).values())
        return str(stack[-1][0]) if stack else ""

    def _free(self, path: str) -> str:
        number, found = 1, path
        while found in self._taken or found in self._modules:
            number += 1
            found = f"{path}_{number}"
        return found


def _has_constant(node: fx.Node, known: Iterable[fx.Node]) -> bool:
    """Tell whether a sum or product of two has a number in place of one."""
    pair = node.target in _PAIRS
    numbers = (not isinstance(a, fx.Node) or a not in known for a in node.args[:2])
    return pair and ("alpha" in node.kwargs or any(numbers))


_PAIRS = frozenset(
    target
    for table in (FUNCTIONS, METHODS)
    for target, kind in table.items()
    if kind in (Kind.SUM, Kind.PRODUCT)
    and getattr(target, "__name__", target).strip("_") in "add iadd sub isub mul imul".split()
)


def _check_names(model: nn.Module, edit: Quantized, names: dict[str, set[str]]) -> None:
    """Refuse choices that would have no effect."""
    for path, layer in edit.layers.items():
        if path not in set().union(*names.values()):
            known = ", ".join(name for name, _ in weighted(model)[:5])
            raise ConfigError(f"layer {path!r} is not quantized; layers are {known}")
        for field, having in names.items():
            if getattr(layer, field) is not None and path not in having:
                lacks = "weights" if field == "weight_bits" else "quantizer of its own behind it"
                raise ConfigError(f"layer {path!r} has no {lacks}; leave {field} out")
