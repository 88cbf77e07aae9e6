import os
import stat

import pytest

from hwaccel.errors import EmitError
from hwaccel.report.results import (
    AccuracyRecord,
    AccuracyRow,
    CsimRecord,
    Results,
    SimRecord,
    SynthRecord,
    TrainRecord,
    drop_result,
    load_results,
    save_result,
)

RECORDS = {
    "accuracy": AccuracyRecord(rows=(AccuracyRow("float", 9, 10), AccuracyRow("RTL", 8, 10))),
    "csim-hls": CsimRecord(what="hls", frames=10, mismatches=0, seconds=0.5),
    "sim-icarus": SimRecord(
        simulator="icarus", frames=3, mismatches=0, latency=40, interval=20, design="abc"
    ),
    "synth-ecp5-85k": SynthRecord(
        target="ecp5-85k",
        luts=10,
        lut4_equivalents=12,
        ffs=8,
        dsps=1,
        block_rams=0,
        clock_mhz=100,
        routed=False,
        tool_versions={"yosys": "0.60"},
    ),
    "train": TrainRecord(what="pruning", epochs=3, sparsity=0.5),
}


def test_every_record_round_trips(tmp_path):
    for name, record in RECORDS.items():
        assert save_result(tmp_path, name, record) == tmp_path / "results" / f"{name}.json"
    assert load_results(tmp_path) == Results(RECORDS)
    assert load_results(tmp_path).of(SimRecord) == (RECORDS["sim-icarus"],)


def test_a_folder_without_results_has_none(tmp_path):
    assert load_results(tmp_path) == Results()
    assert load_results(tmp_path / "missing") == Results()


def test_a_record_is_replaced_in_one_step(tmp_path):
    save_result(tmp_path, "train", TrainRecord(what="a", epochs=1))
    path = save_result(tmp_path, "train", TrainRecord(what="b", epochs=2))
    assert load_results(tmp_path).records["train"] == TrainRecord(what="b", epochs=2)
    assert os.listdir(path.parent) == ["train.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_same_record_same_bytes(tmp_path):
    first = save_result(tmp_path, "a", RECORDS["synth-ecp5-85k"]).read_bytes()
    assert save_result(tmp_path, "b", RECORDS["synth-ecp5-85k"]).read_bytes() == first


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "x" * 65, "a\n"])
def test_a_name_is_checked(tmp_path, name):
    with pytest.raises(EmitError) as error:
        save_result(tmp_path, name, RECORDS["train"])
    assert str(error.value) == (
        f"{name!r} is not a name for a result; use up to 64 of a-z, 0-9, '.', '_' and '-'"
    )
    assert not list(tmp_path.iterdir())


def test_a_field_out_of_range_is_not_written(tmp_path):
    with pytest.raises(EmitError) as error:
        save_result(tmp_path, "t", TrainRecord(what="x", epochs=-1))
    assert str(error.value) == (
        f"{tmp_path}/results/t.json: the record is not legal (Expected `int` >= 0 - at `$.epochs`)"
    )


def test_more_correct_than_frames_is_refused():
    with pytest.raises(ValueError, match="'RTL': 11 of 10 frames cannot be correct"):
        AccuracyRecord(rows=(AccuracyRow("RTL", 11, 10),))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(EmitError) as error:
        save_result(tmp_path, "train", RECORDS["train"])
    assert str(error.value) == (f"{tmp_path}/results/train.json: cannot be written (File exists)")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Input data was truncated"),
        (b"{}", "Object missing required field `record`"),
        (b'{"record": "other"}', "Invalid value 'other' - at `$.record`"),
        (b'{"record": "train", "what": "x"}', "Object missing required field `epochs`"),
        (
            b'{"record": "train", "what": "x", "epochs": 1, "more": 2}',
            "Object contains unknown field `more`",
        ),
        (
            b'{"record": "accuracy", "rows": [["f", 2, 1]]}',
            "'f': 2 of 1 frames cannot be correct",
        ),
        (b"[" * 100_000, "Expected `object`, got `array`"),
    ],
    ids=["empty", "untagged", "unknown", "missing", "extra", "impossible", "deep"],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, data, said):
    path = tmp_path / "results" / "bad.json"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(EmitError) as error:
        load_results(tmp_path)
    assert str(error.value) == (
        f"{path}: is not a result of hwaccel ({said}); delete it, or run the stage again"
    )


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "results" / "bad.json"
    path.parent.mkdir()
    path.write_bytes(b'{"record": "train", "what": "\xff", "epochs": 1}')
    with pytest.raises(EmitError, match=r"bad\.json: is not a result of hwaccel \(.+\); delete"):
        load_results(tmp_path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "results" / "big.json"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(1 << 23)
    with pytest.raises(EmitError) as error:
        load_results(tmp_path)
    assert str(error.value) == (
        f"{path}: is not a result of hwaccel (has more than 4 MiB, the most that is read); "
        "delete it, or run the stage again"
    )


def test_a_folder_in_the_place_of_a_record(tmp_path):
    path = tmp_path / "results" / "bad.json"
    path.mkdir(parents=True)
    with pytest.raises(EmitError) as error:
        load_results(tmp_path)
    assert str(error.value) == (
        f"{path}: cannot be read (Is a directory); delete it, or run the stage again"
    )


def test_what_a_killed_writer_left_is_ignored(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / ".train-x.tmp").write_text("{")
    (folder / ".train.json").write_text("{")
    (folder / "notes.txt").write_text("mine")
    assert load_results(tmp_path) == Results()


def test_records_of_another_design_are_told_apart():
    results = Results(RECORDS)
    assert "sim-icarus" in results.measured_on("abc").records
    assert "sim-icarus" not in results.measured_on("def").records
    assert len(results.measured_on("def").records) == len(RECORDS) - 1


def test_a_record_is_immutable():
    with pytest.raises(AttributeError):
        RECORDS["train"].epochs = 4


def test_a_record_that_no_longer_holds_is_dropped_and_nothing_elsewhere(tmp_path):
    project, other = tmp_path / "p", tmp_path / "other"
    drop_result(project, "mismatch-icarus")
    save_result(project, "mismatch-icarus", CsimRecord(what="hls", frames=1, mismatches=0))
    drop_result(project, "mismatch-icarus")
    drop_result(project, "mismatch-icarus")
    assert load_results(project).records == {}
    (project / "results").rmdir()
    other.mkdir()
    (other / "mismatch-icarus.json").write_text("mine")
    (project / "results").symlink_to(other)
    with pytest.raises(EmitError, match="symbolic link"):
        drop_result(project, "mismatch-icarus")
    assert (other / "mismatch-icarus.json").read_text() == "mine"
