"""AXI-Stream ends bound by port prefix, which note when every beat was offered and taken.

The times cost one line of Python per beat and nothing per cycle: cocotbext-axi writes ``tvalid``
exactly when it offers a beat or sees that the one before was taken, and reads ``tdata`` exactly
when it takes one, so a stand-in for these two handles sees every event. All times are clock
edges: a beat is *offered* from the first edge at which ``tvalid`` can be sampled for it, and
*taken* at the edge at which ``tvalid`` and ``tready`` both are.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cocotb.simtime import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

# cocotbext-axi 0.1.28 still speaks to cocotb 2 in the words of cocotb 1.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.")

PERIOD_NS = 10
PERIOD_STEPS = PERIOD_NS * 1000  # the precision is 1 ps


def cycle() -> int:
    """Return the number of the clock edge at which the caller runs."""
    return get_sim_time("step") // PERIOD_STEPS


class _Handle:
    """Passes everything on to a signal handle; subclasses look at ``value``."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def __len__(self) -> int:
        return len(self._handle)


class _Valid(_Handle):
    """``tvalid`` as the source drives it."""

    def __init__(self, handle: Any) -> None:
        super().__init__(handle)
        self.offered: list[int] = []
        self.taken: list[int] = []

    @property
    def value(self) -> Any:
        return self._handle.value

    @value.setter
    def value(self, high: int) -> None:
        now = cycle()
        if len(self.taken) < len(self.offered):
            self.taken.append(now)
        if high:
            self.offered.append(now + 1)
        self._handle.value = high


class _Data(_Handle):
    """``tdata`` as the sink reads it."""

    def __init__(self, handle: Any) -> None:
        super().__init__(handle)
        self.taken: list[int] = []
        self.unknown: tuple[int, str] | None = None

    @property
    def value(self) -> int:
        self.taken.append(cycle())
        bits = self._handle.value
        if bits.is_resolvable:
            return int(bits)
        if self.unknown is None:
            self.unknown = (len(self.taken) - 1, str(bits))
        return 0


class Source:
    """Sends whole beats. A frame is a list of integers, one for each beat."""

    def __init__(self, dut: Any, port: str, clock: Any) -> None:
        self.port = port
        bus = AxiStreamBus.from_prefix(dut, port)
        self._axis = AxiStreamSource(bus, clock, byte_lanes=1)
        self._axis.log.setLevel(logging.ERROR)
        self._valid = bus.tvalid = _Valid(bus.tvalid)
        self.hold()

    @property
    def offered(self) -> list[int]:
        """Edge from which each beat could be taken."""
        return self._valid.offered

    @property
    def taken(self) -> list[int]:
        """Edge at which each beat was taken."""
        return self._valid.taken

    def hold(self) -> None:
        """Offer nothing, and forget what was not sent."""
        self._axis.clear_pause_generator()
        self._axis.assert_reset(True)
        self._axis.clear()

    def start(self, frames: Sequence[Sequence[int]], pauses: Any) -> None:
        """From the next edge on, offer ``frames`` as ``pauses`` allows."""
        self._valid.offered.clear()
        self._valid.taken.clear()
        self._axis.pause = False
        self._axis.set_pause_generator(pauses)
        for frame in frames:
            self._axis.send_nowait(AxiStreamFrame(list(frame)))
        self._axis.assert_reset(False)


class Sink:
    """Takes frames, each a list of integers, one for each beat."""

    def __init__(self, dut: Any, port: str, clock: Any) -> None:
        self.port = port
        bus = AxiStreamBus.from_prefix(dut, port)
        self._axis = AxiStreamSink(bus, clock, byte_lanes=1)
        self._axis.log.setLevel(logging.ERROR)
        self._data = bus.tdata = _Data(bus.tdata)
        self.hold()

    @property
    def taken(self) -> list[int]:
        """Edge at which each beat was taken."""
        return self._data.taken

    @property
    def unknown(self) -> tuple[int, str] | None:
        """First beat with an X or Z in it: its number and its bits."""
        return self._data.unknown

    def hold(self) -> None:
        """Take nothing, and forget what was not received."""
        self._axis.clear_pause_generator()
        self._axis.assert_reset(True)
        self._axis.clear()

    def start(self, pauses: Any) -> None:
        """From the next edge on, be ready as ``pauses`` allows."""
        self._data.taken.clear()
        self._data.unknown = None
        self._axis.pause = False
        self._axis.set_pause_generator(pauses)
        self._axis.assert_reset(False)

    def stop_pausing(self) -> None:
        """Be ready from now on."""
        self._axis.clear_pause_generator()
        self._axis.pause = False

    async def receive(self) -> list[int]:
        """Return the next frame."""
        frame = await self._axis.recv(compact=False)
        return list(frame.tdata)


def read_beats(file: Path, beats: int, size: int) -> list[list[int]]:
    """Read frames of ``beats`` beats of ``size`` bytes each, low byte first."""
    data = file.read_bytes()
    words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    return [words[i : i + beats] for i in range(0, len(words), beats)]


def write_beats(file: Path, frames: Sequence[Sequence[int]], size: int) -> None:
    """Write frames as ``read_beats`` reads them."""
    file.write_bytes(b"".join(word.to_bytes(size, "little") for f in frames for word in f))
