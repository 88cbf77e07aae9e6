// hwa_meet: joins events of several streams: the n-th of all is there when each had its n-th.
//
//   function  all is high when, with this cycle's, every bit of each was high once more than all
//             was before. restart forgets the events that wait for others
//   latency   0: combinational
//   interval  1
//   tlast     none
//   must not  run more than 65,535 events apart

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_meet #(
    // Number of streams, 1 or more.
    parameter integer COUNT = 1
) (
    input  wire             clk,
    input  wire             rst,

    input  wire             restart,
    input  wire [COUNT-1:0] each,
    output wire             all
);

    localparam integer LEAD_W = 16;

    initial begin
        if (COUNT < 1) begin
            $display("hwa: %m: COUNT=%0d, must be 1 or more", COUNT);
            $finish;
        end
    end

    // Streams that are ahead, or come up in this cycle.
    wire [COUNT-1:0] up;

    assign all = &up;

    genvar k;
    generate
        if (COUNT == 1) begin : g_alone
            wire unused = &{1'b0, clk, rst, restart};
            assign up = each;
        end else begin : g_many
            for (k = 0; k < COUNT; k = k + 1) begin : g_lead
                reg [LEAD_W-1:0] lead_q;

                always @(posedge clk) begin
                    if (each[k] && !all) lead_q <= lead_q + 1'b1;
                    if (all && !each[k]) lead_q <= lead_q - 1'b1;
                    if (rst || restart) lead_q <= {LEAD_W{1'b0}};
                end

                assign up[k] = each[k] || lead_q != {LEAD_W{1'b0}};
            end
        end
    endgenerate

endmodule

`resetall
