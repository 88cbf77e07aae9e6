"""Names and paths on their way into tool scripts: checked, then quoted for the language."""

from __future__ import annotations

import re
from pathlib import Path

from hwaccel.errors import ConfigError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def checked_identifier(name: str, what: str) -> str:
    """Return ``name`` if it is a plain identifier.

    Raises:
        ConfigError: it is not, and so must not enter a script.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise ConfigError(
            f"{what} {name!r}: expected letters, digits and _, not starting with a digit; rename it"
        )
    return name


def is_plain_file(name: str) -> bool:
    """Say whether a file name needs no quoting in any script."""
    return _PLAIN_FILE.fullmatch(name) is not None


def tcl_word(path: Path | str) -> str:
    r"""Return ``path`` as one Tcl word in which nothing is substituted.

    Braces cannot quote every string (a lone brace or a trailing backslash breaks them), so each
    character with a meaning in Tcl is escaped within double quotes.

    Raises:
        ConfigError: the path holds a control character.
    """
    text = str(path)
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ConfigError(f"path {text!r}: control characters cannot stand in a script; rename it")
    return '"' + re.sub(r'([\\"$\[\]{};])', r"\\\1", text) + '"'
