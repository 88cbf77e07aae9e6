// hwa_reorder: sends each frame of LENGTH beats out in another order.
//
//   function  output beat k of a frame = input beat ORDER[k] of the same frame
//   order     frames stay in order; inside a frame as the file ORDER says
//   latency   2: the last beat of a frame is taken in cycle t, the first is valid in cycle t + 2
//   interval  1 beat a cycle: one of the two banks fills while the other empties
//   tlast     none: a frame is LENGTH beats, counted from reset
//
// Timing, exactly (in, read, out are the cycles of the transfers of beat i of frame n; source
// and sink are the earliest cycles the neighbours allow; prev is the transfer before):
//   in[n,i]   = max(source, in[prev] + 1, and for i = 0: read[n-2, LENGTH-1] + 1)
//   read[n,k] = max(in[n, LENGTH-1] + 1, out[prev])
//   out[n,k]  = max(sink, read[n,k] + 1, out[prev] + 1)

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_reorder #(
    // Payload width in bits.
    parameter integer DATA_W = 8,
    // Beats in a frame, 1 or more.
    parameter integer LENGTH = 4,
    // Name of the hex file of LENGTH indices: line k is the input beat that leaves as beat k.
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
    // Both banks; an index has one bit even when LENGTH is 1.
    localparam integer WORDS = (LENGTH > 1) ? 2 * LENGTH : 4;

    initial begin
        if (DATA_W < 1) begin
            $display("hwa: %m: DATA_W=%0d, must be 1 or more", DATA_W);
            $finish;
        end
        if (LENGTH < 1) begin
            $display("hwa: %m: LENGTH=%0d, must be 1 or more", LENGTH);
            $finish;
        end
    end

    reg [INDEX_W-1:0] write_index_q, read_index_q;
    reg               write_bank_q, read_bank_q;
    // Per bank: it holds a whole frame that is not read to the end.
    reg [1:0]         full_q;
    // The memory's output register holds a beat that has not left.
    reg               valid_q;

    wire write      = s_axis_tvalid && s_axis_tready;
    wire write_last = write_index_q == LAST[INDEX_W-1:0];
    wire read       = full_q[read_bank_q] && (!valid_q || m_axis_tready);
    wire read_last  = read_index_q == LAST[INDEX_W-1:0];

    wire [INDEX_W-1:0] read_index_next = read_last ? {INDEX_W{1'b0}} : read_index_q + 1'b1;
    wire [INDEX_W-1:0] order;

    assign s_axis_tready = !full_q[write_bank_q];
    assign m_axis_tvalid = valid_q;

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
            read_index_q  <= {INDEX_W{1'b0}};
            read_bank_q   <= 1'b0;
            full_q        <= 2'b00;
            valid_q       <= 1'b0;
        end
    end

    // One step ahead, so that `order` always belongs to read_index_q.
    hwa_rom #(
        .WIDTH (INDEX_W),
        .DEPTH (LENGTH),
        .INIT  (ORDER)
    ) order_rom (
        .clk   (clk),
        .addr  (read ? read_index_next : read_index_q),
        .data  (order)
    );

    // The bank is the low address bit, so the two banks need no padding between them.
    hwa_ram #(
        .WIDTH      (DATA_W),
        .DEPTH      (WORDS)
    ) banks (
        .clk        (clk),
        .write      (write),
        .write_addr ({write_index_q, write_bank_q}),
        .write_data (s_axis_tdata),
        .read       (read),
        .read_addr  ({order, read_bank_q}),
        .read_data  (m_axis_tdata)
    );

endmodule

`resetall
