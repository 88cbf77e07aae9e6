"""What a suite may say, and the line for everything it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.config import Config
from hwaccel.errors import ConfigError
from hwaccel.regress.plan import plan_of
from hwaccel.regress.suite import Suite, read_suite

MODEL = '[models.a]\nsource = "nets:a"\n'
PATTERNS = "none, rare, some, heavy, bursts, alternate, start"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def suite(text: str) -> Suite:
    Path("s.toml").write_text(text)
    return read_suite(Path("s.toml"))


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        plan_of(suite(text))
    line = str(caught.value)
    assert line.startswith(("s.toml: ", "suite s: "))
    return line.removeprefix("s.toml: ")


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    Path("logic.toml").write_text('style = "spatial"\n')
    read = suite(
        """
        name = "nightly"
        styles = ["stream", "pixel"]
        simulators = ["icarus", "verilator", "fast"]
        seeds = { first = 3, last = 5 }
        stalls = ["none", "some/bursts"]
        frames = [4, 64]
        time_limit = 90
        [models.one]
        source = "nets:one"
        weights = "w.pt"
        example = ["1x8"]
        calibration = ["x.npy"]
        config = { weight_bits = 6 }
        [models.two]
        source = "two.onnx"
        config = "logic.toml"
        [models.three]
        source = "build"
        [[exclude]]
        models = ["two"]
        stalls = ["none"]
        [[exclude]]
        simulators = ["icarus"]
        frames = [64]
        """
    )
    one, two, three = read.models
    assert (one.weights, one.example, one.calibration) == ("w.pt", ("1x8",), ("x.npy",))
    assert (one.config, two.config, three.config) == (
        Config(weight_bits=6),
        Config(style="spatial"),
        Config(),
    )
    assert [model.is_project for model in read.models] == [False, False, True]
    assert (read.name, read.folder, read.time_limit_s) == ("nightly", tmp_path, 90)
    assert (read.seeds, read.stalls) == ((3, 4, 5), ("none/none", "some/bursts"))
    plan = plan_of(read)
    names = ["one-stream", "one-pixel", "two-stream", "two-pixel", "three"]
    assert [source.name for source in plan.sources] == names
    # 5 designs, 3 simulators, 3 seeds, 2 patterns, 2 lengths; less what is excluded.
    kept = {(r.source.model.name, r.simulator, r.stall, r.frames) for r in plan.runs}
    assert not any(name == "two" and stall == "none/none" for name, _, stall, _ in kept)
    assert not any(simulator == "icarus" and frames == 64 for _, simulator, _, frames in kept)
    assert len(plan.runs) == 180 - 36 - 30 + 6 == len(set(plan.runs))
    assert plan.line == "120 runs of 5 designs (60 excluded)"


def test_what_is_left_out_has_defaults() -> None:
    plan = plan_of(suite(MODEL))
    (run,) = plan.runs
    assert (run.source.name, run.how) == ("a", "icarus, 16 frames, seed 1, none/none")
    assert plan.line == "1 run of 1 design"


def test_a_style_of_an_exclusion_is_not_that_of_a_project() -> None:
    text = '[models.p]\nsource = "build"\n' + MODEL + '[[exclude]]\nstyles = ["stream"]\n'
    assert [run.source.name for run in plan_of(suite(text)).runs] == ["p"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "models: there are none; add a table [models.NAME] with a source"),
        (
            'simulatosr = ["icarus"]\n' + MODEL,
            "'simulatosr' is not one of name, models, styles, simulators, seeds, stalls, frames, "
            "time_limit, exclude; did you mean 'simulators'?",
        ),
        (
            "zzz = 1\n" + MODEL,
            "'zzz' is not one of name, models, styles, simulators, seeds, stalls, frames, "
            "time_limit, exclude",
        ),
        (
            MODEL + 'weigths = "w"\n',
            "models.a: 'weigths' is not one of source, weights, example, calibration, config; "
            "did you mean 'weights'?",
        ),
        ("[models.a]\n", "models.a: object missing required field `source`"),
        (
            '[models."../a"]\nsource = "n:a"\n',
            "models: '../a' is no name for a model; use up to 64 letters, digits, '.', '_' and "
            "'-', a letter or digit first",
        ),
        (
            MODEL + "config = { weight_bit = 3 }\n",
            "models.a.config: 'weight_bit' is no option; known are name, weight_bits, "
            "activation_bits, input, output_bits, calibration, rounding, target_interval, "
            "multipliers, clock_mhz, target, style, latency, extra_depth, effort, seed, layers",
        ),
        (
            MODEL + 'config = "no.toml"\n',
            "models.a.config: no.toml: cannot be read (No such file or directory)",
        ),
        (
            '[models.a]\nsource = "build"\nexample = ["1x8"]\nweights = "w"\n',
            "models.a: build is a project folder, which has its own choices; leave out weights "
            "and example",
        ),
        (
            'simulators = ["icarsu"]\n' + MODEL,
            "simulators: 'icarsu' is not one of verilator, icarus, fast; did you mean 'icarus'?",
        ),
        (
            'stalls = ["burst"]\n' + MODEL,
            f"stalls: 'burst' is not one of {PATTERNS}; did you mean 'bursts'?",
        ),
        ('stalls = ["none/"]\n' + MODEL, f"stalls: '' is not one of {PATTERNS}"),
        ("seeds = []\n" + MODEL, "seeds: is empty; name one, or leave it out"),
        ("seeds = [1, 2, 1]\n" + MODEL, "seeds: 1 is there twice; name it once"),
        (
            'stalls = ["none", "none/none"]\n' + MODEL,
            "stalls: 'none/none' is there twice; name it once",
        ),
        (
            "seeds = { first = 5, last = 4 }\n" + MODEL,
            "seeds: 5 to 4 are not 1 to 200000 seeds; last is the last one that is run",
        ),
        (
            "seeds = { frist = 5, last = 4 }\n" + MODEL,
            "seeds: 'frist' is not one of first, last; did you mean 'first'?",
        ),
        ("frames = 0\n" + MODEL, "frames: expected `int` >= 1"),
        ('styles = ["flow"]\n' + MODEL, "styles[0]: invalid enum value 'flow'"),
        ("time_limit = 0\n" + MODEL, "time_limit: expected `float` > 0.0"),
        (
            MODEL + '[[exclude]]\nmodels = ["b"]\n',
            "exclude[0].models: 'b' is not one of a",
        ),
        (
            MODEL + "[[exclude]]\nseeds = [9]\n",
            "exclude[0].seeds: 9 is not among those of the suite",
        ),
        (
            MODEL + "[[exclude]]\n",
            "exclude[0]: names nothing, and so everything; name what is left out",
        ),
        (
            MODEL + '[[exclude]]\nmodel = ["a"]\n',
            "exclude[0]: 'model' is not one of models, styles, simulators, seeds, stalls, frames; "
            "did you mean 'models'?",
        ),
        (
            MODEL + '[[exclude]]\nmodels = ["a"]\n',
            "suite s: every run is excluded; exclude less",
        ),
        (
            'styles = ["stream"]\n[models.a-stream]\nsource = "build"\n' + MODEL,
            "suite s: two designs are called 'a-stream'; rename a model",
        ),
        (
            "seeds = { first = 1, last = 150000 }\nframes = [1, 2]\n" + MODEL,
            "suite s: 300,000 runs are more than the 200,000 of one suite; make it several",
        ),
    ],
)
def test_refusals(text: str, line: str) -> None:
    assert refused(text) == line


def test_what_is_no_toml() -> None:
    assert refused("models = [\n").startswith("is not TOML (")
    with pytest.raises(ConfigError) as caught:
        read_suite(Path("no.toml"))
    assert str(caught.value) == "no.toml: cannot be read (No such file or directory)"
