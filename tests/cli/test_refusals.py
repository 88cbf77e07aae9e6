"""Every wrong input is refused in one line, with exit code 2; earlier output stays as it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import hwaccel
from tests.cli.tools import MODELS, content, done, refused, run

KINDS = (
    "give a .pt2 file of torch.export.save, an .onnx file, or package.module:factory with --weights"
)
HINT = (
    "the name must be an importable module and, after the colon, a model or a function without "
    "arguments that returns one"
)
OPTIONS = (
    "name, weight_bits, activation_bits, input, output_bits, calibration, rounding, "
    "target_interval, multipliers, clock_mhz, target, style, "
    "latency, extra_depth, effort, seed, layers"
)
MLP = (f"{MODELS}:mlp", "--example", "1x8")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of one's own, so that messages hold short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def convert(inside: Path, project: Path):
    """Return a function that sees ``convert`` fail and leave the project as it was."""
    before = content(project)

    def failing(*words: object) -> str:
        line = refused("convert", *words, "-o", "mlp")
        assert content(project) == before
        assert sorted(path.name for path in inside.iterdir() if path.is_dir()) == ["mlp"]
        return line

    return failing


# --- models --------------------------------------------------------------------------------------


def test_missing_model(convert) -> None:
    assert convert("no.pt2") == "no.pt2: no such file"


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 and then nothing", b"\x00" * 999], ids=["empty", "torn", "zeros"]
)
def test_damaged_model(convert, data: bytes) -> None:
    Path("m.pt2").write_bytes(data)
    assert convert("m.pt2") == (
        "m.pt2: is damaged or no .pt2 archive (File is not a zip file); "
        "save it again with torch.export.save of torch 2.10 or newer"
    )


def test_a_folder_for_a_model(convert) -> None:
    assert convert("mlp/rtl/x.pt2") == "mlp/rtl/x.pt2: no such file"


def test_other_kinds_of_model(convert) -> None:
    Path("net.onnx").write_bytes(b"\x08\x07")
    assert convert("net.onnx") == (
        "net.onnx: holds no graph, so it is no ONNX model; export the model again"
    )
    Path("net.h5").write_bytes(b"")
    assert convert("net.h5") == f"net.h5: .h5 models are not supported yet; {KINDS}"
    assert convert("net.pth") == f"net.pth: .pth models are not supported yet; {KINDS}"
    assert convert("net") == f"'net' is no model; {KINDS}"
    assert convert("") == f"'' is no model; {KINDS}"
    assert convert("a\nb") == f"'a\\nb' is no model; {KINDS}"


def test_factories_that_fail(convert) -> None:
    assert convert(f"{MODELS}:nothing") == (
        f"{MODELS}:nothing: AttributeError: module '{MODELS}' has no attribute 'nothing'; {HINT}"
    )
    assert convert("no_such_module:make") == (
        f"no_such_module:make: ModuleNotFoundError: No module named 'no_such_module'; {HINT}"
    )
    assert convert(f"{MODELS}:broken") == (
        f"{MODELS}:broken: RuntimeError: the weights are elsewhere; {HINT}"
    )
    assert convert(f"{MODELS}:a_number") == (
        f"{MODELS}:a_number: returned a int, expected a torch.nn.Module"
    )


def test_weights(convert) -> None:
    assert convert(*MLP, "--weights", "w.pt") == "w.pt: no such file"
    Path("w.pt").write_bytes(b"nothing")
    alone = "save model.state_dict() alone with torch.save"
    assert convert(*MLP, "--weights", "w.pt") == (
        "w.pt: cannot be read as weights (File is not a zip file); " + alone
    )
    torch.save({"0.weight": torch.zeros(6, 8)}, "w.pt")
    assert convert(*MLP, "--weights", "w.pt") == (
        "w.pt: lacks 0.bias, 2.bias, 2.weight (3 of 4 tensors); give the weights of this very model"
    )


def test_weights_that_are_no_numbers(convert) -> None:
    assert convert(f"{MODELS}:not_a_number", "--example", "1x8") == (
        "2: 2.weight holds nan at index (1, 4); retrain or repair the weights"
    )


def test_several_inputs(convert) -> None:
    np.save("x.npy", np.zeros((4, 3)))
    np.save("y.npy", np.zeros((5, 3)))
    two = (f"{MODELS}:Two", "--example", "1x3", "--example", "1x3", "--calibration", "x.npy")
    assert convert(*two) == ("calibration: found 1 arrays, expected 2, one per input of the model")
    assert convert(*two, "--calibration", "y.npy") == (
        "calibration: inputs have 4, 5 frames, expected equally many"
    )
    assert convert(*two, *two[1:3]).startswith(
        "Two: forward does not run on 7 frames of shape (3,) and (3,) and (3,): "
    )
    assert convert(f"{MODELS}:Two") == (
        "Two: its input shape is not known; give --example with batch, like 1x3x32x32, once for "
        "each input"
    )


# --- examples and calibration --------------------------------------------------------------------


def test_no_example(convert) -> None:
    assert convert(f"{MODELS}:mlp") == (
        "Sequential: its input shape is not known; give --example with batch, like 1x3x32x32, once "
        "for each input"
    )


@pytest.mark.parametrize("text", ["", "x", "1x", "0x8", "1,8", "1 x 8", "1x8.0", "-1x8", "x.np"])
def test_example_text(convert, text: str) -> None:
    assert convert(f"{MODELS}:mlp", f"--example={text}") == (
        f"--example {text}: is neither a shape with batch like 1x3x32x32 nor a .npy or .npz file"
    )


def test_example_size(convert) -> None:
    assert convert(f"{MODELS}:mlp", "--example", "99999x99999") == (
        "--example 99999x99999: is more than 100 million numbers"
    )


def test_example_of_another_shape(convert) -> None:
    assert convert(f"{MODELS}:mlp", "--example", "1x7") == (
        "Sequential: forward does not run on 7 frames of shape (7,): a and b must have same "
        "reduction dim, but got [7, 7] X [8, 6]; check the shape of the example, whose first axis "
        "is the batch"
    )
    assert convert(f"{MODELS}:mlp", "--example", "8") == (
        "example 0 has shape (8,), expected (N, ...); the first axis is the batch"
    )


@pytest.mark.parametrize("option", ["--example", "--calibration"])
def test_arrays(convert, option: str) -> None:
    words = (f"{MODELS}:mlp",) if option == "--example" else MLP
    assert convert(*words, option, "no.npy") == "no.npy: cannot be read (No such file or directory)"
    np.save("x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert convert(*words, option, "x.npy") == "x.npy: holds object, expected numbers"
    np.save("x.npy", np.array(["a"]))
    assert convert(*words, option, "x.npy") == "x.npy: holds <U1, expected numbers"
    np.save("x.npy", np.zeros((2, 8), dtype=complex))
    assert convert(*words, option, "x.npy") == "x.npy: holds complex128, expected numbers"
    with Path("x.npy").open("wb") as file:
        np.savez(file, np.zeros((2, 8)))
    assert convert(*words, option, "x.npy") == (
        "x.npy: holds an archive, expected numbers; call it .npz"
    )
    Path("x.npy").write_bytes(b"")
    assert convert(*words, option, "x.npy") == (
        "x.npy: is not a .npy file of numbers (it does not begin like one)"
    )


def test_pickles_are_not_opened(convert) -> None:
    class Bomb:
        def __reduce__(self):
            return os.mkdir, ("executed",)

    np.save("x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    for words in ((f"{MODELS}:mlp", "--example"), (*MLP, "--calibration")):
        assert convert(*words, "x.npy") == "x.npy: holds object, expected numbers"
    assert not Path("executed").exists()


def test_calibration_that_does_not_fit(convert) -> None:
    def says(array: np.ndarray) -> str:
        np.save("x.npy", array)
        return convert(*MLP, "--calibration", "x.npy")

    shape = "calibration: data for input has shape {}, expected (N, 8); the first axis is the batch"
    assert says(np.zeros((4, 7))) == shape.format("(4, 7)")
    assert says(np.array(3.0)) == shape.format("()")
    assert says(np.zeros((0, 8))) == (
        "calibration: data for input holds no frames; give at least one"
    )
    assert says(np.where(np.eye(8) > 0, np.nan, 0)) == (
        "calibration: data for input holds nan at index (0, 0); remove it"
    )
    assert says(np.full((2, 8), np.inf)) == (
        "calibration: data for input holds inf at index (0, 0); remove it"
    )


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--weight-bits", 0, "weight_bits: expected `int` >= 1"),
        (
            "--weight-bits",
            1,
            "weight_bits is 1, needs at least 2 bits: one bit holds -1 and 0 only",
        ),
        ("--weight-bits", 17, "weight_bits: expected `int` <= 16"),
        ("--weight-bits", -3, "weight_bits: expected `int` >= 1"),
        ("--activation-bits", 0, "activation_bits: expected `int` >= 1"),
        ("--activation-bits", 1 << 70, "activation_bits: expected `int` <= 16"),
        ("--multipliers", 0, "multipliers: expected `int` >= 1"),
        (
            "--multipliers",
            1,
            "multipliers=1 is not enough: this network needs at least 2, one for each layer that "
            "multiplies",
        ),
        ("--target-interval", 0, "target_interval: expected `int` >= 1"),
        ("--clock-mhz", 0, "clock_mhz: expected `float` > 0.0"),
        ("--clock-mhz", "nan", "clock_mhz: expected `float` > 0.0"),
        ("--clock-mhz", "inf", "clock_mhz: expected `float` <= 2000.0"),
        (
            "--input",
            "s99.1",
            "input: fixed-point width 99 is not between 1 and 62 bits; use fewer bits or a smaller "
            "range",
        ),
        (
            "--target",
            "ecp5-99k",
            "target 'ecp5-99k': not known; choose one of ecp5-25k, ecp5-45k, ecp5-85k, xcup, xc7, "
            "ice40-up5k, ice40hx-8k, gw1n-9c, gw2a-18, asic, osu018",
        ),
        ("--input", "u40.1", "input u40.1 is too wide; use at most 32 bits"),
        ("--input", "", "input: '' is not a fixed-point format; write it like s8.4 or u8.8"),
        ("--input", "8", "input: '8' is not a fixed-point format; write it like s8.4 or u8.8"),
    ],
)
def test_impossible_options(convert, option: str, value: object, line: str) -> None:
    assert convert(*MLP, option, value) == line


def test_options_that_exclude_each_other(convert) -> None:
    assert convert(*MLP, "--multipliers", 9, "--target-interval", 9) == (
        "target_interval and multipliers exclude each other; give one"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["convert"], "Missing argument 'model'; see hwaccel convert --help"),
        (["sim"], "Missing argument 'project'; see hwaccel sim --help"),
        (["build"], "No such command 'build'; see hwaccel --help"),
        (["--quiet"], "No such option: --quiet; see hwaccel --help"),
        (["sim", "p", "q"], "Got unexpected extra argument(s) (q); see hwaccel sim --help"),
        (["convert", "m", "-o"], "Option '-o' requires an argument; see hwaccel --help"),
    ],
)
def test_usage(words: list[str], line: str) -> None:
    assert refused(*words) == line


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["convert", "m", "--weight-bits", "many"], "--weight-bits"),
        (["convert", "m", "--clock-mhz", "fast"], "--clock-mhz"),
        (["convert", "m", "-o", "a\0b"], "--output"),
        (["sim", "p", "--frames", "0"], "--frames"),
        (["sim", "p", "--seed", "-1"], "--seed"),
        (["synth", "p", "--seed", "-1"], "--seed"),
        (["gpu", "run", "p", "--batch", "0"], "--batch"),
        (["gpu", "compare", "p", "--batch", "0"], "--batch"),
        (["gpu", "compare", "p", "--seconds", "0"], "--seconds"),
    ],
)
def test_values_of_another_kind(words: list[str], option: str) -> None:
    """The middle of the line is the parser's, and changes from one release to the next."""
    line = refused(*words)
    assert line.startswith(f"Invalid value for '{option}'")
    command = " ".join(words[: words.index("p")]) if "p" in words else words[0]
    assert line.endswith(f"; see hwaccel {command} --help")


# --- configuration files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("weight_bitz = 3", f"'weight_bitz' is no option; known are {OPTIONS}"),
        (
            '[layers."0"]\nbits = 3',
            "layers.0: 'bits' is no option; "
            "known are weight_bits, activation_bits, pe, simd, style",
        ),
        ("= 3", "is not TOML (Invalid statement (at line 1, column 1))"),
        ("weight_bits = 99", "weight_bits: expected `int` <= 16"),
        ('weight_bits = "8"', "weight_bits: expected `int`, got `str`"),
        ("weight_bits = 2.5", "weight_bits: expected `int`, got `float`"),
        ('[layers."0"]\npe = 0', "layers.0.pe: expected `int` >= 1"),
        ('calibration = "entropy"', "calibration: 'entropy' is not one of minmax, mse"),
        ("layers = 3", "layers: expected `object`, got `int`"),
        ("clock_mhz = nan", "clock_mhz: expected `float` > 0.0"),
        (
            'input = "float"',
            "input: 'float' is not a fixed-point format; write it like s8.4 or u8.8",
        ),
        (
            "target_interval = 3\nmultipliers = 3",
            "target_interval and multipliers exclude each other; give one",
        ),
    ],
)
def test_configuration_files(convert, text: str, line: str) -> None:
    Path("c.toml").write_text(text)
    assert convert(*MLP, "--config", "c.toml") == f"c.toml: {line}"


def test_configuration_files_that_cannot_be_read(convert) -> None:
    assert convert(*MLP, "--config", "no.toml") == (
        "no.toml: cannot be read (No such file or directory)"
    )
    assert convert(*MLP, "--config", "mlp") == "mlp: cannot be read (Is a directory)"
    Path("c.toml").write_bytes(b"\xff\xfe\x00")
    assert convert(*MLP, "--config", "c.toml") == (
        "c.toml: is not TOML "
        "('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[layers."7"]\nweight_bits = 4',
            "layer '7' matches no module of the model; did you mean '0' or '1' or '2'?",
        ),
        (
            '[layers."1"]\nweight_bits = 4',
            "layer '1' has no weights, so weight_bits has no effect; leave it out",
        ),
        (
            '[layers."2"]\nweight_bits = 1',
            "layer '2': weight_bits is 1, needs at least 2 bits: one bit holds -1 and 0 only",
        ),
    ],
)
def test_layers_that_do_not_match(convert, text: str, line: str) -> None:
    Path("c.toml").write_text(text)
    assert convert(*MLP, "--config", "c.toml") == line


# --- output folders ------------------------------------------------------------------------------


def test_output_that_is_a_file(inside: Path) -> None:
    Path("notes").write_text("mine")
    assert refused("convert", *MLP, "-o", "notes") == (
        "notes: is a file, expected a folder; choose another name"
    )
    assert refused("convert", *MLP, "-o", "notes/p") == (
        "notes/p: cannot be made, notes is a file; choose another name"
    )
    assert Path("notes").read_text() == "mine"


def test_output_that_is_not_ours(inside: Path) -> None:
    Path("data").mkdir()
    Path("data", "thesis.tex").write_text("mine")
    Path("data", "manifest.json").write_text('{"format": "somebody else"}')
    line = "holds files that hwaccel did not write; choose an empty or new folder"
    assert refused("convert", *MLP, "-o", "data") == f"data: {line}"
    assert refused("convert", *MLP, "-o", ".") == f".: {line}"
    assert content(Path("data")) == {
        "manifest.json": b'{"format": "somebody else"}',
        "thesis.tex": b"mine",
    }
    assert list(inside.iterdir()) == [inside / "data"]


def test_output_that_is_a_link(inside: Path) -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    Path("dangling").symlink_to("nowhere")
    for name in ("link", "link/", "dangling"):
        assert refused("convert", *MLP, "-o", name) == (
            f"{name.rstrip('/')}: is a symbolic link; name the folder itself"
        )
    assert list(Path("real").iterdir()) == []


def test_output_with_a_name_too_long(inside: Path) -> None:
    name = "n" * 300
    assert refused("convert", *MLP, "-o", name) == (
        f"{name}: cannot be written (File name too long)"
    )


def test_output_is_looked_at_before_the_model_is(inside: Path) -> None:
    Path("notes").write_text("mine")
    ran = run("convert", "no.pt2", "-o", "notes")
    assert ran.err == ("hwaccel: notes: is a file, expected a folder; choose another name",)


def test_graph_dumps_that_cannot_be_written(convert) -> None:
    Path("notes").write_text("mine")
    assert convert(*MLP, "--dump-ir", "notes/ir") == (
        "notes/ir: cannot be written (Not a directory)"
    )


# --- names of the top module ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("module", "module_0"),
        ("clk", "clk_0"),
        (";", "design_0"),
        ("$(touch executed)", "touch_executed"),
        ("../../outside", "outside"),
        ("/tmp/outside", "tmp_outside"),
        ("名前", "design_0"),
        ("a\nb", "a_b"),
        ("hwa_fifo", "design_hwa_fifo"),
        ("HWA_FIFO", "design_hwa_fifo"),
        ("9lives", "design_9lives"),
        ("", "sequential"),
        ("{{ 7 }}", "design_7"),
        ("x" * 999, "x" * 60),
        ("Ends_", "ends"),
    ],
)
def test_names_of_the_top(inside: Path, name: str, top: str) -> None:
    done("convert", *MLP, f"--name={name}", "-o", "p")
    assert hwaccel.load("p").name == top
    assert Path("p", "rtl", f"{top}.v").is_file()
    assert list(inside.iterdir()) == [inside / "p"]


# --- stages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sim", "csim", "synth", "report", "gpu run", "gpu compare"])
def test_what_is_no_project(inside: Path, command: str) -> None:
    Path("file").write_text("")
    Path("empty").mkdir()
    for name in ("nowhere", "file", "empty"):
        assert refused(*command.split(), name) == (
            f"{name}: is not an hwaccel project; write one with hwaccel convert"
        )
    assert list(Path("empty").iterdir()) == []


def test_unknown_names(project: Path) -> None:
    assert refused("sim", project, "--simulator", "modelsim") == (
        "simulator 'modelsim' is not one of verilator, icarus, fast"
    )
    patterns = "is not one of none, rare, some, heavy, bursts, alternate, start"
    assert refused("sim", project, "--idle", "often") == f"idle 'often' {patterns}"
    assert refused("sim", project, "--backpressure", "x") == f"backpressure 'x' {patterns}"
    assert refused("csim", project, "--what", "vhdl") == (
        "executor 'vhdl' is not one of hls, cuda-host, torch"
    )
    assert refused("synth", project, "--target", "../ecp5") == (
        "target '../ecp5': not known; choose one of ecp5-25k, ecp5-45k, ecp5-85k, xcup, xc7, "
        "ice40-up5k, ice40hx-8k, gw1n-9c, gw2a-18, asic, osu018"
    )
    assert {path.name for path in (project / "results").iterdir()} == {"errors.json"}


def test_clocks_that_do_not_tick(project: Path) -> None:
    for text, shown in (("0", "0.0"), ("-5", "-5.0"), ("nan", "nan"), ("1e9", "1000000000.0")):
        assert refused("synth", project, "--clock-mhz", text) == (
            f"clock clk: {shown} MHz; expected more than 0 and less than 10000"
        )


def test_pins_and_bitstreams_that_cannot_be(project: Path) -> None:
    assert refused("synth", project, "--target", "xcup", "--bitstream") == (
        "target xcup: no open place and route; choose an ecp5, ice40 or Gowin target, or run the "
        "vendor's project"
    )
    assert refused("synth", project, "--no-pnr", "--pins", "board.lpf") == (
        "--no-pnr: pins and a bitstream need place and route; drop it"
    )


def test_no_waves_from_the_fast_path(project: Path) -> None:
    assert refused("sim", project, "--simulator", "fast", "--waves", "w.vcd") == (
        "the fast path writes no waves; use verilator or icarus"
    )


@pytest.mark.parametrize("command", ["sim", "csim"])
def test_data_that_does_not_fit(inside: Path, project: Path, command: str) -> None:
    def says(array: np.ndarray) -> str:
        np.save("x.npy", array)
        return refused(command, project, "--data", "x.npy")

    wanted = "x.npy: expected frames of shape (N, 8), found "
    assert says(np.zeros((4, 7))) == f"{wanted}(4, 7)"
    assert says(np.zeros((0, 8))) == f"{wanted}(0, 8)"
    assert says(np.array(1.0)) == f"{wanted}()"
    assert says(np.full((1, 8), np.nan)) == (
        "input holds NaN at index (0, 0); replace it by a number"
    )
    assert refused(command, project, "--data", "no.npy") == (
        "no.npy: cannot be read (No such file or directory)"
    )


@pytest.mark.parametrize("command", ["sim", "csim"])
def test_data_for_two_inputs_that_does_not_fit(inside: Path, two_project: Path, command: str):
    def says(*files: str) -> str:
        return refused(command, two_project, *(w for f in files for w in ("--data", f)))

    np.save("x.npy", np.zeros((4, 3)))
    np.save("y.npy", np.zeros((5, 3)))
    np.savez("none.npz")
    np.savez("z.npz", a=np.zeros((4, 3)), b=np.zeros((4, 2)))
    np.savez("w.npz", a=np.array(["a"]))
    counts = (
        "--data: found {} arrays, expected 2; give a .npy file for each input, in this order: a, "
        "b; or all of them in one .npz file"
    )
    assert says("x.npy") == counts.format(1)
    assert says("x.npy", "z.npz") == counts.format(3)
    assert says("x.npy", "y.npy") == "--data: inputs have 4, 5 frames, expected equally many"
    assert says("z.npz") == "z.npz (b): expected frames of shape (N, 3), found (4, 2)"
    assert says("none.npz") == "none.npz: holds no arrays; save one for each input"
    assert says("w.npz") == "w.npz (a): holds <U1, expected numbers"
    Path("torn.npz").write_bytes(Path("z.npz").read_bytes()[:200])
    assert says("torn.npz").startswith("torn.npz: is not a .npz file of numbers (")


def test_report_that_cannot_be_written(project: Path) -> None:
    page = project / "nowhere" / "page.html"
    assert refused("report", project, "-o", page) == (
        f"{page}: cannot be written (No such file or directory)"
    )
    assert refused("report", project, "-o", project) == (
        f"{project}: cannot be written (Is a directory)"
    )


def test_results_that_are_none(project: Path) -> None:
    path = project / "results" / "sim-fast.json"
    path.write_text("{}")
    assert refused("report", project) == (
        f"{path}: is not a result of hwaccel (Object missing required field `record`); "
        "delete it, or run the stage again"
    )


# --- what no one foresees ------------------------------------------------------------------------


def test_an_interrupt(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hwaccel.stages.frames", interrupted)
    ran = run("csim", project)
    assert (ran.code, ran.err) == (130, ("hwaccel: interrupted; earlier output is untouched",))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(5, "Input/output error", "disk"), "disk: Input/output error"),
        (OSError(28, "No space left on device"), "file system: No space left on device"),
    ],
)
def test_a_failing_file_system(
    project: Path, error: OSError, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr("hwaccel.stages.frames", failing)
    assert refused("csim", project) == line


def test_a_bug_is_not_hidden(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hwaccel.stages.frames", buggy)
    with pytest.raises(ZeroDivisionError):
        run("csim", project)


def test_messages_cannot_steer_a_terminal(inside: Path) -> None:
    assert refused("report", "\x1b[2Jgone") == (
        "\\x1b[2Jgone: is not an hwaccel project; write one with hwaccel convert"
    )
