// Golden file of tests/emit/test_circuit.py; rewrite it with pytest --update-golden.

// circuit: a circuit, one wire per integer; y are elements of a tensor, t what leads there.
//
//   latency   2
//   interval  1
//   tlast     none: every beat is on its own

`resetall
`timescale 1ns / 1ps
`default_nettype none

module circuit (
    input  wire          clk,
    // synchronous, active high
    input  wire          rst,
    input  wire          in_valid,
    // x: 4 of 4 bits, signed, the first in the low bits
    input  wire [15:0]   x,
    output wire          out_valid,
    // y: 8 of 9 bits, signed, the first in the low bits
    output wire [71:0]   out_data
);

    reg [1:0] valid;

    always @(posedge clk) begin
        valid <= {valid[0], in_valid};
        if (rst) valid <= 2'd0;
    end

    // ------------------------------------------------------------------------------------------
    // inputs

    wire signed [3:0]  x0 = x[3:0];
    reg signed [3:0]   x0_d1;
    wire signed [3:0]  x1 = x[7:4];
    reg signed [3:0]   x1_d1;
    wire signed [3:0]  x2 = x[11:8];
    reg signed [3:0]   x2_d1;
    wire signed [3:0]  x3 = x[15:12];
    reg signed [3:0]   x3_d1;

    always @(posedge clk) begin
        x0_d1 <= x0;
        x1_d1 <= x1;
        x2_d1 <= x2;
        x3_d1 <= x3;
    end

    // ------------------------------------------------------------------------------------------
    // fc, from net.0

    wire signed [5:0]  fc_t0 = {{{2{x0[3]}}, x0[3:1]} + {x1[3], x1}, x0[0]};  // x0 + 2*x1
    wire signed [6:0]  fc_t1 = {{fc_t0[5], fc_t0[5:2]} - {x2[3], x2}, fc_t0[1:0]};  // fc_t0 - 4*x2
    wire signed [6:0]  fc_y0 = fc_t1 + 7'd5;  // fc_t1 + 5
    reg signed [6:0]   fc_y0_d1;
    wire signed [8:0]  fc_y1 = {fc_t0, 3'd0} - {{5{x3[3]}}, x3};  // 8*fc_t0 - x3
    reg signed [8:0]   fc_y1_d1;
    wire [2:0]         fc_t2 = x2[3] ? 3'd0 : x2[2:0];  // x2 clipped to 0..7
    wire signed [6:0]  fc_t3 = {x3, 3'd0};  // 8*x3
    wire signed [6:0]  fc_y2 = {fc_t3[6:3], fc_t2};  // fc_t2 + fc_t3
    reg signed [6:0]   fc_y2_d1;

    always @(posedge clk) begin
        fc_y0_d1 <= fc_y0;
        fc_y1_d1 <= fc_y1;
        fc_y2_d1 <= fc_y2;
    end

    // ------------------------------------------------------------------------------------------
    // act, from net.1

    // floor(fc_y0 / 4), even at a tie
    wire signed [4:0]  act_t0 = {fc_y0_d1[6:3], fc_y0_d1[2] & (|fc_y0_d1[1:0])};
    wire               act_y0_over = (|act_t0[4:3]) & ~(&act_t0[4:3]);
    // act_t0 clipped to -8..7
    wire signed [3:0]  act_y0 = act_y0_over ? {act_t0[4], {3{~act_t0[4]}}} : act_t0[3:0];
    reg signed [3:0]   act_y0_d1;
    wire               act_y1_over =
        ~fc_y1_d1[8] & ((|fc_y1_d1[7:6]) | (fc_y1_d1[5] & ((|fc_y1_d1[4:3]) | (fc_y1_d1[2] &
        fc_y1_d1[1]))));
    // fc_y1 clipped to 0..37
    wire [5:0]         act_y1 = fc_y1_d1[8] ? 6'd0 : act_y1_over ? 6'd37 : fc_y1_d1[5:0];
    reg [5:0]          act_y1_d1;
    // max(fc_y0, fc_y2)
    wire signed [6:0]  act_y2 =
        {fc_y2_d1[6], fc_y0_d1[5:0]} > {fc_y0_d1[6], fc_y2_d1[5:0]} ? fc_y0_d1 : fc_y2_d1;
    reg signed [6:0]   act_y2_d1;
    wire signed [3:0]  act_y3 = fc_y1_d1[3:0];  // fc_y1 modulo 16
    reg signed [3:0]   act_y3_d1;
    function [4:0] act_y4_table;
        input [3:0] index;
        case (index)
            4'd8: act_y4_table = 5'd16;
            4'd9: act_y4_table = 5'd12;
            4'd10: act_y4_table = 5'd9;
            4'd11: act_y4_table = 5'd6;
            4'd12: act_y4_table = 5'd4;
            4'd13: act_y4_table = 5'd2;
            4'd14: act_y4_table = 5'd1;
            4'd15: act_y4_table = 5'd0;
            4'd0: act_y4_table = 5'd0;
            4'd1: act_y4_table = 5'd0;
            4'd2: act_y4_table = 5'd1;
            4'd3: act_y4_table = 5'd2;
            4'd4: act_y4_table = 5'd4;
            4'd5: act_y4_table = 5'd6;
            4'd6: act_y4_table = 5'd9;
            4'd7: act_y4_table = 5'd12;
        endcase
    endfunction
    wire [4:0]         act_y4 = act_y4_table(x0_d1);  // table[x0]
    reg [4:0]          act_y4_d1;
    wire signed [7:0]  act_y5 = $signed(x1_d1) * $signed(x2_d1);  // x1 * x2
    reg signed [7:0]   act_y5_d1;
    // x0 where fc_y1 < 0, else fc_y2
    wire signed [6:0]  act_y6 = fc_y1_d1[8] ? {{3{x0_d1[3]}}, x0_d1} : fc_y2_d1;
    reg signed [6:0]   act_y6_d1;
    wire signed [7:0]  act_t1 = {{4{x3_d1[3]}}, x3_d1} - {fc_y2_d1[6], fc_y2_d1};  // x3 - fc_y2
    // x3 where act_t1 < 0, else fc_y2
    wire signed [6:0]  act_y7 = act_t1[7] ? {{3{x3_d1[3]}}, x3_d1} : fc_y2_d1;
    reg signed [6:0]   act_y7_d1;

    always @(posedge clk) begin
        act_y0_d1 <= act_y0;
        act_y1_d1 <= act_y1;
        act_y2_d1 <= act_y2;
        act_y3_d1 <= act_y3;
        act_y4_d1 <= act_y4;
        act_y5_d1 <= act_y5;
        act_y6_d1 <= act_y6;
        act_y7_d1 <= act_y7;
    end

    // ------------------------------------------------------------------------------------------
    // outputs

    assign out_valid = valid[1];
    assign out_data = {
        {{2{act_y7_d1[6]}}, act_y7_d1}, {{2{act_y6_d1[6]}}, act_y6_d1}, {act_y5_d1[7], act_y5_d1},
        {4'd0, act_y4_d1}, {{5{act_y3_d1[3]}}, act_y3_d1}, {{2{act_y2_d1[6]}}, act_y2_d1}, {3'd0,
        act_y1_d1}, {{5{act_y0_d1[3]}}, act_y0_d1}
    };

    wire unused = &{1'b0,
        fc_t3[2:0], act_t1[6:0]
    };

endmodule

`resetall
