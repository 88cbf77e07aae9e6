"""Circuits: networks with logic of their own for every element, one input vector per clock."""

from hwaccel.circuit.builder import Builder
from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.unit import Lanes, Pipelined, Unit

__all__ = ["Builder", "Circuit", "Lanes", "Pipelined", "Unit"]
