"""Parameters of ``hwa_window``, and the list of beats it reads where it skips some."""

from __future__ import annotations

from itertools import pairwise

from hwaccel.ir.hardware import Window

Params = tuple[tuple[str, int], ...]


def window_params(window: Window, bits: int, lanes: int) -> Params:
    """Return the parameters for beats of ``bits`` bits in ``lanes`` lanes, but no file name."""
    numbers = {
        "DATA_W": bits,
        "DEPTH": window.depth,
        "IN_H": window.height,
        "IN_W": window.width,
        "GROUPS": window.groups,
        "GROUP_BEATS": window.group_beats,
        "REPEAT": window.repeat,
        "KH": window.kernel[0],
        "KW": window.kernel[1],
        "SY": window.stride[0],
        "SX": window.stride[1],
        "DY": window.dilation[0],
        "DX": window.dilation[1],
        "PT": window.padding[0],
        "PL": window.padding[1],
        "OUT_H": window.out_height,
        "OUT_W": window.out_width,
        "LANES": lanes,
        "PAD": window.pad & ((1 << (bits // lanes)) - 1),
    }
    if window.kept is not None:
        offsets = _offsets(window)
        tap_y, tap_x = _tap_widths(window)
        numbers |= {
            "STEPS": len(offsets),
            "FIRST": offsets[0],
            "BACK": offsets[-1] - offsets[0],
            "STEP_W": _step_width(offsets),
            "TAP_Y_W": tap_y,
            "TAP_X_W": tap_x,
        }
    return tuple(numbers.items())


def list_lines(window: Window) -> list[str]:
    """Return the words of ``hwa_window_list`` in hex, as its header lays them out."""
    offsets, places = _offsets(window), _places(window)
    hop_w, step_w = max(1, (window.depth - 1).bit_length()), _step_width(offsets)
    tap_y, tap_x = _tap_widths(window)
    digits = (1 + hop_w + step_w + tap_y + tap_x + 3) // 4
    lines = []
    for k, (row, ky, kx) in enumerate(places):
        final = k == len(places) - 1
        minus = 0 if final else offsets[k] - offsets[k + 1]
        word = int(final or places[k + 1][0] != row)
        word |= (-minus % window.depth) << 1
        word |= (minus & ((1 << step_w) - 1)) << (1 + hop_w)
        word |= (kx if tap_x else 0) << (1 + hop_w + step_w)
        word |= (ky if tap_y else 0) << (1 + hop_w + step_w + tap_x)
        lines.append(f"{word:0{digits}x}")
    return lines


def _places(window: Window) -> list[tuple[int, int, int]]:
    """Return of every step which reduction it is part of, and the place of its tap in pixels."""
    assert window.kept is not None
    found = []
    for step in window.kept.a.tolist():
        row, beat = divmod(step, window.reduction)
        ky, kx = divmod(beat // window.group_beats, window.kernel[1])
        found.append((row, ky * window.dilation[0], kx * window.dilation[1]))
    return found


def _offsets(window: Window) -> list[int]:
    """Return how far the beat of every step is from the first beat of the tap (0, 0)."""
    assert window.kept is not None
    return [
        (y * window.width + x) * window.beats
        + row // window.repeat * window.group_beats
        + step % window.group_beats
        for (row, y, x), step in zip(_places(window), window.kept.a.tolist(), strict=True)
    ]


def _step_width(offsets: list[int]) -> int:
    """Return the two's complement bits of every difference."""
    steps = [a - b for a, b in pairwise(offsets)]
    return max([(~s if s < 0 else s).bit_length() + 1 for s in steps], default=1)


def _tap_widths(window: Window) -> tuple[int, int]:
    """Return the bits that hold the row and the column of a tap; 0 where none is ever outside."""
    widths = []
    for axis, (size, windows) in enumerate(
        ((window.height, window.out_height), (window.width, window.out_width))
    ):
        span = (window.kernel[axis] - 1) * window.dilation[axis]
        reach = span + (windows - 1) * window.stride[axis] - window.padding[axis]
        outside = window.padding[axis] > 0 or reach >= size
        widths.append(max(1, span.bit_length()) if outside else 0)
    return widths[0], widths[1]
