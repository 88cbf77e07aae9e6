// Loop index: counts 0, 1 .. COUNT-1, 0 .. , one step for each cycle with `step`.
//
//   index[t+1] = step[t] ? (index[t] + 1) mod COUNT : index[t]          after reset 0
//   last[t]    = (index[t] == COUNT - 1)
//
// Both outputs are registers, so a nest of loops steps as an AND of `last` flags: the step of a
// loop is `step` of the next inner one and its `last`. With COUNT = 1 nothing is left but wires.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_loop #(
    // Number of values of the index, 1 to 2^30.
    parameter integer COUNT = 4
) (
    input  wire clk,
    input  wire rst,
    input  wire step,
    output wire [((COUNT > 1) ? $clog2(COUNT) : 1)-1:0] index,
    output wire last
);

    localparam integer INDEX_W = (COUNT > 1) ? $clog2(COUNT) : 1;
    localparam integer TOP = COUNT - 1;
    localparam integer BELOW_TOP = (COUNT > 1) ? COUNT - 2 : 0;
    localparam BAD = (COUNT < 1) || (COUNT > (1 << 30));

    initial if (BAD) begin
        $display("hwa: %m: COUNT=%0d, must be 1 to 2^30", COUNT);
        $finish;
    end

    generate
        if (COUNT > 1) begin : counting
            reg [INDEX_W-1:0] index_q;
            reg               last_q;

            always @(posedge clk) begin
                if (step) begin
                    index_q <= last_q ? {INDEX_W{1'b0}} : index_q + 1'b1;
                    last_q <= (COUNT == 2) ? !last_q : index_q == BELOW_TOP[INDEX_W-1:0];
                end

                if (rst) begin
                    index_q <= {INDEX_W{1'b0}};
                    last_q <= 1'b0;
                end
            end

            assign index = index_q;
            assign last = last_q;
        end else begin : still
            // One value: nothing to count.
            wire unused = &{1'b0, clk, rst, step, TOP[0]};

            assign index = {INDEX_W{1'b0}};
            assign last = 1'b1;
        end
    endgenerate

endmodule

`resetall
