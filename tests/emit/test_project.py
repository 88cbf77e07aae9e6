"""A project folder is the old one or the new one, never a mixture, whatever goes wrong."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hwaccel.emit import project
from hwaccel.emit.project import MANIFEST, check_folder, read_project, write_project
from hwaccel.errors import EmitError

FILES = {"graph.json": "{}", "rtl/top.v": "module top;\nendmodule\n", "sim/x.bin": b"\x00\xff"}
OTHER = {"graph.json": "[]", "hls/top.cpp": "int main() {}\n"}


def write(folder: Path, files=FILES) -> None:
    write_project(folder, "top", "1.2.3", files)


def read(folder: Path) -> dict[str, bytes]:
    return read_project(folder)[1]


def encoded(files) -> dict[str, bytes]:
    return {name: t if isinstance(t, bytes) else t.encode() for name, t in files.items()}


def refusal(folder: Path, files=FILES) -> str:
    with pytest.raises(EmitError) as caught:
        write(folder, files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what is written -----------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "p")
    manifest, files = read_project(tmp_path / "deep" / "p")
    assert files == encoded(FILES)
    assert (manifest.name, manifest.hwaccel) == ("top", "1.2.3")
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "p"]


def test_the_manifest_is_plain(tmp_path: Path) -> None:
    write(tmp_path / "p")
    assert json.loads((tmp_path / "p" / MANIFEST).read_text()) == {
        "format": "hwaccel-project",
        "version": 1,
        "hwaccel": "1.2.3",
        "name": "top",
        "files": {
            name: hashlib.sha256(data).hexdigest() for name, data in sorted(encoded(FILES).items())
        },
    }


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", dict(reversed(FILES.items())))
    for path in ("rtl/top.v", MANIFEST):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_others_may_read_it(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        write(tmp_path / "p")
    finally:
        os.umask(old)
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "p" / "rtl" / "top.v").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", ".", "", "a\\b", "a\0b"])
def test_paths_that_lead_out(tmp_path: Path, path: str) -> None:
    assert refusal(tmp_path / "p", {path: "x"}).endswith(
        f"{path!r} is not a path inside the project"
    )
    assert list(tmp_path.iterdir()) == []


# --- what is replaced ----------------------------------------------------------------------------


def test_a_project_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "p")
    (tmp_path / "p" / "results").mkdir()
    (tmp_path / "p" / "results" / "sim.json").write_text("{}")
    write(tmp_path / "p", OTHER)
    assert read(tmp_path / "p") == encoded(OTHER)
    assert not (tmp_path / "p" / "results").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    write(tmp_path / "p")
    assert read(tmp_path / "p") == encoded(FILES)


def test_the_current_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    write(Path())
    assert read(tmp_path / "p") == encoded(FILES)


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.write_text("mine")
    assert refusal(folder) == f"{folder}: is a file, expected a folder; choose another name"
    assert refusal(folder / "q") == (
        f"{folder / 'q'}: cannot be made, {folder} is a file; choose another name"
    )
    assert folder.read_text() == "mine"
    folder.unlink()
    folder.mkdir()
    (folder / "mine").touch()
    assert refusal(folder) == (
        f"{folder}: holds files that hwaccel did not write; choose an empty or new folder"
    )
    assert [path.name for path in folder.iterdir()] == ["mine"]
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert refusal(link) == f"{link}: is a symbolic link; name the folder itself"
    with pytest.raises(EmitError, match="is a symbolic link"):
        check_folder(link)


def test_names_that_no_file_system_takes(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 300)
    assert refusal(folder) == f"{folder}: cannot be written (File name too long)"


def test_leftovers_of_killed_writers_go_after_an_hour(tmp_path: Path) -> None:
    old, new = tmp_path / ".p[1].hwaccel-old", tmp_path / ".p[1].hwaccel-new"
    others = tmp_path / ".p1.hwaccel-old"
    for path in (old, new, others):
        path.mkdir()
        (path / "x").touch()
    for path in (old, others):
        os.utime(path, (time.time() - 4000,) * 2)
    write(tmp_path / "p[1]")
    assert {path.name for path in tmp_path.iterdir()} == {"p[1]", new.name, others.name}


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("fails_at", range(len(FILES) + 1))
def test_a_full_disk(tmp_path: Path, fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "p", OTHER)
    calls = iter(range(99))

    def fsync(handle: int) -> None:
        if next(calls) == fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(project.os, "fsync", fsync)
    assert refusal(tmp_path / "p") == (
        f"{tmp_path / 'p'}: cannot be written (No space left on device); "
        "the earlier content is untouched"
    )
    assert read(tmp_path / "p") == encoded(OTHER)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_a_file_size_limit(tmp_path: Path) -> None:
    write(tmp_path / "p", OTHER)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        line = refusal(tmp_path / "p", {**FILES, "rtl/big.mem": "0" * (1 << 17)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert line == (
        f"{tmp_path / 'p'}: cannot be written (File too large); the earlier content is untouched"
    )
    assert read(tmp_path / "p") == encoded(OTHER)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 64 KiB, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    ends = (b"none", os.fsencode(folder), b"tmpfs")
    if libc.mount(*ends, 0, b"size=64k") != 0:
        # The limit on file sizes above stands in for it.
        pytest.xfail("no right to mount a file system")
    yield folder
    libc.umount2(os.fsencode(folder), 0)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    folder = small_disk / "p"
    write(folder, OTHER)
    assert refusal(folder, {**FILES, "rtl/big.mem": "0" * (1 << 17)}) == (
        f"{folder}: cannot be written (No space left on device); the earlier content is untouched"
    )
    assert read(folder) == encoded(OTHER)
    assert list(small_disk.iterdir()) == [folder]
    write(folder, FILES)
    assert read(folder) == encoded(FILES)


@pytest.mark.parametrize("exchange", [True, False])
def test_file_systems_without_an_exchange(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(project.ctypes, "CDLL", lambda *_, **__: object())
    write(tmp_path / "p", OTHER)
    write(tmp_path / "p")
    assert read(tmp_path / "p") == encoded(FILES)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_an_exchange_that_fails_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "p", OTHER)
    monkeypatch.setattr(project.ctypes, "CDLL", lambda *_, **__: object())
    rename, calls = Path.rename, iter(range(9))

    def failing(self: Path, target: Path) -> Path:
        if next(calls) == 2:  # the old content stands aside, the new one does not come
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    assert refusal(tmp_path / "p") == (
        f"{tmp_path / 'p'}: cannot be written (Input/output error); "
        "the earlier content is untouched"
    )
    assert read(tmp_path / "p") == encoded(OTHER)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


# --- several writers, and killed ones ------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from hwaccel.emit.project import write_project
folder, texts = Path(sys.argv[1]), sys.argv[2:]
print("ready", flush=True)
while True:
    for text in texts:
        files = {f"rtl/{i}.v": text * 2000 for i in range(24)}
        write_project(folder, text, "1", files)
"""


def writer(folder: Path, *texts: str) -> subprocess.Popen[str]:
    """Start a process that writes the project over and over, with one text after the other."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), *texts], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_killed_writer_leaves_a_whole_project(tmp_path: Path) -> None:
    folder, rng = tmp_path / "p", random.Random(7)
    started = time.monotonic()
    write_project(folder, "old", "1", {f"rtl/{i}.v": "old" * 2000 for i in range(24)})
    once = time.monotonic() - started
    for _ in range(20):
        process = writer(folder, "new", "old")
        time.sleep(rng.uniform(0.0, 3 * once))
        process.send_signal(signal.SIGKILL)
        process.wait()
        manifest, files = read_project(folder)  # raises where a file is torn
        assert files == {f"rtl/{i}.v": manifest.name.encode() * 2000 for i in range(24)}
    assert {path.name[:11] for path in tmp_path.iterdir()} == {"p", ".p.hwaccel-"}
    write(folder)
    assert read(folder) == encoded(FILES)


def test_two_writers_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    processes = [writer(folder, text) for text in ("one", "two")]
    time.sleep(1.0)
    assert [process.poll() for process in processes] == [None, None]  # no one failed
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    manifest, files = read_project(folder)
    assert files == {f"rtl/{i}.v": manifest.name.encode() * 2000 for i in range(24)}


def test_two_first_writers_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one comes between the look and the rename."""
    rename = Path.rename

    def overtaken(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        write(tmp_path / "p", OTHER)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    write(tmp_path / "p")
    assert read(tmp_path / "p") == encoded(FILES)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]
