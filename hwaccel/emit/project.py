"""Write a project folder: whole or not at all, and never over somebody else's files."""

from __future__ import annotations

import ctypes
import errno
import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hwaccel.errors import EmitError

MANIFEST = "manifest.json"
PROJECT = "hwaccel-project"
# A trained model with the edits that lead to it.
CHECKPOINT = "hwaccel-checkpoint"
_MAKERS = {
    PROJECT: "an hwaccel project; write one with hwaccel convert",
    CHECKPOINT: "an hwaccel checkpoint; write one with hwaccel train, prune, quantize or the like",
}
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a project folder holds; hashes are SHA-256 in hex."""

    format: str
    version: int
    hwaccel: str
    name: str
    files: dict[str, str]


def write_project(
    folder: Path, name: str, version: str, files: Mapping[str, str | bytes], kind: str = PROJECT
) -> None:
    """Write ``files`` (relative path to content) as the new content of ``folder``.

    The folder appears complete in one step: everything is written beside it and then exchanged
    with what was there. A crash, a full disk or a kill leaves the earlier content untouched.

    Raises:
        EmitError: ``folder`` holds something that is not of this ``kind``, or cannot be written.
    """
    check_folder(folder, kind)
    hashes = {path: _sha256(_encoded(text)) for path, text in sorted(files.items())}
    manifest = Manifest(format=kind, version=1, hwaccel=version, name=name, files=hashes)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2).decode() + "\n"
    target = Path(os.path.abspath(folder))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        scratch = Path(tempfile.mkdtemp(prefix=_scratch_prefix(target), dir=target.parent))
    except OSError as error:
        raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        for path, content in {**files, MANIFEST: text}.items():
            _write(scratch, path, content)
        scratch.chmod(0o755)
        _replace(scratch, target)
    except OSError as error:
        raise EmitError(
            f"{folder}: cannot be written ({error.strerror}); the earlier content is untouched"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write one file in one step: after a crash or on a full disk the earlier one is whole."""
    handle, scratch = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def read_project(folder: Path, kind: str = PROJECT) -> tuple[Manifest, dict[str, bytes]]:
    """Read a project folder back and check every file against its hash.

    Raises:
        EmitError: it is not of this ``kind``, a file is missing, or a file was changed.
    """
    manifest = _read_manifest(folder, kind)
    if manifest is None:
        raise EmitError(f"{folder}: is not {_MAKERS[kind]}")
    contents = {}
    for path, digest in manifest.files.items():
        _check_path(path, folder / MANIFEST)
        try:
            contents[path] = (folder / path).read_bytes()
        except OSError as error:
            raise EmitError(f"{folder / path}: cannot be read ({error.strerror})") from None
        if _sha256(contents[path]) != digest:
            raise EmitError(
                f"{folder / path}: differs from its hash in {MANIFEST}; convert again, or keep "
                "changes outside the project"
            )
    return manifest, contents


def _read_manifest(folder: Path, kind: str) -> Manifest | None:
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    return manifest if manifest.format == kind and manifest.version == 1 else None


def check_folder(folder: Path, kind: str = PROJECT) -> None:
    """Refuse a folder that ``write_project`` must not replace: only ours and empty ones may go.

    Raises:
        EmitError: it is a file, a symbolic link, or holds something that is not ours.
    """
    try:
        if folder.is_symlink():
            raise EmitError(f"{folder}: is a symbolic link; name the folder itself")
        if not folder.exists():
            around = next((path for path in folder.parents if path.exists()), folder)
            if around.is_file():
                raise EmitError(
                    f"{folder}: cannot be made, {around} is a file; choose another name"
                )
            return
        if not folder.is_dir():
            raise EmitError(f"{folder}: is a file, expected a folder; choose another name")
        if any(folder.iterdir()) and _read_manifest(folder, kind) is None:
            raise EmitError(
                f"{folder}: holds files that hwaccel did not write; choose an empty or new folder"
            )
    except OSError as error:
        raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None


def _check_path(path: str, where: Path) -> None:
    parts = path.split("/")
    if not path or any(p in ("", ".", "..") for p in parts) or "\\" in path or "\0" in path:
        raise EmitError(f"{where}: {path!r} is not a path inside the project")


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _write(root: Path, path: str, content: str | bytes) -> None:
    _check_path(path, root)
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(_encoded(content))
        file.flush()
        os.fsync(file.fileno())


def _replace(scratch: Path, folder: Path) -> None:
    """Put ``scratch`` in the place of ``folder``; afterwards ``scratch`` holds the old content."""
    try:
        scratch.rename(folder)
        return
    except OSError as error:  # a folder with something in it is there already, or came meanwhile
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        ends = os.fsencode(scratch), os.fsencode(folder)
        if libc.renameat2(_AT_FDCWD, ends[0], _AT_FDCWD, ends[1], _RENAME_EXCHANGE) == 0:
            return
    # File systems without an exchange: two renames, and the old content survives in between.
    aside = scratch.with_name(scratch.name + ".old")
    folder.rename(aside)
    try:
        scratch.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    aside.rename(scratch)


def _scratch_prefix(folder: Path) -> str:
    return f".{folder.name}.hwaccel-"


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left behind an hour ago or earlier."""
    for path in folder.parent.glob(f"{glob.escape(_scratch_prefix(folder))}*"):
        if path.is_dir() and not path.is_symlink() and time.time() - path.stat().st_mtime > 3600:
            shutil.rmtree(path, ignore_errors=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
