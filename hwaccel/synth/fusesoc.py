"""Describe a project to FuseSoC: the core file (CAPI2) that lists its Verilog and constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwaccel.emit import env
from hwaccel.errors import ConfigError
from hwaccel.synth.names import checked_identifier, is_plain_file

# Suffix of a file of constraints, its type for FuseSoC, and the tool that reads it.
_CONSTRAINTS = (("xdc", "xdc", "vivado"), ("sdc", "SDC", "quartus"), ("lpf", "LPF", "trellis"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of constraints and the tool it is for."""

    name: str
    file: str
    file_type: str
    tool: str


@dataclass(frozen=True, slots=True)
class CoreJob:
    """All that the template places; every name stands in quotes and is checked."""

    banner: str
    description: str
    top: str
    sources: tuple[str, ...]
    memories: tuple[str, ...]
    constraints: tuple[Entry, ...]
    design_filesets: str


def core_file(files: Sequence[str], top: str, design_hash: str, banner: str) -> str:
    """Return the text of ``TOP.core``, for the folder above ``rtl/`` and ``constraints/``.

    ``files`` are the names in ``rtl/``: Verilog and memory images.

    Raises:
        ConfigError: a name is impossible.
    """
    for name in files:
        if not is_plain_file(name):
            raise ConfigError(f"file {name!r}: expected letters, digits and _.+- only; rename it")
    memories = tuple(name for name in sorted(files) if not name.endswith(".v"))
    job = CoreJob(
        banner=banner,
        description=f"Accelerator with AXI4-Stream ports, design {design_hash}",
        top=checked_identifier(top, "top module"),
        sources=tuple(name for name in sorted(files) if name.endswith(".v")),
        memories=memories,
        constraints=tuple(Entry(s, f"{top}.{s}", kind, tool) for s, kind, tool in _CONSTRAINTS),
        design_filesets="rtl, memories" if memories else "rtl",
    )
    return env.render("synth/core.j2", job=job)
