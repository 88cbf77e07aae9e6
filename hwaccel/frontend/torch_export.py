"""PyTorch to ``FloatGraph``: a table of handlers keyed by ATen target."""

from __future__ import annotations

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend import (
    attention,
    batch,
    compare,
    embedding,
    extrema,
    functions,
    layers,
    moves,
    norms,
    piecewise,
    pooling,
    products,
    quantize_calls,
    recurrent,
    resize,
    writes,
)
from hwaccel.frontend.decomposed import plain_numbers
from hwaccel.frontend.export import Example, check_frames, export, read
from hwaccel.frontend.floatgraph import FloatGraph
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.pieces import needed
from hwaccel.frontend.program import Program

HANDLERS: dict[str, Handler] = {
    **{f"aten.{name}": moves.view for name in moves.VIEWS.split()},
    **dict.fromkeys(functions.targets(), functions.tabled),
    **{f"aten.{name}": moves.copy for name in moves.COPIES.split()},
    **norms.HANDLERS,
    **compare.HANDLERS,
    **extrema.HANDLERS,
    **piecewise.HANDLERS,
    **recurrent.HANDLERS,
    **quantize_calls.HANDLERS,
    "aten.linear.default": layers.linear,
    **products.HANDLERS,
    **attention.HANDLERS,
    **embedding.HANDLERS,
    "aten.addmm.default": layers.addmm,
    "aten.conv1d.default": layers.conv,
    "aten.conv1d.padding": layers.conv,
    "aten.conv2d.default": layers.conv,
    "aten.conv2d.padding": layers.conv,
    "aten.convolution.default": layers.conv,
    "aten.batch_norm.default": layers.batch_norm,
    "aten._native_batch_norm_legit_no_training.default": layers.batch_norm,
    "aten.relu.default": layers.relu,
    "aten.relu_.default": layers.relu,
    "aten.clamp.default": layers.clamp,
    "aten.clamp_.default": layers.clamp,
    "aten.clamp_min.default": layers.clamp,
    "aten.clamp_min_.default": layers.clamp,
    "aten.clamp.Tensor": layers.clamp,
    "aten.clamp_max.default": layers.clamp,
    "aten.clamp_max_.default": layers.clamp,
    "aten.hardtanh.default": layers.clamp,
    "aten.hardtanh_.default": layers.clamp,
    "aten.relu6.default": layers.relu6,
    "aten.relu6_.default": layers.relu6,
    "aten.conv_transpose1d.default": resize.transposed,
    "aten.conv_transpose2d.input": resize.transposed,
    "aten.upsample_linear1d.default": resize.linear,
    "aten.upsample_linear1d.vec": resize.linear,
    "aten.upsample_bilinear2d.default": resize.linear,
    "aten.upsample_bilinear2d.vec": resize.linear,
    "aten.add.Tensor": layers.add,
    "aten.add_.Tensor": layers.add,
    "aten.add.Scalar": layers.add,
    "aten.add_.Scalar": layers.add,
    "aten.cat.default": layers.concat,
    "aten.concat.default": layers.concat,
    "aten.concatenate.default": layers.concat,
    "aten.hstack.default": layers.concat,
    "aten.stack.default": layers.stack,
    "aten.sub.Tensor": layers.subtract,
    "aten.sub_.Tensor": layers.subtract,
    "aten.sub.Scalar": layers.subtract,
    "aten.sub_.Scalar": layers.subtract,
    "aten.rsub.Scalar": layers.subtract,
    "aten.rsub.Tensor": layers.subtract,
    "aten.maximum.default": layers.larger,
    "aten.minimum.default": layers.smaller,
    "aten.max.other": layers.larger,
    "aten.min.other": layers.smaller,
    "aten.neg.default": layers.negate,
    "aten.mul.Tensor": layers.multiply,
    "aten.mul_.Tensor": layers.multiply,
    "aten.mul.Scalar": layers.multiply,
    "aten.mul_.Scalar": layers.multiply,
    "aten.div.Tensor": layers.divide,
    "aten.div_.Tensor": layers.divide,
    "aten.div.Scalar": layers.divide,
    "aten.div_.Scalar": layers.divide,
    "aten.max_pool1d.default": pooling.max_pool,
    "aten.max_pool2d.default": pooling.max_pool,
    "aten.max_pool2d_with_indices.default": pooling.max_pool,
    "aten.avg_pool1d.default": pooling.avg_pool,
    "aten.avg_pool2d.default": pooling.avg_pool,
    "aten.adaptive_avg_pool1d.default": pooling.adaptive_avg_pool,
    "aten.adaptive_avg_pool2d.default": pooling.adaptive_avg_pool,
    "aten._adaptive_avg_pool2d.default": pooling.adaptive_avg_pool,
    "aten.mean.dim": pooling.mean,
    "aten.mean.default": pooling.mean,
    "aten.sum.dim_IntList": pooling.total,
    "aten.sum.default": pooling.total,
    "aten.cumsum.default": resize.cumulative,
    "aten.amax.default": pooling.maximum,
    "aten.pad.default": pooling.pad,
    "aten.constant_pad_nd.default": pooling.pad,
    "aten.flatten.using_ints": pooling.reshape,
    "aten.unflatten.int": pooling.reshape,
    "aten.view.default": pooling.reshape,
    "aten._unsafe_view.default": pooling.reshape,
    "aten.reshape.default": pooling.reshape,
    "aten.squeeze.default": pooling.reshape,
    "aten.squeeze.dim": pooling.reshape,
    "aten.squeeze.dims": pooling.reshape,
    "aten.unsqueeze.default": pooling.reshape,
    "aten.contiguous.default": pooling.same,
    "aten.type_as.default": pooling.same,
    "aten.clone.default": pooling.copy,
    "aten.alias.default": pooling.same,
    "aten.detach.default": pooling.same,
    "aten.dropout.default": pooling.dropout,
    "aten.dropout_.default": pooling.dropout,
    "aten.feature_dropout.default": pooling.dropout,
    "aten.feature_dropout_.default": pooling.dropout,
    "aten.alpha_dropout.default": pooling.dropout,
    "aten.alpha_dropout_.default": pooling.dropout,
    "aten.feature_alpha_dropout.default": pooling.dropout,
    "aten.feature_alpha_dropout_.default": pooling.dropout,
}


def trace(
    model: torch.nn.Module | torch.export.ExportedProgram | Program, example: Example | None = None
) -> FloatGraph:
    """Return the float graph of ``model``.

    A module is exported in eval mode with ``example``, one array per input with a leading batch
    axis, and left unmodified. What is exported already, in memory or read from a file by
    ``load_model``, needs no example.

    Raises:
        FrontendError: the model holds something that cannot be converted exactly.
    """
    if isinstance(model, torch.nn.Module):
        if example is None:
            raise FrontendError(
                f"{type(model).__name__}: an example input is needed; give an array (N, ...)"
            )
        program = export(model, example)
    elif isinstance(model, Program):
        program = model
    elif isinstance(model, torch.export.ExportedProgram):
        program = read(model)
    else:
        raise FrontendError(
            f"the model is a {type(model).__name__}, expected a torch.nn.Module, what "
            "torch.export.export returned, or what hwaccel.frontend.load_model read"
        )
    program = plain_numbers(program)
    graph = needed(Importer(program).run(batch.widened(writes.wrapped(HANDLERS), HANDLERS)))
    if isinstance(model, torch.nn.Module):
        check_frames(model, program)
    return graph
