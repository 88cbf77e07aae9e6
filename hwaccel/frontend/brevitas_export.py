"""Models of Brevitas layers: each quantizer becomes one call that ``torch.export`` keeps as it is.

The model runs once, in eval mode, and what its quantizers do is noted: scales, zero points and bits
of activations, the values of quantized weights and biases. Then it is exported with plain layers
around these, and left as it was. Nothing is taken on trust: what was noted must give what the
quantizer gave, or the model is refused. Brevitas itself is never imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import Program, reason, where
from hwaccel.frontend.quantize_calls import quantize
from hwaccel.frontend.quantizers import Mode

MAX_BITS = 16
_ROUNDING = {
    "RoundSte": Mode.HALF_EVEN,
    "FloorSte": Mode.FLOOR,
    "CeilSte": Mode.CEIL,
    "RoundToZeroSte": Mode.TO_ZERO,
    "DPURoundSte": Mode.HALF_EVEN_UP,
}
_BINARY = ("BinaryQuant", "ClampedBinaryQuant")
# Quantizers that are not supported, by part of the name of their class.
_OTHERS = {
    "Groupwise": "in groups",
    "Float": "to floating point",
    "Dynamic": "by scales that depend on the input",
}
# Float32 turns a rounding of so many at most.
_TIES = 1e-3
_WAY_OUT = "use an integer, binary or ternary quantizer"


def uses_brevitas(model: nn.Module) -> bool:
    """Tell whether any module comes from Brevitas."""
    return any(_is(module, "") for module in model.modules())


def layers_only(program: Program) -> Program:
    """Return a program that names layers where modules inside of them, quantizers, compute."""
    calls = tuple(replace(call, path=_INSIDE.sub("", call.path)) for call in program.calls)
    modules = tuple(dict.fromkeys(_INSIDE.sub("", path) for path in program.modules))
    return replace(program, calls=calls, modules=modules)


# Of the path of a quantizer, what is not that of its layer.
_INSIDE = re.compile(r"(^|\.)(act|input|output|weight|bias|trunc)_quant(\..*)?$")


def _is(module: nn.Module, name: str) -> bool:
    """Tell whether a module is an instance of a class of Brevitas called ``name``."""
    return any(
        c.__module__.partition(".")[0] == "brevitas" and c.__name__.startswith(name)
        for c in type(module).__mro__
    )


@contextmanager
def frozen(model: nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> Iterator[None]:
    """Put constants and plain calls in the place of what Brevitas computes; then put it back.

    Raises:
        FrontendError: a quantizer is none of those that are supported, or the model does not run.
    """
    if not uses_brevitas(model):
        yield
        return
    with _restored(model), _comparable():
        noted = _observed(model, args, keywords)
        for path, module in model.named_modules():
            _freeze(path, module, noted)
        yield


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Restore attributes, submodules and buffers."""
    modules = list(model.modules())
    plain = [dict(vars(m)) for m in modules]
    tables = [{k: dict(v) for k, v in p.items() if isinstance(v, dict)} for p in plain]
    buffers = [{k: b.clone() for k, b in m.named_buffers(recurse=False)} for m in modules]
    try:
        yield
    finally:
        for module, attributes, inner, kept in zip(modules, plain, tables, buffers, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            for name, table in inner.items():
                attributes[name].clear()
                attributes[name].update(table)
            for name, buffer in kept.items():
                if not torch.equal(getattr(module, name), buffer):
                    getattr(module, name).copy_(buffer)


@contextmanager
def _comparable() -> Iterator[None]:
    """Let attention compare tensors themselves: those of ``torch.export`` have no addresses."""
    attention: Any = sys.modules.get("brevitas.nn.quant_mha")
    name = "check_tensors_same_ptr"
    before = getattr(attention, name, None)
    if before is not None:
        setattr(attention, name, lambda tensors: all(t is tensors[0] for t in tensors))
    try:
        yield
    finally:
        if before is not None:
            setattr(attention, name, before)


@dataclass
class _Noted:
    """What quantizers did, by module: calls of activations, tensors of parameters."""

    calls: dict[nn.Module, Callable[[Any], torch.Tensor]] = field(default_factory=dict)
    weights: dict[tuple[nn.Module, str], torch.Tensor] = field(default_factory=dict)
    biases: dict[nn.Module, torch.Tensor] = field(default_factory=dict)


def _observed(model: nn.Module, args: tuple[Any, ...], keywords: Mapping[str, Any]) -> _Noted:
    """Run the model once, on random numbers, and note what its quantizers do."""
    noted, rng = _Noted(), torch.Generator().manual_seed(0)

    def random(x: Any) -> Any:
        floats = isinstance(x, torch.Tensor) and x.is_floating_point()
        return torch.randn(x.shape, generator=rng).to(x) if floats else x

    with _restored(model):
        hooks = [
            hook for path, module in model.named_modules() for hook in _hooks(path, module, noted)
        ]
        try:
            with torch.no_grad():
                model(*tree_map(random, args), **tree_map(random, dict(keywords)))
        except FrontendError:
            raise
        except Exception as error:
            raise FrontendError(
                f"{type(model).__name__}: does not run: {reason(error)}; repair the model"
            ) from None
        finally:
            for hook in hooks:
                hook.remove()
    return noted


def _hooks(path: str, module: Any, noted: _Noted) -> Iterator[Any]:
    """Yield hooks that note what a module does; refuse what is not supported."""
    if _is(module, "QuantRecurrentLayerMixin"):
        raise _refused(
            path,
            "is a recurrent layer of Brevitas, which is not supported",
            "write its steps with QuantLinear, QuantSigmoid, QuantTanh and QuantIdentity",
        )
    if _is(module, "QuantProxyFromInjector") and module.is_quant_enabled:
        _check_proxy(path, module)
        yield module.register_forward_hook(partial(_note, noted, path))
    if _is(module, "QuantUpsampl"):
        yield module.register_forward_pre_hook(partial(_note_grid, noted))
    if hasattr(module, "quant_weight") and _is(module, "QuantWeightMixin"):
        module.quant_weight = partial(_note_weight, noted, path, module, module.quant_weight)


def _refused(path: str, what: str, way_out: str = _WAY_OUT) -> FrontendError:
    return FrontendError(f"{where(path)}: {what}; {way_out}")


def _check_proxy(path: str, module: nn.Module) -> None:
    """Refuse quantizers of another kind."""
    name = type(module).__name__
    for part, kind in _OTHERS.items():
        if part in name:
            raise _refused(path, f"quantizes {kind}, which is not supported")
    known = ("Act", "Weight", "Bias", "Trunc")
    if not any(_is(module, f"{kind}QuantProxyFromInjector") for kind in known):
        raise _refused(path, f"is quantized by {name}, which is not supported")


def _note(noted: _Noted, path: str, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
    """Note one call of a quantizer, and refuse it where that is not what it gave."""
    x = inputs[0]
    if _is(module, "BiasQuantProxyFromInjector"):
        if module in noted.biases and not torch.equal(noted.biases[module], _plain(output)):
            raise _refused(
                path, "quantizes a bias in several ways", "give each use a layer of its own"
            )
        noted.biases[module] = _plain(output).detach().clone()
    elif _is(module, "TruncQuantProxyFromInjector"):
        noted.calls[module] = _truncation(path, module, x, output)
        # Integers cut at a bit are on a step as often as not, and float32 is beside them at times.
        _compare(path, noted.calls[module](_plain(x)), output, ties=1.0)
    elif _is(module, "ActQuantProxyFromInjector"):
        activation = module.fused_activation_quant_proxy.activation_impl
        call = _activation(path, module, output)
        noted.calls[module] = lambda x: call(activation(x))
        _compare(path, noted.calls[module](_plain(x)), output)


def _note_weight(
    noted: _Noted, path: str, module: Any, method: Callable[..., Any], *args: Any, **keywords: Any
) -> Any:
    found = method(*args, **keywords)
    bits = getattr(found, "bit_width", None)
    if bits is not None:
        _bits(f"{path}.weight_quant".lstrip("."), bits)
    key = module, str(keywords.get("subtensor_slice_list"))
    noted.weights[key] = _plain(found).detach().clone()
    return found


def _note_grid(noted: _Noted, module: Any, inputs: tuple[Any, ...]) -> None:
    """Note how upsampling rounds what it interpolates: to integers of its operand."""
    scale = getattr(inputs[0], "scale", torch.ones(1))
    wide, none = 1 << MAX_BITS, torch.zeros_like(scale)
    call = partial(_quantize, scale, scale, none, none, -wide, wide, Mode.HALF_EVEN)
    rounds = module.mode != "nearest"
    noted.calls[module] = lambda x: call(_resized(module, x)) if rounds else _resized(module, x)


def _resized(module: Any, x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = nn.Upsample.forward(module, x)
    return y


def _compare(path: str, found: torch.Tensor, output: Any, ties: float = _TIES) -> None:
    """Refuse a quantizer that gave something else; it may disagree with float32 on ``ties``."""
    apart = (found - _plain(output)).abs()
    step = 1.001 * output.scale.max() * 2
    if (apart > step).any() or (apart > 0).double().mean() > ties:
        raise _refused(path, "gives other numbers than its scale, zero point and bits say")


def _plain(x: Any) -> torch.Tensor:
    value: torch.Tensor = x if isinstance(x, torch.Tensor) else x.value
    return value


def _bits(path: str, width: torch.Tensor) -> int:
    bits = float(width.max())
    if bits != round(bits) or not 1 <= bits <= MAX_BITS:
        raise _refused(
            path,
            f"has a bit width of {bits:g}, expected an integer from 1 to {MAX_BITS}",
            "fix it and fine-tune the model",
        )
    return int(bits)


def _rounding(path: str, impl: nn.Module) -> Mode:
    name = type(impl).__name__
    if name not in _ROUNDING:
        raise _refused(path, f"rounds by {name}, which is not supported", "use round or floor")
    return _ROUNDING[name]


def _activation(path: str, module: Any, output: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a quantizer of activations does behind its function."""
    quant = module.fused_activation_quant_proxy.tensor_quant
    kind, scale, zero = type(quant).__name__, output.scale, output.zero_point
    none = torch.zeros_like(scale)
    if kind in _BINARY:
        return partial(_quantize, scale, 2 * scale, none, none - 0.5, -1, 0, Mode.FLOOR)
    if kind == "TernaryQuant":
        limit = quant.threshold * scale
        above = partial(_quantize, limit, scale, none, none + 1, 1, 2, Mode.CEIL)
        below = partial(_quantize, limit, scale, none, none - 1, -2, -1, Mode.FLOOR)
        return lambda x: above(x) + below(x)
    inner: Any = getattr(quant, "int_quant", None)
    if type(inner).__name__ != "IntQuant":
        raise _refused(path, f"is quantized by {kind}, which is not supported")
    bits = _bits(path, output.bit_width)
    lo, hi = int(inner.min_int(torch.tensor(bits))), int(inner.max_int(torch.tensor(bits)))
    mode = _rounding(path, inner.float_to_int_impl)
    _whole(path, zero)
    return partial(_quantize, scale, scale, zero, zero, lo, hi, mode)


def _truncation(
    path: str, module: Any, x: Any, output: Any
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a truncation does: clean integers, then fewer bits of them."""
    quant, scale, zero = module.tensor_quant, output.scale, output.zero_point
    bits = _bits(path, output.bit_width)
    lo, hi = (
        int(end(torch.tensor(bits), bool(x.signed))) for end in (quant.min_int, quant.max_int)
    )
    mode = _rounding(path, quant.float_to_int_impl)
    _whole(path, zero)
    wide = 1 << int(x.bit_width.max())
    first = partial(
        _quantize, x.scale, x.scale, x.zero_point, x.zero_point, -wide, wide, Mode.HALF_EVEN
    )
    second = partial(_quantize, scale, scale, zero, zero, lo, hi, mode)
    return lambda x: second(first(x))


def _whole(path: str, zero: torch.Tensor) -> None:
    if (zero != zero.round()).any():
        raise _refused(
            path, "has a zero point that is no integer", "quantize it or use a symmetric quantizer"
        )


def _quantize(
    scale: torch.Tensor,
    step: torch.Tensor,
    offset: torch.Tensor,
    back: torch.Tensor,
    lo: int,
    hi: int,
    mode: Mode,
    x: torch.Tensor,
) -> torch.Tensor:
    parts = (v.detach().clone() for v in (scale, step, offset, back))
    return quantize(x, *parts, lo, hi, mode.value)


# --- what takes the place of quantizers ---------------------------------------------------------


def _freeze(path: str, module: Any, noted: _Noted) -> None:
    """Let a module compute what was noted, on plain tensors."""
    if module in noted.calls:
        module.forward = noted.calls[module]
    if module in noted.biases:
        module.forward = partial(_constant, noted.biases[module])
    if hasattr(module, "return_quant_tensor"):
        module.return_quant_tensor = False
    if hasattr(module, "quant_weight") and _is(module, "QuantWeightMixin"):
        module.quant_weight = partial(_weight, noted, module)
    for pool in (nn.AvgPool2d, nn.AdaptiveAvgPool2d):
        if isinstance(module, pool) and hasattr(module, "trunc_quant"):
            module.forward = partial(_pooled, pool, module)


def _constant(value: torch.Tensor, *args: Any, **keywords: Any) -> torch.Tensor:
    return value


def _weight(noted: _Noted, module: nn.Module, *args: Any, **keywords: Any) -> torch.Tensor:
    return noted.weights[module, str(keywords.get("subtensor_slice_list"))]


def _pooled(pool: Any, module: Any, x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = pool.forward(module, x)
    return module.trunc_quant(y) if module.trunc_quant.is_quant_enabled else y
