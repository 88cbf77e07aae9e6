// hwa_window_axis: where hwa_window_order stands along one axis of the image.
//
//   function  for window w = 0 .. WINDOWS-1 and tap k = 0 .. TAPS-1 of it,
//               outside  w*STRIDE - PAD + k*DILATION is not in 0 .. SIZE-1
//             and for the corner c(w) = max(0, w*STRIDE - PAD),
//               past     c(w) >= SIZE
//               closing  c(w) < SIZE, and w is the last window of which that is true
//               idle     c(w + 1) = c(w), not closing
//               partial  c(w) < c(w + 1) < c(w) + STRIDE, not closing
//             At most one of the four is high; none means c(w + 1) = c(w) + STRIDE.
//   order     taps inside windows; tap_last and window_last say that k and w are the last ones
//   latency   0: tap_step in cycle t, the next tap in cycle t + 1; after the last tap of a window
//             comes its first again, or with window_moves the first of the next window
//   interval  1
//   tlast     none: this is not a stream
//   must not  disagree with `window`, which counts w outside

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window_axis #(
    // Pixels of the image.
    parameter integer SIZE = 4,
    // Taps of a window.
    parameter integer TAPS = 2,
    // Pixels from one tap to the next.
    parameter integer DILATION = 1,
    // Windows.
    parameter integer WINDOWS = 3,
    // Pixels from one window to the next.
    parameter integer STRIDE = 1,
    // Pixels of padding before the first one of the image.
    parameter integer PAD = 0
) (
    input  wire clk,
    input  wire rst,

    input  wire                                             tap_step,
    input  wire                                             tap_last,
    input  wire                                             window_moves,
    input  wire                                             window_last,
    input  wire [(WINDOWS > 1 ? $clog2(WINDOWS) : 1)-1 : 0] window,

    output wire                                             outside,
    output wire                                             idle,
    output wire                                             partial,
    output wire                                             closing,
    output wire                                             past
);

    localparam integer SPAN = (TAPS - 1) * DILATION;
    localparam integer TRAVEL = (WINDOWS - 1) * STRIDE;
    localparam integer AT_W = $clog2(PAD + SIZE + SPAN + TRAVEL + 1) + 1;

    initial begin
        if (SIZE < 1 || TAPS < 1 || DILATION < 1 || WINDOWS < 1 || STRIDE < 1) begin
            $display("hwa: %m: SIZE=%0d TAPS=%0d DILATION=%0d WINDOWS=%0d STRIDE=%0d, %0s",
                     SIZE, TAPS, DILATION, WINDOWS, STRIDE, "must be 1 or more");
            $finish;
        end
        if (PAD < 0) begin
            $display("hwa: %m: PAD=%0d, must be 0 or more", PAD);
            $finish;
        end
    end

    // Outside or not, worked out one step ahead to be a register.
    localparam integer START = -PAD;
    localparam integer BACK_TAP = -SPAN;
    localparam integer NEXT_WINDOW = STRIDE - SPAN;
    localparam integer BACK_WINDOW = -TRAVEL - SPAN;
    localparam signed [AT_W-1:0] AT_SIZE = SIZE[AT_W-1:0];

    generate
        if (PAD > 0 || SPAN + TRAVEL - PAD >= SIZE) begin : g_padded
            reg  signed [AT_W-1:0] at_q;
            reg                    outside_q;
            reg  signed [AT_W-1:0] move;
            wire signed [AT_W-1:0] at_d = at_q + move;

            always @* begin
                move = DILATION[AT_W-1:0];
                if (tap_last) begin
                    move = BACK_TAP[AT_W-1:0];
                    if (window_moves)
                        move = window_last ? BACK_WINDOW[AT_W-1:0] : NEXT_WINDOW[AT_W-1:0];
                end
            end

            always @(posedge clk) begin
                if (tap_step) begin
                    at_q      <= at_d;
                    outside_q <= at_d[AT_W-1] || at_d >= AT_SIZE;
                end
                if (rst) begin
                    at_q      <= START[AT_W-1:0];
                    outside_q <= PAD > 0;
                end
            end

            assign outside = outside_q;
        end else begin : g_never
            wire unused = &{1'b0, clk, rst, tap_step, tap_last, window_moves, window_last};

            assign outside = 1'b0;
        end
    endgenerate

    // Windows that start before the image, and the last one that does not start behind it.
    localparam integer BEFORE = (PAD + STRIDE - 1) / STRIDE;
    localparam integer LAST_IN = (SIZE - 1 + PAD) / STRIDE;
    // The window whose corner is the last one at 0, and whether its own move is a short one.
    localparam integer CROSSING = (BEFORE < WINDOWS) ? BEFORE - 1 : WINDOWS - 1;
    localparam SHORT = (BEFORE * STRIDE > PAD);
    localparam integer CLOSING = (LAST_IN < WINDOWS) ? LAST_IN : WINDOWS - 1;

    localparam integer W_W = (WINDOWS > 1) ? $clog2(WINDOWS) + 1 : 2;
    localparam signed [W_W-1:0] W_CROSSING = CROSSING[W_W-1:0];
    localparam signed [W_W-1:0] W_CLOSING = CLOSING[W_W-1:0];

    wire signed [W_W-1:0] w = {1'b0, window};

    assign past    = w > W_CLOSING;
    assign closing = w == W_CLOSING;
    assign idle    = w < W_CLOSING && (w < W_CROSSING || (w == W_CROSSING && !SHORT));
    assign partial = w < W_CLOSING && w == W_CROSSING && SHORT;

endmodule

`resetall
