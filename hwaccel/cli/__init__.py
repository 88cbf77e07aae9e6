"""The command line."""

from hwaccel.cli.entry import app, main

__all__ = ["app", "main"]
