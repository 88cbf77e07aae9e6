"""The independent reference: it imports nothing of ours, and says what the documents say."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwaccel.ir.file import save_graph
from hwaccel.ops import OP_BY_NAME
from tests.trust import reference
from tests.trust.graphs import random_graph

FILE = Path(reference.__file__)


def document(op: str, fields: dict, *shapes: tuple[list[int], int], out: tuple[list[int], int]):
    """A graph of one node; shapes come with ``frac``, and every interval is wide."""

    def type(shape: list[int], frac: int) -> dict:
        return {"shape": shape, "frac": frac, "lo": -99999, "hi": 99999}

    inputs = [{"name": f"x{i}", "type": type(*shape)} for i, shape in enumerate(shapes)]
    node = {"name": "y", "op": op, "inputs": [i["name"] for i in inputs], "fields": fields}
    constants = {}
    for name, value in fields.items():
        if isinstance(value, tuple):  # shape and values of an array
            fields[name] = f"the {name}"
            constants[f"the {name}"] = {"shape": value[0], "values": value[1]}
    nodes = [node | {"type": type(*out)}]
    return json.dumps({"inputs": inputs, "nodes": nodes, "outputs": ["y"], "constants": constants})


def test_it_shares_nothing_with_what_it_judges() -> None:
    tree = ast.parse(FILE.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    own = {"__future__", "json", "collections.abc", "dataclasses", "fractions", "itertools", "math"}
    assert found == own | {"typing"}


def test_it_knows_every_op() -> None:
    assert reference._MEANING.keys() == OP_BY_NAME.keys()


# The table in docs/reference/numbers.md: 2.5, -2.5, 2.75, 24.75, -24.75 into -8 to 7.
@pytest.mark.parametrize(
    ("rounding", "overflow", "want"),
    [
        ("floor", "saturate", [2, -3, 2, 7, -8]),
        ("half_up", "saturate", [3, -2, 3, 7, -8]),
        ("half_even", "saturate", [2, -2, 3, 7, -8]),
        ("half_even", "wrap", [2, -2, 3, -7, 7]),
    ],
)
def test_requant_is_that_of_the_page_on_numbers(rounding, overflow, want) -> None:
    fields = {"shift": 2, "lo": -8, "hi": 7, "rounding": rounding, "overflow": overflow}
    text = document("requant", fields, ([5], 2), out=([5], 0))
    assert reference.evaluate(text, [[[10, -10, 11, 99, -99]]]) == [[want]]


def test_windows_are_those_of_the_page_on_graphs() -> None:
    # 1 2 3      one row of zeros above; every second column; taps two columns apart
    # 4 5 6
    fields = {
        "weight": ([1, 1, 2, 2], [1, 10, 100, 1000]),
        "shift": ([1], [1]),
        "bias": ([1], [7]),
        "weight_frac": 3,
        "stride": [1, 2],
        "padding": [1, 0, 0, 1],
        "dilation": [1, 2],
        "groups": 1,
    }
    text = document("conv2d", fields, ([1, 2, 3], 1), out=([1, 2, 1], 4))
    above = 2 * (1 * 100 + 3 * 1000) + 7
    below = 2 * (1 * 1 + 3 * 10 + 4 * 100 + 6 * 1000) + 7
    assert reference.evaluate(text, [[[1, 2, 3, 4, 5, 6]]]) == [[[above, below]]]


def test_a_pool_leaves_out_what_is_outside() -> None:
    window = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [1, 1, 0, 0]}
    text = document("maxpool2d", window | {"dilation": [1, 1]}, ([1, 3, 1], 0), out=([1, 2, 1], 0))
    assert reference.evaluate(text, [[[-5, -9, -7]]]) == [[[-5, -7]]]
    text = document("sumpool2d", window | {"gain": 2}, ([1, 3, 1], 0), out=([1, 2, 1], 2))
    assert reference.evaluate(text, [[[-5, -9, -7]]]) == [[[-5, -16]]]


def test_pixel_by_pixel() -> None:
    text = document("reshape", {"shape": [6], "channels_last": True}, ([2, 1, 3], 0), out=([6], 0))
    assert reference.evaluate(text, [[[1, 2, 3, 4, 5, 6]]]) == [[[1, 4, 2, 5, 3, 6]]]


@pytest.mark.parametrize("wrong", [{"lo": 5}, {"hi": 4}, {"frac": 9}, {"shape": [1, 1]}])
def test_a_type_that_does_not_hold_is_noticed(wrong: dict) -> None:
    text = document("relu", {}, ([1], 0), out=([1], 0))
    graph = json.loads(text)
    graph["nodes"][0]["type"] |= {"lo": 4, "hi": 5} | wrong
    with pytest.raises(reference.Contradiction):
        reference.evaluate(json.dumps(graph), [[[4], [5]]])


def test_a_graph_is_the_same_wherever_it_is_drawn() -> None:
    code = "import sys; from tests.trust.test_reference import digests; print(digests())"
    other = [sys.executable, "-c", code]
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(FILE.parents[2])}
    found = subprocess.run(other, env=env, check=True, capture_output=True, text=True).stdout
    assert found.strip() == str(digests())


def digests() -> list[str]:
    return [hashlib.sha256(save_graph(random_graph(seed))).hexdigest() for seed in range(8)]
