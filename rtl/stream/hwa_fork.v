// hwa_fork: gives every beat of one stream to several.
//
//   function  each output handshakes exactly once for each input beat, in any order among the
//             outputs; the input is consumed in the cycle in which the last of them does.
//             All outputs share m_axis_tdata, which is the input's data.
//   order     as it comes, on every output
//   latency   0: an output is offered the beat in the cycle in which the input is valid;
//             s_axis_tready depends on m_axis_tready through logic, on purpose
//   interval  1 when all outputs are ready
//   tlast     none: frames are counted at the edge of the design

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_fork #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Number of output streams, 1 or more.
    parameter integer OUTPUTS = 2
) (
    input  wire               clk,
    input  wire               rst,

    input  wire               s_axis_tvalid,
    output wire               s_axis_tready,
    input  wire [DATA_W-1:0]  s_axis_tdata,

    output wire [OUTPUTS-1:0] m_axis_tvalid,
    input  wire [OUTPUTS-1:0] m_axis_tready,
    output wire [DATA_W-1:0]  m_axis_tdata
);

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (OUTPUTS < 1) begin
            $display("hwa: %m: OUTPUTS=%0d, must be 1 or more", OUTPUTS);
            $finish;
        end
    end

    // The outputs that already took the beat which is still at the input.
    reg [OUTPUTS-1:0] done_q;

    assign m_axis_tvalid = {OUTPUTS{s_axis_tvalid}} & ~done_q;
    assign m_axis_tdata  = s_axis_tdata;
    assign s_axis_tready = &(done_q | m_axis_tready);

    always @(posedge clk) begin
        // Remember who took it, until everybody has.
        if (s_axis_tvalid) done_q <= done_q | m_axis_tready;
        if (s_axis_tready) done_q <= {OUTPUTS{1'b0}};
        if (rst) done_q <= {OUTPUTS{1'b0}};
    end

endmodule

`resetall
