// hwa_regs: registers of a design on AXI4-Lite: identity, control, interrupt, counters.
//
//   function  the map is docs/reference/registers.md. A frame is in when its last beat has been
//             taken on every input, out when it has been taken on every output. The time of
//             the counters runs while the design is enabled or holds a frame
//   latency   2 from the later of address and data to the response, 2 from address to read data;
//             a write shows in the cycle after
//   interval  2 cycles per write and per read, which do not wait for each other
//   tlast     none
//   must not  see streams but inputs, then outputs, the first in the low bits

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_regs #(
    // Width of an address in bits: 256 bytes and 16 for each stream must fit.
    parameter integer ADDR_W = 12,
    // Number of input and of output streams, 1 or more each.
    parameter integer INPUTS = 1, OUTPUTS = 1,
    // Hash of the design.
    parameter [63:0] HASH = 64'd0,
    // Beats in a frame and bits of tdata of each stream, 32 bits for each.
    parameter [32*(INPUTS+OUTPUTS)-1:0] BEATS = 0, BITS = 0
) (
    input  wire                      clk,
    input  wire                      rst,

    input  wire [ADDR_W-1:0]         s_axi_awaddr,
    input  wire [2:0]                s_axi_awprot,
    input  wire                      s_axi_awvalid,
    output wire                      s_axi_awready,
    input  wire [31:0]               s_axi_wdata,
    input  wire [3:0]                s_axi_wstrb,
    input  wire                      s_axi_wvalid,
    output wire                      s_axi_wready,
    output wire [1:0]                s_axi_bresp,
    output wire                      s_axi_bvalid,
    input  wire                      s_axi_bready,
    input  wire [ADDR_W-1:0]         s_axi_araddr,
    input  wire [2:0]                s_axi_arprot,
    input  wire                      s_axi_arvalid,
    output wire                      s_axi_arready,
    output wire [31:0]               s_axi_rdata,
    output wire [1:0]                s_axi_rresp,
    output wire                      s_axi_rvalid,
    input  wire                      s_axi_rready,

    output wire                      irq,

    // To the gates, the design and its outputs.
    output wire                      enable,
    output wire                      restart,
    output wire                      resync,

    // From them.
    input  wire                      frame_error,
    input  wire                      opened,
    input  wire [INPUTS-1:0]         begun,
    input  wire [INPUTS-1:0]         skipping,
    input  wire [INPUTS+OUTPUTS-1:0] finish,
    input  wire [INPUTS+OUTPUTS-1:0] tvalid,
    input  wire [INPUTS+OUTPUTS-1:0] tready
);

    localparam integer STREAMS = INPUTS + OUTPUTS;
    localparam integer STREAM_W = $clog2(STREAMS);
    localparam integer MOST = STREAMS - 1;
    localparam integer PAGE_W = ADDR_W - 8;
    // Cycles for which a restart lasts.
    localparam [3:0] RESTART = 4'd8;

    localparam [31:0] ID = 32'h4857_4143, VERSION = 32'h0001_0000;

    // Numbers of the registers: byte address / 4.
    localparam [5:0] A_ID = 6'd0, A_VERSION = 6'd1, A_HASH_LO = 6'd2, A_HASH_HI = 6'd3;
    localparam [5:0] A_STREAMS = 6'd4, A_SCRATCH = 6'd5, A_CONTROL = 6'd6, A_STATUS = 6'd7;
    localparam [5:0] A_IRQ_ENABLE = 6'd8, A_IRQ_PENDING = 6'd9;
    localparam [5:0] A_CYCLES_LO = 6'd10, A_CYCLES_HI = 6'd11;
    localparam [5:0] A_FRAMES_IN = 6'd12, A_FRAMES_OUT = 6'd13, A_IN_FLIGHT = 6'd14;
    localparam [5:0] A_LATENCY = 6'd15, A_INTERVAL = 6'd16, LAST = A_INTERVAL;
    // Numbers of the words of a stream.
    localparam [1:0] S_BEATS = 2'd0, S_BITS = 2'd1, S_FRAMES = 2'd2, S_STALLS = 2'd3;

    initial begin
        if (ADDR_W < 9 || INPUTS < 1 || OUTPUTS < 1 || 256 + 16 * STREAMS > (1 << ADDR_W)) begin
            $display("hwa: %m: ADDR_W=%0d, must have room for %0d streams", ADDR_W, STREAMS);
            $finish;
        end
    end

    // --- which register is meant: one of the first page, or one of a stream behind it ------------

    wire              write, read;
    wire [ADDR_W-1:2] write_addr, read_addr;
    wire [31:0]       write_data;
    wire [3:0]        write_strb;

    wire [PAGE_W-1:0] w_page = write_addr[ADDR_W-1:8] - 1'b1;
    wire [PAGE_W-1:0] r_page = read_addr[ADDR_W-1:8] - 1'b1;
    // Number of the stream, of any that have a place in the address space.
    wire [PAGE_W+3:0] w_stream = {w_page, write_addr[7:4]};
    wire [PAGE_W+3:0] r_stream = {r_page, read_addr[7:4]};
    wire              w_first  = &w_page;
    wire              r_first  = &r_page;
    wire              w_known  = w_first ? write_addr[7:2] <= LAST : w_stream <= MOST[PAGE_W+3:0];
    wire              r_known  = r_first ? read_addr[7:2] <= LAST : r_stream <= MOST[PAGE_W+3:0];

    wire change = write && w_first && write_strb[0];
    wire wipe   = write && write_strb != 4'd0;

    wire set_control = change && write_addr[7:2] == A_CONTROL;
    wire set_enable  = change && write_addr[7:2] == A_IRQ_ENABLE;
    wire set_pending = change && write_addr[7:2] == A_IRQ_PENDING;
    wire set_scratch = write && w_first && write_addr[7:2] == A_SCRATCH;

    // Any write clears a counter; CONTROL clears them all.
    wire clear          = set_control && write_data[3];
    wire clear_cycles   = clear || (wipe && w_first && write_addr[7:3] == A_CYCLES_LO[5:1]);
    wire clear_in       = clear || (wipe && w_first && write_addr[7:2] == A_FRAMES_IN);
    wire clear_out      = clear || (wipe && w_first && write_addr[7:2] == A_FRAMES_OUT);
    wire clear_latency  = clear || (wipe && w_first && write_addr[7:2] == A_LATENCY);
    wire clear_interval = clear || (wipe && w_first && write_addr[7:2] == A_INTERVAL);

    wire [STREAMS-1:0] clear_frames, clear_stalls;

    genvar k;
    generate
        for (k = 0; k < STREAMS; k = k + 1) begin : g_clear
            wire wiped = wipe && !w_first && w_stream == k;
            assign clear_frames[k] = clear || (wiped && write_addr[3:2] == S_FRAMES);
            assign clear_stalls[k] = clear || (wiped && write_addr[3:2] == S_STALLS);
        end
    endgenerate

    // --- control and status ----------------------------------------------------------------------

    reg        enable_q, resync_q, error_q;
    reg [3:0]  restart_q;
    reg [31:0] scratch_q;
    reg [1:0]  irq_enable_q, irq_pending_q;

    wire        done;
    wire [63:0] cycles;
    wire [31:0] frames_in, frames_out, held, latency, interval;
    wire [32*STREAMS-1:0] frames, stalls;

    wire        busy    = held != 32'd0 || |begun;
    wire        running = (enable_q || busy) && !restart;
    wire [1:0]  events  = {frame_error && !error_q, done};

    assign enable  = enable_q;
    assign resync  = resync_q;
    assign restart = restart_q != 4'd0;
    assign irq     = |(irq_enable_q & irq_pending_q);

    always @(posedge clk) begin
        if (restart) restart_q <= restart_q - 4'd1;
        if (set_control) begin
            enable_q <= write_data[0];
            if (write_data[1]) begin
                restart_q <= RESTART;
                resync_q  <= write_data[2];
            end
        end
        if (rst) begin
            enable_q  <= 1'b0;
            resync_q  <= 1'b0;
            restart_q <= RESTART;
        end
    end

    always @(posedge clk) begin
        error_q       <= frame_error;
        irq_pending_q <= (irq_pending_q & ~(set_pending ? write_data[1:0] : 2'd0)) | events;
        if (set_enable) irq_enable_q <= write_data[1:0];
        if (rst || restart) error_q <= 1'b0;
        if (rst) begin
            irq_enable_q  <= 2'd0;
            irq_pending_q <= 2'd0;
        end
    end

    generate
        for (k = 0; k < 4; k = k + 1) begin : g_scratch
            always @(posedge clk) begin
                if (set_scratch && write_strb[k]) scratch_q[8*k +: 8] <= write_data[8*k +: 8];
                if (rst) scratch_q[8*k +: 8] <= 8'd0;
            end
        end
    endgenerate

    // --- counters --------------------------------------------------------------------------------

    // The upper half of cycles, as it was when the lower one was read.
    reg [31:0] cycles_hi_q;
    always @(posedge clk) begin
        if (read && r_first && read_addr[7:2] == A_CYCLES_LO) cycles_hi_q <= cycles[63:32];
        if (rst || clear_cycles) cycles_hi_q <= 32'd0;
    end

    hwa_tally #(.INPUTS(INPUTS), .OUTPUTS(OUTPUTS)) u_tally (
        .clk            (clk),
        .rst            (rst),
        .restart        (restart),
        .run            (running),
        .opened         (opened),
        .finish         (finish),
        .tvalid         (tvalid),
        .tready         (tready),
        .clear_cycles   (clear_cycles),
        .clear_in       (clear_in),
        .clear_out      (clear_out),
        .clear_latency  (clear_latency),
        .clear_interval (clear_interval),
        .clear_frames   (clear_frames),
        .clear_stalls   (clear_stalls),
        .done           (done),
        .cycles         (cycles),
        .frames_in      (frames_in),
        .frames_out     (frames_out),
        .held           (held),
        .latency        (latency),
        .interval       (interval),
        .frames         (frames),
        .stalls         (stalls)
    );

    // --- reading ---------------------------------------------------------------------------------

    wire [STREAM_W+4:0] at = {r_stream[STREAM_W-1:0], 5'd0};
    reg  [31:0]         first_word, stream_word;

    always @* begin
        case (read_addr[7:2])
            A_ID:          first_word = ID;
            A_VERSION:     first_word = VERSION;
            A_HASH_LO:     first_word = HASH[31:0];
            A_HASH_HI:     first_word = HASH[63:32];
            A_STREAMS:     first_word = {OUTPUTS[15:0], INPUTS[15:0]};
            A_SCRATCH:     first_word = scratch_q;
            A_CONTROL:     first_word = {29'd0, resync_q, restart, enable_q};
            A_STATUS:      first_word = {27'd0, |skipping, restart, frame_error, busy, enable_q};
            A_IRQ_ENABLE:  first_word = {30'd0, irq_enable_q};
            A_IRQ_PENDING: first_word = {30'd0, irq_pending_q};
            A_CYCLES_LO:   first_word = cycles[31:0];
            A_CYCLES_HI:   first_word = cycles_hi_q;
            A_FRAMES_IN:   first_word = frames_in;
            A_FRAMES_OUT:  first_word = frames_out;
            A_IN_FLIGHT:   first_word = held;
            A_LATENCY:     first_word = latency;
            A_INTERVAL:    first_word = interval;
            default:       first_word = 32'd0;
        endcase
        case (read_addr[3:2])
            S_BEATS:  stream_word = BEATS[at +: 32];
            S_BITS:   stream_word = BITS[at +: 32];
            S_FRAMES: stream_word = frames[at +: 32];
            default:  stream_word = stalls[at +: 32];
        endcase
    end

    wire [31:0] read_data = !r_known ? 32'd0 : r_first ? first_word : stream_word;

    hwa_axil #(.ADDR_W(ADDR_W)) u_axil (
        .clk           (clk),
        .rst           (rst),
        .s_axi_awaddr  (s_axi_awaddr),
        .s_axi_awprot  (s_axi_awprot),
        .s_axi_awvalid (s_axi_awvalid),
        .s_axi_awready (s_axi_awready),
        .s_axi_wdata   (s_axi_wdata),
        .s_axi_wstrb   (s_axi_wstrb),
        .s_axi_wvalid  (s_axi_wvalid),
        .s_axi_wready  (s_axi_wready),
        .s_axi_bresp   (s_axi_bresp),
        .s_axi_bvalid  (s_axi_bvalid),
        .s_axi_bready  (s_axi_bready),
        .s_axi_araddr  (s_axi_araddr),
        .s_axi_arprot  (s_axi_arprot),
        .s_axi_arvalid (s_axi_arvalid),
        .s_axi_arready (s_axi_arready),
        .s_axi_rdata   (s_axi_rdata),
        .s_axi_rresp   (s_axi_rresp),
        .s_axi_rvalid  (s_axi_rvalid),
        .s_axi_rready  (s_axi_rready),
        .write         (write),
        .write_addr    (write_addr),
        .write_data    (write_data),
        .write_strb    (write_strb),
        .write_error   (!w_known),
        .read          (read),
        .read_addr     (read_addr),
        .read_data     (read_data),
        .read_error    (!r_known)
    );

endmodule

`resetall
