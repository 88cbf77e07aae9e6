// hwa_window_order: the order in which hwa_window reads its tensor, one beat at a time.
//
//   function  walks the loops
//               for oy, ox:  for group:  for repeat:  for ky, kx:  for g in 0 .. GROUP_BEATS-1
//             over the beats i = (y*IN_W + x)*PIXEL + group*GROUP_BEATS + g of a frame, with
//             y = oy*SY - PT + ky*DY, x = ox*SX - PL + kx*DX, PIXEL = GROUPS*GROUP_BEATS. The
//             outputs describe the beat at hand:
//               first, last  it begins, it ends a reduction (ky, kx, g)
//               done         it is the last one of an output pixel (all groups and repeats)
//               pad          (y, x) is outside the image
//               minus_step   i - (i of the next beat, plus IN_H*IN_W*PIXEL in a new frame)
//               hop          the same way in a ring: (-minus_step) mod DEPTH
//               minus_freed  -(beats no longer needed once `done` is over), see hwa_window_corner
//   order     as above, frame after frame
//   latency   0: `advance` in cycle t, the next beat in cycle t + 1
//   interval  1
//   tlast     none: frames follow from the counts
//   must not  need more than 31 bits for a beat index

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window_order #(
    // Beats in the ring, 1 or more.
    parameter integer DEPTH = 8,
    // Width of minus_step and minus_freed in bits.
    parameter integer COUNT_W = 8,
    // Image height in pixels.
    parameter integer IN_H = 4,
    // Image width in pixels.
    parameter integer IN_W = 4,
    // Groups of channels in a pixel.
    parameter integer GROUPS = 1,
    // Beats in a group.
    parameter integer GROUP_BEATS = 1,
    // Passes over a group.
    parameter integer REPEAT = 1,
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

    input  wire                                         advance,

    output wire                                         first,
    output wire                                         last,
    output wire                                         done,
    output wire                                         ends,
    output wire                                         pad,
    output reg  [COUNT_W-1:0]                           minus_step,
    output reg  [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] hop,
    output wire [COUNT_W-1:0]                           minus_freed
);

    localparam integer PIXEL = GROUPS * GROUP_BEATS;
    localparam integer ROW = IN_W * PIXEL;
    localparam integer FRAME = IN_H * ROW;
    localparam integer HOP_W = (DEPTH > 1) ? $clog2(DEPTH) : 1;

    // Pixels from the first to the last tap, and from the first to the last window.
    localparam integer SPAN_Y = (KH - 1) * DY;
    localparam integer SPAN_X = (KW - 1) * DX;
    localparam integer TRAVEL_Y = (OUT_H - 1) * SY;
    localparam integer TRAVEL_X = (OUT_W - 1) * SX;

    initial begin
        if (DEPTH < 1 || GROUPS < 1 || GROUP_BEATS < 1 || REPEAT < 1) begin
            $display("hwa: %m: DEPTH=%0d GROUPS=%0d GROUP_BEATS=%0d REPEAT=%0d, %0s",
                     DEPTH, GROUPS, GROUP_BEATS, REPEAT, "must be 1 or more");
            $finish;
        end
    end

    // The loops, innermost first: g, kx, ky, repeat, group, ox, oy.
    // A loop moves in the next step when all loops inside it are at their last.
    wire [6:0] at_last;
    wire [6:0] moves;
    wire [6:0] step = moves & {7{advance}};

    genvar n;
    generate
        for (n = 0; n < 7; n = n + 1) begin : g_loop
            localparam integer COUNT = (n == 0) ? GROUP_BEATS : (n == 1) ? KW : (n == 2) ? KH
                : (n == 3) ? REPEAT : (n == 4) ? GROUPS : (n == 5) ? OUT_W : OUT_H;
            localparam integer INDEX_W = (COUNT > 1) ? $clog2(COUNT) : 1;

            wire [INDEX_W-1:0] index;
            // The inner loops are known by their `last` alone.
            wire               unused = &{1'b0, index};

            assign moves[n] = &(at_last | (7'h7f << n));

            hwa_loop #(.COUNT(COUNT)) count (
                .clk   (clk),
                .rst   (rst),
                .step  (step[n]),
                .index (index),
                .last  (at_last[n])
            );
        end
    endgenerate

    reg first_q;

    always @(posedge clk) begin
        if (advance) first_q <= last;
        if (rst) first_q <= 1'b1;
    end

    assign first = first_q;
    assign last  = &at_last[2:0];
    assign done  = &at_last[4:0];
    assign ends  = &at_last;

    // What a step does, by the outermost loop that moves; the loops inside it start again.
    localparam integer BACK_KX = SPAN_X * PIXEL + GROUP_BEATS - 1;
    localparam integer BACK_KY = SPAN_Y * ROW + BACK_KX;
    localparam integer BACK_GROUP = PIXEL - GROUP_BEATS + BACK_KY;
    localparam integer BACK_OX = TRAVEL_X * PIXEL + BACK_GROUP;

    localparam integer MINUS_G = -1;
    localparam integer MINUS_KX = GROUP_BEATS - 1 - DX * PIXEL;
    localparam integer MINUS_KY = BACK_KX - DY * ROW;
    localparam integer MINUS_REPEAT = BACK_KY;
    localparam integer MINUS_GROUP = BACK_KY - GROUP_BEATS;
    localparam integer MINUS_OX = BACK_GROUP - SX * PIXEL;
    localparam integer MINUS_OY = BACK_OX - SY * ROW;
    localparam integer MINUS_FRAME = BACK_OX + TRAVEL_Y * ROW - FRAME;

    // -minus as a distance in the ring.
    function integer around(input integer minus);
        around = (DEPTH - minus % DEPTH) % DEPTH;
    endfunction

    localparam integer HOP_G = around(MINUS_G);
    localparam integer HOP_KX = around(MINUS_KX);
    localparam integer HOP_KY = around(MINUS_KY);
    localparam integer HOP_REPEAT = around(MINUS_REPEAT);
    localparam integer HOP_GROUP = around(MINUS_GROUP);
    localparam integer HOP_OX = around(MINUS_OX);
    localparam integer HOP_OY = around(MINUS_OY);
    localparam integer HOP_FRAME = around(MINUS_FRAME);

    always @* begin
        minus_step = MINUS_FRAME[COUNT_W-1:0];
        hop        = HOP_FRAME[HOP_W-1:0];
        if (!at_last[0]) begin
            minus_step = MINUS_G[COUNT_W-1:0];
            hop        = HOP_G[HOP_W-1:0];
        end else if (!at_last[1]) begin
            minus_step = MINUS_KX[COUNT_W-1:0];
            hop        = HOP_KX[HOP_W-1:0];
        end else if (!at_last[2]) begin
            minus_step = MINUS_KY[COUNT_W-1:0];
            hop        = HOP_KY[HOP_W-1:0];
        end else if (!at_last[3]) begin
            minus_step = MINUS_REPEAT[COUNT_W-1:0];
            hop        = HOP_REPEAT[HOP_W-1:0];
        end else if (!at_last[4]) begin
            minus_step = MINUS_GROUP[COUNT_W-1:0];
            hop        = HOP_GROUP[HOP_W-1:0];
        end else if (!at_last[5]) begin
            minus_step = MINUS_OX[COUNT_W-1:0];
            hop        = HOP_OX[HOP_W-1:0];
        end else if (!at_last[6]) begin
            minus_step = MINUS_OY[COUNT_W-1:0];
            hop        = HOP_OY[HOP_W-1:0];
        end
    end

    hwa_window_corner #(
        .COUNT_W(COUNT_W), .IN_H(IN_H), .IN_W(IN_W), .PIXEL(PIXEL),
        .KH(KH), .KW(KW), .SY(SY), .SX(SX), .DY(DY), .DX(DX), .PT(PT), .PL(PL),
        .OUT_H(OUT_H), .OUT_W(OUT_W)
    ) corner (
        .clk         (clk),
        .rst         (rst),
        .ky_step     (step[2]),
        .ky_last     (at_last[2]),
        .kx_step     (step[1]),
        .kx_last     (at_last[1]),
        .oy_moves    (moves[6]),
        .oy_last     (at_last[6]),
        .oy          (g_loop[6].index),
        .ox_moves    (moves[5]),
        .ox_last     (at_last[5]),
        .ox          (g_loop[5].index),
        .pad         (pad),
        .minus_freed (minus_freed)
    );

endmodule

`resetall
