"""A tool that is not there is one line that says what it is for and how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel import tools
from tests.cli.tools import done, refused


@pytest.fixture(autouse=True)
def _no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found on the path; pip's tools are found elsewhere."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)


def test_icarus(project: Path) -> None:
    assert refused("sim", project, "--simulator", "icarus", "--frames", 1) == (
        "iverilog: not found; it compiles Verilog for simulation; "
        "install it with: apt install iverilog"
    )
    assert {path.name for path in (project / "results").iterdir()} == {"errors.json"}


@pytest.mark.skipif(tools.find("verilator") is None, reason="verilator is not installed")
@pytest.mark.parametrize("simulator", ["verilator", "fast"])
def test_what_builds_verilated_models(project: Path, simulator: str) -> None:
    line = refused("sim", project, "--simulator", simulator, "--frames", 1)
    assert line in (
        "make: not found; it builds Verilator's models; install it with: apt install make",
        "g++: not found; it compiles Verilator's models and HLS C++; "
        "install it with: apt install g++",
    )


def test_compiler(project: Path) -> None:
    assert refused("csim", project, "--frames", 1) == (
        "g++: not found; it compiles Verilator's models and HLS C++; "
        "install it with: apt install g++"
    )


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        (
            "yosys",
            ["synth"],
            "yosys: not found; it synthesizes Verilog; "
            "install it with: pip install 'hwaccel[synth]'",
        ),
        (
            "verilator",
            ["sim", "--simulator", "fast", "--frames", "1"],
            "verilator: not found; it lints Verilog and simulates it fast; "
            "install it with: pip install 'hwaccel[sim]'",
        ),
        (
            "ap_types",
            ["csim", "--what", "hls", "--frames", "1"],
            "ap_types: not found; it compiles emitted HLS C++ without Vitis; "
            "install it with: pip install 'hwaccel[hls]'",
        ),
    ],
)
def test_packages(
    project: Path,
    name: str,
    words: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.undo()  # compilers are there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where no compiled model is
    kept = tools.catalog.find
    monkeypatch.setattr(tools.catalog, "find", lambda n: None if n == name else kept(n))
    assert refused(words[0], project, *words[1:]) == line


def test_doctor_says_how_to_install_each() -> None:
    said = " ".join(done("doctor").split())
    for line in (
        "iverilog missing",
        "apt install iverilog",
        "compiles Verilog for simulation",
        "make missing",
    ):
        assert line in said
