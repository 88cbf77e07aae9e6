// hwa_frame_out: adds tlast to the stream that leaves a design.
//
//   function  the beats pass; tlast is high on each BEATS-th beat
//   order     as it comes
//   latency   0: wires
//   interval  1
//   tlast     in: none; out: the last of each BEATS beats, counted from reset

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_frame_out #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Beats in a frame, 1 or more.
    parameter integer BEATS = 4
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

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

    wire pass = m_axis_tvalid && m_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;
    assign m_axis_tdata  = s_axis_tdata;
    assign m_axis_tlast  = last;

    always @(posedge clk) begin
        if (pass) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        if (rst) count_q <= {COUNT_W{1'b0}};
    end

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    hwa_stream_check #(.DATA_W(DATA_W + 1), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  ({m_axis_tlast, m_axis_tdata})
    );

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(0)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (s_axis_tvalid && s_axis_tready),
        .push_data (s_axis_tdata),
        .pop       (pass),
        .pop_data  (m_axis_tdata),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    // Beats that the frame still wants; the second frame was reached; a beat was stalled.
    reg [COUNT_W:0] f_left_q;
    reg             f_second_q, f_stuck_q;

    always @(posedge clk) begin
        if (pass) f_left_q <= (f_left_q == 1) ? BEATS : f_left_q - 1'b1;
        if (pass && m_axis_tlast) f_second_q <= 1'b1;
        f_stuck_q <= m_axis_tvalid && !m_axis_tready && !rst;
        if (rst) begin
            f_left_q   <= BEATS;
            f_second_q <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: the last beat of a frame is marked, and no other.
        assert (!m_axis_tvalid || m_axis_tlast == (f_left_q == 1));

        // Helper: two ways to count.
        assert (f_left_q >= 1 && f_left_q + count_q == BEATS);

        // A story: the last beat of a second frame, after a stall.
        cover (f_second_q && f_stuck_q && pass && m_axis_tlast);
    end
`endif

endmodule

`resetall
