// hwa_stream_check: the rules of the AXI-Stream handshake, for proofs only.
//
//   Rule 1    p_reset: a stream is idle in the cycle after one of a reset, also where that goes on.
//   Rule 2    p_handshake: once valid is up it stays, with the same data, until ready takes the
//             beat.
//
//   function  with ASSUME = 1 the solver obeys the rules (put it on the inputs of a module);
//             with 0 they are to be proved (put it on the outputs), and for each a story must be
//             possible: a reset while a beat is on offer, then another beat; a beat taken late
//   order, latency, interval, tlast: none, it only listens; tlast may be part of tdata
//
// Without HWA_FORMAL the module is empty.

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

`ifdef HWA_FORMAL
    // Before the first cycle there was no reset.
    reg              reset_q = 1'b0;
    reg              stalled_q;
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
            always @* assume (rule1);
            always @* if (!rst) assume (rule2);
        end else begin : g_assert
            // A reset was there; another took back an offer. Not reset, so known from the start.
            reg seen_q = 1'b0, cut_q = 1'b0;

            always @(posedge clk) begin
                if (rst) seen_q <= 1'b1;
                if (seen_q && !reset_q && rst && tvalid && !tready) cut_q <= 1'b1;
            end

            always @* p_reset: assert (rule1);
            always @* if (!rst) p_handshake: assert (rule2);
            always @* if (!rst) begin
                c_reset: cover (cut_q && tvalid && tready);
                c_handshake: cover (stalled_q && tvalid && tready);
            end
        end
    endgenerate
`else
    wire unused = &{1'b0, clk, rst, tvalid, tready, tdata};
`endif

endmodule

`resetall
