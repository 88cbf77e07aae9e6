// hwa_stream_check: the rules of the AXI-Stream handshake, for proofs only.
//
//   Rule 1    a stream is idle in the cycle after a reset.
//   Rule 2    once valid is up it stays, with the same data, until ready takes the beat.
//
//   function  with ASSUME = 1 the solver obeys the rules (put it on the inputs of a module);
//             with 0 they are to be proved (put it on the outputs)
//   order, latency, interval, tlast: none, it only listens; tlast may be part of tdata
//
// Without FORMAL the module is empty.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_stream_check #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // 1 to assume the rules, 0 to assert them.
    parameter integer ASSUME = 0
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              tvalid,
    input  wire              tready,
    input  wire [DATA_W-1:0] tdata
);

    initial if (ASSUME != 0 && ASSUME != 1) begin
        $display("hwa: %m: ASSUME=%0d, must be 0 or 1", ASSUME);
        $finish;
    end

`ifdef FORMAL
    reg              reset_q, stalled_q;
    reg [DATA_W-1:0] data_q;

    always @(posedge clk) begin
        reset_q   <= rst;
        stalled_q <= tvalid && !tready && !rst;
        data_q    <= tdata;
    end

    wire rule1 = !reset_q || !tvalid;
    wire rule2 = !stalled_q || (tvalid && tdata == data_q);

    generate
        if (ASSUME == 1) begin : g_assume
            always @* if (!rst) begin
                assume (rule1);
                assume (rule2);
            end
        end else begin : g_assert
            always @* if (!rst) begin
                assert (rule1);
                assert (rule2);
            end
        end
    endgenerate
`else
    wire unused = &{1'b0, clk, rst, tvalid, tready, tdata};
`endif

endmodule

`resetall
