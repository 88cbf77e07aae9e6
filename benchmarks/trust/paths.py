"""Outputs and data that lead out of their folder: ``..``, absolute names, links of both kinds.

Around the folder in which a command runs lie files of somebody else. Each case sets a trap and runs
a command; afterwards these files must be what they were, and no new ones may lie beside them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.trust import loaders
from tests.cli.tools import MODELS, run

# A trap is set in the folder of the command, and gets the folder of somebody else.
Trap = Callable[[Path, Path], tuple[str, ...]]
_MLP = ("convert", f"{MODELS}:mlp", "--example", "1x8")


def _project(here: Path, name: str = "p") -> Path:
    return loaders.lay(here / name, loaders.project())


def _link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(to)


def _hard(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    os.link(to, at)


def _outputs() -> Iterator[tuple[str, Trap]]:
    """Yield folders of others in the place of an output."""
    for label, word in (
        ("other folder", "{other}"), ("up", "../other"), ("up twice", "../work/../other"),
        ("deep up", "a/b/../../../other"), ("dots", "./.././other/."), ("slash", "../other/"),
        ("file", "{other}/file"), ("below a file", "{other}/file/x"), ("link", "link"),
        ("link with a slash", "link/"), ("link up", "link/../other"), ("link and dots", "link/./."),
        ("two slashes", "{other}//."), ("there and back", "../work/../other/./"),
        ("link to a file", "filelink"), ("dangling link", "dangling"), ("null", "a\0b"),
    ):  # fmt: skip

        def trap(here: Path, other: Path, word: str = word) -> tuple[str, ...]:
            _link(here / "link", other)
            _link(here / "filelink", other / "file")
            _link(here / "dangling", other / "new")
            return (*_MLP, "-o", word.format(other=other))

        yield f"convert to {label}", trap
        yield f"train to {label}", _train(trap)
    for label, word in (("folder", "{other}"), ("device", "/dev/null"), ("file up", "../other/")):

        def report(here: Path, other: Path, word: str = word) -> tuple[str, ...]:
            return ("report", str(_project(here)), "-o", word.format(other=other))

        yield f"report to {label}", report


def _train(trap: Trap) -> Trap:
    def train(here: Path, other: Path) -> tuple[str, ...]:
        word = trap(here, other)[-1]
        (here / "x.npz").write_bytes(loaders.npz(**loaders.images()))
        return ("train", f"{MODELS}:cnn", "--data", "x.npz", "--epochs", "0", "-o", word)

    return train


def _planted() -> Iterator[tuple[str, Trap]]:
    """Yield links in a project to what is not of the project."""
    for make, kind in ((_link, "symbolic link"), (_hard, "hard link")):
        for name in (
            "report.html", "results/csim-torch.json", "results/csim-hls.json",
            "work/sim-icarus/run.json",
            "work/sim-icarus/job.json", "work/sim-icarus/sim.log", "work/sim-icarus/result.json",
        ):  # fmt: skip

            def trap(
                here: Path, other: Path, name: str = name, make: Callable[[Path, Path], None] = make
            ) -> tuple[str, ...]:
                project = _project(here)
                make(project / name, other / "file")
                if name.startswith("work"):
                    return ("sim", str(project), "--simulator", "icarus", "--frames", "1")
                if name.startswith("results/csim-t"):
                    return ("gpu", "run", str(project), "--batch", "2")
                return ("csim" if name.startswith("results") else "report", str(project))

            yield f"{kind} {name}", trap
    for name in (
        "results",
        "work",
        "work/sim-icarus",
        "rtl",
        "graph.json",
        "config.json",
        "plan.json",
    ):
        for command in ("sim", "gpu run", "report"):

            def folder(
                here: Path, other: Path, name: str = name, command: str = command
            ) -> tuple[str, ...]:
                project = _project(here)
                if (project / name).exists():
                    shutil.copy(project / name, other / "copy")
                    (project / name).unlink()
                    _link(project / name, other / "copy")
                else:
                    _link(project / name, other)
                more = {
                    "sim": ("--simulator", "icarus", "--frames", "1"),
                    "gpu run": ("--batch", "2"),
                }
                return (*command.split(), str(project), *more.get(command, ()))

            yield f"{command} with {name} elsewhere", folder


def _named() -> Iterator[tuple[str, Trap]]:
    """Yield names in files that lead elsewhere."""
    for path in (
        "../../other/file",
        "../other/file",
        "{other}/file",
        "rtl/../../other/file",
        "link",
    ):

        def manifest(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            files = dict(loaders.project())
            name = path.format(other=other)
            files["manifest.json"] = loaders.manifest({**files, name: b"of somebody else"})
            _link(loaders.lay(here / "p", files) / "link", other / "file")
            return ("report", str(here / "p"))

        def weight(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            seed = loaders.BY_NAME["pt2-weights"].seeds()[0]
            data = seed.replace(b"weight_0", path.format(other=other).encode())
            (here / "m.pt2").write_bytes(loaders.pt2_with_weights(data))
            return ("convert", "m.pt2", "-o", "out")

        def tensor(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            import onnx

            model = onnx.ModelProto.FromString(loaders.onnx_models()[0])
            first = model.graph.initializer[0]
            first.ClearField("raw_data")
            first.data_location = onnx.TensorProto.EXTERNAL
            first.external_data.add(key="location", value=path.format(other=other))
            _link(here / "link", other / "file")
            (here / "m.onnx").write_bytes(model.SerializeToString())
            return ("convert", "m.onnx", "-o", "out")

        def top(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            return (*_MLP, "--name", path.format(other=other), "-o", "out")

        def simulator(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            return ("sim", str(_project(here)), "--simulator", path.format(other=other))

        def target(here: Path, other: Path, path: str = path) -> tuple[str, ...]:
            return ("synth", str(_project(here)), "--target", path.format(other=other))

        yield f"manifest names {path}", manifest
        yield f"model names {path}", weight
        yield f"tensor names {path}", tensor
        yield f"top named {path}", top
        yield f"simulator {path}", simulator
        yield f"target {path}", target


def traps() -> list[tuple[str, Trap]]:
    """Return every trap, those of one kind spread over all."""
    kinds = [list(_outputs()), list(_planted()), list(_named())]
    spread = [(at / len(kind), trap) for kind in kinds for at, trap in enumerate(kind)]
    return [trap for _, trap in sorted(spread, key=lambda item: item[0])]


def check_paths(count: int, folder: Path) -> tuple[int, list[str]]:
    """Run the traps; return how many there were, and which of them caught something."""
    wrong, chosen = [], traps()[:count]
    for label, trap in chosen:
        shutil.rmtree(folder)
        here, other = folder / "work", folder / "other"
        here.mkdir(parents=True)
        other.mkdir()
        (other / "file").write_text("of somebody else")
        os.chdir(here)
        words = trap(here, other)
        before = _content(other)
        ran = run(*words)
        if _content(other) != before:
            wrong.append(f"{label}: changed {sorted(_content(other).items() ^ before.items())[:2]}")
        if sorted(path.name for path in folder.iterdir()) != ["other", "work"]:
            wrong.append(f"{label}: wrote {sorted(path.name for path in folder.iterdir())}")
        if ran.code not in (0, 2):
            wrong.append(f"{label}: exit code {ran.code}")
        os.chdir(folder)
    return len(chosen), wrong


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"/"
        for path in folder.rglob("*")
    }
