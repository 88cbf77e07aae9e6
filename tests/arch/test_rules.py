"""The rules of the architecture that no linter of others checks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from hwaccel.ir import Op
from hwaccel.ops import OPS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hwaccel"
SOURCES = sorted(PACKAGE.rglob("*.py"))
OP_CLASSES = {op.__name__ for op in OPS}
# A pass that is about an op may name it; the front end makes ops and so must, and what translates
# them into layers of another tool, which has its own kinds.
MAY_NAME_OPS = ("ops", "passes", "frontend", "opinions")


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_nobody_outside_asks_what_kind_of_op_it_holds(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] in MAY_NAME_OPS:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            assert node.id not in OP_CLASSES, f"line {node.lineno} names the op {node.id}"
        if isinstance(node, ast.Compare):
            text = ast.unparse(node)
            assert "op.name" not in text, f"line {node.lineno} compares op names: {text}"


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_only_tools_starts_processes(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] == "tools":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    imported |= {
        n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module
    }
    assert "subprocess" not in imported


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_nothing_is_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("pickle.load", "pickle.loads", "eval", "exec")
            assert called not in ("torch.load", "np.load", "numpy.load")


def test_every_op_file_is_in_ops() -> None:
    files = {p.stem for p in (PACKAGE / "ops").glob("*.py")} - {"__init__", "family", "mac"}
    assert files == {op.__module__.rsplit(".", 1)[1] for op in OPS}
    # Other tests follow the guide for a new op, whose class is not of the package.
    ours = [op for op in Op.__subclasses__() if op.__module__.startswith("hwaccel.ops.")]
    assert {op.__name__ for op in OPS} == {op.__name__ for op in ours}
    assert list(OPS) == sorted(OPS, key=lambda op: op.name)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_op_has_at_least_eight_examples(op: type[Op]) -> None:
    labels = [example.label for example in op.examples()]
    assert len(labels) >= 8
    assert len(set(labels)) == len(labels)


def test_importing_the_package_needs_no_torch() -> None:
    code = "import sys, hwaccel; hwaccel.load; hwaccel.Design; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
