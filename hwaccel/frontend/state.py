"""Read a state dict saved by ``torch.save`` as data; no unpickler takes part, not even torch's.

The file is an archive of raw storages and of a pickle that says which tensor lies where. Of the
language of pickles only what such a dict is made of is understood: text, numbers, tuples, dicts
with text for keys, and the names below, none of which is called. Anything else is refused.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.untrusted import MAX_MODEL_BYTES, Damaged, open_zip

_AGAIN = "save model.state_dict() alone with torch.save"
_OBJECTS = "is damaged, or holds objects besides tensors, which are not unpickled; " + _AGAIN
_MAX_PICKLE = 1 << 19
_DICT, _TENSOR, _PARAMETER = (
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)
_STORAGES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the pickle mentions; nothing is imported or called."""

    text: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: torch.dtype


@dataclass(frozen=True, slots=True)
class _Layout:
    """A tensor before its numbers are read."""

    storage: _Storage
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


class _Foreign(Exception):
    """The pickle says something that no state dict says."""


_MARK = _Name("(")


def read_state(path: Path) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a state dict by name.

    Raises:
        FrontendError: the file is missing, damaged, or holds anything besides tensors.
    """
    try:
        with open_zip(path, MAX_MODEL_BYTES) as archive:
            return _tensors(path, archive)
    except FileNotFoundError:
        raise FrontendError(f"{path}: no such file") from None
    except OSError as error:
        raise FrontendError(f"{path}: cannot be read ({error.strerror})") from None
    except Damaged as error:
        raise FrontendError(f"{path}: cannot be read as weights ({error}); {_AGAIN}") from None


def _tensors(path: Path, archive: zipfile.ZipFile) -> dict[str, torch.Tensor]:
    names = archive.namelist()
    root = names[0].split("/")[0] if names else ""
    if f"{root}/data.pkl" not in names:
        raise Damaged("holds no state dict")
    if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
        raise Damaged("was saved on a big-endian machine")
    pickled = archive.read(f"{root}/data.pkl")
    if len(pickled) > _MAX_PICKLE:
        raise Damaged(f"describes tensors in {len(pickled)} bytes, expected {_MAX_PICKLE} at most")
    try:
        found = _Reader().read(pickled)
    except (_Foreign, ValueError, IndexError, KeyError, TypeError):
        raise FrontendError(f"{path}: {_OBJECTS}") from None
    if not isinstance(found, dict) or not all(isinstance(v, _Layout) for v in found.values()):
        raise FrontendError(f"{path}: holds no state dict; {_AGAIN}")
    storages: dict[str, bytearray] = {}
    return {key: _tensor(archive, root, layout, storages) for key, layout in found.items()}


def _tensor(
    archive: zipfile.ZipFile, root: str, layout: _Layout, storages: dict[str, bytearray]
) -> torch.Tensor:
    """Return a view of the storage; tensors that share one go on doing so."""
    key, dtype = layout.storage.key, layout.storage.dtype
    if 0 in layout.sizes:
        return torch.zeros(layout.sizes, dtype=dtype)
    if key not in storages:
        if f"{root}/data/{key}" not in archive.NameToInfo:
            raise Damaged("lacks the numbers of a tensor")
        storages[key] = bytearray(archive.read(f"{root}/data/{key}"))
    count = len(storages[key]) // dtype.itemsize
    last = sum((n - 1) * s for n, s in zip(layout.sizes, layout.strides, strict=True))
    if layout.offset + last >= count:
        raise Damaged("a tensor is larger than its storage")
    held = torch.frombuffer(storages[key], dtype=dtype, count=count)
    return held.as_strided(layout.sizes, layout.strides, layout.offset)


class _Reader:
    """The stack machine of a pickle, without the instructions that call something."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        """Return what the pickle holds, tensors as ``_Layout``."""
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name in _FIXED:
                self._stack.append(_FIXED[opcode.name]())
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            elif opcode.name not in _IDLE:
                raise _Foreign(opcode.name)
        (found,) = self._stack
        return found

    def marked(self) -> list[Any]:
        """Take what lies above the uppermost mark, and the mark."""
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise _Foreign("no mark")
        taken = self._stack[at + 1 :]
        del self._stack[at:]
        return taken

    def remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def recall(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def name(self, text: str) -> None:
        self._stack.append(_Name(text))

    def joined_name(self, _: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(_Name(f"{module} {name}"))

    def tuple(self, count: int | None) -> None:
        taken = self.marked() if count is None else [self._stack.pop() for _ in range(count)][::-1]
        self._stack.append(tuple(taken))

    def set_items(self, many: bool) -> None:
        taken = self.marked() if many else [self._stack.pop() for _ in range(2)][::-1]
        held = self._stack[-1]
        if not isinstance(held, dict) or not all(isinstance(key, str) for key in taken[::2]):
            raise _Foreign("a key that is no text")
        if any(key in held for key in taken[::2]):
            raise _Foreign("a key twice")
        held.update(zip(taken[::2], taken[1::2], strict=True))

    def append(self, many: bool) -> None:
        taken = self.marked() if many else [self._stack.pop()]
        held = self._stack[-1]
        if not isinstance(held, list):
            raise _Foreign("no list")
        held.extend(taken)

    def build(self, _: object) -> None:
        """Drop the metadata of a dict."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise _Foreign("an object with a state")

    def storage(self, _: object) -> None:
        kind, name, key, _where, _count = self._stack.pop()
        if kind != "storage" or not isinstance(name, _Name) or not isinstance(key, str):
            raise _Foreign("no storage")
        self._stack.append(_Storage(key, _STORAGES[name.text]))

    def reduce(self, _: object) -> None:
        """Make one of the three objects that state dicts have."""
        given, name = self._stack.pop(), self._stack.pop()
        text = name.text if isinstance(name, _Name) else ""
        if text == _DICT and given == ():
            self._stack.append({})
        elif text == _TENSOR:
            storage, offset, sizes, strides = given[:4]
            if not isinstance(storage, _Storage) or len(sizes) != len(strides):
                raise _Foreign("no tensor")
            self._stack.append(_Layout(storage, _size(offset), _sizes(sizes), _sizes(strides)))
        elif text == _PARAMETER and isinstance(given[0], _Layout):
            self._stack.append(given[0])
        else:
            raise _Foreign(text)


def _sizes(values: tuple[Any, ...]) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > 16:
        raise _Foreign("no sizes")
    return tuple(map(_size, values))


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise _Foreign("no size")
    return value


_IDLE = frozenset(["PROTO", "FRAME", "STOP"])
_LITERALS = frozenset("BINUNICODE SHORT_BINUNICODE BININT BININT1 BININT2 LONG1 BINFLOAT".split())
_FIXED: dict[str, Callable[[], Any]] = {
    "MARK": lambda: _MARK,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "BINPUT": _Reader.remember,
    "LONG_BINPUT": _Reader.remember,
    "MEMOIZE": _Reader.memoize,
    "BINGET": _Reader.recall,
    "LONG_BINGET": _Reader.recall,
    "GLOBAL": _Reader.name,
    "STACK_GLOBAL": _Reader.joined_name,
    "TUPLE": lambda reader, _: reader.tuple(None),
    "TUPLE1": lambda reader, _: reader.tuple(1),
    "TUPLE2": lambda reader, _: reader.tuple(2),
    "TUPLE3": lambda reader, _: reader.tuple(3),
    "SETITEM": lambda reader, _: reader.set_items(False),
    "SETITEMS": lambda reader, _: reader.set_items(True),
    "APPEND": lambda reader, _: reader.append(False),
    "APPENDS": lambda reader, _: reader.append(True),
    "BUILD": _Reader.build,
    "BINPERSID": _Reader.storage,
    "REDUCE": _Reader.reduce,
}
