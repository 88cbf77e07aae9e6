// hwa_chansum: sums of neighbouring lanes; PE sums side by side, SIMD numbers of each per beat.
//
//   function  out[p] = sum over beats first..last and over s of in[p*SIMD + s]
//                                                 p = 0 .. PE-1, s = 0 .. SIMD-1
//             signed or not by IN_SIGNED, in and out; sums modulo 2^OUT_W
//   order     lane 0 in the low bits
//   latency   1 + clog2(SIMD) from the beat with in_last to out_valid: one adder level a cycle,
//             then the accumulator
//   interval  1; gaps anywhere
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first; exceed OUT_W bits in any result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_chansum #(
    // Output lanes: sums computed side by side.
    parameter integer PE = 1,
    // Input lanes added up per beat and output lane.
    parameter integer SIMD = 2,
    // Width of one input lane in bits.
    parameter integer IN_W = 8,
    // 1 if the input is signed.
    parameter integer IN_SIGNED = 1,
    // Width of one output lane in bits.
    parameter integer OUT_W = 12
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    in_valid,
    input  wire                    in_first,
    input  wire                    in_last,
    input  wire [PE*SIMD*IN_W-1:0] in_data,

    output wire                    out_valid,
    output wire [PE*OUT_W-1:0]     out_data
);

    localparam integer LEVELS = $clog2(SIMD);
    localparam integer XS_W = (IN_SIGNED != 0) ? IN_W : IN_W + 1;
    localparam integer SUM_W = XS_W + LEVELS;

    initial begin
        if (PE < 1 || SIMD < 1 || IN_W < 1 || OUT_W < 1) begin
            $display("hwa: %m: PE=%0d SIMD=%0d IN_W=%0d OUT_W=%0d, must be 1 or more",
                     PE, SIMD, IN_W, OUT_W);
            $finish;
        end
    end

    // Control travels beside the adder tree: bit k is the beat of k cycles ago.
    wire [LEVELS:0] valid;
    wire [LEVELS:0] first;
    wire [LEVELS:0] last;

    assign valid[0] = in_valid;
    assign first[0] = in_first;
    assign last[0]  = in_last;

    genvar n;
    generate
        for (n = 1; n <= LEVELS; n = n + 1) begin : g_level
            reg valid_q;
            reg first_q;
            reg last_q;

            always @(posedge clk) begin
                valid_q <= valid[n-1];
                first_q <= first[n-1];
                last_q  <= last[n-1];
                if (rst) valid_q <= 1'b0;
            end

            assign valid[n] = valid_q;
            assign first[n] = first_q;
            assign last[n]  = last_q;
        end
    endgenerate

    reg out_valid_q;

    always @(posedge clk) begin
        out_valid_q <= valid[LEVELS] && last[LEVELS];
        if (rst) out_valid_q <= 1'b0;
    end

    assign out_valid = out_valid_q;

    genvar p, s;
    generate
        for (p = 0; p < PE; p = p + 1) begin : g_lane
            wire [SIMD*XS_W-1:0]   numbers;
            wire [SIMD-1:0]        carries;
            wire [SUM_W-1:0]       sum;
            wire                   sum_carry;
            // Widened first, so that both longer and shorter results are plain slices.
            wire [SUM_W+OUT_W-1:0] sum_wide = {{OUT_W{sum[SUM_W-1]}}, sum};
            reg  [OUT_W-1:0]       total_q;
            wire                   unused = &{1'b0, sum_carry, sum_wide[OUT_W +: SUM_W]};

            for (s = 0; s < SIMD; s = s + 1) begin : g_input
                assign carries[s] = 1'b0;

                if (IN_SIGNED != 0) begin : g_signed
                    assign numbers[s*XS_W +: XS_W] = in_data[(p*SIMD+s)*IN_W +: IN_W];
                end else begin : g_unsigned
                    assign numbers[s*XS_W +: XS_W] = {1'b0, in_data[(p*SIMD+s)*IN_W +: IN_W]};
                end
            end

            hwa_sum_tree #(.COUNT(SIMD), .IN_W(XS_W)) tree (
                .clk       (clk),
                .in_data   (numbers),
                .in_carry  (carries),
                .sum       (sum),
                .sum_carry (sum_carry)
            );

            always @(posedge clk)
                if (valid[LEVELS])
                    total_q <= (first[LEVELS] ? {OUT_W{1'b0}} : total_q) + sum_wide[OUT_W-1:0];

            assign out_data[p*OUT_W +: OUT_W] = total_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // By parts: what the adder trees get, here; what they make of it, in their own module; and what
    // is added up over the beats, here.
    reg  [LEVELS:0]         f_valid_q, f_first_q, f_last_q;
    wire [LEVELS+1:0]       f_valids = {f_valid_q, in_valid};
    wire [LEVELS+1:0]       f_firsts = {f_first_q, in_first};
    wire [LEVELS+1:0]       f_lasts  = {f_last_q, in_last};
    wire                    f_valid  = f_valids[LEVELS];
    wire                    f_first  = f_firsts[LEVELS];
    wire                    f_last   = f_lasts[LEVELS];
    wire [PE*SIMD-1:0]      f_right;
    wire [PE*OUT_W-1:0]     f_spec;
    reg                     f_open_q;
    reg  [PE*OUT_W-1:0]     f_run_q;

    always @(posedge clk) begin
        f_valid_q <= f_valids[LEVELS:0];
        f_first_q <= f_firsts[LEVELS:0];
        f_last_q  <= f_lasts[LEVELS:0];
        if (f_valid) begin
            f_open_q <= !f_last;
            f_run_q  <= f_spec;
        end
        if (rst) begin
            f_valid_q <= {LEVELS+1{1'b0}};
            f_open_q  <= 1'b0;
        end
    end

    // Of the input, seen a few cycles later.
    always @* assume (!f_valid || f_first || f_open_q);

    generate
        for (p = 0; p < PE; p = p + 1) begin : g_spec
            wire signed [SUM_W-1:0]       sum = g_lane[p].sum;
            wire signed [SUM_W+OUT_W-1:0] sum_int = sum;

            for (s = 0; s < SIMD; s = s + 1) begin : g_term
                wire signed [IN_W:0] x = {(IN_SIGNED != 0) && in_data[(p*SIMD+s)*IN_W+IN_W-1],
                                          in_data[(p*SIMD+s)*IN_W +: IN_W]};
                wire signed [XS_W-1:0] number = g_lane[p].numbers[s*XS_W +: XS_W];

                assign f_right[p*SIMD+s] = number == x && !g_lane[p].carries[s];
            end
            assign f_spec[p*OUT_W +: OUT_W] = sum_int[OUT_W-1:0]
                + (f_first ? {OUT_W{1'b0}} : f_run_q[p*OUT_W +: OUT_W]);

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(f_valid && f_last),
                .in_data(f_spec[p*OUT_W +: OUT_W]),
                .out_valid(out_valid), .out_data(out_data[p*OUT_W +: OUT_W])
            );
        end
    endgenerate

    always @* if (!rst) begin
        p_input: assert (&f_right);

        // Helpers: what is on its way, and the sum so far.
        assert (valid == f_valids[LEVELS:0]);
        assert ((valid & ((first ^ f_firsts[LEVELS:0]) | (last ^ f_lasts[LEVELS:0]))) == 0);
        if (f_open_q) assert (out_data == f_run_q);
    end
`endif

endmodule

`resetall
