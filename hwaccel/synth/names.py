"""Names on their way into tool scripts.

Nothing is quoted, because nothing that needs quoting gets there: names are checked here, and files
stand in the tool's own folder under plain names (see ``staging``).
"""

from __future__ import annotations

import re

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
