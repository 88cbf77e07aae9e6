"""The list of what a window reads, as the header of ``hwa_window_list`` lays out its words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hwaccel.emit.windows import list_lines, window_params
from hwaccel.ir.hardware import Window

WINDOWS = {
    "padded": Window(5, 6, 2, 3, 2, (3, 3), padding=(1, 1), out_height=5, out_width=6),
    "above": Window(7, 4, 1, 2, 1, (5, 1), padding=(2, 0), out_height=7, out_width=4),
    "beside": Window(3, 9, 1, 2, 3, (1, 4), padding=(0, 2), out_height=3, out_width=10),
    "inside": Window(6, 6, 1, 4, 1, (3, 2), (1, 2), (1, 2), out_height=4, out_width=2),
    "below": Window(4, 4, 1, 1, 2, (3, 3), dilation=(1, 1), out_height=4, out_width=2),
    "one": Window(1, 1, 1, 6, 4),
}


def needs_tap(window: Window, axis: int) -> bool:
    """Tell whether some tap lies outside the image along an axis."""
    size = (window.height, window.width)[axis]
    windows = (window.out_height, window.out_width)[axis]
    places = [
        at * window.stride[axis] - window.padding[axis] + k * window.dilation[axis]
        for at in range(windows)
        for k in range(window.kernel[axis])
    ]
    return min(places) < 0 or max(places) >= size


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", WINDOWS)
def test_a_word_says_how_far_the_next_beat_is_and_where_its_tap_lies(name: str, seed: int) -> None:
    whole = WINDOWS[name]
    rng = np.random.default_rng(seed)
    used = rng.random(whole.groups * whole.repeat * whole.reduction) < (0.3, 0.5, 0.8, 0.1)[seed]
    window = whole.skipping(used)
    window = window.with_depth(window.min_depth() + seed)
    assert window.kept is not None
    given = dict(window_params(window, 8 * 3, 3))
    assert (given["TAP_Y_W"] > 0, given["TAP_X_W"] > 0) == tuple(
        needs_tap(window, axis) for axis in (0, 1)
    )
    read, taps = [], []  # the beat of each step, from that of the first tap on, and its tap
    for step in window.kept.a.tolist():
        row, beat = divmod(step, window.reduction)
        tap, inner = divmod(beat, window.group_beats)
        ky, kx = divmod(tap, window.kernel[1])
        y, x = ky * window.dilation[0], kx * window.dilation[1]
        group = row // window.repeat
        read.append((y * window.width + x) * window.beats + group * window.group_beats + inner)
        taps.append((row, y, x))
    assert given["STEPS"] == len(read) == len(list_lines(window))
    assert given["FIRST"] == read[0]
    assert given["BACK"] == read[-1] - read[0]
    hop_w = max(1, (window.depth - 1).bit_length())
    for k, line in enumerate(list_lines(window)):
        word = int(line, 16)
        fields = []
        for width in (1, hop_w, given["STEP_W"], given["TAP_X_W"], given["TAP_Y_W"]):
            fields.append(word & ((1 << width) - 1))
            word >>= width
        assert word == 0
        last, hop, step_back, x, y = fields
        ends = k + 1 == len(read)
        back = 0 if ends else read[k] - read[k + 1]
        assert last == (ends or taps[k][0] != taps[k + 1][0])
        assert hop == -back % window.depth
        assert step_back == back % (1 << given["STEP_W"])
        assert x == (taps[k][2] if given["TAP_X_W"] else 0)
        assert y == (taps[k][1] if given["TAP_Y_W"] else 0)
    steps = [a - b for a, b in pairwise(read)]
    half = 1 << (given["STEP_W"] - 1)
    assert all(-half <= step < half for step in steps)
    assert given["STEP_W"] == 1 or any(not -half // 2 <= step < half // 2 for step in steps)


def test_parameters_are_those_of_the_window() -> None:
    window = Window(
        5, 6, 2, 3, 4, (3, 2), (2, 1), (1, 2), (1, 2), out_height=3, out_width=7, pad=-5, depth=50
    )
    assert dict(window_params(window, 12, 3)) == {
        "DATA_W": 12, "DEPTH": 50, "IN_H": 5, "IN_W": 6, "GROUPS": 2, "GROUP_BEATS": 3,
        "REPEAT": 4, "KH": 3, "KW": 2, "SY": 2, "SX": 1, "DY": 1, "DX": 2, "PT": 1, "PL": 2,
        "OUT_H": 3, "OUT_W": 7, "LANES": 3, "PAD": 11,
    }  # fmt: skip
