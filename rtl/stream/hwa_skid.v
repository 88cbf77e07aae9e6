// hwa_skid: a register in each direction of a stream; it cuts long paths.
//
//   function  beats leave as they came; no combinational path leads from one side to the other,
//             and every output comes straight from a register
//   order     first in, first out; room for 2 beats
//   latency   1: taken in cycle t, valid in cycle t + 1
//   interval  1; after both places filled, s_axis_tready is back in the cycle after a beat left
//   tlast     none: put it into the payload if it must pass

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_skid #(
    // Payload width in bits.
    parameter integer DATA_W = 8
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata
);

    initial if (DATA_W < 1) begin
        $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
        $finish;
    end

    reg [DATA_W-1:0] data_q, spare_q;
    // ready_q: the spare place is empty. valid_q: the output place is full.
    reg              ready_q, valid_q;

    wire move = !valid_q || m_axis_tready;

    assign s_axis_tready = ready_q;
    assign m_axis_tvalid = valid_q;
    assign m_axis_tdata  = data_q;

    always @(posedge clk) begin
        // The output place takes the spare beat first, else the new one.
        if (move) data_q <= ready_q ? s_axis_tdata : spare_q;
        // While the spare place is empty it follows the input; it counts only once ready_q falls.
        if (ready_q) spare_q <= s_axis_tdata;
    end

    always @(posedge clk) begin
        if (move) begin
            valid_q <= !ready_q || s_axis_tvalid;
            ready_q <= 1'b1;
        end else if (s_axis_tvalid) begin
            // The output is stuck: the new beat goes to the spare place.
            ready_q <= 1'b0;
        end
        if (rst) begin
            valid_q <= 1'b0;
            ready_q <= 1'b1;
        end
    end

`ifdef HWA_FORMAL
    wire [1:0]        f_held, f_place;
    wire              f_tracked;
    wire [DATA_W-1:0] f_kth;

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
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

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(2)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (s_axis_tvalid && s_axis_tready),
        .push_data (s_axis_tdata),
        .pop       (m_axis_tvalid && m_axis_tready),
        .pop_data  (m_axis_tdata),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    reg f_full_q;

    always @(posedge clk) begin
        if (f_held == 2 && s_axis_tvalid) f_full_q <= 1'b1;
        if (rst) f_full_q <= 1'b0;
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: what is inside is seen, and only two beats stop the input.
        p_loss: assert (m_axis_tvalid == (f_held != 0));
        assert (s_axis_tready == (f_held != 2));

        // Helper: where the k-th beat sits.
        assert (!f_tracked || f_kth == (f_place == 0 ? data_q : spare_q));

        // A story: filled up while a third beat waits, then drained.
        cover (f_full_q && f_held == 0);
    end
`endif

endmodule

`resetall
