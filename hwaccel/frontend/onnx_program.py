"""An ``.onnx`` file, with or without QONNX operators, as a ``Program``."""

from __future__ import annotations

from pathlib import Path

from hwaccel.frontend import (
    onnx_moves,
    onnx_ops,
    onnx_quant,
    onnx_recurrent,
    onnx_resize,
    onnx_windows,
    qonnx,
)
from hwaccel.frontend.onnx_builder import Builder
from hwaccel.frontend.onnx_file import AGAIN, read_file
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Program, reason, shown

OPS: dict[str, Convert] = {
    **onnx_ops.OPS,
    **onnx_moves.OPS,
    **onnx_windows.OPS,
    **onnx_resize.OPS,
    **onnx_recurrent.OPS,
    **onnx_quant.OPS,
}
# Domains whose operators are those of QONNX, by the tools that write them.
_QONNX = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
_TABLES = {"": OPS, **dict.fromkeys(_QONNX, qonnx.OPS), "com.microsoft": onnx_quant.OPS}


def read_onnx(path: Path) -> Program:
    """Read a model in the Open Neural Network Exchange format; nothing in it is run.

    Raises:
        FrontendError: the file is damaged, or holds something that cannot be converted.
    """
    model = read_file(path)
    builder = Builder(model)
    for node in model.nodes:
        step = Step(builder, node)
        step.finish(_converted(step))
    return builder.program(path.stem)


def _converted(step: Step) -> Result:
    convert = _conversion(step)
    try:
        return convert(step)
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        # Only a file can hold operands that PyTorch itself would refuse.
        raise step.refuse(
            f"operands and attributes do not fit together ({reason(error)}); {AGAIN}"
        ) from None


def _conversion(step: Step) -> Convert:
    op, domain = step.node.op, step.node.domain
    table = _TABLES.get(domain, {})
    if op not in table:
        of = f" of {shown(domain)}" if domain else ""
        raise step.refuse(f"operator {shown(op)}{of} is not supported; see docs/how-to/onnx.md")
    return table[op]
