// hwa_mac_lanes: multiply-accumulate pipe lane by lane, as in a depthwise convolution.
//
//   function  out[l] = ((sum over beats first..last of x[l]*w[l]) << shift[l]) + bias[l]
//                                                 l = 0 .. LANES-1, exact integers
//             weights, bias and result signed, x signed or not by X_SIGNED, shift unsigned;
//             W_W = 1 means weights 0 and -1
//   order     lane 0 in the low bits. Weight ROM word k serves the k-th beat after reset, counted
//             modulo WORDS, with w[l] at bit l*W_W. Channel ROM word k serves the k-th output
//             beat, counted modulo CHANNEL_WORDS; lane l of it is {shift, bias}.
//   latency   5 from the beat with in_last to out_valid: weights in t + 2, products in t + 3, the
//             accumulator, the result
//   interval  1; gaps anywhere
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first; exceed ACC_W or OUT_W bits in any sum or result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_mac_lanes #(
    // Lanes, in and out.
    parameter integer LANES = 2,
    // Width of one input lane in bits.
    parameter integer X_W = 8,
    // 1 if the input is signed.
    parameter integer X_SIGNED = 1,
    // Width of one weight in bits.
    parameter integer W_W = 8,
    // Words in the weight ROM.
    parameter integer WORDS = 1,
    // Width of one accumulator in bits; must hold every sum.
    parameter integer ACC_W = 24,
    // Width of one output lane in bits; must hold every result.
    parameter integer OUT_W = 25,
    // Width of the shift field in bits, 0 for none, at most 8.
    parameter integer SHIFT_W = 0,
    // Width of the bias field in bits, 0 for none.
    parameter integer BIAS_W = 0,
    // Words in the channel ROM.
    parameter integer CHANNEL_WORDS = 1,
    // Hex file of the weight ROM.
    parameter WEIGHTS = "",
    // Hex file of the channel ROM, not read without fields.
    parameter CHANNELS = ""
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire                   in_first,
    input  wire                   in_last,
    input  wire [LANES*X_W-1:0]   in_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    localparam integer XS_W = (X_SIGNED != 0) ? X_W : X_W + 1;
    localparam integer PRODUCT_W = XS_W + W_W;
    localparam integer ADDR_W = (WORDS > 1) ? $clog2(WORDS) : 1;

    initial begin
        if (LANES < 1 || X_W < 1 || W_W < 1 || WORDS < 1) begin
            $display("hwa: %m: LANES=%0d X_W=%0d W_W=%0d WORDS=%0d, must be 1 or more",
                     LANES, X_W, W_W, WORDS);
            $finish;
        end
    end

    // Control travels beside the data: bit k is the beat of k+1 cycles ago.
    reg [2:0] valid_q;
    reg [2:0] first_q;
    reg [2:0] last_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[1:0], in_valid};
        first_q <= {first_q[1:0], in_first};
        last_q  <= {last_q[1:0], in_last};
        if (rst) valid_q <= 3'b000;
    end

    // Weights of this beat, there two cycles later together with x_q2.
    wire [ADDR_W-1:0]    addr;
    wire                 addr_last;
    wire [LANES*W_W-1:0] weights;
    wire                 unused = &{1'b0, addr_last};

    hwa_loop #(.COUNT(WORDS)) count (
        .clk   (clk),
        .rst   (rst),
        .step  (in_valid),
        .index (addr),
        .last  (addr_last)
    );

    hwa_rom #(.WIDTH(LANES * W_W), .DEPTH(WORDS), .INIT(WEIGHTS)) rom (
        .clk  (clk),
        .addr (addr),
        .data (weights)
    );

    reg [LANES*X_W-1:0] x_q, x_q2;

    always @(posedge clk) begin
        x_q  <= in_data;
        x_q2 <= x_q;
    end

    wire [LANES*PRODUCT_W-1:0] products;

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire signed [XS_W-1:0]      x;
            wire signed [W_W-1:0]       w = weights[l*W_W +: W_W];
            reg  signed [PRODUCT_W-1:0] product_q;

            if (X_SIGNED != 0) begin : g_signed
                assign x = x_q2[l*X_W +: X_W];
            end else begin : g_unsigned
                assign x = {1'b0, x_q2[l*X_W +: X_W]};
            end

            always @(posedge clk) product_q <= x * w;

            assign products[l*PRODUCT_W +: PRODUCT_W] = product_q;
        end
    endgenerate

    // The last products of a reduction are there in the cycle behind this one.
    wire ends = valid_q[1] && last_q[1];

    hwa_accumulate #(
        .LANES(LANES), .IN_W(PRODUCT_W), .ACC_W(ACC_W), .OUT_W(OUT_W),
        .SHIFT_W(SHIFT_W), .BIAS_W(BIAS_W), .CHANNEL_WORDS(CHANNEL_WORDS),
        .CHANNELS(CHANNELS)
    ) accumulate (
        .clk       (clk),
        .rst       (rst),
        .in_valid  (valid_q[2]),
        .in_first  (first_q[2]),
        .in_last   (last_q[2]),
        .in_ends   (ends),
        .in_data   (products),
        .in_carry  ({LANES{1'b0}}),
        .out_valid (out_valid),
        .out_data  (out_data)
    );

`ifdef HWA_FORMAL
    // What comes out is proved by parts: here the products, what they are multiplied with, and when
    // they are added up; the adders in their own modules. The ROM may hold anything.
    localparam integer F_W = XS_W + W_W + 2;

    reg  [2:0]       f_valid_q, f_first_q, f_last_q;
    reg  [ADDR_W-1:0]  f_beats_q;
    reg                f_ends_q;
    reg  [LANES*X_W-1:0]     f_x_q, f_x_q2;
    wire [LANES-1:0]   f_right;
    // Cycles since power-up, up to 3: data have no reset.
    reg  [1:0]         f_age_q = 2'd0;

    always @(posedge clk) begin
        if (f_age_q != 2'd3) f_age_q <= f_age_q + 1'b1;
        f_x_q     <= in_data;
        f_x_q2    <= f_x_q;
        f_valid_q <= {f_valid_q, in_valid};
        f_first_q <= {f_first_q, in_first};
        f_last_q  <= {f_last_q, in_last};
        f_ends_q  <= ends;
        if (in_valid) f_beats_q <= (f_beats_q + 1) % WORDS;
        if (rst) begin
            f_valid_q <= {2 + 1{1'b0}};
            f_beats_q <= {ADDR_W{1'b0}};
            f_ends_q  <= 1'b0;
        end
    end

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [XS_W-1:0] x = {(X_SIGNED == 0) ? 1'b0 : x_q2[l*X_W+X_W-1],
                                        x_q2[l*X_W +: X_W]};
            wire signed [W_W-1:0]  w = weights[l*W_W +: W_W];
            reg  signed [F_W-1:0]  product_q;
            wire signed [PRODUCT_W-1:0] part = products[l*PRODUCT_W +: PRODUCT_W];

            always @(posedge clk) product_q <= x * w;

            assign f_right[l] = part == product_q;
        end
    endgenerate

    initial assume (rst);
    always @* if (f_age_q == 2'd3) begin
        p_input: assert (x_q2 == f_x_q2);
        p_value: assert (&f_right);
    end
    always @* if (!rst) begin
        p_word: assert (addr == f_beats_q && f_beats_q < WORDS);
        p_valid: assert (valid_q == f_valid_q);
        if (valid_q[2]) p_frame: assert (first_q[2] == f_first_q[2] && last_q[2] == f_last_q[2]);

        // What hwa_accumulate takes for granted of in_ends.
        assert (f_ends_q == (valid_q[2] && last_q[2]));

        c_value: cover (f_valid_q[1] && valid_q[2] && products != 0);
    end
`endif

endmodule

`resetall
