"""Projects that were changed, torn or made up are refused in one line that names the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.tools import content, refused, run

# Looks at the whole project, and then has nothing to do.
LOOK = ("csim", "--what", "nothing")
LOADED = "executor 'nothing' is not one of hls, cuda-host, torch"


def look(project: Path) -> str:
    return refused(LOOK[0], project, *LOOK[1:])


def put(project: Path, name: str, data: bytes) -> None:
    """Change a file and its hash in the manifest."""
    (project / name).write_bytes(data)
    manifest = json.loads((project / "manifest.json").read_bytes())
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    (project / "manifest.json").write_text(json.dumps(manifest))


def edit(project: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file and its hash in the manifest."""
    document = json.loads((project / name).read_bytes())
    change(document)
    if name == "manifest.json":
        (project / name).write_text(json.dumps(document))
    else:
        put(project, name, json.dumps(document).encode())


def test_untouched(project: Path) -> None:
    assert look(project) == LOADED


def test_every_file_is_checked(project: Path) -> None:
    for name, data in content(project).items():
        if name == "manifest.json" or name.startswith("results/"):
            continue
        (project / name).write_bytes(data + b" ")
        assert look(project) == (
            f"{project / name}: differs from its hash in manifest.json; convert again, or keep "
            "changes outside the project"
        )
        (project / name).unlink()
        assert look(project) == (f"{project / name}: cannot be read (No such file or directory)")
        (project / name).write_bytes(data)
    assert look(project) == LOADED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": "hwaccel-project", "version": 2, "hwaccel": "9", "name": "x", "files": {}}',
    ],
)
def test_manifest(project: Path, data: bytes) -> None:
    (project / "manifest.json").write_bytes(data)
    assert look(project) == f"{project}: is not an hwaccel project; write one with hwaccel convert"
    # What is not known to be ours is not replaced either.
    assert refused("convert", "m", "-o", project) == (
        f"{project}: holds files that hwaccel did not write; choose an empty or new folder"
    )


@pytest.mark.parametrize(
    "path", ["../graph.json", "/etc/passwd", "rtl/../../x", "", ".", "rtl//x", "a\\b", "a\0b"]
)
def test_paths_that_lead_out(project: Path, path: str) -> None:
    edit(project, "manifest.json", lambda m: m.update(files={path: "0" * 64}))
    assert look(project) == (
        f"{project / 'manifest.json'}: {path!r} is not a path inside the project"
    )


@pytest.mark.parametrize("name", ["graph.json", "plan.json", "config.json"])
def test_files_that_are_needed(project: Path, name: str) -> None:
    edit(project, "manifest.json", lambda m: m["files"].pop(name))
    assert look(project) == f"{project / name}: is missing; convert again"


def test_truncated_graphs(project: Path) -> None:
    data = (project / "graph.json").read_bytes()
    for length in (0, 1, 100, len(data) // 2, len(data) - 3):
        put(project, "graph.json", data[:length])
        assert look(project) == (
            f"{project / 'graph.json'}: not a hwaccel-graph file (Input data was truncated)"
        )
    put(project, "graph.json", data.replace(b'"dense"', b'"dance"', 1))
    assert look(project).startswith(f"{project / 'graph.json'}: ")


@pytest.mark.parametrize("name", ["plan.json", "config.json"])
def test_truncated_choices(project: Path, name: str) -> None:
    data = (project / name).read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 3):
        put(project, name, data[:length])
        assert look(project) == (
            f"{project}: plan.json or config.json: Input data was truncated; convert again"
        )


def first(document: dict[str, Any]) -> str:
    return next(iter(document))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda p: p["rings"].update(n_0_requant=2),
            "n_0_requant: ring of 2 beats is too small, the window needs 15",
        ),
        (
            lambda p: p["rings"].clear(),
            "n_0_requant: ring of 0 beats is too small, the window needs 15",
        ),
        (
            lambda p: p["fifos"].pop("n_0_requant"),
            "n_0_requant: has no FIFO depth in the plan; convert again",
        ),
        (
            lambda p: p["folds"].pop("n_0_conv2d"),
            "n_0_conv2d (0): has no folding in the plan; convert again",
        ),
        (
            lambda p: p["folds"].update(n_0_conv2d=[7, 1]),
            "n_0_conv2d (0): 7x1 is not a legal folding; convert again",
        ),
        (
            lambda p: p["folds"].update(n_0_requant=[7, 1]),
            "n_0_requant (0): 7x1 is not a legal folding; convert again",
        ),
        (
            lambda p: p["folds"].update(n_0_conv2d=[1, 1]),
            "n_0_requant (0): 2x1 is not the folding 1x1 of the node in front, which it follows; "
            "convert again",
        ),
        (
            lambda p: p["folds"].update(other=[1, 1]),
            "other: is not a node of this graph; convert again",
        ),
        (
            lambda p: p["fifos"].update(other=3),
            "other: is not a segment of this graph; convert again",
        ),
        (
            lambda p: p["rings"].update(other=3),
            "other: is not a segment with a window of this graph; convert again",
        ),
        (
            lambda p: p["buffers"].update(other=3),
            "other: is not a forked stream of this graph; convert again",
        ),
    ],
)
def test_plans_that_cannot_be(cnn_project: Path, change: Any, line: str) -> None:
    edit(cnn_project, "plan.json", change)
    assert look(cnn_project) == line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda p: p.update(version=2), "Invalid enum value 2 - at `$.version`"),
        (lambda p: p.update(hidden=1), "Object contains unknown field `hidden`"),
        (lambda p: p["rings"].update(x=0), "Expected `int` >= 1 - at `$.rings[...]`"),
        (
            lambda p: p["fifos"].update(x=1 << 25),
            "Expected `int` <= 16777216 - at `$.fifos[...]`",
        ),
        (
            lambda p: p["folds"].update(x=[1]),
            "Expected `array` of length 2 - at `$.folds[...]`",
        ),
    ],
)
def test_plans_of_another_shape(project: Path, change: Any, line: str) -> None:
    edit(project, "plan.json", change)
    assert look(project) == f"{project}: plan.json or config.json: {line}; convert again"


def test_larger_buffers_are_welcome(cnn_project: Path) -> None:
    def grow(plan: dict[str, Any]) -> None:
        for depths in (plan["rings"], plan["fifos"]):
            depths.update({name: 2 * depth for name, depth in depths.items()})

    edit(cnn_project, "plan.json", grow)
    assert look(cnn_project) == LOADED


def test_a_failing_stage_leaves_the_project_alone(project: Path) -> None:
    before = content(project)
    for words in (
        ("sim", project, "--simulator", "vcs"),
        ("csim", project, "--what", "vcs"),
        ("synth", project, "--target", "vcs"),
        ("report", project, "-o", project / "rtl"),
    ):
        assert run(*words).code == 2
    assert content(project) == before
