"""``system.json``: how the designs in a folder are joined."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hwaccel.devices.links import LinkSpec

Index = Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Depth = Annotated[int, msgspec.Meta(ge=1, le=1 << 24)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 10)]


class JoinRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A link: output ``output`` of device ``source`` is input ``input`` of device ``target``."""

    value: Name
    source: Index
    output: Index
    target: Index
    input: Index


class SplitDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="split"
):
    """A network over several devices; ``inputs`` and ``outputs`` are (device, port) each."""

    version: int = 1
    devices: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=64)]
    link: LinkSpec
    joins: list[JoinRow]
    inputs: list[tuple[Index, Index]]
    outputs: list[tuple[Index, Index]]


class FarmDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="farm"
):
    """Several engines of one design: the depth of the FIFO at each input and each output."""

    version: int = 1
    engine: Name
    count: Count
    inputs: list[Depth]
    outputs: list[Depth]


Document = SplitDocument | FarmDocument
