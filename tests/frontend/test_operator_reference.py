"""The operator reference is that of the code, and what it says operators become is what they do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hwaccel.config import Config
from hwaccel.errors import HwaccelError
from hwaccel.frontend.export import export
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import HANDLERS, trace
from hwaccel.ops import OPS
from tests.frontend.random_networks import network

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("operators", DOCS / "make_operator_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["operators"] = module
    spec.loader.exec_module(module)
    return module


def test_current(maker: ModuleType) -> None:
    text = (DOCS / "reference" / "operators.md").read_text(encoding="utf-8")
    assert text == maker.reference(), "run: python docs/make_operator_reference.py"


def test_every_handler_and_op_has_a_sentence_and_a_row(maker: ModuleType) -> None:
    families = maker.families()
    assert {target for targets in families.values() for target in targets} == HANDLERS.keys()
    for thing in (*families, *OPS):
        assert maker.sentence(thing)
    page = maker.reference()
    for op in OPS:
        assert f"\n| `{op.name}` | " in page


def test_a_handler_without_a_sentence_is_an_error(
    maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(i, call):
        return i.first(call)

    monkeypatch.setitem(HANDLERS, "aten.relu.default", silent)
    with pytest.raises(ValueError, match="silent: has no docstring of a whole sentence"):
        maker.reference()


def test_a_new_handler_has_a_row_at_once(
    maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh(i, call):
        """Does something new."""
        raise i.refuse(call, f"{call.path} is old; use another")

    monkeypatch.setitem(HANDLERS, "aten.asinh.default", fresh)
    row = "| `asinh` | Does something new. | nothing | yes | yes | yes | yes | yes | yes | exact | "
    assert f"{row}… is old |\n" in maker.reference()


@pytest.mark.parametrize("seed", range(300, 325))
def test_operators_become_what_the_page_says(maker: ModuleType, seed: int) -> None:
    drawn = network(seed)
    model, xs = drawn.module(), drawn.frames(4, 0)
    try:
        graph = quantize(trace(model, [x[:1] for x in xs]), xs, Config())
    except HwaccelError:
        return
    handlers = {HANDLERS.get(call.target) for call in export(model, xs).calls} - {None}
    said = {"requant"}.union(*({op.name for op in maker.reached(h).ops} for h in handlers))
    assert {node.op.name for node in graph.nodes} <= said
