// hwa_maxpool: maximum pipe, lane by lane.
//
//   function  out[l] = max over beats first..last of in[l]        l = 0 .. LANES-1
//             signed or not by SIGNED, in and out
//   order     lane 0 in the low bits
//   latency   1 from the beat with in_last to out_valid
//   interval  1; gaps anywhere
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_maxpool #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one lane in bits.
    parameter integer W = 8,
    // 1 if the values are signed.
    parameter integer SIGNED = 1
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               in_valid,
    input  wire               in_first,
    input  wire               in_last,
    input  wire [LANES*W-1:0] in_data,

    output wire               out_valid,
    output wire [LANES*W-1:0] out_data
);

    // Inverting the top bit puts signed values in unsigned order.
    localparam [W-1:0] FLIP = {(SIGNED != 0), {(W-1){1'b0}}};

    initial begin
        if (LANES < 1 || W < 1) begin
            $display("hwa: %m: LANES=%0d W=%0d, must be 1 or more", LANES, W);
            $finish;
        end
    end

    reg out_valid_q;

    always @(posedge clk) begin
        out_valid_q <= in_valid && in_last;
        if (rst) out_valid_q <= 1'b0;
    end

    assign out_valid = out_valid_q;

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire [W-1:0] x = in_data[l*W +: W];
            reg  [W-1:0] max_q;

            always @(posedge clk)
                if (in_valid && (in_first || (x ^ FLIP) > (max_q ^ FLIP)))
                    max_q <= x;

            assign out_data[l*W +: W] = max_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // A reduction is open: it began since the last reset.
    reg                    f_open_q;
    reg  [LANES*W-1:0] f_run_q;
    wire [LANES*W-1:0] f_spec;

    always @(posedge clk) begin
        if (in_valid) begin
            f_open_q <= !in_last;
            f_run_q  <= f_spec;
        end
        if (rst) f_open_q <= 1'b0;
    end

    always @* assume (!in_valid || in_first || f_open_q);

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [W:0] x   = {(SIGNED != 0) && in_data[l*W+W-1], in_data[l*W +: W]};
            wire signed [W:0] run = {(SIGNED != 0) && f_run_q[l*W+W-1], f_run_q[l*W +: W]};
            wire signed [W:0] y   = (in_first || x > run) ? x : run;

            assign f_spec[l*W +: W] = y[W-1:0];

            hwa_pipe_check #(.LATENCY(1), .DATA_W(W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid && in_last),
                .in_data(f_spec[l*W +: W]),
                .out_valid(out_valid), .out_data(out_data[l*W +: W])
            );
        end
    endgenerate

    // Helper: the maximum so far.
    always @* if (!rst && f_open_q) assert (out_data == f_run_q);
`endif

endmodule

`resetall
