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

`ifdef HWA_FORMAL
    // The events of each stream and of all since the reset, modulo 2^LEAD_W.
    reg  [COUNT*LEAD_W-1:0] f_each_q;
    reg  [LEAD_W-1:0]       f_all_q;
    wire [COUNT-1:0]        f_more;
    reg                     f_late_q;

    always @(posedge clk) begin
        if (all) f_all_q <= f_all_q + 1'b1;
        // The first stream waited for the last one.
        f_late_q <= f_each_q[LEAD_W-1:0] != f_all_q && !all && !rst && !restart;
        if (rst || restart) f_all_q <= {LEAD_W{1'b0}};
    end

    generate
        for (k = 0; k < COUNT; k = k + 1) begin : g_formal
            wire [LEAD_W-1:0] n = f_each_q[k*LEAD_W +: LEAD_W];

            always @(posedge clk) begin
                if (each[k]) f_each_q[k*LEAD_W +: LEAD_W] <= n + 1'b1;
                if (rst || restart) f_each_q[k*LEAD_W +: LEAD_W] <= {LEAD_W{1'b0}};
            end

            assign f_more[k] = each[k] || n != f_all_q;

            // No stream runs so far ahead that the counts come round.
            always @* assume (n - f_all_q != {LEAD_W{1'b1}});

            // Helper: two ways to count.
            if (COUNT > 1) begin : g_helper
                always @* if (!rst) assert (g_many.g_lead[k].lead_q == n - f_all_q);
            end else begin : g_helper
                always @* if (!rst) assert (n == f_all_q);
            end
        end
    endgenerate

    initial assume (rst);
    always @* if (!rst) begin
        p_value: assert (all == &f_more);

        // A story: the first stream waits for the last one.
        c_value: cover (COUNT == 1 || (f_late_q && all && each[COUNT-1]));
    end
`endif

endmodule

`resetall
