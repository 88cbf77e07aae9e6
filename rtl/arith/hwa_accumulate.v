// hwa_accumulate: adds up reductions, then shifts the sum and adds a bias by channel.
//
//   function  out[p] = ((sum over beats first..last of (in[p] + in_carry[p])) << shift[p])
//                    + bias[p]
//             for p = 0 .. LANES-1, all signed but the shift. Sums modulo 2^ACC_W, results modulo
//             2^OUT_W: the compiler picks widths that hold every value that can occur.
//   order     lane 0 in the low bits. Channel ROM word k serves the k-th output beat after
//             reset, counted modulo CHANNEL_WORDS; lane p of it is {shift, bias}. A field of
//             width 0 is not there and counts as zero; without any there is no ROM.
//   latency   2 from the beat with in_last to out_valid, with or without fields
//   interval  1; cycles without in_valid change nothing
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first (it would add to the sum before it); raise
//             in_ends in any cycle but the one before in_valid && in_last

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_accumulate #(
    // Sums kept side by side.
    parameter integer LANES = 1,
    // Width of one input lane in bits.
    parameter integer IN_W = 16,
    // Width of one accumulator in bits.
    parameter integer ACC_W = 24,
    // Width of one output lane in bits.
    parameter integer OUT_W = 25,
    // Width of the shift field in bits, 0 for none, at most 8.
    parameter integer SHIFT_W = 0,
    // Width of the bias field in bits, 0 for none.
    parameter integer BIAS_W = 0,
    // Words in the channel ROM.
    parameter integer CHANNEL_WORDS = 1,
    // Hex file of the channel ROM, not read without fields.
    parameter CHANNELS = ""
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire                   in_first,
    input  wire                   in_last,
    // High in the cycle before the last beat of a reduction comes.
    input  wire                   in_ends,
    input  wire [LANES*IN_W-1:0]  in_data,
    input  wire [LANES-1:0]       in_carry,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    localparam integer FIELD_W = SHIFT_W + BIAS_W;
    localparam integer CHANNEL_W = (FIELD_W > 0) ? LANES * FIELD_W : 1;
    localparam integer ADDR_W = (CHANNEL_WORDS > 1) ? $clog2(CHANNEL_WORDS) : 1;

    initial begin
        if (LANES < 1 || IN_W < 1 || ACC_W < 1 || OUT_W < 1 || CHANNEL_WORDS < 1) begin
            $display("hwa: %m: LANES=%0d IN_W=%0d ACC_W=%0d OUT_W=%0d CHANNEL_WORDS=%0d, %0s",
                     LANES, IN_W, ACC_W, OUT_W, CHANNEL_WORDS, "must be 1 or more");
            $finish;
        end
        if (SHIFT_W < 0 || SHIFT_W > 8) begin
            $display("hwa: %m: SHIFT_W=%0d, must be 0 to 8", SHIFT_W);
            $finish;
        end
        if (BIAS_W < 0) begin
            $display("hwa: %m: BIAS_W=%0d, must be 0 or more", BIAS_W);
            $finish;
        end
    end

    // Control: the sum is complete in the cycle after `in_last`, the result in the one after.
    reg complete_q;
    reg out_valid_q;

    always @(posedge clk) begin
        complete_q  <= in_valid && in_last;
        out_valid_q <= complete_q;
        if (rst) begin
            complete_q  <= 1'b0;
            out_valid_q <= 1'b0;
        end
    end

    assign out_valid = out_valid_q;

    // Channel ROM: read one cycle before the last beat is added, so its word is there with the sum.
    wire [CHANNEL_W-1:0] channel;

    generate
        if (FIELD_W > 0) begin : g_fields
            wire [ADDR_W-1:0] addr;
            wire              addr_last;
            wire              unused = &{1'b0, addr_last};

            hwa_loop #(.COUNT(CHANNEL_WORDS)) count (
                .clk   (clk),
                .rst   (rst),
                .step  (in_ends),
                .index (addr),
                .last  (addr_last)
            );

            hwa_rom #(.WIDTH(CHANNEL_W), .DEPTH(CHANNEL_WORDS), .INIT(CHANNELS)) rom (
                .clk  (clk),
                .addr (addr),
                .data (channel)
            );
        end else begin : g_no_fields
            wire unused = &{1'b0, channel, in_ends};

            assign channel = 1'b0;
        end
    endgenerate

    genvar p;
    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_lane
            // Widened first, so that both longer and shorter targets are plain slices.
            wire [IN_W-1:0]        x = in_data[p*IN_W +: IN_W];
            wire [IN_W+ACC_W-1:0]  x_wide = {{ACC_W{x[IN_W-1]}}, x};
            reg  [ACC_W-1:0]       sum_q;
            // The low bit turns in_carry into the carry of the one adder.
            wire [ACC_W:0]         sum_d = {in_first ? {ACC_W{1'b0}} : sum_q, 1'b1}
                                         + {x_wide[ACC_W-1:0], in_carry[p]};
            wire [ACC_W+OUT_W-1:0] sum_wide = {{OUT_W{sum_q[ACC_W-1]}}, sum_q};
            wire [OUT_W-1:0]       shifted;
            wire [OUT_W-1:0]       biased;
            reg  [OUT_W-1:0]       out_q;
            wire                   unused = &{1'b0, x_wide[ACC_W +: IN_W],
                                              sum_wide[OUT_W +: ACC_W], sum_d[0]};

            if (SHIFT_W > 0) begin : g_shift
                assign shifted = sum_wide[OUT_W-1:0] << channel[p*FIELD_W+BIAS_W +: SHIFT_W];
            end else begin : g_no_shift
                assign shifted = sum_wide[OUT_W-1:0];
            end

            if (BIAS_W > 0) begin : g_bias
                wire [BIAS_W-1:0]       b = channel[p*FIELD_W +: BIAS_W];
                wire [BIAS_W+OUT_W-1:0] b_wide = {{OUT_W{b[BIAS_W-1]}}, b};
                wire                    unused_b = &{1'b0, b_wide[OUT_W +: BIAS_W]};

                assign biased = shifted + b_wide[OUT_W-1:0];
            end else begin : g_no_bias
                assign biased = shifted;
            end

            always @(posedge clk) begin
                if (in_valid) sum_q <= sum_d[ACC_W:1];
                out_q <= biased;
            end

            assign out_data[p*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // Integers wide enough for a result; the sum is kept modulo 2^ACC_W.
    localparam integer F_W = IN_W + ACC_W + OUT_W + BIAS_W;

    // A reduction is open: it began since the last reset. One was complete in the cycle before.
    reg                    f_open_q, f_complete_q, f_ends_q;
    reg  [LANES*ACC_W-1:0] f_run_q;
    reg  [ADDR_W-1:0]      f_ended_q;
    wire [LANES*ACC_W-1:0] f_sum;

    always @(posedge clk) begin
        if (in_valid) begin
            f_open_q <= !in_last;
            f_run_q  <= f_sum;
        end
        f_complete_q <= in_valid && in_last;
        f_ends_q     <= in_ends;
        if (in_ends) f_ended_q <= (f_ended_q + 1) % CHANNEL_WORDS;
        if (rst) begin
            f_open_q     <= 1'b0;
            f_complete_q <= 1'b0;
            f_ends_q     <= 1'b0;
            f_ended_q    <= {ADDR_W{1'b0}};
        end
    end

    always @* assume (!in_valid || in_first || f_open_q);
    always @* assume (rst || f_ends_q == (in_valid && in_last));

    generate
        for (p = 0; p < LANES; p = p + 1) begin : g_spec
            wire signed [IN_W-1:0]  x   = in_data[p*IN_W +: IN_W];
            wire signed [ACC_W-1:0] run = f_run_q[p*ACC_W +: ACC_W];
            wire signed [F_W-1:0]   x_int   = x;
            wire signed [F_W-1:0]   run_int = run;
            wire signed [F_W-1:0]   sum_int = (in_first ? 0 : run_int) + x_int
                                            + $signed({1'b0, in_carry[p]});
            wire signed [F_W-1:0]   shifted, y;

            assign f_sum[p*ACC_W +: ACC_W] = sum_int[ACC_W-1:0];

            if (SHIFT_W > 0) begin : g_spec_shift
                assign shifted = run_int <<< channel[p*FIELD_W+BIAS_W +: SHIFT_W];
            end else begin : g_spec_plain
                assign shifted = run_int;
            end
            if (BIAS_W > 0) begin : g_spec_bias
                wire signed [BIAS_W-1:0] bias = channel[p*FIELD_W +: BIAS_W];
                assign y = shifted + bias;
            end else begin : g_spec_none
                assign y = shifted;
            end

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(f_complete_q), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[p*OUT_W +: OUT_W])
            );

            // Helper: the sum so far.
            always @* if (!rst && (f_open_q || f_complete_q))
                assert (g_lane[p].sum_q == run);
        end
        if (FIELD_W > 0) begin : g_spec_word
            // The k-th result since reset asks for word k, modulo their number.
            always @* if (!rst)
                p_word: assert (g_fields.addr == f_ended_q && f_ended_q < CHANNEL_WORDS);
        end
    endgenerate
`endif

endmodule

`resetall
