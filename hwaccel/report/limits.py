"""What the numbers of a report do not say; what is wrong comes first."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.report.facts import Measured
from hwaccel.report.pipeline import MOST_PERIOD, Pipeline
from hwaccel.report.text import clean, count, megahertz, percent, plural


def limits_of(
    measured: Measured,
    frames: int,
    dropped: Sequence[str],
    pipeline: Pipeline,
    fmax_error: float | None = None,
) -> tuple[str, ...]:
    """Return one sentence per limit. ``frames`` were scheduled; ``dropped`` names old records.

    ``fmax_error`` is how far estimates of Fmax are off on average, None where there is none.
    """
    limits = [*contradictions(measured), *_gaps(measured, fmax_error)]
    if dropped:
        limits.append(
            f"Left out, measured on another design: {', '.join(dropped)}. Run these stages again."
        )
    limits += _cuts(pipeline)
    limits += [
        "Latency and interval are for a source and a sink that never wait; the schedule was run "
        f"for {plural(frames, 'frame')}. Stalls from outside add their own cycles.",
        "LUT, FF, DSP and RAM of single stages are estimates for a device with four-input LUTs, "
        "made before synthesis; their sum need not equal a synthesis result.",
    ]
    return tuple(limits)


def _cuts(pipeline: Pipeline) -> list[str]:
    """Say what the picture of the steady state leaves out to stay within its bounds."""
    if not pipeline.rows:
        return [
            f"The steady state is not drawn: {count(pipeline.beats)} beats per frame, on all "
            "streams, are more than a page works out."
        ]
    cuts = []
    if pipeline.grain > 1:
        cuts.append(
            f"The steady state is drawn {pipeline.grain} cycles at a time; its numbers are exact."
        )
    if not pipeline.repeats:
        cuts.append(
            "What is shown as the steady state is not the same as up to "
            f"{MOST_PERIOD} frames before: the design needs more frames to settle than are worked "
            "out, or repeats more slowly."
        )
    return cuts


def contradictions(measured: Measured) -> tuple[str, ...]:
    """Return what was measured and should not be so."""
    found = []
    for line in measured.equality:
        if line.mismatches:
            values = plural(line.mismatches, "output value")
            found.append(f"{line.executor}: {values} not equal to the golden model's.")
    for timed in measured.timing:
        if timed.agrees is False:
            found.append(
                f"{timed.simulator}: latency {count(timed.latency)} and interval "
                f"{count(timed.interval)}, where the schedule says "
                f"{count(timed.predicted_latency)} and {count(timed.predicted_interval)}."
            )
    for made in measured.synthesis:
        if made.fmax_mhz is not None and made.fmax_mhz < made.clock_mhz:
            found.append(
                f"{made.target}: reaches {megahertz(made.fmax_mhz)} MHz of the "
                f"{megahertz(made.clock_mhz)} MHz asked for."
            )
    for cells in measured.cells:
        if cells.fmax_mhz is not None and cells.fmax_mhz < cells.clock_mhz:
            found.append(
                f"{clean(cells.target)}: reaches {megahertz(cells.fmax_mhz)} MHz of the "
                f"{megahertz(cells.clock_mhz)} MHz asked for, before layout."
            )
    return tuple(found)


def _gaps(measured: Measured, fmax_error: float | None) -> list[str]:
    gaps, fmax = [], "Fmax is not known"
    if fmax_error is not None:
        fmax = f"Fmax is an estimate, off by {percent(fmax_error, 0)} on average"
    if not measured.timing:
        gaps.append("No simulation has been run: latency and interval are the schedule's alone.")
    if measured.cells:
        gaps.append(
            "Standard cells: no layout was made, so what wires add to delay and power is not known."
        )
    if not measured.synthesis:
        where = " for an FPGA" if measured.cells else ""
        gaps.append(
            f"Nothing has been synthesized{where}: {fmax}, frames per second are for the clock "
            "asked for, and LUT, FF, DSP and RAM are estimates."
        )
    elif not measured.synthesis[0].routed:
        gaps.append(f"Nothing has been placed and routed: {fmax}.")
    gaps += [
        f"{made.target}: Fmax is at most {megahertz(made.bound_mhz)} MHz; nextpnr does not know "
        f"all delays of {', '.join(made.untimed)}."
        for made in measured.synthesis
        if made.bound_mhz is not None
    ]
    if not measured.accuracy:
        gaps.append("No labelled data has been run: nothing is said about accuracy.")
    return gaps
