"""What a comparison found, as plain data."""

from __future__ import annotations

import msgspec


class LayerOpinion(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: how many of its values differ, and how they do.

    ``largest`` is the largest difference, in numbers; ``first`` the index of the first, with frame.
    ``alone`` counts the values that differ if the graph is given the operands that the other tool
    has for this layer; without it, the graph cannot take them. ``asked`` and ``given`` are the
    types that differ, by their use; ``reason`` says what explains the values that differ alone.
    """

    layer: str
    path: str
    kind: str
    nodes: tuple[str, ...]
    values: int
    different: int
    largest: float = 0.0
    first: tuple[int, ...] = ()
    expected: float = 0.0
    found: float = 0.0
    alone: int | None = None
    asked: dict[str, str] = {}
    given: dict[str, str] = {}
    reason: str = ""


class NotConverted(msgspec.Struct, frozen=True):
    """A node of the graph that the other tool does not compute, and why."""

    node: str
    path: str
    op: str
    why: str


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What another tool says of a design, layer by layer.

    ``unseen`` are layers that the other tool computes but does not show, ``asked`` says whether it
    was given the types of the design.
    """

    design: str
    tool: str
    version: str
    frames: int
    asked: bool
    layers: tuple[LayerOpinion, ...]
    not_converted: tuple[NotConverted, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Do all values of all layers agree."""
        return not any(layer.different for layer in self.layers)

    @property
    def line(self) -> str:
        """The result in one line."""
        bad = [layer for layer in self.layers if layer.different]
        values = sum(layer.values for layer in self.layers)
        told = f"{self.tool} {self.version}, {self.frames} frames: {len(self.layers)} layers"
        if bad:
            count = sum(layer.different for layer in bad)
            told += f", {len(bad)} differ in {count:,} of {values:,} values"
        else:
            told += f", all {values:,} values the same"
        if self.not_converted:
            told += f"; {len(self.not_converted)} nodes not converted"
        return told
