"""Runs tests on broken copies, each in a fork of a process that has imported the slow parts.

Started by ``python_mutants`` in the folder of a copy of the tree. Reads one JSON object a line:
``{"file", "source", "stages"}``, each stage the arguments of one run of pytest; answers with
``{"passed", "how", "seconds"}``, ``passed`` the number of stages that did, ``how`` the next ended.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# What all stages of a mutant may take: time of the processor, and on the clock.
CPU_S = 60
WALL_S = 600.0


def main() -> None:
    """Serve until the input ends."""
    sys.dont_write_bytecode = True
    import hypothesis
    import jinja2
    import msgspec
    import numpy
    import pytest
    import scipy.optimize
    import torch

    assert jinja2
    assert msgspec
    assert numpy
    assert pytest
    assert scipy
    torch.set_num_threads(1)
    # A failure is all that counts: it need not be made small, and the same ones come each time.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=phases, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    assert not any(name.split(".")[0] in ("hwaccel", "tests") for name in sys.modules)
    for line in sys.stdin:
        job = json.loads(line)
        file = Path(job["file"]) if job["file"] else None
        whole = file.read_bytes() if file else b""
        if file:
            for kept in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
                kept.unlink()
            file.write_text(job["source"], encoding="utf-8")
        try:
            answer = _forked(job["stages"])
        finally:
            if file:
                file.write_bytes(whole)
        print(json.dumps(answer), flush=True)


def _forked(stages: list[list[str]]) -> dict[str, object]:
    started = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _test(stages, writing)
    os.close(writing)
    how, done = "", 0
    while not done:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            how = {0: "", 1: "a test failed", -signal.SIGXCPU: "out of time"}.get(
                code, f"pytest ended with {code}"
            )
        elif time.monotonic() - started > WALL_S:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            how, done = "out of time", child
        else:
            time.sleep(0.01)
    passed = len(os.read(reading, 99))
    os.close(reading)
    return {"passed": passed, "how": how, "seconds": time.monotonic() - started}


def _test(stages: list[list[str]], writing: int) -> None:
    """Run the stages in this process and end it; the first failure ends the run."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
    import pytest

    sink = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(sink, stream)
    # Nothing that another mutant has left behind may answer.
    cache = tempfile.mkdtemp(prefix="hwaccel-mutant-")
    # The WebAssembly tools compile themselves for half a minute where this is missing.
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    os.symlink(Path(home) / "YoWASP", Path(cache) / "YoWASP")
    os.environ["XDG_CACHE_HOME"] = cache
    sys.path.insert(0, os.getcwd())
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not gpu and not synth"]
    code = 70
    try:
        for tests in stages:
            code = int(pytest.main([*options, f"--basetemp={cache}/tmp", *tests]))
            if code:
                break
            os.write(writing, b".")
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        os._exit(code)


if __name__ == "__main__":
    main()
