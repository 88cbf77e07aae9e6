"""The scoreboard finds the first wrong beat and counts frames."""

from __future__ import annotations

import pytest
from scoreboard import BenchError, Difference, Scoreboard


def _board() -> Scoreboard:
    return Scoreboard("m_axis", 3, 2, [[1, 2, 3], [4, 5, 6]])


def test_right_frames_complete_it():
    board = _board()
    board.add([1, 2, 3], [10, 11, 12])
    assert not board.complete
    board.add([4, 5, 6], [13, 14, 15])
    assert board.complete
    assert board.difference is None


def test_first_difference_stays():
    board = _board()
    board.add([1, 7, 9], [10, 11, 12])
    board.add([0, 0, 0], [13, 14, 15])
    assert board.difference == Difference("m_axis", 0, 1, 11, 2, 7)
    assert str(board.difference) == ("m_axis: frame 0, beat 1, cycle 11: expected 0x2, found 0x7")


def test_without_expectation_anything_goes():
    board = Scoreboard("m_axis", 1, 1, None)
    board.add([99], [0])
    assert board.complete
    assert board.difference is None


@pytest.mark.parametrize("length", [2, 4])
def test_frame_of_another_length(length):
    with pytest.raises(BenchError) as caught:
        _board().add([0] * length, [0] * length)
    assert str(caught.value) == (
        f"m_axis: tlast came with beat {length} of frame 0, expected with beat 3"
    )


def test_frame_too_many():
    board = Scoreboard("m_axis", 1, 1, None)
    board.add([1], [0])
    with pytest.raises(BenchError) as caught:
        board.add([1], [0])
    assert str(caught.value) == "m_axis: a beat came after the last of 1 frames"
