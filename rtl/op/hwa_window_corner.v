// hwa_window_corner: where a window stands in the image, and what can go when it moves on.
//
//   function  pad          the tap at hand is outside the image
//             minus_freed  -(beats no longer needed once this window is done). The corner of a
//                          window is (max(0, oy*SY - PT), max(0, ox*SX - PL)); after window
//                          (oy, ox) every beat is free that comes before all corners inside the
//                          image of the windows still to come in this frame; every beat of the
//                          frame if there is no such corner.
//   order     windows row by row, taps inside windows; *_last and *_moves say that a loop is
//             at its last, and that it moves once the tap at hand is done
//   latency   0: *_step in cycle t, the next tap in cycle t + 1
//   interval  1
//   tlast     none: this is not a stream
//   must not  disagree with oy and ox, which are counted outside

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window_corner #(
    // Width of minus_freed in bits.
    parameter integer COUNT_W = 8,
    // Image height in pixels.
    parameter integer IN_H = 4,
    // Image width in pixels.
    parameter integer IN_W = 4,
    // Beats in a pixel.
    parameter integer PIXEL = 1,
    // Kernel height in taps.
    parameter integer KH = 2,
    // Kernel width in taps.
    parameter integer KW = 2,
    // Pixels from one window down to the next.
    parameter integer SY = 1,
    // Pixels from one window right to the next.
    parameter integer SX = 1,
    // Pixels from one tap down to the next.
    parameter integer DY = 1,
    // Pixels from one tap right to the next.
    parameter integer DX = 1,
    // Padding at the top in pixels; that at the bottom follows from OUT_H.
    parameter integer PT = 0,
    // Padding at the left in pixels; that at the right follows from OUT_W.
    parameter integer PL = 0,
    // Output height in pixels.
    parameter integer OUT_H = 3,
    // Output width in pixels.
    parameter integer OUT_W = 3
) (
    input  wire clk,
    input  wire rst,

    input  wire                                         ky_step,
    input  wire                                         ky_last,
    input  wire                                         kx_step,
    input  wire                                         kx_last,
    input  wire                                         oy_moves,
    input  wire                                         oy_last,
    input  wire [(OUT_H > 1 ? $clog2(OUT_H) : 1)-1 : 0] oy,
    input  wire                                         ox_moves,
    input  wire                                         ox_last,
    input  wire [(OUT_W > 1 ? $clog2(OUT_W) : 1)-1 : 0] ox,

    output wire                                         pad,
    output reg  [COUNT_W-1:0]                           minus_freed
);

    localparam integer ROW = IN_W * PIXEL;
    localparam integer FRAME = IN_H * ROW;

    initial begin
        if (PIXEL < 1) begin
            $display("hwa: %m: PIXEL=%0d, must be 1 or more", PIXEL);
            $finish;
        end
    end

    // The place in the image, axis by axis.
    wire y_outside, y_idle, y_partial, y_closing, y_past;
    wire x_outside, x_idle, x_partial, x_closing, x_past;

    hwa_window_axis #(
        .SIZE(IN_H), .TAPS(KH), .DILATION(DY), .WINDOWS(OUT_H), .STRIDE(SY), .PAD(PT)
    ) axis_y (
        .clk          (clk),
        .rst          (rst),
        .tap_step     (ky_step),
        .tap_last     (ky_last),
        .window_moves (oy_moves),
        .window_last  (oy_last),
        .window       (oy),
        .outside      (y_outside),
        .idle         (y_idle),
        .partial      (y_partial),
        .closing      (y_closing),
        .past         (y_past)
    );

    hwa_window_axis #(
        .SIZE(IN_W), .TAPS(KW), .DILATION(DX), .WINDOWS(OUT_W), .STRIDE(SX), .PAD(PL)
    ) axis_x (
        .clk          (clk),
        .rst          (rst),
        .tap_step     (kx_step),
        .tap_last     (kx_last),
        .window_moves (ox_moves),
        .window_last  (ox_last),
        .window       (ox),
        .outside      (x_outside),
        .idle         (x_idle),
        .partial      (x_partial),
        .closing      (x_closing),
        .past         (x_past)
    );

    assign pad = y_outside || x_outside;

    // Corners: the last one inside the image, and the short move away from 0, both per axis.
    localparam integer FIT_Y = (IN_H - 1 + PT) / SY;
    localparam integer FIT_X = (IN_W - 1 + PL) / SX;
    localparam integer FAR_Y = ((FIT_Y < OUT_H) ? FIT_Y : OUT_H - 1) * SY - PT;
    localparam integer FAR_X = ((FIT_X < OUT_W) ? FIT_X : OUT_W - 1) * SX - PL;
    localparam integer END_Y = (FAR_Y > 0) ? FAR_Y * ROW : 0;
    localparam integer END_X = (FAR_X > 0) ? FAR_X * PIXEL : 0;
    localparam integer PART_Y = (SY - PT % SY) % SY * ROW;
    localparam integer PART_X = (SX - PL % SX) % SX * PIXEL;

    localparam integer FREED_COLUMN = -SX * PIXEL;
    localparam integer FREED_PART_COLUMN = -PART_X;
    localparam integer FREED_ROW = END_X - SY * ROW;
    localparam integer FREED_PART_ROW = END_X - PART_Y;
    localparam integer FREED_REST = END_X + END_Y - FRAME;

    always @* begin
        minus_freed = FREED_COLUMN[COUNT_W-1:0];
        if (x_closing) begin
            minus_freed = FREED_ROW[COUNT_W-1:0];
            if (y_partial) minus_freed = FREED_PART_ROW[COUNT_W-1:0];
            if (y_closing) minus_freed = FREED_REST[COUNT_W-1:0];
        end else if (x_partial) minus_freed = FREED_PART_COLUMN[COUNT_W-1:0];
        else if (x_idle) minus_freed = {COUNT_W{1'b0}};
        // While the row does not move, the next row begins where this one does.
        if (y_idle || y_past || x_past) minus_freed = {COUNT_W{1'b0}};
    end

endmodule

`resetall
