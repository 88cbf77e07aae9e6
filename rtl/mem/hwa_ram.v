// hwa_ram: a memory with one write port and one read port.
//
//   function  read_data = the word last written at read_addr
//   order     any: both sides give an address
//   latency   1: read in cycle t, read_data in cycle t + 1; it stays until the next read.
//             A write in cycle t is seen by a read in cycle t + 1.
//   interval  1: one write and one read in every cycle
//   tlast     none: this is not a stream
//   must not  write and read one address in one cycle (the word read is then undefined)

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_ram #(
    // Word width in bits.
    parameter integer WIDTH = 8,
    // Number of words, 2 or more.
    parameter integer DEPTH = 16
) (
    input  wire                     clk,

    input  wire                     write,
    input  wire [$clog2(DEPTH)-1:0] write_addr,
    input  wire [WIDTH-1:0]         write_data,

    input  wire                     read,
    input  wire [$clog2(DEPTH)-1:0] read_addr,
    output wire [WIDTH-1:0]         read_data
);

    initial begin
        if (WIDTH < 1) begin
            $display("hwa: %m: WIDTH=%0d, must be 1 or more", WIDTH);
            $finish;
        end
        if (DEPTH < 2) begin
            $display("hwa: %m: DEPTH=%0d, must be 2 or more", DEPTH);
            $finish;
        end
    end

    // The two ports never meet at one address, so Yosys need not build the logic for that case.
    (* no_rw_check *)
    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [WIDTH-1:0] read_data_q;

    always @(posedge clk) begin
        if (write) mem[write_addr] <= write_data;
        if (read) read_data_q <= mem[read_addr];
    end

    assign read_data = read_data_q;

endmodule

`resetall
