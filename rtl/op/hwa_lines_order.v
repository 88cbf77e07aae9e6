// hwa_lines_order: the order in which hwa_lines walks over its image.
//
//   function  with clip(i, most) = min(max(0, i), most), a frame is OUT_H passes of PITCH steps,
//             TAIL more in the last one; step k of pass oy is at the column k - BEFORE and
//               waits for pixel  clip(oy*SY - PT + (KH-1)*DY, IN_H-1) * IN_W + column
//               column           clip(k - BEFORE, COLUMNS-1)
//               rows_inside      bit ky: row oy*SY - PT + ky*DY is inside the image
//               ends, home       the last step of a pass; and of a frame
//             Window (oy, ox) is due at step oy*PITCH + max(0, (KW-1)*DX - PL) + ox*SX of the
//             frame, counted over all passes:
//               due              the step completes a window
//               columns_inside   bit kx: column ox*SX - PL + kx*DX of the next window due is
//                                inside the image
//             The step after it, as what a counter of pixels gains or loses by it:
//               minus_need       pixel waited for in this step - that in the next one
//               minus_freed      pixels freed before this step - those after it, counted over all
//                                frames; freed is first(oy)*IN_W at the beginning of pass oy,
//                                with first(oy) = clip(oy*SY - PT, IN_H), and IN_H for oy = OUT_H;
//                                it follows the column in passes with first(oy + 1) > first(oy)
//   latency   1: advance in cycle t, the next step in cycle t + 1
//   interval  1
//   tlast     none: this is not a stream
//   must not  need more than 31 bits for a pixel index
//
// BEFORE steps serve windows that end left of the image, COLUMNS is what the windows reach, PITCH
// keeps the windows of a row and the next apart, TAIL is for those that hang over the right edge
// of the last row; in the other rows they complete while the next pass begins.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_lines_order #(
    // Width of minus_need and minus_freed in bits.
    parameter integer COUNT_W = 8,
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
    parameter integer OUT_W = 3
) (
    input  wire clk,
    input  wire rst,

    input  wire                                       advance,

    output wire                                       due,
    output wire                                       ends,
    output wire                                       home,
    output wire [(IN_W > 1 ? $clog2(IN_W) : 1)-1 : 0] column,
    output wire [KH-1:0]                              rows_inside,
    output wire [KW-1:0]                              columns_inside,
    output wire [COUNT_W-1:0]                         minus_need,
    output wire [COUNT_W-1:0]                         minus_freed
);

    localparam integer SPAN_Y = (KH - 1) * DY;
    localparam integer SPAN_X = (KW - 1) * DX;
    localparam integer TRAVEL = (OUT_W - 1) * SX;
    localparam integer TRAVEL_Y = (OUT_H - 1) * SY;
    localparam integer RIGHT = TRAVEL - PL + SPAN_X;

    localparam integer BEFORE = (PL > SPAN_X) ? PL - SPAN_X : 0;
    localparam integer COLUMNS = (RIGHT < 0) ? 1 : (RIGHT < IN_W) ? RIGHT + 1 : IN_W;
    localparam integer PITCH = (BEFORE + COLUMNS > TRAVEL) ? BEFORE + COLUMNS : TRAVEL + 1;
    localparam integer TAIL = (BEFORE + RIGHT >= PITCH) ? BEFORE + RIGHT + 1 - PITCH : 0;

    initial begin
        if (IN_H < 1 || IN_W < 1 || KH < 1 || KW < 1 || OUT_H < 1 || OUT_W < 1) begin
            $display("hwa: %m: IN_H=%0d IN_W=%0d KH=%0d KW=%0d OUT_H=%0d OUT_W=%0d, %0s",
                     IN_H, IN_W, KH, KW, OUT_H, OUT_W, "must be 1 or more");
            $finish;
        end
        if (SY < 1 || SX < 1 || DY < 1 || DX < 1) begin
            $display("hwa: %m: SY=%0d SX=%0d DY=%0d DX=%0d, must be 1 or more", SY, SX, DY, DX);
            $finish;
        end
        if (PT < 0 || PL < 0) begin
            $display("hwa: %m: PT=%0d PL=%0d, must be 0 or more", PT, PL);
            $finish;
        end
    end

    // Where it is -----------------------------------------------------------------------------

    localparam integer K_W = $clog2(PITCH + TAIL + 1);
    localparam integer OY_W = (OUT_H > 1) ? $clog2(OUT_H) : 1;
    localparam integer OX_W = (OUT_W > 1) ? $clog2(OUT_W) : 1;
    localparam integer COLUMN_W = (IN_W > 1) ? $clog2(IN_W) : 1;

    localparam integer LAST_K = PITCH - 1;
    localparam integer LAST_HOME_K = PITCH + TAIL - 1;
    localparam integer LAST_COLUMN = COLUMNS - 1;
    localparam signed [K_W:0] K_BEFORE = BEFORE[K_W:0];

    reg  [K_W-1:0]      k_q;
    reg  [COLUMN_W-1:0] column_q;
    wire [OY_W-1:0]     oy;
    wire                oy_last;

    wire signed [K_W:0] k      = {1'b0, k_q};
    // The next step is at another column.
    wire                slides = k >= K_BEFORE && column_q != LAST_COLUMN[COLUMN_W-1:0];

    assign ends   = k_q == (oy_last ? LAST_HOME_K[K_W-1:0] : LAST_K[K_W-1:0]);
    assign home   = ends && oy_last;
    assign column = column_q;

    always @(posedge clk) begin
        if (advance) begin
            k_q <= ends ? {K_W{1'b0}} : k_q + 1'b1;
            if (slides) column_q <= column_q + 1'b1;
            if (ends) column_q <= {COLUMN_W{1'b0}};
        end
        if (rst) begin
            k_q      <= {K_W{1'b0}};
            column_q <= {COLUMN_W{1'b0}};
        end
    end

    hwa_loop #(.COUNT(OUT_H)) passes (
        .clk   (clk),
        .rst   (rst),
        .step  (advance && ends),
        .index (oy),
        .last  (oy_last)
    );

    // The next window -------------------------------------------------------------------------

    // Steps to the first one of a frame, and what is left to the next one after one is due.
    localparam integer GAP_FRAME = (SPAN_X > PL) ? SPAN_X - PL : 0;
    localparam integer GAP_ROW = PITCH - TRAVEL - 1;
    localparam integer GAP_COLUMN = SX - 1;
    localparam integer GAP_W = $clog2(GAP_FRAME + PITCH + SX + 1);

    reg  [GAP_W-1:0] gap_q;
    reg  [GAP_W-1:0] gap_d;
    reg              due_q;
    wire [OX_W-1:0]  ox;
    wire             ox_last;

    always @* begin
        gap_d = gap_q - 1'b1;
        if (due_q) gap_d = ox_last ? GAP_ROW[GAP_W-1:0] : GAP_COLUMN[GAP_W-1:0];
        if (home) gap_d = GAP_FRAME[GAP_W-1:0];
    end

    always @(posedge clk) begin
        if (advance) begin
            gap_q <= gap_d;
            due_q <= gap_d == {GAP_W{1'b0}};
        end
        if (rst) begin
            gap_q <= GAP_FRAME[GAP_W-1:0];
            due_q <= GAP_FRAME == 0;
        end
    end

    assign due = due_q;

    hwa_loop #(.COUNT(OUT_W)) windows (
        .clk   (clk),
        .rst   (rst),
        .step  (advance && due_q),
        .index (ox),
        .last  (ox_last)
    );

    // What lies inside ------------------------------------------------------------------------

    function integer clip(input integer value, input integer most);
        clip = (value < 0) ? 0 : (value > most) ? most : value;
    endfunction

    // Signed, so that 0 and -1 are bounds like others.
    wire signed [OY_W+1:0] at_y = {2'b00, oy};
    wire signed [OX_W+1:0] at_x = {2'b00, ox};

    genvar ky, kx, n;
    generate
        for (ky = 0; ky < KH; ky = ky + 1) begin : g_row
            localparam integer UP = PT - ky * DY;
            localparam integer FROM = clip((UP > 0) ? (UP + SY - 1) / SY : 0, OUT_H);
            localparam integer TO = clip((IN_H + UP > 0) ? (IN_H + UP - 1) / SY + 1 : 0, OUT_H);
            localparam signed [OY_W+1:0] Y_FROM = FROM[OY_W+1:0];
            localparam signed [OY_W+1:0] Y_TO = TO[OY_W+1:0];

            assign rows_inside[ky] = at_y >= Y_FROM && at_y < Y_TO;
        end

        for (kx = 0; kx < KW; kx = kx + 1) begin : g_column
            localparam integer BACK = PL - kx * DX;
            localparam integer FROM = clip((BACK > 0) ? (BACK + SX - 1) / SX : 0, OUT_W);
            localparam integer TO = clip((IN_W + BACK > 0) ? (IN_W + BACK - 1) / SX + 1 : 0, OUT_W);
            localparam signed [OX_W+1:0] X_FROM = FROM[OX_W+1:0];
            localparam signed [OX_W+1:0] X_TO = TO[OX_W+1:0];

            assign columns_inside[kx] = at_x >= X_FROM && at_x < X_TO;
        end
    endgenerate

    // What it waits for and frees -------------------------------------------------------------

    // From one pass to the next: n = 0 the row waited for, n = 1 the first one kept. It moves by
    // SY rows, less where it leaves row 0 and where it reaches its end.
    wire [COUNT_W-1:0] minus_row [0:1];
    wire [1:0]         moves;

    generate
        for (n = 0; n < 2; n = n + 1) begin : g_walk
            localparam integer START = (n == 0) ? SPAN_Y - PT : -PT;
            localparam integer MOST = (n == 0) ? IN_H - 1 : IN_H;
            // The passes that make the first move and the last one.
            localparam integer RISE = clip((START < 0) ? -START / SY : 0, OUT_H);
            localparam integer STOP = (START < MOST) ? (MOST - START + SY - 1) / SY - 1 : -1;
            localparam signed [OY_W+1:0] Y_RISE = RISE[OY_W+1:0];
            localparam integer STOP_IN = (STOP < OUT_H) ? STOP : OUT_H;
            localparam signed [OY_W+1:0] Y_STOP = STOP_IN[OY_W+1:0];

            localparam integer MINUS = LAST_COLUMN - SY * IN_W;
            localparam integer MINUS_RISE = MINUS + ((START < 0) ? (-START) % SY * IN_W : 0);
            localparam integer MINUS_STOP = LAST_COLUMN
                - (MOST - clip(STOP * SY + START, MOST)) * IN_W;
            localparam integer MINUS_HOME = LAST_COLUMN
                - (IN_H + clip(START, MOST) - clip(TRAVEL_Y + START, MOST)) * IN_W;

            reg [COUNT_W-1:0] minus;

            always @* begin
                minus = MINUS[COUNT_W-1:0];
                if (at_y == Y_RISE) minus = MINUS_RISE[COUNT_W-1:0];
                if (at_y == Y_STOP) minus = MINUS_STOP[COUNT_W-1:0];
                if (!moves[n]) minus = LAST_COLUMN[COUNT_W-1:0];
                if (oy_last) minus = MINUS_HOME[COUNT_W-1:0];
            end

            assign moves[n] = oy_last ? MINUS_HOME != LAST_COLUMN
                                      : at_y >= Y_RISE && at_y <= Y_STOP;
            assign minus_row[n] = minus;
        end
    endgenerate

    assign minus_need  = ends ? minus_row[0] : {COUNT_W{slides}};
    assign minus_freed = moves[1] ? (ends ? minus_row[1] : {COUNT_W{slides}}) : {COUNT_W{1'b0}};

endmodule

`resetall
