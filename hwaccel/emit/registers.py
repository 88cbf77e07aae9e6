"""The register map of ``rtl/system/hwa_regs.v`` as plain data: for headers, pages and tests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# "HWAC" in ASCII, and major.minor of the map in the two halves.
IDENTITY = 0x4857_4143
MAP_VERSION = 0x0001_0000

# Streams stand behind the first page: inputs, then outputs.
STREAM_BASE = 0x100
STREAM_SIZE = 0x10
# A page of the usual interconnects; more streams than fit take more.
LEAST_ADDRESS_BITS = 12


class Access(Enum):
    """What a write does."""

    READ = "read only"
    WRITE = "read and write"
    FLAGS = "write 1 to clear"
    COUNTER = "any write clears"


@dataclass(frozen=True, slots=True)
class Field:
    """One bit of a register."""

    name: str
    bit: int
    text: str

    @property
    def mask(self) -> int:
        """The bit as a number."""
        return 1 << self.bit


@dataclass(frozen=True, slots=True)
class Register:
    """A word of 32 bits; ``offset`` in bytes, inside the map or inside the block of a stream."""

    offset: int
    name: str
    access: Access
    text: str
    fields: tuple[Field, ...] = ()


REGISTERS = (
    Register(0x00, "ID", Access.READ, f"`0x{IDENTITY:08X}`, which is `HWAC`"),
    Register(0x04, "VERSION", Access.READ, "of this map: major in the upper half, minor below"),
    Register(0x08, "HASH_LO", Access.READ, "lower half of the design hash"),
    Register(0x0C, "HASH_HI", Access.READ, "upper half of the design hash"),
    Register(
        0x10, "STREAMS", Access.READ, "number of inputs in the lower half, of outputs in the upper"
    ),
    Register(0x14, "SCRATCH", Access.WRITE, "nothing depends on it"),
    Register(
        0x18,
        "CONTROL",
        Access.WRITE,
        "what the design does; lowest byte only",
        (
            Field("ENABLE", 0, "frames may begin; one that has begun always passes to its end"),
            Field("RESET", 1, "write 1: reset the design, not the counters; 1 while it lasts"),
            Field("RESYNC", 2, "with RESET: inputs inside a frame drop its rest, up to `tlast`"),
            Field("CLEAR", 3, "write 1: clear all counters; reads as 0"),
        ),
    ),
    Register(
        0x1C,
        "STATUS",
        Access.READ,
        "what the design does now",
        (
            Field("ENABLED", 0, "CONTROL.ENABLE"),
            Field("BUSY", 1, "a frame has begun and has not left"),
            Field("FRAME_ERROR", 2, "a `tlast` came where no frame ends, or did not; until RESET"),
            Field("RESETTING", 3, "CONTROL.RESET lasts"),
            Field("SKIPPING", 4, "an input drops the rest of a frame"),
        ),
    ),
    Register(
        0x20,
        "IRQ_ENABLE",
        Access.WRITE,
        "which events raise `irq`; lowest byte only",
        (
            Field("FRAME_DONE", 0, "a frame has left"),
            Field("FRAME_ERROR", 1, "STATUS.FRAME_ERROR has risen"),
        ),
    ),
    Register(
        0x24,
        "IRQ_PENDING",
        Access.FLAGS,
        "events since they were cleared; an event in the cycle of the write stays",
        (
            Field("FRAME_DONE", 0, "a frame has left"),
            Field("FRAME_ERROR", 1, "STATUS.FRAME_ERROR has risen"),
        ),
    ),
    Register(
        0x28,
        "CYCLES_LO",
        Access.COUNTER,
        "cycles in which the design was enabled or busy; reading it keeps the upper half",
    ),
    Register(0x2C, "CYCLES_HI", Access.COUNTER, "upper half, as CYCLES_LO was read last"),
    Register(0x30, "FRAMES_IN", Access.COUNTER, "frames taken whole, on all inputs"),
    Register(0x34, "FRAMES_OUT", Access.COUNTER, "frames handed over whole, on all outputs"),
    Register(0x38, "IN_FLIGHT", Access.READ, "frames that have begun and have not left"),
    Register(
        0x3C,
        "LATENCY",
        Access.COUNTER,
        "cycles from the first beat in to the last beat out of the frame measured last; "
        "0 before the first",
    ),
    Register(
        0x40,
        "INTERVAL",
        Access.COUNTER,
        "cycles between the last beats out of the last two frames; 0 before the second",
    ),
)

STREAM_REGISTERS = (
    Register(0x0, "BEATS", Access.READ, "beats in a frame"),
    Register(0x4, "BITS", Access.READ, "bits of `tdata`"),
    Register(0x8, "FRAMES", Access.COUNTER, "frames that ended on this stream"),
    Register(
        0xC,
        "STALLS",
        Access.COUNTER,
        "cycles, of those that CYCLES counts, with `tvalid` and without `tready`",
    ),
)


def stream_offset(number: int) -> int:
    """Return the byte offset of the block of a stream; outputs follow the inputs."""
    return STREAM_BASE + STREAM_SIZE * number


def address_bits(streams: int) -> int:
    """Return the width of an address for so many streams."""
    return max(LEAST_ADDRESS_BITS, (stream_offset(streams) - 1).bit_length())
