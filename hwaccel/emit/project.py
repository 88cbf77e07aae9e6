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
from hwaccel.untrusted import Damaged, decode_json, read_file

MANIFEST = "manifest.json"
PROJECT = "hwaccel-project"
# A trained model with the edits that lead to it.
CHECKPOINT = "hwaccel-checkpoint"
# What a chip of Tiny Tapeout is made of.
TAPEOUT = "hwaccel-tapeout"
# What another tool says of a design, and the files it says it of.
OPINION = "hwaccel-opinion"
# Several devices with the links between them, or several engines of one design.
SYSTEM = "hwaccel-system"
_MAKERS = {
    PROJECT: "an hwaccel project; write one with hwaccel convert",
    TAPEOUT: "a Tiny Tapeout project of hwaccel; write one with hwaccel tapeout",
    CHECKPOINT: "an hwaccel checkpoint; write one with hwaccel train, prune, quantize or the like",
    OPINION: "an hwaccel comparison; write one with hwaccel compare",
    SYSTEM: "an hwaccel system; write one with hwaccel partition or hwaccel replicate",
}
# What the stages add to a project: nothing in it is needed, or trusted.
WORK = "work"
_MAX_BYTES = 1 << 28
_MAX_MANIFEST = 1 << 22
_ASIDE = ".old"
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
    with what was there. A crash, a full disk or a kill leaves the earlier content untouched. What
    came to be there meanwhile and is not ours is put back.

    Raises:
        EmitError: ``folder`` holds something that is not of this ``kind``, or cannot be written.
    """
    check_folder(folder, kind)
    text = manifest_of(name, version, files, kind)
    target = _place(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _restore(target)
        _sweep(target)
        scratch = Path(tempfile.mkdtemp(prefix=_scratch_prefix(target), dir=target.parent))
    except OSError as error:
        raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        for path, content in {**files, MANIFEST: text}.items():
            _write(scratch, path, content)
        scratch.chmod(0o755)
        _replace(scratch, target)
        _check_replaced(scratch, target, folder, kind)
    except OSError as error:
        raise EmitError(
            f"{folder}: cannot be written ({error.strerror}); the earlier content is untouched"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def manifest_of(
    name: str, version: str, files: Mapping[str, str | bytes], kind: str = PROJECT
) -> str:
    """Return what ``manifest.json`` says of these files."""
    hashes = {path: _sha256(_encoded(text)) for path, text in sorted(files.items())}
    manifest = Manifest(format=kind, version=1, hwaccel=version, name=name, files=hashes)
    return pretty_json(manifest)


def pretty_json(document: object) -> str:
    """Return a document as a JSON file that people can read."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def is_kind(folder: Path, kind: str) -> bool:
    """Tell whether a folder says of itself that it is of this kind; nothing else is checked."""
    return _read_manifest(folder, kind) is not None


def replace_file(path: Path, data: bytes) -> None:
    """Write one file in one step: after a crash or on a full disk the earlier one is whole.

    A link in its place is replaced; what it leads to is not touched.

    Raises:
        OSError: it cannot be written, or something other than a file has that name.
    """
    if path.exists() and not path.is_file():
        code = errno.EISDIR if path.is_dir() else errno.EINVAL
        raise OSError(code, os.strerror(code), str(path))
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
    if manifest is None and kind == PROJECT and is_kind(folder, SYSTEM):
        raise EmitError(
            f"{folder}: is a system; name a design in it, a folder with a manifest.json"
        )
    if manifest is None:
        raise EmitError(f"{folder}: is not {_MAKERS[kind]}")
    contents: dict[str, bytes] = {}
    left = _MAX_BYTES
    for path, digest in manifest.files.items():
        _check_path(path, folder / MANIFEST)
        try:
            contents[path] = _read_inside(folder, path, left)
        except Damaged as error:
            raise EmitError(f"{folder / path}: {error}; convert again") from None
        except OSError as error:
            raise EmitError(f"{folder / path}: cannot be read ({error.strerror})") from None
        left -= len(contents[path])
        if _sha256(contents[path]) != digest:
            raise EmitError(
                f"{folder / path}: differs from its hash in {MANIFEST}; convert again, or keep "
                "changes outside the project"
            )
    return manifest, contents


def _read_inside(folder: Path, path: str, limit: int) -> bytes:
    """Read a file of a project, not one that a link in the project leads to."""
    file = folder / path
    for part in file.relative_to(folder).parents:
        if (folder / part).is_symlink() and part != Path("."):
            raise Damaged(f"{part} is a symbolic link")
    try:
        return read_file(file, limit, links=False)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Damaged("is a symbolic link") from None
        raise


def _read_manifest(folder: Path, kind: str) -> Manifest | None:
    try:
        manifest = decode_json(read_file(folder / MANIFEST, _MAX_MANIFEST, links=False), Manifest)
    except (OSError, Damaged):
        return None
    return manifest if manifest.format == kind and manifest.version == 1 else None


def work_folder(project: Path, name: str) -> Path:
    """Return ``work/<name>`` in ``project``, empty: what lay there is not read, run or followed.

    Raises:
        EmitError: it cannot be made.
    """
    folder = project / WORK / name
    try:
        own_folder(folder.parent)
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise EmitError(f"{folder}: cannot be written ({error.strerror})") from None
    return folder


def own_folder(folder: Path) -> None:
    """Make a folder of a project if need be; refuse one that leads out of it.

    Raises:
        EmitError: it is a symbolic link.
        OSError: it cannot be made.
    """
    if folder.is_symlink():
        raise EmitError(f"{folder}: is a symbolic link; remove it")
    folder.mkdir(parents=True, exist_ok=True)


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
    aside = scratch.with_name(scratch.name + _ASIDE)
    folder.rename(aside)
    try:
        scratch.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    aside.rename(scratch)


def _check_replaced(scratch: Path, target: Path, folder: Path, kind: str) -> None:
    """Put back what took the place of ``folder`` after it was looked at, unless it is ours."""
    if scratch.exists() and any(scratch.iterdir()) and _read_manifest(scratch, kind) is None:
        _replace(scratch, target)
        raise EmitError(
            f"{folder}: holds files that hwaccel did not write; choose an empty or new folder"
        )


def _place(folder: Path) -> Path:
    """Return a folder's one name; of ``link/..`` the system makes something else than text says."""
    if folder.name in ("", ".."):
        return Path(os.path.realpath(folder))
    return Path(os.path.realpath(folder.parent)) / folder.name


def _scratch_prefix(folder: Path) -> str:
    return f".{folder.name}.hwaccel-"


def _left_behind(folder: Path) -> list[Path]:
    found = sorted(folder.parent.glob(f"{glob.escape(_scratch_prefix(folder))}*"))
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _restore(folder: Path) -> None:
    """Bring back the content that a writer had put aside when it was killed."""
    aside = [path for path in _left_behind(folder) if path.name.endswith(_ASIDE)]
    if aside and not folder.exists():
        aside[-1].rename(folder)


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left behind an hour ago or earlier."""
    for path in _left_behind(folder):
        if time.time() - path.stat().st_mtime > 3600:
            shutil.rmtree(path, ignore_errors=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
