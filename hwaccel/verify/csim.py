"""Run the emitted HLS C++ on the CPU: g++, the open ``ap_int`` headers, files of integers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwaccel import tools
from hwaccel.emit.kernels import one_file, source_folder
from hwaccel.errors import ToolError, VerifyError
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]

# More optimization saves nothing: ap_int marks its values volatile.
_FLAGS = ("-std=c++17", "-O1", "-Wno-unknown-pragmas")


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
    if len({len(x) for x in xs}) > 1:
        counts = ", ".join(str(len(x)) for x in xs)
        raise VerifyError(f"{graph.name}: inputs hold {counts} frames, expected equal numbers")
    with tempfile.TemporaryDirectory(prefix="hwaccel-csim-") as name:
        scratch = Path(name)
        program = compile_csim(source_folder(files, scratch), scratch, timeout_s=timeout_s)
        return _run(program, graph, xs, timeout_s)


def compile_csim(
    folder: Path, into: Path, *, flags: Sequence[str] = (), timeout_s: float = 600
) -> Path:
    """Compile the HLS design in ``folder`` with its test bench; return the program.

    ``flags`` are added to the compiler's.

    Raises:
        ToolError: g++ or the headers are missing, or compilation failed.
    """
    compiler, headers = tools.require("g++"), tools.require("ap_types")
    bench = one_file(folder, "_csim.cpp")
    design = bench.with_name(bench.name.replace("_csim.cpp", ".cpp"))
    program = into.resolve() / "csim"
    # Both in one translation unit: the headers are most of the work.
    sources = ("-isystem", headers.path, "-include", design, bench, "-o", program)
    tools.run([*compiler.argv, *_FLAGS, *flags, *sources], cwd=folder, timeout_s=timeout_s)
    return program


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
