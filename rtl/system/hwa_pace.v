// hwa_pace: measures the latency of a frame and the interval between frames, in cycles.
//
//   function  latency is the time from the cycle of opened to that of the done of the same frame.
//             One frame is measured at a time: the next to open when the last measurement is over.
//             interval is the time between the last two cycles of done.
//             held is the number of frames opened and not yet done. Times stop at 2**32 - 1
//   latency   1: the numbers stand in the cycle after done
//   interval  1
//   tlast     none
//   must not  see done more often than opened

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_pace (
    input  wire        clk,
    input  wire        rst,

    input  wire        restart,
    // A frame begins; a frame ends.
    input  wire        opened,
    input  wire        done,
    // Back to zero; a measurement under way goes on.
    input  wire        clear_latency,
    input  wire        clear_interval,

    output wire [31:0] held,
    output wire [31:0] latency,
    output wire [31:0] interval
);

    localparam [31:0] MOST = 32'hffff_ffff;

    // Frames to be done before the one that is measured.
    reg [31:0] held_q, before_q;
    reg [31:0] age_q, latency_q;
    reg [31:0] since_q, interval_q;
    reg        measuring_q, seen_q;

    wire ends   = measuring_q && done && before_q == 32'd0;
    wire begins = opened && (!measuring_q || ends);

    assign held     = held_q;
    assign latency  = latency_q;
    assign interval = interval_q;

    always @(posedge clk) begin
        if (opened && !done) held_q <= held_q + 32'd1;
        if (done && !opened) held_q <= held_q - 32'd1;
        if (rst || restart) held_q <= 32'd0;
    end

    always @(posedge clk) begin
        if (age_q != MOST) age_q <= age_q + 32'd1;
        if (done) before_q <= before_q - 32'd1;
        if (ends) begin
            latency_q   <= age_q;
            measuring_q <= 1'b0;
        end
        if (begins) begin
            age_q       <= 32'd1;
            before_q    <= held_q - {31'd0, done};
            measuring_q <= 1'b1;
        end
        if (clear_latency) latency_q <= 32'd0;
        if (rst || restart) measuring_q <= 1'b0;
        if (rst) latency_q <= 32'd0;
    end

    always @(posedge clk) begin
        if (since_q != MOST) since_q <= since_q + 32'd1;
        if (done) begin
            since_q <= 32'd1;
            seen_q  <= 1'b1;
            if (seen_q) interval_q <= since_q;
        end
        if (clear_interval) interval_q <= 32'd0;
        if (rst || restart || clear_interval) seen_q <= 1'b0;
        if (rst) interval_q <= 32'd0;
    end

endmodule

`resetall
