// hwa_link_rx: the end of a link that takes words from another device and gives credits back.
//
//   function  words wait in a FIFO that has a place for each credit of hwa_link_tx at the other
//             end; a word that leaves sends its credit back
//   order     first in, first out
//   latency   1: link_valid in cycle t, m_axis_tvalid in cycle t + 1
//   credits   link_credit is high in the cycle after a word left, for one cycle a word
//   interval  1
//   tlast     none: frames are counted at the edge of the design
//   must not  raise link_valid without one of CREDITS credits

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_link_rx #(
    // Width of a word in bits.
    parameter integer DATA_W = 8,
    // Places, 1 or more: the credits of the other end.
    parameter integer CREDITS = 4
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              link_valid,
    input  wire [DATA_W-1:0] link_data,
    output wire              link_credit,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata
);

    localparam integer PLACE_W = (CREDITS > 1) ? $clog2(CREDITS) : 1;
    localparam integer LAST = CREDITS - 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (CREDITS < 1) begin
            $display("hwa: %m: CREDITS=%0d, must be 1 or more", CREDITS);
            $finish;
        end
    end

    // Asynchronous read, as in hwa_fifo.
    reg [DATA_W-1:0] mem [0:CREDITS-1];

    reg [PLACE_W-1:0] write_q, read_q;
    reg               valid_q, credit_q;

    wire pop = m_axis_tvalid && m_axis_tready;

    wire [PLACE_W-1:0] write_next = (write_q == LAST[PLACE_W-1:0]) ? {PLACE_W{1'b0}}
                                                                   : write_q + 1'b1;
    wire [PLACE_W-1:0] read_next  = (read_q == LAST[PLACE_W-1:0]) ? {PLACE_W{1'b0}}
                                                                  : read_q + 1'b1;

    // A pop that meets the write place took the last word; a push always brings one.
    wire valid_d = link_valid || (valid_q && !(pop && (read_next == write_q)));

    assign link_credit   = credit_q;
    assign m_axis_tvalid = valid_q;
    assign m_axis_tdata  = mem[read_q];

    always @(posedge clk) begin
        if (link_valid) mem[write_q] <= link_data;
    end

    always @(posedge clk) begin
        valid_q  <= valid_d;
        credit_q <= pop;
        if (link_valid) write_q <= write_next;
        if (pop) read_q <= read_next;
        if (rst) begin
            valid_q  <= 1'b0;
            credit_q <= 1'b0;
            write_q  <= {PLACE_W{1'b0}};
            read_q   <= {PLACE_W{1'b0}};
        end
    end

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(CREDITS + 2);

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

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(CREDITS)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (link_valid),
        .push_data (link_data),
        .pop       (pop),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    // Credits at the other end, the least that may be there: those that came back a cycle ago.
    reg [F_W-1:0] f_credits_q;
    reg           f_pushed_q, f_popped_q, f_stuck_q;

    always @(posedge clk) begin
        f_credits_q <= f_credits_q - link_valid + link_credit;
        f_pushed_q  <= link_valid;
        f_popped_q  <= pop;
        if (f_held == CREDITS && !m_axis_tready) f_stuck_q <= 1'b1;
        if (rst) begin
            f_credits_q <= CREDITS;
            f_pushed_q  <= 1'b0;
            f_popped_q  <= 1'b0;
            f_stuck_q   <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The environment: a word needs a credit that has come back.
        assume (!link_valid || f_credits_q != 0);

        // The contract: each word is seen at once, each that left gives its credit back.
        p_loss: assert (m_axis_tvalid == (f_held != 0));
        assert (!f_pushed_q || m_axis_tvalid);
        assert (link_credit == f_popped_q);

        // Helpers: a place is free, on its way back or held; the k-th word sits where it should.
        assert (f_held + link_credit + f_credits_q == CREDITS);
        assert (read_q < CREDITS);
        assert (write_q == (read_q + f_held) % CREDITS);
        assert (!f_tracked || mem[(read_q + f_place) % CREDITS] == f_kth);

        // A story: full and stuck, then drained to the last word, with all credits back.
        cover (f_stuck_q && f_credits_q == CREDITS);
    end
`endif

endmodule

`resetall
