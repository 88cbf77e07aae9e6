// hwa_minmax: larger or smaller of two tensors, with their binary points lined up.
//
//   function  out[l] = max(a[l] << A_SHIFT, b[l] << B_SHIFT)      l = 0 .. LANES-1
//             min in the place of max where LARGEST is 0
//             a and b signed or not by A_SIGNED and B_SIGNED
//   order     lane 0 in the low bits
//   latency   1
//   interval  1
//   tlast     none: every beat is on its own
//   must not  exceed OUT_W bits in any result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_minmax #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one lane of a in bits.
    parameter integer A_W = 8,
    // 1 if a is signed.
    parameter integer A_SIGNED = 1,
    // Left shift of a in bits.
    parameter integer A_SHIFT = 0,
    // Width of one lane of b in bits.
    parameter integer B_W = 8,
    // 1 if b is signed.
    parameter integer B_SIGNED = 1,
    // Left shift of b in bits.
    parameter integer B_SHIFT = 0,
    // Width of one output lane in bits.
    parameter integer OUT_W = 8,
    // 1 for the larger, 0 for the smaller one.
    parameter integer LARGEST = 1
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*A_W-1:0]   in_a_data,
    input  wire [LANES*B_W-1:0]   in_b_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    // Bits of the longer operand, and a sign beside an unsigned one.
    localparam integer A_END = A_W + A_SHIFT;
    localparam integer B_END = B_W + B_SHIFT;
    localparam integer W = ((A_END > B_END) ? A_END : B_END) + 1;

    initial begin
        if (LANES < 1 || A_W < 1 || B_W < 1 || OUT_W < 1) begin
            $display("hwa: %m: LANES=%0d A_W=%0d B_W=%0d OUT_W=%0d, must be 1 or more",
                     LANES, A_W, B_W, OUT_W);
            $finish;
        end
        if (A_SHIFT < 0 || B_SHIFT < 0) begin
            $display("hwa: %m: A_SHIFT=%0d B_SHIFT=%0d, must be 0 or more", A_SHIFT, B_SHIFT);
            $finish;
        end
    end

    reg out_valid_q;

    always @(posedge clk) begin
        out_valid_q <= in_valid;
        if (rst) out_valid_q <= 1'b0;
    end

    assign out_valid = out_valid_q;

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire [A_W-1:0]      a = in_a_data[l*A_W +: A_W];
            wire [B_W-1:0]      b = in_b_data[l*B_W +: B_W];
            wire                a_sign = (A_SIGNED != 0) ? a[A_W-1] : 1'b0;
            wire                b_sign = (B_SIGNED != 0) ? b[B_W-1] : 1'b0;

            wire signed [W-1:0] a_wide = {{W-A_END{a_sign}}, a, {A_SHIFT{1'b0}}};
            wire signed [W-1:0] b_wide = {{W-B_END{b_sign}}, b, {B_SHIFT{1'b0}}};
            wire                a_more = a_wide > b_wide;
            wire [W-1:0]        chosen = (a_more == (LARGEST != 0)) ? a_wide : b_wide;

            // Extended far enough to cut OUT_W bits from it.
            wire [W+OUT_W-1:0]  wide = {{OUT_W{chosen[W-1]}}, chosen};
            reg  [OUT_W-1:0]    out_q;
            wire                unused = &{1'b0, wide[OUT_W +: W]};

            always @(posedge clk)
                out_q <= wide[OUT_W-1:0];

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // Integers wide enough for both.
    localparam integer F_W = A_W + A_SHIFT + B_W + B_SHIFT + OUT_W;

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [A_W:0] a_int = {(A_SIGNED != 0) && in_a_data[l*A_W+A_W-1],
                                         in_a_data[l*A_W +: A_W]};
            wire signed [B_W:0] b_int = {(B_SIGNED != 0) && in_b_data[l*B_W+B_W-1],
                                         in_b_data[l*B_W +: B_W]};
            wire signed [F_W:0] a = a_int;
            wire signed [F_W:0] b = b_int;
            wire signed [F_W:0] p = a <<< A_SHIFT;
            wire signed [F_W:0] q = b <<< B_SHIFT;
            wire signed [F_W:0] y = (LARGEST != 0) ? ((p < q) ? q : p) : ((p < q) ? p : q);

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate
`endif

endmodule

`resetall
