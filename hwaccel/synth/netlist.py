"""Simulate what was synthesized: the netlist, and models of the cells it is made of."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.yosys import SynthResult

_ECP5_MODELS = "ecp5_cells.v"
_INIT_BLOCKS = tuple(f"{number:02X}" for number in range(64))


@dataclass(frozen=True, slots=True)
class GateLevel:
    """What a simulator must read: ``files`` in order, with ``include_dirs`` to search."""

    top: str
    files: tuple[Path, ...]
    include_dirs: tuple[Path, ...]


def netlist_verilog(result: SynthResult) -> GateLevel:
    """Return the Verilog netlist of ``result`` and the models of its cells.

    The ECP5 models are complete (multipliers and block RAM included) and are written beside the
    netlist. For the other families they are Yosys's own library, where some hard blocks are
    empty: synthesize without DSP and block RAM to simulate those.

    Raises:
        ToolError: Yosys's folder of cell libraries is not found.
    """
    share = yosys_share()
    family = result.target.family
    libraries = tuple(share / name for name in family.cell_library)
    missing = next((path for path in libraries if not path.is_file()), None)
    if missing is not None:
        raise ToolError(f"{missing}: not found; reinstall Yosys: pip install 'hwaccel[synth]'")
    folders = tuple(dict.fromkeys(path.parent for path in libraries))
    if family.name == "ecp5":
        libraries = (_write_ecp5_models(result.netlist_verilog.parent),)
    return GateLevel(result.top, (*libraries, result.netlist_verilog), folders)


def yosys_share() -> Path:
    """Return the folder that Yosys calls ``+/``, where its cell libraries lie."""
    yosys = tools.require("yosys")
    package = (yosys.package or "").replace("-", "_")
    spec = importlib.util.find_spec(package) if package else None
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))) / "share"
    return yosys.path.resolve().parent.parent / "share" / "yosys"


def _write_ecp5_models(folder: Path) -> Path:
    path = folder / _ECP5_MODELS
    text = env.render(
        f"synth/{_ECP5_MODELS}.j2",
        word_bits=range(18),
        product_bits=range(36),
        address_bits=range(14),
        init_blocks=_INIT_BLOCKS,
    )
    path.write_text(text)
    return path
