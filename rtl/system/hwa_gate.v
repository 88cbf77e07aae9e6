// hwa_gate: lets frames into a design while it is enabled, and only whole ones.
//
//   function  A frame may begin while enable is high, or when another input has begun its own.
//             Once offered it passes to its last beat, whatever enable does. restart forgets the
//             frame that is under way; with resync an input that was inside one then drops
//             beats, to the next tlast and with it. Data do not come by here
//   order     as it comes
//   latency   0: wires
//   interval  1
//   tlast     in: the source's, only used by resync; frames are counted, BEATS beats each
//   outputs   begun, the frame under way was offered; calls, and no input has a beat of it through;
//             opens, the first beat of any input of a frame passes; finish, the last beat passes;
//             skipping, beats drop

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_gate #(
    // Beats in a frame, 1 or more.
    parameter integer BEATS = 4,
    // 1 when there are other inputs.
    parameter integer SHARED = 0
) (
    input  wire clk,
    input  wire rst,

    input  wire restart,
    input  wire resync,
    input  wire enable,
    // Some input calls for a frame; some input opens one.
    input  wire called,
    input  wire opened,

    output wire begun,
    output wire calls,
    output wire opens,
    output wire finish,
    output wire skipping,

    input  wire s_axis_tvalid,
    output wire s_axis_tready,
    input  wire s_axis_tlast,

    output wire m_axis_tvalid,
    input  wire m_axis_tready
);

    localparam integer COUNT_W = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST = BEATS - 1;
    // Frames that one input may be behind another; no design holds so many.
    localparam integer LAG_W = 16;

    initial begin
        if (BEATS < 1) begin
            $display("hwa: %m: BEATS=%0d, must be 1 or more", BEATS);
            $finish;
        end
        if (SHARED != 0 && SHARED != 1) begin
            $display("hwa: %m: SHARED=%0d, must be 0 or 1", SHARED);
            $finish;
        end
    end

    reg [COUNT_W-1:0] count_q;
    // Offered; inside a frame of the source; dropping its rest; one more cycle after a restart.
    reg               begun_q, inside_q, skip_q, shut_q;
    // Frames that others have begun and this one has not.
    wire [LAG_W-1:0]  lag;

    wire behind = lag != {LAG_W{1'b0}};
    wire may  = enable || begun_q || behind || called;
    wire open = may && !skip_q && !shut_q && !restart;
    wire take = s_axis_tvalid && s_axis_tready;
    wire pass = m_axis_tvalid && m_axis_tready;
    wire last = count_q == LAST[COUNT_W-1:0];

    assign m_axis_tvalid = s_axis_tvalid && open;
    assign s_axis_tready = (m_axis_tready && open) || (skip_q && !restart);

    wire first = pass && count_q == {COUNT_W{1'b0}};

    assign begun    = begun_q;
    assign calls    = begun_q && count_q == {COUNT_W{1'b0}} && !behind;
    assign opens    = first && !behind;
    assign finish   = pass && last;
    assign skipping = skip_q;

    always @(posedge clk) begin
        if (m_axis_tvalid) begun_q <= !finish;
        if (pass) count_q <= last ? {COUNT_W{1'b0}} : count_q + 1'b1;
        if (rst || restart) begin
            begun_q <= 1'b0;
            count_q <= {COUNT_W{1'b0}};
        end
    end

    always @(posedge clk) begin
        shut_q <= restart;
        if (take) begin
            inside_q <= !s_axis_tlast;
            if (s_axis_tlast) skip_q <= 1'b0;
        end
        if (restart) begin
            inside_q <= inside_q && resync;
            skip_q   <= inside_q && resync;
        end
        if (rst) begin
            shut_q   <= 1'b1;
            inside_q <= 1'b0;
            skip_q   <= 1'b0;
        end
    end

    generate
        if (SHARED == 1) begin : g_shared
            reg [LAG_W-1:0] lag_q;

            always @(posedge clk) begin
                if (opened && !first) lag_q <= lag_q + 1'b1;
                if (first && !opened) lag_q <= lag_q - 1'b1;
                if (rst || restart) lag_q <= {LAG_W{1'b0}};
            end

            assign lag = lag_q;
        end else begin : g_alone
            wire unused = &{1'b0, opened};
            assign lag = {LAG_W{1'b0}};
        end
    endgenerate

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(1), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tlast)
    );

    // Behind the gate a restart is a reset.
    hwa_stream_check #(.DATA_W(1), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst || restart),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (s_axis_tlast)
    );

    // Beats that the frame still wants; frames begun here and anywhere, as far as they differ;
    // the source is inside a frame; the rest of that one is to be dropped.
    reg [COUNT_W:0] f_left_q;
    reg [LAG_W-1:0] f_ahead_q;
    reg             f_inside_q, f_drop_q, f_offered_q, f_stopped_q, f_dropped_q;
    wire            f_first = pass && f_left_q == BEATS;

    always @(posedge clk) begin
        if (pass) f_left_q <= (f_left_q == 1) ? BEATS : f_left_q - 1'b1;
        if (SHARED == 1) f_ahead_q <= f_ahead_q + opened - f_first;
        if (take) f_inside_q <= !s_axis_tlast;
        if (take && s_axis_tlast) f_drop_q <= 1'b0;
        f_offered_q <= m_axis_tvalid && !m_axis_tready;
        f_stopped_q <= (f_stopped_q || (f_left_q != BEATS && !enable)) && !finish;
        f_dropped_q <= f_dropped_q || (f_drop_q && take);
        if (restart) begin
            f_drop_q   <= f_inside_q && resync;
            f_inside_q <= f_inside_q && resync;
        end
        if (rst || restart) begin
            f_left_q    <= BEATS;
            f_ahead_q   <= {LAG_W{1'b0}};
            f_offered_q <= 1'b0;
            f_stopped_q <= 1'b0;
        end
        if (rst) begin
            f_inside_q  <= 1'b0;
            f_drop_q    <= 1'b0;
            f_dropped_q <= 1'b0;
        end
    end

    // Who is in front calls and opens; no design lets an input run ahead without end.
    always @* assume ((!opens || opened) && (!calls || called));
    always @* assume (SHARED == 1 || (opened == opens && called == calls));
    always @* assume (f_ahead_q != {LAG_W{1'b1}});

    wire f_may = enable || called || f_left_q != BEATS || f_offered_q || f_ahead_q != 0;

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: what passes is what was taken, but for the rest of a cut frame.
        p_double: assert (!pass || (take && !f_drop_q));
        p_loss: assert (pass || !take || f_drop_q);
        assert (!restart || !take);
        // No frame begins without leave, and none waits that has it.
        assert (!m_axis_tvalid || f_may);
        assert (m_axis_tvalid || !(s_axis_tvalid && f_may) || f_drop_q || restart || shut_q);
        // The strobes are those of the frames.
        assert (opens == (f_first && f_ahead_q == {LAG_W{1'b0}}));
        assert (calls == (f_offered_q && f_left_q == BEATS && f_ahead_q == 0));
        assert (finish == (pass && f_left_q == 1));
        assert (skipping == f_drop_q);
        assert (begun == (f_left_q != BEATS || f_offered_q));

        // Helper: two ways to count, and what is remembered twice.
        assert (f_left_q >= 1 && f_left_q + count_q == BEATS);
        assert (inside_q == f_inside_q && skip_q == f_drop_q);
        assert (lag == f_ahead_q);

        // Stories: a frame passes that was stopped inside; one passes after a cut one was dropped;
        // while all is stopped, one begins that others have begun, or that others only offer.
        cover (f_stopped_q && finish);
        cover (f_dropped_q && finish);
        cover (SHARED == 0 || (f_first && !enable && f_ahead_q != 0));
        cover (SHARED == 0 || (f_first && !enable && f_ahead_q == 0 && called && !calls));
    end
`endif

endmodule

`resetall
