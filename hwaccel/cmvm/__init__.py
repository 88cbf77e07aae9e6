"""Constant matrix times vector as shifts and additions: the problem, the answer, the optimizer."""

from hwaccel.cmvm.bounds import adder_bound, depth_bound
from hwaccel.cmvm.cost import LUT4, LUT6, LUT6_THREE, CostModel, adder_cost
from hwaccel.cmvm.graph import Adder, AdderGraph, Tap
from hwaccel.cmvm.problem import Problem, minimum_depth
from hwaccel.cmvm.solve import Settings, solve, solve_many

__all__ = [
    "LUT4",
    "LUT6",
    "LUT6_THREE",
    "Adder",
    "AdderGraph",
    "CostModel",
    "Problem",
    "Settings",
    "Tap",
    "adder_bound",
    "adder_cost",
    "depth_bound",
    "minimum_depth",
    "solve",
    "solve_many",
]
