"""Arrays, archives, weights and models that are small and ask for much, or say what cannot be."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.trust import loaders, mutate

_HUGE = 1 << 40


def _header(text: bytes, version: int = 1, length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", size)
        + text
    )


def npys() -> Iterator[tuple[str, bytes, int]]:
    def said(descr: str, shape: str, order: str = "False") -> bytes:
        return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()

    for label, text in (
        ("huge shape", said("'<f8'", f"({_HUGE}, 8)")),
        ("huger shape", said("'<f8'", f"({10**40},)")),
        ("negative shape", said("'<f8'", "(-1, 8)")), ("shape of text", said("'<f8'", "('8',)")),
        ("shape of truth", said("'<f8'", "(True,)")), ("objects", said("'|O'", "(8,)")),
        ("records", said("[('a', '<f8')]", "(8,)")), ("records of records",
         said("[('a', " * 40 + "'<f8'" + ")]" * 40, "(8,)")),
        ("text", said("'<U8'", "(8,)")), ("times", said("'<M8[s]'", "(8,)")),
        ("void", said("'|V1000000000'", "(8,)")), ("no type", said("'nothing'", "(8,)")),
        ("wide text", said(f"'<U{1 << 30}'", "(8,)")),
        ("many axes", said("'<f8'", "(1," * 64 + ")")),
        ("calls", b"__import__('os').system('touch executed')"),
        ("deep", b"(" * 9000), ("deep minus", b"-" * 9000 + b"1"), ("deep lists", b"[" * 9000),
        ("digits", b"9" * 9000), ("not a dict", b"[]"), ("other keys", b"{'a': 1}"),
        ("nothing", b""),
    ):  # fmt: skip
        yield label, _header(text), 0
        yield f"{label}, version 2", _header(text, 2), 0
    yield "long header", _header(b"{}", 2, 1 << 31), 1 << 30
    yield "version 9", _header(b"{}", 9), 0
    good = loaders.npy(np.zeros((4, 8)))
    yield "half", good[: len(good) // 2], 0
    yield "empty", b"", 0
    yield "pickle", b"\x80\x04cos\nsystem\n(X\x0e\x00\x00\x00touch executedtR.", 0
    for label, value in (("NaN", np.nan), ("infinite", np.inf), ("huge", 1e308)):
        yield label, loaders.npy(np.full((4, 8), value)), 0
    for label, shape in (("no axes", ()), ("no frames", (0, 8)), ("another shape", (4, 9))):
        yield label, loaders.npy(np.zeros(shape)), 0
    yield "complex", loaders.npy(np.zeros((4, 8), complex)), 0


def packed(deflated: bool, **members: bytes) -> bytes:
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind, compresslevel=9) as made:
        for name, data in members.items():
            made.writestr(f"{name}.npy", data)
    return file.getvalue()


def _big_npy(megabytes: int) -> bytes:
    return loaders.npy(np.zeros(megabytes << 20, np.uint8))


def _archives(seed: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Yield what is no archive, or one that nobody would make."""
    yield "empty", b"", 0
    yield "half", seed[: len(seed) // 2], 0
    yield "noise", b"\x00" * 1000, 0
    yield "no members", b"PK\x05\x06" + bytes(18), 0
    at = seed.rindex(b"PK\x05\x06")
    end = bytearray(seed[at:])
    for label, where, text in (
        ("huge table of contents", 12, b"\xff\xff\xff\x7f"),
        ("table elsewhere", 16, b"\xff\xff\xff\x7f"),
        ("many members", 8, b"\xff\xff\xff\xff"), ("other disk", 4, b"\x01\x00\x01\x00"),
    ):  # fmt: skip
        changed = end.copy()
        changed[where : where + len(text)] = text
        yield label, seed[:at] + bytes(changed), 0
    yield "too large", seed, 1 << 35
    named = loaders.archive({"archive/data.pkl": b"x", "archive/date.pkl": b"x"})
    yield "two members of a name", named.replace(b"date.pkl", b"data.pkl"), 0
    entries = b"".join(
        b"PK\x01\x02" + bytes(24) + struct.pack("<H", 5) + bytes(16) + b"%05d" % i
        for i in range(100_000)
    )
    tail = b"PK\x05\x06" + bytes(4) + struct.pack("<HHII", 65535, 65535, len(entries), 0) + bytes(2)
    yield "all table of contents", entries + tail, 0


def npzs() -> Iterator[tuple[str, bytes, int]]:
    yield from _archives(loaders.npz(**loaders.samples()))
    yield "packed zeros", packed(True, x_train=_big_npy(256)), 0
    yield "packed header", packed(True, x_train=_header(b" " * (64 << 20), 2)), 0
    good = loaders.samples()
    for label, changes in (
        ("labels that are none", {"y_train": np.array([0.5, 1, 2, 1])}),
        ("NaN labels", {"y_train": np.array([np.nan, 1, 2, 1])}),
        ("infinite labels", {"y_test": np.array([np.inf, 1])}),
        ("huge labels", {"y_train": np.array([0, 1, 2, 1 << 62])}),
        ("negative labels", {"y_train": np.array([0, 1, 2, -1])}),
        ("NaN", {"x_train": np.full((4, 4, 4), np.nan)}),
        ("infinite", {"x_test": np.full((2, 4, 4), np.inf)}),
        ("beyond float32", {"x_test": np.full((2, 4, 4), 1e300)}),
        ("no axes", {"x_train": np.array(1.0)}), ("no axes of labels", {"y_train": np.array(1)}),
        ("no samples", {"x_train": np.zeros((0, 4, 4))}),
        ("other counts", {"y_train": np.array([0, 1])}),
        ("other frames", {"x_test": np.zeros((2, 5, 5))}),
        ("objects", {"x_train": np.array([{}], object)}),
        ("text", {"y_test": np.array(["a", "b"])}),
        ("complex", {"x_train": np.zeros((4, 4, 4), complex)}),
        ("one class", {"y_train": np.zeros(4, int)}),
    ):  # fmt: skip
        yield label, loaders.npz(**{**good, **changes}), 0
    yield "one array missing", loaders.npz(**{k: v for k, v in good.items() if k != "y_test"}), 0
    yield "many arrays", loaders.npz(**{f"a{i}": np.zeros(1) for i in range(2000)}), 0


def states() -> Iterator[tuple[str, bytes, int]]:
    yield from _archives(loaders.states()[0])
    content = loaders.members(loaders.states()[0])
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in content.items():
            made.writestr(name, data)
    yield "packed", held.getvalue(), 0
    for name in content:
        if name.endswith(("data.pkl", "data/0", "data/3")):
            yield (
                f"without {name}",
                loaders.archive({k: v for k, v in content.items() if k != name}),
                0,
            )
            yield f"{name} of nothing", loaders.archive({**content, name: b""}), 0
            yield f"half of {name}", loaders.archive({**content, name: content[name][:-4]}), 0
    order = next(name for name in content if name.endswith("byteorder"))
    yield "big-endian", loaders.archive({**content, order: b"big"}), 0


def pickles() -> Iterator[tuple[str, bytes]]:
    seed = loaders.BY_NAME["pickle"].seeds()[0]
    yield "empty", b""
    yield "half", seed[: len(seed) // 2]
    yield "no end", seed[:-1]
    yield "many dicts", b"\x80\x02" + b"}" * 900_000 + b"."
    yield "large", b"\x80\x02" + b"}0" * (1 << 20) + b"}."
    # The hash of a tuple that holds the one before twice takes twice as long.
    twice = b"\x80\x02}K\x00q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"K\x01s."
    yield "key whose hash never ends", twice
    yield "deep", b"\x80\x02" + b"K\x00" + b"\x85" * 500_000 + b"."
    yield "huge text", b"\x80\x02X" + struct.pack("<I", 1 << 31) + b"x."
    yield "huge bytes", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x."
    yield "huge frame", b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"}."
    yield "huge integer", b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"x."
    yield "huge memo", b"\x80\x02}r\xff\xff\xff\x7f."
    yield "no dict", b"\x80\x02K\x01."
    yield "a dict of numbers", b"\x80\x02}X\x01\x00\x00\x00aK\x01s."
    yield "size", seed.replace(b"K\x00K\x06K\x08\x86", b"K\x00K\xffK\xff\x86")
    yield "huge size", seed.replace(b"K\x06K\x08\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    yield "negative size", seed.replace(b"K\x06K\x08\x86", b"J\xff\xff\xff\xffK\x08\x86")
    yield "another function", seed.replace(b"_rebuild_tensor_v2", b"_rebuild_sparse_xx")
    yield "another storage", seed.replace(b"FloatStorage", b"ByteStorage")
    yield "no storage", seed.replace(b"storage", b"Storage")


def pt2s() -> Iterator[tuple[str, bytes, int]]:
    model = loaders.exported()[0]
    yield from _archives(model)
    content = loaders.members(model)
    for name in content:
        if name.endswith(("archive_format", "model.json", "weight_0", "_config.json")):
            yield (
                f"without {name}",
                loaders.archive({k: v for k, v in content.items() if k != name}),
                0,
            )
            yield (
                f"half of {name}",
                loaders.archive({**content, name: content[name][: len(content[name]) // 2]}),
                0,
            )
    weights = next(name for name in content if "data/weights/" in name).rpartition("/")[0]
    yield (
        "pickled",
        loaders.archive({**content, f"{weights}/model.pt": b"\x80\x02cos\nsystem\n."}),
        0,
    )


def pt2_graphs() -> Iterator[tuple[str, bytes]]:
    seed = loaders.BY_NAME["pt2-graph"].seeds()[0]
    yield from (
        (label, data)
        for label, data in mutate.documents(seed)
        if label not in ("unknown key", "deep inside")
    )
    nodes = ("graph_module", "graph", "nodes")
    first = json.loads(seed)["graph_module"]["graph"]["nodes"][0]
    big = {**first, "target": "torch.ops.aten.full.default", "inputs": [
        {"name": "size", "arg": {"as_ints": [1 << 20, 1 << 20]}},
        {"name": "fill_value", "arg": {"as_float": 1.0}}]}  # fmt: skip
    yield "huge constant", mutate.changed(seed, *nodes, 0, to=big)
    yield (
        "unknown operator",
        mutate.changed(seed, *nodes, 0, "target", to="torch.ops.aten.system.default"),
    )
    yield "operator elsewhere", mutate.changed(seed, *nodes, 0, "target", to="os.system")
    yield "no nodes", mutate.changed(seed, *nodes, to=[])
    yield "many nodes", mutate.changed(seed, *nodes, to=[first] * 2000)
    yield (
        "dangling",
        mutate.changed(seed, *nodes, 0, "inputs", 0, "arg", to={"as_tensor": {"name": "nowhere"}}),
    )
    yield "another version", mutate.changed(seed, "schema_version", "major", to=10**30)


def pt2_weights() -> Iterator[tuple[str, bytes]]:
    seed = loaders.BY_NAME["pt2-weights"].seeds()[0]
    yield from (
        (label, data)
        for label, data in mutate.documents(seed)
        if label not in ("unknown key", "deep inside", "NaN")
    )
    name, payload = next(iter(json.loads(seed)["config"].items()))
    meta = payload["tensor_meta"]
    for label, change in (
        ("huge size", {"sizes": [{"as_int": 1 << 40}] * len(meta["sizes"])}),
        ("negative size", {"sizes": [{"as_int": -1}] * len(meta["sizes"])}),
        ("huge stride", {"strides": [{"as_int": 1 << 62}] * len(meta["sizes"])}),
        ("huge offset", {"storage_offset": {"as_int": 10**30}}), ("type", {"dtype": 99}),
        ("many axes", {"sizes": [{"as_int": 1}] * 10_000, "strides": [{"as_int": 1}] * 10_000}),
    ):  # fmt: skip
        yield label, mutate.changed(seed, "config", name, "tensor_meta", to={**meta, **change})
    yield "pickled", mutate.changed(seed, "config", name, "use_pickle", to=True)
    yield "path", mutate.changed(seed, "config", name, "path_name", to="../../../etc/passwd")


def onnx() -> Iterator[tuple[str, bytes, int]]:
    from onnx import ModelProto, TensorProto

    seed = loaders.onnx_models()[0]
    yield "half", seed[: len(seed) // 2], 0
    yield "empty", b"", 0
    yield "noise", b"\xff" * 1000, 0
    yield "too large", seed, 1 << 35
    yield "objects without end", b"\x3a\x80\x80\x80\x01" + b"\x0a\x00" * (1 << 20), 0

    def changed(change: Callable[[Any], object]) -> bytes:
        model = ModelProto.FromString(seed)
        change(model)
        return bytes(model.SerializeToString())

    def dims(*sizes: int) -> Callable[[Any], object]:
        return lambda m: m.graph.initializer[0].dims.__setitem__(slice(None), sizes)

    def external(m: Any) -> None:
        tensor = m.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../etc/passwd")

    def wide(m: Any) -> None:
        m.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 60

    def node(**fields: Any) -> Callable[[Any], object]:
        def change(m: Any) -> None:
            for name, value in fields.items():
                setattr(m.graph.node[0], name, value)

        return change

    for label, make in (
        ("huge tensor", dims(1 << 40, 1 << 40)), ("negative tensor", dims(-1, 12)),
        ("other file", external), ("unknown operator", node(op_type="System")),
        ("unknown domain", node(domain="evil")), ("huge name", node(op_type="R" * 10**6)),
        ("cycle", lambda m: m.graph.node[0].input.__setitem__(0, m.graph.node[-1].output[0])),
        ("dangling", lambda m: m.graph.node[0].input.__setitem__(0, "nowhere")),
        ("tensor twice", lambda m: m.graph.initializer.append(m.graph.initializer[0])),
        ("opset", lambda m: setattr(m.opset_import[0], "version", 1 << 60)),
        ("no outputs", lambda m: m.graph.output.__delitem__(0)),
        ("huge input", wide),
    ):  # fmt: skip
        yield label, changed(make), 0
