"""One error class per stage. A message is one line: where, what, expected and found, remedy."""

from __future__ import annotations


class HwaccelError(Exception):
    """Anything a user can cause or repair. The command line prints it and exits with code 2."""


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


class MismatchError(HwaccelError):
    """Two executors of the same graph disagree."""
