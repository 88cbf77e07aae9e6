"""The steady state as the page shows it: numbers that belong together, and bounds that hold."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hwaccel.config import Config
from hwaccel.errors import EmitError
from hwaccel.report import pipeline as pipelines
from hwaccel.report.details import details_of
from hwaccel.report.errors import decibels
from hwaccel.report.evidence import Change, Excerpt, Lane, WrongTensor
from hwaccel.report.gantt import draw_pipeline, mean_beats
from hwaccel.report.heatmap import heat_maps
from hwaccel.report.limits import limits_of
from hwaccel.report.mismatches import mismatch_views
from hwaccel.report.pipeline import pipeline_of, waits
from hwaccel.report.results import load_results
from hwaccel.report.waveform import draw_excerpt
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.watch import watch
from tests.report.designs import bare, cnn, planned, report


@pytest.mark.parametrize("make", ["mlp", "cnn"])
def test_every_cycle_is_one_of_three(make):
    _, plan = planned(make)
    found = pipeline_of(plan, plan.timing(4))
    assert found.repeats == 1
    assert found.starts[0] == found.first
    assert found.cycles == plan.timing(4).interval * len(found.starts)
    for row in found.rows:
        assert row.works + row.starved + row.blocked == found.cycles
        drawn = np.array([(p.cycles, p.works, p.starved, p.blocked) for p in row.pieces])
        assert drawn[:, 0].sum() == found.cycles
        assert (drawn[:, 0] * drawn[:, 1]).sum() == row.works
        assert (drawn[:, 0] * drawn[:, 2]).sum() == row.starved
        assert (drawn[:, 0] * drawn[:, 3]).sum() == row.blocked
        assert all(0 <= n <= row.starved for _, n in row.missing)


def test_the_bottleneck_never_waits_and_each_stage_does_its_work_once_a_frame():
    _, plan = planned("cnn")
    found = pipeline_of(plan, plan.timing(4))
    cycles = {stage.title: stage.cycles for stage in report("cnn").stages}
    for row in found.rows:
        assert row.works == len(found.starts) * cycles[row.name], row.name
    by_name = {row.name: row for row in found.rows}
    assert by_name["stem"].starved == by_name["stem"].blocked == 0
    assert by_name["sum"].missing == (("block", 1088), ("pool", 0))
    assert waits(by_name["pool"], found.cycles) == (
        "works in 11.1 % of the cycles, waits for stem in 87.5 %, waits until block and sum make "
        "room in 1.4 %"
    )


def test_fifos_hold_what_the_streams_say():
    _, plan = planned("cnn")
    watched = watch(plan, 4)
    for segment in plan.segments:
        issue = watched.segments[segment.name]
        cycles = np.arange(int(issue.moved[-1]) + 2)
        held, reserved = issue.held(cycles), issue.reserved(cycles)
        assert held.min() >= 0
        assert (held <= reserved).all()
        assert reserved.max() <= segment.depth
        assert held[-1] == reserved[-1] == 0
        traffic = watched.streams[segment.outputs[0]]
        offered = np.zeros(len(cycles), dtype=int)
        for first, last in zip(traffic.valid, traffic.moved, strict=True):
            offered[first : last + 1] = 1
        assert ((held > 0) == offered).all(), segment.name


def test_a_picture_is_as_coarse_as_its_bound_asks(monkeypatch):
    _, plan = planned("cnn")
    fine = pipeline_of(plan, plan.timing(4))
    monkeypatch.setattr(pipelines, "MOST_PIECES", 200)
    coarse = pipeline_of(plan, plan.timing(4))
    assert coarse.grain > fine.grain == 1
    assert sum(len(row.pieces) for row in (*coarse.rows, *coarse.queues)) <= 200
    for one, other in zip(fine.rows, coarse.rows, strict=True):
        assert (one.works, one.starved, one.blocked) == (other.works, other.starved, other.blocked)
    said = limits_of(bare().measured, 4, (), coarse)
    assert any(f"drawn {coarse.grain} cycles at a time" in line for line in said)
    assert len(draw_pipeline(coarse).plot.groups) == len(coarse.rows) + len(coarse.queues)


def test_a_design_of_too_many_beats_is_left_out_and_said_to_be(monkeypatch):
    monkeypatch.setattr(pipelines, "MOST_BEATS", 1000)
    _, plan = planned("cnn")
    found = pipeline_of(plan, plan.timing(4))
    assert (found.rows, draw_pipeline(found)) == ((), None)
    (said, *_) = limits_of(bare().measured, 4, (), found)[3:]
    assert said.startswith("The steady state is not drawn: 389 beats per frame")


def test_a_design_in_logic_has_a_steady_state_too():
    graph = cnn()
    plan = schedule(graph, Config(style="pixel", effort="fast", clock_mhz=60.0))
    found = pipeline_of(plan, plan.timing(4))
    assert found.rows
    assert all(row.works + row.starved + row.blocked == found.cycles for row in found.rows)


def test_a_box_says_what_it_computes():
    made = report("cnn")
    details = made.details
    assert [d.key for d in details] == [f"box-{k}" for k in range(len(made.diagram.boxes))]
    stem = details[1]
    assert (stem.title, stem.kind) == ("stem", "multiplies")
    conv, requant = stem.steps
    assert conv.formula.startswith("y[o] = ((sum_{i,ky,kx} weight[o, i, ky, kx]")
    assert conv.operands == ("x 1×8×8 u4.4, 0 to 15",)
    assert dict(requant.attributes)["rounding"] == "half_even"
    assert details[0].facts[0] == ("Tensor", "1×8×8 u4.4, 0 to 15")
    assert details[-1].kind == "output stream"


def test_a_box_names_the_files_of_its_modules():
    from hwaccel.emit.design import build_netlist

    graph, plan = planned("cnn")
    made = report("cnn")
    details = details_of(
        plan, build_netlist(plan), made.diagram, made.stages, made.pipeline, made.losses, {}
    )
    assert ("u_stem_q_window", "rtl/hwa_window.v") in details[1].instances
    assert graph.name == "cnn"


# --- pictures of tensors and waves ---------------------------------------------------------------


def test_heat_maps_hold_every_element():
    shape, expected = (3, 4, 5), list(range(60))
    found = [*expected[:-1], 1000]
    maps = heat_maps(shape, expected, found)
    assert [m.title for m in maps] == [
        "expected, 0 (dark) to 1000 (light)",
        "found, on the same scale",
        "1 of 60 differ, by at most 941",
    ]
    assert all(m.source.startswith("data:image/png;base64,") for m in maps)
    assert heat_maps(shape, [], []) == ()
    big = (1 << 62, -(1 << 62))
    assert len(heat_maps((2,), list(big), list(reversed(big)))) == 3


def test_waves_without_changes_are_drawn():
    lanes = [Lane("a", 1, [Change(0, "x")]), Lane("b", 9, [Change(0, "1ff"), Change(3, "0")])]
    picture = draw_excerpt(Excerpt("t", 0, 4, 9, lanes), "k")
    assert [len(group.paths) for group in picture.groups] == [1, 1, 2]


# The widest of the fonts that a page falls back to, in pixels per character of a label.
CHARACTER = 7.4


def test_long_names_fit_beside_their_pictures():
    long = "features_of_the_first_block_requant_to_1"
    _, plan = planned("cnn")
    found = pipeline_of(plan, plan.timing(4))
    rows = tuple(replace(row, name=f"{long}_{k}") for k, row in enumerate(found.rows))
    queues = tuple(replace(queue, name=long) for queue in found.queues)
    steady = draw_pipeline(replace(found, rows=rows, queues=queues))
    waves = draw_excerpt(
        Excerpt("t", 0, 4, 9, (Lane(f"{long}_tdata", 16, (Change(0, "0"),)),)), "k"
    )
    for picture in (steady, waves):
        texts = [text for group in picture.groups for text in group.texts]
        labels = [text for text in texts if text.css.startswith("label")]
        assert labels
        assert all(len(text.text) * CHARACTER <= text.x for text in labels)


def test_mean_beats_of_a_fifo():
    for mean, text in ((0.0563, "0.056"), (2.91, "2.9"), (99.4, "99"), (373.2, "373"),
                       (21034.6, "21,035"), (0.0, "0")):  # fmt: skip
        assert mean_beats(mean) == text


def test_a_tensor_must_fit_its_picture():
    with pytest.raises(ValueError, match="all elements of a frame, or none"):
        WrongTensor(
            name="t", shape=[4], format="u8.0", count=1, size=4, wrong=[], frame=0,
            expected=[1, 2], found=[1, 2],
        )  # fmt: skip


def test_a_mismatch_that_cannot_be_is_refused_where_it_is_read(tmp_path):
    tensor = {
        "name": "t", "shape": [4], "format": "u8.0", "count": 1, "size": 4, "frame": 0,
        "wrong": [[0, 3, 1, 2]],
    }  # fmt: skip
    record = {"record": "mismatch", "simulator": "icarus", "frames": 1, "tensors": [tensor]}
    file = tmp_path / "results" / "mismatch-icarus.json"
    file.parent.mkdir()
    file.write_text(json.dumps(record))
    (found,) = load_results(tmp_path).records.values()
    (view,) = mismatch_views([found])
    assert view.tensors[0].table.groups[0][0][0].text == "[3]"
    for spoilt in (
        {"shape": [1 << 40, 1 << 40]}, {"shape": [0]}, {"shape": [1] * 9},
        {"wrong": [[0, 4, 1, 2]]},
        {"expected": [1]}, {"wrong": [[0, 3, 1, 2]] * 501}, {"frame": -1}, {"name": "n" * 201},
    ):  # fmt: skip
        file.write_text(json.dumps({**record, "tensors": [{**tensor, **spoilt}]}))
        with pytest.raises(EmitError, match="is not a result of hwaccel"):
            load_results(tmp_path)


def test_decibels():
    assert decibels(1.0, 0.0) is None
    assert decibels(1.0, 0.01) == pytest.approx(20.0)
    assert decibels(0.0, 1.0) < -1000
