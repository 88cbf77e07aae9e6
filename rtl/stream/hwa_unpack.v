// hwa_unpack: splits one wide beat into RATIO narrow beats.
//
//   function  narrow beat n*RATIO + i = part i of wide beat n
//   order     the low part first
//   latency   1: the wide beat is taken in cycle t, its first part is valid in cycle t + 1
//   interval  RATIO cycles a wide beat, without a gap;
//             s_axis_tready = empty || (last part && m_axis_tready)
//   tlast     none: frames are counted at the edge of the design

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_unpack #(
    // Width of a narrow beat in bits.
    parameter integer DATA_W = 8,
    // Narrow beats in a wide one, 1 or more.
    parameter integer RATIO = 2
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire [RATIO*DATA_W-1:0] s_axis_tdata,

    output wire                    m_axis_tvalid,
    input  wire                    m_axis_tready,
    output wire [DATA_W-1:0]       m_axis_tdata
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

    wire load = s_axis_tvalid && s_axis_tready;
    wire send = m_axis_tvalid && m_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    assign s_axis_tready = !full_q || (last && m_axis_tready);
    assign m_axis_tvalid = full_q;
    assign m_axis_tdata  = data_q[DATA_W-1:0];

    always @(posedge clk) begin
        // Move the next part to the low bits, or take a new word.
        if (send) data_q <= data_q >> DATA_W;
        if (load) data_q <= s_axis_tdata;
    end

    always @(posedge clk) begin
        if (send) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        if (s_axis_tready) full_q <= s_axis_tvalid;
        if (rst) begin
            count_q <= {COUNT_W{1'b0}};
            full_q  <= 1'b0;
        end
    end

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(2 * RATIO + 1);

    wire [F_W-1:0]    f_held, f_place;
    wire              f_tracked;
    wire [DATA_W-1:0] f_kth;

    hwa_stream_check #(.DATA_W(RATIO*DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    hwa_stream_order #(.PART_W(DATA_W), .IN_PARTS(RATIO), .ROOM(RATIO)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (load),
        .push_data (s_axis_tdata),
        .pop       (send),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    reg f_loaded_q, f_stuck_q;

    always @(posedge clk) begin
        f_loaded_q <= load && !rst;
        f_stuck_q  <= s_axis_tvalid && last && m_axis_tvalid && !m_axis_tready && !rst;
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: parts are seen at once, and the next word comes with the last part.
        p_loss: assert (m_axis_tvalid == (f_held != 0));
        assert (!f_loaded_q || m_axis_tvalid);
        assert (s_axis_tready == (f_held == 0 || (f_held == 1 && m_axis_tready)));

        // Helpers: what is held, and where the k-th part sits.
        assert (f_held == (full_q ? RATIO - count_q : 0));
        assert (count_q < RATIO && (full_q || count_q == 0));
        assert (!f_tracked || data_q[f_place*DATA_W +: DATA_W] == f_kth);

        // A story: the last part stalls with a word behind it, then both move.
        cover (f_stuck_q && send && load);
    end
`endif

endmodule

`resetall
