"""Sums of bit vectors in Verilog text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hwaccel.circuit.node import Sum, Sum3, first_bit
from hwaccel.emit.circuit_bits import Literal, Net, joined, shifted, zeros


def sum_text(node: Sum, *operands: Net | Literal) -> str:
    """Return a sum whose adder spans only the bits in which both operands may differ from 0."""
    a, b = operands
    up, down = node.ups
    width = node.width
    a_low, b_low = min(a.zeros + up, width), min(b.zeros + down, width)
    empty = min(a_low, b_low)
    cut = first_bit(node, (a.zeros, b.zeros))
    left, right = partial(shifted, a, up), partial(shifted, b, down)
    pieces = []
    if cut < width:
        spans = (a.above(cut - up) if cut >= up else True, b.above(max(0, cut - down)))
        pieces.append(_high(node, left, right, (cut, width - cut), spans))
    if cut > empty:
        pieces.append((left if a_low < b_low else right)(empty, cut - empty))
    if empty:
        pieces.append(zeros(empty))
    return joined(pieces)


def sum3_text(
    node: Sum3, names: tuple[str, str], *operands: Net | Literal
) -> tuple[str, list[str]]:
    """Return a sum of three, and the instance of its adder; ``names``: of its wire, of itself."""
    width = node.width
    cut = first_bit(node, [x.zeros for x in operands])
    lows = [min(x.zeros + up, width) for x, up in zip(operands, node.ups, strict=True)]
    empty = min(lows)
    pieces, before = [], []
    if cut < width:
        wire, label = names
        span = width - cut
        range_ = f"[{span - 1}:0] " if span > 1 else ""
        before = [
            f"wire {range_}{wire};",
            f"hwa_add3 #(.WIDTH({span}), .SUBTRACT({node.subtract})) {label} (",
            *(
                f"    .{port} ({shifted(x, up, cut, span)}),"
                for port, x, up in zip("abc", operands, node.ups, strict=True)
            ),
            f"    .y ({wire})",
            ");",
        ]
        pieces.append(wire)
    if cut > empty:
        lowest = lows.index(empty)
        pieces.append(shifted(operands[lowest], node.ups[lowest], empty, cut - empty))
    if empty:
        pieces.append(zeros(empty))
    return joined(pieces), before


def _high(
    node: Sum,
    left: Callable[[int, int], str],
    right: Callable[[int, int], str],
    span: tuple[int, int],
    present: tuple[bool, bool],
) -> str:
    """Return the part of a sum with bits of both operands; ``present`` tells whose there are."""
    if not present[1]:
        return left(*span)
    if not present[0] and not node.subtract:
        return right(*span)
    if span[1] == 1:
        return f"{left(*span)} ^ {right(*span)}"
    return f"{left(*span)} {'-' if node.subtract else '+'} {right(*span)}"
