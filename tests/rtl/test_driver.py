"""The C driver of a project, at work on the Verilog of the same project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.verify.beats import to_beats
from tests.emit.test_verilog import made
from tests.rtl.proofs import missing

FRAMES = 5
MAIN = r"""
#include <cstdint>
#include <cstdio>
#include <vector>
#include "Vtop.h"
#include "verilated.h"

static Vtop *top;
static std::vector<uint32_t> sent = { BEATS };
static std::vector<uint32_t> got;
static size_t at = 0;

static void tick() {
    top->s_axis_tvalid = at < sent.size();
    top->s_axis_tdata = at < sent.size() ? sent[at] : 0;
    top->s_axis_tlast = at % IN_BEATS == IN_BEATS - 1;
    top->m_axis_tready = 1;
    top->eval();
    if (top->s_axis_tvalid && top->s_axis_tready && top->aresetn) at++;
    if (top->m_axis_tvalid) got.push_back(top->m_axis_tdata);
    top->aclk = 1;
    top->eval();
    top->aclk = 0;
    top->eval();
}

static uint32_t bus_read(uintptr_t address) {
    top->s_axi_araddr = address & 0xfff;
    top->s_axi_arvalid = 1;
    while (!top->s_axi_arready) tick();
    tick();
    top->s_axi_arvalid = 0;
    top->s_axi_rready = 1;
    while (!top->s_axi_rvalid) tick();
    const uint32_t data = top->s_axi_rdata;
    tick();
    return data;
}

static void bus_write(uintptr_t address, uint32_t value) {
    top->s_axi_awaddr = address & 0xfff;
    top->s_axi_wdata = value;
    top->s_axi_wstrb = 15;
    top->s_axi_awvalid = top->s_axi_wvalid = 1;
    while (!top->s_axi_awready || !top->s_axi_wready) tick();
    tick();
    top->s_axi_awvalid = top->s_axi_wvalid = 0;
    top->s_axi_bready = 1;
    while (!top->s_axi_bvalid) tick();
    tick();
}

#define HWACCEL_READ32(address) bus_read(address)
#define HWACCEL_WRITE32(address, value) bus_write(address, value)
#include "dense_driver.h"

int main() {
    const uintptr_t base = 0x43c00000;
    VerilatedContext context;
    context.randReset(2);
    top = new Vtop(&context);
    top->aresetn = 0;
    for (int i = 0; i < 4; i++) tick();
    got.clear();
    top->aresetn = 1;
    printf("%d %d %zu\n", dense_probe(base), dense_busy(base), at);
    dense_irq_enable(base, DENSE_IRQ_ENABLE_FRAME_DONE);
    dense_start(base);
    while (!top->irq) tick();
    printf("%u\n", (unsigned)dense_irq_take(base));
    while (dense_frames_in(base) < FRAMES) {}
    dense_stop(base);
    while (dense_busy(base)) {}
    const uint64_t cycles = dense_cycles(base);
    printf("%u %u %u %u %d\n", (unsigned)dense_frames_in(base), (unsigned)dense_frames_out(base),
           (unsigned)dense_latency(base), (unsigned)dense_interval(base),
           cycles > dense_latency(base) && cycles < 1000);
    for (uint32_t beat : got) printf("%x ", (unsigned)beat);
    // One beat of a frame, the reset that forgets it, and a whole frame.
    got.clear();
    at = sent.size() - 1;
    dense_start(base);
    while (at < sent.size()) tick();
    if (dense_reset(base, 0) != 0) return 1;
    at = sent.size() - IN_BEATS;
    dense_start(base);
    while (dense_frames_out(base) < 1) {}
    printf("\n%d %x\n", dense_failed(base), (unsigned)got.back());
    delete top;
    return 0;
}
"""


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.skipif(missing("verilator", "g++", "make") != "", reason="a tool is missing")
def test_the_driver_runs_the_design(tmp_path: Path) -> None:
    design = made("dense")
    x = np.random.default_rng(3).integers(-32, 32, (FRAMES, 4))
    around = design.system.files(design.banner).items()
    files = {Path(path).name: text for path, text in around} | design.verilog()
    (enters,), (leaves,) = design.netlist.inputs, design.netlist.outputs
    data = to_beats(x, enters).astype(np.int64)
    beats = (data << 8 * np.arange(data.shape[-1])).sum(axis=-1).ravel()
    defines = {"BEATS": ", ".join(map(str, beats)), "IN_BEATS": enters.beats, "FRAMES": FRAMES}
    head = "".join(f"#define {name} {value}\n" for name, value in defines.items())
    for name, text in {**files, "main.cpp": head + MAIN}.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    verilator, env = tools.require("verilator"), tools.verilator_env()
    words = ["--cc", "--exe", "--prefix", "Vtop", "-Mdir", "obj", "-o", "run", "-O3"]
    words += ["--x-initial", "unique", "--top-module", "dense_axi", "-CFLAGS", "-I.."]
    sources = [name for name in sorted(files) if name.endswith(".v")]
    tools.run([*verilator.argv, *words, "main.cpp", *sources], cwd=tmp_path, env=env)
    make = [*tools.require("make").argv, "-C", "obj", "-f", "Vtop.mk", "OPT_FAST=-O0"]
    tools.run([*make, "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"], cwd=tmp_path, env=env)
    said = tools.run([str(tmp_path / "obj" / "run")], cwd=tmp_path).stdout.splitlines()

    out = to_beats(design.golden.raw(x)[0], leaves).astype(np.int64)
    expected = (out << 8 * np.arange(out.shape[-1])).sum(axis=-1).ravel()
    finished = design.plan.timing(FRAMES).finished()
    assert said[0] == "0 0 0"
    assert said[1] == "1"
    latency, interval = finished[0] + 1, finished[-1] - finished[-2]
    assert said[2] == f"{FRAMES} {FRAMES} {latency} {interval} 1"
    assert said[3].split() == [f"{beat:x}" for beat in expected]
    assert said[4] == f"0 {expected[-1]:x}"


@pytest.mark.skipif(missing("g++") != "", reason="a tool is missing")
def test_the_driver_does_not_wait_for_ever(tmp_path: Path) -> None:
    design = made("dense")
    for path, text in design.system.files(design.banner).items():
        (tmp_path / Path(path).name).write_text(text)
    (tmp_path / "main.c").write_text(
        "#include <stdint.h>\n"
        "static long reads = 0;\n"
        "#define HWACCEL_READ32(address) (reads++, 0xffffffffu)\n"
        "#define HWACCEL_WRITE32(address, value) ((void)(address))\n"
        "#define DENSE_RESET_POLLS 70\n"
        '#include "dense_driver.h"\n'
        "int main(void) { return dense_reset(0, 1) == -1 && reads == 70 ? 0 : 1; }\n"
    )
    words = ["-x", "c", "-std=c99", "-Wall", "-Wno-unused", "-Werror", "main.c", "-o", "run"]
    tools.run([*tools.require("g++").argv, *words], cwd=tmp_path)
    tools.run([str(tmp_path / "run")], cwd=tmp_path)
