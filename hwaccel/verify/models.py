"""Verilated models with cocotb inside, kept by content: the same Verilog is compiled once.

cocotb's own runner makes every signal of the design public and compiles Verilator's run-time
library anew for each model. Here only the top's signals are public, which is all that a bench
needs, and the library is compiled once: 2 instead of 60 seconds of CPU time for a small CNN.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.tools.cache import digest, drop_oldest, locked, user_cache
from hwaccel.verify.verilating import BUILD_TIMEOUT_S, Recipe

# FST is written with lz4 and zlib, which a compiler may lack.
_TRACE: Mapping[str, tuple[str, ...]] = {"": (), "vcd": ("--trace",), "fst": ("--trace-fst",)}
# Models kept; the ones not used for longest go first.
KEPT = 100

_VERILATOR = ("--cc", "--exe", "--vpi", "--public-depth", "1", "--timescale", "1ns/1ps")
# Start from random register values, so that what lacks a reset shows; see `random_start`.
_RANDOM = ("--x-initial", "unique", "--x-assign", "unique")
_LACKS_FST = re.compile(r"(?:lz4|zlib)\.h: No such file|cannot find -l(?:lz4|z)\b")


def random_start(seed: int) -> list[str]:
    """Return the arguments with which a model starts from the register values of ``seed``."""
    return ["+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]


def cocotb_files() -> Any:
    """Return the module of cocotb that knows where its libraries are.

    Raises:
        ToolError: cocotb or its AXI models are not installed.
    """
    for package in ("cocotb_tools", "cocotbext"):
        if importlib.util.find_spec(package) is None:
            raise ToolError(
                f"{package}: not found; it runs the benches; "
                "install it with: pip install 'hwaccel[sim]'"
            )
    return importlib.import_module("cocotb_tools.config")


def verilated(files: Mapping[str, str], top: str, *, waves: str) -> Path:
    """Return the folder that holds the program ``top`` for these Verilog files.

    ``waves`` is the format in which it writes them: ``fst``, ``vcd``, or empty for none.

    Safe under parallel use: the first one builds, the others wait for it.

    Raises:
        ToolError: Verilator, make or the C++ compiler is missing or fails.
    """
    for tool in ("verilator", "make", "g++"):
        tools.require(tool)
    cache = user_cache("verilated")
    recipe = Recipe((*_VERILATOR, *_RANDOM, *_TRACE[waves]), fast="-O1", slow="-O0", library="-O2")
    sources = [word for item in sorted(files.items()) for word in item]
    folder = cache / digest([recipe.runtime, str(cocotb_files().libs_dir), top, *sources])
    with locked(cache / f"{folder.name}.lock"):
        if not (folder / top).is_file():
            _build(files, top, recipe, folder)
            _prune(cache)
    with suppress(OSError):
        os.utime(folder)
    return folder


def _build(files: Mapping[str, str], top: str, recipe: Recipe, folder: Path) -> None:
    """Compile in a scratch folder, then move the program to ``folder`` in one step."""
    log = folder.with_suffix(".log")
    scratch = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        for name, text in files.items():
            (scratch / name).write_text(text, encoding="ascii")
        _compile(scratch, sorted(files), top, recipe, log)
        (scratch / "out").mkdir()
        (scratch / "obj" / top).rename(scratch / "out" / top)
        shutil.rmtree(folder, ignore_errors=True)
        (scratch / "out").rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _compile(scratch: Path, names: Sequence[str], top: str, recipe: Recipe, log: Path) -> None:
    cocotb = cocotb_files()
    libraries = cocotb.libs_dir
    link = f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"
    main = cocotb.share_dir / "lib" / "verilator" / "verilator.cpp"
    verilator, env = tools.require("verilator"), tools.verilator_env()
    where = ["-Mdir", "obj", "--top-module", top, "--prefix", "Vtop", "-o", top, "-LDFLAGS", link]
    done = tools.run(
        [*verilator.argv, *recipe.options, *where, str(main), *names],
        cwd=scratch,
        env=env,
        log=log,
        timeout_s=BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        # A warning that ends the run is said first, and followed by advice on how to hide it.
        said = [line for line in done.output.splitlines() if line.startswith("%")]
        reason = said[0] if said else tools.meaningful_line(done.output)
        raise ToolError(f"verilator: failed (exit code {done.returncode}): {reason} (log: {log})")
    trace = f"VM_TRACE={int(any(option.startswith('--trace') for option in recipe.options))}"
    made = recipe.make(scratch / "obj", "Vtop", log, [trace])
    if made.returncode != 0:
        if "--trace-fst" in recipe.options and _LACKS_FST.search(made.output):
            raise ToolError(
                "verilator: cannot write FST: the compiler finds no lz4 or zlib; write VCD (name "
                "the file .vcd), use icarus, or install them: liblz4-dev and zlib1g-dev on Debian"
            )
        raise ToolError(tools.failure("make", made, log))


def _prune(cache: Path) -> None:
    """Drop the models that were not used for longest."""
    drop_oldest((p for p in cache.iterdir() if p.is_dir() and "-" not in p.name), KEPT)
