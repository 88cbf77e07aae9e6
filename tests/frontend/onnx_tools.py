"""ONNX and QONNX graphs for tests: made node by node, saved, executed by others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwaccel.config import Config
from hwaccel.frontend.load import load_model
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from hwaccel.ir import Graph, verify
from tests.frontend.tools import golden

DOMAIN = "qonnx.custom_op.general"


class Net:
    """A graph that grows by ``add``; arrays among the operands become tensors of the file."""

    DOMAIN = DOMAIN

    def __init__(self, *shape: int | str, opset: int = 17, kind: int = TensorProto.FLOAT) -> None:
        self.inputs = [helper.make_tensor_value_info("x", kind, shape)] if shape else []
        self.x = "x"
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.opset = opset
        self.domains = {"": opset}

    def input(self, name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def tensor(self, values: Any) -> str:
        array = np.asarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *operands: Any, outs: int = 1, domain: str = "", **attrs: Any) -> Any:
        names = [v if isinstance(v, str) else self.tensor(v) for v in operands]
        results = [f"y{len(self.nodes)}_{k}" for k in range(outs)]
        name = f"{op}_{len(self.nodes)}"
        self.domains.setdefault(domain, 1)
        self.nodes.append(helper.make_node(op, names, results, name=name, domain=domain, **attrs))
        return results[0] if outs == 1 else results

    def quant(
        self,
        x: Any,
        scale: Any = 1 / 16,
        zero: Any = 0.0,
        bits: float = 8,
        *,
        signed: int = 1,
        narrow: int = 0,
        mode: str = "ROUND",
        op: str = "Quant",
        domain: str = DOMAIN,
    ) -> str:
        operands = (x, np.float32(scale), np.float32(zero), np.float32(bits))
        attrs = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
        return self.add(op, *operands, domain=domain, **attrs)

    def trunc(self, x: str, scale: Any, zero: Any, *rest: Any, **attrs: Any) -> str:
        """Drop bits: two further operands in the first version, three in the second."""
        self.domains[DOMAIN] = len(rest) - 1
        operands = (np.float32(v) for v in (scale, zero, *rest))
        return self.add("Trunc", x, *operands, domain=DOMAIN, **{"rounding_mode": "FLOOR", **attrs})

    def model(self, *outputs: str, shapes: Sequence[Any] = ()) -> onnx.ModelProto:
        # Executors want shapes of outputs; those of quantizers are not inferred, so none are said.
        whole = {n for node in self.nodes if node.op_type.startswith("Arg") for n in node.output}
        kinds = [TensorProto.INT64 if o in whole else TensorProto.FLOAT for o in outputs]
        made = [
            helper.make_tensor_value_info(o, k, None) for o, k in zip(outputs, kinds, strict=True)
        ]
        graph = helper.make_graph(self.nodes, "net", self.inputs, made, self.tensors)
        imports = [helper.make_opsetid(d, v) for d, v in self.domains.items()]
        model = helper.make_model(graph, opset_imports=imports, producer_name="test")
        model.ir_version = 8
        return model


def graph_of(
    model: onnx.ModelProto, xs: Sequence[np.ndarray], config: Config, folder: Path
) -> Graph:
    """Save, load, trace and quantize; the result is verified."""
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    graph = quantize(trace(load_model(path)), list(xs), config)
    verify(graph)
    return graph


def by_qonnx(model: onnx.ModelProto, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what the qonnx package computes, one frame after another."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    wrapped = ModelWrapper(model).transform(InferShapes())
    names = [v.name for v in model.graph.input]
    found = []
    for rows in zip(*xs, strict=True):
        given = {n: row[None] for n, row in zip(names, rows, strict=True)}
        found.append(execute_onnx(wrapped, given))
    return [np.concatenate([f[o.name] for f in found]) for o in model.graph.output]


def by_runtime(model: onnx.ModelProto, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what onnxruntime computes, one frame after another."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [v.name for v in session.get_inputs()]
    rows = [
        session.run(None, {n: row[None] for n, row in zip(names, row, strict=True)})
        for row in zip(*xs, strict=True)
    ]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def answer(graph: Graph, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    return golden(graph, xs)
