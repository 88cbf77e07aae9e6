"""Counters of energy: RAPL from a folder like the kernel's, NVML from a module like its own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hwaccel.gpu.energy import cpu_meter, gpu_meter


def _package(folder: Path, name: str, microjoules: int, largest: int = 999_999) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "energy_uj").write_text(f"{microjoules}\n")
    (made / "max_energy_range_uj").write_text(f"{largest}\n")
    return made / "energy_uj"


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first = _package(tmp_path, "intel-rapl:0", 100_000)
    _package(tmp_path, "intel-rapl:0:0", 7)
    second = _package(tmp_path, "intel-rapl:1", 200_000)
    meter = cpu_meter(tmp_path)
    assert meter.name == "processor packages, by RAPL"
    before = meter.read()
    first.write_text("150000")
    second.write_text("200005")
    assert before is not None
    assert meter.read() == pytest.approx(before + 0.050005)


def test_a_counter_that_begins_again_goes_on(tmp_path: Path) -> None:
    counter = _package(tmp_path, "intel-rapl:0", 999_990)
    meter = cpu_meter(tmp_path)
    before = meter.read()
    assert before is not None
    counter.write_text("10")
    assert meter.read() == pytest.approx(before + 20e-6)
    counter.write_text("5")
    assert meter.read() == pytest.approx(before + 1.000015)


@pytest.mark.parametrize("damage", ["nowhere", "no range", "no number"])
def test_no_counter_of_the_processor(tmp_path: Path, damage: str) -> None:
    if damage != "nowhere":
        energy = _package(tmp_path, "intel-rapl:0", 5)
        if damage == "no range":
            energy.with_name("max_energy_range_uj").unlink()
        else:
            energy.write_text("much")
    meter = cpu_meter(tmp_path)
    assert meter.name == "no counter: RAPL is not there, or only for the administrator"
    assert meter.read() is None


class _Error(Exception):
    pass


def _nvml(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> list[str]:
    asked: list[str] = []

    def handle(uuid: str) -> str:
        asked.append(uuid)
        return "device"

    given = {
        "NVMLError": _Error,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByUUID": handle,
        "nvmlDeviceGetTotalEnergyConsumption": lambda _: 2500,
    }
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(**{**given, **functions}))
    return asked


def test_the_counter_of_a_gpu_is_in_millijoules(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _nvml(monkeypatch)
    for uuid in ("1234-abcd", "GPU-1234-abcd", "MIG-5"):
        meter = gpu_meter(uuid)
        assert (meter.name, meter.read()) == ("GPU board, by NVML", 2.5)
    assert asked == ["GPU-1234-abcd", "GPU-1234-abcd", "MIG-5"]


@pytest.mark.parametrize(
    "function",
    ["nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"],
)
def test_a_gpu_without_a_counter(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def fails(*_: object) -> None:
        raise _Error("Not Supported")

    _nvml(monkeypatch, **{function: fails})
    meter = gpu_meter("1234")
    assert meter.name == "no counter: NVML says Not Supported"
    assert meter.read() is None


def test_the_package_for_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_meter("1234").name == "no counter: reading NVML's needs pip install 'hwaccel[gpu]'"


def test_the_package_has_what_is_called() -> None:
    nvml = pytest.importorskip("pynvml")
    for name in ("NVMLError", "nvmlInit", "nvmlDeviceGetHandleByUUID",
                 "nvmlDeviceGetTotalEnergyConsumption"):  # fmt: skip
        assert hasattr(nvml, name)
    assert gpu_meter("nothing").name.startswith("no counter: NVML says ")
