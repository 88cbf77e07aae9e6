"""The C interface of the optimizer."""

from __future__ import annotations

import ctypes
from functools import lru_cache

from hwaccel import native


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Return the library with the optimizer's functions declared.

    Raises:
        ToolError: there is none and none can be built.
    """
    lib = native.library()
    _declare(lib)
    return lib


def _declare(lib: ctypes.CDLL) -> None:
    longs, ints = ctypes.c_void_p, ctypes.c_void_p
    lib.cmvm_solve.restype = ctypes.c_void_p
    lib.cmvm_solve.argtypes = [
        *(ctypes.c_int, ctypes.c_int, longs, longs, longs, longs, ints, ctypes.c_int),
        *(ctypes.c_uint64, ctypes.c_int64, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        *(ctypes.c_double, ctypes.c_double, ctypes.c_int, ctypes.c_int),
    ]
    lib.cmvm_sizes.restype = None
    lib.cmvm_sizes.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    lib.cmvm_read.restype = None
    lib.cmvm_read.argtypes = [ctypes.c_void_p, longs, ints, ints]
    lib.cmvm_cost.restype = ctypes.c_double
    lib.cmvm_cost.argtypes = [ctypes.c_void_p]
    lib.cmvm_free.restype = None
    lib.cmvm_free.argtypes = [ctypes.c_void_p]
