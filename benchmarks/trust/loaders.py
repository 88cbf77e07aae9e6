"""Every reader of files from outside: how to call it, what to begin with, how to damage that."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trust import mutate
from hwaccel.config import read_config
from hwaccel.errors import HwaccelError

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Loader:
    """``load`` reads a file whose content is what ``wrap`` makes of damaged bytes."""

    name: str
    seeds: Callable[[], list[bytes]]
    load: Callable[[bytes, Path], object]
    damage: mutate.Damage


def refusal(loader: Loader, data: bytes, folder: Path) -> str | None:
    """Return the line with which a file is refused, ``None`` where it is taken.

    Raises:
        AssertionError: it is no line.
        Exception: whatever is not an ``HwaccelError``, which is a finding.
    """
    try:
        loader.load(data, folder)
    except HwaccelError as error:
        text = str(error)
        assert 0 < len(text) < 4000, f"{len(text)} characters"
        return text
    return None


# --- models --------------------------------------------------------------------------------------


def _converted(path: Path) -> None:
    """Go on with a model as far as ``hwaccel convert`` does before it needs data."""
    from hwaccel.frontend.load import load_model
    from hwaccel.frontend.torch_export import trace

    trace(load_model(path))


def _at(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@cache
def exported() -> tuple[bytes, ...]:
    """Return small models as ``.pt2`` files."""
    import torch

    from tests.cli import models

    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.one = torch.nn.LayerNorm(6), torch.nn.Linear(6, 6)
            self.register_buffer("table", torch.ones(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.softmax(self.one(self.norm(x)), -1)
            a, b = torch.cat([y, x * self.table], 1).chunk(2, 1)
            return torch.maximum(a, b).reshape(-1, 2, 3).mean(2)

    made = []
    for model, shape in ((models.mlp(), (1, 8)), (models.cnn(), (1, 1, 6, 6)), (Mixed(), (1, 6))):
        file = io.BytesIO()
        torch.export.save(torch.export.export(model.eval(), (torch.zeros(shape),)), file)
        made.append(file.getvalue())
    return tuple(made)


def members(archive: bytes) -> dict[str, bytes]:
    """Return the members of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def archive(content: Files) -> bytes:
    """Return an archive of members that are stored as they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, data in content.items():
            made.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


def member(archive_of: bytes, suffix: str) -> str:
    """Return the one member whose name ends like that."""
    (name,) = [name for name in members(archive_of) if name.endswith(suffix)]
    return name


def _load_pt2(data: bytes, folder: Path) -> None:
    _converted(_at(folder, "m.pt2", data))


def pt2_with_graph(data: bytes) -> bytes:
    """Return a model of that graph, with the weights that it names most of."""
    models = [members(model) for model in exported()]

    def named(model: dict[str, bytes]) -> int:
        (config,) = [d for n, d in model.items() if n.endswith("model_weights_config.json")]
        return sum(json.dumps(name).encode() in data for name in json.loads(config)["config"])

    model = max(models, key=named)
    graph = next(name for name in model if name.endswith("models/model.json"))
    return archive({**model, graph: data})


def _pt2_graphs() -> list[bytes]:
    return [members(m)[member(m, "models/model.json")] for m in exported()]


def pt2_with_weights(data: bytes) -> bytes:
    """Return a model that says of its weights what ``data`` says."""
    model = exported()[0]
    return archive({**members(model), member(model, "model_weights_config.json"): data})


def _pt2_weights() -> list[bytes]:
    return [members(m)[member(m, "model_weights_config.json")] for m in exported()[:1]]


@cache
def onnx_models() -> tuple[bytes, ...]:
    """Return small models as ``.onnx`` files, some of them quantized."""
    from tests.frontend.onnx_tools import Net

    mlp = Net(1, 4)
    x = mlp.add("Gemm", mlp.x, np.ones((4, 3)), np.zeros(3))
    mlp_out = mlp.add("Softmax", mlp.add("Relu", x), axis=1)
    cnn = Net(1, 1, 6, 6)
    x = cnn.add("Conv", cnn.x, np.ones((2, 1, 3, 3)), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = cnn.add("MaxPool", cnn.add("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    cnn_out = cnn.add("Reshape", cnn.add("Transpose", x, perm=[0, 2, 3, 1]), np.array([1, -1]))
    quantized = Net(1, 6)
    x = quantized.quant(quantized.x)
    x = quantized.add("MatMul", x, quantized.quant(np.ones((6, 3)), 0.25, bits=4))
    quantized_out = quantized.quant(quantized.add("Relu", x))
    moves = Net(1, 4, 6)
    x = moves.add("Concat", moves.x, moves.add("Slice", moves.x, np.array([1]), np.array([3]),
                                               np.array([1])), axis=1)  # fmt: skip
    x = moves.add("Pad", x, np.array([0, 0, 1, 0, 0, 1]))
    moves_out = moves.add("Gather", moves.add("ReduceMean", x, axes=[2]), np.array([0, 2]), axis=1)
    nets = ((mlp, mlp_out), (cnn, cnn_out), (quantized, quantized_out), (moves, moves_out))
    return tuple(net.model(out).SerializeToString() for net, out in nets)


def _load_onnx(data: bytes, folder: Path) -> None:
    _converted(_at(folder, "m.onnx", data))


@cache
def states() -> tuple[bytes, ...]:
    """Return state dicts as ``.pt`` files."""
    import torch

    from tests.cli import models

    made = []
    for model in (models.mlp(), models.cnn()):
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        made.append(file.getvalue())
    return tuple(made)


def _load_state(data: bytes, folder: Path) -> None:
    from hwaccel.frontend.load import load_state
    from tests.cli import models

    load_state(models.mlp(), _at(folder, "w.pt", data))


def state_with(pickled: bytes) -> bytes:
    """Return a state dict file that says of its storages what ``pickled`` says."""
    state = states()[0]
    return archive({**members(state), member(state, "data.pkl"): pickled})


def _pickles() -> list[bytes]:
    return [members(s)[member(s, "data.pkl")] for s in states()]


# --- folders -------------------------------------------------------------------------------------


@cache
def project() -> dict[str, bytes]:
    """Return a project: a CNN that streams, with a part that is laid out."""
    import torch

    import hwaccel
    from tests.cli import models

    config = hwaccel.Config(layers={"4": hwaccel.LayerConfig(style="spatial")})
    design = hwaccel.convert(models.cnn(), torch.zeros(1, 1, 6, 6), config=config)
    files = {name: text.encode() if isinstance(text, str) else text
             for name, text in design.files().items()}  # fmt: skip
    kept = {n: d for n, d in files.items() if "/" not in n or n.startswith("constraints/")}
    return {**kept, "manifest.json": manifest(kept)}


def manifest(files: Files, kind: str = "hwaccel-project") -> bytes:
    """Return the manifest of a folder."""
    hashes = {n: hashlib.sha256(d).hexdigest() for n, d in files.items() if n != "manifest.json"}
    head = {"format": kind, "version": 1, "hwaccel": "0", "name": "x", "files": hashes}
    return json.dumps(head).encode()


def lay(folder: Path, files: Files) -> Path:
    """Write a folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def with_file(files: Files, name: str, data: bytes, kind: str = "hwaccel-project") -> Files:
    """Return a folder in which one file is another one, and its hash as well."""
    changed = {**files, name: data}
    return (
        changed
        if name == "manifest.json"
        else {**changed, "manifest.json": manifest(changed, kind)}
    )


def _load_in_project(name: str) -> Callable[[bytes, Path], object]:
    def load(data: bytes, folder: Path) -> object:
        import hwaccel

        # A folder of its own, in which only this file changes from one run to the next.
        place = folder / f"with-{name}"
        changed = with_file(project(), name, data)
        if place.exists():
            changed = {n: changed[n] for n in (name, "manifest.json")}
            for at, content in changed.items():
                (place / at).write_bytes(content)
        else:
            lay(place, changed)
        return hwaccel.load(place)

    return load


CHECKPOINT = "hwaccel-checkpoint"
EDITS: tuple[Any, ...] = (
    {"edit": "sparse"},
    {"edit": "keepchannels", "layer": "0", "kept": [1]},
    {"edit": "lowrank", "layer": "4", "rank": 2},
    {"edit": "simpler", "layer": "1", "shape": "relu"},
    {"edit": "shiftpool", "layer": "2", "divisor": 4},
    {"edit": "droplayer", "layer": "0"},
    {"edit": "depthwise", "layer": "0", "multiplier": 1},
    {"edit": "coarsetable", "layer": "1", "bits": 4, "frac": 2, "signed": True},
    {"edit": "lookup", "units": 6, "classes": 3, "threshold": 0.5},
    {"edit": "quantized", "weight_bits": 4, "activation_bits": 4, "layers": {"0": {}}},
)


def _load_edits(data: bytes, folder: Path) -> object:
    import torch

    from hwaccel.compress.checkpoint import Checkpoint, restored
    from tests.cli import models

    files = {"weights.pt": states()[1], "edits.json": data}
    made = lay(folder / "c", {**files, "manifest.json": manifest(files, CHECKPOINT)})
    return restored(Checkpoint(models.cnn()), made, torch.zeros(1, 1, 6, 6))


def _edits() -> list[bytes]:
    return [json.dumps([edit]).encode() for edit in EDITS] + [json.dumps(EDITS[:3]).encode()]


def _load_result(data: bytes, folder: Path) -> object:
    from hwaccel.report.results import load_results

    lay(folder / "r", {"results/sim-icarus.json": data})
    return load_results(folder / "r")


def _results() -> list[bytes]:
    import msgspec

    from hwaccel.report.results import AccuracyRecord, AccuracyRow, CsimRecord

    records = (
        CsimRecord(design="0" * 16, command="x", what="hls", frames=1, mismatches=0, seconds=1.0),
        AccuracyRecord(rows=(AccuracyRow("golden", 1, 2),)),
    )
    return [msgspec.json.encode(record) for record in records]


# --- options and numbers -------------------------------------------------------------------------

CONFIGS = (
    b'name = "net"\nweight_bits = 4\nclock_mhz = 125.5\n[layers."features.0"]\npe = 4\n',
    b'input = "u8.8"\nmultipliers = 64\ntarget = "ecp5-85k"\nseed = 3\nlayers = {a = {simd = 2}}\n',
)


def _load_config(data: bytes, folder: Path) -> object:
    return read_config(_at(folder, "c.toml", data))


def npy(array: Any) -> bytes:
    """Return an array as a ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(packed: bool = False, **arrays: Any) -> bytes:
    """Return arrays as an ``.npz`` file."""
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def _load_npy(data: bytes, folder: Path) -> object:
    from hwaccel.inputs import read_arrays

    return read_arrays([_at(folder, "x.npy", data)])


def _load_npz(data: bytes, folder: Path) -> object:
    from hwaccel.compress.data import load_data

    return load_data(str(_at(folder, "x.npz", data)))


def samples() -> dict[str, Any]:
    """Return labelled data."""
    x, y = np.arange(64, dtype=np.uint8).reshape(4, 4, 4), np.array([0, 1, 2, 1])
    return {"x_train": x, "y_train": y, "x_test": x[:2], "y_test": y[:2]}


def images() -> dict[str, Any]:
    """Return labelled data for the small CNN."""
    x, y = np.zeros((4, 6, 6), dtype=np.uint8), np.array([0, 1, 2, 1])
    return {"x_train": x, "y_train": y, "x_test": x[:2], "y_test": y[:2]}


def _of_project(name: str, file: str) -> Loader:
    return Loader(name, lambda: [project()[file]], _load_in_project(file), mutate.json_document)


def _npys() -> list[bytes]:
    return [npy(np.zeros((2, 3))), npy(np.arange(4, dtype=np.int8))]


LOADERS = (
    *(_of_project("graph", "graph.json"), _of_project("plan", "plan.json")),
    *(_of_project("spatial", "spatial.json"), _of_project("options", "config.json")),
    _of_project("manifest", "manifest.json"),
    Loader("result", _results, _load_result, mutate.json_document),
    Loader("config", lambda: list(CONFIGS), _load_config, mutate.any_bytes),
    Loader("npy", _npys, _load_npy, mutate.any_bytes),
    Loader("npz", lambda: [npz(**samples()), npz(True, **samples())], _load_npz, mutate.any_bytes),
    Loader("state", lambda: list(states()), _load_state, mutate.any_bytes),
    Loader("pickle", _pickles, lambda d, f: _load_state(state_with(d), f), mutate.pickle_program),
    Loader("edits", _edits, _load_edits, mutate.json_document),
    Loader("pt2", lambda: list(exported()), _load_pt2, mutate.any_bytes),
    Loader(
        "pt2-graph", _pt2_graphs, lambda d, f: _load_pt2(pt2_with_graph(d), f), mutate.json_document
    ),
    Loader(
        "pt2-weights",
        _pt2_weights,
        lambda d, f: _load_pt2(pt2_with_weights(d), f),
        mutate.json_document,
    ),
    Loader("onnx", lambda: list(onnx_models()), _load_onnx, mutate.onnx_model),
)
BY_NAME = {loader.name: loader for loader in LOADERS}
