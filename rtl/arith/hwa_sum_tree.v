// Sum of COUNT signed numbers, one adder level per cycle.
//
//   sum[t + clog2(COUNT)] = sum over i of in_data[i][t]          exact: IN_W + clog2(COUNT) bits
//
// Number i is at bit i*IN_W. Latency clog2(COUNT) (0 for one number), a new set every cycle.
// There is no valid and no reset: the user delays its own control by the latency.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_sum_tree #(
    // Numbers to add, 1 or more, not only powers of two.
    parameter integer COUNT = 4,
    // Width of one number in bits.
    parameter integer IN_W = 8
) (
    input  wire                          clk,
    input  wire [COUNT*IN_W-1:0]         in_data,
    output wire [IN_W+$clog2(COUNT)-1:0] sum
);

    localparam integer LEVELS = $clog2(COUNT);
    localparam integer SUM_W = IN_W + LEVELS;
    localparam integer LEAVES = 1 << LEVELS;
    localparam BAD = (COUNT < 1) || (IN_W < 1);

    initial if (BAD) begin
        $display("hwa: %m: COUNT=%0d IN_W=%0d, must be 1 or more", COUNT, IN_W);
        $finish;
    end

    // A binary tree in heap order: node 1 is the root, node n adds nodes 2n and 2n+1, the leaves
    // are nodes LEAVES to 2*LEAVES-1. Leaves that have no number are zero.
    wire [2*LEAVES*SUM_W-1:SUM_W] node;

    genvar n;
    generate
        for (n = 0; n < LEAVES; n = n + 1) begin : leaf
            if (n < COUNT) begin : number
                wire [IN_W-1:0] x = in_data[n*IN_W +: IN_W];
                assign node[(LEAVES+n)*SUM_W +: SUM_W] = {{LEVELS{x[IN_W-1]}}, x};
            end else begin : absent
                assign node[(LEAVES+n)*SUM_W +: SUM_W] = {SUM_W{1'b0}};
            end
        end
        for (n = 1; n < LEAVES; n = n + 1) begin : branch
            reg [SUM_W-1:0] sum_q;

            always @(posedge clk)
                sum_q <= node[2*n*SUM_W +: SUM_W] + node[(2*n+1)*SUM_W +: SUM_W];

            assign node[n*SUM_W +: SUM_W] = sum_q;
        end
        if (LEVELS == 0) begin : wires_only
            wire unused = &{1'b0, clk};
        end
    endgenerate

    assign sum = node[SUM_W +: SUM_W];

endmodule

`resetall
