# Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

"""dense_axi as a module of a LiteX SoC: registers on AXI-Lite, streams, an interrupt.

In a SoC, with this file and the folder ``rtl`` of the project beside its own:

    self.accelerator = Accelerator(self.platform)
    region = SoCRegion(origin=0x9000_0000, size=4096, cached=False)
    self.bus.add_slave("accelerator", self.accelerator.bus, region)
"""

import shutil
from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.interconnect import axi, stream
from migen import ClockSignal, Instance, ResetSignal, Signal

RTL = Path(__file__).resolve().parent.parent / "rtl"
SOURCES = [
    "dense.v",
    "dense_axi.v",
    "hwa_accumulate.v",
    "hwa_axil.v",
    "hwa_fifo.v",
    "hwa_frame_in.v",
    "hwa_frame_out.v",
    "hwa_gate.v",
    "hwa_loop.v",
    "hwa_mac.v",
    "hwa_meet.v",
    "hwa_pace.v",
    "hwa_ram.v",
    "hwa_regs.v",
    "hwa_requant.v",
    "hwa_rom.v",
    "hwa_seal.v",
    "hwa_sum_tree.v",
    "hwa_tally.v",
    "hwa_window.v",
    "hwa_window_axis.v",
    "hwa_window_corner.v",
    "hwa_window_list.v",
    "hwa_window_order.v",
    "hwa_window_tap.v",
]
MEMORIES = [
    "dense_rounded_mac_channels.mem",
    "dense_rounded_mac_weights.mem",
]


class Accelerator(LiteXModule):
    """Streams are endpoints with a field ``data``; ``last`` marks the last beat of a tensor.

    ``bus`` is an AXI-Lite slave of 4096 bytes; ``irq`` is high while an enabled event pends.
    Everything is in the clock domain ``sys``.
    """

    def __init__(self, platform=None):
        """Make the endpoints; with a platform, add the Verilog to its sources."""
        self.bus = axi.AXILiteInterface(data_width=32, address_width=12)
        self.s_axis = stream.Endpoint([("data", 16)])
        self.m_axis = stream.Endpoint([("data", 24)])
        self.irq = Signal()
        bus = self.bus
        self.specials += Instance(
            "dense_axi",
            i_aclk=ClockSignal("sys"),
            i_aresetn=~ResetSignal("sys"),
            i_s_axi_awaddr=bus.aw.addr,
            i_s_axi_awprot=bus.aw.prot,
            i_s_axi_awvalid=bus.aw.valid,
            o_s_axi_awready=bus.aw.ready,
            i_s_axi_wdata=bus.w.data,
            i_s_axi_wstrb=bus.w.strb,
            i_s_axi_wvalid=bus.w.valid,
            o_s_axi_wready=bus.w.ready,
            o_s_axi_bresp=bus.b.resp,
            o_s_axi_bvalid=bus.b.valid,
            i_s_axi_bready=bus.b.ready,
            i_s_axi_araddr=bus.ar.addr,
            i_s_axi_arprot=bus.ar.prot,
            i_s_axi_arvalid=bus.ar.valid,
            o_s_axi_arready=bus.ar.ready,
            o_s_axi_rdata=bus.r.data,
            o_s_axi_rresp=bus.r.resp,
            o_s_axi_rvalid=bus.r.valid,
            i_s_axi_rready=bus.r.ready,
            i_s_axis_tvalid=self.s_axis.valid,
            o_s_axis_tready=self.s_axis.ready,
            i_s_axis_tdata=self.s_axis.data,
            i_s_axis_tlast=self.s_axis.last,
            o_m_axis_tvalid=self.m_axis.valid,
            i_m_axis_tready=self.m_axis.ready,
            o_m_axis_tdata=self.m_axis.data,
            o_m_axis_tlast=self.m_axis.last,
            o_irq=self.irq,
        )
        if platform is not None:
            platform.add_sources(str(RTL), *SOURCES)


def copy_memories(folder):
    """Copy the contents of the memories to where the tools run, which look for them there."""
    for name in MEMORIES:
        shutil.copy(RTL / name, folder)
