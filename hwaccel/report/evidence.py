"""Records of single cycles and single numbers: traces, mismatches, errors of layers.

They are bounded, so that a page which shows them is; what was cut off is said.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from hwaccel.report.record import Count, Record, Text

# Wrong elements that are kept of a tensor, and elements of it that are kept as a picture.
MOST_WRONG = 500
MOST_PICTURED = 4096
MOST_LAYERS = 10_000
_MOST_ELEMENTS = 1 << 40
# Tensors of a mismatch, and lines of a trace that say what is not as predicted.
MOST_TENSORS = 8
MOST_LINES = 20

Integer = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Numbers = Annotated[list[Integer], msgspec.Meta(max_length=MOST_PICTURED)]


class Change(NamedTuple):
    """A signal has a value from a cycle of the excerpt on."""

    cycle: Count
    value: Annotated[str, msgspec.Meta(max_length=40)]


class Lane(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signal of an excerpt. Values are hexadecimal, ``x`` where a simulator knows none."""

    name: Name
    bits: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    changes: Annotated[list[Change], msgspec.Meta(max_length=200)]


class Excerpt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some signals over ``cycles`` clock cycles from ``first`` on; ``mark`` is one of them."""

    title: Text
    first: Count
    cycles: Annotated[int, msgspec.Meta(ge=1, le=200)]
    mark: Count
    lanes: Annotated[list[Lane], msgspec.Meta(max_length=40)]


class TraceRecord(Record, frozen=True, kw_only=True, tag="trace"):
    """The waves of a simulation compared with the schedule and the golden model.

    ``bits`` counts signals times cycles, ``beats`` those whose data was compared. ``timed`` is
    false where the schedule makes no promise, as under back pressure. ``odd`` says what is not as
    predicted.
    """

    simulator: Text
    frames: Count
    seed: int = 0
    idle: Text = "none"
    backpressure: Text = "none"
    timed: bool = True
    cycles: Count = 0
    streams: Count = 0
    issuers: Count = 0
    bits: Count = 0
    beats: Count = 0
    odd: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MOST_LINES)] = ()
    excerpts: Annotated[tuple[Excerpt, ...], msgspec.Meta(max_length=4)] = ()


class Wrong(NamedTuple):
    """An element that is not as expected; ``at`` counts elements of its frame in C order."""

    frame: Count
    at: Count
    expected: Integer
    found: Integer


class WrongTensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tensor with wrong elements.

    ``count`` of ``size`` elements are wrong; ``wrong`` lists the first. ``expected`` and ``found``
    are the whole of frame ``frame``, empty where that is larger than ``MOST_PICTURED``. ``cycle``
    is that of the first wrong beat, if known.
    """

    name: Name
    path: Name = ""
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(max_length=8)]
    format: Name
    count: Count
    size: Count
    cycle: Count | None = None
    wrong: Annotated[list[Wrong], msgspec.Meta(max_length=MOST_WRONG)]
    frame: Count
    expected: Numbers = []
    found: Numbers = []

    def __post_init__(self) -> None:
        elements = 1
        for length in self.shape:
            elements *= length
        if elements > _MOST_ELEMENTS:
            raise ValueError(f"a tensor of {elements} elements is none of a design")
        if len(self.expected) != len(self.found) or len(self.expected) not in (0, elements):
            raise ValueError("a picture holds all elements of a frame, or none")
        if any(w.at >= elements for w in self.wrong):
            raise ValueError("a wrong element lies outside its tensor")


class MismatchRecord(Record, frozen=True, kw_only=True, tag="mismatch"):
    """What a simulation got wrong; ``tensors`` in the order of the design, the first one first.

    ``located`` tells that the streams inside the design were looked at, so that the first tensor
    is where the error begins; ``fed`` that everything its layer reads was, too, and is right.
    ``message`` is what the run said.
    """

    simulator: Text
    frames: Count
    seed: int = 0
    idle: Text = "none"
    backpressure: Text = "none"
    message: Annotated[str, msgspec.Meta(max_length=3000)] = ""
    located: bool = False
    fed: bool = False
    tensors: Annotated[list[WrongTensor], msgspec.Meta(max_length=MOST_TENSORS)]
    excerpts: Annotated[tuple[Excerpt, ...], msgspec.Meta(max_length=4)] = ()


Finite = Annotated[float, msgspec.Meta(ge=0, le=1e300)]


class LayerError(NamedTuple):
    """How far a layer's numbers are from those of the float model, over all frames.

    ``signal`` and ``noise`` are mean squares, of the float numbers and of the difference;
    ``largest`` is the largest difference.
    """

    name: Name
    signal: Finite
    noise: Finite
    largest: Finite


class ErrorRecord(Record, frozen=True, kw_only=True, tag="errors"):
    """What quantization costs, layer by layer, on ``frames`` frames."""

    frames: Count
    layers: Annotated[list[LayerError], msgspec.Meta(max_length=MOST_LAYERS)]
