"""A process that stays and answers requests, a line for a line; it may hang or be killed.

Whatever it starts inherits a mark in its environment, and goes with it: also what is in a session
of its own, and what outlived a worker that was killed from outside.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwaccel.errors import ToolError
from hwaccel.tools.process import meaningful_line

_MARK = "HWACCEL_WORKER"
_START_S = 600.0
_READY = b"ready"
_ROUNDS = 20


class Died(ToolError):
    """The worker is gone, and with it what it was doing."""


class TimedOut(ToolError):
    """The worker did not answer in the time it was given."""


class Worker:
    """A process that says ``ready`` and then answers each line on its standard input by one.

    ``log`` receives what it says on standard error.
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._log, self._token, self._read, self._greeted = log, uuid.uuid4().hex, b"", False
        log.parent.mkdir(parents=True, exist_ok=True)
        marked = {**os.environ, **(env or {}), _MARK: self._token}
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env=marked,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                    bufsize=0,
                )
        except OSError as error:
            raise Died(f"worker: cannot be started in {cwd}: {error.strerror}") from None

    @property
    def pid(self) -> int:
        """The number of its process, which is that of its process group."""
        return self._process.pid

    def ask(self, line: bytes, timeout_s: float) -> bytes:
        """Return the answer to ``line``; the time to start does not count.

        After an exception only ``kill`` makes sense.

        Raises:
            Died: the process ended without an answer.
            TimedOut: there was none in ``timeout_s``.
        """
        if not self._greeted:
            if self._line(_START_S) != _READY:
                raise Died("worker: said something else before it was ready")
            self._greeted = True
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
        except OSError:
            raise self._died() from None
        return self._line(timeout_s)

    def kill(self) -> None:
        """End the process and everything that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for _ in range(_ROUNDS):  # what is found may just be starting something
            if not _kill_marked(f"{_MARK}={self._token}".encode()):
                break
            time.sleep(0.02)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        handle, deadline = self._process.stdout.fileno(), time.monotonic() + timeout_s
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            # In short steps: a pipe that a grandchild inherited tells nothing of the worker's end.
            ready, _, _ = select.select([handle], [], [], max(0.0, min(left, 1.0)))
            data = os.read(handle, 1 << 16) if ready else b""
            self._read += data
            if not data and (ready or self._process.poll() is not None):
                raise self._died()
            if left <= 0 and not ready:
                raise TimedOut(f"stopped after {timeout_s:g} s, the time a run is given")
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _died(self) -> Died:
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            return Died("worker: closed its output without an answer")
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        with contextlib.suppress(OSError):
            said = meaningful_line(self._log.read_text(encoding="utf-8", errors="replace"))
            if said and code >= 0:
                how += f": {said}"
        return Died(f"worker: ended without an answer ({how})")


def _kill_marked(mark: bytes) -> int:
    """Kill the processes with ``mark`` in their environment; return how many there were.

    A process is held while it is looked at, so no other one that got its number is hit. Where
    there is no ``/proc`` none is found, and only the process group is killed.
    """
    found = 0
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            handle = os.pidfd_open(int(place.name))
            try:
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    found += 1
            finally:
                os.close(handle)
    return found
