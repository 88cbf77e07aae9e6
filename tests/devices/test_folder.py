"""The folder of a system: whole or not at all, read back as it was, and never trusted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import hwaccel
from hwaccel.devices.farm import replicate
from hwaccel.devices.folder import is_system, load_system
from hwaccel.devices.split import Split
from hwaccel.emit.project import SYSTEM
from hwaccel.errors import EmitError
from tests.devices.systems import blocks, design, link, split, two_ways


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return split(two_ways(), 2, link(7)).write(tmp_path_factory.mktemp("made") / "system")


def test_a_split_comes_back(written: Path) -> None:
    made = split(two_ways(), 2, link(7))
    again = load_system(written)
    assert is_system(written)
    assert isinstance(again, Split)
    assert again.hash == made.hash
    assert again.files() == made.files()
    assert again.plan.timing(5) == made.plan.timing(5)


def test_a_farm_comes_back(tmp_path: Path) -> None:
    made = replicate(design(blocks(1, 4), multipliers=8), 2)
    again = load_system(made.write(tmp_path / "farm"))
    assert (again.hash, again.files()) == (made.hash, made.files())


def test_the_design_of_a_device_is_a_project(written: Path) -> None:
    for one in load_system(written).designs:
        assert any(hwaccel.load(written / f"device{i}").hash == one.hash for i in range(2))


def test_a_system_is_no_project(written: Path) -> None:
    with pytest.raises(EmitError) as error:
        hwaccel.load(written)
    assert str(error.value) == (
        f"{written}: is a system; name a design in it, a folder with a manifest.json"
    )


def test_a_project_is_no_system(written: Path) -> None:
    with pytest.raises(EmitError) as error:
        load_system(written / "device0")
    assert str(error.value).endswith(
        "is not an hwaccel system; write one with hwaccel partition or hwaccel replicate"
    )


def test_what_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(EmitError, match="holds files that hwaccel did not write"):
        split(two_ways(), 2, link()).write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def changed(source: Path, target: Path, **fields: object) -> Path:
    """Copy a system with other fields in system.json, and the hash that then belongs to it."""
    import shutil

    shutil.copytree(source, target)
    document = json.loads((target / "system.json").read_text())
    document.update(fields)
    text = json.dumps(document)
    (target / "system.json").write_text(text)
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["files"]["system.json"] = hashlib.sha256(text.encode()).hexdigest()
    (target / "manifest.json").write_text(json.dumps(manifest))
    return target


JOINS = [{"value": "sum", "source": 0, "output": 0, "target": 1, "input": 0}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"devices": ["device0", "device0"]}, "names a device twice"),
        ({"devices": ["device0", "../device1"]}, "'../device1' is not a design of this folder"),
        ({"devices": ["device0", "rtl"]}, "'rtl' is not a design of this folder"),
        ({"devices": ["device1", "device0"]}, "device "),
        ({"joins": []}, "an input of a device is used twice, or not at all"),
        ({"joins": JOINS * 2}, "an input of a device is used twice, or not at all"),
        ({"joins": [{**JOINS[0], "output": 9}]}, ""),
        ({"inputs": [[5, 0]]}, "device 5 has no input 0"),
        ({"link": {"width": 0, "latency": 1, "credits": 1}}, "Expected `int` >= 1"),
        ({"link": {"width": 8, "latency": 1}}, "Object missing required field `credits`"),
        ({"type": "tree"}, "Invalid value 'tree'"),
        ({"more": 1}, "Object contains unknown field `more`"),
    ],
)
def test_documents_that_do_not_fit(
    written: Path, tmp_path: Path, fields: dict[str, object], said: str
) -> None:
    folder = changed(written, tmp_path / "s", **fields)
    with pytest.raises(EmitError) as error:
        load_system(folder)
    line = str(error.value)
    assert line.startswith(f"{folder / 'system.json'}: {said}")
    assert line.endswith("; write the system again")


def test_a_changed_file_is_noticed(written: Path, tmp_path: Path) -> None:
    folder = changed(written, tmp_path / "s")
    (folder / "device1" / "plan.json").write_text("{}")
    with pytest.raises(EmitError, match=r"plan\.json: differs from its hash in manifest\.json"):
        load_system(folder)
    (folder / "device1" / "plan.json").unlink()
    with pytest.raises(EmitError, match=r"plan\.json: cannot be read"):
        load_system(folder)


def test_the_kind_is_in_the_manifest(written: Path) -> None:
    assert json.loads((written / "manifest.json").read_text())["format"] == SYSTEM
