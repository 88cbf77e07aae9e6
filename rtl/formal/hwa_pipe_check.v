// hwa_pipe_check: a pipe puts out what it should, when it should; for proofs only.
//
//   Rule 1    p_valid: out_valid is high in the cycles that lie LATENCY behind one of in_valid,
//             with no reset since, and in no other.
//   Rule 2    p_value: out_data is then the in_data of that cycle.
//
//   function  in_data is what the specification makes of the input, not the input itself
//   stories   a result behind a gap; two in a row that differ
//   order, latency, interval, tlast: none, it only listens
//
// Without HWA_FORMAL the module is empty.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_pipe_check #(
    // Cycles from the input to the output, 1 or more.
    parameter integer LATENCY = 1,
    // Width of the output in bits.
    parameter integer DATA_W = 8
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              in_valid,
    input  wire [DATA_W-1:0] in_data,

    input  wire              out_valid,
    input  wire [DATA_W-1:0] out_data
);

    initial if (LATENCY < 1) begin
        $display("hwa: %m: LATENCY=%0d, must be 1 or more", LATENCY);
        $finish;
    end

`ifdef HWA_FORMAL
    reg [LATENCY:1]        valid_q;
    reg [LATENCY*DATA_W:1] data_q;

    // The output of the cycle before, and whether there was none in the one before that.
    reg                    seen_q, gap_q;
    reg [DATA_W-1:0]       before_q;

    always @(posedge clk) begin
        valid_q  <= {valid_q, in_valid};
        data_q   <= {data_q, in_data};
        seen_q   <= out_valid;
        gap_q    <= seen_q && !out_valid;
        before_q <= out_data;
        if (rst) begin
            valid_q <= {LATENCY{1'b0}};
            seen_q  <= 1'b0;
            gap_q   <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        p_valid: assert (out_valid == valid_q[LATENCY]);
        if (valid_q[LATENCY])
            p_value: assert (out_data == data_q[LATENCY*DATA_W -: DATA_W]);

        c_valid: cover (gap_q && out_valid);
        c_value: cover (seen_q && out_valid && out_data != before_q);
    end
`else
    wire unused = &{1'b0, clk, rst, in_valid, in_data, out_valid, out_data};
`endif

endmodule

`resetall
