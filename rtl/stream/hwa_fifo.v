// hwa_fifo: where the results of a segment wait, and the count of the places still free.
//
//   function  beats leave as they came; `grant` is high while a place (a credit) is free.
//             `take` reserves a place now, the beat for it arrives at `in_valid` any time later,
//             so a beat is never refused and the pipe in front needs no ready.
//   order     first in, first out
//   latency   1: in_valid in cycle t, m_axis_tvalid in cycle t + 1
//   credits   DEPTH after reset; one less in the cycle after a take, one more in the cycle after
//             a beat left; `grant` is a register
//   interval  max(1, (L + 2) / DEPTH) on average, when in_valid comes L cycles after its take
//             and the output is never stopped
//   tlast     none: frames are counted at the edge of the design
//   must not  take without grant; raise in_valid more often than take

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_fifo #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Places, 1 or more; up to a few dozen is what distributed RAM is good for.
    parameter integer DEPTH = 4
) (
    input  wire              clk,
    input  wire              rst,

    output wire              grant,
    input  wire              take,

    input  wire              in_valid,
    input  wire [DATA_W-1:0] in_data,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata
);

    localparam integer PLACE_W = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST = DEPTH - 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (DEPTH < 1) begin
            $display("hwa: %m: DEPTH=%0d, must be 1 or more", DEPTH);
            $finish;
        end
    end

    // Asynchronous read: distributed RAM, and no cycle lost between push and output.
    reg [DATA_W-1:0] mem [0:DEPTH-1];

    // Places are reserved, written and read in the same order, round and round.
    reg [PLACE_W-1:0] reserve_q, write_q, read_q;
    reg               grant_q, valid_q;

    wire pop = m_axis_tvalid && m_axis_tready;

    wire [PLACE_W-1:0] reserve_next = (reserve_q == LAST[PLACE_W-1:0]) ? {PLACE_W{1'b0}}
                                                                       : reserve_q + 1'b1;
    wire [PLACE_W-1:0] write_next   = (write_q == LAST[PLACE_W-1:0]) ? {PLACE_W{1'b0}}
                                                                     : write_q + 1'b1;
    wire [PLACE_W-1:0] read_next    = (read_q == LAST[PLACE_W-1:0]) ? {PLACE_W{1'b0}}
                                                                    : read_q + 1'b1;

    // A take that meets the read place took the last credit; a pop always gives one back.
    wire grant_d = pop || (grant_q && !(take && (reserve_next == read_q)));
    // A pop that meets the write place took the last beat; a push always brings one.
    wire valid_d = in_valid || (valid_q && !(pop && (read_next == write_q)));

    assign grant         = grant_q;
    assign m_axis_tvalid = valid_q;
    assign m_axis_tdata  = mem[read_q];

    always @(posedge clk) begin
        if (in_valid) mem[write_q] <= in_data;
    end

    always @(posedge clk) begin
        grant_q <= grant_d;
        valid_q <= valid_d;
        if (take) reserve_q <= reserve_next;
        if (in_valid) write_q <= write_next;
        if (pop) read_q <= read_next;
        if (rst) begin
            grant_q   <= 1'b1;
            valid_q   <= 1'b0;
            reserve_q <= {PLACE_W{1'b0}};
            write_q   <= {PLACE_W{1'b0}};
            read_q    <= {PLACE_W{1'b0}};
        end
    end

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(DEPTH + 2);

    wire [F_W-1:0]    f_held, f_place;
    wire              f_tracked;
    wire [DATA_W-1:0] f_kth;

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(DEPTH)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (in_valid),
        .push_data (in_data),
        .pop       (pop),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    // Taken, and still on the way.
    reg [F_W-1:0] f_pending_q;
    reg           f_pushed_q, f_popped_q, f_stuck_q;

    always @(posedge clk) begin
        f_pending_q <= f_pending_q + take - in_valid;
        f_pushed_q  <= in_valid;
        f_popped_q  <= pop;
        if (!grant && f_held == DEPTH && !m_axis_tready) f_stuck_q <= 1'b1;
        if (rst) begin
            f_pending_q <= {F_W{1'b0}};
            f_pushed_q  <= 1'b0;
            f_popped_q  <= 1'b0;
            f_stuck_q   <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The environment: a take needs a grant, and each take brings one beat.
        assume (!take || grant);
        assume (!in_valid || f_pending_q != 0 || take);

        // The contract: credits, and who is seen when.
        assert (f_held + f_pending_q <= DEPTH);
        assert (grant == (f_held + f_pending_q < DEPTH));
        p_loss: assert (m_axis_tvalid == (f_held != 0));
        assert (!f_pushed_q || m_axis_tvalid);
        assert (!f_popped_q || grant);

        // Helpers: the three places follow one another, and the k-th beat sits where it should.
        assert (read_q < DEPTH);
        assert (write_q == (read_q + f_held) % DEPTH);
        assert (reserve_q == (write_q + f_pending_q) % DEPTH);
        assert (!f_tracked || mem[(read_q + f_place) % DEPTH] == f_kth);

        // A story: full and stuck, then drained to the last beat.
        cover (f_stuck_q && f_held == 0 && f_pending_q == 0);
    end
`endif

endmodule

`resetall
