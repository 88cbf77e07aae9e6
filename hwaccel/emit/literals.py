"""Literals of the target languages, and text that is safe inside their comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hwaccel.ir.hardware import Order, Rom

# Parameters of the RTL library that carry data rather than a size; they are 64 bits wide there.
_DATA_PARAMETERS = frozenset({"LO", "HI", "PAD"})
# Tools obey, or choke on, a comment that begins with one of these words.
_COMMANDS = re.compile(r"\s*(verilator|synopsys|synthesis|pragma|cadence|vcs|coverage)", re.I)


def verilog_parameter(name: str, value: int) -> str:
    """Return the value of a module parameter: sized where the library declares 64 bits."""
    if name not in _DATA_PARAMETERS:
        return str(value)
    return f"{'-' if value < 0 else ''}64'sd{abs(value)}"


def c_int(value: int) -> str:
    """Return a C++ integer literal of sufficient type."""
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    return f"{value}LL"


def braces(values: Iterable[int], per_line: int = 16) -> str:
    """Return a C++ initializer list, wrapped."""
    items = [c_int(int(v)) for v in values]
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "{" + ",\n    ".join(lines) + "}"


def comment(text: str, limit: int = 200) -> str:
    r"""Return ``text`` harmless inside a ``//`` comment of any target language.

    Keeps printable ASCII, replaces the rest by ``?``, and drops backslashes (a trailing one
    would continue the comment) and backquotes (Verilog macros). A word that tools take for a
    command does not stand in front.
    """
    shown = "".join(c if " " <= c <= "~" and c not in "\\`" else "?" for c in text)
    shown = shown.replace("*/", "* /").replace("/*", "/ *")
    shown = f"name {shown}" if _COMMANDS.match(shown) else shown
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def rom_lines(rom: Rom) -> list[str]:
    """Return the words of ``rom`` in hex for ``$readmemh``, most significant digit first."""
    digits = (rom.word_bits + 3) // 4
    widths: Sequence[int] = rom.widths * (rom.fields.shape[1] // len(rom.widths))
    lines = []
    for word in rom.fields.a.tolist():
        packed, at = 0, 0
        for value, width in zip(word, widths, strict=True):
            packed |= (value & ((1 << width) - 1)) << at
            at += width
        lines.append(f"{packed:0{digits}x}")
    return lines


def order_lines(order: Order) -> list[str]:
    """Return the words of the ROM of ``hwa_reorder`` in hex; the bit above the index is padding."""
    bits = max(1, (order.length - 1).bit_length())
    digits = (bits + int(-1 in order.beats) + 3) // 4
    return [f"{beat if beat >= 0 else 1 << bits:0{digits}x}" for beat in order.beats]
