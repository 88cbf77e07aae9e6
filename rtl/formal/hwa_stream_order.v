// hwa_stream_order: nothing lost, nothing doubled, nothing in another order; for proofs only.
//
//   Rule 1    p_double: nothing leaves that did not come before or in the same cycle.
//   Rule 2    p_loss: never more than ROOM parts are inside.
//   Rule 3    p_order: the k-th part in is the k-th part out. The solver picks k, at any point of
//             time, by raising `pick` when the part comes.
//
//   function  counts parts. A beat that comes has IN_PARTS parts, one that leaves OUT_PARTS, the
//             first in the low bits, so one checker serves modules that change the width.
//   outputs   held, the parts inside; and while tracked is high, place, the number of parts in
//             front of the k-th, and kth, its value. With them a module states where the k-th
//             part sits, which makes the proof inductive.
//   stories   for each rule: two beats have left and none is inside; it was full and is empty; the
//             k-th part leaves after one that came before it
//   order, latency, interval, tlast: none, it only listens
//
// Without HWA_FORMAL the module is empty.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_stream_order #(
    // Width of a part in bits.
    parameter integer PART_W = 8,
    // Parts in a beat that comes.
    parameter integer IN_PARTS = 1,
    // Parts in a beat that leaves.
    parameter integer OUT_PARTS = 1,
    // Most parts that may be inside between two cycles.
    parameter integer ROOM = 4
) (
    input  wire                                   clk,
    input  wire                                   rst,

    input  wire                                   push,
    input  wire [IN_PARTS*PART_W-1:0]             push_data,

    input  wire                                   pop,
    input  wire [OUT_PARTS*PART_W-1:0]            pop_data,

    output wire [$clog2(ROOM + IN_PARTS + 1)-1:0] held,
    output wire                                   tracked,
    output wire [$clog2(ROOM + IN_PARTS + 1)-1:0] place,
    output wire [PART_W-1:0]                      kth
);

    localparam integer COUNT_W = $clog2(ROOM + IN_PARTS + 1);

    initial if (ROOM + IN_PARTS < OUT_PARTS) begin
        $display("hwa: %m: ROOM=%0d, no beat of %0d parts fits", ROOM, OUT_PARTS);
        $finish;
    end

`ifdef HWA_FORMAL
    reg [COUNT_W-1:0] held_q, place_q;
    reg               tracked_q;
    reg [PART_W-1:0]  kth_q;

    (* anyseq *) reg               pick;
    (* anyseq *) reg [COUNT_W-1:0] pick_part;
    always @* assume (pick_part < IN_PARTS[COUNT_W-1:0]);

    // What is there in this cycle, the beat that comes included.
    wire [COUNT_W-1:0] held_now    = held_q + (push ? IN_PARTS[COUNT_W-1:0] : {COUNT_W{1'b0}});
    wire               tracked_now = tracked_q || (push && pick);
    wire [COUNT_W-1:0] place_now   = tracked_q ? place_q : held_q + pick_part;
    wire [PART_W-1:0]  kth_now     = tracked_q ? kth_q : push_data[pick_part*PART_W +: PART_W];

    wire leaves = pop && place_now < OUT_PARTS[COUNT_W-1:0];

    always @(posedge clk) begin
        held_q    <= held_now - (pop ? OUT_PARTS[COUNT_W-1:0] : {COUNT_W{1'b0}});
        tracked_q <= tracked_now && !leaves;
        place_q   <= place_now - (pop ? OUT_PARTS[COUNT_W-1:0] : {COUNT_W{1'b0}});
        kth_q     <= kth_now;
        if (rst) begin
            held_q    <= {COUNT_W{1'b0}};
            tracked_q <= 1'b0;
        end
    end

    // Beats that left since the reset, up to two; it was full since then; the k-th part had to wait
    // for another.
    reg [1:0] gone_q;
    reg       full_q, behind_q;

    always @(posedge clk) begin
        if (pop && !gone_q[1]) gone_q <= gone_q + 1'b1;
        if (held_now >= ROOM[COUNT_W-1:0]) full_q <= 1'b1;
        if (tracked_now && !leaves) behind_q <= pop || behind_q;
        else behind_q <= 1'b0;
        if (rst) begin
            gone_q   <= 2'd0;
            full_q   <= 1'b0;
            behind_q <= 1'b0;
        end
    end

    always @* if (!rst) begin
        p_double: assert (!pop || held_now >= OUT_PARTS[COUNT_W-1:0]);
        p_loss: assert (held_q <= ROOM[COUNT_W-1:0]);
        if (tracked_now && leaves)
            p_order: assert (pop_data[place_now*PART_W +: PART_W] == kth_now);

        // Helper: the k-th part is one of those inside.
        assert (!tracked_q || place_q < held_q);

        c_double: cover (gone_q[1] && held_q == 0);
        c_loss: cover (full_q && gone_q != 2'd0 && held_q == 0);
        c_order: cover (tracked_now && leaves && (behind_q || ROOM < 2));
    end

    assign held    = held_q;
    assign tracked = tracked_q;
    assign place   = place_q;
    assign kth     = kth_q;
`else
    assign held    = {COUNT_W{1'b0}};
    assign tracked = 1'b0;
    assign place   = {COUNT_W{1'b0}};
    assign kth     = {PART_W{1'b0}};

    wire unused = &{1'b0, clk, rst, push, push_data, pop, pop_data};
`endif

endmodule

`resetall
