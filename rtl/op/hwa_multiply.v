// hwa_multiply: multiplier pipe for two tensors.
//
//   function  out[l] = a[l] * b[l]                                l = 0 .. LANES-1
//             a and b signed or not by A_SIGNED and B_SIGNED
//   order     lane 0 in the low bits
//   latency   3: the operands in t + 1, the product in t + 2, the result in t + 3; these
//             registers are those of a DSP block
//   interval  1
//   tlast     none: every beat is on its own
//   must not  exceed OUT_W bits in any result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_multiply #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one lane of a in bits.
    parameter integer A_W = 8,
    // 1 if a is signed.
    parameter integer A_SIGNED = 1,
    // Width of one lane of b in bits.
    parameter integer B_W = 8,
    // 1 if b is signed.
    parameter integer B_SIGNED = 1,
    // Width of one output lane in bits.
    parameter integer OUT_W = 16
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*A_W-1:0]   in_a_data,
    input  wire [LANES*B_W-1:0]   in_b_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    // Beside a signed factor an unsigned one gets a sign, too: Verilog knows no mixed product.
    localparam integer SIGNED = (A_SIGNED != 0 || B_SIGNED != 0) ? 1 : 0;
    localparam integer AX_W = (SIGNED != 0 && A_SIGNED == 0) ? A_W + 1 : A_W;
    localparam integer BX_W = (SIGNED != 0 && B_SIGNED == 0) ? B_W + 1 : B_W;
    localparam integer PRODUCT_W = AX_W + BX_W;

    localparam integer LEGAL = (LANES >= 1 && A_W >= 1 && B_W >= 1 && OUT_W >= 1) ? 1 : 0;

    initial begin
        if (LEGAL == 0) begin
            $display("hwa: %m: LANES=%0d A_W=%0d B_W=%0d OUT_W=%0d, must be 1 or more",
                     LANES, A_W, B_W, OUT_W);
            $finish;
        end
    end

    reg [2:0] valid_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[1:0], in_valid};
        if (rst) valid_q <= 3'b000;
    end

    assign out_valid = valid_q[2];

    reg [LANES*A_W-1:0] a_q;
    reg [LANES*B_W-1:0] b_q;

    always @(posedge clk) begin
        a_q <= in_a_data;
        b_q <= in_b_data;
    end

    genvar l;
    generate
        // No lane of no bits: a tool would stop at its slices, before the message above is said.
        for (l = 0; l < LEGAL * LANES; l = l + 1) begin : g_lane
            reg  [PRODUCT_W-1:0]       product_q;
            wire                       sign = (SIGNED != 0) ? product_q[PRODUCT_W-1] : 1'b0;

            // Widened first, so that both longer and shorter results are plain slices.
            wire [PRODUCT_W+OUT_W-1:0] wide = {{OUT_W{sign}}, product_q};
            reg  [OUT_W-1:0]           out_q;
            wire                       unused = &{1'b0, wide[OUT_W +: PRODUCT_W]};

            if (SIGNED != 0) begin : g_signed
                wire signed [AX_W-1:0] a;
                wire signed [BX_W-1:0] b;

                if (A_SIGNED != 0) begin : g_a
                    assign a = a_q[l*A_W +: A_W];
                end else begin : g_a
                    assign a = {1'b0, a_q[l*A_W +: A_W]};
                end
                if (B_SIGNED != 0) begin : g_b
                    assign b = b_q[l*B_W +: B_W];
                end else begin : g_b
                    assign b = {1'b0, b_q[l*B_W +: B_W]};
                end

                always @(posedge clk)
                    product_q <= a * b;
            end else begin : g_unsigned
                always @(posedge clk)
                    product_q <= a_q[l*A_W +: A_W] * b_q[l*B_W +: B_W];
            end

            always @(posedge clk)
                out_q <= wide[OUT_W-1:0];

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // The operands as they stand a cycle later.
    reg [LANES*A_W-1:0] f_a_q;
    reg [LANES*B_W-1:0] f_b_q;
    reg                 f_valid_q;

    always @(posedge clk) begin
        f_a_q     <= in_a_data;
        f_b_q     <= in_b_data;
        f_valid_q <= in_valid && !rst;
    end

    always @* if (f_valid_q) p_input: assert (a_q == f_a_q && b_q == f_b_q);

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [A_W:0] a_int = {(A_SIGNED != 0) && a_q[l*A_W+A_W-1],
                                         a_q[l*A_W +: A_W]};
            wire signed [B_W:0] b_int = {(B_SIGNED != 0) && b_q[l*B_W+B_W-1],
                                         b_q[l*B_W +: B_W]};
            wire signed [A_W+B_W+1:0]       y = a_int * b_int;
            wire signed [A_W+B_W+OUT_W+1:0] y_wide = y;

            hwa_pipe_check #(.LATENCY(2), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(f_valid_q), .in_data(y_wide[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate
`endif

endmodule

`resetall
