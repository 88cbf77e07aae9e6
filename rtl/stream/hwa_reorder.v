// hwa_reorder: sends each frame of LENGTH beats out as OUT_LENGTH beats in another order.
//
//   function  output beat k of a frame = input beat ORDER[k] of the same frame, or PAD in every
//             lane where FILL is 1 and bit INDEX_W of ORDER[k] is set; a beat may leave more
//             than once, or never
//   order     frames stay in order; inside a frame as the file ORDER says
//   latency   2: the last beat of a frame is taken in cycle t, the first is valid in cycle t + 2
//   interval  1 beat a cycle: one of the two banks fills while the other empties
//   tlast     none: a frame is LENGTH beats in and OUT_LENGTH out, counted from reset
//
// Timing, exactly (in, read, out are the cycles of the transfers of beat i of frame n; source
// and sink are the earliest cycles the neighbours allow; prev is the transfer before):
//   in[n,i]   = max(source, in[prev] + 1, and for i = 0: read[n-2, OUT_LENGTH-1] + 1)
//   read[n,k] = max(in[n, LENGTH-1] + 1, out[prev])
//   out[n,k]  = max(sink, read[n,k] + 1, out[prev] + 1)

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_reorder #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Lanes in a beat; DATA_W is a multiple of it.
    parameter integer LANES = 1,
    // Beats in a frame on the input, 1 or more.
    parameter integer LENGTH = 4,
    // Beats in a frame on the output, 1 or more.
    parameter integer OUT_LENGTH = 4,
    // 1 when some beats of the output are PAD.
    parameter integer FILL = 0,
    // One lane of such a beat, in its low DATA_W/LANES bits.
    parameter [63:0] PAD = 64'd0,
    // Name of the hex file of OUT_LENGTH indices: line k is the input beat that leaves as beat k.
    parameter ORDER = ""
) (
    input  wire              clk,
    input  wire              rst,

    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [DATA_W-1:0] s_axis_tdata,

    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata
);

    localparam integer INDEX_W = (LENGTH > 1) ? $clog2(LENGTH) : 1;
    localparam integer LAST = LENGTH - 1;
    localparam integer OUT_W = (OUT_LENGTH > 1) ? $clog2(OUT_LENGTH) : 1;
    localparam integer OUT_LAST = OUT_LENGTH - 1;
    localparam integer LANE_W = DATA_W / LANES;
    localparam integer ORDER_W = INDEX_W + FILL;
    // Both banks; an index has one bit even when LENGTH is 1.
    localparam integer WORDS = (LENGTH > 1) ? 2 * LENGTH : 4;

    initial begin
        if (DATA_W < 1 || LANES < 1 || LANE_W * LANES != DATA_W || LANE_W > 64) begin
            $display("hwa: %m: DATA_W=%0d LANES=%0d, must be 1 to 64 bits a lane, same for all",
                     DATA_W, LANES);
            $finish;
        end
        if (LENGTH < 1 || OUT_LENGTH < 1) begin
            $display("hwa: %m: LENGTH=%0d OUT_LENGTH=%0d, must be 1 or more", LENGTH, OUT_LENGTH);
            $finish;
        end
        if (FILL < 0 || FILL > 1) begin
            $display("hwa: %m: FILL=%0d, must be 0 or 1", FILL);
            $finish;
        end
    end

    reg [INDEX_W-1:0] write_index_q;
    reg [OUT_W-1:0]   read_index_q;
    reg               write_bank_q, read_bank_q;
    // Per bank: it holds a whole frame that is not read to the end.
    reg [1:0]         full_q;
    // The memory's output register holds a beat that has not left.
    reg               valid_q;

    wire write      = s_axis_tvalid && s_axis_tready;
    wire write_last = write_index_q == LAST[INDEX_W-1:0];
    wire read       = full_q[read_bank_q] && (!valid_q || m_axis_tready);
    wire read_last  = read_index_q == OUT_LAST[OUT_W-1:0];

    wire [OUT_W-1:0]   read_index_next = read_last ? {OUT_W{1'b0}} : read_index_q + 1'b1;
    wire [ORDER_W-1:0] order;

    // A bank is never written and read in one cycle. The bank is the low address bit: nothing is
    // lost between the banks when LENGTH is no power of 2.
    wire [DATA_W-1:0] data;
`ifdef HWA_FORMAL
    wire [INDEX_W:0]  f_place;
    wire [DATA_W-1:0] f_stored;
`endif

    hwa_ram #(
        .WIDTH (DATA_W),
        .DEPTH (WORDS)
    ) banks (
        .clk        (clk),
        .write_en   (write),
        .write_addr ({write_index_q, write_bank_q}),
        .write_data (s_axis_tdata),
        .read_en    (read),
        .read_addr  ({order[INDEX_W-1:0], read_bank_q}),
`ifdef HWA_FORMAL
        .f_addr     (f_place),
        .f_data     (f_stored),
`endif
        .read_data  (data)
    );

    assign s_axis_tready = !full_q[write_bank_q];
    assign m_axis_tvalid = valid_q;

    // Padding is chosen behind the memory, whose read stays plain.
    generate
        if (FILL != 0) begin : g_fill
            reg pad_q;

            always @(posedge clk) if (read) pad_q <= order[ORDER_W-1];

            assign m_axis_tdata = pad_q ? {LANES{PAD[LANE_W-1:0]}} : data;
        end else begin : g_plain
            assign m_axis_tdata = data;
        end
    endgenerate

    always @(posedge clk) begin
        if (write) begin
            write_index_q <= write_last ? {INDEX_W{1'b0}} : write_index_q + 1'b1;
            if (write_last) begin
                full_q[write_bank_q] <= 1'b1;
                write_bank_q         <= !write_bank_q;
            end
        end
        if (read) begin
            read_index_q <= read_index_next;
            if (read_last) begin
                full_q[read_bank_q] <= 1'b0;
                read_bank_q         <= !read_bank_q;
            end
        end
        if (!valid_q || m_axis_tready) valid_q <= read;
        if (rst) begin
            write_index_q <= {INDEX_W{1'b0}};
            write_bank_q  <= 1'b0;
            read_index_q  <= {OUT_W{1'b0}};
            read_bank_q   <= 1'b0;
            full_q        <= 2'b00;
            valid_q       <= 1'b0;
        end
    end

    // One step ahead, so that `order` always belongs to read_index_q.
    hwa_rom #(
        .WIDTH     (ORDER_W),
        .DEPTH     (OUT_LENGTH),
        .REGISTERS (1),
        .INIT      (ORDER)
    ) order_rom (
        .clk   (clk),
        .addr  (read ? read_index_next : read_index_q),
        .data  (order)
    );

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(1)) f_check_s (
        .clk    (clk),
        .rst    (rst),
        .tvalid (s_axis_tvalid),
        .tready (s_axis_tready),
        .tdata  (s_axis_tdata)
    );

    hwa_stream_check #(.DATA_W(DATA_W), .ASSUME(0)) f_check_m (
        .clk    (clk),
        .rst    (rst),
        .tvalid (m_axis_tvalid),
        .tready (m_axis_tready),
        .tdata  (m_axis_tdata)
    );

    reg [ORDER_W-1:0] f_order [0:OUT_LENGTH-1];
    initial $readmemh(ORDER, f_order);

    // The order of this module is by frame, so hwa_stream_order does not fit. The solver picks an
    // input beat by raising f_pick: f_data_q is its value, f_index_q its number in its frame,
    // f_ahead_q the number of frames that leave before that frame.
    (* anyseq *) reg  f_pick;
    reg               f_tracked_q;
    reg [DATA_W-1:0]  f_data_q;
    reg [INDEX_W-1:0] f_index_q;
    reg [2:0]         f_ahead_q;
    // Counted at the ports alone: beats of the frame that comes and of the frame that leaves,
    // and the frames that came as a whole and did not leave as a whole.
    reg [INDEX_W-1:0] f_in_q;
    reg [OUT_W-1:0]   f_out_q;
    reg [2:0]         f_whole_q;
    reg               f_due_q, f_stuck_q, f_gone_q;

    wire f_in_last  = write && f_in_q == LAST[INDEX_W-1:0];
    wire f_out      = m_axis_tvalid && m_axis_tready;
    wire f_out_last = f_out && f_out_q == OUT_LAST[OUT_W-1:0];
    // The output shows the last beat of a frame, so the bank of that frame is free.
    wire f_tail     = m_axis_tvalid && f_out_q == OUT_LAST[OUT_W-1:0];

    always @(posedge clk) begin
        if (write) f_in_q <= (f_in_q == LAST[INDEX_W-1:0]) ? {INDEX_W{1'b0}} : f_in_q + 1'b1;
        if (f_out) f_out_q <= f_out_last ? {OUT_W{1'b0}} : f_out_q + 1'b1;
        f_whole_q <= f_whole_q + f_in_last - f_out_last;
        if (!f_tracked_q) begin
            f_tracked_q <= write && f_pick;
            f_data_q    <= s_axis_tdata;
            f_index_q   <= f_in_q;
            f_ahead_q   <= f_whole_q - f_out_last;
        end else if (f_out_last) begin
            f_tracked_q <= f_ahead_q != 0;
            f_ahead_q   <= f_ahead_q - 1'b1;
        end
        f_due_q <= (m_axis_tvalid && !m_axis_tready) || f_whole_q != f_tail;
        if (f_out_last) f_gone_q <= 1'b1;
        if (full_q == 2'b11 && s_axis_tvalid && !m_axis_tready) f_stuck_q <= 1'b1;
        if (rst) begin
            f_in_q      <= {INDEX_W{1'b0}};
            f_out_q     <= {OUT_W{1'b0}};
            f_whole_q   <= 3'd0;
            f_tracked_q <= 1'b0;
            f_due_q     <= 1'b0;
            f_stuck_q   <= 1'b0;
            f_gone_q    <= 1'b0;
        end
    end

    // The output shows the k-th beat; the bank that the k-th beat was written to.
    wire [ORDER_W-1:0] f_now = f_order[f_out_q];
    wire f_pad  = FILL != 0 && f_now[ORDER_W-1];
    wire f_kth  = f_tracked_q && f_ahead_q == 0 && !f_pad && f_now[INDEX_W-1:0] == f_index_q;
    wire f_bank = read_bank_q ^ f_ahead_q[0] ^ f_tail;
    assign f_place = {f_index_q, f_bank};

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: a frame leaves after it came, its beats in ORDER; a beat is there in the
        // cycle after it is due; only two frames that wait in their banks stop the input.
        p_double: assert (!m_axis_tvalid || f_whole_q != 0);
        p_order: assert (!m_axis_tvalid || !f_kth || m_axis_tdata == f_data_q);
        assert (!m_axis_tvalid || !f_pad || m_axis_tdata == {LANES{PAD[LANE_W-1:0]}});
        p_loss: assert (m_axis_tvalid == f_due_q);
        assert (s_axis_tready == (f_whole_q - f_tail < 2));

        // Helpers: the two ways to count, the banks in turn, the order read ahead.
        assert (f_in_q == write_index_q && f_in_q < LENGTH && f_out_q < OUT_LENGTH);
        assert (read_index_q == (f_out_q + valid_q) % OUT_LENGTH);
        assert (f_whole_q == full_q[0] + full_q[1] + f_tail);
        assert ((write_bank_q == read_bank_q) == (full_q[0] == full_q[1]));
        assert (full_q == 2'b00 || full_q[read_bank_q]);
        assert (read_index_q == 0 || full_q[read_bank_q]);
        assert (full_q == 2'b00 || order == f_order[read_index_q]);

        // Helper: where the k-th beat sits, and that it is not written over.
        assert (!f_tracked_q || (f_ahead_q <= f_whole_q && f_index_q < LENGTH));
        assert (!f_tracked_q || f_ahead_q != f_whole_q || f_index_q < f_in_q);
        assert (!f_tracked_q || f_ahead_q < f_tail || f_stored == f_data_q);

        // A story: both banks full and stuck, then drained.
        c_loss: cover (f_stuck_q && f_whole_q == 0 && f_in_q == 0);
        // A frame was sent to its end, and none is inside; the k-th beat leaves.
        c_double: cover (f_gone_q && f_whole_q == 0);
        c_order: cover (f_out && f_kth);
    end
`endif

endmodule

`resetall
