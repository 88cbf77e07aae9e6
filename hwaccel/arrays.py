"""Read ``.npy`` and ``.npz`` files of numbers; no objects, and no more than what is stored."""

from __future__ import annotations

import io
import math
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ConfigError
from hwaccel.untrusted import Damaged, open_file, open_zip

Numbers = NDArray[np.generic]

_MAX_BYTES = 1 << 32
_MAX_HEADER = 10_000
_MAX_RANK = 32
_MAX_ARRAYS = 1 << 10


def read_stored(path: Path) -> tuple[tuple[str, Numbers], ...]:
    """Return the arrays of a file in the element types they are stored in, each with its name.

    A ``.npy`` file holds one array, whose name is empty, an ``.npz`` file any number of them.

    Raises:
        ConfigError: the file is missing, damaged, or does not hold numbers.
    """
    kind = ".npz" if path.suffix == ".npz" else ".npy"
    try:
        with open_file(path) as file:
            if file.read(4) == b"PK\x03\x04" or kind == ".npz":
                return _archive(path)
            size = os.fstat(file.fileno()).st_size
            if size > _MAX_BYTES:
                raise Damaged(f"has more than {_MAX_BYTES >> 20} MiB, the most that is read")
            file.seek(0)
            return (("", _array(file, size, str(path))),)
    except Damaged as error:
        raise ConfigError(f"{path}: is not a {kind} file of numbers ({error})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise ConfigError(f"{path}: holds more numbers than fit into memory; give fewer") from None


def _archive(path: Path) -> tuple[tuple[str, Numbers], ...]:
    if path.suffix != ".npz":
        raise ConfigError(f"{path}: holds an archive, expected numbers; call it .npz")
    with open_zip(path, _MAX_BYTES, packed=True) as archive:
        members = archive.infolist()
        if not members:
            raise ConfigError(f"{path}: holds no arrays; save one for each input")
        if len(members) > _MAX_ARRAYS:
            raise Damaged(f"holds {len(members)} arrays, expected at most {_MAX_ARRAYS}")
        return tuple(_member(path, archive, member) for member in members)


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, Numbers]:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as file:
        return name, _array(file, member.file_size, f"{path} ({name})")


def _array(file: IO[bytes], size: int, label: str) -> Numbers:
    """Read one array from a stream of ``size`` bytes."""
    shape, by_column, dtype = _header(file)
    if dtype.kind not in "biuf":
        raise ConfigError(f"{label}: holds {dtype}, expected numbers")
    if len(shape) > _MAX_RANK or any(n < 0 for n in shape):
        raise Damaged(f"the shape is {shape}")
    wanted, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if wanted > there:
        raise Damaged(f"{there} bytes follow the header, {wanted} are needed for shape {shape}")
    data = bytearray(wanted)
    view, done = memoryview(data), 0
    while done < wanted:
        # Members of archives are read into a buffer by a method of their base class only.
        count = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise Damaged("the file ends within the numbers")
        done += count
    array: Numbers = np.frombuffer(data, dtype).reshape(shape, order="F" if by_column else "C")
    return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether columns come first, and element type."""
    magic = file.read(8)
    if magic[:6] != b"\x93NUMPY" or len(magic) < 8 or magic[6] not in (1, 2, 3):
        raise Damaged("it does not begin like one")
    counted = file.read(2 if magic[6] == 1 else 4)
    length = int.from_bytes(counted, "little")
    if length > _MAX_HEADER:
        raise Damaged(f"its header has {length} bytes, expected at most {_MAX_HEADER}")
    rest = io.BytesIO(counted + file.read(length))
    read = (
        np.lib.format.read_array_header_1_0
        if magic[6] == 1
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, by_column, dtype = read(rest, max_header_size=_MAX_HEADER)
    except Exception as error:  # it is a literal of Python, which has many ways to be wrong
        said = str(error).splitlines() or [type(error).__name__]
        raise Damaged(f"its header is damaged: {said[0][:200]!r}") from None
    return tuple(map(int, shape)), by_column, dtype
