"""What is read of a project is what was written, or the reason why not; one file in one step."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from hwaccel.emit import project
from hwaccel.emit.project import MANIFEST
from hwaccel.errors import EmitError
from hwaccel.untrusted import read_file
from tests.emit.test_project import FILES, encoded, read, write


def unread(folder: Path) -> str:
    with pytest.raises(EmitError) as caught:
        read(folder)
    return str(caught.value).replace(f"{folder}", "p")


def changed_manifest(folder: Path, **changes: object) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document | changes))


def test_a_manifest_says_what_it_should_and_no_more(tmp_path: Path) -> None:
    for number, changes in enumerate(({"more": 1}, {"version": 2}, {"format": "x"}, {"name": 3})):
        write(tmp_path / f"{number}")
        changed_manifest(tmp_path / f"{number}", **changes)
        assert unread(tmp_path / f"{number}").startswith("p: is not an hwaccel project")
    folder = tmp_path / "p"
    write(folder)
    assert read(folder) == encoded(FILES)
    write(tmp_path / "q")
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to(tmp_path / "q" / MANIFEST)
    assert unread(folder).startswith("p: is not an hwaccel project")


def test_nothing_is_read_through_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    write(folder)
    write(tmp_path / "q")
    (folder / "rtl" / "top.v").unlink()
    (folder / "rtl" / "top.v").symlink_to(tmp_path / "q" / "rtl" / "top.v")
    assert unread(folder) == "p/rtl/top.v: is a symbolic link; convert again"
    (folder / "rtl" / "top.v").unlink()
    (folder / "rtl").rmdir()
    (folder / "rtl").symlink_to(tmp_path / "q" / "rtl")
    assert unread(folder) == "p/rtl/top.v: rtl is a symbolic link; convert again"


def test_a_project_behind_a_link_is_read(tmp_path: Path) -> None:
    write(tmp_path / "p")
    (tmp_path / "q").symlink_to(tmp_path / "p")
    assert read(tmp_path / "q") == encoded(FILES)


def test_a_manifest_has_4_mib_and_all_files_together_256(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, limits = tmp_path / "p", list[int]()
    write(folder)

    def reading(path: Path, limit: int, *, links: bool) -> bytes:
        limits.append(limit)
        return read_file(path, limit, links=links)

    monkeypatch.setattr(project, "read_file", reading)
    sizes = [len(content) for content in read(folder).values()]
    assert len(sizes) > 2
    assert limits == [1 << 22, *((1 << 28) - sum(sizes[:i]) for i in range(len(sizes)))]


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    write(folder)
    (folder / "graph.json").write_text("{ }")
    assert unread(folder).startswith("p/graph.json: differs from its hash in manifest.json")
    (folder / "graph.json").unlink()
    assert unread(folder) == "p/graph.json: cannot be read (No such file or directory)"
    changed_manifest(folder, files={"../q": "0" * 64})
    assert unread(folder) == "p/manifest.json: '../q' is not a path inside the project"


# --- one file ------------------------------------------------------------------------------------


def test_one_file_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.html"
    project.replace_file(file, b"old")
    assert file.stat().st_mode & 0o7777 == 0o644
    (tmp_path / "link").symlink_to(file)
    project.replace_file(tmp_path / "link", b"new")
    assert (file.read_bytes(), (tmp_path / "link").read_bytes()) == (b"old", b"new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        project.replace_file(tmp_path / "folder", b"new")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        project.replace_file(file, b"newer")
    assert file.read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "link", "folder"}


def test_what_came_meanwhile_is_put_back(tmp_path: Path) -> None:
    """Somebody else's files took the place of ours between the look and the exchange."""
    ours, theirs = tmp_path / "p", tmp_path / "scratch"
    write(ours)
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("x")
    with pytest.raises(EmitError, match="holds files that hwaccel did not write"):
        project._check_replaced(theirs, ours, ours, project.PROJECT)
    assert [p.name for p in ours.iterdir()] == ["thesis.tex"]
    assert read(theirs) == encoded(FILES)
    project._check_replaced(theirs, ours, ours, project.PROJECT)  # ours may go
    assert [p.name for p in ours.iterdir()] == ["thesis.tex"]
