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

`ifdef HWA_FORMAL
    // Each lane asks its table for word in - LO, a cycle later, and puts out what the table says.
    localparam integer F_W = IN_W + 65;

    reg  [LANES*ADDR_W-1:0] f_index_q;
    wire [LANES*ADDR_W-1:0] f_addr;

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            // Signed where the table begins below 0; where it does not, the sign bit is not set.
            wire signed [IN_W:0]  x     = {LO < 0 && in_data[l*IN_W+IN_W-1],
                                           in_data[l*IN_W +: IN_W]};
            wire signed [F_W-1:0] x_int = x;
            wire signed [F_W-1:0] index = x_int - LO;

            always @* assume (!in_valid || (index >= 0 && index < WORDS));
            always @(posedge clk) f_index_q[l*ADDR_W +: ADDR_W] <= index[ADDR_W-1:0];

            assign f_addr[l*ADDR_W +: ADDR_W] = g_lane[l].addr_q;
        end
    endgenerate

    reg [2:0] f_valid_q;

    always @(posedge clk) f_valid_q <= rst ? 3'b000 : {f_valid_q, in_valid};

    initial assume (rst);
    always @* if (!rst) begin
        p_valid: assert (valid_q == f_valid_q && out_valid == f_valid_q[2]);
        if (f_valid_q[0]) p_word: assert (f_addr == f_index_q);

        c_word: cover (f_valid_q[0] && f_addr != 0);
    end
`endif

endmodule

`resetall
