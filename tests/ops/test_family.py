"""What ops share: the edges of what is refused, and where a line buffer pads."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.errors import VerifyError
from hwaccel.ir import TensorType
from hwaccel.ops.family import check_reach, check_window, line_buffer, tap_patterns


def test_a_line_buffer_pads_where_the_window_does() -> None:
    lines = line_buffer((5, 7), (3, 2), (1, 2), (1, 2, 3, 4), (2, 1), 9)
    assert (lines.height, lines.width, lines.kernel) == (5, 7, (3, 2))
    assert (lines.padding, lines.stride, lines.dilation, lines.pad) == ((1, 2), (1, 2), (2, 1), 9)
    assert (lines.out_height, lines.out_width) == (5 + 4 - 4, (7 + 6 - 2) // 2 + 1)


@pytest.mark.parametrize("pads", [(0, 0), (2, 0), (0, 3), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (2, 2, 2), (4, 3, 1)])
def test_taps_inside_the_image_are_those_of_some_window(
    pads: tuple[int, int], kernel: int, stride: int, dilation: int
) -> None:
    for size in range(4, 9):
        found = set()
        for first in range(-pads[0], size + pads[1] - dilation * (kernel - 1), stride):
            taps = (first + dilation * i for i in range(kernel))
            found.add(tuple(0 <= tap < size for tap in taps))
        made = tap_patterns(size, pads, kernel, stride, dilation)
        assert sorted(map(tuple, made.tolist())) == sorted(found)


def test_sums_of_61_bits_fit_and_one_more_does_not() -> None:
    x = TensorType((1,), 0, 0, (1 << 30) - 1)
    weight = np.array([[(1 << 30), (1 << 30) - 1]])
    check_reach(weight, 0, np.array([0]), x)
    with pytest.raises(VerifyError, match="the accumulator needs 63 bits, more than 62"):
        check_reach(weight, 1, np.array([0]), TensorType((1,), 0, 0, 1 << 30))


def test_a_window_as_large_as_the_padded_image_fits() -> None:
    check_window((3, 4), (3, 6), (1, 1), (0, 1, 0, 1), (1, 1))
    with pytest.raises(VerifyError, match="kernel spans 4 in height, but the padded input has"):
        check_window((3, 4), (4, 6), (1, 1), (0, 1, 0, 1), (1, 1))
    many = (1 << 22) // 2  # windows of two taps
    check_window((1, many + 1), (1, 2), (1, 1), (0, 0, 0, 0), (1, 1))
    with pytest.raises(VerifyError, match="4194306 window steps in width, expected at most"):
        check_window((1, many + 2), (1, 2), (1, 1), (0, 0, 0, 0), (1, 1))
    with pytest.raises(VerifyError, match="no window touches the image in width"):
        check_window((1, 1), (1, 1), (1, 9), (0, 4, 0, 5), (1, 1))
