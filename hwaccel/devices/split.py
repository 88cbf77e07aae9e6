"""``Split``: one network over several devices, with links between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hwaccel.api import Design
from hwaccel.config import Config
from hwaccel.devices.document import JoinRow, SplitDocument
from hwaccel.devices.links import LinkSpec
from hwaccel.devices.parts import Parts, base_name
from hwaccel.devices.system import System
from hwaccel.devices.together import joined, ways_of
from hwaccel.devices.top import system_netlist
from hwaccel.devices.ways import Way
from hwaccel.devices.wrapper import Device, wrap
from hwaccel.emit.netlist import Netlist
from hwaccel.ir import Graph
from hwaccel.ir.hardware import Area
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.plan import Plan


@dataclass(frozen=True)
class Split(System):
    """Designs, a device each, and the links between them."""

    graph: Graph
    config: Config
    designs: tuple[Design, ...]
    parts: Parts
    link: LinkSpec

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """The links as blocks."""
        return ways_of([design.plan for design in self.designs], self.parts, self.link)

    @cached_property
    def plan(self) -> Plan:
        """All devices and links as one plan."""
        return joined(self.graph, [d.plan for d in self.designs], self.parts, self.ways)

    @cached_property
    def wrapped(self) -> tuple[Device, ...]:
        """The devices with the ends of their links."""
        return tuple(wrap(d.netlist, n, self.ways) for n, d in enumerate(self.designs))

    @cached_property
    def netlist(self) -> Netlist:
        """The devices, and what lies between them."""
        cores = [design.netlist for design in self.designs]
        name = f"{base_name(self.graph)}_system"
        return system_netlist(name, self.wrapped, cores, self.parts, self.ways)

    @property
    def others(self) -> tuple[Netlist, ...]:
        """The wrapped devices."""
        return tuple(device.netlist for device in self.wrapped)

    @property
    def document(self) -> SplitDocument:
        """What says how the designs are joined."""
        joins = [
            JoinRow(value=j.value, source=j.source, output=j.output, target=j.target, input=j.input)
            for j in self.parts.joins
        ]
        return SplitDocument(
            devices=list(self.folders()),
            link=self.link,
            joins=joins,
            inputs=list(self.parts.inputs),
            outputs=list(self.parts.outputs),
        )

    def folders(self) -> tuple[str, ...]:
        """Return the name of the folder of every device."""
        return tuple(f"device{n}" for n in range(len(self.designs)))

    @property
    def traffic(self) -> int:
        """Bits per frame that cross from one device to another."""
        types = self.graph.types()
        return sum(types[j.value].size * types[j.value].fixed.width for j in self.parts.joins)

    @property
    def areas(self) -> tuple[Area, ...]:
        """What each device takes, with the ends of its links; an estimate."""
        areas = [plan_area(design.plan) for design in self.designs]
        for way in self.ways:
            plan = self.designs[way.join.source].plan
            bits = plan.streams[plan.outputs[way.join.output]].bits
            areas[way.join.source] += self.link.sender_area(bits)
            areas[way.join.target] += self.link.receiver_area(bits)
        return tuple(areas)

    def module(self, number: int) -> str:
        """Return the name of the module that holds a device and the ends of its links."""
        return self.wrapped[number].netlist.name
