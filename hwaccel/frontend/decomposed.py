"""Programs of PT2E quantization: integers between ``quantize`` and ``dequantize`` calls.

The integers of one quantizer are moved, pooled or joined, and then become numbers again by the same
scale and zero point. So the first call becomes fake quantization, the second nothing, and what is
in between has the numbers themselves. Integers that are constants become numbers by plain
arithmetic, which is computed at once like any other on constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import Arg, Call, Program, Ref, references, short, shown, where

_PREFIX = "quantized_decomposed."
_TENSOR, _CHANNEL = "_per_tensor", "_per_channel"
# What may stand between the two calls: it moves integers, or takes the largest.
_MOVES = frozenset(
    "alias amax cat clone concat contiguous detach expand flatten flip index_select max_pool1d "
    "max_pool2d permute pixel_shuffle pixel_unshuffle repeat reshape roll select slice split "
    "split_with_sizes squeeze stack t transpose unbind unflatten unsqueeze view".split()
)
_WAY_OUT = "dequantize first, by the scale and zero point of the quantizer"


@dataclass(frozen=True, slots=True)
class _Scale:
    """What makes numbers of integers."""

    scale: Arg
    zero: Arg
    axis: Arg


def plain_numbers(program: Program) -> Program:
    """Return the program with numbers in the place of the integers of quantizers.

    Raises:
        FrontendError: integers are read by something that computes, or by another scale.
    """
    if not any(call.target.startswith(_PREFIX) for call in program.calls):
        return program
    rewriter = _Rewriter(program)
    calls = tuple(rewriter.calls())
    for name in program.outputs:
        if name in rewriter.scales:
            raise FrontendError(f"output {shown(name)}: holds integers of a quantizer; {_WAY_OUT}")
    return replace(program, calls=calls)


class _Rewriter:
    def __init__(self, program: Program) -> None:
        self._program = program
        self.scales: dict[str, _Scale] = {}
        self._made = 0

    def calls(self) -> Iterator[Call]:
        """Yield what takes the place of each call."""
        for call in self._program.calls:
            name = call.target.removeprefix(_PREFIX)
            if name == call.target:
                yield self._between(call)
            elif name.startswith("dequantize_per_"):
                yield from self._dequantized(call)
            elif name.startswith("quantize_per_"):
                yield from self._quantized(call)
            else:
                yield call

    def _between(self, call: Call) -> Call:
        names = [n for arg in call.args.values() for n in references(arg)]
        found = {self.scales[n] for n in names if n in self.scales}
        if not found:
            return call
        if len(found) > 1 or short(call.target) not in _MOVES:
            raise self._refused(call, "reads integers of a quantizer")
        self.scales.update(dict.fromkeys(filter(None, call.results), found.pop()))
        return call

    def _refused(self, call: Call, what: str) -> FrontendError:
        return FrontendError(f"{where(call.path)}: {short(call.target)}: {what}; {_WAY_OUT}")

    def _scale(self, call: Call) -> _Scale:
        args = call.args
        scale, zero = (
            args.get("scale", args.get("scales")),
            args.get("zero_point", args.get("zero_points")),
        )
        return _Scale(scale, zero, args.get("axis"))

    def _quantized(self, call: Call) -> Iterator[Call]:
        known, made = self._scale(call), {"self": call.args["input"]}
        zero = known.zero
        if isinstance(zero, Ref):
            # Fake quantization takes no zero points of 64 bits.
            cast = self._step(call, "_to_copy.default", (), {"self": zero, "dtype": "torch.int32"})
            yield cast
            zero = Ref(cast.results[0])
        made |= {"scale": known.scale, "zero_point": zero}
        if known.axis is not None:
            made["axis"] = known.axis
        for name in ("quant_min", "quant_max"):
            made[name] = self._number(call, name)
        self.scales[call.results[0]] = known
        if known.axis is not None:
            target = "aten.fake_quantize_per_channel_affine.default"
        else:
            kind = "tensor_qparams" if isinstance(known.scale, Ref) else "default"
            target = f"aten.fake_quantize_per_tensor_affine.{kind}"
        yield replace(call, target=target, args=made)

    def _step(self, call: Call, name: str, shape: tuple[int, ...], args: Mapping[str, Arg]) -> Call:
        """Return a further call in front of ``call``."""
        self._made += 1
        made = f"{call.results[0]}__{self._made}"
        return replace(call, target=f"aten.{name}", args=args, results=(made,), shapes=(shape,))

    def _number(self, call: Call, name: str) -> Arg:
        arg = call.args.get(name)
        if not isinstance(arg, Ref):
            return arg
        known = self._program.constants.get(arg.name)
        if known is None or known.tensor.numel() != 1:
            raise self._refused(call, f"{name} is computed")
        return int(known.tensor)

    def _dequantized(self, call: Call) -> Iterator[Call]:
        source = call.args["input"]
        assert isinstance(source, Ref)
        if source.name not in self.scales:
            yield from self._constant(call, source)
        elif self._same(self.scales[source.name], self._scale(call)):
            yield replace(call, target="aten.alias.default", args={"self": source})
        else:
            raise self._refused(call, "has another scale or zero point than the quantizer")

    def _same(self, a: _Scale, b: _Scale) -> bool:
        return all(self._equal(x, y) for x, y in ((a.scale, b.scale), (a.zero, b.zero))) and (
            a.axis is None
        ) == (b.axis is None)

    def _equal(self, a: Arg, b: Arg) -> bool:
        if a == b or not (isinstance(a, Ref) and isinstance(b, Ref)):
            return a == b
        known = [self._program.constants.get(ref.name) for ref in (a, b)]
        return all(known) and known[0].tensor.equal(known[1].tensor)  # type: ignore[union-attr]

    def _constant(self, call: Call, source: Ref) -> Iterator[Call]:
        """Subtract and multiply in float32."""
        (shape,), known = call.shapes, self._scale(call)

        cast = self._step(
            call, "_to_copy.default", shape, {"self": source, "dtype": "torch.float32"}
        )
        yield cast
        parts: list[Arg] = []
        for part in (known.zero, known.scale):
            if isinstance(part, Ref) and known.axis is not None:
                axis = int(known.axis) % len(shape)  # type: ignore[arg-type]
                row = tuple(shape[axis] if a == axis else 1 for a in range(len(shape)))
                view = self._step(call, "view.default", row, {"self": part, "size": row})
                yield view
                part = Ref(view.results[0])
            parts.append(part)
        args = {"self": Ref(cast.results[0]), "other": parts[0], "alpha": 1}
        minus = self._step(call, "sub.Tensor", shape, args)
        yield minus
        yield replace(
            call, target="aten.mul.Tensor", args={"self": Ref(minus.results[0]), "other": parts[1]}
        )
