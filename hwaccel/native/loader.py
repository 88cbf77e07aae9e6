"""The compiled library, found or built.

A library is used only if the hash of the sources compiled into it is the hash of the sources at
hand. An installed package has no sources beside it and takes the library it was built with. In a
checkout a missing or outdated library is built into the user's cache, under the hash.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from hwaccel.errors import HwaccelError, ToolError
from hwaccel.native import compiling
from hwaccel.tools.cache import user_cache
from hwaccel.tools.process import run

ABI = 4
_PACKAGE = Path(__file__).parent
_SOURCES = _PACKAGE.parent.parent / "native"
_BUILD_S = 600.0


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Return the library.

    Raises:
        ToolError: there is none and none can be built.
    """
    shipped = _PACKAGE / f"_native{compiling.SUFFIX}"
    if not (_SOURCES / "library.cpp").is_file():
        if not shipped.is_file():
            raise ToolError(
                "the package was installed without its compiled library; install a C++ "
                "compiler (g++ or clang++) and run `pip install --force-reinstall hwaccel`"
            )
        return _load(shipped, None)
    wanted = compiling.source_hash(_SOURCES)
    cached = user_cache("native") / f"native-{wanted}{compiling.SUFFIX}"
    for path in (shipped, cached):
        found = _usable(path, wanted)
        if found is not None:
            return found
    _build(cached)
    return _load(cached, wanted)


@lru_cache(maxsize=1)
def available() -> ctypes.CDLL | None:
    """Return the library, or ``None`` where there is none, for users who can do without."""
    try:
        return library()
    except ToolError:
        return None


def _usable(path: Path, wanted: str) -> ctypes.CDLL | None:
    try:
        return _load(path, wanted) if path.is_file() else None
    except HwaccelError:
        return None


def _load(path: Path, wanted: str | None) -> ctypes.CDLL:
    try:
        found = ctypes.CDLL(str(path))
        found.hwa_source.restype = ctypes.c_char_p
        if found.hwa_abi() != ABI or wanted not in (None, found.hwa_source().decode()):
            raise ToolError(f"{path}: was built from other sources; remove it")
    except (OSError, AttributeError) as error:
        raise ToolError(f"{path}: cannot be loaded ({error}); remove it") from None
    return found


def _build(target: Path) -> None:
    compiler = compiling.find_compiler()
    if compiler is None:
        raise ToolError(
            "the native library is C++ and has to be compiled, but there is no compiler; "
            "install g++ or clang++, or name one in CXX"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder:
        built = Path(folder) / target.name
        run(compiling.command(compiler, _SOURCES, built), cwd=Path(folder), timeout_s=_BUILD_S)
        os.replace(built, target)
