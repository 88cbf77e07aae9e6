// hwa_join: lets one beat of each of two streams into a pipe together.
//
//   function  fires in each cycle with both inputs valid and grant; then take and out_valid
//             are high and both inputs are consumed
//   order     beat k of a meets beat k of b
//   latency   0: wires; each tready depends on the other stream's tvalid, and on grant
//   interval  1
//   tlast     none: frames are counted at the edge of the design
//   must not  drop grant without a take

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_join #(
    // Payload width of stream a in bits.
    parameter integer A_W = 8,
    // Payload width of stream b in bits.
    parameter integer B_W = 8
) (
    input  wire           clk,
    input  wire           rst,

    input  wire           s_axis_a_tvalid,
    output wire           s_axis_a_tready,
    input  wire [A_W-1:0] s_axis_a_tdata,

    input  wire           s_axis_b_tvalid,
    output wire           s_axis_b_tready,
    input  wire [B_W-1:0] s_axis_b_tdata,

    input  wire           grant,
    output wire           take,

    output wire           out_valid,
    output wire [A_W-1:0] out_a_data,
    output wire [B_W-1:0] out_b_data
);

    initial begin
        if (A_W < 1) begin
            $display("hwa: %m: A_W=%0d, must be 1 or more", A_W);
            $finish;
        end
        if (B_W < 1) begin
            $display("hwa: %m: B_W=%0d, must be 1 or more", B_W);
            $finish;
        end
    end

    wire fire = s_axis_a_tvalid && s_axis_b_tvalid && grant;

    assign s_axis_a_tready = s_axis_b_tvalid && grant;
    assign s_axis_b_tready = s_axis_a_tvalid && grant;
    assign take            = fire;
    assign out_valid       = fire;
    assign out_a_data      = s_axis_a_tdata;
    assign out_b_data      = s_axis_b_tdata;

    // No state: the clock is there so that all modules of a segment connect alike.
    wire unused = &{1'b0, clk, rst};

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(A_W), .ASSUME(1)) f_check_a (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_a_tvalid),
        .tready (s_axis_a_tready),
        .tdata  (s_axis_a_tdata)
    );

    hwa_stream_check #(.DATA_W(B_W), .ASSUME(1)) f_check_b (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_b_tvalid),
        .tready (s_axis_b_tready),
        .tdata  (s_axis_b_tdata)
    );

    hwa_stream_order #(.PART_W(A_W), .ROOM(0)) f_order_a (
        .clk       (clk),
        .rst       (rst),
        .push      (s_axis_a_tvalid && s_axis_a_tready),
        .push_data (s_axis_a_tdata),
        .pop       (out_valid),
        .pop_data  (out_a_data),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    hwa_stream_order #(.PART_W(B_W), .ROOM(0)) f_order_b (
        .clk       (clk),
        .rst       (rst),
        .push      (s_axis_b_tvalid && s_axis_b_tready),
        .push_data (s_axis_b_tdata),
        .pop       (out_valid),
        .pop_data  (out_b_data),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    reg f_stuck_q, f_alone_q, f_reset_q, f_cut_q = 1'b0;

    always @(posedge clk) begin
        f_reset_q <= rst;
        if (f_stuck_q && rst) f_cut_q <= 1'b1;
        f_alone_q <= s_axis_a_tvalid && !s_axis_b_tvalid && grant && !rst;
        f_stuck_q <= f_alone_q && s_axis_a_tvalid && s_axis_b_tvalid && !grant && !rst;
    end

    initial assume (rst);
    always @* if (!rst) begin
        // Its output is a pipe, which never waits: of the handshake, the rule of reset is left.
        p_reset: assert (!f_reset_q || !out_valid);

        // The contract: both beats and the credit go together, as soon as all three are there.
        assert (take == out_valid);
        assert (take == (s_axis_a_tvalid && s_axis_b_tvalid && grant));
        assert (take == (s_axis_a_tvalid && s_axis_a_tready));
        assert (take == (s_axis_b_tvalid && s_axis_b_tready));

        // A story: a waits alone, then both wait for a credit, then they fire.
        cover (f_stuck_q && out_valid);
        // A reset while both are on offer, then another beat.
        c_reset: cover (f_cut_q && out_valid);
    end
`endif

endmodule

`resetall
