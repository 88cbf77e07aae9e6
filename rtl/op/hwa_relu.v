// hwa_relu: rectifier pipe.
//
//   function  out[l] = max(in[l], 0)                              l = 0 .. LANES-1
//             signed in, unsigned out
//   order     lane 0 in the low bits
//   latency   1
//   interval  1
//   tlast     none: every beat is on its own
//   must not  exceed OUT_W bits in any result (IN_W - 1 always do)

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_relu #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one input lane in bits.
    parameter integer IN_W = 8,
    // Width of one output lane in bits.
    parameter integer OUT_W = 7
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
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
        out_valid_q <= in_valid;
        if (rst) out_valid_q <= 1'b0;
    end

    assign out_valid = out_valid_q;

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire [IN_W-1:0]       x = in_data[l*IN_W +: IN_W];
            wire [IN_W+OUT_W-1:0] x_wide = {{OUT_W{1'b0}}, x};
            reg  [OUT_W-1:0]      out_q;
            wire                  unused = &{1'b0, x_wide[OUT_W +: IN_W]};

            always @(posedge clk)
                out_q <= x[IN_W-1] ? {OUT_W{1'b0}} : x_wide[OUT_W-1:0];

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [IN_W+OUT_W-1:0] x = $signed(in_data[l*IN_W +: IN_W]);
            wire signed [IN_W+OUT_W-1:0] y = (x > 0) ? x : 0;

            hwa_pipe_check #(.LATENCY(1), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate
`endif

endmodule

`resetall
