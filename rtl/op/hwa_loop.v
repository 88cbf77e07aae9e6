// hwa_loop: the index of a counting loop.
//
//   function  index counts 0, 1 .. COUNT-1, 0 .. : one on in each cycle with `step`, 0 after
//             reset; last is high while index = COUNT-1. A nest of loops is a chain: the step of
//             a loop is the step of the next inner one while that one is at its last.
//   latency   1: step in cycle t, the new index in cycle t + 1; index and last are registers
//   interval  1
//   tlast     none: this is not a stream
//   must not  nothing: any step is good

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_loop #(
    // Values of the index, 1 to 2^30; with one there is no register.
    parameter integer COUNT = 4
) (
    input  wire                                         clk,
    input  wire                                         rst,

    input  wire                                         step,
    output wire [(COUNT > 1 ? $clog2(COUNT) : 1)-1 : 0] index,
    output wire                                         last
);

    localparam integer INDEX_W = (COUNT > 1) ? $clog2(COUNT) : 1;
    localparam integer BELOW_TOP = (COUNT > 1) ? COUNT - 2 : 0;

    initial begin
        if (COUNT < 1 || COUNT > (1 << 30)) begin
            $display("hwa: %m: COUNT=%0d, must be 1 to 2^30", COUNT);
            $finish;
        end
    end

    generate
        if (COUNT > 1) begin : g_count
            reg [INDEX_W-1:0] index_q;
            reg               last_q;

            always @(posedge clk) begin
                if (step) begin
                    index_q <= last_q ? {INDEX_W{1'b0}} : index_q + 1'b1;
                    last_q  <= index_q == BELOW_TOP[INDEX_W-1:0];
                end
                if (rst) begin
                    index_q <= {INDEX_W{1'b0}};
                    last_q  <= 1'b0;
                end
            end

            assign index = index_q;
            assign last  = last_q;
        end else begin : g_still
            wire unused = &{1'b0, clk, rst, step};

            assign index = {INDEX_W{1'b0}};
            assign last  = 1'b1;
        end
    endgenerate

`ifdef HWA_FORMAL
    // Steps since reset, modulo COUNT.
    reg [INDEX_W-1:0] f_steps_q;
    // It came round.
    reg               f_round_q;

    always @(posedge clk) begin
        if (step) f_steps_q <= (f_steps_q + 1) % COUNT;
        if (step && f_steps_q == COUNT - 1) f_round_q <= 1'b1;
        if (rst) begin
            f_steps_q <= {INDEX_W{1'b0}};
            f_round_q <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        p_value: assert (index == f_steps_q && last == (f_steps_q == COUNT - 1));

        // Helper: the count stays in range.
        assert (f_steps_q < COUNT);

        c_value: cover (f_round_q && last);
    end
`endif

endmodule

`resetall
