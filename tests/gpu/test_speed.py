"""Executors side by side: the same bits, times that are times, and the hardware beside them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel import speed, tools
from hwaccel.errors import ConfigError, HwaccelError, MismatchError, ToolError
from hwaccel.fxp import FixedType
from hwaccel.gpu.cuda import build_host
from hwaccel.gpu.energy import Meter
from hwaccel.gpu.executors import Call, Kernels, bytes_needed, latency, measure
from hwaccel.ir import GraphBuilder, TensorType
from hwaccel.ops import Add, Relu
from hwaccel.report.results import Results, SimRecord, SynthRecord, load_results, save_result
from hwaccel.speed import Settings, compare, device_of, float_model, hardware, run
from tests.gpu.models import mlp, other, two

needs_gxx = pytest.mark.skipif(tools.find("g++") is None, reason="g++ is not installed")
MODELS = "tests.gpu.models"
QUICK = Settings((4, 3), 0.01, "cpu")


@pytest.fixture(scope="module")
def design() -> hwaccel.Design:
    rng = np.random.default_rng(0)
    return hwaccel.convert(mlp(), torch.zeros(1, 6), calibration=rng.normal(size=(32, 6)))


def _frames(design: hwaccel.Design, count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [
        rng.integers(v.type.lo, v.type.hi, (count, *v.type.shape), endpoint=True)
        for v in design.graph.inputs
    ]


@needs_gxx
def test_executors_side_by_side(design: hwaccel.Design, tmp_path: Path) -> None:
    settings = Settings((4, 3), 0.01, "cpu", mlp(), f"{MODELS}:mlp", with_data=True)
    record = run(design, tmp_path, _frames(design), settings, seed=3)
    assert [(row.executor, row.mismatches) for row in record.executors] == [
        ("emitted CUDA kernels, compiled for the host", 0),
        ("golden model, integer torch", 0),
        ("float32 torch", None),
    ]
    for row in record.executors:
        assert [at.batch for at in row.batches] == [4, 3]
        assert row.latency_s > 0
        for at in row.batches:
            assert at.frames % at.batch == 0
            assert at.frames_per_second > 0
    assert record.executors[2].difference is not None
    assert record.executors[2].difference > 0
    assert record.device.startswith("CPU (")
    assert not record.on_gpu
    results = load_results(tmp_path)
    assert results.records["gpu-compare"] == record
    assert results.records["csim-cuda-host"].mismatches == 0
    assert results.records["csim-torch"].frames == 5
    assert record.command == (
        f"hwaccel gpu compare {tmp_path} --device cpu --batch 4 --batch 3 --seconds 0.01 "
        f"--frames 5 --seed 3 --model {MODELS}:mlp"
    )


@pytest.mark.gpu
@pytest.mark.skipif(tools.find("cuda") is None, reason="no CUDA device")
@pytest.mark.skipif(tools.find("nvcc") is None, reason="nvcc is not installed")
def test_executors_side_by_side_on_the_device(design: hwaccel.Design) -> None:
    record = compare(design, _frames(design), Settings((4, 300), 0.2, "cuda", mlp()))
    assert record.on_gpu
    assert [row.mismatches for row in record.executors] == [0, 0, None]
    assert record.executors[0].executor == "emitted CUDA kernels"


@needs_gxx
def test_several_inputs_and_outputs_of_every_size(tmp_path: Path) -> None:
    """Tensors of 8 to 64 bits and odd sizes go to the kernels and come back whole."""
    b = GraphBuilder("sizes")
    outputs = []
    for i, fixed in enumerate(("s8.0", "u8.0", "s13.0", "u16.0", "s30.0", "u32.0", "s40.0")):
        a, c = (b.input(f"{n}{i}", TensorType.full((3,), FixedType.parse(fixed))) for n in "ac")
        outputs += [b.add(f"sum{i}", Add(), a, c), b.add(f"relu{i}", Relu(), a)]
    design = hwaccel.design_from(b.build(*outputs))
    kernels = Kernels(build_host(design.cuda(), tmp_path), design.graph, "cpu")
    xs = _frames(design, 7)
    call = kernels.ready(xs)
    for _ in range(2):
        call.run()
        for want, have in zip(design.golden.raw(*xs), call.results(), strict=True):
            np.testing.assert_array_equal(want, have)


@needs_gxx
def test_a_kernel_that_is_wrong_is_found(
    design: hwaccel.Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = design.cuda()
    spoiled = honest["hwa/packed.h"].replace("i = 0; i < 4", "i = 1; i < 4")
    assert spoiled != honest["hwa/packed.h"]
    monkeypatch.setattr(type(design), "cuda", lambda _: {**honest, "hwa/packed.h": spoiled})
    with pytest.raises(MismatchError, match=r"by emitted CUDA kernels, compiled for the host"):
        compare(design, _frames(design), QUICK)


class _Pretend:
    """An executor that says how often it was asked, and for what."""

    device = "cpu"

    def __init__(self) -> None:
        self.calls = 0

    def ready(self, xs: Sequence[np.ndarray]) -> Call:
        self.batch = len(xs[0])

        def run() -> None:
            self.calls += 1

        return Call(run, tuple)


def test_frames_time_and_energy_belong_together() -> None:
    made = _Pretend()
    counted = iter([3.0, 10.0])
    found = measure(made, [np.zeros((6, 2), np.int64)], 0.02, Meter("m", lambda: next(counted)))
    assert (found.batch, found.joules) == (6, 7.0)
    assert found.frames == 6 * (made.calls - 2)  # two calls warm up
    assert found.seconds >= 0.02
    still = Meter("m", lambda: 5.0)
    assert measure(_Pretend(), [np.zeros((6, 2), np.int64)], 0.001, still).joules is None
    none = Meter("no counter")
    assert measure(_Pretend(), [np.zeros((6, 2), np.int64)], 0.001, none).joules is None


def test_latency_is_the_median_of_single_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    made = _Pretend()
    times = iter([0.1, 0.5, 0.2, 0.9, 0.3, 0.4])
    monkeypatch.setattr("hwaccel.gpu.executors._timed", lambda *_: next(times))
    assert latency(made, [np.zeros((1, 2), np.int64)], 0.01) == 0.4


def _synth(design: str, **fields: object) -> SynthRecord:
    given = {"design": design, "target": "ecp5-85k", "luts": 1, "ffs": 1, "dsps": 0}
    given |= {"block_rams": 0, "clock_mhz": 50.0, "fmax_mhz": 80.0, "routed": True}
    return SynthRecord(**{**given, **fields})


def test_hardware_at_the_configured_clock(design: hwaccel.Design) -> None:
    timing = design.plan.timing()
    (row,) = hardware(design, Results({"s": _synth(design.hash, routed=False, fmax_mhz=None)}))
    assert (row.clock_mhz, row.target) == (design.config.clock_mhz, "")
    assert (row.latency_cycles, row.interval_cycles) == (timing.latency, timing.interval)
    assert row.frames_per_second == design.config.clock_mhz * 1e6 / timing.interval
    assert row.latency_s == timing.latency / (design.config.clock_mhz * 1e6)
    assert row.simulated == 0


def test_hardware_at_every_clock_that_was_routed(design: hwaccel.Design) -> None:
    timing = design.plan.timing()
    took = {"latency": timing.latency, "interval": timing.interval}
    took |= {"predicted_latency": timing.latency, "predicted_interval": timing.interval}
    sim = SimRecord(simulator="icarus", frames=9, mismatches=0, **took)
    late = SimRecord(simulator="fast", frames=7, mismatches=0, **{**took, "latency": 1})
    wrong = SimRecord(simulator="verilator", frames=3, mismatches=1, **took)
    records = {
        "a": _synth(design.hash),
        "b": _synth(design.hash, target="gw1n-9c", fmax_mhz=40.0, untimed=["MULT"]),
        "sim": sim,
        "late": late,
        "wrong": wrong,
        "stalled": SimRecord(simulator="icarus", frames=5, mismatches=0, latency=1, idle="some"),
    }
    rows = hardware(design, Results(records))
    assert [(r.clock_mhz, r.target, r.upper_bound, r.simulated) for r in rows] == [
        (80.0, "ecp5-85k", False, 9),
        (40.0, "gw1n-9c", True, 9),
    ]
    assert rows[0].frames_per_second == 80e6 / timing.interval


@needs_gxx
def test_results_of_another_design_do_not_count(design: hwaccel.Design, tmp_path: Path) -> None:
    save_result(tmp_path, "synth-x", _synth("0123456789abcdef"))
    record = run(design, tmp_path, _frames(design), QUICK)
    assert record.hardware[0].target == ""


# --- refusals ------------------------------------------------------------------------------------


def test_devices() -> None:
    with pytest.raises(ConfigError, match=r"^--device 'tpu': is not one of cpu, cuda$"):
        device_of("tpu")
    if tools.find("cuda") is None:
        with pytest.raises(ToolError, match=r"^cuda: not found; it runs emitted CUDA C"):
            device_of("cuda")


def test_no_compiler_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find", lambda name: name if name == "cuda" else None)
    missing = []

    def require(name: str) -> str:
        if name == "cuda":
            return name
        missing.append(name)
        raise ToolError(f"{name}: not found")

    monkeypatch.setattr(tools, "require", require)
    for device in (None, "cpu"):
        with pytest.raises(ToolError, match="not found"):
            device_of(device)
    assert missing == ["nvcc", "g++"]


@needs_gxx
def test_batches_that_do_not_fit(design: hwaccel.Design) -> None:
    with pytest.raises(ToolError) as error:
        compare(design, _frames(design), Settings((10**14,), 0.01, "cpu"))
    assert str(error.value).startswith("a batch of 100,000,000,000,000: needs ")
    assert str(error.value).endswith(" GB are free; give a smaller --batch")


@needs_gxx
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:123] . DefaultCPUAllocator: can't allocate memory"
        ),
    ],
    ids=["numpy", "gpu", "cpu"],
)
def test_batches_that_fit_less_than_was_thought(
    design: hwaccel.Design, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(speed, "measure", full)
    with pytest.raises(ToolError) as refused:
        compare(design, _frames(design), QUICK)
    assert str(refused.value) == "a batch of 4: does not fit into memory; give a smaller --batch"


def test_needed_bytes_grow_with_the_batch(design: hwaccel.Design) -> None:
    assert bytes_needed(design.graph, 10) == 10 * bytes_needed(design.graph, 1) >= 10 * 8 * 6


def test_models_that_are_others(design: hwaccel.Design) -> None:
    remedy = "give the model that this project was made from"
    assert isinstance(float_model(f"{MODELS}:mlp", None, design), nn.Module)
    with pytest.raises(ConfigError) as error:
        float_model(f"{MODELS}:other", None, design)
    assert str(error.value).startswith(f"{MODELS}:other: fails on frames of shape (6,) (")
    assert str(error.value).endswith(f"); {remedy}")
    with pytest.raises(ConfigError) as error:
        float_model(f"{MODELS}:wider", None, design)
    assert str(error.value) == f"{MODELS}:wider: returns (5,), the project (3,); {remedy}"
    with pytest.raises(ConfigError) as error:
        float_model(f"{MODELS}:forked", None, design)
    assert str(error.value) == f"{MODELS}:forked: returns (3,), (3,), the project (3,); {remedy}"
    with pytest.raises(HwaccelError, match=r"nowhere:mlp: ModuleNotFoundError"):
        float_model("nowhere:mlp", None, design)


def test_a_graph_in_a_file_is_not_run(design: hwaccel.Design, tmp_path: Path) -> None:
    torch.export.save(torch.export.export(mlp(), (torch.zeros(1, 6),)), tmp_path / "m.pt2")
    with pytest.raises(ConfigError) as error:
        float_model(str(tmp_path / "m.pt2"), None, design)
    assert str(error.value) == (
        f"{tmp_path / 'm.pt2'}: holds a graph, which is read but never run; give "
        "package.module:factory"
    )


def test_weights_go_into_the_model(design: hwaccel.Design, tmp_path: Path) -> None:
    model = mlp()
    with torch.no_grad():
        model[0].weight.zero_()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    read = float_model(f"{MODELS}:mlp", tmp_path / "w.pt", design)
    assert not read[0].weight.any()
    torch.save(other().state_dict(), tmp_path / "o.pt")
    with pytest.raises(HwaccelError, match=r"o\.pt: .*give the weights of this very model$"):
        float_model(f"{MODELS}:mlp", tmp_path / "o.pt", design)


@needs_gxx
def test_float_models_of_two_inputs_get_both() -> None:
    design = hwaccel.convert(
        two(), (torch.zeros(1, 2), torch.zeros(1, 2)), calibration=(np.ones((4, 2)),) * 2
    )
    model = float_model(f"{MODELS}:two", None, design)
    record = compare(design, _frames(design), Settings((2,), 0.01, "cpu", model, with_data=True))
    assert [row.executor for row in record.executors][-1] == "float32 torch"


def test_a_missing_compiler_leaves_results_alone(
    design: hwaccel.Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert shutil.which("g++") is None
    with pytest.raises(ToolError, match=r"^g\+\+: not found; it compiles "):
        run(design, tmp_path, _frames(design), QUICK)
    assert list(tmp_path.iterdir()) == []
