"""Bench of a design behind registers: AXI4-Lite master, AXI-Stream ends, a model of all counters.

The job is a JSON file named by ``HWACCEL_JOB``::

    {"result": "result.json", "seed": 1, "hash": "0123456789abcdef",
     "registers": {"ID": 0, ...}, "counters": ["CYCLES_LO", ...], "address_bits": 12,
     "values": {"ID": 1213677891, ...},          # what must stand in the constant ones
     "inputs":  [{"port": "s_axis", "beats": 8, "bits": 8, "frames": [[1, 2, ...], ...]}],
     "outputs": [{"port": "m_axis", "beats": 2, "bits": 24, "frames": [[...], ...]}]}

Frames are lists of beats; outputs have those that the golden model says.
"""

from __future__ import annotations

import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from stalls import pauses
from streams import PERIOD_NS, Sink, Source, cycle

JOB = json.loads(Path(os.environ["HWACCEL_JOB"]).read_text(encoding="utf-8"))
PASSED: list[str] = []
STARTED: list[Any] = []
TIMEOUT = {"timeout_time": 150, "timeout_unit": "us"}
ENABLE, RESET, RESYNC, CLEAR = 1, 2, 4, 8
BUSY, FRAME_ERROR, RESETTING, SKIPPING = 2, 4, 8, 16
# Cycles that a soft reset lasts, and some.
RESTART = 12
CHANNELS = ("aw", "w", "b", "ar", "r")


class Model:
    """What gates and counters must do, one clock edge after the other."""

    def __init__(self, beats_in: list[int], beats_out: list[int]) -> None:
        self.beats = [*beats_in, *beats_out]
        self.inputs = len(beats_in)
        self.enabled = False
        self.cycles = 0
        self.opened: list[int] = []
        self.done: list[int] = []
        self.count = [0] * len(self.beats)
        self.frames = [0] * len(self.beats)
        self.begun_frames = [0] * self.inputs
        self.offered = [False] * self.inputs
        self.stalls = [0] * len(self.beats)

    @property
    def frames_in(self) -> int:
        return min(self.frames[: self.inputs])

    @property
    def latency(self) -> int:
        """The frame measured last: the first, then always the first to begin after that ended."""
        at, found = 0, 0
        while at is not None and at < len(self.done):
            found = self.done[at] - self.opened[at]
            at = next((i for i, t in enumerate(self.opened) if t >= self.done[at]), None)
        return found

    @property
    def interval(self) -> int:
        return self.done[-1] - self.done[-2] if len(self.done) > 1 else 0

    def step(self, now: int, valid: list[int], ready: list[int]) -> None:
        running = self.enabled or len(self.opened) > len(self.done) or any(self.offered)
        self.cycles += running
        opened = len(self.opened)
        called = any(
            o and self.count[k] == 0 and self.begun_frames[k] == opened
            for k, o in enumerate(self.offered)
        )
        for k, (v, r) in enumerate(zip(valid, ready, strict=True)):
            if k < self.inputs:
                behind = self.begun_frames[k] < opened
                may = self.enabled or self.offered[k] or behind or called
                assert may or not r, f"stream {k} takes a beat while no frame may begin"
                self.offered[k] |= bool(v and may)
            self.stalls[k] += bool(running and v and not r)
            if v and r:
                self._take(k, now)
        while min(self.frames[self.inputs :]) > len(self.done):
            self.done.append(now)

    def _take(self, k: int, now: int) -> None:
        if k < self.inputs and self.count[k] == 0:
            self.begun_frames[k] += 1
            if self.begun_frames[k] > len(self.opened):
                self.opened.append(now)
        self.count[k] += 1
        if self.count[k] == self.beats[k]:
            self.count[k] = 0
            self.frames[k] += 1
            if k < self.inputs:
                self.offered[k] = False


class Bench:
    """Wires master, sources, sinks and model to the design."""

    def __init__(self, dut: Any, seed: int = 0) -> None:
        STARTED.append(dut)
        assert len(STARTED) == len(PASSED) + 1, "a test before this one failed"
        self.dut, self.clk = dut, dut.aclk
        self.seed = JOB["seed"] + 1000 * seed
        self.rng = random.Random(self.seed)
        Clock(self.clk, PERIOD_NS, "ns").start()
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.master = AxiLiteMaster(bus, self.clk, dut.aresetn, reset_active_level=False)
        for part in (self.master.write_if, self.master.read_if):
            part.log.setLevel(logging.ERROR)
        self.inputs, self.outputs = JOB["inputs"], JOB["outputs"]
        self.sources = [Source(dut, edge["port"], self.clk) for edge in self.inputs]
        self.sinks = [Sink(dut, edge["port"], self.clk) for edge in self.outputs]
        self.model: Model | None = None
        self._enable: list[bool] = []

    async def reset(self) -> None:
        for end in (*self.sources, *self.sinks):
            end.hold()
        self.dut.aresetn.value = 0
        await ClockCycles(self.clk, 3)
        self.dut.aresetn.value = 1
        cocotb.start_soon(self._rules())
        await ClockCycles(self.clk, RESTART)

    # --- the bus -------------------------------------------------------------------------------

    def channel(self, name: str) -> Any:
        part = self.master.write_if if name in ("aw", "w", "b") else self.master.read_if
        return getattr(part, f"{name}_channel")

    def stall(self, patterns: dict[str, str]) -> None:
        """Let the master pause on its channels."""
        for name in CHANNELS:
            self.channel(name).clear_pause_generator()
            self.channel(name).pause = False
            generator = pauses(patterns.get(name, "none"), self.seed, name)
            if generator is not None:
                self.channel(name).set_pause_generator(generator)

    async def read(self, register: str) -> int:
        answer = await self.master.read(JOB["registers"][register], 4)
        assert answer.resp == AxiResp.OKAY, register
        return int.from_bytes(answer.data, "little")

    async def write(self, register: str, value: int) -> None:
        data = value.to_bytes(4, "little")
        answer = await self.master.write(JOB["registers"][register], data)
        assert answer.resp == AxiResp.OKAY, register

    async def control(self, value: int) -> None:
        """Write CONTROL; the model learns of it in the cycle in which the design does."""
        self._enable.append(bool(value & ENABLE))
        await self.write("CONTROL", value)

    async def until_idle(self) -> None:
        while await self.read("STATUS") & (BUSY | RESETTING):
            pass

    # --- the streams ---------------------------------------------------------------------------

    def send(self, idle: str = "none", frames: slice = slice(None)) -> None:
        for edge, source in zip(self.inputs, self.sources, strict=True):
            source.start(edge["frames"][frames], pauses(idle, self.seed, source.port))

    def take(self, backpressure: str = "none") -> None:
        for sink in self.sinks:
            sink.start(pauses(backpressure, self.seed, sink.port))

    async def expect(self, frames: slice = slice(None)) -> None:
        """Receive the frames that the golden model says."""
        for edge, sink in zip(self.outputs, self.sinks, strict=True):
            for number, expected in enumerate(edge["frames"][frames]):
                found = await sink.receive()
                assert found == expected, f"{edge['port']}: frame {number}: {found} != {expected}"
            assert sink.unknown is None

    def quiet(self) -> None:
        """No frame came that nobody expected."""
        for sink in self.sinks:
            assert sink._axis.empty(), sink.port

    def watch(self) -> Model:
        """Run the model from the next edge on; nothing may be under way."""
        self.model = Model([e["beats"] for e in self.inputs], [e["beats"] for e in self.outputs])
        cocotb.start_soon(self._follow(self.model))
        return self.model

    def _handles(self, signal: str) -> list[Any]:
        ports = [edge["port"] for edge in (*self.inputs, *self.outputs)]
        return [getattr(self.dut, f"{port}_{signal}") for port in ports]

    async def _follow(self, model: Model) -> None:
        valids, readys = self._handles("tvalid"), self._handles("tready")
        answered = False
        while True:
            await RisingEdge(self.clk)
            # The registers have changed in the cycle in which the response is there first.
            response = bool(self.dut.s_axi_bvalid.value)
            if response and not answered and self._enable:
                model.enabled = self._enable.pop(0)
            answered = response and not self.dut.s_axi_bready.value
            valid, ready = [int(h.value) for h in valids], [int(h.value) for h in readys]
            model.step(cycle(), valid, ready)

    async def _rules(self) -> None:
        """An output once valid stays, with its data, until it is taken; frames are whole."""
        waiting: dict[str, tuple[int, int]] = {}
        beats = {edge["port"]: 0 for edge in self.outputs}
        while True:
            await RisingEdge(self.clk)
            for edge in self.outputs:
                port = edge["port"]
                valid, ready, data, last = (
                    getattr(self.dut, f"{port}_{s}").value
                    for s in ("tvalid", "tready", "tdata", "tlast")
                )
                if port in waiting:
                    assert valid, f"{port}: tvalid was taken back"
                    assert (int(data), int(last)) == waiting.pop(port), f"{port}: data changed"
                if valid and not ready:
                    waiting[port] = (int(data), int(last))
                if valid and ready:
                    beats[port] = (beats[port] + 1) % edge["beats"]
                    assert bool(last) == (beats[port] == 0), f"{port}: tlast out of place"


def done(name: str) -> None:
    PASSED.append(name)


async def compare(bench: Bench, model: Model) -> None:
    """Every counter is what the model counted; nothing moves any more."""
    found = {name: await bench.read(name) for name in JOB["counters"]}
    expected = {
        "CYCLES_LO": model.cycles & 0xFFFF_FFFF,
        "CYCLES_HI": model.cycles >> 32,
        "FRAMES_IN": model.frames_in,
        "FRAMES_OUT": len(model.done),
        "LATENCY": model.latency,
        "INTERVAL": model.interval,
    }
    for k, edge in enumerate((*bench.inputs, *bench.outputs)):
        expected[f"{edge['port'].upper()}_FRAMES"] = model.frames[k]
        expected[f"{edge['port'].upper()}_STALLS"] = model.stalls[k]
    assert found == expected, f"{found} != {expected}"
    assert await bench.read("IN_FLIGHT") == 0


# --- the bus -------------------------------------------------------------------------------------


@cocotb.test(**TIMEOUT)
async def constants_and_reset_values(dut: Any) -> None:
    bench = Bench(dut)
    await bench.reset()
    for name in JOB["registers"]:
        assert await bench.read(name) == JOB["values"].get(name, 0), name
    assert not dut.irq.value
    done("constants")


@cocotb.test(**TIMEOUT)
async def unmapped_and_read_only(dut: Any) -> None:
    bench = Bench(dut)
    await bench.reset()
    mapped = set(JOB["registers"].values())
    space = range(0, 1 << JOB["address_bits"], 4)
    holes = [a for a in space if a not in mapped]
    for address in {holes[0], holes[-1], *bench.rng.sample(holes, 30), max(mapped) + 4}:
        answer = await bench.master.read(address, 4)
        assert (answer.resp, bytes(answer.data)) == (AxiResp.SLVERR, bytes(4)), hex(address)
        answer = await bench.master.write(address, b"\xff\xff\xff\xff")
        assert answer.resp == AxiResp.SLVERR, hex(address)
    for name, value in JOB["values"].items():
        await bench.write(name, ~value & 0xFFFF_FFFF)
        assert await bench.read(name) == value, name
    for name in ("STATUS", "IN_FLIGHT", "CONTROL"):
        if name != "CONTROL":
            await bench.write(name, 0xFFFF_FFFF)
        assert await bench.read(name) == 0, name
    done("unmapped")


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(
    stalls=[
        {},
        {"aw": "heavy"},
        {"w": "heavy"},
        {"b": "heavy", "r": "heavy"},
        {"aw": "some", "w": "bursts", "b": "some", "ar": "some", "r": "bursts"},
    ]
)
async def strobes_and_channels(dut: Any, stalls: dict[str, str]) -> None:
    """Bytes written at random, back to back, while as much is read."""
    bench = Bench(dut, len(stalls))
    await bench.reset()
    bench.stall(stalls)
    at, held = JOB["registers"]["SCRATCH"], bytearray(4)
    reads = [bench.master.init_read(JOB["registers"]["ID"], 4) for _ in range(30)]
    writes = []
    for _ in range(30):
        low = bench.rng.randrange(4)
        data = bench.rng.randbytes(bench.rng.randint(1, 4 - low))
        held[low : low + len(data)] = data
        writes.append(bench.master.init_write(at + low, data))
    for event in (*reads, *writes):
        await event.wait()
        assert event.data.resp == AxiResp.OKAY
    identity = JOB["values"]["ID"].to_bytes(4, "little")
    assert all(bytes(event.data.data) == identity for event in reads)
    assert await bench.read("SCRATCH") == int.from_bytes(held, "little")
    # Registers whose bits are in the lowest byte take no notice of the others.
    await bench.master.write(JOB["registers"]["IRQ_ENABLE"], b"\x03")
    await bench.master.write(JOB["registers"]["CONTROL"], b"\x01")
    await bench.master.write(JOB["registers"]["IRQ_ENABLE"] + 1, b"\xff\xff\xff")
    await bench.master.write(JOB["registers"]["CONTROL"] + 1, b"\xff\xff\xff")
    assert await bench.read("IRQ_ENABLE") == 3
    assert await bench.read("CONTROL") == 1
    done("strobes")


# --- frames --------------------------------------------------------------------------------------


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(
    idle=["none", "heavy"],
    backpressure=["none", "bursts"],
)
async def counters_are_right(dut: Any, idle: str, backpressure: str) -> None:
    bench = Bench(dut, 7)
    await bench.reset()
    model = bench.watch()
    bench.take(backpressure)
    bench.send(idle)
    await ClockCycles(bench.clk, 40)
    assert not any(source.taken for source in bench.sources), "taken before it was enabled"
    await bench.control(ENABLE)
    await bench.expect()
    await bench.control(0)
    await bench.until_idle()
    bench.quiet()
    await compare(bench, model)
    assert len(model.done) == len(bench.outputs[0]["frames"])
    done("counters")


@cocotb.test(**TIMEOUT)
async def a_counter_clears_by_any_write(dut: Any) -> None:
    bench = Bench(dut)
    await bench.reset()
    bench.take("some")
    bench.send()
    await bench.control(ENABLE)
    await bench.expect()
    await bench.control(0)
    await bench.until_idle()
    before = {name: await bench.read(name) for name in JOB["counters"]}
    for name in ("CYCLES_LO", "FRAMES_IN", "FRAMES_OUT", "LATENCY", "INTERVAL"):
        assert before[name], name
    for name in JOB["counters"]:
        if name == "CYCLES_HI":
            continue
        byte = bench.rng.randrange(4)
        await bench.master.write(JOB["registers"][name] + byte, b"\xff")
        before[name] = 0
        assert {n: await bench.read(n) for n in JOB["counters"]} == before, name
    # And all at once.
    bench.send()
    await bench.control(ENABLE)
    await bench.expect()
    await bench.control(0)
    await bench.until_idle()
    assert await bench.read("FRAMES_OUT") == len(bench.outputs[0]["frames"])
    await bench.control(CLEAR)
    assert not any([await bench.read(name) for name in JOB["counters"]])
    done("clear")


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(part=[1, 2, 3], idle=["none", "some"])
async def stopped_inside_a_frame(dut: Any, part: int, idle: str) -> None:
    """A frame that has begun goes on, on all inputs; the next waits for the start."""
    bench = Bench(dut, part)
    await bench.reset()
    model = bench.watch()
    bench.take("some")
    bench.send(idle)
    # Where there are several inputs, the last one comes late.
    for source in bench.sources[1:]:
        source._axis.pause = True
    frames = len(bench.inputs[0]["frames"])
    beats = bench.inputs[0]["beats"]
    await bench.control(ENABLE)
    wait = 0
    while len(bench.sources[0].taken) < (beats * part + 2) // 3 and wait < 40:
        await RisingEdge(bench.clk)
        wait += 1
    await bench.control(0)
    for source in bench.sources[1:]:
        source._axis.pause = False
    await bench.until_idle()
    await ClockCycles(bench.clk, 200)
    stopped = model.frames_in
    assert stopped > 0
    assert model.frames[: model.inputs] == [stopped] * model.inputs
    assert model.count == [0] * len(model.beats)
    assert await bench.read("FRAMES_OUT") == stopped == await bench.read("FRAMES_IN")
    assert await bench.read("STATUS") == 0
    await bench.control(ENABLE)
    await bench.expect()
    await bench.control(0)
    await bench.until_idle()
    assert len(model.done) == frames
    await compare(bench, model)
    done("stopped")


@cocotb.test(**TIMEOUT)
async def the_interrupt(dut: Any) -> None:
    bench = Bench(dut)
    await bench.reset()
    bench.take()
    await bench.control(ENABLE)
    bench.send(frames=slice(0, 1))
    await bench.expect(slice(0, 1))
    await bench.until_idle()
    assert await bench.read("IRQ_PENDING") == 1
    assert not dut.irq.value
    await bench.write("IRQ_ENABLE", 2)
    assert not dut.irq.value
    await bench.write("IRQ_ENABLE", 1)
    assert dut.irq.value
    await bench.write("IRQ_PENDING", 2)
    assert await bench.read("IRQ_PENDING") == 1
    assert dut.irq.value
    await bench.write("IRQ_PENDING", 1)
    assert await bench.read("IRQ_PENDING") == 0
    assert not dut.irq.value
    bench.send(frames=slice(1, 2))
    await RisingEdge(dut.irq)
    await bench.expect(slice(1, 2))
    # An event in the very cycle of the write is not lost: write around the end of a frame.
    around = await bench.read("LATENCY")
    met = 0
    for wait in range(max(1, around - 9), around + 4):
        await bench.until_idle()
        await bench.write("IRQ_PENDING", 1)
        bench.send(frames=slice(0, 1))
        await ClockCycles(bench.clk, wait)
        answer = bench.master.init_write(JOB["registers"]["IRQ_PENDING"], b"\x01")
        while not dut.s_axi_bvalid.value:
            await RisingEdge(bench.clk)
        written = cycle() - 1
        await answer.wait()
        await bench.expect(slice(0, 1))
        await bench.until_idle()
        left = max(sink.taken[-1] for sink in bench.sinks)
        met += left == written
        assert await bench.read("IRQ_PENDING") == (left >= written), f"{left} against {written}"
    assert met == 1
    done("interrupt")


# --- resets --------------------------------------------------------------------------------------


def cut(frame: list[int], where: str) -> list[list[int]]:
    """Return a frame with its tlast in another place, and whatever follows to the next one."""
    return {"early": [frame[:1], frame[1:]], "late": [frame + frame[:1]]}[where]


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(where=["early", "late"], backpressure=["none", "heavy"])
async def a_reset_recovers_from_frame_error(dut: Any, where: str, backpressure: str) -> None:
    """The source runs on; what it was in the middle of is dropped; then all is as golden says."""
    bench = Bench(dut, 3)
    if bench.inputs[0]["beats"] == 1 and where == "early":
        done("error")
        return
    await bench.reset()
    await bench.write("IRQ_ENABLE", 2)
    bench.take(backpressure)
    for number, (edge, source) in enumerate(zip(bench.inputs, bench.sources, strict=True)):
        good = edge["frames"]
        wrong = cut(good[0], where) if number == 0 else [good[0]]
        source.start([*good[:1], *wrong], pauses("some", bench.seed, source.port))
    await bench.control(ENABLE)
    await RisingEdge(dut.irq)
    assert await bench.read("STATUS") & FRAME_ERROR
    assert await bench.read("IRQ_PENDING") & 2
    await bench.control(0)
    await bench.write("IRQ_PENDING", 3)
    assert await bench.read("IRQ_PENDING") & 2 == 0, "it is the rise that counts"
    await bench.control(RESET | RESYNC)
    assert await bench.read("CONTROL") & RESET
    while await bench.read("STATUS") & (RESETTING | SKIPPING):
        pass
    assert await bench.read("STATUS") == 0
    # What was left of the source's frames is its own business.
    for source in bench.sources:
        source.hold()
    await bench.control(RESET)
    await drain(bench)
    await bench.control(ENABLE | CLEAR)
    bench.send()
    await bench.expect()
    assert await bench.read("STATUS") & FRAME_ERROR == 0
    assert await bench.read("FRAMES_OUT") == len(bench.outputs[0]["frames"])
    bench.quiet()
    done("error")


async def drain(bench: Bench) -> None:
    """Let everything leave that a reset has cut, and forget it."""
    for sink in bench.sinks:
        sink.stop_pausing()
    await ClockCycles(bench.clk, RESTART + 4 * max(e["beats"] for e in bench.outputs))
    for edge, sink in zip(bench.outputs, bench.sinks, strict=True):
        while not sink._axis.empty():
            assert len(await sink.receive()) == edge["beats"]


@cocotb.test(**TIMEOUT)
async def resync_drops_the_rest_of_a_frame(dut: Any) -> None:
    """Inputs stop inside a frame, the design is reset, they go on: the next frame is the first."""
    bench = Bench(dut)
    if min(edge["beats"] for edge in bench.inputs) == 1:
        done("resync")
        return
    await bench.reset()
    bench.take()
    await bench.control(ENABLE)
    bench.send("heavy")
    while not all(source.taken for source in bench.sources):
        await RisingEdge(bench.clk)
    for source in bench.sources:
        source._axis.clear_pause_generator()
        source._axis.pause = True
    await ClockCycles(bench.clk, 3)
    inside = [
        len(source.taken) % edge["beats"]
        for edge, source in zip(bench.inputs, bench.sources, strict=True)
    ]
    begun = [
        len(source.taken) // edge["beats"] + bool(part)
        for edge, source, part in zip(bench.inputs, bench.sources, inside, strict=True)
    ]
    await bench.control(RESET | RESYNC | ENABLE)
    await ClockCycles(bench.clk, RESTART)
    assert bool(await bench.read("STATUS") & SKIPPING) == any(inside)
    await drain(bench)
    await bench.control(CLEAR | ENABLE)
    if len(set(begun)) > 1:
        done("resync")  # the inputs were in different frames: documented, sources begin anew
        return
    bench.take("some")
    for source in bench.sources:
        source._axis.pause = False
    await bench.expect(slice(begun[0], None))
    bench.quiet()
    assert await bench.read("STATUS") & (SKIPPING | FRAME_ERROR) == 0
    done("resync")


@cocotb.test(**TIMEOUT)
@cocotb.parametrize(after=[0, 1, 2, 3, 5, 8, 13])
async def a_reset_at_any_time_leaves_whole_frames(dut: Any, after: int) -> None:
    """Whatever is cut, the reader gets frames of full length, and the next ones are right."""
    bench = Bench(dut, after)
    await bench.reset()
    bench.take("heavy")
    bench.send()
    await bench.control(ENABLE)
    while not bench.sinks[0].taken:
        await RisingEdge(bench.clk)
    await ClockCycles(bench.clk, 1 + after)
    await bench.control(RESET)
    for source in bench.sources:
        source.hold()
    await ClockCycles(bench.clk, RESTART)
    assert await bench.read("STATUS") == 0
    assert await bench.read("IN_FLIGHT") == 0
    await bench.control(CLEAR)
    for sink in bench.sinks:
        sink.stop_pausing()
    await drain(bench)
    assert await bench.read("FRAMES_OUT") == 0, "frames of before the reset do not count"
    model = bench.watch()
    bench.take("some")
    bench.send("some")
    await bench.control(ENABLE)
    await bench.expect()
    await bench.control(0)
    await bench.until_idle()
    bench.quiet()
    await compare(bench, model)
    done("reset")


@cocotb.test()
async def all_passed(dut: Any) -> None:
    """Comes last: writes the answer when nothing before has failed."""
    await ReadOnly()
    assert len(PASSED) == JOB["tests"], f"{len(PASSED)} tests passed, expected {JOB['tests']}"
    Path(JOB["result"]).write_text(json.dumps(PASSED), encoding="utf-8")
