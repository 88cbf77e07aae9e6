// hwa_table: table pipe, any function of one value.
//
//   function  out[l] = TABLE[in[l] - LO]                          l = 0 .. LANES-1
//   order     lane 0 in the low bits
//   latency   3
//   interval  1
//   tlast     none: every beat is on its own
//   must not  see a value outside LO .. LO+WORDS-1

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_table #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one input lane in bits, at least as many as count WORDS things.
    parameter integer IN_W = 8,
    // The smallest input, word 0 of the table.
    parameter signed [63:0] LO = -64'sd128,
    // Words in the table.
    parameter integer WORDS = 256,
    // Width of one output lane in bits.
    parameter integer OUT_W = 8,
    // Name of the hex file of WORDS values.
    parameter TABLE = ""
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*IN_W-1:0]  in_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    // Modulo a power of two, so neither the sign of the input nor the high bits of LO matter.
    localparam integer ADDR_W = (WORDS > 1) ? $clog2(WORDS) : 1;

    initial begin
        if (LANES < 1 || IN_W < ADDR_W || WORDS < 1 || OUT_W < 1) begin
            $display("hwa: %m: LANES=%0d IN_W=%0d WORDS=%0d OUT_W=%0d, must be 1 or more%s",
                     LANES, IN_W, WORDS, OUT_W, ", and IN_W enough to count WORDS things");
            $finish;
        end
    end

    reg [2:0] valid_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[1:0], in_valid};
        if (rst) valid_q <= 3'b000;
    end

    assign out_valid = valid_q[2];

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire [IN_W-1:0]   x = in_data[l*IN_W +: IN_W];
            reg  [ADDR_W-1:0] addr_q;
            wire              unused = &{1'b0, x};

            if (WORDS > 1) begin : g_many
                always @(posedge clk) addr_q <= x[ADDR_W-1:0] - LO[ADDR_W-1:0];
            end else begin : g_one
                always @(posedge clk) addr_q <= {ADDR_W{1'b0}};
            end

            hwa_rom #(
                .WIDTH     (OUT_W),
                .DEPTH     (WORDS),
                .INIT      (TABLE)
            ) rom (
                .clk  (clk),
                .addr (addr_q),
                .data (out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate

endmodule

`resetall
