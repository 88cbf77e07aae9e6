// Accumulator with a shift and a bias per channel: the tail of a multiply-accumulate pipe.
//
//   out[p] = ((sum over beats first..last of in[p]) << shift[p]) + bias[p]      p = 0 .. LANES-1
//
// All signed. The sum is exact modulo 2^ACC_W and the result modulo 2^OUT_W: the compiler picks
// widths that hold every value that can occur. A beat without `in_valid` changes nothing; a
// reduction that did not begin with `in_first` adds to the sum before it.
//
// Lane 0 is in the low bits. Latency 2 from the beat with `in_last` to `out_valid`, one beat a
// cycle. Channel ROM word k serves the k-th output beat after reset, counted modulo
// CHANNEL_WORDS; lane p of it is {shift, bias}, the shift unsigned, the bias signed. A field of
// width 0 is not there and counts as zero; without both there is no ROM.

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
    input  wire [LANES*IN_W-1:0]  in_data,
    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    localparam integer FIELD_W = SHIFT_W + BIAS_W;
    localparam integer ADDR_W = (CHANNEL_WORDS > 1) ? $clog2(CHANNEL_WORDS) : 1;
    localparam BAD = (LANES < 1) || (IN_W < 1) || (ACC_W < 1) || (OUT_W < 1) || (SHIFT_W < 0)
        || (SHIFT_W > 8) || (BIAS_W < 0) || (CHANNEL_WORDS < 1);

    initial if (BAD) begin
        $display("hwa: %m: LANES=%0d IN_W=%0d ACC_W=%0d OUT_W=%0d CHANNEL_WORDS=%0d, %0s",
            LANES, IN_W, ACC_W, OUT_W, CHANNEL_WORDS, "must be 1 or more");
        $display("hwa: %m: SHIFT_W=%0d BIAS_W=%0d, must be 0 to 8, 0 or more", SHIFT_W, BIAS_W);
        $finish;
    end

    // Control: the sum is complete in the cycle after `in_last`, the result in the one after.
    reg complete_q;
    reg out_valid_q;

    always @(posedge clk) begin
        complete_q <= in_valid && in_last;
        out_valid_q <= complete_q;

        if (rst) begin
            complete_q <= 1'b0;
            out_valid_q <= 1'b0;
        end
    end

    assign out_valid = out_valid_q;

    // Channel ROM: read while the last beat is added, so its word is there with the sum.
    wire [LANES*(FIELD_W+1)-1:0] channel;

    generate
        if (FIELD_W > 0) begin : fields
            wire [ADDR_W-1:0]        addr;
            wire                     addr_last;
            wire [LANES*FIELD_W-1:0] word;
            wire                     unused = &{1'b0, addr_last};

            hwa_loop #(
                .COUNT(CHANNEL_WORDS)
            ) hwa_loop_inst (
                .clk(clk),
                .rst(rst),
                .step(in_valid && in_last),
                .index(addr),
                .last(addr_last)
            );

            hwa_rom #(
                .WIDTH(LANES * FIELD_W),
                .DEPTH(CHANNEL_WORDS),
                .INIT(CHANNELS)
            ) hwa_rom_inst (
                .clk(clk),
                .addr(addr),
                .data(word)
            );

            // One bit of room above the fields, so that a field of width 0 has a place.
            assign channel = {{LANES{1'b0}}, word};
        end else begin : no_fields
            assign channel = {LANES{1'b0}};
        end
    endgenerate

    wire unused_room = &{1'b0, channel[LANES*FIELD_W +: LANES]};

    genvar p;
    generate
        for (p = 0; p < LANES; p = p + 1) begin : lane
            // Widened first, so that both longer and shorter targets are plain slices.
            wire [IN_W-1:0]        x = in_data[p*IN_W +: IN_W];
            wire [IN_W+ACC_W-1:0]  x_wide = {{ACC_W{x[IN_W-1]}}, x};
            reg  [ACC_W-1:0]       sum_q;
            wire [ACC_W+OUT_W-1:0] sum_wide = {{OUT_W{sum_q[ACC_W-1]}}, sum_q};
            wire [OUT_W-1:0]       shifted;
            wire [OUT_W-1:0]       biased;
            reg  [OUT_W-1:0]       out_q;
            wire                   unused = &{1'b0, x_wide[ACC_W +: IN_W],
                                              sum_wide[OUT_W +: ACC_W]};

            if (SHIFT_W > 0) begin : shift
                assign shifted = sum_wide[OUT_W-1:0] << channel[p*FIELD_W+BIAS_W +: SHIFT_W];
            end else begin : no_shift
                assign shifted = sum_wide[OUT_W-1:0];
            end

            if (BIAS_W > 0) begin : bias
                wire [BIAS_W-1:0]       b = channel[p*FIELD_W +: BIAS_W];
                wire [BIAS_W+OUT_W-1:0] b_wide = {{OUT_W{b[BIAS_W-1]}}, b};
                wire                    unused_b = &{1'b0, b_wide[OUT_W +: BIAS_W]};

                assign biased = shifted + b_wide[OUT_W-1:0];
            end else begin : no_bias
                assign biased = shifted;
            end

            always @(posedge clk) begin
                if (in_valid)
                    sum_q <= (in_first ? {ACC_W{1'b0}} : sum_q) + x_wide[ACC_W-1:0];
                out_q <= biased;
            end

            assign out_data[p*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

endmodule

`resetall
