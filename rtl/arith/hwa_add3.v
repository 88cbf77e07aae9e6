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

`ifdef HWA_FORMAL
    // What is subtracted stands on the other side of the equation instead.
    wire [WIDTH-1:0] f_zero  = {WIDTH{1'b0}};
    wire [WIDTH-1:0] f_left  = y + (SUBTRACT == 2 ? b : f_zero) + (SUBTRACT == 0 ? f_zero : c);
    wire [WIDTH-1:0] f_right = a + (SUBTRACT == 2 ? f_zero : b) + (SUBTRACT == 0 ? c : f_zero);

    always @* begin
        p_value: assert (f_left == f_right);

        c_value: cover (a != b && b != c && y != 0);
    end
`endif

endmodule

`resetall
