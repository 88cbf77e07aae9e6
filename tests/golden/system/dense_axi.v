// Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module dense_axi (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi:s_axis:m_axis, ASSOCIATED_RESET aresetn" *)
    input  wire          aclk,
    // active low, synchronous to aclk
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire          aresetn,
    // AXI4-Lite: the registers
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWADDR" *)
    (* X_INTERFACE_PARAMETER = "PROTOCOL AXI4LITE, DATA_WIDTH 32" *)
    input  wire [11:0]   s_axi_awaddr,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWPROT" *)
    input  wire [2:0]    s_axi_awprot,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWVALID" *)
    input  wire          s_axi_awvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWREADY" *)
    output wire          s_axi_awready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WDATA" *)
    input  wire [31:0]   s_axi_wdata,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WSTRB" *)
    input  wire [3:0]    s_axi_wstrb,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WVALID" *)
    input  wire          s_axi_wvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WREADY" *)
    output wire          s_axi_wready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BRESP" *)
    output wire [1:0]    s_axi_bresp,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BVALID" *)
    output wire          s_axi_bvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BREADY" *)
    input  wire          s_axi_bready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARADDR" *)
    input  wire [11:0]   s_axi_araddr,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARPROT" *)
    input  wire [2:0]    s_axi_arprot,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARVALID" *)
    input  wire          s_axi_arvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARREADY" *)
    output wire          s_axi_arready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RDATA" *)
    output wire [31:0]   s_axi_rdata,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RRESP" *)
    output wire [1:0]    s_axi_rresp,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RVALID" *)
    output wire          s_axi_rvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RREADY" *)
    input  wire          s_axi_rready,
    // x: 4 s6.3, 2 elements of 6 bits per beat, the first in the low bits
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis TVALID" *)
    input  wire          s_axis_tvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis TREADY" *)
    output wire          s_axis_tready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis TDATA" *)
    input  wire [15:0]   s_axis_tdata,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis TLAST" *)
    input  wire          s_axis_tlast,
    // rounded: 3 s6.2, 3 elements of 6 bits per beat, the first in the low bits
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TVALID" *)
    output wire          m_axis_tvalid,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TREADY" *)
    input  wire          m_axis_tready,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TDATA" *)
    output wire [23:0]   m_axis_tdata,
    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TLAST" *)
    output wire          m_axis_tlast,
    // high while an enabled event pends
    (* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 irq INTERRUPT" *)
    (* X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)
    output wire          irq
);

    // ------------------------------------------------------------------------------------------
    // from and to the registers

    wire          rst;
    wire          enable;
    wire          restart;
    wire          resync;
    wire          called;
    wire          opened;
    wire          frame_error;

    assign rst = !aresetn;

    // ------------------------------------------------------------------------------------------
    // input x: whole frames

    wire          in0_begun;
    wire          in0_calls;
    wire          in0_opens;
    wire          in0_finish;
    wire          in0_skipping;
    wire          in0_tvalid;
    wire          in0_tready;

    hwa_gate #(
        .BEATS  (2),
        .SHARED (0)
    ) u_in0 (
        .clk           (aclk),
        .rst           (rst),
        .restart       (restart),
        .resync        (resync),
        .enable        (enable),
        .called        (called),
        .opened        (opened),
        .begun         (in0_begun),
        .calls         (in0_calls),
        .opens         (in0_opens),
        .finish        (in0_finish),
        .skipping      (in0_skipping),
        .s_axis_tvalid (s_axis_tvalid),
        .s_axis_tready (s_axis_tready),
        .s_axis_tlast  (s_axis_tlast),
        .m_axis_tvalid (in0_tvalid),
        .m_axis_tready (in0_tready)
    );

    // ------------------------------------------------------------------------------------------
    // the design, 0123456789abcdef

    wire          out0_tvalid;
    wire          out0_tready;
    wire [23:0]   out0_tdata;
    wire          out0_tlast;

    dense u_core (
        .clk           (aclk),
        .rst           (restart),
        .s_axis_tvalid (in0_tvalid),
        .s_axis_tready (in0_tready),
        .s_axis_tdata  (s_axis_tdata),
        .s_axis_tlast  (s_axis_tlast),
        .m_axis_tvalid (out0_tvalid),
        .m_axis_tready (out0_tready),
        .m_axis_tdata  (out0_tdata),
        .m_axis_tlast  (out0_tlast),
        .frame_error   (frame_error)
    );

    // ------------------------------------------------------------------------------------------
    // output rounded: whole frames

    wire          out0_finish;

    hwa_seal #(
        .DATA_W (24),
        .BEATS  (1)
    ) u_out0 (
        .clk           (aclk),
        .rst           (rst),
        .restart       (restart),
        .finish        (out0_finish),
        .s_axis_tvalid (out0_tvalid),
        .s_axis_tready (out0_tready),
        .s_axis_tdata  (out0_tdata),
        .s_axis_tlast  (out0_tlast),
        .m_axis_tvalid (m_axis_tvalid),
        .m_axis_tready (m_axis_tready),
        .m_axis_tdata  (m_axis_tdata),
        .m_axis_tlast  (m_axis_tlast)
    );

    // ------------------------------------------------------------------------------------------
    // registers

    assign called = in0_calls;

    assign opened = in0_opens;

    hwa_regs #(
        .ADDR_W  (12),
        .INPUTS  (1),
        .OUTPUTS (1),
        .HASH    (64'h0123456789abcdef),
        .BEATS   ({32'd1, 32'd2}),
        .BITS    ({32'd24, 32'd16})
    ) u_regs (
        .clk           (aclk),
        .rst           (rst),
        .s_axi_awaddr  (s_axi_awaddr),
        .s_axi_awprot  (s_axi_awprot),
        .s_axi_awvalid (s_axi_awvalid),
        .s_axi_awready (s_axi_awready),
        .s_axi_wdata   (s_axi_wdata),
        .s_axi_wstrb   (s_axi_wstrb),
        .s_axi_wvalid  (s_axi_wvalid),
        .s_axi_wready  (s_axi_wready),
        .s_axi_bresp   (s_axi_bresp),
        .s_axi_bvalid  (s_axi_bvalid),
        .s_axi_bready  (s_axi_bready),
        .s_axi_araddr  (s_axi_araddr),
        .s_axi_arprot  (s_axi_arprot),
        .s_axi_arvalid (s_axi_arvalid),
        .s_axi_arready (s_axi_arready),
        .s_axi_rdata   (s_axi_rdata),
        .s_axi_rresp   (s_axi_rresp),
        .s_axi_rvalid  (s_axi_rvalid),
        .s_axi_rready  (s_axi_rready),
        .irq           (irq),
        .enable        (enable),
        .restart       (restart),
        .resync        (resync),
        .frame_error   (frame_error),
        .opened        (opened),
        .begun         (in0_begun),
        .skipping      (in0_skipping),
        .finish        ({out0_finish, in0_finish}),
        .tvalid        ({m_axis_tvalid, s_axis_tvalid}),
        .tready        ({m_axis_tready, s_axis_tready})
    );

endmodule

`resetall
