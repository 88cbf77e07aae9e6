// hwa_window_tap: whether a tap of a list lies outside the image, along one axis.
//
//   function  outside = w*STRIDE - PAD + tap is not in 0 .. SIZE-1, for window w = 0 .. WINDOWS-1
//   order     window_moves says that the tap taken now is in the next window, in the first one
//             after window_last
//   latency   1: tap and shift in cycle t, outside in cycle t + 1; it stays until the next shift
//   interval  1
//   tlast     none: this is not a stream
//   must not  raise window_moves without shift

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window_tap #(
    // Pixels of the image.
    parameter integer SIZE = 4,
    // Windows.
    parameter integer WINDOWS = 3,
    // Pixels from one window to the next.
    parameter integer STRIDE = 1,
    // Pixels of padding before the first one of the image.
    parameter integer PAD = 0,
    // Width of the place of a tap in bits.
    parameter integer TAP_W = 1
) (
    input  wire             clk,
    input  wire             rst,

    input  wire             shift,
    input  wire             window_moves,
    input  wire             window_last,
    input  wire [TAP_W-1:0] tap,
    output wire             outside
);

    localparam integer AT_W = $clog2(PAD + SIZE + (1 << TAP_W) + (WINDOWS - 1) * STRIDE + 1) + 1;
    localparam integer START = -PAD;
    localparam signed [AT_W-1:0] AT_SIZE = SIZE[AT_W-1:0];

    initial begin
        if (TAP_W < 1) begin
            $display("hwa: %m: TAP_W=%0d, must be 1 or more", TAP_W);
            $finish;
        end
    end

    reg         [AT_W-1:0] corner_q;
    reg         [AT_W-1:0] corner_d;
    reg                    outside_q;
    wire signed [AT_W-1:0] at_d = corner_d + {{AT_W-TAP_W{1'b0}}, tap};

    always @* begin
        corner_d = corner_q;
        if (window_moves)
            corner_d = window_last ? START[AT_W-1:0] : corner_q + STRIDE[AT_W-1:0];
    end

    always @(posedge clk) begin
        if (shift) begin
            corner_q  <= corner_d;
            outside_q <= at_d[AT_W-1] || at_d >= AT_SIZE;
        end
        if (rst) corner_q <= START[AT_W-1:0];
    end

    assign outside = outside_q;

endmodule

`resetall
