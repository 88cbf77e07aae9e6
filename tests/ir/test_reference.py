"""The generated reference pages are those of the code."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from hwaccel.ops import OPS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("maker", DOCS / "make_ir_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "made"), [("ir.md", "reference"), ("graph.schema.json", "schema")]
)
def test_current(maker: ModuleType, name: str, made: str) -> None:
    text = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert text == getattr(maker, made)(), "run: python docs/make_ir_reference.py"


def test_every_op_has_a_section_and_a_schema(maker: ModuleType) -> None:
    page, definitions = maker.reference(), json.loads(maker.schema())["$defs"]
    for op in OPS:
        assert f"\n### {op.name}\n" in page
        assert definitions[op.__name__]["additionalProperties"] is False
    assert len(definitions["NodeRecord"]["allOf"]) == len(OPS)
