"""The part of hwaccel that is compiled: C++ of ``native/`` behind a small C interface."""

from hwaccel.native.loader import available, library

__all__ = ["available", "library"]
