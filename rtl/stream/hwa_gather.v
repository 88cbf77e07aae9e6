// hwa_gather: takes frames from several streams, in turn, into one.
//
//   function  frame n comes from input n mod INPUTS
//   order     as it comes, from every input; the counterpart of hwa_scatter
//   latency   0: wires; m_axis_tvalid = s_axis_tvalid of the input whose turn it is, and its
//             s_axis_tready = m_axis_tready
//   interval  1; the turn changes in the cycle after the last beat of a frame was taken
//   tlast     none: a frame is BEATS beats, counted from reset

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_gather #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Beats in a frame, 1 or more.
    parameter integer BEATS = 4,
    // Number of input streams, 1 or more.
    parameter integer INPUTS = 2
) (
    input  wire                     clk,
    input  wire                     rst,

    input  wire [INPUTS-1:0]        s_axis_tvalid,
    output wire [INPUTS-1:0]        s_axis_tready,
    // The first input in the low bits.
    input  wire [INPUTS*DATA_W-1:0] s_axis_tdata,

    output wire                     m_axis_tvalid,
    input  wire                     m_axis_tready,
    output wire [DATA_W-1:0]        m_axis_tdata
);

    localparam integer COUNT_W = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST = BEATS - 1;
    localparam [INPUTS-1:0] FIRST = 1;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (BEATS < 1) begin
            $display("hwa: %m: BEATS=%0d, must be 1 or more", BEATS);
            $finish;
        end
        if (INPUTS < 1) begin
            $display("hwa: %m: INPUTS=%0d, must be 1 or more", INPUTS);
            $finish;
        end
    end

    // One bit is high: whose turn it is.
    reg [INPUTS-1:0]  turn_q;
    reg [COUNT_W-1:0] count_q;
    reg [DATA_W-1:0]  chosen;

    wire pass = m_axis_tvalid && m_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    // The next one is a place higher, behind the highest comes the first.
    wire [2*INPUTS-1:0] turns = {turn_q, turn_q};

    assign m_axis_tvalid = |(turn_q & s_axis_tvalid);
    assign s_axis_tready = {INPUTS{m_axis_tready}} & turn_q;
    assign m_axis_tdata  = chosen;

    integer i;
    always @* begin
        chosen = {DATA_W{1'b0}};
        for (i = 0; i < INPUTS; i = i + 1)
            chosen = chosen | (s_axis_tdata[i*DATA_W +: DATA_W] & {DATA_W{turn_q[i]}});
    end

    always @(posedge clk) begin
        if (pass) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        if (pass && last) turn_q <= turns[2*INPUTS-2 -: INPUTS];
        if (rst) begin
            count_q <= {COUNT_W{1'b0}};
            turn_q  <= FIRST;
        end
    end

    wire unused = &{1'b0, turns};

`ifdef HWA_FORMAL
    localparam integer F_W = $clog2(BEATS * INPUTS + 1);

    // Beats since the first input had its turn: another way to count.
    reg [F_W-1:0] f_round_q;
    reg           f_stuck_q;

    always @(posedge clk) begin
        if (pass) f_round_q <= (f_round_q == BEATS * INPUTS - 1) ? {F_W{1'b0}} : f_round_q + 1'b1;
        if (m_axis_tvalid && !m_axis_tready && turn_q[INPUTS-1]) f_stuck_q <= 1'b1;
        if (rst) begin
            f_round_q <= {F_W{1'b0}};
            f_stuck_q <= 1'b0;
        end
    end

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    // The beats of the input whose turn it should be come when they leave.
    wire [INPUTS-1:0] f_mine;
    reg  [DATA_W-1:0] f_due;
    integer           f_k;

    always @* begin
        f_due = {DATA_W{1'b0}};
        for (f_k = 0; f_k < INPUTS; f_k = f_k + 1)
            if (f_mine[f_k]) f_due = s_axis_tdata[f_k*DATA_W +: DATA_W];
    end

    hwa_stream_order #(.PART_W(DATA_W), .ROOM(0)) f_order (
        .clk       (clk),
        .rst       (rst),
        .push      (|(s_axis_tvalid & s_axis_tready & f_mine)),
        .push_data (f_due),
        .pop       (pass),
        .pop_data  (m_axis_tdata),
        .held      (),
        .tracked   (),
        .place     (),
        .kth       ()
    );

    genvar f_i;
    generate
        for (f_i = 0; f_i < INPUTS; f_i = f_i + 1) begin : g_check
            assign f_mine[f_i] = f_round_q >= f_i * BEATS && f_round_q < (f_i + 1) * BEATS;

            hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
                .clk    (clk),
                .rst    (rst),
                .tvalid (s_axis_tvalid[f_i]),
                .tready (s_axis_tready[f_i]),
                .tdata  (s_axis_tdata[f_i*DATA_W +: DATA_W])
            );

            always @* if (!rst) begin
                // Helper: two ways to count.
                assert (!f_mine[f_i] || f_round_q == f_i * BEATS + count_q);
            end
        end
    endgenerate

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: a beat is seen at once where its turn is, and waits elsewhere.
        p_loss: assert (m_axis_tvalid == |(s_axis_tvalid & f_mine));
        assert (s_axis_tready == ({INPUTS{m_axis_tready}} & f_mine));

        // Helpers: the two ways to count agree.
        assert (turn_q == f_mine);
        assert (f_round_q < BEATS * INPUTS && count_q < BEATS);

        // A story: the last input is stalled, and the first one has its turn again.
        cover (f_stuck_q && turn_q[0] && pass);
    end
`endif

endmodule

`resetall
