// hwa_seal: output register that keeps the rules of its stream through a restart behind it.
//
//   function  the beats pass. After a restart, which may cut a frame, the beat on offer stays and
//             the missing beats of the frame are sent as zeros, so that the reader gets whole
//             frames only; the module behind waits for that
//   order     as it comes
//   latency   1
//   interval  1
//   tlast     in and out: the last of each BEATS beats
//   outputs   finish, the last beat of a frame is taken that no restart touched

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_seal #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Beats in a frame, 1 or more.
    parameter integer BEATS = 4
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              restart,
    output wire              finish,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,
    input  wire              s_axis_tlast,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata,
    output wire              m_axis_tlast
);

    localparam integer COUNT_W = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST = BEATS - 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (BEATS < 1) begin
            $display("hwa: %m: BEATS=%0d, must be 1 or more", BEATS);
            $finish;
        end
    end

    reg [COUNT_W-1:0] count_q;
    // The beat on offer belongs to a frame that no restart touched; the rest of one is missing.
    reg               valid_q, last_q, whole_q, fill_q;
    reg [DATA_W-1:0]  data_q;

    wire room = !valid_q || m_axis_tready;
    wire load = room && !restart && (fill_q || s_axis_tvalid);
    wire last = fill_q ? count_q == LAST[COUNT_W-1:0] : s_axis_tlast;

    assign s_axis_tready = room && !restart && !fill_q;
    assign m_axis_tvalid = valid_q;
    assign m_axis_tdata  = data_q;
    assign m_axis_tlast  = last_q;
    assign finish        = valid_q && m_axis_tready && last_q && whole_q;

    always @(posedge clk) begin
        if (room) valid_q <= load;
        if (load) begin
            data_q  <= fill_q ? {DATA_W{1'b0}} : s_axis_tdata;
            last_q  <= last;
            whole_q <= !fill_q;
            count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
            if (last) fill_q <= 1'b0;
        end
        if (restart) begin
            whole_q <= 1'b0;
            fill_q  <= count_q != {COUNT_W{1'b0}};
        end
        if (rst) begin
            valid_q <= 1'b0;
            fill_q  <= 1'b0;
            count_q <= {COUNT_W{1'b0}};
        end
    end

`ifdef HWA_FORMAL
    wire              f_held, f_tracked;
    wire [DATA_W-1:0] f_kth;

    // Behind, a restart is a reset; in front there is none.
    hwa_stream_check #(.DATA_W(DATA_W + 1), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst || restart),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  ({s_axis_tlast, s_axis_tdata})
    );

    hwa_stream_check #(.DATA_W(DATA_W + 1), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  ({m_axis_tlast, m_axis_tdata})
    );

    // Beats that a frame still wants, as the reader and as the module behind count them; beats
    // to be made up; a restart touched the frame that is read.
    reg [COUNT_W:0] f_left_q, f_want_q, f_miss_q;
    reg             f_cut_q, f_stuck_q;
    wire            f_pop  = m_axis_tvalid && m_axis_tready;
    wire            f_push = s_axis_tvalid && s_axis_tready;
    wire            f_fill = f_miss_q != 0 && !restart && (!m_axis_tvalid || m_axis_tready);

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(1)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (f_push || f_fill),
        .push_data (f_push ? s_axis_tdata : {DATA_W{1'b0}}),
        .pop       (f_pop),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (),
        .kth       (f_kth)
    );

    always @(posedge clk) begin
        if (f_pop) f_left_q <= (f_left_q == 1) ? BEATS : f_left_q - 1'b1;
        if (f_push) f_want_q <= (f_want_q == 1) ? BEATS : f_want_q - 1'b1;
        if (f_fill) f_miss_q <= f_miss_q - 1'b1;
        f_cut_q <= (f_cut_q && !(f_pop && m_axis_tlast))
                || (restart && ((f_held && !f_pop) || f_want_q != BEATS || f_miss_q != 0));
        f_stuck_q <= m_axis_tvalid && !m_axis_tready && !rst;
        if (restart) begin
            f_want_q <= BEATS;
            if (f_want_q != BEATS) f_miss_q <= f_want_q;
        end
        if (rst) begin
            f_left_q <= BEATS;
            f_want_q <= BEATS;
            f_miss_q <= {COUNT_W + 1{1'b0}};
            f_cut_q  <= 1'b0;
        end
    end

    always @* assume (s_axis_tlast == (f_want_q == 1));

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: whole frames for the reader; the module behind waits for what is made up.
        assert (!m_axis_tvalid || m_axis_tlast == (f_left_q == 1));
        assert (s_axis_tready == ((!f_held || m_axis_tready) && !restart && f_miss_q == 0));
        p_loss: assert (m_axis_tvalid == f_held);
        assert (finish == (f_pop && f_left_q == 1 && !f_cut_q));

        // Helper: three ways to count, and where the k-th beat sits.
        assert (f_want_q >= 1 && f_want_q <= BEATS && f_miss_q < BEATS);
        assert (f_miss_q == 0 || f_want_q == BEATS);
        assert (fill_q == (f_miss_q != 0));
        assert (!m_axis_tvalid || whole_q == !f_cut_q);
        assert (f_miss_q != 0 ? f_cut_q : !f_cut_q || (m_axis_tvalid && m_axis_tlast));
        assert (count_q == (f_miss_q != 0 ? BEATS - f_miss_q : BEATS - f_want_q));
        assert (f_left_q >= 1 && f_left_q <= BEATS);
        assert ((BEATS - f_left_q + f_held) == count_q
                || (BEATS - f_left_q + f_held == BEATS && count_q == 0));
        assert (!f_tracked || f_kth == data_q);

        // A story: a frame is cut while it waits, filled up, and the next one comes through.
        cover (f_cut_q && f_stuck_q && f_pop && m_axis_tlast && BEATS > 1);
        cover (finish && f_stuck_q);
    end
`endif

endmodule

`resetall
