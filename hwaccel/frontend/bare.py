"""Results without an axis besides the batch: which calls may read them.

``x.argmax(1)`` of vectors is one number per frame, which the float graph holds as a vector of one
element. Whatever counts axes would mean another one then, so only calls that do not are let
through: functions of one number, changes of shape, and operations of numbers of one frame.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwaccel.frontend.program import Call, Constant, references, short

_ALONE = """
_to_copy abs alias atan bitwise_not celu clamp clamp_max clamp_min clip clone contiguous cos detach
elu erf exp exp2 expm1 fake_quantize_per_tensor_affine gelu hardshrink hardsigmoid hardswish
hardtanh leaky_relu log log10 log1p log2 log_sigmoid logical_not logit mish neg pow reciprocal relu
relu6 reshape rsqrt selu sigmoid sign silu sin softplus softshrink sqrt square tan tanh threshold
to unsqueeze view
"""
_TOGETHER = """
__and__ __or__ add bitwise_and bitwise_or copy div eq fill ge gt le logical_and logical_or
logical_xor lt max maximum min minimum mul ne rsub stack sub where zero
"""
_ONE, _SEVERAL = frozenset(_ALONE.split()), frozenset(_TOGETHER.split())


MISREAD = (
    "reads one number per frame, which has no axis besides the batch, together with other axes; "
    "keep an axis with keepdim=True or unsqueeze(1)"
)


class Bare:
    """The names of such results; ``constants`` are those of the program."""

    def __init__(self, constants: Mapping[str, Constant]) -> None:
        self._constants = constants
        self._names: set[str] = set()

    def note(self, call: Call) -> None:
        """Remember the results of ``call`` that are of this kind."""
        pairs = zip(call.results, call.shapes, strict=True)
        self._names |= {name for name, shape in pairs if len(shape) == 1}

    def misread(self, call: Call) -> bool:
        """Tell whether ``call`` reads one and would line it up with other axes."""
        names = [name for arg in call.args.values() for name in references(arg)]
        name = short(call.target)
        name = name if name.startswith("__") else name.removesuffix("_")
        if not self._names.intersection(names) or name in _ONE:
            return False
        return name not in _SEVERAL or not all(map(self._single, names))

    def _single(self, name: str) -> bool:
        known = self._constants.get(name)
        return name in self._names or (known is not None and known.tensor.numel() == 1)
