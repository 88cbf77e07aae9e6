// hwa_tally: the counters of a design behind registers.
//
//   function  cycles counts the cycles of run. frames counts the frames of each stream, stalls the
//             cycles of run in which a beat was offered and not taken. A frame is in when it has
//             ended on every input, out when on every output; done is high as it goes out.
//             held, latency and interval are those of hwa_pace. All but these two wrap around
//   latency   1: a number stands in the cycle after the event
//   interval  1
//   tlast     none
//   must not  see streams in another order than inputs, then outputs, the first in the low bits

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_tally #(
    // Number of input and of output streams, 1 or more each.
    parameter integer INPUTS = 1,
    parameter integer OUTPUTS = 1
) (
    input  wire                           clk,
    input  wire                           rst,

    input  wire                           restart,
    input  wire                           run,
    input  wire                           opened,
    input  wire [INPUTS+OUTPUTS-1:0]      finish,
    input  wire [INPUTS+OUTPUTS-1:0]      tvalid,
    input  wire [INPUTS+OUTPUTS-1:0]      tready,

    input  wire                           clear_cycles,
    input  wire                           clear_in,
    input  wire                           clear_out,
    input  wire                           clear_latency,
    input  wire                           clear_interval,
    input  wire [INPUTS+OUTPUTS-1:0]      clear_frames,
    input  wire [INPUTS+OUTPUTS-1:0]      clear_stalls,

    output wire                           done,
    output wire [63:0]                    cycles,
    output wire [31:0]                    frames_in,
    output wire [31:0]                    frames_out,
    output wire [31:0]                    held,
    output wire [31:0]                    latency,
    output wire [31:0]                    interval,
    output wire [32*(INPUTS+OUTPUTS)-1:0] frames,
    output wire [32*(INPUTS+OUTPUTS)-1:0] stalls
);

    localparam integer STREAMS = INPUTS + OUTPUTS;

    initial begin
        if (INPUTS < 1 || OUTPUTS < 1) begin
            $display("hwa: %m: INPUTS=%0d OUTPUTS=%0d, must be 1 or more", INPUTS, OUTPUTS);
            $finish;
        end
    end

    reg  [63:0] cycles_q;
    reg  [31:0] frames_in_q, frames_out_q;
    wire        accepted;

    assign cycles     = cycles_q;
    assign frames_in  = frames_in_q;
    assign frames_out = frames_out_q;

    always @(posedge clk) begin
        if (run) cycles_q <= cycles_q + 64'd1;
        if (accepted) frames_in_q <= frames_in_q + 32'd1;
        if (done) frames_out_q <= frames_out_q + 32'd1;
        if (rst || clear_cycles) cycles_q <= 64'd0;
        if (rst || clear_in) frames_in_q <= 32'd0;
        if (rst || clear_out) frames_out_q <= 32'd0;
    end

    genvar k;
    generate
        for (k = 0; k < STREAMS; k = k + 1) begin : g_stream
            reg [31:0] frames_q, stalls_q;

            assign frames[32*k +: 32] = frames_q;
            assign stalls[32*k +: 32] = stalls_q;

            always @(posedge clk) begin
                if (finish[k]) frames_q <= frames_q + 32'd1;
                if (run && tvalid[k] && !tready[k]) stalls_q <= stalls_q + 32'd1;
                if (rst || clear_frames[k]) frames_q <= 32'd0;
                if (rst || clear_stalls[k]) stalls_q <= 32'd0;
            end
        end
    endgenerate

    hwa_meet #(.COUNT(INPUTS)) u_in (
        .clk     (clk),
        .rst     (rst),
        .restart (restart),
        .each    (finish[INPUTS-1:0]),
        .all     (accepted)
    );

    hwa_meet #(.COUNT(OUTPUTS)) u_out (
        .clk     (clk),
        .rst     (rst),
        .restart (restart),
        .each    (finish[STREAMS-1:INPUTS]),
        .all     (done)
    );

    hwa_pace u_pace (
        .clk            (clk),
        .rst            (rst),
        .restart        (restart),
        .opened         (opened),
        .done           (done),
        .clear_latency  (clear_latency),
        .clear_interval (clear_interval),
        .held           (held),
        .latency        (latency),
        .interval       (interval)
    );

endmodule

`resetall
