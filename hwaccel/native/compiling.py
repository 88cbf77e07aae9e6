"""How the native part is compiled. The build hook loads this file alone: standard library only."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

SUFFIX = ".dll" if sys.platform == "win32" else ".so"


def find_compiler() -> list[str] | None:
    """Return the words of ``$CXX``, or else the first C++ compiler on the path."""
    chosen = os.environ.get("CXX", "").strip()
    if chosen:
        words = shlex.split(chosen)
        return words if shutil.which(words[0]) else None
    found = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
    return [found] if found else None


def sources(folder: Path) -> list[Path]:
    """Return the files that decide what is built."""
    return sorted([*folder.glob("*.cpp"), *folder.glob("*.h")])


def source_hash(folder: Path) -> str:
    """Return the hash of all sources; it is compiled into the library."""
    digest = hashlib.sha256()
    for path in sources(folder):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def command(compiler: list[str], folder: Path, output: Path) -> list[str]:
    """Return the command line that builds the library."""
    baseline = ["-march=x86-64-v2"] if platform.machine().lower() in {"x86_64", "amd64"} else []
    return [
        *compiler,
        *("-std=c++20", "-O3", "-shared", "-fPIC", "-pthread", "-ffp-contract=off", *baseline),
        f'-DHWA_SOURCE="{source_hash(folder)}"',
        *("-o", str(output)),
        *(str(path) for path in sources(folder) if path.suffix == ".cpp"),
    ]
