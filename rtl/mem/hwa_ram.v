// hwa_ram: a memory with a port to write and a port to read; an ASIC puts its macro here.
//
//   function  read_data = the word that was last written at read_addr
//   order     words are written and read in any order
//   latency   1: read_en and read_addr in cycle t, read_data in cycle t + 1; it stays until the
//             next read_en
//   interval  1: a word written and a word read every cycle
//   tlast     none: this is not a stream
//   must not  address DEPTH or more. What comes of a word that was never written, or that is
//             written in the same cycle, is any word: no module uses it.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_ram #(
    // Word width in bits.
    parameter integer WIDTH = 8,
    // Number of words, 1 or more.
    parameter integer DEPTH = 16
) (
    input  wire                                         clk,

    input  wire                                         write_en,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] write_addr,
    input  wire [WIDTH-1:0]                             write_data,

    input  wire                                         read_en,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] read_addr,
`ifdef HWA_FORMAL
    // For proofs: what is stored at f_addr now.
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] f_addr,
    output wire [WIDTH-1:0]                             f_data,
`endif
    output wire [WIDTH-1:0]                             read_data
);

    initial begin
        if (WIDTH < 1) begin
            $display("hwa: %m: WIDTH=%0d, must be 1 or more", WIDTH);
            $finish;
        end
        if (DEPTH < 1) begin
            $display("hwa: %m: DEPTH=%0d, must be 1 or more", DEPTH);
            $finish;
        end
    end

    // Nobody uses what a read meets a write with, so Yosys need not care for that case.
    (* no_rw_check *)
    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [WIDTH-1:0] data_q;

    always @(posedge clk) begin
        if (write_en) mem[write_addr] <= write_data;
        if (read_en) data_q <= mem[read_addr];
    end

    assign read_data = data_q;

`ifdef HWA_FORMAL
    assign f_data = mem[f_addr];

    // The solver picks an address: f_word_q is what was last written there, f_due_q what is due.
    (* anyconst *) reg [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] f_place;
    reg [WIDTH-1:0] f_word_q, f_due_q;
    reg             f_written_q = 1'b0;
    reg             f_known_q   = 1'b0;
    // Every address to write to so far was one.
    reg             f_legal_q   = 1'b1;

    always @(posedge clk) begin
        if (write_en && write_addr == f_place) begin
            f_word_q    <= write_data;
            f_written_q <= 1'b1;
        end
        if (write_en && write_addr >= DEPTH) f_legal_q <= 1'b0;
        if (read_en) begin
            f_due_q   <= f_word_q;
            f_known_q <= f_written_q && read_addr == f_place
                         && !(write_en && write_addr == f_place);
        end
    end

    always @* begin
        assume (f_place < DEPTH);
        if (f_known_q && f_legal_q) p_value: assert (read_data == f_due_q);
        // Helper: the memory holds it.
        if (f_written_q && f_legal_q) assert (mem[f_place] == f_word_q);
    end
`endif

endmodule

`resetall
