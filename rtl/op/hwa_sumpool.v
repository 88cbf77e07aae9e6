// hwa_sumpool: sum pipe, lane by lane.
//
//   function  out[l] = sum over beats first..last of in[l]        l = 0 .. LANES-1
//             signed or not by IN_SIGNED, in and out
//   order     lane 0 in the low bits
//   latency   1 from the beat with in_last to out_valid
//   interval  1; gaps anywhere
//   tlast     none: in_first and in_last frame each reduction
//   must not  start a reduction without in_first; exceed OUT_W bits in any sum

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_sumpool #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one input lane in bits.
    parameter integer IN_W = 8,
    // 1 if the input is signed.
    parameter integer IN_SIGNED = 1,
    // Width of one output lane in bits.
    parameter integer OUT_W = 12
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire                   in_first,
    input  wire                   in_last,
    input  wire [LANES*IN_W-1:0]  in_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    initial begin
        if (LANES < 1 || IN_W < 1 || OUT_W < 1) begin
            $display("hwa: %m: LANES=%0d IN_W=%0d OUT_W=%0d, must be 1 or more",
                     LANES, IN_W, OUT_W);
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
            wire [IN_W-1:0]       x = in_data[l*IN_W +: IN_W];
            wire                  x_sign = (IN_SIGNED != 0) ? x[IN_W-1] : 1'b0;
            wire [IN_W+OUT_W-1:0] x_wide = {{OUT_W{x_sign}}, x};
            reg  [OUT_W-1:0]      sum_q;
            wire                  unused = &{1'b0, x_wide[OUT_W +: IN_W]};

            always @(posedge clk)
                if (in_valid)
                    sum_q <= (in_first ? {OUT_W{1'b0}} : sum_q) + x_wide[OUT_W-1:0];

            assign out_data[l*OUT_W +: OUT_W] = sum_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // A reduction is open: it began since the last reset.
    reg                    f_open_q;
    reg  [LANES*OUT_W-1:0] f_run_q;
    wire [LANES*OUT_W-1:0] f_spec;

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
            wire signed [IN_W:0]       x = {(IN_SIGNED != 0) && in_data[l*IN_W+IN_W-1],
                                            in_data[l*IN_W +: IN_W]};
            wire signed [IN_W+OUT_W:0] x_int = x;

            assign f_spec[l*OUT_W +: OUT_W] = x_int[OUT_W-1:0]
                + (in_first ? {OUT_W{1'b0}} : f_run_q[l*OUT_W +: OUT_W]);

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid && in_last),
                .in_data(f_spec[l*OUT_W +: OUT_W]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate

    // Helper: the sum so far.
    always @* if (!rst && f_open_q) assert (out_data == f_run_q);
`endif

endmodule

`resetall
