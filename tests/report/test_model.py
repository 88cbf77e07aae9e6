import json
import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from hwaccel.circuit.cost import estimate
from hwaccel.config import Config, LayerConfig
from hwaccel.report.facts import DEVICES, Synthesis, device_of
from hwaccel.report.model import build_report
from hwaccel.report.page import bottleneck, lead
from hwaccel.report.render import render_html, render_markdown
from hwaccel.report.results import (
    AccuracyRecord,
    CsimRecord,
    Results,
    SimRecord,
    SynthRecord,
)
from hwaccel.report.stages import Kind
from hwaccel.report.summary import Basis, figures, table_rows
from hwaccel.report.tables import layer_table
from hwaccel.report.text import megahertz, percent
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.fits import FMAX_ERRORS
from tests.report.designs import (
    CONFIG,
    HASH,
    VERSIONS,
    bare,
    cnn,
    full_results,
    mlp,
    planned,
    report,
)


def test_stages_are_those_of_the_plan():
    graph, plan = planned("cnn")
    found = report()
    assert [stage.title for stage in found.stages] == [
        "stem", "pool", "block", "sum", "flat", "head",
    ]  # fmt: skip
    assert [stage.kind for stage in found.stages] == [
        Kind.MULTIPLY, Kind.WINDOW, Kind.MULTIPLY, Kind.JOIN, Kind.WIRES, Kind.MULTIPLY,
    ]  # fmt: skip
    names = [layer.name for stage in found.stages for layer in stage.layers]
    assert sorted(names) == sorted(node.name for node in graph.nodes)
    for segment in plan.segments:
        if segment.nodes:
            stage = next(s for s in found.stages if s.name == segment.name)
            assert stage.cycles == segment.cycles
            assert stage.latency == segment.latency


def test_prediction_is_the_timing_of_the_plan():
    _, plan = planned("cnn")
    timing, predicted = plan.timing(4), report().predicted
    assert (predicted.latency, predicted.interval) == (timing.latency, timing.interval)
    assert predicted.slowest_cycles == plan.bottleneck.cycles
    ends = [max(a.spans[f].last_out for a in predicted.activity) for f in (0, 1)]
    assert tuple(ends) == timing.finished()[:2]


def test_activity_is_in_order():
    for activity in report().predicted.activity:
        first, second = activity.spans
        for span in activity.spans:
            assert span.first_in <= span.last_in < span.last_out
            assert span.first_in < span.first_out <= span.last_out
        assert first.last_out < second.first_out


def test_counts_are_those_of_the_graph():
    graph, _ = planned("cnn")
    weights = [node.op.weight.a for node in graph.nodes if hasattr(node.op, "weight")]
    totals = report().totals
    assert totals.layers == len(graph.nodes)
    assert totals.weights == sum(w.size for w in weights)
    assert totals.zeros == sum(int(np.count_nonzero(w == 0)) for w in weights)
    # stem, block: weights times pixels; head: weights
    assert totals.multiplications == 36 * 64 + 144 * 16 + 640


def test_estimates_add_up():
    _, plan = planned("cnn")
    found = report()
    areas = [s.estimated_area for s in found.stages if s.estimated_area]
    total = sum(areas, found.estimated.adapters)
    assert total == found.estimated.total == plan_area(plan)


def test_bottleneck_is_named():
    found = report()
    slowest = max(stage.cycles for stage in found.stages)
    assert found.bottlenecks == tuple(s.title for s in found.stages if s.cycles == slowest)
    assert found.bottlenecks[0] in bottleneck(found)


def test_lead_says_what_goes_in_and_out():
    assert lead(bare("mlp"))[0] == (
        "16 u8.8 in, 4 s7.2 out: 4 layers with 160 weights, 7.5 % of them zero, and "
        "160 multiplications per frame."
    )


def test_streams_of_the_diagram_lead_from_input_to_output():
    diagram = report().diagram
    names = [box.name for box in diagram.boxes]
    edges = {(names[s.source], names[s.target]) for s in diagram.streams}
    assert edges == {
        ("x", "stem"),
        ("stem", "pool"),
        ("pool", "block"),
        ("pool", "sum"),
        ("block", "sum"),
        ("sum", "head"),
        ("head", "head"),  # the stage and the port of that name
    }
    flat = next(s for s in diagram.streams if names[s.source] == "sum")
    assert flat.shape == "64"
    skip = next(s for s in diagram.streams if (names[s.source], names[s.target]) == ("pool", "sum"))
    assert any(part.startswith("FIFO") for part in skip.parts)


def test_buffers_are_those_of_the_plan():
    _, plan = planned("cnn")
    found = report().buffers
    rings = [s.issuer.depth for s in plan.segments if s.issuer]
    fifos = [s.depth for s in plan.segments]
    assert [b.depth for b in found if b.role == "window ring"] == rings
    assert sorted(b.depth for b in found if b.role.endswith("FIFO")) == sorted(fifos)


# --- headline numbers ----------------------------------------------------------------------------


def _figures(found):
    return {figure.label: figure for figure in figures(found)}


def test_headline_with_every_result():
    found = report()
    shown = _figures(found)
    latency, interval = found.predicted.latency, found.predicted.interval
    assert (shown["Accuracy"].value, shown["Accuracy"].unit) == ("98.50", "%")
    assert shown["Accuracy"].how == "RTL, 1,000 frames; float 98.80 %"
    assert shown["Mismatches"].value == "0"
    assert shown["Mismatches"].how == "2,004 frames in 3 comparisons with the golden model"
    assert shown["Latency"].value == f"{latency:,}"
    assert shown["Latency"].how.startswith("simulated; predicted the same; ")
    assert shown["Fmax"].value == "93.4"
    assert shown["Throughput"].value == f"{round(93.4e6 / interval):,}"
    assert shown["LUT"].how == "5.0 % of 83,640 in ecp5-85k"
    assert shown["DSP"].how == "25.0 % of 156 in ecp5-85k"
    assert {figure.basis for figure in figures(found)} == {Basis.MEASURED}
    assert not any(figure.bad for figure in figures(found))


def test_headline_with_convert_alone():
    found = bare()
    shown = _figures(found)
    assert shown["Accuracy"].basis is shown["Mismatches"].basis is Basis.MISSING
    assert shown["Latency"].basis is shown["Interval"].basis is Basis.PREDICTED
    speed = found.estimated.speed
    assert shown["Fmax"].basis is Basis.ESTIMATED
    assert shown["Fmax"].value == f"≈ {megahertz(speed.fmax_mhz)}"
    assert f"limited by the {speed.what} of {speed.block}, off by" in shown["Fmax"].how
    assert shown["Throughput"].basis is Basis.PREDICTED
    assert shown["Throughput"].value == f"{round(100e6 / found.predicted.interval):,}"
    assert shown["LUT"].basis is Basis.ESTIMATED
    assert shown["LUT"].value == f"≈ {found.estimated.total.luts:,}"


def test_terminal_table_says_how_each_number_was_obtained():
    rows = table_rows(report())
    assert rows[:3] == (
        ("Accuracy, float", "98.80 %", "measured: 988 of 1,000 frames right"),
        ("Accuracy, golden", "98.50 %", "measured: 985 of 1,000 frames right"),
        ("Accuracy, RTL", "98.50 %", "measured: 985 of 1,000 frames right"),
    )
    assert [label for label, _, _ in rows[3:]] == [
        "Mismatches", "Latency", "Interval", "Fmax", "Throughput", "LUT", "FF", "DSP", "RAM",
    ]  # fmt: skip
    bases = {basis.value for basis in Basis}
    for found in (report(), bare()):
        assert all(how.split(":")[0] in bases for _, _, how in table_rows(found))


def test_a_stalled_simulation_never_heads_the_report():
    _, plan = planned("cnn")
    records = full_results(plan).records
    found = report(results=Results({"sim-icarus": records["sim-icarus"]}))
    assert _figures(found)["Latency"].basis is Basis.PREDICTED
    assert found.measured.timing[0].agrees is None


# --- what should not be so -----------------------------------------------------------------------


def _sim(**fields):
    given = {"simulator": "verilator", "frames": 8, "mismatches": 0, "latency": 100}
    return SimRecord(**{**given, **fields})


def _synth(**fields):
    given = {
        "target": "ecp5-25k", "luts": 1, "lut4_equivalents": 1, "ffs": 1, "dsps": 1,
        "block_rams": 1, "clock_mhz": 100.0, "routed": True,
    }  # fmt: skip
    return SynthRecord(**{**given, **fields})


@pytest.mark.parametrize(
    ("record", "label", "limit"),
    [
        (
            CsimRecord(what="cuda", frames=5, mismatches=1),
            "Mismatches",
            "CUDA C++ on a GPU: 1 output value not equal to the golden model's.",
        ),
        (
            _sim(predicted_latency=101),
            "Latency",
            "Verilog in Verilator, cocotb bench: latency 100 and interval –, where the schedule "
            "says 101 and –.",
        ),
        (
            _synth(fmax_mhz=75.04),
            "Fmax",
            "ecp5-25k: reaches 75 MHz of the 100 MHz asked for.",
        ),
        (_synth(dsps=29, fmax_mhz=120.0), "DSP", None),
    ],
    ids=["mismatch", "timing", "clock", "too-large"],
)
def test_what_is_wrong_is_said(record, label, limit):
    found = report(results=Results({"r": record}))
    assert _figures(found)[label].bad
    assert limit is None or found.limits[0] == limit


def test_records_of_another_design_are_left_out():
    found = report(results=Results({"sim-old": _sim(design="other")}))
    assert found.measured == bare().measured
    assert found.dropped == ("sim-old",)
    assert "Left out, measured on another design: sim-old. Run these stages again." in found.limits


def test_gaps_are_said():
    off = f"off by {percent(FMAX_ERRORS['ecp5'], 0)} on average"
    assert bare().limits == (
        "No simulation has been run: latency and interval are the schedule's alone.",
        f"Nothing has been synthesized: Fmax is an estimate, {off}, frames per second are for the "
        "clock asked for, and LUT, FF, DSP and RAM are estimates.",
        "No labelled data has been run: nothing is said about accuracy.",
        "Latency and interval are for a source and a sink that never wait; the schedule was run "
        "for 4 frames. Stalls from outside add their own cycles.",
        "LUT, FF, DSP and RAM of single stages are estimates for a device with four-input LUTs, "
        "made before synthesis; their sum need not equal a synthesis result.",
    )
    unrouted = report(results=Results({"s": _synth(routed=False)}))
    assert f"Nothing has been placed and routed: Fmax is an estimate, {off}." in unrouted.limits
    bound = report(results=Results({"s": _synth(fmax_mhz=150.0, untimed=["MULT9X9"])}))
    said = "ecp5-25k: Fmax is at most 150 MHz; nextpnr does not know all delays of MULT9X9."
    assert said in bound.limits
    assert _figures(bound)["Fmax"].how.startswith("delays not known: limited by ")


def test_a_family_that_was_never_fitted_has_no_fmax():
    graph, plan = planned("cnn")
    found = build_report(
        graph, replace(plan, family="other"), Config(), Results(), design_hash=HASH,
        versions=VERSIONS,
    )  # fmt: skip
    assert found.estimated.fmax_mhz is None
    assert _figures(found)["Fmax"].basis is Basis.MISSING
    assert _figures(found)["Fmax"].how == "not placed and routed; 100 MHz asked for"
    assert any("Fmax is not known" in line for line in found.limits)


def test_devices_are_found_by_the_names_of_targets():
    assert device_of("ecp5-85k") is DEVICES["ecp5-85"] is device_of("ECP5-85F")
    assert (DEVICES["ecp5-85"].lut4, DEVICES["ecp5-85"].dsps) == (83640, 156)
    assert device_of("xc7") is None
    assert device_of("gw1n-9c") is DEVICES["gw1n-9c"]
    assert device_of("ice40-up5k") is DEVICES["ice40-up5"]


def test_a_target_of_unknown_size_has_no_shares():
    found = report(results=Results({"s": _synth(target="xc7", lut4_equivalents=None, luts=77)}))
    shown = _figures(found)["LUT"]
    assert (shown.value, shown.how, shown.bad) == ("77", "xc7", False)
    assert isinstance(found.measured.synthesis[0], Synthesis)


def test_accuracy_interval_holds_the_accuracy():
    rows = [("all", 50, 50), ("none", 0, 50), ("some", 25, 50)]
    found = report(results=Results({"a": AccuracyRecord(rows=tuple(rows))}))
    for line in found.measured.accuracy:
        assert 0.0 <= line.low <= line.share <= line.high <= 1.0
        assert line.low < line.high


def test_configuration_is_shown():
    graph, plan = planned("cnn")
    config = Config(multipliers=32, layers={"stem": LayerConfig(pe=2)})
    found = build_report(graph, plan, config, Results(), design_hash=HASH, versions=VERSIONS)
    assert ("multipliers", "32") in found.config
    assert ("layers.stem", "pe 2") in found.config
    assert "target_interval" not in dict(found.config)


def test_json_keeps_every_number():
    found = report()
    data = json.loads(msgspec.json.encode(found))
    assert (data["format"], data["version"]) == ("hwaccel-report", 1)
    assert data["predicted"]["latency"] == found.predicted.latency
    assert data["measured"]["synthesis"][0]["fmax_mhz"] == 93.4
    assert data["estimated"]["total"]["luts"] == found.estimated.total.luts


def test_same_inputs_same_report():
    graph = cnn()
    _, plan = planned("cnn")
    again = build_report(
        graph, plan, CONFIG, full_results(plan), design_hash=HASH, versions=VERSIONS
    )
    assert again == report()


def test_logic_of_laid_out_stages_by_kind_of_node():
    assert report().logic == ()
    config = Config(style="spatial", effort="fast", latency=3, target="xcup")
    plan = schedule(mlp(), config)
    made = build_report(mlp(), plan, config, Results({}), design_hash=HASH, versions=VERSIONS)
    (unit,) = [pipe.unit for segment in plan.segments for pipe in segment.pipes if pipe.unit]
    kinds = {part.kind: part for part in made.logic}
    assert set(kinds) <= {node.kind for node in unit.piped.circuit.nodes}
    assert kinds["sum"].nodes == sum(n.kind == "sum" for n in unit.piped.circuit.nodes)
    assert sum(part.luts for part in made.logic) == pytest.approx(
        estimate(unit.piped, "xcup").luts, abs=len(made.logic)
    )
    assert "Kind of node" in render_html(made)
    assert "Kind of node" in render_markdown(made)


def test_what_stages_take_stands_below_their_estimates():
    rows = [row for group in layer_table(report()).groups for row in group]
    stem, total = rows[0], rows[-1]
    assert [cell.note for cell in stem[-5:-1]] == ["400", "300", "2", "0"]
    assert [cell.note for cell in total[-5:-1]] == ["4,182", "3,000", "39", "4"]
    assert "below them what ecp5-85k takes after synthesis" in layer_table(report()).caption
    assert ("Area, synthesized", "400 LUT, 300 FF, 2 DSP") in report().details[1].facts
    unknown = layer_table(bare()).groups[0][0]
    assert not any(cell.note for cell in unknown[-5:-1])


def test_a_fold_is_written_as_a_product_and_a_style_as_a_word():
    plan = schedule(cnn(), Config(style="pixel", effort="fast", clock_mhz=60.0))
    made = build_report(cnn(), plan, CONFIG, Results({}), design_hash=HASH, versions=VERSIONS)
    folds = {layer.fold for stage in made.stages for layer in stage.layers}
    assert "pixel" in folds
    assert all(re.fullmatch(r"(\d+×\d+|pixel|spatial)?", fold) for fold in folds)
    page = render_html(made)
    assert "pi×el" not in page
    assert "· 1 cycles" not in page
    assert any("×" in layer.fold for stage in report().stages for layer in stage.layers)
