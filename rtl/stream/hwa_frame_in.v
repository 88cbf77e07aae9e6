// hwa_frame_in: checks at the input of a design that tlast comes where it should, and drops it.
//
//   function  the beats pass; frame_error goes high and stays when a beat is taken whose
//             tlast is not what its number says: frames may then be out of step until rst
//   order     as it comes
//   latency   0: wires; frame_error in the cycle after the wrong beat was taken
//   interval  1
//   tlast     in: the last of each BEATS beats, counted from reset; out: none

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_frame_in #(
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
    input  wire              s_axis_tlast,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata,

    output wire              frame_error
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
    reg               frame_error_q;

    wire pass = s_axis_tvalid && s_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;
    assign m_axis_tdata  = s_axis_tdata;
    assign frame_error   = frame_error_q;

    always @(posedge clk) begin
        if (pass) begin
            count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
            if (s_axis_tlast != last) frame_error_q <= 1'b1;
        end
        if (rst) begin
            count_q       <= {COUNT_W{1'b0}};
            frame_error_q <= 1'b0;
        end
    end

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(DATA_W + 1), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  ({s_axis_tlast, s_axis_tdata})
    );

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(0)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (pass),
        .push_data (s_axis_tdata),
        .pop       (m_axis_tvalid && m_axis_tready),
        .pop_data  (m_axis_tdata),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    // Beats that the frame still wants; a wrong beat was seen; a beat was stalled.
    reg [COUNT_W:0] f_left_q;
    reg             f_wrong_q, f_stuck_q;

    always @(posedge clk) begin
        if (pass) f_left_q <= (f_left_q == 1) ? BEATS : f_left_q - 1'b1;
        if (pass && s_axis_tlast != (f_left_q == 1)) f_wrong_q <= 1'b1;
        f_stuck_q <= s_axis_tvalid && !m_axis_tready && !rst;
        if (rst) begin
            f_left_q  <= BEATS;
            f_wrong_q <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: each wrong frame is noticed, none other, and it stays noticed.
        assert (frame_error == f_wrong_q);

        // Helper: two ways to count.
        assert (f_left_q >= 1 && f_left_q + count_q == BEATS);

        // Two stories, each after a stall: a frame without fault, and one cut short or long.
        cover (f_stuck_q && pass && s_axis_tlast && last && !frame_error);
        cover (f_stuck_q && pass && frame_error);
    end
`endif

endmodule

`resetall
