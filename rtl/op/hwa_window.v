// hwa_window: the issuer that buffers a tensor and reads it back in window order.
//
//   function  input beats go into a ring of DEPTH beats and are read back in the order
//               for oy, ox:  for group:  for repeat:  for ky, kx:  for g in 0 .. GROUP_BEATS-1
//                 beat (oy*SY - PT + ky*DY,  ox*SX - PL + kx*DX,  group*GROUP_BEATS + g)
//             of the image, or PAD in every lane where that is outside. out_first and out_last
//             are the first and last beat of each (ky, kx, g), which uses one credit. With STEPS,
//             only some beats are read: for each (oy, ox) those of the list ORDER, in its order.
//   order     in: pixel by pixel in row order, GROUPS*GROUP_BEATS beats each; out: as above
//   latency   2 from fire to out_valid
//   interval  1; in cycle t, with accepted, fired and freed counting cycles before t,
//               s_axis_tready  accepted - freed < DEPTH                          (a register)
//               fire           (index of the beat < accepted, or outside, with that of the first
//                              beat of the frame) and (not the last of its reduction, or grant)
//               take           fire, and the last of its reduction
//             where index counts the beats of all frames, and freed, after a fire that ends
//             output pixel (oy, ox), is the index of the first beat of the first corner
//             (max(0, oy'*SY - PT), max(0, ox'*SX - PL)) inside the image of the pixels that
//             come later in the frame: the smallest one; of the next frame if there is none.
//             With STEPS, nothing fires before cycle 3 after reset.
//             So freed may run ahead of accepted; such beats are accepted and never read.
//   tlast     none: frames follow from the counts
//   must not  be so shallow that a pixel waits for ever: DEPTH must be at least the maximum over
//             output pixels of (largest index the pixel reads) + 1 - (freed before the pixel).
//             Have no tap of any window inside the image.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_window #(
    // Width of a beat in bits.
    parameter integer DATA_W = 8,
    // Lanes in a beat; DATA_W is a multiple of it.
    parameter integer LANES = 1,
    // Beats in the ring, 1 or more.
    parameter integer DEPTH = 6,
    // Image height in pixels.
    parameter integer IN_H = 4,
    // Image width in pixels.
    parameter integer IN_W = 4,
    // Groups of channels in a pixel.
    parameter integer GROUPS = 1,
    // Beats in a group.
    parameter integer GROUP_BEATS = 1,
    // Passes over a group.
    parameter integer REPEAT = 1,
    // Kernel height in taps.
    parameter integer KH = 2,
    // Kernel width in taps.
    parameter integer KW = 2,
    // Pixels from one window down to the next.
    parameter integer SY = 1,
    // Pixels from one window right to the next.
    parameter integer SX = 1,
    // Pixels from one tap down to the next.
    parameter integer DY = 1,
    // Pixels from one tap right to the next.
    parameter integer DX = 1,
    // Padding at the top in pixels; that at the bottom follows from OUT_H.
    parameter integer PT = 0,
    // Padding at the left in pixels; that at the right follows from OUT_W.
    parameter integer PL = 0,
    // Output height in pixels.
    parameter integer OUT_H = 3,
    // Output width in pixels.
    parameter integer OUT_W = 3,
    // One lane outside the image, in its low DATA_W/LANES bits.
    parameter [63:0] PAD = 64'd0,
    // Beats that are read for an output pixel; 0 for all.
    parameter integer STEPS = 0,
    // With STEPS, the index of the first one when the pixel is (0, 0) and nothing is padded.
    parameter integer FIRST = 0,
    // With STEPS, what hwa_window_list says.
    parameter integer BACK = 0,
    // With STEPS, what hwa_window_list says.
    parameter integer STEP_W = 1,
    // With STEPS, what hwa_window_list says.
    parameter integer TAP_Y_W = 0,
    // With STEPS, what hwa_window_list says.
    parameter integer TAP_X_W = 0,
    // With STEPS, hex file of the list.
    parameter ORDER = ""
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

    input  wire              grant,
    output wire              take,

    output wire              out_valid,
    output wire              out_first,
    output wire              out_last,
    output wire [DATA_W-1:0] out_data
);

    localparam integer LANE_W = DATA_W / LANES;
    localparam integer PIXEL = GROUPS * GROUP_BEATS;
    localparam integer FRAME = IN_H * IN_W * PIXEL;
    // The index of the first tap, 0 or less, and the largest that occurs in a frame.
    localparam integer CORNER = -(PT * IN_W + PL) * PIXEL;
    localparam integer START = CORNER + FIRST;
    localparam integer REACH = CORNER + PIXEL
        + (((OUT_H - 1) * SY + (KH - 1) * DY) * IN_W + (OUT_W - 1) * SX + (KW - 1) * DX) * PIXEL;
    // Room for every distance between accepted, freed and index.
    localparam integer COUNT_W = $clog2(2 * FRAME + DEPTH - CORNER
        + ((REACH > 0) ? REACH : 0) + 1) + 1;

    localparam integer ADDR_W = (DEPTH > 1) ? $clog2(DEPTH) : 1;
    localparam integer LAST_PLACE = DEPTH - 1;

    initial begin
        if (DATA_W < 1 || LANES < 1 || LANE_W * LANES != DATA_W || LANE_W > 64) begin
            $display("hwa: %m: DATA_W=%0d LANES=%0d, must be 1 to 64 bits a lane, same for all",
                     DATA_W, LANES);
            $finish;
        end
        if (COUNT_W > 31) begin
            $display("hwa: %m: COUNT_W=%0d, must be 31 or less: the frame is too large", COUNT_W);
            $finish;
        end
    end

    // The beat at hand.
    wire                ready, first, last, done, ends, pad;
    wire [COUNT_W-1:0]  minus_step, minus_freed;
    wire [ADDR_W-1:0]   hop;
    wire                fire;

    generate
        if (STEPS == 0) begin : g_all
            assign ready = 1'b1;

            hwa_window_order #(
                .DEPTH(DEPTH), .COUNT_W(COUNT_W), .IN_H(IN_H), .IN_W(IN_W),
                .GROUPS(GROUPS), .GROUP_BEATS(GROUP_BEATS), .REPEAT(REPEAT),
                .KH(KH), .KW(KW), .SY(SY), .SX(SX), .DY(DY), .DX(DX), .PT(PT), .PL(PL),
                .OUT_H(OUT_H), .OUT_W(OUT_W)
            ) walk (
                .clk         (clk),
                .rst         (rst),
                .advance     (fire),
                .first       (first),
                .last        (last),
                .done        (done),
                .ends        (ends),
                .pad         (pad),
                .minus_step  (minus_step),
                .hop         (hop),
                .minus_freed (minus_freed)
            );
        end else begin : g_some
            hwa_window_list #(
                .DEPTH(DEPTH), .COUNT_W(COUNT_W), .IN_H(IN_H), .IN_W(IN_W), .PIXEL(PIXEL),
                .SY(SY), .SX(SX), .PT(PT), .PL(PL), .OUT_H(OUT_H), .OUT_W(OUT_W),
                .STEPS(STEPS), .BACK(BACK), .STEP_W(STEP_W),
                .TAP_Y_W(TAP_Y_W), .TAP_X_W(TAP_X_W), .ORDER(ORDER)
            ) walk (
                .clk         (clk),
                .rst         (rst),
                .advance     (fire),
                .ready       (ready),
                .first       (first),
                .last        (last),
                .done        (done),
                .ends        (ends),
                .pad         (pad),
                .minus_step  (minus_step),
                .hop         (hop),
                .minus_freed (minus_freed)
            );
        end
    endgenerate

    // lead = accepted - index - 1 of the beat at hand: it has arrived when that is not negative.
    // held = accepted - freed - DEPTH: the next beat has a place when that is negative.
    localparam integer LEAD_START = -START - 1;
    localparam integer HELD_START = -DEPTH;

    reg [COUNT_W-1:0] lead_q;
    reg [COUNT_W-1:0] held_q;

    // Padding waits for the first beat of its frame, so no result leaves before its frame came.
    // Until then nothing of the frame is freed, and held tells whether one has been accepted.
    wire signed [COUNT_W-1:0] held  = held_q;
    wire signed [COUNT_W-1:0] empty = HELD_START[COUNT_W-1:0];
    reg                       begun_q;
    wire                      begun = begun_q || (held > empty);

    always @(posedge clk) begin
        begun_q <= begun && !(fire && ends);
        if (rst) begun_q <= 1'b0;
    end

    wire accept = s_axis_tvalid && s_axis_tready;

    assign s_axis_tready = held_q[COUNT_W-1];
    assign fire          = ready && (pad ? begun : !lead_q[COUNT_W-1]) && (grant || !last);
    assign take          = fire && last;

    // The low bit turns `accept` into the carry of a single adder.
    wire [COUNT_W:0] lead_d = {lead_q, 1'b1} + {minus_step & {COUNT_W{fire}}, accept};
    wire [COUNT_W:0] held_d = {held_q, 1'b1} + {minus_freed & {COUNT_W{fire && done}}, accept};
    wire             unused = &{1'b0, lead_d[0], held_d[0]};

    always @(posedge clk) begin
        lead_q <= lead_d[COUNT_W:1];
        held_q <= held_d[COUNT_W:1];
        if (rst) begin
            lead_q <= LEAD_START[COUNT_W-1:0];
            held_q <= HELD_START[COUNT_W-1:0];
        end
    end

    // Places in the ring: beat i lies at i mod DEPTH.
    localparam integer READ_START = (DEPTH + START % DEPTH) % DEPTH;

    reg  [ADDR_W-1:0] write_q;
    reg  [ADDR_W-1:0] read_q;
    wire [ADDR_W:0]   read_sum  = {1'b0, read_q} + {1'b0, hop};
    wire [ADDR_W:0]   read_wrap = read_sum - DEPTH[ADDR_W:0];

    always @(posedge clk) begin
        if (accept) write_q <= (write_q == LAST_PLACE[ADDR_W-1:0]) ? {ADDR_W{1'b0}}
                                                                   : write_q + 1'b1;
        if (fire) read_q <= read_wrap[ADDR_W] ? read_sum[ADDR_W-1:0] : read_wrap[ADDR_W-1:0];
        if (rst) begin
            write_q <= {ADDR_W{1'b0}};
            read_q  <= READ_START[ADDR_W-1:0];
        end
    end

    // A beat is read at the earliest in the cycle after it was written, and its place is not
    // written again before it is freed: what a read meets a write with is never used.
    wire [DATA_W-1:0] beat;

    hwa_ram #(
        .WIDTH (DATA_W),
        .DEPTH (DEPTH)
    ) ring (
        .clk        (clk),
        .write_en   (accept),
        .write_addr (write_q),
        .write_data (s_axis_tdata),
        .read_en    (1'b1),
        .read_addr  (read_q),
        .read_data  (beat)
    );

    // Output: the ring takes one cycle, the choice between it and PAD another.
    reg              fire_q, first_q, last_q, pad_q;
    reg              out_valid_q, out_first_q, out_last_q;
    reg [DATA_W-1:0] out_data_q;

    always @(posedge clk) begin
        fire_q      <= fire;
        first_q     <= first;
        last_q      <= last;
        pad_q       <= pad;
        out_valid_q <= fire_q;
        out_first_q <= first_q;
        out_last_q  <= last_q;
        out_data_q  <= pad_q ? {LANES{PAD[LANE_W-1:0]}} : beat;
        if (rst) begin
            fire_q      <= 1'b0;
            out_valid_q <= 1'b0;
        end
    end

    assign out_valid = out_valid_q;
    assign out_first = out_first_q;
    assign out_last  = out_last_q;
    assign out_data  = out_data_q;

`ifdef HWA_FORMAL
    hwa_pipe_check #(.LATENCY(2), .DATA_W(2)) f_check (
        .clk(clk), .rst(rst), .in_valid(fire), .in_data({first, last}),
        .out_valid(out_valid), .out_data({out_first, out_last})
    );

    // A credit for each result, and none without one.
    always @* if (!rst) p_credit: assert (take == (fire && last) && (!take || grant));
`endif

endmodule

`resetall
