// hwa_link_tx: the end of a link that sends words to another device and holds the credits for them.
//
//   function  a word is taken while a credit is there, and put on the link; each word costs one
//             credit, each cycle with link_credit brings one back. The credits are the places of
//             hwa_link_rx at the other end, so a word never comes where there is no place for it
//             and no ready has to travel.
//   order     as it comes
//   latency   1: a word is taken in cycle t and on the link in cycle t + 1
//   credits   CREDITS after reset; one less in the cycle after a word was taken, one more in the
//             cycle after link_credit; s_axis_tready = credits != 0
//   interval  1
//   tlast     none: frames are counted at the edge of the design
//   must not  raise link_credit more often than words were sent

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_link_tx #(
    // Width of a word in bits.
    parameter integer DATA_W = 8,
    // Places at the other end, 1 or more.
    parameter integer CREDITS = 4
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

    output wire              link_valid,
    output wire [DATA_W-1:0] link_data,
    input  wire              link_credit
);

    localparam integer COUNT_W = $clog2(CREDITS + 1);

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

    reg [COUNT_W-1:0] credits_q;
    reg [DATA_W-1:0]  data_q;
    reg               valid_q;

    wire send = s_axis_tvalid && s_axis_tready;

    assign s_axis_tready = credits_q != {COUNT_W{1'b0}};
    assign link_valid    = valid_q;
    assign link_data     = data_q;

    always @(posedge clk) begin
        if (send) data_q <= s_axis_tdata;
    end

    always @(posedge clk) begin
        valid_q <= send;
        // A credit that comes with a word that goes changes nothing.
        if (send && !link_credit) credits_q <= credits_q - 1'b1;
        if (link_credit && !send) credits_q <= credits_q + 1'b1;
        if (rst) begin
            valid_q   <= 1'b0;
            credits_q <= CREDITS[COUNT_W-1:0];
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

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(1)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (send),
        .push_data (s_axis_tdata),
        .pop       (link_valid),
        .pop_data  (link_data),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    // Words sent whose credit has not come back; none was left; a reset came meanwhile.
    reg [COUNT_W-1:0] f_away_q;
    reg               f_stuck_q, f_reset_q, f_sent_q, f_cut_q = 1'b0;

    always @(posedge clk) begin
        f_away_q  <= f_away_q + send - link_credit;
        f_sent_q  <= send && !rst;
        f_reset_q <= rst;
        if (f_sent_q && rst) f_cut_q <= 1'b1;
        if (s_axis_tvalid && !s_axis_tready) f_stuck_q <= 1'b1;
        if (rst) begin
            f_away_q  <= {COUNT_W{1'b0}};
            f_stuck_q <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The environment: a credit belongs to a word that was sent.
        assume (!link_credit || f_away_q != 0);

        // The output is a wire to another device: of the handshake, the rule of reset is left.
        p_reset: assert (!f_reset_q || !link_valid);
        // A word is on the link in the cycle after it was taken, and in no other.
        p_loss: assert (link_valid == (f_held != 0));
        assert (link_valid == f_sent_q);

        // The contract: never more words away than there are places, and none waits for nothing.
        assert (f_away_q <= CREDITS);
        assert (s_axis_tready == (f_away_q < CREDITS));

        // Helpers: two ways to count, and the word on the link.
        assert (credits_q + f_away_q == CREDITS);
        assert (f_held <= 1 && (!f_tracked || f_place == 0));
        assert (!f_tracked || data_q == f_kth);

        // A story: a word waits for a credit, then goes.
        cover (f_stuck_q && link_valid && f_away_q == CREDITS);
        // A reset while a word is on the link, then another word.
        c_reset: cover (f_cut_q && link_valid);
    end
`endif

endmodule

`resetall
