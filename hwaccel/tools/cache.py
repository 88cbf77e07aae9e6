"""Where things that are dear to make are kept between runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


def user_cache(name: str) -> Path:
    """Return the folder ``name`` of this user's cache for hwaccel; it need not exist yet.

    ``XDG_CACHE_HOME`` decides where it is set, otherwise the custom of the platform.
    """
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if Path(chosen).is_absolute() else home) / "hwaccel" / name


def writable(folder: Path) -> bool:
    """Make a folder and tell whether files can be put there."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK)


def digest(words: Sequence[str]) -> str:
    """Return a name for a list of texts, another one for any other list."""
    text = "\0".join(str(len(word)) + ":" + word for word in words)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until nobody else holds ``file``; a process that is killed lets go of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def drop_oldest(folders: Iterable[Path], kept: int) -> None:
    """Remove all but the ``kept`` folders that were used last, each with its log."""
    for old in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)[kept:]:
        shutil.rmtree(old, ignore_errors=True)
        old.with_suffix(".log").unlink(missing_ok=True)
