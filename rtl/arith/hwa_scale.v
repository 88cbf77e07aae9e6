// hwa_scale: multiplies and offsets by channel.
//
//   function  out[l] = x[l]*mult[l] + add[l]                      l = 0 .. LANES-1
//             mult, add and result signed, x signed or not by IN_SIGNED
//   order     lane 0 in the low bits. Channel ROM word k serves the k-th beat after reset,
//             counted modulo CHANNEL_WORDS; lane l of it is {mult, add}.
//   latency   4: the channel word in t + 2, the product in t + 3, the result in t + 4
//   interval  1; gaps anywhere
//   tlast     none: every beat is on its own
//   must not  exceed OUT_W bits in any result

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_scale #(
    // Values in one beat.
    parameter integer LANES = 1,
    // Width of one input lane in bits.
    parameter integer IN_W = 16,
    // 1 if the input is signed.
    parameter integer IN_SIGNED = 1,
    // Width of the multiplier in bits.
    parameter integer MULT_W = 16,
    // Width of the addend in bits.
    parameter integer ADD_W = 32,
    // Width of one output lane in bits.
    parameter integer OUT_W = 33,
    // Words in the channel ROM.
    parameter integer CHANNEL_WORDS = 1,
    // Hex file of the channel ROM.
    parameter CHANNELS = ""
) (
    input  wire                   clk,
    input  wire                   rst,

    input  wire                   in_valid,
    input  wire [LANES*IN_W-1:0]  in_data,

    output wire                   out_valid,
    output wire [LANES*OUT_W-1:0] out_data
);

    localparam integer XS_W = (IN_SIGNED != 0) ? IN_W : IN_W + 1;
    localparam integer PRODUCT_W = XS_W + MULT_W;
    localparam integer FIELD_W = MULT_W + ADD_W;
    localparam integer ADDR_W = (CHANNEL_WORDS > 1) ? $clog2(CHANNEL_WORDS) : 1;

    initial begin
        if (LANES < 1 || IN_W < 1 || OUT_W < 1) begin
            $display("hwa: %m: LANES=%0d IN_W=%0d OUT_W=%0d, must be 1 or more",
                     LANES, IN_W, OUT_W);
            $finish;
        end
        if (MULT_W < 1 || ADD_W < 1 || CHANNEL_WORDS < 1) begin
            $display("hwa: %m: MULT_W=%0d ADD_W=%0d CHANNEL_WORDS=%0d, must be 1 or more",
                     MULT_W, ADD_W, CHANNEL_WORDS);
            $finish;
        end
    end

    reg [3:0] valid_q;

    always @(posedge clk) begin
        valid_q <= {valid_q[2:0], in_valid};
        if (rst) valid_q <= 4'b0000;
    end

    assign out_valid = valid_q[3];

    // Channel word of this beat, there two cycles later together with x_q2.
    wire [ADDR_W-1:0]        addr;
    wire                     addr_last;
    wire [LANES*FIELD_W-1:0] channel;
    wire                     unused = &{1'b0, addr_last};

    hwa_loop #(.COUNT(CHANNEL_WORDS)) count (
        .clk   (clk),
        .rst   (rst),
        .step  (in_valid),
        .index (addr),
        .last  (addr_last)
    );

    hwa_rom #(.WIDTH(LANES * FIELD_W), .DEPTH(CHANNEL_WORDS), .INIT(CHANNELS)) rom (
        .clk  (clk),
        .addr (addr),
        .data (channel)
    );

    reg [LANES*IN_W-1:0] x_q, x_q2;

    always @(posedge clk) begin
        x_q  <= in_data;
        x_q2 <= x_q;
    end

    genvar l;
    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_lane
            wire signed [XS_W-1:0]      x;
            wire signed [MULT_W-1:0]    mult = channel[l*FIELD_W+ADD_W +: MULT_W];
            reg  signed [PRODUCT_W-1:0] product_q;
            reg  [ADD_W-1:0]            add_q;

            // Widened first, so that both longer and shorter results are plain slices.
            wire [PRODUCT_W+OUT_W-1:0] product_wide = {{OUT_W{product_q[PRODUCT_W-1]}}, product_q};
            wire [ADD_W+OUT_W-1:0]     add_wide = {{OUT_W{add_q[ADD_W-1]}}, add_q};
            reg  [OUT_W-1:0]           out_q;
            wire                       unused_wide = &{1'b0, product_wide[OUT_W +: PRODUCT_W],
                                                       add_wide[OUT_W +: ADD_W]};

            if (IN_SIGNED != 0) begin : g_signed
                assign x = x_q2[l*IN_W +: IN_W];
            end else begin : g_unsigned
                assign x = {1'b0, x_q2[l*IN_W +: IN_W]};
            end

            always @(posedge clk) begin
                product_q <= x * mult;
                add_q     <= channel[l*FIELD_W +: ADD_W];
                out_q     <= product_wide[OUT_W-1:0] + add_wide[OUT_W-1:0];
            end

            assign out_data[l*OUT_W +: OUT_W] = out_q;
        end
    endgenerate

`ifdef HWA_FORMAL
    // The word comes two cycles behind its beat, whatever the ROM holds.
    localparam integer F_W = IN_W + MULT_W + ADD_W + OUT_W;

    reg  [LANES*IN_W-1:0]  f_x_q, f_x_q2;
    reg  [1:0]             f_valid_q;
    reg  [ADDR_W-1:0]      f_beats_q;

    always @(posedge clk) begin
        f_x_q     <= in_data;
        f_x_q2    <= f_x_q;
        f_valid_q <= {f_valid_q[0], in_valid};
        if (in_valid) f_beats_q <= (f_beats_q + 1) % CHANNEL_WORDS;
        if (rst) begin
            f_valid_q <= 2'b00;
            f_beats_q <= {ADDR_W{1'b0}};
        end
    end

    generate
        for (l = 0; l < LANES; l = l + 1) begin : g_spec
            wire signed [IN_W:0]     x    = {(IN_SIGNED != 0) && f_x_q2[l*IN_W+IN_W-1],
                                             f_x_q2[l*IN_W +: IN_W]};
            wire signed [MULT_W-1:0] mult = channel[l*FIELD_W+ADD_W +: MULT_W];
            wire signed [ADD_W-1:0]  add  = channel[l*FIELD_W +: ADD_W];
            wire signed [IN_W+MULT_W:0] product = x * mult;
            wire signed [F_W:0]         p = product;
            wire signed [F_W:0]         y = p + add;

            hwa_pipe_check #(.LATENCY(2), .DATA_W(OUT_W)) f_check (
                .clk(clk), .rst(rst), .in_valid(f_valid_q[1]), .in_data(y[OUT_W-1:0]),
                .out_valid(out_valid), .out_data(out_data[l*OUT_W +: OUT_W])
            );
        end
    endgenerate

    // The k-th beat since reset asks for word k, modulo their number.
    always @* if (!rst) begin
        p_word: assert (addr == f_beats_q && f_beats_q < CHANNEL_WORDS);
    end
`endif

endmodule

`resetall
