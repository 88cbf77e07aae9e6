"""A folder of results: a file for each, written in one step as soon as it is there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from hwaccel.emit.project import replace_file
from hwaccel.errors import EmitError
from hwaccel.untrusted import Damaged, decode_json, read_file

_MAX_BYTES = 1 << 20
# Given back when the disk is full, so that what is still going on can be kept.
_RESERVE = 4 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)

R = TypeVar("R", bound=msgspec.Struct)


class Store(Generic[R]):
    """The results in a folder, which one process at a time may use."""

    def __init__(self, folder: Path, command: str, kind: type[R]) -> None:
        """Open the folder of ``hwaccel COMMAND``, or make it.

        Raises:
            EmitError: it holds something else, is in use, or cannot be written.
        """
        self.folder = folder
        self.damaged: list[str] = []
        self._command, self._kind = command, kind
        self._reserve = folder / ".reserve"
        try:
            self._open()
        except OSError as error:
            raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None

    def _open(self) -> None:
        mark, command = self.folder / f"{self._command}.json", f"hwaccel {self._command}"
        if self.folder.exists() and not self.folder.is_dir():
            raise EmitError(f"{self.folder}: is a file, expected a folder; choose another name")
        if self.folder.is_dir() and any(self.folder.iterdir()) and not mark.is_file():
            raise EmitError(
                f"{self.folder}: holds files that {command} did not write; choose an empty "
                "or new folder"
            )
        (self.folder / "results").mkdir(parents=True, exist_ok=True)
        self._lock = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise EmitError(f"{self.folder}: another {command} works there; wait") from None
        text = f'{{"format": "hwaccel-{self._command}", "version": 1}}\n'.encode()
        if os.pwrite(self._lock, text, 0) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(mark))
        self._reserve.write_bytes(b"\0" * _RESERVE)

    def close(self) -> None:
        """Let others use the folder."""
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)
        os.close(self._lock)

    def find(self, key: str, fits: Callable[[R], bool]) -> R | None:
        """Return the result called ``key``, if it is there and ``fits``.

        One that cannot be read, or does not fit, is noted in ``damaged``: it is made again, and
        then replaced.
        """
        path = self._place(key)
        try:
            result = decode_json(read_file(path, _MAX_BYTES), self._kind)
        except FileNotFoundError:
            return None
        except (OSError, Damaged) as error:
            self.damaged.append(f"{path}: cannot be read ({error}); it is made again")
            return None
        if not fits(result):
            self.damaged.append(f"{path}: is not the result of that name; it is made again")
            return None
        return result

    def forget(self, key: str) -> None:
        """Remove a result, if it is there.

        Raises:
            EmitError: it cannot be removed.
        """
        path = self._place(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise EmitError(f"{path}: cannot be removed ({error.strerror})") from None

    def save(self, key: str, result: R) -> None:
        """Write a result in one step. On a full disk what was kept in reserve is used for it.

        Raises:
            OSError: there is no room, or the folder cannot be written.
        """
        path, data = self._place(key), msgspec.json.encode(result) + b"\n"
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

    def _place(self, key: str) -> Path:
        return self.folder / "results" / f"{key}.json"


class Keeper(Generic[R]):
    """Writes results while others are made, and remembers those for which there is no room."""

    def __init__(self, store: Store[R]) -> None:
        self._store = store
        self._unkept: list[tuple[str, R, str]] = []

    def keep(self, key: str, result: R) -> bool:
        """Write a result; say whether more may be begun."""
        try:
            self._store.save(key, result)
        except OSError as error:
            self._unkept.append((key, result, error.strerror or str(error)))
        return not self._unkept and not self._store.tight

    def check(self, finished: int) -> None:
        """Try once more to write what could not be written; ``finished`` results are there.

        Raises:
            EmitError: there is no room, or the folder cannot be written.
        """
        if not self._unkept and not self._store.tight:
            return
        lost = []
        for key, result, reason in self._unkept:
            try:
                self._store.save(key, result)
            except OSError:
                lost.append(reason)
        facts = ["the disk is full"] if self._store.tight else []
        if lost:
            facts.append(f"{_results(len(lost))} could not be written ({lost[0]})")
        facts += [f"{_results(finished - len(lost))} kept"]
        facts += ["make room"] if self._store.tight else []
        raise EmitError(
            f"{self._store.folder}: {'; '.join(facts)}; give the same command again, "
            "it goes on from there"
        )


def _results(number: int) -> str:
    return f"{number} result{'' if number == 1 else 's'}"
