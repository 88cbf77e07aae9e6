"""Compare layer by layer with the golden model, and find out why values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from hwaccel.opinions.arithmetic import EXACT_BITS, ApType, differences, emulated, on_grid
from hwaccel.opinions.layers import Layer, Layers, ap_type
from hwaccel.opinions.record import LayerOpinion

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Types = Mapping[str, ApType]


def compared(
    layers: Layers,
    golden: Mapping[str, Ints],
    traces: Mapping[str, Floats],
    theirs: Mapping[str, Mapping[str, str]],
) -> tuple[LayerOpinion, ...]:
    """Compare every layer that was traced; ``golden`` are integers, ``traces`` numbers.

    ``theirs`` are the types that the other tool says it has, by layer and use.
    """
    known = {
        one.name: np.ldexp(golden[one.value].astype(np.float64), -one.type.frac)
        for one in layers.sources
    }
    made = []
    for layer in layers.layers:
        if layer.name not in traces:
            if layer.kind == "Flatten" and layer.inputs[0] in known | dict(traces):
                source = (known | dict(traces))[layer.inputs[0]]
                known[layer.name] = source.reshape(len(source), -1)
            continue
        type = layer.nodes[-1].output.type
        want = np.ldexp(golden[layer.value].astype(np.float64), -type.frac)
        operands = [known.get(name, traces.get(name)) for name in layer.inputs]
        given = [x for x in operands if x is not None]
        whole = given if len(given) == len(operands) else None
        made.append(_layer(layer, want, traces[layer.name], whole, theirs.get(layer.name, {})))
    return tuple(made)


def _layer(
    layer: Layer,
    want: Floats,
    found: Floats,
    operands: Sequence[Floats] | None,
    theirs: Mapping[str, str],
) -> LayerOpinion:
    asked, given = _types(layer, theirs)
    other = {use for use in given if asked.get(use) != given[use]}
    told = LayerOpinion(
        layer=layer.name,
        path=layer.path,
        kind=layer.kind,
        nodes=tuple(node.name for node in layer.nodes),
        values=want.size,
        different=int((want != found).sum()),
        asked={use: str(asked[use]) for use in sorted(other)},
        given={use: str(given[use]) for use in sorted(other)},
    )
    if not told.different:
        return told
    alone = _computed(layer, operands, _ours(layer))
    count = None if alone is None else int((alone != found).sum())
    at = tuple(int(i) for i in np.argwhere(want != found)[0])
    reason = "not looked into: the graph has no such operands"
    if count == 0:
        reason = "the operands differ already; from these, the result is the same"
    elif count and operands is not None:
        reason = _reason(layer, found, operands, asked, given)
    return msgspec.structs.replace(
        told,
        largest=float(np.abs(want - found).max()),
        first=at,
        expected=float(want[at]),
        found=float(found[at]),
        alone=count,
        reason=reason,
    )


def _ours(layer: Layer) -> dict[str, ApType]:
    """Return the types of the graph, by their use."""
    texts = {"result": ap_type(layer.nodes[-1].output.type.fixed)} | layer.types
    read = {use: ApType.parse(text) for use, text in texts.items()}
    return {use: type for use, type in read.items() if type is not None}


def _types(layer: Layer, theirs: Mapping[str, str]) -> tuple[dict[str, ApType], dict[str, ApType]]:
    """Return the types of the graph and those of the other tool, of the uses that both have."""
    asked, given = {}, {}
    for use, ours in _ours(layer).items():
        other = ApType.parse(theirs.get(use) or theirs.get(f"{use}_t", ""))
        if other is not None:
            asked[use], given[use] = ours, other
    return asked, given


def _computed(layer: Layer, operands: Sequence[Floats] | None, ours: Types) -> Floats | None:
    """Return what the graph makes of the operands that the other tool has, if it can take them."""
    if operands is None or not _exact(layer):
        return None
    ints = [on_grid(x, frac) for x, frac in zip(operands, layer.fracs, strict=True)]
    if any(x is None for x in ints):
        try:
            return emulated(layer, operands, ours)
        except ValueError:
            return None
    values = [x for x in ints if x is not None]
    if layer.order:
        values[0] = values[0][:, list(layer.order)]
    (first, *rest) = layer.nodes
    value = first.op.golden(*values)
    for node in rest:
        value = node.op.golden(value)
    frac = layer.nodes[-1].output.type.frac
    result: Floats = np.ldexp(np.asarray(value, np.float64), -frac)
    return result


def _exact(layer: Layer) -> bool:
    return all(node.output.type.fixed.width <= EXACT_BITS for node in layer.nodes)


def _reason(
    layer: Layer, found: Floats, operands: Sequence[Floats], ours: Types, theirs: Types
) -> str:
    """Say which of the types that differ make just the values that were found."""
    other = [use for use in ours if ours[use] != theirs[use]]
    if not other:
        return "not known: the types are those that were asked for"
    told = "; ".join(_told(use, ours[use], theirs[use]) for use in other)
    try:
        if not _makes(layer, found, operands, {**ours, **{use: theirs[use] for use in other}}):
            return f"not known; types differ: {told}"
        # What is not needed to explain them is left out.
        for use in other:
            fewer = {**ours, **{u: theirs[u] for u in other if u != use}}
            if _makes(layer, found, operands, fewer):
                other = [u for u in other if u != use]
    except (ValueError, KeyError):
        return f"not looked into; types differ: {told}"
    return "explained by " + "; ".join(_told(use, ours[use], theirs[use]) for use in other)


def _makes(layer: Layer, found: Floats, operands: Sequence[Floats], types: Types) -> bool:
    return np.array_equal(emulated(layer, operands, types), found)


def _told(use: str, ours: ApType, theirs: ApType) -> str:
    return f"{differences(ours, theirs)} of {use}: {theirs} instead of {ours}"
