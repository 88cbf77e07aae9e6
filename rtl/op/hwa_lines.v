// hwa_lines: the issuer that buffers lines of an image and presents a whole window per beat.
//
//   function  pixels go into a ring of ROWS rows, and one column of it after the other through a
//             shift register; for each oy, ox a beat leaves that holds in bits
//             (ky*KW + kx) * DATA_W +: DATA_W
//               pixel (oy*SY - PT + ky*DY,  ox*SX - PL + kx*DX)
//             of the image, or PAD in every lane where that is outside. It uses one credit.
//   order     in and out: pixel by pixel in row order
//   latency   2 from fire to out_valid
//   interval  1; a frame takes max(IN_H*IN_W, OUT_H*PITCH + TAIL) cycles with enough rows (PITCH
//             and TAIL are in hwa_lines_order); in cycle t, with accepted, stepped and freed
//             counting cycles before t,
//               s_axis_tready  accepted - freed < ROWS*IN_W                      (a register)
//               step           pixel waited for < accepted, and grant where a window is due
//               fire, take     step, and a window is due
//             where the pixel waited for, due and freed follow from stepped by the order of
//             hwa_lines_order, and pixels count over all frames. freed may run ahead of
//             accepted; such pixels are accepted and never read. No step comes before the first
//             pixel of its frame is accepted.
//   tlast     none: frames follow from the counts
//   must not  nothing

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_lines #(
    // Width of a beat in bits.
    parameter integer DATA_W = 8,
    // Lanes in a beat; DATA_W is a multiple of it.
    parameter integer LANES = 1,
    // Rows in the ring: those from the first to the last tap inside the image, or more.
    parameter integer ROWS = 2,
    // Image height in pixels.
    parameter integer IN_H = 4,
    // Image width in pixels.
    parameter integer IN_W = 4,
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
    parameter [63:0] PAD = 64'd0
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire [DATA_W-1:0]       s_axis_tdata,

    input  wire                    grant,
    output wire                    take,

    output wire                    out_valid,
    output wire [KH*KW*DATA_W-1:0] out_data
);

    localparam integer LANE_W = DATA_W / LANES;
    localparam integer SPAN_Y = (KH - 1) * DY;
    localparam integer SPAN_X = (KW - 1) * DX;

    // Room for every distance between accepted, freed and the pixel waited for.
    localparam integer COUNT_W = $clog2((2 * IN_H + ROWS + 1) * IN_W + 2) + 1;
    localparam integer COLUMN_W = (IN_W > 1) ? $clog2(IN_W) : 1;
    localparam integer LAST_COLUMN = IN_W - 1;

    function integer clip(input integer value, input integer most);
        clip = (value < 0) ? 0 : (value > most) ? most : value;
    endfunction

    // Rows from the first one kept to the one waited for, with the first tap in row y: the most
    // where y is nearest to 0, from below or from above.
    function integer kept(input integer y);
        kept = 1 + clip(y + SPAN_Y, IN_H - 1) - clip(y, IN_H);
    endfunction

    localparam integer KEPT_BELOW = kept(clip(PT / SY, OUT_H - 1) * SY - PT);
    localparam integer KEPT_ABOVE = kept(clip((PT + SY - 1) / SY, OUT_H - 1) * SY - PT);
    localparam integer LEAST_ROWS = (KEPT_BELOW > KEPT_ABOVE) ? KEPT_BELOW : KEPT_ABOVE;

    initial begin
        if (DATA_W < 1 || LANES < 1 || LANE_W * LANES != DATA_W || LANE_W > 64) begin
            $display("hwa: %m: DATA_W=%0d LANES=%0d, must be 1 to 64 bits a lane, same for all",
                     DATA_W, LANES);
            $finish;
        end
        if (ROWS < LEAST_ROWS) begin
            $display("hwa: %m: ROWS=%0d, must be %0d or more", ROWS, LEAST_ROWS);
            $finish;
        end
        if (COUNT_W > 31) begin
            $display("hwa: %m: COUNT_W=%0d, must be 31 or less: the frame is too large", COUNT_W);
            $finish;
        end
    end

    // The step at hand.
    wire                due, ends, home;
    wire [COLUMN_W-1:0] column;
    wire [KH-1:0]       rows_inside;
    wire [KW-1:0]       columns_inside;
    wire [COUNT_W-1:0]  minus_need, minus_freed;
    wire                step;

    hwa_lines_order #(
        .COUNT_W(COUNT_W), .IN_H(IN_H), .IN_W(IN_W), .KH(KH), .KW(KW), .SY(SY), .SX(SX),
        .DY(DY), .DX(DX), .PT(PT), .PL(PL), .OUT_H(OUT_H), .OUT_W(OUT_W)
    ) walk (
        .clk            (clk),
        .rst            (rst),
        .advance        (step),
        .due            (due),
        .ends           (ends),
        .home           (home),
        .column         (column),
        .rows_inside    (rows_inside),
        .columns_inside (columns_inside),
        .minus_need     (minus_need),
        .minus_freed    (minus_freed)
    );

    // lead = accepted - need - 1 of the step at hand: its pixel has arrived when not negative.
    // held = accepted - freed - places: the next pixel has a place when that is negative.
    localparam integer LEAD_START = -clip(SPAN_Y - PT, IN_H - 1) * IN_W - 1;
    localparam integer HELD_START = -ROWS * IN_W;

    reg [COUNT_W-1:0] lead_q;
    reg [COUNT_W-1:0] held_q;

    wire accept = s_axis_tvalid && s_axis_tready;

    assign s_axis_tready = held_q[COUNT_W-1];
    assign step          = !lead_q[COUNT_W-1] && (grant || !due);
    assign take          = step && due;

    // The low bit turns `accept` into the carry of a single adder.
    wire [COUNT_W:0] lead_d = {lead_q, 1'b1} + {minus_need & {COUNT_W{step}}, accept};
    wire [COUNT_W:0] held_d = {held_q, 1'b1} + {minus_freed & {COUNT_W{step}}, accept};

    always @(posedge clk) begin
        lead_q <= lead_d[COUNT_W:1];
        held_q <= held_d[COUNT_W:1];
        if (rst) begin
            lead_q <= LEAD_START[COUNT_W-1:0];
            held_q <= HELD_START[COUNT_W-1:0];
        end
    end

    // Rows of the ring: row y of all frames lies in line y mod ROWS. One bit marks the line that
    // is written, and one that of the first row of the window, inside the image or not.
    localparam integer TOP_START = (ROWS - PT % ROWS) % ROWS;
    localparam integer TOP_PASS = SY % ROWS;
    localparam integer TOP_HOME = (ROWS + (IN_H - (OUT_H - 1) * SY) % ROWS) % ROWS;
    localparam [ROWS-1:0] LINE_0 = 1;

    reg  [COLUMN_W-1:0] write_q;
    reg  [ROWS-1:0]     write_line_q;
    reg  [ROWS-1:0]     top_q;
    wire [2*ROWS-1:0]   write_lines = {2{write_line_q}};
    wire [2*ROWS-1:0]   tops        = {2{top_q}};
    wire                write_ends  = write_q == LAST_COLUMN[COLUMN_W-1:0];

    always @(posedge clk) begin
        if (accept) begin
            write_q <= write_ends ? {COLUMN_W{1'b0}} : write_q + 1'b1;
            if (write_ends) write_line_q <= write_lines[ROWS-1 +: ROWS];
        end
        if (step && ends) top_q <= tops[ROWS-TOP_PASS +: ROWS];
        if (step && home) top_q <= tops[ROWS-TOP_HOME +: ROWS];
        if (rst) begin
            write_q      <= {COLUMN_W{1'b0}};
            write_line_q <= LINE_0;
            top_q        <= LINE_0 << TOP_START;
        end
    end

    // One column of all lines per cycle. A pixel is read at the earliest in the cycle after it
    // was written, and its place is not written again before it is freed: what a read meets a
    // write with is never used.
    wire [ROWS*DATA_W-1:0] beats;

    genvar n, ky, kx;
    generate
        for (n = 0; n < ROWS; n = n + 1) begin : g_line
            hwa_ram #(
                .WIDTH (DATA_W),
                .DEPTH (IN_W)
            ) line (
                .clk        (clk),
                .write_en   (accept && write_line_q[n]),
                .write_addr (write_q),
                .write_data (s_axis_tdata),
                .read_en    (1'b1),
                .read_addr  (column),
                .read_data  (beats[n*DATA_W +: DATA_W])
            );
        end
    endgenerate

    // The column that was read: each row from its line, or blank outside the image.
    localparam [DATA_W-1:0] BLANK = {LANES{PAD[LANE_W-1:0]}};

    wire [KH*DATA_W-1:0] entering;

    generate
        for (ky = 0; ky < KH; ky = ky + 1) begin : g_row
            reg [ROWS-1:0]   from_q;
            reg              inside_q;
            reg [DATA_W-1:0] pixel;
            integer          i;

            always @(posedge clk) begin
                from_q   <= tops[ROWS - ky * DY % ROWS +: ROWS] & {ROWS{rows_inside[ky]}};
                inside_q <= rows_inside[ky];
            end

            always @* begin
                pixel = inside_q ? {DATA_W{1'b0}} : BLANK;
                for (i = 0; i < ROWS; i = i + 1)
                    pixel = pixel | (beats[i*DATA_W +: DATA_W] & {DATA_W{from_q[i]}});
            end

            assign entering[ky*DATA_W +: DATA_W] = pixel;
        end
    endgenerate

    // The columns before it, nearest in the low bits; and the window.
    localparam integer COLUMN_BITS = KH * DATA_W;

    wire [(SPAN_X+1)*COLUMN_BITS-1:0] columns;
    wire [KH*KW*DATA_W-1:0]           window;
    reg                               step_q;
    reg  [KW-1:0]                     inside_q;

    generate
        if (SPAN_X > 0) begin : g_past
            reg [SPAN_X*COLUMN_BITS-1:0] past_q;

            always @(posedge clk) if (step_q) past_q <= columns[SPAN_X*COLUMN_BITS-1:0];

            assign columns = {past_q, entering};
        end else begin : g_no_past
            assign columns = entering;
        end

        for (kx = 0; kx < KW; kx = kx + 1) begin : g_tap
            localparam integer AT = (KW - 1 - kx) * DX * KH;

            for (ky = 0; ky < KH; ky = ky + 1) begin : g_tap_row
                assign window[(ky*KW+kx)*DATA_W +: DATA_W] =
                    inside_q[kx] ? columns[(AT+ky)*DATA_W +: DATA_W] : BLANK;
            end
        end
    endgenerate

    // The low bits of the sums, and what no rotation and no kernel of one column looks at.
    wire unused = &{1'b0, lead_d[0], held_d[0], write_lines, tops, step_q};

    // Output: the ring takes one cycle, the window another.
    reg                    take_q;
    reg                    out_valid_q;
    reg [KH*KW*DATA_W-1:0] out_data_q;

    always @(posedge clk) begin
        step_q      <= step;
        take_q      <= take;
        inside_q    <= columns_inside;
        out_valid_q <= take_q;
        out_data_q  <= window;
        if (rst) begin
            step_q      <= 1'b0;
            take_q      <= 1'b0;
            out_valid_q <= 1'b0;
        end
    end

    assign out_valid = out_valid_q;
    assign out_data  = out_data_q;

endmodule

`resetall
