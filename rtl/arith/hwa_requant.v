// hwa_requant: the one place where numbers lose bits; rounds, then clips or wraps.
//
//   function  out[l] = limit(round(in[l] * 2^-SHIFT))             l = 0 .. LANES-1
//               round, ROUNDING 0: floor; 1: nearest, halves up; 2: nearest, halves to even
//               limit, WRAP 0: min(max(v, LO), HI); 1: the low OUT_W bits of v
//             Signed or not by IN_SIGNED and OUT_SIGNED. SHIFT may be 0, negative (a left shift)
//             or larger than IN_W; the rounded value is exact.
//   order     lane 0 in the low bits
//   latency   2: rounded in t + 1, limited in t + 2
//   interval  1
//   tlast     none: this is not a stream
//   must not  have limits that OUT_W bits cannot hold (WRAP 0)

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_requant #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one input lane in bits, 1 to 62.
    parameter integer IN_W = 24,
    // 1 if the input is signed.
    parameter integer IN_SIGNED = 1,
    // Width of one output lane in bits, 1 to 62.
    parameter integer OUT_W = 8,
    // 1 if the output is signed; only the check of LO and HI asks.
    parameter integer OUT_SIGNED = 1,
    // Bits to shift right, -64 to 255.
    parameter integer SHIFT = 8,
    // 0 floor, 1 half up, 2 half to even.
    parameter integer ROUNDING = 2,
    // 1 to drop high bits instead of clipping.
    parameter integer WRAP = 0,
    // Smallest output, unless WRAP.
    parameter signed [63:0] LO = -64'sd128,
    // Largest output, unless WRAP.
    parameter signed [63:0] HI = 64'sd127
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*IN_W-1:0]  in_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    // Input as a signed number, with room above for the carry of the rounding.
    localparam integer XS_W = (IN_SIGNED != 0) ? IN_W : IN_W + 1;
    localparam integer RIGHT = (SHIFT > 0) ? SHIFT : 0;
    localparam integer LEFT = (SHIFT > 0) ? 0 : -SHIFT;
    localparam integer WIDE_W = ((RIGHT < XS_W) ? XS_W : RIGHT + 1) + 1;
    localparam integer ROUND_W = (SHIFT > 0) ? WIDE_W - RIGHT : XS_W + LEFT;
    // Rounded value with a sign above OUT_W bits.
    localparam integer VALUE_W = (ROUND_W > OUT_W) ? ROUND_W : OUT_W + 1;

    // What OUT_W bits can hold, and the limits with a sign above it.
    localparam integer SIZE_W = (OUT_SIGNED != 0) ? OUT_W - 1 : OUT_W;
    localparam signed [63:0] MAX = (64'sd1 <<< SIZE_W) - 64'sd1;
    localparam signed [63:0] MIN = (OUT_SIGNED != 0) ? -MAX - 64'sd1 : 64'sd0;
    localparam signed [OUT_W:0] LO_NEAR = LO[OUT_W:0];
    localparam signed [OUT_W:0] HI_NEAR = HI[OUT_W:0];

    initial begin
        if (LANES < 1) begin
            $display("hwa: %m: LANES=%0d, must be 1 or more", LANES);
            $finish;
        end
        if (IN_W < 1 || IN_W > 62 || OUT_W < 1 || OUT_W > 62) begin
            $display("hwa: %m: IN_W=%0d OUT_W=%0d, must be 1 to 62", IN_W, OUT_W);
            $finish;
        end
        if (SHIFT < -64 || SHIFT > 255) begin
            $display("hwa: %m: SHIFT=%0d, must be -64 to 255", SHIFT);
            $finish;
        end
        if (ROUNDING < 0 || ROUNDING > 2) begin
            $display("hwa: %m: ROUNDING=%0d, must be 0 to 2", ROUNDING);
            $finish;
        end
        if (WRAP == 0 && (LO < MIN || HI > MAX || LO > HI)) begin
            $display("hwa: %m: LO=%0d HI=%0d, must be in order and in %0d to %0d",
                     LO, HI, MIN, MAX);
            $finish;
        end
    end

    reg [1:0] valid_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[0], in_valid};
        if (rst) valid_q <= 2'b00;
    end

    assign out_valid = valid_q[1];

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire [IN_W-1:0]    x = in_data[l*IN_W +: IN_W];
            reg  [ROUND_W-1:0] rounded_q;
            reg  [OUT_W-1:0]   out_q;

            if (SHIFT > 0) begin : g_right
                wire              sign  = (IN_SIGNED != 0) ? x[IN_W-1] : 1'b0;
                wire [WIDE_W-1:0] wide  = {{(WIDE_W-IN_W){sign}}, x};
                wire [RIGHT-1:0]  part  = wide[RIGHT-1:0];
                wire              half  = part[RIGHT-1];
                // Below the half: anything, so that halves are known from more than halves.
                wire              below = {part, 1'b0} << 1 != {(RIGHT+1){1'b0}};
                wire              odd   = wide[RIGHT];
                wire              up    = (ROUNDING == 0) ? 1'b0
                                        : (ROUNDING == 1) ? half : half && (below || odd);

                always @(posedge clk) rounded_q <= wide[WIDE_W-1:RIGHT] + up;
            end else begin : g_left
                always @(posedge clk) rounded_q <= {{(XS_W-IN_W){1'b0}}, x, {LEFT{1'b0}}};
            end

            wire [VALUE_W-1:0] value = {{(VALUE_W-ROUND_W){rounded_q[ROUND_W-1]}}, rounded_q};

            if (WRAP != 0) begin : g_wrap
                // Bits that fall off.
                wire unused = &{1'b0, value[VALUE_W-1:OUT_W]};

                always @(posedge clk) out_q <= value[OUT_W-1:0];
            end else begin : g_clip
                // What OUT_W bits cannot hold shows in the bits above. LO and HI, where they are
                // tighter, need a comparison only with what can be held.
                wire [VALUE_W-1:SIZE_W] above    = value[VALUE_W-1:SIZE_W];
                wire                    negative = value[VALUE_W-1];
                wire                    too_low  = negative && (OUT_SIGNED == 0 || !(&above));
                wire                    too_high = !negative && (|above);
                wire signed [OUT_W:0]   near     = value[OUT_W:0];

                always @(posedge clk) begin
                    out_q <= near[OUT_W-1:0];
                    if (LO > MIN && near < LO_NEAR) out_q <= LO[OUT_W-1:0];
                    if (HI < MAX && near > HI_NEAR) out_q <= HI[OUT_W-1:0];
                    if (too_low) out_q <= LO[OUT_W-1:0];
                    if (too_high) out_q <= HI[OUT_W-1:0];
                end
            end

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // Integers wide enough for the input, shifted to either side, and for the limits.
    localparam integer F_W = IN_W + RIGHT + LEFT + OUT_W + 64;

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [IN_W:0]  x_int = {(IN_SIGNED != 0) && in_data[l*IN_W+IN_W-1],
                                           in_data[l*IN_W +: IN_W]};
            wire signed [F_W-1:0] x     = x_int;
            // x = floor * 2^RIGHT + rest, and twice the rest tells on which side of the half.
            wire signed [F_W-1:0] floor = x >>> RIGHT;
            wire signed [F_W-1:0] rest  = x - (floor <<< RIGHT);
            wire signed [F_W-1:0] one   = 1;
            wire signed [F_W-1:0] side  = (rest <<< 1) - (one <<< RIGHT);
            wire                  up    = (ROUNDING == 1) ? side >= 0
                                        : (ROUNDING == 2) ? side > 0 || (side == 0 && floor[0])
                                        : 1'b0;
            wire signed [F_W-1:0] v     = (SHIFT > 0) ? floor + $signed({1'b0, up}) : x <<< LEFT;
            wire signed [F_W-1:0] y     = (WRAP != 0) ? v : (v < LO) ? LO : (v > HI) ? HI : v;

            hwa_pipe_check #(.LATENCY(2), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(in_valid), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate
`endif

endmodule

`resetall
