"""``partition``, ``replicate``, and what other commands do with their folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.devices.folder import load_system
from hwaccel.report.results import load_results
from tests.cli.tools import content, done, refused

sim_tools = pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")


def test_partition(cnn_project: Path, tmp_path: Path) -> None:
    out = done("partition", cnn_project, "-k", 2, "--link-width", 8, "-o", tmp_path / "s")
    system = load_system(tmp_path / "s")
    timing = system.plan.timing()
    assert out.splitlines()[-1] == (
        f"latency {timing.latency} cycles, one frame every {timing.interval} cycles, "
        f"{system.traffic:,} bits per frame between devices; areas are estimates; "
        f"written to {tmp_path / 's'}/"
    )
    assert f"(system {system.hash})" in out


def test_every_option_of_partition(cnn_project: Path, tmp_path: Path) -> None:
    words = ["--target", "ecp5-25k", "--fill", 0.5, "--dsp", 9, "--luts", 4000, "--rams", 3]
    words += ["--link-width", 5, "--link-latency", 3, "--credits", 6, "--interval", 900]
    done("partition", cnn_project, "-k", 2, *words, "--after", "2", "-o", tmp_path / "s")
    system = load_system(tmp_path / "s")
    assert (system.link.width, system.link.latency, system.link.credits) == (5, 3, 6)
    assert {node.path for node in system.designs[1].graph.nodes} == {"4"}


def test_replicate(cnn_project: Path, tmp_path: Path) -> None:
    out = done("replicate", cnn_project, "-n", 2, "-o", tmp_path / "f")
    farm = load_system(tmp_path / "f")
    assert out.startswith(f"{farm.name} (system {farm.hash}): 2 engines, a frame every ")


@sim_tools
@pytest.mark.rtl
def test_sim_of_a_system(cnn_project: Path, tmp_path: Path) -> None:
    done("partition", cnn_project, "-k", 2, "-o", tmp_path / "s")
    out = done("sim", tmp_path / "s", "--simulator", "icarus", "--frames", 3)
    assert out.startswith("icarus: 3 frames, 0 mismatches; latency ")
    (record,) = load_results(tmp_path / "s").records.values()
    assert record.design == load_system(tmp_path / "s").hash
    assert record.latency == record.predicted_latency
    assert record.interval == record.predicted_interval


def test_the_same_again(cnn_project: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        done("partition", cnn_project, "-o", tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")


REFUSED = (
    (["-k", 99], "99 devices: this network can be cut into 1 to "),
    (["--target", "xc9"], "target 'xc9': not known; choose one of ecp5-25k, "),
    (["--target", "xc7", "--target", "xc7", "--target", "xc7"], "--target: found 3 for 2 "),
    (["--fill", 0], "--fill is 0, expected more than 0 and at most 1"),
    (["--luts", 0], "limits: LUT is 0, which no hardware meets"),
    (["--luts", 9], "2 devices of 9 LUT: no cut makes every part fit; the nearest needs "),
    (["--link-width", 0], "Expected `int` >= 1 for the link's width"),
    (["--link-latency", 0], "Expected `int` >= 1 for the link's latency"),
    (["--link-width", 1, "--link-latency", 99, "--credits", 1], "links of 1 bit, 99 cycles "),
    (["--after", "nowhere"], "cut behind 'nowhere': no layer has this name; the nearest "),
)


def test_what_partition_refuses(cnn_project: Path) -> None:
    target = cnn_project.parent / "s"
    done("partition", cnn_project, "-o", target)
    before = content(target)
    for words, said in REFUSED:
        assert refused("partition", cnn_project, *words, "-o", target).startswith(said)
        assert content(target) == before


def test_what_replicate_refuses(cnn_project: Path, tmp_path: Path) -> None:
    assert refused("replicate", cnn_project, "-n", 1, "-o", tmp_path / "f").startswith("1 engine: ")
    assert not (tmp_path / "f").exists()


def test_folders_that_are_none(cnn_project: Path, tmp_path: Path) -> None:
    done("partition", cnn_project, "-o", tmp_path / "s")
    line = f"{tmp_path / 's'}: is a system; name a design in it, a folder with a manifest.json"
    for command in ("synth", "csim", "report", "gpu run", "partition", "replicate"):
        assert refused(*command.split(), tmp_path / "s") == line
    for command in ("partition", "replicate"):
        assert "is not an hwaccel project" in refused(command, tmp_path / "none")
        assert "holds files that hwaccel did not write" in refused(
            command, cnn_project, "-o", cnn_project
        )
    shutil.rmtree(tmp_path / "s" / "device1")
    assert "cannot be read" in refused("sim", tmp_path / "s")
