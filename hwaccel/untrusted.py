"""Files from outside, read within bounds of memory and time; nothing in them is ever run.

A size that a file states is compared with the bytes that are there before anything is allocated.
Callers name the file and the way out; ``Damaged`` says only what is wrong.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from hwaccel.errors import HwaccelError

# What holds a network: 32 million weights, in float32.
MAX_MODEL_BYTES = 1 << 27
MAX_WEIGHTS = 1 << 25
# Values of a document: a number takes 8 bytes, an empty list 64.
MAX_VALUES = 1 << 23
_MAX_DIRECTORY = 1 << 22
# What a packed member may grow to, whatever its size, and beyond that in terms of the archive.
_FREE_BYTES = 1 << 25
_MAX_RATIO = 16

# What zipfile raises for archives that are none.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError),
    *(OverflowError, RuntimeError, UnicodeDecodeError),
)

T = TypeVar("T")


class Damaged(HwaccelError):
    """A file is not what it should be. The message lacks the name of the file."""


def read_file(path: Path, limit: int, *, links: bool = True) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Without ``links`` a symbolic link in the place of the file is refused.

    Raises:
        Damaged: it is no regular file, or larger.
        OSError: it is missing, or cannot be read.
    """
    with os.fdopen(_open(path, links), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limit + 1) if size <= limit else b""
    if max(size, len(data)) > limit:
        raise Damaged(f"has more than {_amount(limit)}, the most that is read")
    return data


def open_file(path: Path) -> io.BufferedReader:
    """Open a regular file; a pipe or a device would keep the reader waiting, or feed it forever."""
    return os.fdopen(_open(path, links=True), "rb")


def _open(path: Path, links: bool) -> int:
    follow = 0 if links else os.O_NOFOLLOW
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | follow)
    except ValueError as error:  # a null byte in the name
        raise Damaged(f"cannot be read ({error})") from None
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise Damaged("is no regular file")


def _amount(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


# --- JSON ----------------------------------------------------------------------------------------


def decode_json(data: bytes, type: type[T]) -> T:
    """Return a document of ``type``: strict JSON in which no key stands twice in one object.

    Raises:
        Damaged: it is not; the message names the place.
    """
    values = data.count(b",")
    if values > MAX_VALUES:
        raise Damaged(f"holds {values} values, expected at most {MAX_VALUES}")
    try:
        document = msgspec.json.decode(data, type=type)
        json.loads(data, object_pairs_hook=_unique, parse_int=_nothing, parse_float=_nothing)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Damaged(str(error)) from None
    return document


def _unique(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Damaged(f"key {name[:80]!r} stands twice in one object; keep one")
        seen.add(name)


def _nothing(text: str) -> None:
    return None


# --- archives ------------------------------------------------------------------------------------


class _Directory(io.BufferedReader):
    """A file whose reader asks for no more than ``most`` bytes at once."""

    most: int | None = _MAX_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as a file does; refuse the table of contents of an archive that is all table."""
        if self.most is not None and size is not None and size > self.most:
            raise Damaged(f"has a table of contents of {size} bytes, expected {self.most} at most")
        return super().read(size)


@contextmanager
def open_zip(path: Path, limit: int, *, packed: bool = False) -> Iterator[zipfile.ZipFile]:
    """Open an archive of at most ``limit`` bytes whose members all have names of their own.

    Where members may be ``packed``, they may be larger than the archive, within reason.

    Raises:
        Damaged: it is no such archive, or its members are larger than they may be.
        OSError: it is missing, or cannot be read.
    """
    file = _Directory(io.FileIO(_open(path, links=True), "rb"))
    try:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise Damaged(f"has more than {_amount(limit)}, the most that is read")
        with zipfile.ZipFile(file) as archive:
            file.most = None
            if not packed:
                _check_stored(archive)
            _check_places(archive, size)
            _check_sizes(archive, max(_FREE_BYTES, _MAX_RATIO * size) if packed else size)
            yield archive
    except _DAMAGE as error:
        raise Damaged(" ".join(str(error).split()) or type(error).__name__) from None
    finally:
        file.close()


def _check_stored(archive: zipfile.ZipFile) -> None:
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED:
            name = member.filename.partition("/")[2] or member.filename
            raise Damaged(f"member {name[:80]!r} is compressed")


def _check_places(archive: zipfile.ZipFile, size: int) -> None:
    for member in archive.infolist():
        if not 0 <= member.header_offset < size:
            raise Damaged(f"member {member.filename[:80]!r} is said to lie outside of the file")


def _check_sizes(archive: zipfile.ZipFile, most: int) -> None:
    members = archive.infolist()
    if len({member.filename for member in members}) != len(members):
        raise Damaged("holds two members of one name")
    total = sum(member.file_size for member in members)
    if total > most:
        raise Damaged(f"its members have {total} bytes, expected at most {most}")
