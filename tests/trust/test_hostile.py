"""Malicious pickles, names, paths and projects have no effect: a slice of the whole figure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hwaccel
from benchmarks.trust import hostile, loaders, names, paths
from hwaccel.emit import project
from hwaccel.emit.project import read_project, work_folder, write_project
from hwaccel.errors import EmitError
from hwaccel.tools.cache import user_cache
from tests.cli.tools import done, refused


@pytest.mark.slow
def test_pickles(tmp_path: Path) -> None:
    assert hostile.check_pickles(30, tmp_path) == (30, [])


def test_a_pickle_in_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "payloads", lambda canary: ONE(canary)[3:4])
    assert hostile.check_pickles(10, tmp_path) == (10, [])


ONE = hostile.payloads


@pytest.mark.slow
def test_names(tmp_path: Path) -> None:
    assert names.check_names(25, 7, tmp_path) == (25, [])


@pytest.mark.slow
def test_paths(tmp_path: Path) -> None:
    folder = tmp_path / "around"
    folder.mkdir()
    assert paths.check_paths(12, folder) == (12, [])


def test_a_name_that_leaves_its_comment_is_seen() -> None:
    """The comparison of tokens is able to fail."""
    plain = names.tokens("x.v", "// layer a\nwire a;\n", "0" * 16)
    assert names.tokens("x.v", "// layer b;\nwire b;\n", "1" * 16) == plain
    assert names.tokens("x.v", "// layer\ninitial $finish; \nwire b;\n", "1" * 16) != plain
    assert names.tokens("x.v", '// a\n$readmemh("/etc/\\x41", m); wire b;', "1" * 16) != plain


# --- what was wrong once -------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return loaders.lay(tmp_path / "p", loaders.project())


def test_a_program_in_the_project_is_not_run(here: Path) -> None:
    """It was found by its name and run, whoever had put it there."""
    from hwaccel import stages

    assert stages._workdir(here, "fast") == user_cache("fast")
    assert here not in user_cache("fast").parents


@pytest.mark.parametrize("name", ["sim-icarus", "synth-ecp5-85k"])
def test_what_lies_in_the_work_folder_is_gone(here: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("mine")
    (here / "work" / name).mkdir(parents=True)
    (here / "work" / name / "numpy.py").write_text("raise SystemExit")
    (here / "work" / name / "run.json").symlink_to(tmp_path / "victim")
    assert list(work_folder(here, name).iterdir()) == []
    shutil.rmtree(here / "work" / name)
    (here / "work" / name).symlink_to(tmp_path)
    assert list(work_folder(here, name).iterdir()) == []
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("name", ["work", "results"])
def test_folders_that_lead_out(here: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (here / name).symlink_to(tmp_path / "other")
    words = {
        "work": ("sim", here, "--simulator", "icarus"),
        "results": ("gpu", "run", here, "--batch", 2),
    }
    assert refused(*words[name]) == f"{here / name}: is a symbolic link; remove it"
    assert list((tmp_path / "other").iterdir()) == []


def test_files_that_lead_out(here: Path, tmp_path: Path) -> None:
    (here / "graph.json").rename(tmp_path / "graph.json")
    (here / "graph.json").symlink_to(tmp_path / "graph.json")
    with pytest.raises(EmitError) as caught:
        hwaccel.load(here)
    assert str(caught.value) == f"{here / 'graph.json'}: is a symbolic link; convert again"


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_report_replaces_a_link(here: Path, tmp_path: Path, link) -> None:
    (tmp_path / "victim").write_text("mine")
    link(here / "report.html", tmp_path / "victim")
    done("report", here)
    assert (tmp_path / "victim").read_text() == "mine"
    assert (here / "report.html").read_text().startswith("<!")


def test_a_device_is_not_replaced(here: Path) -> None:
    assert refused("report", here, "-o", "/dev/null") == (
        "/dev/null: cannot be written (Invalid argument)"
    )
    assert Path("/dev/null").is_char_device()


def test_up_from_a_link_is_one_folder(tmp_path: Path) -> None:
    """What was looked at was not what was replaced, with everything in it."""
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine").write_text("mine")
    write_project(tmp_path / "link" / ".." / "p", "n", "1", {"x": "y"})
    assert (tmp_path / "p" / "mine").read_text() == "mine"
    assert read_project(tmp_path / "elsewhere" / "p")[1] == {"x": b"y"}


def test_what_came_meanwhile_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the folder and the exchange somebody used it."""
    replace = project._replace

    def late(scratch: Path, folder: Path) -> None:
        monkeypatch.setattr(project, "_replace", replace)
        folder.mkdir()
        (folder / "mine").write_text("mine")
        replace(scratch, folder)

    monkeypatch.setattr(project, "_replace", late)
    with pytest.raises(EmitError, match="holds files that hwaccel did not write"):
        write_project(tmp_path / "p", "n", "1", {"x": "y"})
    assert [path.name for path in tmp_path.rglob("*")] == ["p", "mine"]


def test_what_was_put_aside_comes_back(tmp_path: Path) -> None:
    """A writer was killed between the two renames of a file system without an exchange."""
    write_project(tmp_path / "p", "old", "1", {"x": "old"})
    (tmp_path / "p").rename(tmp_path / ".p.hwaccel-abc.old")
    project._restore(tmp_path / "p")
    assert read_project(tmp_path / "p")[1] == {"x": b"old"}
