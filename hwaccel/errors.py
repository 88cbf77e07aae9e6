"""One error class per stage. A message is one line: where, what, expected and found, remedy."""

from __future__ import annotations

# What files and users say may stand in a message, however long it is.
_LONGEST = 2000
_END = 300


class HwaccelError(Exception):
    """Anything a user can cause or repair. The command line prints it and exits with code 2.

    The message becomes one line that a terminal only shows: what would break it, or what a terminal
    would obey, is escaped, and the middle of what no one would read is left out.
    """

    def __init__(self, text: str) -> None:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST - _END]} ... {line[-_END:]}"
        super().__init__(line)


class ConfigError(HwaccelError):
    """An option or a configuration file asks for something impossible."""


class FrontendError(HwaccelError):
    """The model holds something that cannot be converted exactly."""


class VerifyError(HwaccelError):
    """A graph breaks a rule of the IR or of one of its ops."""


class ScheduleError(HwaccelError):
    """No legal folding or buffer size meets the request."""


class EmitError(HwaccelError):
    """Output files cannot be written."""


class ToolError(HwaccelError):
    """An external tool is missing, failed, or ran out of time."""


class StreamError(ToolError):
    """A simulated design broke a rule of its streams: stuck, a beat too many, ``tlast`` wrong."""


class MismatchError(HwaccelError):
    """Two executors of the same graph disagree."""
