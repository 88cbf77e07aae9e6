"""Verilated models with cocotb inside, kept by content: the same Verilog is compiled once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.tools.cache import user_cache

BUILD_TIMEOUT_S = 900.0
# Models kept; the ones not used for longest go first.
KEPT = 64

RUNNER = Path(__file__).with_name("_cocotb_run.py")
_FLAGS = ("--x-initial", "unique", "--x-assign", "unique", "-O3")


def run_cocotb(
    run: Mapping[str, Any], folder: Path, log: Path, env: Mapping[str, str], timeout_s: float
) -> None:
    """Run cocotb's runner on ``run`` in a process of its own.

    Raises:
        ToolError: compiler or simulator failed or ran out of time; the line names the log.
    """
    file = folder / f"{log.stem}.json"
    file.write_text(json.dumps(run, indent=1), encoding="utf-8")
    quiet = {"PYTEST_CURRENT_TEST": "", "WAVES": "", "COCOTB_LOG_LEVEL": "WARNING"}
    quiet["COCOTB_REWRITE_ASSERTION_FILES"] = ""
    done = tools.run(
        [sys.executable, "-P", RUNNER, file],
        cwd=folder,
        env={**quiet, **env},
        log=log,
        timeout_s=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(tools.failure(str(run["simulator"]), done, log))


def verilated(files: Mapping[str, str], top: str, *, waves: bool) -> Path:
    """Return the folder that holds the program ``top`` for these Verilog files.

    Safe under parallel use: the first one builds, the others wait for it.

    Raises:
        ToolError: Verilator, make or the C++ compiler is missing or fails.
    """
    for tool in ("verilator", "make", "g++"):
        tools.require(tool)
    cache = user_cache("verilated")
    folder = cache / _digest(files, top, waves)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / top).is_file():
            _build(files, top, waves, folder)
            _prune(cache)
    with suppress(OSError):
        folder.touch()
    return folder


def _build(files: Mapping[str, str], top: str, waves: bool, folder: Path) -> None:
    """Compile in a scratch folder, then move the program to ``folder`` in one step."""
    scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        sources = []
        for name, text in sorted(files.items()):
            (scratch / name).write_text(text, encoding="ascii")
            sources.append(str(scratch / name))
        run = {
            "simulator": "verilator",
            "benches": "",
            "build": True,
            "test": False,
            "sources": sources,
            "top": top,
            "build_dir": str(scratch / "obj"),
            "build_args": list(_FLAGS),
            "waves": waves,
        }
        log = folder.parent / f"{folder.name}.log"
        run_cocotb(run, scratch, log, _make_env(), BUILD_TIMEOUT_S)
        (scratch / "out").mkdir()
        (scratch / "obj" / top).rename(scratch / "out" / top)
        shutil.rmtree(folder, ignore_errors=True)
        (scratch / "out").rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
