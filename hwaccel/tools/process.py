"""Run one external program: the only module that starts a process. No shell is ever involved.

``run`` kills the whole process group when time runs out or the user interrupts, and turns every
failure into one line that holds the tool's own complaint.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TextIO

from hwaccel.errors import ToolError

_GRACE_S = 2.0
_MESSAGE_CHARS = 300
_NOISE = re.compile(
    r"^(make(\[\d+\])?:|collect2:|compilation terminated|ninja:|\d+ warnings?, \d+ errors?$"
    r"|%Error: (Exiting|Command Failed)|Preparing to run )"
)
_COMPLAINT = re.compile(r"\b(error|fatal|assertion|exception)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished process. ``output`` holds both streams in the order in which they arrived."""

    stdout: str
    stderr: str
    output: str
    returncode: int
    seconds: float


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return what it said.

    ``env`` is added to the current environment. ``log`` receives the output as it arrives, so it is
    complete even when the program is killed. ``on_line`` is called with every line.

    Raises:
        ToolError: it cannot be started, ran longer than ``timeout_s``, or (with ``check``) failed.
    """
    command = [str(word) for word in argv]
    name = Path(command[0]).name
    started = time.monotonic()
    process = _start(command, name, cwd, env, stdin is not None)
    sink = _Sink(log, on_line)
    try:
        readers = _start_readers(process, sink, stdin)
        process.wait(timeout_s)
        _join(readers, process)
    except subprocess.TimeoutExpired:
        last = meaningful_line(sink.text())
        _kill_group(process)
        _join(readers, process)
        raise ToolError(
            f"{name}: stopped after {timeout_s:g} s, the time it was given; last words: "
            f"{last or 'none'}{_log_hint(log)}; allow more time or make the design smaller"
        ) from None
    except BaseException:
        _kill_group(process)
        raise
    finally:
        sink.close()
    if sink.broken is not None:
        raise sink.broken
    out, err = sink.text("out"), sink.text("err")
    done = Completed(out, err, sink.text(), process.returncode, time.monotonic() - started)
    if check and done.returncode != 0:
        raise ToolError(failure(name, done, log))
    return done


def failure(name: str, done: Completed, log: Path | None = None) -> str:
    """Return the one line that says how a program failed."""
    code = done.returncode
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{name}: failed ({how}): {meaningful_line(done.output) or 'no output'}{_log_hint(log)}"


def meaningful_line(output: str) -> str:
    """Return the first complaint in ``output``, or else its last line that is not noise."""
    lines = [line.strip() for line in output.splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    complaints = (line for line in lines if _COMPLAINT.search(line))
    return next(complaints, lines[-1] if lines else "")[:_MESSAGE_CHARS]


class _Sink:
    """Collect lines of both streams, in order of arrival, and pass them on."""

    def __init__(self, log: Path | None, on_line: Callable[[str], None] | None) -> None:
        self._lines: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._on_line = on_line
        self.broken: Exception | None = None
        self._log: TextIO | None = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            self._log = log.open("w", encoding="utf-8", buffering=1)

    def read(self, stream: str, pipe: IO[str]) -> None:
        for line in pipe:
            with self._lock:
                self._lines.append((stream, line))
                if self._log is not None and not self._log.closed:
                    self._log.write(line)
            if self._on_line is not None and self.broken is None:
                try:
                    self._on_line(line.rstrip("\n"))
                except Exception as error:  # handed to the caller of run; the pipe must not fill
                    self.broken = error

    def text(self, stream: str = "") -> str:
        with self._lock:
            return "".join(line for source, line in self._lines if stream in ("", source))

    def close(self) -> None:
        with self._lock:
            if self._log is not None:
                self._log.close()


def _start(
    command: list[str], name: str, cwd: Path, env: Mapping[str, str] | None, feeds: bool
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        what = error.strerror or str(error)
        raise ToolError(
            f"{name}: cannot be started in {cwd}: {what}; see `hwaccel doctor`"
        ) from None


def _start_readers(
    process: subprocess.Popen[str], sink: _Sink, stdin: str | None
) -> list[threading.Thread]:
    assert process.stdout is not None
    assert process.stderr is not None
    jobs = [partial(sink.read, "out", process.stdout), partial(sink.read, "err", process.stderr)]
    if stdin is not None:
        jobs.append(partial(_feed, process, stdin))
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def _feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(text)
        process.stdin.close()


def _join(readers: list[threading.Thread], process: subprocess.Popen[str]) -> None:
    """Wait for the last lines; a grandchild that keeps a pipe open does not hold us up."""
    deadline = time.monotonic() + _GRACE_S
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))
    if any(reader.is_alive() for reader in readers):
        _signal_group(process, signal.SIGKILL)


def _kill_group(process: subprocess.Popen[str]) -> None:
    """End the process and all it started: ask (so that it can clean up), then insist."""
    for number in (signal.SIGINT, signal.SIGKILL):
        _signal_group(process, number)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _log_hint(log: Path | None) -> str:
    return f" (log: {log})" if log is not None else ""
