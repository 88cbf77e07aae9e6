"""Run by another Python, which has hls4ml and torch: convert, compile, trace. No part of hwaccel.

Takes a folder with ``request.json`` and a ``.bin`` file for every array; leaves ``answer.json`` and
``traces.npz``. What hls4ml prints goes to ``stderr``; a failure is one line in ``answer.json``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

FUNCTIONS = ("add", "sub", "mul", "cat")


def numbers(folder: Path, name: str, shape: list[int]) -> Any:
    """Return an array of the request: float64 and nothing else."""
    import numpy as np

    return np.fromfile(folder / f"{name}.bin", np.float64).reshape(shape)


def network(folder: Path, request: dict[str, Any]) -> Any:
    """Return a torch module with a submodule, or a call of a function, for every layer."""
    import torch

    graph, layers = torch.fx.Graph(), request["layers"]
    known = {value["name"]: graph.placeholder(value["name"]) for value in request["inputs"]}
    modules = {}
    for layer in layers:
        name, kind = layer["name"], layer["kind"]
        operands = tuple(known[operand] for operand in layer["inputs"])
        if kind == "cat":
            known[name] = graph.call_function(torch.cat, (operands,), {"dim": 1})
        elif kind in FUNCTIONS:
            known[name] = graph.call_function(getattr(torch, kind), operands)
        else:
            modules[name] = module(folder, layer)
            known[name] = graph.call_module(name, operands)
    read = {operand for layer in layers for operand in layer["inputs"]}
    graph.output(tuple(known[y["name"]] for y in layers if y["name"] not in read))
    return torch.fx.GraphModule(modules, graph)


def module(folder: Path, layer: dict[str, Any]) -> Any:
    """Return the torch module of a layer."""
    import torch

    # hls4ml tells pairs by their type, which JSON does not keep.
    given = layer["arguments"].items()
    arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in given}
    made = getattr(torch.nn, layer["kind"])(**arguments).eval()
    for name, shape in layer["arrays"].items():
        value = numbers(folder, f"{layer['name']}.{name}", shape)
        getattr(made, name).data = torch.from_numpy(value)
    return made


def names_of(model: Any, layers: list[dict[str, Any]]) -> dict[str, str]:
    """Return the name that hls4ml gives every layer: functions are counted by kind."""
    from hls4ml.utils.torch import CustomFXTracer

    called = [n.name for n in CustomFXTracer().trace(model).nodes if n.op == "call_function"]
    functions = iter(called)
    return {
        layer["name"]: next(functions) if layer["kind"] in FUNCTIONS else layer["name"]
        for layer in layers
    }


def configured(model: Any, request: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return hls4ml's configuration, with the types of the request where it has some."""
    import hls4ml

    shapes = [tuple(value["shape"]) for value in request["inputs"]]
    made: dict[str, Any] = hls4ml.utils.config_from_pytorch_model(
        model,
        shapes[0] if len(shapes) == 1 else shapes,
        granularity="name",
        backend=request["backend"],
        channels_last_conversion="full",
    )
    known = made["LayerName"]
    for value in request["inputs"]:
        known[value["name"]]["Precision"] = {"result": value["type"]}
    for layer in request["layers"]:
        entry = known[names[layer["name"]]]
        for what, fixed in layer["types"].items():
            if what in entry.get("Precision", {}):
                entry["Precision"][what] = fixed
    for entry in known.values():
        entry["Trace"] = True
    return made


def answered(folder: Path) -> dict[str, Any]:
    """Convert, compile and trace; return what hls4ml made of every layer."""
    import hls4ml
    import numpy as np

    request = json.loads((folder / "request.json").read_text())
    model = network(folder, request)
    frames = [numbers(folder, one["name"], [-1, *one["shape"]]) for one in request["inputs"]]
    names = names_of(model, request["layers"])
    config = configured(model, request, names)
    made = hls4ml.converters.convert_from_pytorch_model(
        model,
        hls_config=config,
        output_dir=str(folder / "project"),
        project_name="opinion",
        backend=request["backend"],
        io_type=request["io_type"],
    )
    _, traces = made.trace(frames[0] if len(frames) == 1 else frames)
    back = {theirs: ours for ours, theirs in names.items()}
    count = len(frames[0])
    shown: dict[str, Any] = {
        back[name]: np.asarray(trace, np.float64).reshape(count, *np.shape(trace)[1:])
        for name, trace in traces.items()
        if name in back
    }
    np.savez(folder / "traces.npz", **shown)
    layers = {}
    for layer in made.get_layers():
        types = {
            name: str(value.precision)
            for name, value in layer.types.items()
            if hasattr(value, "precision")
        }
        result = layer.get_output_variable().type.precision
        layers[back.get(layer.name, layer.name)] = {
            "class": layer.class_name,
            "types": types | {"result": str(result)},
        }
    return {"version": hls4ml.__version__, "layers": layers}


def main() -> None:
    """Answer the request in the folder that is named."""
    folder = Path(sys.argv[1])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = answered(folder)
        except Exception as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines() or [""]
            answer = {"error": f"{type(error).__name__}: {lines[0]}"}
    (folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
