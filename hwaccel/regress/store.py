"""The folder of a suite: a file for every result, written in one step as soon as it is there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from hwaccel._version import __version__
from hwaccel.emit.project import replace_file
from hwaccel.errors import EmitError
from hwaccel.regress.plan import Run
from hwaccel.regress.work import Answer
from hwaccel.untrusted import Damaged, decode_json, read_file

_MARK = "regress.json"
_FORMAT = b'{"format": "hwaccel-regress", "version": 1}\n'
_MAX_BYTES = 1 << 20
# Given back when the disk is full, so that the runs that are still going can be kept.
_RESERVE = 4 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished run: what was asked for, and the answer."""

    design: str
    content: str
    simulator: str
    frames: int
    seed: int
    stall: str
    version: str
    answer: Answer

    @property
    def final(self) -> bool:
        """Say whether another try could not find anything else."""
        return self.answer.status in ("passed", "failed")


def result_of(run: Run, content: str, answer: Answer) -> Result:
    """Return the result of a run of a design whose content hash is ``content``."""
    return Result(
        design=run.source.name,
        content=content,
        simulator=run.simulator,
        frames=run.frames,
        seed=run.seed,
        stall=run.stall,
        version=__version__,
        answer=answer,
    )


def key_of(run: Run, content: str) -> str:
    """Return the name of a result: a hash of the design, the parameters and the version."""
    facts = (content, run.simulator, run.frames, run.seed, run.stall, __version__)
    return hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()[:32]


class Store:
    """The results in a folder, which one process at a time may use."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, or make it.

        Raises:
            EmitError: it holds something else, is in use, or cannot be written.
        """
        self.folder = folder
        self._reserve = folder / ".reserve"
        try:
            self._open()
        except OSError as error:
            raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None

    def _open(self) -> None:
        mark = self.folder / _MARK
        if self.folder.exists() and not self.folder.is_dir():
            raise EmitError(f"{self.folder}: is a file, expected a folder; choose another name")
        if self.folder.is_dir() and any(self.folder.iterdir()) and not mark.is_file():
            raise EmitError(
                f"{self.folder}: holds files that hwaccel regress did not write; choose an empty "
                "or new folder"
            )
        (self.folder / "results").mkdir(parents=True, exist_ok=True)
        self._lock = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise EmitError(f"{self.folder}: another hwaccel regress works there; wait") from None
        if os.pwrite(self._lock, _FORMAT, 0) != len(_FORMAT):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(mark))
        self._reserve.write_bytes(b"\0" * _RESERVE)

    def close(self) -> None:
        """Let others use the folder."""
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)
        os.close(self._lock)

    def find(self, run: Run, content: str) -> Result | None:
        """Return the result of this very run, if it is there and final."""
        try:
            data = read_file(self._place(run, content), _MAX_BYTES)
            result = decode_json(data, Result)
        except (OSError, Damaged):  # it is made again, and then replaced
            return None
        same = msgspec.structs.replace(result, design=run.source.name)
        if same != result_of(run, content, result.answer) or not result.final:
            return None
        return same

    def forget(self, run: Run, content: str) -> None:
        """Remove a result, if it is there.

        Raises:
            EmitError: it cannot be removed.
        """
        path = self._place(run, content)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise EmitError(f"{path}: cannot be removed ({error.strerror})") from None

    def save(self, run: Run, result: Result) -> None:
        """Write a result in one step. On a full disk what was kept in reserve is used for it.

        Raises:
            OSError: there is no room, or the folder cannot be written.
        """
        path, data = self._place(run, result.content), msgspec.json.encode(result) + b"\n"
        try:
            replace_file(path, data)
        except OSError as error:
            if error.errno not in _FULL or not self._reserve.exists():
                raise
            self._reserve.unlink(missing_ok=True)
            replace_file(path, data)

    @property
    def tight(self) -> bool:
        """Say whether the disk is full: what was kept in reserve is in use."""
        return not self._reserve.exists()

    def _place(self, run: Run, content: str) -> Path:
        return self.folder / "results" / f"{key_of(run, content)}.json"
