"""Malicious files, names and paths: nothing of them may have an effect.

``python -m benchmarks.trust.hostile`` prints three lines: pickles that run a command when they are
loaded, in every place where a file can hold one (100); names of layers that are code in the target
languages (1,000); outputs and data that lead out of their folder (100).
"""

from __future__ import annotations

import argparse
import os
import pickle
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.trust import bomb_files, loaders, paths
from benchmarks.trust.line import print_line
from benchmarks.trust.names import check_names
from tests.cli.tools import MODELS, ROOT, run

Place = Callable[[bytes], tuple[loaders.Files, tuple[str, ...]]]


# --- pickles that act ----------------------------------------------------------------------------


def payloads(canary: Path) -> list[bytes]:
    """Return pickles that make the file ``canary`` when they are loaded, each in another way."""
    command = f"touch {canary}".encode()
    text = b"X" + struct.pack("<I", len(command)) + command
    return [
        b"cos\nsystem\n(S'" + command + b"'\ntR.",
        b"(S'" + command + b"'\nios\nsystem\n.",
        b"(cos\nsystem\n" + text + b"o.",
        b"\x80\x02cos\nsystem\n" + text + b"\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93" + text + b"\x85R.",
        b"\x80\x02cos\nsystem\nq\x00h\x00" + text + b"\x85R0}.",
        b"\x80\x02cbuiltins\nexec\n" + _text(f"open({str(canary)!r}, 'w')") + b"\x85R.",
        b"\x80\x02cbuiltins\neval\n"
        + _text(f"__import__('os').mknod({str(canary)!r})")
        + b"\x85R.",
        b"\x80\x02csubprocess\ncheck_call\n](X\x05\x00\x00\x00touch"
        + _text(str(canary))
        + b"e\x85R.",
        b"\x80\x02cos\nmkdir\nq\x01(" + _text(str(canary)) + b"tR}X\x01\x00\x00\x00aK\x01s.",
    ]


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


_STATE = ("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", "out", "--weights")
_DATA = ("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", "out", "--calibration")


def places() -> dict[str, Place]:
    """Return what puts a pickle into a file, and the command that reads the file."""
    model, state = loaders.exported()[0], loaders.states()[0]
    objects = loaders.npy([{}])[: -len(pickle.dumps([{}]))]  # a header that says objects
    weights = loaders.member(model, "model_weights_config.json").rpartition("/")[0]
    picked = loaders.members(model)[f"{weights}/model_weights_config.json"].replace(
        b'"use_pickle":false', b'"use_pickle":true'
    ).replace(b'"use_pickle": false', b'"use_pickle": true')  # fmt: skip

    def in_folder(data: bytes) -> tuple[loaders.Files, tuple[str, ...]]:
        content = {"weights.pt": data, "edits.json": b"[]"}
        folder = {**content, "manifest.json": loaders.manifest(content, loaders.CHECKPOINT)}
        files = {
            **{f"c/{n}": d for n, d in folder.items()},
            "x.npz": loaders.npz(**loaders.images()),
        }
        words = ("train", f"{MODELS}:cnn", "--weights", "c", "--data", "x.npz", "-o", "out")
        return files, words

    def torch_file(data: bytes) -> bytes:
        return loaders.archive({**loaders.members(state), loaders.member(state, "data.pkl"): data})

    def pt2(**changes: bytes) -> bytes:
        return loaders.archive({**loaders.members(model), **changes})

    first = f"{weights}/weight_0"
    return {
        "weights": lambda data: ({"w.pt": data}, (*_STATE, "w.pt")),
        "weights in an archive": lambda data: ({"w.pt": torch_file(data)}, (*_STATE, "w.pt")),
        "weights of another kind": lambda data: (
            {"w.safetensors": data}, (*_STATE, "w.safetensors")),
        "checkpoint": lambda data: in_folder(torch_file(data)),
        "numbers": lambda data: ({"x.npy": data}, (*_DATA, "x.npy")),
        "objects": lambda data: ({"x.npy": objects + data}, (*_DATA, "x.npy")),
        "objects in an archive": lambda data: (
            {"x.npz": bomb_files.packed(False, x=objects + data)}, (*_DATA, "x.npz")),
        "model": lambda data: ({"m.pt2": data}, ("convert", "m.pt2", "-o", "out")),
        "model whose weights are a pickle": lambda data: (
            {"m.pt2": pt2(**{f"{weights}/model.pt": data})}, ("convert", "m.pt2", "-o", "out")),
        "model with a pickled weight": lambda data: (
            {"m.pt2": pt2(**{first: data, f"{weights}/model_weights_config.json": picked})},
            ("convert", "m.pt2", "-o", "out")),
    }  # fmt: skip


def check_pickles(count: int, folder: Path) -> tuple[int, list[str]]:
    """Give every pickle to every reader; return how many were tried and what had an effect."""
    canary = folder / "canary"
    live = payloads(canary)
    wrong = [f"payload {i} does nothing" for i, data in enumerate(live) if not _acts(data, canary)]
    tried = 0
    for label, place in places().items():
        for at, data in enumerate(live):
            if tried == count:
                return tried, wrong
            tried += 1
            files, words = place(data)
            loaders.lay(folder / "work", files)
            os.chdir(folder / "work")
            ran = run(*words)
            if canary.exists():
                wrong.append(f"{label}: payload {at} ran")
                _remove(canary)
            if ran.code != 2 or (folder / "work" / "out").exists():
                wrong.append(f"{label}: payload {at}: exit code {ran.code}")
    return tried, wrong


def _acts(data: bytes, canary: Path) -> bool:
    """Tell whether a pickle does what it is for, where it is loaded."""
    load = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    subprocess.run([sys.executable, "-c", load], input=data, capture_output=True, check=False)
    acted = canary.exists()
    _remove(canary)
    return acted


def _remove(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pickles", type=int, default=100)
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--paths", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    bad: list[str] = []
    for name, what, check in _checks(args):
        with tempfile.TemporaryDirectory(prefix="hwaccel-hostile-") as folder:
            tried, wrong = check(Path(folder))
            os.chdir(ROOT)
        for reason in wrong:
            print(f"# {reason}", flush=True)
        bad += wrong
        using = ("iverilog", "g++") if name == "names" else ()
        print_line(f"hostile {name}", f"{tried} {what}, {len(wrong)} with an effect",
                   seed=args.seed, using=using)  # fmt: skip
    sys.exit(bool(bad))


def _checks(
    args: argparse.Namespace,
) -> Iterator[tuple[str, str, Callable[[Path], tuple[int, list[str]]]]]:
    yield "pickles", "pickles in ten places", lambda f: check_pickles(args.pickles, f)
    yield "names", "names in five languages", lambda f: check_names(args.names, args.seed, f)
    yield "paths", "paths that lead out", lambda f: paths.check_paths(args.paths, f)


if __name__ == "__main__":
    main()
