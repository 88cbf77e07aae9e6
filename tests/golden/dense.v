// Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module dense (
    input  wire          clk,
    // synchronous, active high
    input  wire          rst,
    // x: 4 s6.3, 2 elements of 6 bits per beat, the first in the low bits
    input  wire          s_axis_tvalid,
    output wire          s_axis_tready,
    input  wire [15:0]   s_axis_tdata,
    input  wire          s_axis_tlast,
    // rounded: 3 s6.2, 3 elements of 6 bits per beat, the first in the low bits
    output wire          m_axis_tvalid,
    input  wire          m_axis_tready,
    output wire [23:0]   m_axis_tdata,
    output wire          m_axis_tlast,
    // a tlast was missing or misplaced; reset to recover
    output wire          frame_error
);

    // ------------------------------------------------------------------------------------------
    // input x

    wire          x_tvalid;
    wire          x_tready;
    wire [11:0]   x_tdata;
    wire          s_axis_error;

    hwa_frame_in #(
        .DATA_W (12),
        .BEATS  (2)
    ) u_s_axis (
        .clk           (clk),
        .rst           (rst),
        .s_axis_tvalid (s_axis_tvalid),
        .s_axis_tready (s_axis_tready),
        .s_axis_tdata  (s_axis_tdata[11:0]),
        .s_axis_tlast  (s_axis_tlast),
        .m_axis_tvalid (x_tvalid),
        .m_axis_tready (x_tready),
        .m_axis_tdata  (x_tdata),
        .frame_error   (s_axis_error)
    );

    // ------------------------------------------------------------------------------------------
    // fc: dense 3 s12.5 [-1147,1121], from net.fc
    // rounded: requant 3 s6.2, from net.fc
    // 3 outputs and 2 inputs per cycle, 2 cycles per frame

    wire          rounded_tvalid;
    wire          rounded_tready;
    wire [17:0]   rounded_tdata;
    wire          rounded_grant;
    wire          rounded_take;
    wire          rounded_issue_valid;
    wire          rounded_first;
    wire          rounded_last;
    wire [11:0]   rounded_issue_data;
    wire          rounded_p0_valid;
    wire [35:0]   rounded_p0_data;
    wire          rounded_p1_valid;
    wire [17:0]   rounded_p1_data;

    hwa_window #(
        .DATA_W      (12),
        .DEPTH       (3),
        .IN_H        (1),
        .IN_W        (1),
        .GROUPS      (1),
        .GROUP_BEATS (2),
        .REPEAT      (1),
        .KH          (1),
        .KW          (1),
        .SY          (1),
        .SX          (1),
        .DY          (1),
        .DX          (1),
        .PT          (0),
        .PL          (0),
        .OUT_H       (1),
        .OUT_W       (1),
        .LANES       (2),
        .PAD         (64'sd0)
    ) u_rounded_window (
        .clk           (clk),
        .rst           (rst),
        .s_axis_tvalid (x_tvalid),
        .s_axis_tready (x_tready),
        .s_axis_tdata  (x_tdata),
        .grant         (rounded_grant),
        .take          (rounded_take),
        .out_valid     (rounded_issue_valid),
        .out_first     (rounded_first),
        .out_last      (rounded_last),
        .out_data      (rounded_issue_data)
    );

    hwa_mac #(
        .PE            (3),
        .SIMD          (2),
        .X_W           (6),
        .X_SIGNED      (1),
        .W_W           (4),
        .WORDS         (2),
        .ACC_W         (11),
        .OUT_W         (12),
        .SHIFT_W       (1),
        .BIAS_W        (5),
        .CHANNEL_WORDS (1),
        .WEIGHTS       ("dense_rounded_mac_weights.mem"),
        .CHANNELS      ("dense_rounded_mac_channels.mem")
    ) u_rounded_mac (
        .clk       (clk),
        .rst       (rst),
        .in_valid  (rounded_issue_valid),
        .in_first  (rounded_first),
        .in_last   (rounded_last),
        .in_data   (rounded_issue_data),
        .out_valid (rounded_p0_valid),
        .out_data  (rounded_p0_data)
    );

    hwa_requant #(
        .LANES      (3),
        .IN_W       (12),
        .IN_SIGNED  (1),
        .OUT_W      (6),
        .OUT_SIGNED (1),
        .SHIFT      (3),
        .ROUNDING   (2),
        .WRAP       (0),
        .LO         (-64'sd32),
        .HI         (64'sd31)
    ) u_rounded_requant (
        .clk       (clk),
        .rst       (rst),
        .in_valid  (rounded_p0_valid),
        .in_data   (rounded_p0_data),
        .out_valid (rounded_p1_valid),
        .out_data  (rounded_p1_data)
    );

    hwa_fifo #(
        .DATA_W (18),
        .DEPTH  (6)
    ) u_rounded_fifo (
        .clk           (clk),
        .rst           (rst),
        .grant         (rounded_grant),
        .take          (rounded_take),
        .in_valid      (rounded_p1_valid),
        .in_data       (rounded_p1_data),
        .m_axis_tvalid (rounded_tvalid),
        .m_axis_tready (rounded_tready),
        .m_axis_tdata  (rounded_tdata)
    );

    // ------------------------------------------------------------------------------------------
    // output rounded

    wire [17:0]   m_axis_bits;

    assign m_axis_tdata = {6'd0, m_axis_bits};

    hwa_frame_out #(
        .DATA_W (18),
        .BEATS  (1)
    ) u_m_axis (
        .clk           (clk),
        .rst           (rst),
        .s_axis_tvalid (rounded_tvalid),
        .s_axis_tready (rounded_tready),
        .s_axis_tdata  (rounded_tdata),
        .m_axis_tvalid (m_axis_tvalid),
        .m_axis_tready (m_axis_tready),
        .m_axis_tdata  (m_axis_bits),
        .m_axis_tlast  (m_axis_tlast)
    );

    // ------------------------------------------------------------------------------------------
    // frame error

    assign frame_error = s_axis_error;

    // Padding of the input streams to whole bytes carries nothing.
    wire unused = &{1'b0, s_axis_tdata[15:12]};

endmodule

`resetall
