// hwa_pack: joins RATIO narrow beats into one wide beat.
//
//   function  wide beat n = narrow beats n*RATIO .. n*RATIO + RATIO-1
//   order     the first narrow beat in the low bits
//   latency   1: the last part is taken in cycle t, the wide beat is valid in cycle t + 1
//   interval  1 narrow beat a cycle; s_axis_tready = !full || m_axis_tready, so a full word
//             can leave in the cycle in which the next one's first part comes
//   tlast     none: a tensor is a whole number of wide beats

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_pack #(
    // Width of a narrow beat in bits.
    parameter integer DATA_W = 8,
    // Narrow beats in a wide one, 1 or more.
    parameter integer RATIO = 2
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire [DATA_W-1:0]       s_axis_tdata,

    output wire                    m_axis_tvalid,
    input  wire                    m_axis_tready,
    output wire [RATIO*DATA_W-1:0] m_axis_tdata
);

    localparam integer COUNT_W = (RATIO > 1) ? $clog2(RATIO) : 1;
    localparam integer LAST = RATIO - 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (RATIO < 1) begin
            $display("hwa: %m: RATIO=%0d, must be 1 or more", RATIO);
            $finish;
        end
    end

    reg [RATIO*DATA_W-1:0] data_q;
    reg [COUNT_W-1:0]      count_q;
    reg                    full_q;

    wire store = s_axis_tvalid && s_axis_tready;
    wire last  = count_q == LAST[COUNT_W-1:0];

    // Parts come in at the top and move down, so the first one ends in the low bits.
    wire [(RATIO+1)*DATA_W-1:0] moved = {s_axis_tdata, data_q};

    assign s_axis_tready = !full_q || m_axis_tready;
    assign m_axis_tvalid = full_q;
    assign m_axis_tdata  = data_q;

    always @(posedge clk) begin
        if (store) data_q <= moved[(RATIO+1)*DATA_W-1:DATA_W];
    end

    always @(posedge clk) begin
        if (store) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        // The word leaves, and the part that comes meanwhile completes one only if RATIO is 1.
        if (s_axis_tready) full_q <= store && last;
        if (rst) begin
            count_q <= {COUNT_W{1'b0}};
            full_q  <= 1'b0;
        end
    end

    // The part that falls out at the bottom belongs to a word that has left.
    wire unused = &{1'b0, moved[DATA_W-1:0]};

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(RATIO + 2);

    wire [F_W-1:0]    f_held, f_place;
    wire              f_tracked;
    wire [DATA_W-1:0] f_kth;

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    hwa_stream_check #(.DATA_W(RATIO*DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    hwa_stream_order #(.PART_W(DATA_W), .OUT_PARTS(RATIO), .ROOM(RATIO)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (store),
        .push_data (s_axis_tdata),
        .pop       (m_axis_tvalid && m_axis_tready),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    // Parts sit at the top until the word is full.
    wire [F_W-1:0] f_slot = full_q ? f_place : RATIO - count_q + f_place;

    reg f_done_q, f_stuck_q;

    always @(posedge clk) begin
        f_done_q  <= store && last && !rst;
        f_stuck_q <= s_axis_tvalid && m_axis_tvalid && !m_axis_tready && !rst;
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: a whole word is seen at once, and only a full word can stop the input.
        p_loss: assert (m_axis_tvalid == (f_held == RATIO));
        assert (!f_done_q || m_axis_tvalid);
        assert (s_axis_tready == (!m_axis_tvalid || m_axis_tready));

        // Helpers: what is held, and where the k-th part sits.
        assert (f_held == (full_q ? RATIO : count_q));
        assert (count_q < RATIO && (!full_q || count_q == 0));
        assert (!f_tracked || data_q[f_slot*DATA_W +: DATA_W] == f_kth);

        // A story: a full word stalls with a part behind it, then both move.
        cover (f_stuck_q && m_axis_tready && store);
    end
`endif

endmodule

`resetall
