"""A network of lookup tables: PyTorch, golden, every executor, Verilog; LUTs as counted by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hwaccel import Config, convert  # noqa: E402
from hwaccel.api import Design  # noqa: E402
from hwaccel.circuit.cost import breakdown  # noqa: E402
from hwaccel.compress.lookup import LookupNetwork  # noqa: E402

UNITS, CLASSES, FRAMES = 63, 3, 12


def network() -> LookupNetwork:
    """63 tables of six pixels' top bits, every third of five; one vote each for a class."""
    draw = torch.Generator().manual_seed(3)
    wires = torch.rand(UNITS, 16, generator=draw).argsort(1)[:, :6]
    wires[::4, 5] = 16
    entries = torch.randint(2, (UNITS, 64), generator=draw)
    return LookupNetwork(wires, entries, CLASSES).eval()


def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (FRAMES, 1, 4, 4)) / 256


@cache
def design(style: str = "spatial", target: str = "xcup") -> Design:
    config = Config(name="tables", style=style, target=target, input="u8.8", latency=1)
    x = torch.tensor(images(), dtype=torch.float32)
    return convert(network(), x, calibration=x, config=config)


@pytest.mark.parametrize(
    ("style", "target"), [("spatial", "xcup"), ("spatial", "ecp5-85k"), ("stream", "ecp5-85k")]
)
def test_golden_is_pytorch(style: str, target: str) -> None:
    with torch.no_grad():
        expected = network()(torch.tensor(images(), dtype=torch.float32)).numpy()
    np.testing.assert_array_equal(design(style, target).golden(images()), expected)


@pytest.mark.parametrize("what", ["hls", "cuda-host", "torch"])
def test_executors(what: str) -> None:
    raw = design().golden.quantize(images())
    design().require_golden(raw, design().execute(what, raw), what=what)


@pytest.mark.parametrize(
    ("style", "target"), [("spatial", "xcup"), ("spatial", "ecp5-85k"), ("stream", "ecp5-85k")]
)
def test_icarus(style: str, target: str) -> None:
    made = design(style, target)
    result = made.simulate(images(), simulator="icarus", idle="some", backpressure="some")
    assert len(result.finished) == FRAMES


def test_a_table_is_a_lut_and_pixels_are_wires() -> None:
    (made,) = design().plan.spatial.values()
    parts = breakdown(made.unit.piped, "xcup")
    assert parts["table"].luts == UNITS
    # 21 votes per class: 16 places for 15 + 6 + carry, and what chains cost beside.
    sums = sum(part.luts for kind, part in parts.items() if kind != "table")
    assert sums <= CLASSES * (UNITS / CLASSES - 4) + 0.7 * parts["sum"].count
    text = design().verilog()["tables_core.v"]
    assert text.count("localparam [63:0]") + text.count("localparam [31:0]") == UNITS
    assert "case" not in text


class Sign(torch.nn.Module):
    """A table of single bits whose index is negative at times."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fake_quantize_per_tensor_affine(torch.sigmoid(x), 1.0, 0, 0, 1)


@pytest.mark.rtl
def test_a_negative_index_reads_the_table(tmp_path) -> None:
    x = torch.arange(-4.0, 4.0)[:, None]
    config = Config(name="sign", style="spatial", input="s3.0", latency=1)
    made = convert(Sign(), x, calibration=x, config=config)
    core = made.verilog()["sign_core.v"]
    assert "localparam" in core
    made.simulate(x.numpy(), simulator="icarus", workdir=tmp_path)
