// hwa_issue: lets one beat of one stream into a pipe when there is a credit for its result.
//
//   function  fires in each cycle with s_axis_tvalid and grant; then take and out_valid are high
//   order     as it comes
//   latency   0: wires; s_axis_tready = grant, which is a register of hwa_fifo
//   interval  1
//   tlast     none: frames are counted at the edge of the design
//   must not  drop grant without a take

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_issue #(
    // Payload width in bits.
    parameter integer DATA_W = 8
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

    input  wire              grant,
    output wire              take,

    output wire              out_valid,
    output wire [DATA_W-1:0] out_data
);

    initial if (DATA_W < 1) begin
        $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
        $finish;
    end

    wire fire = s_axis_tvalid && grant;

    assign s_axis_tready = grant;
    assign take          = fire;
    assign out_valid     = fire;
    assign out_data      = s_axis_tdata;

    // No state: the clock is there so that all modules of a segment connect alike.
    wire unused = &{1'b0, clk, rst};

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(0)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (s_axis_tvalid && s_axis_tready),
        .push_data (s_axis_tdata),
        .pop       (out_valid),
        .pop_data  (out_data),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    reg f_stuck_q, f_reset_q, f_cut_q = 1'b0;

    always @(posedge clk) begin
        f_reset_q <= rst;
        if (f_stuck_q && rst) f_cut_q <= 1'b1;
        f_stuck_q <= s_axis_tvalid && !grant && !rst;
    end

    initial assume (rst);
    always @* if (!rst) begin
        // Its output is a pipe, which never waits: of the handshake, the rule of reset is left.
        p_reset: assert (!f_reset_q || !out_valid);

        // The contract: a credit for each beat, and no beat or credit waits for nothing.
        assert (take == out_valid);
        assert (take == (s_axis_tvalid && grant));
        assert (s_axis_tready == grant);

        // A story: stuck without a credit, then fired.
        cover (f_stuck_q && out_valid);
        // A reset while a beat is on offer, then another beat.
        c_reset: cover (f_cut_q && out_valid);
    end
`endif

endmodule

`resetall
