// hwa_sum_tree: the sum of COUNT signed numbers and as many carries, one adder level a cycle.
//
//   function  sum + sum_carry = sum over i of (number i + in_carry[i]), the sum exact in
//             IN_W + clog2(COUNT) bits. COUNT - 1 adders take a carry each, for nothing; the one
//             that is left comes out beside the sum. Carries tied to 0 cost nothing either.
//   order     number 0 in the low bits
//   latency   clog2(COUNT), so 0 for one number
//   interval  1
//   tlast     none: there is no valid either, the user delays its own control
//   must not  nothing: any data is good

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
    input  wire [COUNT-1:0]              in_carry,
    output wire [IN_W+$clog2(COUNT)-1:0] sum,
    output wire                          sum_carry
);

    localparam integer LEVELS = $clog2(COUNT);
    localparam integer SUM_W = IN_W + LEVELS;
    localparam integer LEAVES = 1 << LEVELS;

    initial begin
        if (COUNT < 1 || IN_W < 1) begin
            $display("hwa: %m: COUNT=%0d IN_W=%0d, must be 1 or more", COUNT, IN_W);
            $finish;
        end
    end

    // A binary tree in heap order: node 1 is the root, node n adds nodes 2n and 2n+1, the leaves
    // are nodes LEAVES to 2*LEAVES-1. Leaves that have no number are zero.
    // One net each: as parts of a single vector, every change would wake all of them in Icarus.
    genvar n;
    generate
        for (n = 1; n < 2 * LEAVES; n = n + 1) begin : g_node
            wire [SUM_W-1:0] value;
            wire             carry;
        end
        for (n = 0; n < LEAVES; n = n + 1) begin : g_leaf
            if (n < COUNT) begin : g_number
                wire [IN_W-1:0] x = in_data[n*IN_W +: IN_W];
                assign g_node[LEAVES+n].value = {{LEVELS{x[IN_W-1]}}, x};
                assign g_node[LEAVES+n].carry = in_carry[n];
            end else begin : g_absent
                assign g_node[LEAVES+n].value = {SUM_W{1'b0}};
                assign g_node[LEAVES+n].carry = 1'b0;
            end
        end
        for (n = 1; n < LEAVES; n = n + 1) begin : g_branch
            reg [SUM_W-1:0] sum_q;
            reg             carry_q;
            // The low bit turns the carry of one side into that of the adder.
            wire [SUM_W:0]  sum_d = {g_node[2*n].value, 1'b1}
                + {g_node[2*n+1].value, g_node[2*n].carry};
            wire            unused = &{1'b0, sum_d[0]};

            always @(posedge clk) begin
                sum_q   <= sum_d[SUM_W:1];
                carry_q <= g_node[2*n+1].carry;
            end

            assign g_node[n].value = sum_q;
            assign g_node[n].carry = carry_q;
        end
        if (LEVELS == 0) begin : g_wires
            wire unused = &{1'b0, clk};
        end
    endgenerate

    assign sum       = g_node[1].value;
    assign sum_carry = g_node[1].carry;

`ifdef HWA_FORMAL
    // The same tree in integers that hold every sum, each carry added where it comes in.
    localparam integer F_W = SUM_W + 2;

    // Cycles since power-up, as many as a sum takes at most: there is no reset.
    reg [7:0] f_age_q = 8'd0;
    always @(posedge clk) if (f_age_q < LEVELS) f_age_q <= f_age_q + 1'b1;

    generate
        for (n = 1; n < 2 * LEAVES; n = n + 1) begin : g_total
            wire signed [F_W-1:0] total;
        end
        for (n = 0; n < LEAVES; n = n + 1) begin : g_total_leaf
            if (n < COUNT) begin : g_some
                wire signed [IN_W-1:0] x = in_data[n*IN_W +: IN_W];

                assign g_total[LEAVES+n].total = x + $signed({1'b0, in_carry[n]});
            end else begin : g_none
                assign g_total[LEAVES+n].total = 0;
            end
        end
        for (n = 1; n < LEAVES; n = n + 1) begin : g_total_branch
            reg signed [F_W-1:0] total_q;

            always @(posedge clk) total_q <= g_total[2*n].total + g_total[2*n+1].total;
            assign g_total[n].total = total_q;

            // Helper: each node has the sum of its leaves, as soon as there was time for it.
            wire signed [SUM_W-1:0] value = g_node[n].value;
            always @* if (f_age_q + $clog2(n + 1) > LEVELS)
                assert (value + $signed({1'b0, g_node[n].carry}) == total_q);
        end
    endgenerate

    wire signed [SUM_W-1:0] f_sum = sum;

    always @* begin
        if (f_age_q >= LEVELS)
            p_value: assert (f_sum + $signed({1'b0, sum_carry}) == g_total[1].total);

        c_value: cover (f_age_q >= LEVELS && sum != 0);
    end
`endif

endmodule

`resetall
