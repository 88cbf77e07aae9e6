"""What stands around a design: the wrapper, scripts for Vivado, a LiteX module, C headers."""

from __future__ import annotations

import ast
import importlib.util
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import hwaccel
from hwaccel import resources, tools
from hwaccel.config import Config
from hwaccel.emit import registers
from hwaccel.emit.names import MAX_LENGTH
from hwaccel.emit.netlist import Netlist
from hwaccel.emit.registers import REGISTERS, STREAM_REGISTERS, Access
from hwaccel.emit.system import System, build_system
from hwaccel.errors import MismatchError
from hwaccel.schedule.fold import choose_folds
from hwaccel.verify.structure import check_structure
from tests.emit.test_verilog import (
    BANNER,
    DESIGNS,
    GOLDEN,
    NO_LATCH,
    made,
    verilog,
    yosys_says,
)
from tests.verify.networks import two_ins_two_outs
from tests.verify.packing import design

HASH = "0123456789abcdef"
ROOT = Path(__file__).parents[2]
each_design = pytest.mark.parametrize("name", [*DESIGNS, "two_by_two"])


@cache
def core(name: str) -> tuple[Netlist, dict[str, str]]:
    """The netlist of a design, and its Verilog."""
    if name == "two_by_two":
        graph = two_ins_two_outs()
        two = design(graph, choose_folds(graph, Config()), frames=1)
        return two.netlist, dict(two.files)
    return made(name).netlist, verilog(name)


def system(name: str) -> System:
    return build_system(core(name)[0], HASH)


@pytest.fixture
def written(name: str, tmp_path: Path) -> Path:
    """A project's folders ``rtl`` and ``system``."""
    for file, text in core(name)[1].items():
        (tmp_path / "rtl").mkdir(exist_ok=True)
        (tmp_path / "rtl" / file).write_text(text, encoding="ascii")
    (tmp_path / "system").mkdir()
    for file, text in system(name).files(BANNER).items():
        (tmp_path / file).write_text(text, encoding="ascii")
    return tmp_path


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(tools.find(tool) is None, reason=f"{tool} is not installed")


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [
        "rtl/dense_axi.v",
        "system/package_ip.tcl",
        "system/block_design.tcl",
        "system/dense_regs.h",
        "system/dense_driver.h",
        "system/dense_litex.py",
    ],
)
def test_a_file_is_the_golden_one(file: str, same_as_file: Callable[[Path, str], None]) -> None:
    same_as_file(GOLDEN / "system" / Path(file).name, system("dense").files(BANNER)[file])


@each_design
def test_files_are_these_and_clean(name: str) -> None:
    files = system(name).files(BANNER)
    assert {file for file in files if not file.startswith("rtl/hwa_")} == {
        f"rtl/{name}_axi.v",
        "system/block_design.tcl",
        f"system/{name}_driver.h",
        f"system/{name}_litex.py",
        f"system/{name}_regs.h",
        "system/package_ip.tcl",
    }
    assert {f"rtl/{module}.v" for module in system(name).netlist.modules()} < set(files)
    for file, text in files.items():
        assert "\n\n\n" not in text.replace("\n\n\nclass", "\n\nclass").replace("\n\n\ndef", "")
        assert text.endswith("\n"), file
        for number, line in enumerate(text.splitlines(), 1):
            assert line == line.rstrip(), f"{file}:{number}"
            assert len(line) <= 120 or "X_INTERFACE" in line, f"{file}:{number}"


def test_the_hash_is_the_designs() -> None:
    design = made("dense")
    assert design.system.hash == design.hash
    assert f".HASH    (64'h{design.hash})" in design.files()["rtl/dense_axi.v"]


def test_a_project_read_back_has_the_same_files(tmp_path: Path) -> None:
    design = made("dense")
    folder = design.write(tmp_path / "p")
    for file, text in design.system.files(design.banner).items():
        assert (folder / file).read_text(encoding="ascii") == text
    assert hwaccel.load(folder).files() == design.files()


# --- names ---------------------------------------------------------------------------------------


def test_a_circuit_may_be_called_as_the_wrapper() -> None:
    taken = replace(core("dense")[0], units=(SimpleNamespace(name="dense_axi", modules=()),))  # type: ignore[arg-type]
    assert build_system(taken, HASH).netlist.name == "dense_axi_2"


def test_a_long_name_stays_another() -> None:
    name = "n" * MAX_LENGTH
    wrapper = build_system(replace(core("dense")[0], name=name), HASH).netlist.name
    assert wrapper == f"{name[:-4]}_axi"


def test_more_streams_take_more_addresses() -> None:
    assert registers.address_bits(2) == 12
    assert registers.address_bits(240) == 12
    assert registers.address_bits(241) == 13


# --- lint and structure --------------------------------------------------------------------------


@needs("iverilog")
@pytest.mark.rtl
@each_design
def test_icarus_is_silent(name: str, written: Path) -> None:
    sources = sorted(path.name for path in (written / "rtl").glob("*.v"))
    argv = ["iverilog", "-g2005", "-Wall", "-s", f"{name}_axi", "-o", "x.vvp", *sources]
    assert tools.run(argv, cwd=written / "rtl").output == ""


@needs("verilator")
@pytest.mark.rtl
@each_design
def test_verilator_is_silent(name: str, written: Path) -> None:
    verilator = tools.require("verilator")
    words = [*verilator.argv, "--lint-only", "-Wall", "--top-module", f"{name}_axi"]
    done = tools.run([*words, f"{name}_axi.v"], cwd=written / "rtl", env=verilator.environ())
    assert done.stderr == ""
    assert all(line.startswith("- ") for line in done.stdout.splitlines()), done.stdout


@needs("yosys")
@pytest.mark.rtl
@each_design
def test_yosys_is_silent_and_finds_no_latch(name: str, written: Path) -> None:
    commands = f"hierarchy -check -top {name}_axi; {NO_LATCH}"
    assert yosys_says(written / "rtl", "", commands) == ""


@each_design
def test_the_wrapper_has_the_structure_of_its_netlist(name: str) -> None:
    pytest.importorskip("pyverilog")
    around = system(name)
    check_structure(around.wrapper(BANNER), around.netlist)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "ACTIVE_LOW",
            "ACTIVE_HIGH",
            "attribute X_INTERFACE_PARAMETER of aresetn: "
            'expected "POLARITY ACTIVE_LOW", found "POLARITY ACTIVE_HIGH"',
        ),
        (
            '    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TLAST" *)\n',
            "",
            "attribute X_INTERFACE_INFO of m_axis_tlast is missing, "
            'expected "xilinx.com:interface:axis:1.0 m_axis TLAST"',
        ),
        (
            "(in0_begun)",
            "(in0_opens)",
            "instance u_in0, port begun: expected in0_begun, found in0_opens",
        ),
    ],
)
def test_a_defect_of_the_wrapper_is_named(old: str, new: str, message: str) -> None:
    pytest.importorskip("pyverilog")
    around = system("dense")
    with pytest.raises(MismatchError) as caught:
        check_structure(around.wrapper(BANNER).replace(old, new, 1), around.netlist)
    assert str(caught.value) == f"dense_axi.v: {message}"


# --- the register map ----------------------------------------------------------------------------


def test_the_verilog_has_the_map() -> None:
    text = resources.rtl_file("hwa_regs").read_text(encoding="ascii")
    first = {name: int(at) * 4 for name, at in re.findall(r"\bA_(\w+) = 6'd(\d+)", text)}
    assert first == {register.name: register.offset for register in REGISTERS}
    stream = {name: int(at) * 4 for name, at in re.findall(r"\bS_(\w+) = 2'd(\d)", text)}
    assert stream == {register.name: register.offset for register in STREAM_REGISTERS}
    assert f"ID = 32'h{registers.IDENTITY >> 16:04x}_{registers.IDENTITY & 0xFFFF:04x}" in text
    version = registers.MAP_VERSION
    assert f"VERSION = 32'h{version >> 16:04x}_{version & 0xFFFF:04x}" in text


def test_the_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location(
        "maker", ROOT / "docs" / "make_register_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    maker: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    page = (ROOT / "docs" / "reference" / "registers.md").read_text("utf-8")
    assert page == maker.reference(), "run: python docs/make_register_reference.py"


# --- C -------------------------------------------------------------------------------------------

C_FLAGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1")
LANGUAGES = {"c": ("-x", "c", "-std=c99"), "c++": ("-x", "c++", "-std=c++11")}


def compiled(folder: Path, source: str, language: str) -> str:
    """Compile a program beside the headers and return what it prints."""
    (folder / "main.c").write_text(source)
    gxx = tools.require("g++")
    flags = [*LANGUAGES[language], *C_FLAGS]
    tools.run([*gxx.argv, *flags, "main.c", "-o", "main"], cwd=folder)
    return tools.run([str(folder / "main")], cwd=folder).stdout


@needs("g++")
@pytest.mark.hls
@pytest.mark.parametrize("language", LANGUAGES)
@each_design
def test_the_header_has_the_map(name: str, language: str, written: Path) -> None:
    label, around = name.upper(), system(name)
    values = {f"REG_{register.name}": register.offset for register in around.registers}
    values |= {
        f"{register.name}_{field.name}": 1 << field.bit
        for register in REGISTERS
        for field in register.fields
    }
    values |= {"VALUE_ID": registers.IDENTITY, "VALUE_VERSION": registers.MAP_VERSION}
    values |= {"VALUE_HASH_HI": 0x01234567, "VALUE_HASH_LO": 0x89ABCDEF}
    text = (written / "system" / f"{name}_regs.h").read_text()
    assert set(re.findall(rf"#define {label}_(\w+) +0x", text)) == set(values)
    shown = "\n".join(
        f'    printf("%s %lu\\n", "{v}", (unsigned long){label}_{v});' for v in values
    )
    source = f'#include <stdio.h>\n#include "{name}_regs.h"\nint main(void) {{\n{shown}\n'
    found = compiled(written / "system", f"{source}    return 0;\n}}\n", language)
    assert dict(line.split() for line in found.splitlines()) == {
        key: str(value) for key, value in values.items()
    }


# A bus that notes what happens; a read gives what was written, or a number of its own.
DRIVER = """
#include <stdint.h>
#include <stdio.h>
static uint32_t memory[1024];
static int resets;
static uint32_t bus_read(uintptr_t a) {
    if (a == 0x1018 && resets > 0) { resets--; return 2; }
    return memory[(a - 0x1000) / 4];
}
static void bus_write(uintptr_t a, uint32_t v) {
    printf("%03x=%x ", (unsigned)(a - 0x1000), (unsigned)v);
    if (a == 0x1018 && (v & 2)) resets = 3;
}
#define HWACCEL_READ32(address) bus_read(address)
#define HWACCEL_WRITE32(address, value) bus_write(address, value)
#include "dense_driver.h"
int main(void) {
    const uintptr_t base = 0x1000;
    printf("%d ", dense_probe(base));
    memory[0] = DENSE_VALUE_ID;
    printf("%d ", dense_probe(base));
    memory[1] = DENSE_VALUE_VERSION | 7;
    printf("%d ", dense_probe(base));
    memory[2] = DENSE_VALUE_HASH_LO;
    printf("%d ", dense_probe(base));
    memory[3] = DENSE_VALUE_HASH_HI;
    printf("%d\\n", dense_probe(base));
    dense_start(base);
    dense_stop(base);
    memory[7] = 2;
    printf("%d%d ", dense_busy(base), dense_failed(base));
    memory[7] = 4;
    printf("%d%d\\n", dense_busy(base), dense_failed(base));
    dense_reset(base, 0);
    printf("%d ", resets);
    dense_reset(base, 1);
    printf("%d\\n", resets);
    dense_irq_enable(base, DENSE_IRQ_ENABLE_FRAME_ERROR);
    memory[9] = 3;
    printf("%u\\n", (unsigned)dense_irq_take(base));
    memory[10] = 5; memory[11] = 6; memory[12] = 7; memory[13] = 8; memory[15] = 9; memory[16] = 10;
    printf("%llx %u %u %u %u\\n", (unsigned long long)dense_cycles(base),
        (unsigned)dense_frames_in(base), (unsigned)dense_frames_out(base),
        (unsigned)dense_latency(base), (unsigned)dense_interval(base));
    return 0;
}
"""


@needs("g++")
@pytest.mark.hls
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["dense"])
def test_the_driver_does_what_it_says(name: str, language: str, written: Path) -> None:
    assert compiled(written / "system", DRIVER, language).splitlines() == [
        "-1 -2 -3 -3 0",
        "018=9 018=0 10 01",
        "018=2 0 018=6 0",
        "020=2 024=3 3",
        "600000005 7 8 9 10",
    ]


@needs("g++")
@pytest.mark.hls
@pytest.mark.parametrize("name", ["dense"])
def test_the_driver_reaches_memory(name: str, written: Path) -> None:
    source = """
#include <stdio.h>
#include "dense_driver.h"
static uint32_t memory[64];
int main(void) {
    dense_irq_enable((uintptr_t)memory, 3);
    memory[13] = 41;
    printf("%u %u\\n", (unsigned)memory[8], (unsigned)dense_frames_out((uintptr_t)memory));
    return 0;
}
"""
    assert compiled(written / "system", source, "c") == "3 41\n"


# --- Tcl -----------------------------------------------------------------------------------------

# Every command of Vivado prints itself and returns its own name.
VIVADO = """
proc unknown args { puts $args; return "<[lindex $args 0]>" }
source [lindex $argv 0]
"""


def vivado(folder: Path, script: str) -> list[str]:
    """Run a script with a stand-in for Vivado; return the commands that it gave."""
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.xfail("no tclsh; the golden file stands in for the run")
    (folder / "vivado.tcl").write_text(VIVADO)
    argv = [tclsh, "vivado.tcl", script]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    return [line.replace(str(folder.parent), "BUILD") for line in done.stdout.splitlines()]


@each_design
def test_the_ip_has_all_files_and_registers(name: str, written: Path) -> None:
    said = vivado(written / "system", "package_ip.tcl")
    added = [line.split()[-1] for line in said if line.startswith("add_files ")]
    files = sorted(path.name for path in (written / "rtl").iterdir())
    assert sorted(added) == [f"BUILD/rtl/{file}" for file in files]
    assert f"set_property top {name}_axi <current_fileset>" in said
    assert f"set_property description {{Design {HASH} of hwaccel}} <ipx::current_core>" in said
    found = [line.split()[1] for line in said if line.startswith("ipx::add_register ")]
    offsets = [int(line.split()[2]) for line in said if " address_offset " in line]
    assert dict(zip(found, offsets, strict=True)) == {
        register.name: register.offset for register in system(name).registers
    }
    assert said[-2:] == ["ipx::save_core <ipx::current_core>", "close_project"]


@each_design
def test_the_block_design_has_all_ports(name: str, written: Path) -> None:
    said = vivado(written / "system", "block_design.tcl")
    around = system(name)
    pins = [line.split()[2] for line in said if line.startswith("make_bd_pins_external ")]
    buses = [line.split()[2] for line in said if line.startswith("make_bd_intf_pins_external ")]
    assert buses == list(around.interfaces)
    ports = {port.name for port in around.netlist.ports}
    assert {p for p in ports if not p.startswith(tuple(f"{b}_" for b in buses))} == set(pins)
    assert any(f"-vlnv hwaccel:user:{name}_axi:1.0" in line for line in said)


# --- LiteX ---------------------------------------------------------------------------------------


@each_design
def test_the_litex_module_connects_every_port(name: str, written: Path) -> None:
    path = written / "system" / f"{name}_litex.py"
    py_compile.compile(str(path), doraise=True)
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    (instance,) = [call for call in calls if ast.unparse(call.func) == "Instance"]
    around = system(name)
    assert ast.literal_eval(instance.args[0]) == around.netlist.name
    assert [word.arg for word in instance.keywords] == [
        f"{port.direction[0]}_{port.name}" for port in around.netlist.ports
    ]


ELABORATE = """
import sys
from litex.gen.fhdl import verilog
from migen import ClockDomain
module = __import__(sys.argv[1])
part = module.Accelerator()
part.clock_domains.cd_sys = ClockDomain("sys")
ends = [value for name, value in vars(part).items() if name.startswith(("s_axis", "m_axis"))]
bus = part.bus
signals = {part.irq, part.cd_sys.clk, part.cd_sys.rst}
for record in (bus.aw, bus.w, bus.b, bus.ar, bus.r, *ends):
    signals |= set(record.flatten())
open("soc.v", "w").write(str(verilog.convert(part, signals, name="soc")))
module.copy_memories(".")
"""


@needs("iverilog")
@pytest.mark.rtl
@each_design
def test_the_litex_module_elaborates(name: str, written: Path) -> None:
    if importlib.util.find_spec("litex") is None:
        pytest.xfail("litex is not installed; the ports are compared all the same")
    folder = written / "system"
    (folder / "elaborate.py").write_text(ELABORATE)
    tools.run([sys.executable, "elaborate.py", f"{name}_litex"], cwd=folder)
    sources = sorted(str(path) for path in (written / "rtl").glob("*.v"))
    argv = ["iverilog", "-g2005", "-s", "soc", "-o", "x.vvp", "soc.v", *sources]
    assert tools.run(argv, cwd=folder).output == ""


def test_access_is_said_in_words() -> None:
    assert {register.access for register in (*REGISTERS, *STREAM_REGISTERS)} == set(Access)
