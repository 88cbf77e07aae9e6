"""Gather everything a tool reads in one folder, under names that need no quoting.

YoWASP tools see the real file system, but their own folder as ``/tmp``, and follow no absolute
symbolic link: only relative names below the working folder are safe. A staged folder also can be
packed and run elsewhere.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

from hwaccel.errors import ConfigError
from hwaccel.synth.names import is_plain_file

# Files a Verilog source may read: memory images and headers.
_COMPANIONS = (".mem", ".hex", ".vh", ".svh")


def stage(sources: Sequence[Path], data: Sequence[Path], workdir: Path) -> tuple[str, ...]:
    """Copy sources and the files they read into ``workdir``; return the names of the sources.

    ``data`` holds further files, or folders of which every memory image and header is taken. Those
    beside a source come along by themselves.

    Raises:
        ConfigError: a file is missing, or two different ones share a name.
    """
    if not sources:
        raise ConfigError("no Verilog source given; pass the files that `write` emitted")
    workdir.mkdir(parents=True, exist_ok=True)
    placed: dict[str, Path] = {}
    names = tuple(
        _place(path, _safe_name(path, number), workdir, placed)
        for number, path in enumerate(sources)
    )
    folders = dict.fromkeys([path.parent for path in sources])
    for item in [*data, *folders]:
        for path in _companions(item) if item.is_dir() else [item]:
            if path.name not in placed or path in data:
                _place(path, path.name, workdir, placed)
    return names


def _safe_name(path: Path, number: int) -> str:
    return path.name if is_plain_file(path.name) else f"source_{number}.v"


def _companions(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in _COMPANIONS and p.is_file())


def _place(path: Path, name: str, workdir: Path, placed: dict[str, Path]) -> str:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; convert the model again or correct the path")
    other = placed.get(name)
    if other is not None and not filecmp.cmp(path, other, shallow=False):
        raise ConfigError(
            f"{path}: has the same name as {other} but other contents; rename one of them"
        )
    placed[name] = path
    destination = workdir / name
    if not (destination.exists() and destination.samefile(path)):
        shutil.copyfile(path, destination)
    return name
