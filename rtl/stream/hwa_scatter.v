// hwa_scatter: deals the frames of one stream out to several, in turn.
//
//   function  frame n goes to output n mod OUTPUTS; all outputs share m_axis_tdata, which is the
//             input's data
//   order     as it comes, on every output
//   latency   0: wires; m_axis_tvalid of the output whose turn it is = s_axis_tvalid, and
//             s_axis_tready = its m_axis_tready
//   interval  1; the turn changes in the cycle after the last beat of a frame was taken
//   tlast     none: a frame is BEATS beats, counted from reset

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_scatter #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Beats in a frame, 1 or more.
    parameter integer BEATS = 4,
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

    localparam integer COUNT_W = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST = BEATS - 1;
    localparam [OUTPUTS-1:0] FIRST = 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (BEATS < 1) begin
            $display("hwa: %m: BEATS=%0d, must be 1 or more", BEATS);
            $finish;
        end
        if (OUTPUTS < 1) begin
            $display("hwa: %m: OUTPUTS=%0d, must be 1 or more", OUTPUTS);
            $finish;
        end
    end

    // One bit is high: whose turn it is.
    reg [OUTPUTS-1:0] turn_q;
    reg [COUNT_W-1:0] count_q;

    wire pass = s_axis_tvalid && s_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    // The next one is a place higher, behind the highest comes the first.
    wire [2*OUTPUTS-1:0] turns = {turn_q, turn_q};

    assign m_axis_tvalid = {OUTPUTS{s_axis_tvalid}} & turn_q;
    assign m_axis_tdata  = s_axis_tdata;
    assign s_axis_tready = |(turn_q & m_axis_tready);

    always @(posedge clk) begin
        if (pass) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        if (pass && last) turn_q <= turns[2*OUTPUTS-2 -: OUTPUTS];
        if (rst) begin
            count_q <= {COUNT_W{1'b0}};
            turn_q  <= FIRST;
        end
    end

    wire unused = &{1'b0, turns};

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(BEATS * OUTPUTS + 1);

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    // Beats since the first output had its turn: another way to count.
    reg [F_W-1:0] f_round_q;
    reg           f_stuck_q;

    always @(posedge clk) begin
        if (pass) f_round_q <= (f_round_q == BEATS * OUTPUTS - 1) ? {F_W{1'b0}} : f_round_q + 1'b1;
        if (s_axis_tvalid && !s_axis_tready && turn_q[OUTPUTS-1]) f_stuck_q <= 1'b1;
        if (rst) begin
            f_round_q <= {F_W{1'b0}};
            f_stuck_q <= 1'b0;
        end
    end

    wire [OUTPUTS-1:0] f_mine;

    genvar f_i;
    generate
        for (f_i = 0; f_i < OUTPUTS; f_i = f_i + 1) begin : g_check
            assign f_mine[f_i] = f_round_q >= f_i * BEATS && f_round_q < (f_i + 1) * BEATS;

            hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
                .clk    (clk),
                .rst    (rst),
                .tvalid (m_axis_tvalid[f_i]),
                .tready (m_axis_tready[f_i]),
                .tdata  (m_axis_tdata)
            );

            // What belongs to this output comes when it is consumed, and leaves then.
            hwa_stream_order #(.PART_W(DATA_W), .ROOM(0)) f_order (
                .clk       (clk),
                .rst       (rst),
                .push      (pass && f_mine[f_i]),
                .push_data (s_axis_tdata),
                .pop       (m_axis_tvalid[f_i] && m_axis_tready[f_i]),
                .pop_data  (m_axis_tdata),
                .held      (),
                .tracked   (),
                .place     (),
                .kth       ()
            );

            always @* if (!rst) begin
                assert (!f_mine[f_i] || s_axis_tready == m_axis_tready[f_i]);
                // Helper: two ways to count.
                assert (!f_mine[f_i] || f_round_q == f_i * BEATS + count_q);
            end
        end
    endgenerate

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: a beat is seen at once, where its turn is and nowhere else.
        p_loss: assert (m_axis_tvalid == ({OUTPUTS{s_axis_tvalid}} & f_mine));

        // Helpers: the two ways to count agree.
        assert (turn_q == f_mine);
        assert (f_round_q < BEATS * OUTPUTS && count_q < BEATS);

        // A story: the last output stalls, and the first one has its turn again.
        cover (f_stuck_q && turn_q[0] && pass);
    end
`endif

endmodule

`resetall
