"""Find the templates, RTL modules and benches, in a checkout or inside the installed wheel."""

from __future__ import annotations

from pathlib import Path

from hwaccel.errors import EmitError

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    for base in (_PACKAGE / "_data", _PACKAGE.parent):
        if (base / name).is_dir():
            return base / name
    raise EmitError(f"{name}/: not found beside the package; reinstall hwaccel")


def templates() -> Path:
    """Return the folder of the Jinja templates."""
    return _folder("templates")


def rtl() -> Path:
    """Return the folder of the Verilog library."""
    return _folder("rtl")


def sim() -> Path:
    """Return the folder of the cocotb benches."""
    return _folder("sim")


def rtl_file(name: str) -> Path:
    """Return the library file of module ``name``.

    Raises:
        EmitError: the library has no such module.
    """
    for path in sorted(rtl().glob(f"*/{name}.v")):
        return path
    raise EmitError(f"{name}: not a module of the RTL library")
