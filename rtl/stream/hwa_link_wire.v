// hwa_link_wire: what lies between two devices, as a delay of words one way and credits the other.
//
//   function  a word put in comes out LATENCY cycles later, so does a credit on its way back: a
//             model of boards, cables and transceivers, for simulation
//   order     as it comes
//   latency   LATENCY, both ways
//   interval  1
//   tlast     none: frames are counted at the edge of the design

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_link_wire #(
    // Width of a word in bits.
    parameter integer DATA_W = 8,
    // Cycles from end to end, 1 or more.
    parameter integer LATENCY = 2
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              in_valid,
    input  wire [DATA_W-1:0] in_data,
    output wire              in_credit,

    output wire              out_valid,
    output wire [DATA_W-1:0] out_data,
    input  wire              out_credit
);

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (LATENCY < 1) begin
            $display("hwa: %m: LATENCY=%0d, must be 1 or more", LATENCY);
            $finish;
        end
    end

    // The oldest is at the top.
    reg [LATENCY*DATA_W-1:0] data_q;
    reg [LATENCY-1:0]        valid_q, credit_q;

    wire [(LATENCY+1)*DATA_W-1:0] data_d   = {data_q, in_data};
    wire [LATENCY:0]              valid_d  = {valid_q, in_valid};
    wire [LATENCY:0]              credit_d = {credit_q, out_credit};

    assign out_valid = valid_q[LATENCY-1];
    assign out_data  = data_q[LATENCY*DATA_W-1:(LATENCY-1)*DATA_W];
    assign in_credit = credit_q[LATENCY-1];

    always @(posedge clk) begin
        data_q <= data_d[LATENCY*DATA_W-1:0];
    end

    always @(posedge clk) begin
        valid_q  <= valid_d[LATENCY-1:0];
        credit_q <= credit_d[LATENCY-1:0];
        if (rst) begin
            valid_q  <= {LATENCY{1'b0}};
            credit_q <= {LATENCY{1'b0}};
        end
    end

    // What falls out at the top has arrived.
    wire unused = &{1'b0, data_d[(LATENCY+1)*DATA_W-1:LATENCY*DATA_W], valid_d[LATENCY],
                    credit_d[LATENCY]};

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(LATENCY + 2);

    wire [F_W-1:0]    f_held, f_place;
    wire              f_tracked;
    wire [DATA_W-1:0] f_kth;

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(LATENCY)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (in_valid),
        .push_data (in_data),
        .pop       (out_valid),
        .pop_data  (out_data),
        .held      (f_held),
        .tracked   (f_tracked),
        .place     (f_place),
        .kth       (f_kth)
    );

    // Credits under way, counted at both ends; words older than each place.
    reg [F_W-1:0] f_credits_q;
    reg           f_reset_q, f_cut_q = 1'b0;
    reg [F_W-1:0] f_sum, f_back;
    integer       f_i;

    always @(posedge clk) begin
        f_credits_q <= f_credits_q + out_credit - in_credit;
        f_reset_q   <= rst;
        if (|valid_q && rst) f_cut_q <= 1'b1;
        if (rst) f_credits_q <= {F_W{1'b0}};
    end

    initial assume (rst);
    always @* if (!rst) begin
        f_sum  = {F_W{1'b0}};
        f_back = {F_W{1'b0}};
        for (f_i = LATENCY - 1; f_i >= 0; f_i = f_i - 1) begin
            // Helper: the k-th word sits behind those that came before it.
            assert (!f_tracked || !valid_q[f_i] || f_sum != f_place
                    || data_q[f_i*DATA_W +: DATA_W] == f_kth);
            f_sum  = f_sum + valid_q[f_i];
            f_back = f_back + credit_q[f_i];
        end

        // A wire has no ready: of the handshake, the rule of reset is left.
        p_reset: assert (!f_reset_q || !out_valid && !in_credit);
        // All that is under way is inside, whichever way it goes.
        p_loss: assert (f_held == f_sum);
        assert (f_credits_q == f_back);

        // A story: full of words one way and of credits the other.
        cover (&valid_q && &credit_q && out_valid);
        // A reset while words are under way, then another word.
        c_reset: cover (f_cut_q && out_valid);
    end
`endif

endmodule

`resetall
