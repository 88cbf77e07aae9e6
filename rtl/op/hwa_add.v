// hwa_add: adder or subtractor pipe for two tensors, with their binary points lined up.
//
//   function  out[l] = (a[l] << A_SHIFT) + (b[l] << B_SHIFT)      l = 0 .. LANES-1
//             with SUBTRACT minus in the place of plus
//             a and b signed or not by A_SIGNED and B_SIGNED, signed out
//   order     lane 0 in the low bits
//   latency   1
//   interval  1
//   tlast     none: every beat is on its own
//   must not  exceed OUT_W bits in any result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_add #(
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
    parameter integer OUT_W = 9,
    // 1 to subtract b.
    parameter integer SUBTRACT = 0
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*A_W-1:0]   in_a_data,
    input  wire [LANES*B_W-1:0]   in_b_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

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
            wire [A_W-1:0] a = in_a_data[l*A_W +: A_W];
            wire [B_W-1:0] b = in_b_data[l*B_W +: B_W];
            wire           a_sign = (A_SIGNED != 0) ? a[A_W-1] : 1'b0;
            wire           b_sign = (B_SIGNED != 0) ? b[B_W-1] : 1'b0;

            // Shifted and extended far enough to cut OUT_W bits from any of them.
            wire [OUT_W+A_W+A_SHIFT-1:0] a_wide = {{OUT_W{a_sign}}, a, {A_SHIFT{1'b0}}};
            wire [OUT_W+B_W+B_SHIFT-1:0] b_wide = {{OUT_W{b_sign}}, b, {B_SHIFT{1'b0}}};
            reg  [OUT_W-1:0]             out_q;
            wire                         unused = &{1'b0, a_wide[OUT_W +: A_W+A_SHIFT],
                                                    b_wide[OUT_W +: B_W+B_SHIFT]};

            always @(posedge clk)
                out_q <= (SUBTRACT != 0) ? a_wide[OUT_W-1:0] - b_wide[OUT_W-1:0]
                                         : a_wide[OUT_W-1:0] + b_wide[OUT_W-1:0];

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // Integers wide enough for any sum.
    localparam integer F_W = A_W + A_SHIFT + B_W + B_SHIFT + OUT_W;

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [A_W:0] a_int = {(A_SIGNED != 0) && in_a_data[l*A_W+A_W-1],
                                         in_a_data[l*A_W +: A_W]};
            wire signed [B_W:0] b_int = {(B_SIGNED != 0) && in_b_data[l*B_W+B_W-1],
                                         in_b_data[l*B_W +: B_W]};
            wire signed [F_W:0] a = a_int;
            wire signed [F_W:0] b = b_int;
            wire signed [F_W:0] y = (SUBTRACT != 0) ? (a <<< A_SHIFT) - (b <<< B_SHIFT)
                                                    : (a <<< A_SHIFT) + (b <<< B_SHIFT);

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate
`endif

endmodule

`resetall
