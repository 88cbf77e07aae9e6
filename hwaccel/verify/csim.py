"""Run the emitted HLS C++ on the CPU: g++, the open ``ap_int`` headers, files of integers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwaccel import tools
from hwaccel.emit.kernels import one_file, source_folder
from hwaccel.errors import ToolError
from hwaccel.ir import Graph, Interpreter
from hwaccel.tools.cache import digest, locked, user_cache, writable

Ints = NDArray[np.int64]

# More optimization saves nothing: ap_int marks its values volatile.
_FLAGS = ("-std=c++17", "-O1", "-Wno-unknown-pragmas")
# What every design includes: two of the four seconds that a small one takes.
_WIDTH = "#define AP_INT_MAX_W 1024\n"
_HEADERS = f"""\
{_WIDTH}
#include <cstdio>
#include <cstdlib>
#include <string.h>
#include <type_traits>
#include <vector>

#include <ap_int.h>
#include <hls_stream.h>
"""


def csim(
    files: Mapping[str, str] | Path,
    graph: Graph,
    xs: Sequence[Ints],
    *,
    timeout_s: float = 600,
) -> tuple[Ints, ...]:
    """Return the integer outputs ``(N, *shape)`` of the HLS design for batches ``(N, *shape)``.

    ``files`` is what ``emit_hls`` made of ``graph``, or the folder that holds it.

    Raises:
        ToolError: g++ or the headers are missing, compilation failed, or time ran out.
        VerifyError: the batches do not fit the inputs of the graph.
    """
    Interpreter(graph).environment(xs)
    with tempfile.TemporaryDirectory(prefix="hwaccel-csim-") as name:
        scratch = Path(name)
        program = compile_csim(source_folder(files, scratch), scratch, timeout_s=timeout_s)
        return _run(program, graph, xs, timeout_s)


def compile_csim(
    folder: Path, into: Path, *, flags: Sequence[str] = (), timeout_s: float = 600
) -> Path:
    """Compile the HLS design in ``folder`` with its test bench; return the program.

    ``flags`` are added to the compiler's. Without them the headers are compiled once, and kept for
    this user.

    Raises:
        ToolError: g++ or the headers are missing, or compilation failed.
    """
    compiler, headers = tools.require("g++"), tools.require("ap_types")
    bench = one_file(folder, "_csim.cpp")
    design = bench.with_name(bench.name.replace("_csim.cpp", ".cpp"))
    program = into.resolve() / "csim"
    command: list[str | Path] = [*compiler.argv, *_FLAGS, *flags, "-isystem", headers.path]
    # A design with wider beats has another width in front of the headers.
    usual = not flags and _WIDTH in design.with_suffix(".h").read_text("ascii")
    shared = _shared_headers(command, timeout_s) if usual else ()
    # Both in one translation unit: the headers are most of the work.
    sources = (*shared, "-include", design, bench, "-o", program)
    tools.run([*command, *sources], cwd=folder, timeout_s=timeout_s)
    return program


def _shared_headers(command: Sequence[str | Path], timeout_s: float) -> tuple[str | Path, ...]:
    """Return the options that include the headers in the form in which they are compiled."""
    cache, version = user_cache("csim"), tools.version(tools.require("g++"))
    if not writable(cache):
        return ()
    folder = cache / f"headers-{digest([_HEADERS, str(version), *map(str, command)])}"
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as name:
                text = Path(name) / "made" / "hls.h"
                text.parent.mkdir()
                text.write_text(_HEADERS, encoding="ascii")
                compiled = text.with_suffix(".h.gch")
                asked = ("-x", "c++-header", text, "-o", compiled)
                tools.run([*command, *asked], cwd=text.parent, timeout_s=timeout_s)
                text.parent.rename(folder)
    # The compiler takes the text beside it where the compiled form does not fit.
    return ("-include", folder / "hls.h")


def _run(program: Path, graph: Graph, xs: Sequence[Ints], timeout_s: float) -> tuple[Ints, ...]:
    folder, types = program.parent, graph.types()
    sources = [folder / f"in{i}.bin" for i in range(len(graph.inputs))]
    sinks = [folder / f"out{i}.bin" for i in range(len(graph.outputs))]
    for path, x in zip(sources, xs, strict=True):
        np.ascontiguousarray(x, dtype=np.int64).tofile(path)
    done = tools.run([program, *sources, *sinks], cwd=folder, timeout_s=timeout_s)
    # hls::stream only prints when a process reads too much or leaves something behind.
    if "WARNING" in done.output:
        raise ToolError(f"csim: {tools.meaningful_line(done.output)}; report this as a bug")
    return tuple(
        np.fromfile(path, dtype=np.int64).reshape(-1, *types[name].shape)
        for path, name in zip(sinks, graph.outputs, strict=True)
    )
