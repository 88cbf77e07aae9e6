// hwa_window_list: the order in which hwa_window reads some of its beats, by a list.
//
//   function  walks the loops
//               for oy, ox:  for k in 0 .. STEPS-1
//             where step k reads the beat `offset k` behind the first one of the tap (0, 0). The
//             outputs describe the step at hand, as those of hwa_window_order do:
//               ready        there is one
//               first, last  it begins, it ends a reduction
//               done         it is the last one of an output pixel
//               ends         it is the last one of a frame
//               pad          its tap is outside the image
//               minus_step   offset k - offset (k+1), less where the window or the frame moves
//               hop          the same way in a ring: (-minus_step) mod DEPTH
//               minus_freed  as hwa_window_corner says
//   order     word k of the hex file ORDER has, from the low bit on: 1 for the last step of a
//             reduction; offset (k+1) - offset k in the ring; offset k - offset (k+1), signed, in
//             STEP_W bits; column and row of the tap in pixels, in TAP_X_W and TAP_Y_W bits. What
//             the last word says about a next one is not used.
//   latency   0: `advance` in cycle t, the next step in cycle t + 1; after reset, `ready` is high
//             from cycle 3 on: the words come through three registers, that of a block RAM first
//   interval  1
//   tlast     none: frames follow from the counts
//   must not  advance before ready; have a TAP_W of 0 where a tap may be outside the image

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window_list #(
    // Beats in the ring, 1 or more.
    parameter integer DEPTH = 8,
    // Width of minus_step and minus_freed in bits.
    parameter integer COUNT_W = 8,
    // Image height in pixels.
    parameter integer IN_H = 4,
    // Image width in pixels.
    parameter integer IN_W = 4,
    // Beats in a pixel.
    parameter integer PIXEL = 1,
    // Pixels from one window down to the next.
    parameter integer SY = 1,
    // Pixels from one window right to the next.
    parameter integer SX = 1,
    // Padding at the top in pixels; that at the bottom follows from OUT_H.
    parameter integer PT = 0,
    // Padding at the left in pixels; that at the right follows from OUT_W.
    parameter integer PL = 0,
    // Output height in pixels.
    parameter integer OUT_H = 3,
    // Output width in pixels.
    parameter integer OUT_W = 3,
    // Steps of an output pixel.
    parameter integer STEPS = 4,
    // Offset of the last step less that of the first one.
    parameter integer BACK = 0,
    // Width of the difference between offsets in bits, at most COUNT_W.
    parameter integer STEP_W = 2,
    // Width of the row of a tap in bits, 0 for none.
    parameter integer TAP_Y_W = 0,
    // Width of the column of a tap in bits, 0 for none.
    parameter integer TAP_X_W = 0,
    // Hex file of the list; "" makes a blank one (for lint only).
    parameter ORDER = ""
) (
    input  wire clk,
    input  wire rst,

    input  wire                                         advance,

    output wire                                         ready,
    output wire                                         first,
    output wire                                         last,
    output wire                                         done,
    output wire                                         ends,
    output wire                                         pad,
    output reg  [COUNT_W-1:0]                           minus_step,
    output reg  [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] hop,
    output wire [COUNT_W-1:0]                           minus_freed
);

    localparam integer ROW = IN_W * PIXEL;
    localparam integer FRAME = IN_H * ROW;
    localparam integer HOP_W = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer TRAVEL_Y = (OUT_H - 1) * SY;
    localparam integer TRAVEL_X = (OUT_W - 1) * SX;
    localparam integer WORD_W = 1 + HOP_W + STEP_W + TAP_X_W + TAP_Y_W;
    localparam integer ADDR_W = (STEPS > 1) ? $clog2(STEPS) : 1;

    initial begin
        if (STEPS < 1 || STEP_W < 1 || STEP_W > COUNT_W || TAP_Y_W < 0 || TAP_X_W < 0) begin
            $display("hwa: %m: STEPS=%0d STEP_W=%0d TAP_Y_W=%0d TAP_X_W=%0d, %0s", STEPS, STEP_W,
                     TAP_Y_W, TAP_X_W, "must be 1, 1, 0, 0 or more");
            $finish;
        end
    end

    // Words are fetched ahead: data_q is the register of the memory, entry_q the step at hand.
    // Everything holds while the step at hand stays, so what was fetched is never lost.
    reg  [2:0] primed_q;
    wire       shift = advance || !ready;

    assign ready = primed_q[2];

    always @(posedge clk) primed_q <= rst ? 3'b000 : {primed_q[1:0], 1'b1};

    wire [ADDR_W-1:0] addr;
    wire              addr_last;

    hwa_loop #(.COUNT(STEPS)) fetch (
        .clk   (clk),
        .rst   (rst),
        .step  (shift),
        .index (addr),
        .last  (addr_last)
    );

    reg [WORD_W-1:0] list [0:STEPS-1];
    reg [WORD_W-1:0] data_q, ahead_q;

    generate
        if (ORDER != "") begin : g_init
            initial $readmemh(ORDER, list);
        end else begin : g_blank
            initial list[0] = {WORD_W{1'b0}};
        end
    endgenerate

    always @(posedge clk) begin
        if (shift) data_q <= list[addr];
        if (shift) ahead_q <= data_q;
    end

    reg                     last_q;
    reg        [HOP_W-1:0]  hop_q;
    reg signed [STEP_W-1:0] minus_q;

    always @(posedge clk) begin
        if (shift) begin
            last_q  <= ahead_q[0];
            hop_q   <= ahead_q[1 +: HOP_W];
            minus_q <= ahead_q[1+HOP_W +: STEP_W];
        end
    end

    // The loops, innermost first: k, ox, oy.
    wire [2:0]                                     at_last;
    wire [ADDR_W-1:0]                              k;
    wire [(OUT_W > 1 ? $clog2(OUT_W) : 1)-1 : 0]   ox;
    wire [(OUT_H > 1 ? $clog2(OUT_H) : 1)-1 : 0]   oy;
    wire                                           oy_moves = at_last[0] && at_last[1];
    wire                                           unused = &{1'b0, addr_last, k};

    hwa_loop #(.COUNT(STEPS)) count_k (
        .clk   (clk),
        .rst   (rst),
        .step  (advance),
        .index (k),
        .last  (at_last[0])
    );

    hwa_loop #(.COUNT(OUT_W)) count_ox (
        .clk   (clk),
        .rst   (rst),
        .step  (advance && at_last[0]),
        .index (ox),
        .last  (at_last[1])
    );

    hwa_loop #(.COUNT(OUT_H)) count_oy (
        .clk   (clk),
        .rst   (rst),
        .step  (advance && oy_moves),
        .index (oy),
        .last  (at_last[2])
    );

    reg first_q;

    always @(posedge clk) begin
        if (advance) first_q <= last_q;
        if (rst) first_q <= 1'b1;
    end

    assign first = first_q;
    assign last  = last_q;
    assign done  = at_last[0];
    assign ends  = &at_last;

    // What a step does: the list knows, but where the window moves.
    localparam integer MINUS_OX = BACK - SX * PIXEL;
    localparam integer MINUS_OY = BACK + TRAVEL_X * PIXEL - SY * ROW;
    localparam integer MINUS_FRAME = BACK + TRAVEL_X * PIXEL + TRAVEL_Y * ROW - FRAME;

    // -minus as a distance in the ring.
    function integer around(input integer minus);
        around = (DEPTH - minus % DEPTH) % DEPTH;
    endfunction

    localparam integer HOP_OX = around(MINUS_OX);
    localparam integer HOP_OY = around(MINUS_OY);
    localparam integer HOP_FRAME = around(MINUS_FRAME);

    always @* begin
        minus_step = {{COUNT_W-STEP_W{minus_q[STEP_W-1]}}, minus_q};
        hop        = hop_q;
        if (at_last[0]) begin
            minus_step = MINUS_OX[COUNT_W-1:0];
            hop        = HOP_OX[HOP_W-1:0];
            if (at_last[1]) begin
                minus_step = at_last[2] ? MINUS_FRAME[COUNT_W-1:0] : MINUS_OY[COUNT_W-1:0];
                hop        = at_last[2] ? HOP_FRAME[HOP_W-1:0] : HOP_OY[HOP_W-1:0];
            end
        end
    end

    // The tap that comes next: outside or not, axis by axis.
    localparam integer TAP_AT = 1 + HOP_W + STEP_W;
    wire y_outside, x_outside, corner_pad;
    wire unused_pad = &{1'b0, corner_pad};

    assign pad = y_outside || x_outside;

    generate
        if (TAP_Y_W > 0) begin : g_tap_y
            hwa_window_tap #(
                .SIZE(IN_H), .WINDOWS(OUT_H), .STRIDE(SY), .PAD(PT), .TAP_W(TAP_Y_W)
            ) tap_y (
                .clk          (clk),
                .rst          (rst),
                .shift        (shift),
                .window_moves (advance && oy_moves),
                .window_last  (at_last[2]),
                .tap          (ahead_q[TAP_AT+TAP_X_W +: TAP_Y_W]),
                .outside      (y_outside)
            );
        end else begin : g_no_tap_y
            assign y_outside = 1'b0;
        end
        if (TAP_X_W > 0) begin : g_tap_x
            hwa_window_tap #(
                .SIZE(IN_W), .WINDOWS(OUT_W), .STRIDE(SX), .PAD(PL), .TAP_W(TAP_X_W)
            ) tap_x (
                .clk          (clk),
                .rst          (rst),
                .shift        (shift),
                .window_moves (advance && at_last[0]),
                .window_last  (at_last[1]),
                .tap          (ahead_q[TAP_AT +: TAP_X_W]),
                .outside      (x_outside)
            );
        end else begin : g_no_tap_x
            assign x_outside = 1'b0;
        end
    endgenerate

    hwa_window_corner #(
        .COUNT_W(COUNT_W), .IN_H(IN_H), .IN_W(IN_W), .PIXEL(PIXEL), .KH(1), .KW(1),
        .SY(SY), .SX(SX), .DY(1), .DX(1), .PT(PT), .PL(PL), .OUT_H(OUT_H), .OUT_W(OUT_W)
    ) corner (
        .clk         (clk),
        .rst         (rst),
        .ky_step     (advance),
        .ky_last     (1'b1),
        .kx_step     (advance),
        .kx_last     (1'b1),
        .oy_moves    (oy_moves),
        .oy_last     (at_last[2]),
        .oy          (oy),
        .ox_moves    (at_last[0]),
        .ox_last     (at_last[1]),
        .ox          (ox),
        .pad         (corner_pad),
        .minus_freed (minus_freed)
    );

endmodule

`resetall
