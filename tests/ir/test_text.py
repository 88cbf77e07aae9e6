"""What graphs look like as text, and what is said when text is not a graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import OP_BY_NAME, Add, Conv2d, Dense, Relu, Requant, Reshape, Scale
from tests.graphs import random_graph

TEXT = """\
graph small
input %x : 1x4x4 u4.4
%conv = conv2d(%x) {weight=#b2a7a8d7, shift=[0], bias=[-5]} : 1x2x2 s11.4 [-545,715]  // net.0
%relu = relu(%conv) : 1x2x2 u10.4 [0,715]  // "net // 1"
%q = requant(%relu) {shift=4, lo=0, hi=15, rounding=floor, overflow=wrap} : 1x2x2 u4.0
%flat = reshape(%q) {shape=(4,), channels_last=true} : 4 u4.0
%"the sum" = add(%flat, %flat) {a_shift=1} : 4 u6.0 [0,45]
%scale = scale(%flat) {mult=[1, 2, 3, -4], add=[0, 0, 0, 0]} : 4 s7.0 [-60,45]
output %"the sum"
output %scale
constants
#b2a7a8d7 : 1x1x3x3
  -4 -3 -2 -1 0 1 2 3 4
"""


def small() -> Graph:
    builder = GraphBuilder("small")
    x = builder.input("x", TensorType.full((1, 4, 4), FixedType.parse("u4.4")))
    weight = IntArray(np.arange(-4, 5).reshape(1, 1, 3, 3) * 1)
    conv = builder.add("conv", Conv2d(weight, IntArray([0]), IntArray([-5])), x, path="net.0")
    relu = builder.add("relu", Relu(), conv, path="net // 1")
    q = builder.add("q", Requant(4, 0, 15, Rounding.FLOOR, Overflow.WRAP), relu)
    flat = builder.add("flat", Reshape((4,), True), q)
    total = builder.add("the sum", Add(0, 0), flat, flat)
    scale = builder.add("scale", Scale(IntArray([1, 2, 3, -4]), IntArray([0] * 4)), flat)
    return builder.build(total, scale)


def test_print() -> None:
    print(print_graph(small()))
    assert print_graph(small()) == TEXT
