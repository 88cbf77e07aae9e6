// hwa_mac: multiply-accumulate pipe; PE dot products side by side, SIMD inputs of each per beat.
//
//   function  out[p] = ((sum over beats first..last and over s of x[s]*w[p][s]) << shift[p])
//                    + bias[p]                 p = 0 .. PE-1, s = 0 .. SIMD-1, exact integers
//             weights, bias and result signed, x signed or not by X_SIGNED, shift unsigned;
//             W_W = 1 means weights 0 and -1
//   packing   PACK lanes, 0 .. PACK-1, then the next PACK, share the multipliers of x[s]: the one
//             product with w[0] + w[1]*2^K + w[2]*2^2K .., K = X_W + W_W, holds theirs, each less
//             1 where the one below it is negative. The adders put that back as carries. Between
//             the weights the same borrow is taken in the ROM: all but the first of these lanes
//             hold their weight less 1 where the lane below holds a negative number.
//   order     lane 0 in the low bits. Weight ROM word k serves the k-th beat after reset, counted
//             modulo WORDS, with w[p][s] at bit (p*SIMD + s)*W_W. Channel ROM word k serves the
//             k-th output beat, counted modulo CHANNEL_WORDS; lane p of it is {shift, bias}.
//   latency   5 + clog2(SIMD) from the beat with in_last to out_valid: weights in t + 2, products
//             in t + 3, one adder level a cycle, the accumulator, the result
//   interval  1; gaps anywhere
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first; exceed ACC_W or OUT_W bits in any sum or result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_mac #(
    // Output lanes: dot products computed side by side.
    parameter integer PE = 2,
    // Input lanes: products added up per beat and output lane.
    parameter integer SIMD = 2,
    // Width of one input lane in bits.
    parameter integer X_W = 8,
    // 1 if the input is signed.
    parameter integer X_SIGNED = 1,
    // Width of one weight in bits.
    parameter integer W_W = 8,
    // Output lanes that share a multiplier, 1 or more.
    parameter integer PACK = 1,
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
    input  wire                clk,
    input  wire                rst,

    input  wire                in_valid,
    input  wire                in_first,
    input  wire                in_last,
    input  wire [SIMD*X_W-1:0] in_data,

    output wire                out_valid,
    output wire [PE*OUT_W-1:0] out_data
);

    localparam integer XS_W = (X_SIGNED != 0) ? X_W : X_W + 1;
    localparam integer PRODUCT_W = XS_W + W_W;
    // From one product to the next in a packed one.
    localparam integer FIELD_W = X_W + W_W;
    // Not 0 either where the check below complains: a loop steps by it.
    localparam integer SHARED = (PACK > 0) ? PACK : 1;
    localparam integer SUM_W = PRODUCT_W + $clog2(SIMD);
    // Cycles from a beat to the sum of its products.
    localparam integer SUM_DELAY = 3 + $clog2(SIMD);
    localparam integer ADDR_W = (WORDS > 1) ? $clog2(WORDS) : 1;

    initial begin
        if (PE < 1 || SIMD < 1 || X_W < 1 || W_W < 1 || WORDS < 1) begin
            $display("hwa: %m: PE=%0d SIMD=%0d X_W=%0d W_W=%0d WORDS=%0d, must be 1 or more",
                     PE, SIMD, X_W, W_W, WORDS);
            $finish;
        end
        if (PACK < 1) begin
            $display("hwa: %m: PACK=%0d, must be 1 or more", PACK);
            $finish;
        end
    end

    // Control travels beside the data: bit k is the beat of k+1 cycles ago.
    reg [SUM_DELAY-1:0] valid_q;
    reg [SUM_DELAY-1:0] first_q;
    reg [SUM_DELAY-1:0] last_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[SUM_DELAY-2:0], in_valid};
        first_q <= {first_q[SUM_DELAY-2:0], in_first};
        last_q  <= {last_q[SUM_DELAY-2:0], in_last};
        if (rst) valid_q <= {SUM_DELAY{1'b0}};
    end

    // Weights of this beat, there two cycles later together with x_q2.
    wire [ADDR_W-1:0]      addr;
    wire                   addr_last;
    wire [PE*SIMD*W_W-1:0] weights;
    wire                   unused = &{1'b0, addr_last};

    hwa_loop #(.COUNT(WORDS)) count (
        .clk   (clk),
        .rst   (rst),
        .step  (in_valid),
        .index (addr),
        .last  (addr_last)
    );

    hwa_rom #(.WIDTH(PE * SIMD * W_W), .DEPTH(WORDS), .INIT(WEIGHTS)) rom (
        .clk  (clk),
        .addr (addr),
        .data (weights)
    );

    reg [SIMD*X_W-1:0] x_q, x_q2;

    always @(posedge clk) begin
        x_q  <= in_data;
        x_q2 <= x_q;
    end

    // The sum of products of each output lane, less what the carries add to it.
    wire [PE*SUM_W-1:0] sums;
    wire [PE-1:0]       sum_carries;

    genvar p, q, s;
    generate
        for (p = 0; p < PE; p = p + 1) begin : g_lane
            wire [SIMD*PRODUCT_W-1:0] products;
            wire [SIMD-1:0]           carries;

            hwa_sum_tree #(.COUNT(SIMD), .IN_W(PRODUCT_W)) tree (
                .clk       (clk),
                .in_data   (products),
                .in_carry  (carries),
                .sum       (sums[p*SUM_W +: SUM_W]),
                .sum_carry (sum_carries[p])
            );
        end
    endgenerate

    // The products, those of PACK output lanes from one multiplier; the last ones may be fewer.
    generate
        for (q = 0; q < PE; q = q + SHARED) begin : g_pack
            localparam integer COUNT = (PE - q < SHARED) ? PE - q : SHARED;
            localparam integer PACKED_W = (COUNT - 1) * FIELD_W + W_W;

            for (s = 0; s < SIMD; s = s + 1) begin : g_input
                wire signed [XS_W-1:0]          x;
                wire signed [PACKED_W-1:0]      w;
                reg  signed [XS_W+PACKED_W-1:0] product_q;

                if (X_SIGNED != 0) begin : g_signed
                    assign x = x_q2[s*X_W +: X_W];
                end else begin : g_unsigned
                    assign x = {1'b0, x_q2[s*X_W +: X_W]};
                end

                always @(posedge clk) product_q <= x * w;

                for (p = 0; p < COUNT; p = p + 1) begin : g_part
                    wire [W_W-1:0]       weight = weights[((q+p)*SIMD+s)*W_W +: W_W];
                    wire [PRODUCT_W-1:0] part;

                    assign g_lane[q+p].products[s*PRODUCT_W +: PRODUCT_W] = part;

                    if (p == COUNT - 1) begin : g_top
                        assign w[p*FIELD_W +: W_W] = weight;
                        assign part = product_q[p*FIELD_W +: PRODUCT_W];
                    end else begin : g_below
                        wire [FIELD_W-1:0] field = product_q[p*FIELD_W +: FIELD_W];
                        wire [FIELD_W:0]   wide = {field[FIELD_W-1], field};
                        wire               unused_wide = &{1'b0, wide[FIELD_W]};

                        assign w[p*FIELD_W +: FIELD_W] = {{X_W{weight[W_W-1]}}, weight};
                        assign part = wide[PRODUCT_W-1:0];
                    end

                    if (p == 0) begin : g_exact
                        assign g_lane[q+p].carries[s] = 1'b0;
                    end else begin : g_carry
                        assign g_lane[q+p].carries[s] = product_q[p*FIELD_W-1];
                    end
                end
            end
        end
    endgenerate

    // The last products of a reduction are there in the cycle behind this one.
    wire ends = valid_q[SUM_DELAY-2] && last_q[SUM_DELAY-2];

    hwa_accumulate #(
        .LANES(PE), .IN_W(SUM_W), .ACC_W(ACC_W), .OUT_W(OUT_W), .SHIFT_W(SHIFT_W), .BIAS_W(BIAS_W),
        .CHANNEL_WORDS(CHANNEL_WORDS), .CHANNELS(CHANNELS)
    ) accumulate (
        .clk       (clk),
        .rst       (rst),
        .in_valid  (valid_q[SUM_DELAY-1]),
        .in_first  (first_q[SUM_DELAY-1]),
        .in_last   (last_q[SUM_DELAY-1]),
        .in_ends   (ends),
        .in_data   (sums),
        .in_carry  (sum_carries),
        .out_valid (out_valid),
        .out_data  (out_data)
    );

`ifdef HWA_FORMAL
    // What comes out is proved by parts: here the products, what they are multiplied with, and when
    // they are added up; the adders in their own modules. The ROM may hold anything.
    localparam integer F_W = XS_W + W_W + 2;

    reg  [SUM_DELAY:0]       f_valid_q, f_first_q, f_last_q;
    reg  [ADDR_W-1:0]  f_beats_q;
    reg                f_ends_q;
    reg  [SIMD*X_W-1:0]     f_x_q, f_x_q2;
    wire [PE*SIMD-1:0] f_right;
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
            f_valid_q <= {SUM_DELAY + 1{1'b0}};
            f_beats_q <= {ADDR_W{1'b0}};
            f_ends_q  <= 1'b0;
        end
    end

    generate
        for (p = 0; p < PE; p = p + 1) begin : g_spec
            for (s = 0; s < SIMD; s = s + 1) begin : g_term
                wire signed [XS_W-1:0] x = {(X_SIGNED == 0) ? 1'b0 : x_q2[s*X_W+X_W-1],
                                            x_q2[s*X_W +: X_W]};
                wire signed [W_W-1:0]  w = weights[(p*SIMD+s)*W_W +: W_W];
                // The word holds 1 less where the lane below, of the same multiplier, is negative.
                wire                   borrow = p % SHARED != 0
                    && weights[((p > 0 ? p - 1 : 0)*SIMD+s)*W_W+W_W-1];
                reg  signed [F_W-1:0]  product_q;
                wire signed [PRODUCT_W-1:0] part = g_lane[p].products[s*PRODUCT_W +: PRODUCT_W];

                always @(posedge clk) product_q <= x * (w + $signed({1'b0, borrow}));

                assign f_right[p*SIMD+s] =
                    part + $signed({1'b0, g_lane[p].carries[s]}) == product_q;
            end
        end
    endgenerate

    initial assume (rst);
    always @* if (f_age_q == 2'd3) begin
        p_input: assert (x_q2 == f_x_q2);
        p_value: assert (&f_right);
    end
    always @* if (!rst) begin
        p_word: assert (addr == f_beats_q && f_beats_q < WORDS);
        p_valid: assert (valid_q[SUM_DELAY-1] == f_valid_q[SUM_DELAY-1]);
        if (valid_q[SUM_DELAY-1])
            p_frame: assert (first_q[SUM_DELAY-1] == f_first_q[SUM_DELAY-1]
                          && last_q[SUM_DELAY-1] == f_last_q[SUM_DELAY-1]);

        // What hwa_accumulate takes for granted of in_ends.
        assert (f_ends_q == (valid_q[SUM_DELAY-1] && last_q[SUM_DELAY-1]));

        c_value: cover (f_valid_q[SUM_DELAY] && valid_q[SUM_DELAY-1] && sums != 0);
    end
`endif
`ifdef HWA_FORMAL_SLICES
    // Which input meets which weight shows for inputs of 0 and 1, too.
    generate
        for (s = 0; s < SIMD; s = s + 1) begin : g_slice
            always @* assume (in_data[s*X_W +: X_W] <= 1);
        end
    endgenerate
`endif

endmodule

`resetall
