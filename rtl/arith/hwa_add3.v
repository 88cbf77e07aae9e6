// hwa_add3: three numbers added or subtracted, on one carry chain where the family can.
//
//   function  y = a + b + c, a + b - c or a - b - c, modulo 2^WIDTH
//   order     none: whoever instantiates it shifts and extends the operands
//   latency   0
//   interval  1
//   tlast     none: there is no valid either
//   must not  nothing: any data is good
//
// A LUT with six inputs adds three bits into two in front of the carry chain of Xilinx devices:
// Vivado infers that from this text, for Yosys see templates/synth/add3_xilinx.v.j2.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_add3 #(
    // Width of the operands and of the result in bits.
    parameter integer WIDTH = 8,
    // How many of the last operands are subtracted: 0, 1 (c) or 2 (b and c).
    parameter integer SUBTRACT = 0
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    output wire [WIDTH-1:0] y
);

    initial begin
        if (WIDTH < 1 || SUBTRACT < 0 || SUBTRACT > 2) begin
            $display("hwa: %m: WIDTH=%0d SUBTRACT=%0d, must be 1 or more, and 0 to 2",
                     WIDTH, SUBTRACT);
            $finish;
        end
    end

    generate
        if (SUBTRACT == 0) begin : g_none
            assign y = a + b + c;
        end else if (SUBTRACT == 1) begin : g_one
            assign y = a + b - c;
        end else begin : g_two
            assign y = a - b - c;
        end
    endgenerate

endmodule

`resetall
