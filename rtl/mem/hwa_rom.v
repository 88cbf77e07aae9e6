// hwa_rom: a read-only memory filled from a hex file.
//
//   function  data = word addr of the file INIT
//   order     line k of the file (`$readmemh`) is word k
//   latency   REGISTERS: addr in cycle t, data in cycle t + REGISTERS. The read is registered, so
//             block RAM fits; the second register, which is the default, keeps its slow output
//             (5.8 ns on ECP5) off the logic behind.
//   interval  1: a new word every cycle, no enable
//   tlast     none: this is not a stream
//   must not  addr >= DEPTH; INIT with more or fewer than DEPTH words

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_rom #(
    // Word width in bits.
    parameter integer WIDTH = 8,
    // Number of words, 1 or more.
    parameter integer DEPTH = 16,
    // Registers behind the memory, 1 or 2.
    parameter integer REGISTERS = 2,
    // Name of the hex file, one word a line; "" makes a blank memory (for lint only).
    parameter INIT = ""
) (
    input  wire                                         clk,
    input  wire [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1 : 0] addr,
    output wire [WIDTH-1:0]                             data
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
        if (REGISTERS < 1 || REGISTERS > 2) begin
            $display("hwa: %m: REGISTERS=%0d, must be 1 or 2", REGISTERS);
            $finish;
        end
    end

    reg [WIDTH-1:0] mem [0:DEPTH-1];
    reg [WIDTH-1:0] data_q;

    generate
        if (INIT != "") begin : g_init
            initial $readmemh(INIT, mem);
        end else begin : g_blank
            initial mem[0] = {WIDTH{1'b0}};
        end
    endgenerate

`ifdef HWA_FORMAL
    // Without a file any word may come at any time: what is proved then holds for all contents.
    (* anyseq *) reg [WIDTH-1:0] f_word;

    generate
        if (INIT != "") begin : g_read
            always @(posedge clk) data_q <= mem[addr];
        end else begin : g_any
            always @(posedge clk) data_q <= f_word;
        end
    endgenerate
`else
    always @(posedge clk) data_q <= mem[addr];
`endif

    generate
        if (REGISTERS == 2) begin : g_second
            reg [WIDTH-1:0] data_q2;

            always @(posedge clk) data_q2 <= data_q;

            assign data = data_q2;
        end else begin : g_first
            assign data = data_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    generate
        if (INIT != "") begin : g_spec
            reg [WIDTH-1:0] f_mem [0:DEPTH-1];
            initial $readmemh(INIT, f_mem);

            // What was asked for in the last two cycles, and whether it was a word at all.
            reg [2*WIDTH-1:0] f_data_q;
            reg [1:0]         f_known_q = 2'b00;

            always @(posedge clk) begin
                f_data_q  <= {f_data_q[WIDTH-1:0], f_mem[addr]};
                f_known_q <= {f_known_q[0], addr < DEPTH};
            end

            always @* if (f_known_q[REGISTERS-1])
                p_value: assert (data == f_data_q[(REGISTERS-1)*WIDTH +: WIDTH]);
        end
    endgenerate
`endif

endmodule

`resetall
