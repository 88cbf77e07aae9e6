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

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    // The beat at the input was there in the cycle before.
    reg f_old_q;
    // The last output took its beat cycles after the first one did.
    reg f_late_q;

    // The outputs that have had the beat, or have it now.
    wire [OUTPUTS-1:0] f_served;

    always @(posedge clk) begin
        f_old_q  <= s_axis_tvalid && !s_axis_tready && !rst;
        f_late_q <= done_q[0] && !m_axis_tready[OUTPUTS-1] && !rst;
    end

    genvar f_i;
    generate
        for (f_i = 0; f_i < OUTPUTS; f_i = f_i + 1) begin : g_formal
            wire [1:0]        f_held;
            wire              f_tracked;
            wire [DATA_W-1:0] f_kth;
            wire              f_pop = m_axis_tvalid[f_i] && m_axis_tready[f_i];

            hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
                .clk    (clk),
                .rst    (rst),
                .tvalid (m_axis_tvalid[f_i]),
                .tready (m_axis_tready[f_i]),
                .tdata  (m_axis_tdata)
            );

            // A beat comes when it is first offered, for it may leave before it is consumed.
            hwa_stream_order #(.PART_W(DATA_W), .ROOM(1)) f_order (
                .clk       (clk),
                .rst       (rst),
                .push      (s_axis_tvalid && !f_old_q),
                .push_data (s_axis_tdata),
                .pop       (f_pop),
                .pop_data  (m_axis_tdata),
                .held      (f_held),
                .tracked   (f_tracked),
                .place     (),
                .kth       (f_kth)
            );

            assign f_served[f_i] = f_pop || (f_old_q && f_held == 0);

            always @* if (!rst) begin
                // Helpers: who still owes a handshake, and for what.
                assert (f_held == (f_old_q && !done_q[f_i]));
                assert (!done_q[f_i] || f_old_q);
                assert (!f_tracked || f_kth == s_axis_tdata);
            end
        end
    endgenerate

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: the input is consumed with the last output, not before, not later.
        p_loss: assert (!s_axis_tvalid || s_axis_tready == &f_served);

        // A story: the first output is done, the last one stalls, then the beat is consumed.
        cover (f_late_q && s_axis_tvalid && s_axis_tready);
    end
`endif

endmodule

`resetall
