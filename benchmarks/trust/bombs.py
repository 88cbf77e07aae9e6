"""Files that are small and ask for much, or say what cannot be: each must be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.trust import bomb_files, loaders, mutate

# Label, kind of reader, content, and the size it is stretched to with zeros.
Bomb = tuple[str, str, bytes, int]
# Where an archive says its sizes twice, the other place counts; bytes may be weights as well.
MAY_HOLD = frozenset(
    ["huge table of contents", "table elsewhere", "many members", "other disk", "another storage"]
)


def bombs(only: str = "") -> Iterator[Bomb]:
    """Yield every bomb once, or those of one kind."""
    for kind, make in (
        ("graph", _graphs),
        ("plan", _plans),
        ("spatial", _spatials),
        ("options", _options),
        ("manifest", _manifests),
        ("result", _results),
        ("config", _configs),
        ("npy", bomb_files.npys),
        ("npz", bomb_files.npzs),
        ("state", bomb_files.states),
        ("pickle", bomb_files.pickles),
        ("edits", _edits),
        ("pt2", bomb_files.pt2s),
        ("pt2-graph", bomb_files.pt2_graphs),
        ("pt2-weights", bomb_files.pt2_weights),
        ("onnx", bomb_files.onnx),
    ):
        for label, data, *sparse in make() if only in ("", kind) else ():
            yield label, kind, data, sparse[0] if sparse else 0


def _graphs() -> Iterator[tuple[str, bytes]]:
    seed = loaders.project()["graph.json"]
    graph = json.loads(seed)
    yield from mutate.documents(seed)
    first, last = graph["nodes"][0], len(graph["nodes"]) - 1
    conv = next(i for i, n in enumerate(graph["nodes"]) if n["op"] == "conv2d")
    digest = next(iter(graph["constants"]))
    for label, path, value in (
        ("cycle", ("nodes", 0, "inputs"), [graph["nodes"][last]["name"]]),
        ("reads itself", ("nodes", 0, "inputs"), [first["name"]]),
        ("dangling edge", ("nodes", last, "inputs"), ["nowhere"]),
        ("dangling output", ("outputs",), ["nowhere"]),
        ("no outputs", ("outputs",), []),
        ("no inputs", ("inputs",), []),
        ("huge shape", ("inputs", 0, "type", "shape"), [1 << 24, 1 << 24, 1 << 24]),
        ("large shape", ("inputs", 0, "type", "shape"), [1, 4096, 4096]),
        ("shape of nothing", ("inputs", 0, "type", "shape"), [0]),
        ("negative shape", ("inputs", 0, "type", "shape"), [-1, 6, 6]),
        ("huge integer", ("inputs", 0, "type", "hi"), 10**400),
        ("huge fraction", ("inputs", 0, "type", "frac"), 10**9),
        ("huge padding", ("nodes", conv, "fields", "padding"), [1 << 24] * 4),
        ("huge stride", ("nodes", conv, "fields", "stride"), [1 << 60, 1 << 60]),
        ("huge dilation", ("nodes", conv, "fields", "dilation"), [1 << 60, 1]),
        ("huge groups", ("nodes", conv, "fields", "groups"), 1 << 60),
        ("constant of another shape", ("constants", digest, "shape"), [1 << 28, 1 << 28]),
        ("constant that was changed", ("constants", digest, "values", 0), 12345),
        ("infinite constant", ("constants", digest, "values", 0), float("inf")),
        ("two nodes of a name", ("nodes",), [*graph["nodes"], first]),
        ("many nodes", ("nodes",), [first] * 20_001),
        ("huge name", ("name",), "x" * 10**6),
        ("name that breaks lines", ("nodes", 0, "inputs"), ["a\n\x1b[2J\u202e"]),
        ("half a character", ("nodes", 0, "inputs"), ["\ud800"]),
        ("unknown op", ("nodes", 0, "op"), "system"),
        ("another version", ("version",), 2),
        ("another format", ("format",), "pickle"),
    ):  # fmt: skip
        yield label, mutate.changed(seed, *path, to=value)


def _plans() -> Iterator[tuple[str, bytes]]:
    seed = loaders.project()["plan.json"]
    yield from mutate.documents(seed)
    for key in ("folds", "rings", "fifos"):
        yield (
            f"{key} of nothing",
            mutate.changed(seed, key, to={"nowhere": [1, 1] if key == "folds" else 1}),
        )
        yield f"no {key}", mutate.changed(seed, key, to={})
    yield "huge depth", mutate.changed(seed, "fifos", to={"x": 10**30})
    yield "many folds", mutate.changed(seed, "folds", to={str(i): [1, 1] for i in range(100_000)})


def _spatials() -> Iterator[tuple[str, bytes]]:
    seed = loaders.project()["spatial.json"]
    yield from mutate.documents(seed)


def _options() -> Iterator[tuple[str, bytes]]:
    seed = loaders.project()["config.json"]
    yield from mutate.documents(seed)
    yield "infinite clock", mutate.changed(seed, "clock_mhz", to=float("inf"))
    yield "format of many digits", mutate.changed(seed, "input", to="u8." + "9" * 6000)
    yield "bits", mutate.changed(seed, "weight_bits", to=10**30)


def _manifests() -> Iterator[tuple[str, bytes, int]]:
    seed = loaders.project()["manifest.json"]
    for label, data in mutate.documents(seed):
        yield label, data, 0
    yield "too large", seed, 1 << 30
    for name in ("../x", "/etc/passwd", "a\0b", "", "x" * 5000, "\ud800", "rtl/", "."):
        yield f"path {name[:20]!r}", mutate.changed(seed, "files", to={name: "0" * 64}), 0
    yield (
        "many files",
        mutate.changed(seed, "files", to={f"f{i}": "0" * 64 for i in range(50_000)}),
        0,
    )


def _results() -> Iterator[tuple[str, bytes]]:
    yield from mutate.documents(loaders.BY_NAME["result"].seeds()[0])


def _configs() -> Iterator[tuple[str, bytes, int]]:
    for label, text in (
        ("empty assignment", "name ="), ("key twice", "seed = 1\nseed = 2"),
        ("table twice", "[layers.a]\npe = 1\n[layers.a]\npe = 2"),
        ("NaN", "clock_mhz = nan"), ("infinite", "clock_mhz = inf"), ("minus", "clock_mhz = -inf"),
        ("huge integer", "seed = " + "9" * 10_000), ("huge integer, legal", f"seed = {10**30}"),
        ("deep lists", "name = " + "[" * 50_000), ("deep tables", "name = " + "{a=" * 50_000),
        ("dotted", "a." * 100_000 + "a = 1"), ("dotted table", "[" + "a." * 50_000 + "a]"),
        ("wrong type", "weight_bits = 'four'"), ("date", "seed = 1979-05-27"),
        ("unknown", "hidden = 1"), ("unknown in a layer", "[layers.a]\nhidden = 1"),
        ("negative", "weight_bits = -1"), ("format", "input = 'u8.8; rm'"),
        ("format of many digits", "input = 'u" + "9" * 6000 + ".8'"),
        ("both budgets", "multipliers = 1\ntarget_interval = 1"),
        ("control characters", "name = \"\x00\x1b[2J\""), ("unclosed", 'name = "x'),
        ("not a table", "layers = 1"), ("many names", ("a." * 4000 + "a = 1\n") * 30),
    ):  # fmt: skip
        yield label, text.encode(), 0
    yield "not text", b"\xff\xfe\x00\xd8", 0
    yield "huge name", b'hidden = "' + b"x" * 900_000 + b'"', 0
    yield "many keys", b"\n".join(b"k%d = 1" % i for i in range(60_000)), 0
    yield "too large", b"name = 'x'\n", 1 << 32


def _edits() -> Iterator[tuple[str, bytes]]:
    yield from ((label, data) for label, data in mutate.documents(b"[]") if label != "another type")
    for label, edit in (
        ("unknown", {"edit": "system", "layer": "touch executed"}),
        ("no layer", {"edit": "lowrank", "layer": "9", "rank": 1}),
        ("layer that is a path", {"edit": "droplayer", "layer": "../../x"}),
        ("layer of dunders", {"edit": "lowrank", "layer": "__class__.__init__", "rank": 1}),
        ("huge rank", {"edit": "lowrank", "layer": "4", "rank": 1 << 62}),
        ("negative rank", {"edit": "lowrank", "layer": "4", "rank": -1}),
        ("huge units", {"edit": "lookup", "units": 1 << 62, "classes": 3}),
        ("no classes", {"edit": "lookup", "units": 6, "classes": 0}),
        ("channels beyond", {"edit": "keepchannels", "layer": "0", "kept": [1 << 62]}),
        ("channels twice", {"edit": "keepchannels", "layer": "0", "kept": [1, 1]}),
        ("many channels", {"edit": "keepchannels", "layer": "0", "kept": list(range(100_000))}),
        ("divisor", {"edit": "shiftpool", "layer": "2", "divisor": 0}),
        ("bits", {"edit": "quantized", "weight_bits": 0}),
        ("many bits", {"edit": "quantized", "weight_bits": 10**30}),
        ("format", {"edit": "quantized", "input": "u8." + "9" * 6000}),
        ("fraction", {"edit": "coarsetable", "layer": "1", "bits": 4, "frac": 1 << 62,
                      "signed": True}),
        ("multiplier", {"edit": "depthwise", "layer": "0", "multiplier": 1 << 62}),
    ):  # fmt: skip
        yield label, json.dumps([edit]).encode()
    yield (
        "again and again",
        json.dumps([{"edit": "lowrank", "layer": "4", "rank": 2}] * 500).encode(),
    )
