// Multiply-accumulate: adds x times the next weight of the ROM every cycle; rst starts anew.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module mac #(
    // Input and weight width in bits.
    parameter integer WIDTH = 8,
    // Number of weights, a power of two.
    parameter integer DEPTH = 16
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire signed [WIDTH-1:0]  x,
    output wire signed [2*WIDTH+7:0] y
);

    reg signed [WIDTH-1:0]   rom [0:DEPTH-1];
    reg [$clog2(DEPTH)-1:0]  addr_q;
    reg signed [WIDTH-1:0]   weight_q;
    reg signed [WIDTH-1:0]   x_q;
    reg                      first_q;
    wire signed [2*WIDTH+7:0] product = x_q * weight_q;
    reg signed [2*WIDTH+7:0] sum_q;

    initial $readmemh("mac.mem", rom);

    initial if (WIDTH < 2) begin
        $display("hwa: %m: WIDTH=%0d, must be 2 or more", WIDTH);
        $finish;
    end

    always @(posedge clk) begin
        weight_q <= rom[addr_q];
        x_q <= x;
        first_q <= rst;
        sum_q <= first_q ? product : sum_q + product;
        addr_q <= addr_q + 1'b1;
        if (rst) addr_q <= {$clog2(DEPTH){1'b0}};
    end

    assign y = sum_q;

endmodule

`resetall
