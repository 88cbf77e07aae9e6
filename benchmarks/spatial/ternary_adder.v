// ternary_adder: the interface of alkaid's adder of three numbers on our hwa_add3, so that Yosys
// maps both alike. Each input is extended, shifted up by PAD, maybe negated; the sum loses its low
// DROP_LSBS bits.

`default_nettype none

module ternary_adder #(
    parameter BW_INPUT0 = 32, parameter SIGNED0 = 0, parameter NEGATE0 = 0, parameter PAD0 = 0,
    parameter BW_INPUT1 = 32, parameter SIGNED1 = 0, parameter NEGATE1 = 0, parameter PAD1 = 0,
    parameter BW_INPUT2 = 32, parameter SIGNED2 = 0, parameter NEGATE2 = 0, parameter PAD2 = 0,
    parameter BW_OUT = 32, parameter DROP_LSBS = 0
) (
    input  wire [BW_INPUT0-1:0] in0,
    input  wire [BW_INPUT1-1:0] in1,
    input  wire [BW_INPUT2-1:0] in2,
    output wire [BW_OUT-1:0]    out
);

    localparam W = BW_OUT + DROP_LSBS;
    localparam NEGATIVE = (NEGATE0 ? 1 : 0) + (NEGATE1 ? 1 : 0) + (NEGATE2 ? 1 : 0);
    // Which inputs are the operands: those that are subtracted come last.
    localparam FIRST = !NEGATE0 ? 0 : !NEGATE1 ? 1 : 2;
    localparam LAST = NEGATE2 ? 2 : NEGATE1 ? 1 : NEGATE0 ? 0 : 2;
    localparam MIDDLE = 3 - FIRST - LAST;
    // The lowest input passes below the second lowest, if it is added.
    localparam LOWEST = (PAD0 <= PAD1 && PAD0 <= PAD2) ? 0 : (PAD1 <= PAD2) ? 1 : 2;
    localparam PAD_L = LOWEST == 0 ? PAD0 : LOWEST == 1 ? PAD1 : PAD2;
    localparam PAD_A = LOWEST == 0 ? PAD1 : PAD0;
    localparam PAD_B = LOWEST == 2 ? PAD1 : PAD2;
    localparam SECOND = PAD_A < PAD_B ? PAD_A : PAD_B;
    localparam NEGATE_L = LOWEST == 0 ? NEGATE0 : LOWEST == 1 ? NEGATE1 : NEGATE2;
    localparam START = NEGATE_L ? PAD_L : SECOND;

    wire [W+BW_INPUT0+PAD0:0] x0 = {{(W + 1){SIGNED0 ? in0[BW_INPUT0-1] : 1'b0}}, in0, {PAD0{1'b0}}};
    wire [W+BW_INPUT1+PAD1:0] x1 = {{(W + 1){SIGNED1 ? in1[BW_INPUT1-1] : 1'b0}}, in1, {PAD1{1'b0}}};
    wire [W+BW_INPUT2+PAD2:0] x2 = {{(W + 1){SIGNED2 ? in2[BW_INPUT2-1] : 1'b0}}, in2, {PAD2{1'b0}}};
    wire [W-1:0] lowest = LOWEST == 0 ? x0[W-1:0] : LOWEST == 1 ? x1[W-1:0] : x2[W-1:0];
    wire [W-1:0] sum;

    generate
        if (NEGATIVE == 3) begin : g_negative
            assign sum = -x0[W-1:0] - x1[W-1:0] - x2[W-1:0];
        end else if (START >= W) begin : g_wires
            assign sum = lowest;
        end else begin : g_adder
            wire [W-1:0] a = FIRST == 0 ? x0[W-1:0] : FIRST == 1 ? x1[W-1:0] : x2[W-1:0];
            wire [W-1:0] b = MIDDLE == 0 ? x0[W-1:0] : MIDDLE == 1 ? x1[W-1:0] : x2[W-1:0];
            wire [W-1:0] c = LAST == 0 ? x0[W-1:0] : LAST == 1 ? x1[W-1:0] : x2[W-1:0];
            hwa_add3 #(.WIDTH(W - START), .SUBTRACT(NEGATIVE)) add (
                .a(a[W-1:START]), .b(b[W-1:START]), .c(c[W-1:START]), .y(sum[W-1:START])
            );
            if (START > 0) begin : g_low
                assign sum[START-1:0] = lowest[START-1:0];
            end
        end
    endgenerate

    assign out = sum[W-1:DROP_LSBS];

endmodule

`default_nettype wire
