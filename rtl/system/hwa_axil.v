// hwa_axil: slave of AXI4-Lite that turns its five channels into single reads and writes.
//
//   function  write is high for one cycle for each pair of an address and a data word, which may
//             come in any order, any time apart; write_error in that cycle becomes its response.
//             read is high for one cycle for each read address; read_data and read_error in that
//             cycle become its response. Responses are OKAY, or SLVERR on an error
//   latency   2 from the later of address and data to the response, 2 from address to read data
//   interval  2 cycles per write and per read, which do not wait for each other
//   tlast     none
//   must not  need protection: AWPROT and ARPROT are ignored
//
// Everything that leaves on the bus is a register. AMBA AXI4-Lite, ARM IHI 0022, chapter B1.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module hwa_axil #(
    // Width of an address in bits; it counts bytes, the low two bits are ignored.
    parameter integer ADDR_W = 12
) (
    input  wire              clk,
    input  wire              rst,

    input  wire [ADDR_W-1:0] s_axi_awaddr,
    input  wire [2:0]        s_axi_awprot,
    input  wire              s_axi_awvalid,
    output wire              s_axi_awready,
    input  wire [31:0]       s_axi_wdata,
    input  wire [3:0]        s_axi_wstrb,
    input  wire              s_axi_wvalid,
    output wire              s_axi_wready,
    output wire [1:0]        s_axi_bresp,
    output wire              s_axi_bvalid,
    input  wire              s_axi_bready,
    input  wire [ADDR_W-1:0] s_axi_araddr,
    input  wire [2:0]        s_axi_arprot,
    input  wire              s_axi_arvalid,
    output wire              s_axi_arready,
    output wire [31:0]       s_axi_rdata,
    output wire [1:0]        s_axi_rresp,
    output wire              s_axi_rvalid,
    input  wire              s_axi_rready,

    output wire              write,
    output wire [ADDR_W-1:2] write_addr,
    output wire [31:0]       write_data,
    output wire [3:0]        write_strb,
    input  wire              write_error,
    output wire              read,
    output wire [ADDR_W-1:2] read_addr,
    input  wire [31:0]       read_data,
    input  wire              read_error
);

    initial begin
        if (ADDR_W < 3) begin
            $display("hwa: %m: ADDR_W=%0d, must be 3 or more", ADDR_W);
            $finish;
        end
    end

    // One place for each channel that comes; it is free when the register says so.
    reg              aw_ready_q, w_ready_q, ar_ready_q;
    reg [ADDR_W-1:2] aw_addr_q, ar_addr_q;
    reg [31:0]       w_data_q;
    reg [3:0]        w_strb_q;

    reg              b_valid_q, b_error_q, r_valid_q, r_error_q;
    reg [31:0]       r_data_q;

    assign write = !aw_ready_q && !w_ready_q && (!b_valid_q || s_axi_bready);
    assign read  = !ar_ready_q && (!r_valid_q || s_axi_rready);

    assign write_addr = aw_addr_q;
    assign write_data = w_data_q;
    assign write_strb = w_strb_q;
    assign read_addr  = ar_addr_q;

    assign s_axi_awready = aw_ready_q;
    assign s_axi_wready  = w_ready_q;
    assign s_axi_bvalid  = b_valid_q;
    assign s_axi_bresp   = {b_error_q, 1'b0};
    assign s_axi_arready = ar_ready_q;
    assign s_axi_rvalid  = r_valid_q;
    assign s_axi_rdata   = r_data_q;
    assign s_axi_rresp   = {r_error_q, 1'b0};

    wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_awprot, s_axi_araddr[1:0], s_axi_arprot};

    always @(posedge clk) begin
        if (write) begin
            aw_ready_q <= 1'b1;
            w_ready_q  <= 1'b1;
        end
        if (s_axi_awvalid && aw_ready_q) begin
            aw_ready_q <= 1'b0;
            aw_addr_q  <= s_axi_awaddr[ADDR_W-1:2];
        end
        if (s_axi_wvalid && w_ready_q) begin
            w_ready_q <= 1'b0;
            w_data_q  <= s_axi_wdata;
            w_strb_q  <= s_axi_wstrb;
        end
        if (write) begin
            b_valid_q <= 1'b1;
            b_error_q <= write_error;
        end else if (s_axi_bready) begin
            b_valid_q <= 1'b0;
        end
        if (rst) begin
            aw_ready_q <= 1'b1;
            w_ready_q  <= 1'b1;
            b_valid_q  <= 1'b0;
        end
    end

    always @(posedge clk) begin
        if (read) ar_ready_q <= 1'b1;
        if (s_axi_arvalid && ar_ready_q) begin
            ar_ready_q <= 1'b0;
            ar_addr_q  <= s_axi_araddr[ADDR_W-1:2];
        end
        if (read) begin
            r_valid_q <= 1'b1;
            r_error_q <= read_error;
            r_data_q  <= read_data;
        end else if (s_axi_rready) begin
            r_valid_q <= 1'b0;
        end
        if (rst) begin
            ar_ready_q <= 1'b1;
            r_valid_q  <= 1'b0;
        end
    end

`ifdef HWA_FORMAL
    hwa_stream_check #(.DATA_W(ADDR_W), .ASSUME(1)) f_check_aw (
        .clk(clk), .rst(rst),
        .tvalid(s_axi_awvalid), .tready(s_axi_awready), .tdata(s_axi_awaddr)
    );
    hwa_stream_check #(.DATA_W(36), .ASSUME(1)) f_check_w (
        .clk(clk), .rst(rst),
        .tvalid(s_axi_wvalid), .tready(s_axi_wready), .tdata({s_axi_wstrb, s_axi_wdata})
    );
    hwa_stream_check #(.DATA_W(ADDR_W), .ASSUME(1)) f_check_ar (
        .clk(clk), .rst(rst),
        .tvalid(s_axi_arvalid), .tready(s_axi_arready), .tdata(s_axi_araddr)
    );
    hwa_stream_check #(.DATA_W(2), .ASSUME(0)) f_check_b (
        .clk(clk), .rst(rst),
        .tvalid(s_axi_bvalid), .tready(s_axi_bready), .tdata(s_axi_bresp)
    );
    hwa_stream_check #(.DATA_W(34), .ASSUME(0)) f_check_r (
        .clk(clk), .rst(rst),
        .tvalid(s_axi_rvalid), .tready(s_axi_rready), .tdata({s_axi_rresp, s_axi_rdata})
    );

    // No write or read without its request, none lost, doubled or with another's data; and the
    // same for the responses. The number held by each says how long it may be.
    wire              f_aw_held, f_w_held, f_b_held, f_ar_held, f_r_held;
    wire              f_aw_seen, f_w_seen, f_b_seen, f_ar_seen, f_r_seen;
    wire [ADDR_W-3:0] f_aw_kth, f_ar_kth;
    wire [35:0]       f_w_kth;
    wire [1:0]        f_b_kth;
    wire [33:0]       f_r_kth;

    hwa_stream_order #(.PART_W(ADDR_W - 2), .ROOM(1)) f_order_aw (
        .clk(clk), .rst(rst),
        .push(s_axi_awvalid && s_axi_awready), .push_data(s_axi_awaddr[ADDR_W-1:2]),
        .pop(write), .pop_data(write_addr),
        .held(f_aw_held), .tracked(f_aw_seen), .place(), .kth(f_aw_kth)
    );
    hwa_stream_order #(.PART_W(36), .ROOM(1)) f_order_w (
        .clk(clk), .rst(rst),
        .push(s_axi_wvalid && s_axi_wready), .push_data({s_axi_wstrb, s_axi_wdata}),
        .pop(write), .pop_data({write_strb, write_data}),
        .held(f_w_held), .tracked(f_w_seen), .place(), .kth(f_w_kth)
    );
    hwa_stream_order #(.PART_W(2), .ROOM(1)) f_order_b (
        .clk(clk), .rst(rst),
        .push(write), .push_data({write_error, 1'b0}),
        .pop(s_axi_bvalid && s_axi_bready), .pop_data(s_axi_bresp),
        .held(f_b_held), .tracked(f_b_seen), .place(), .kth(f_b_kth)
    );
    hwa_stream_order #(.PART_W(ADDR_W - 2), .ROOM(1)) f_order_ar (
        .clk(clk), .rst(rst),
        .push(s_axi_arvalid && s_axi_arready), .push_data(s_axi_araddr[ADDR_W-1:2]),
        .pop(read), .pop_data(read_addr),
        .held(f_ar_held), .tracked(f_ar_seen), .place(), .kth(f_ar_kth)
    );
    hwa_stream_order #(.PART_W(34), .ROOM(1)) f_order_r (
        .clk(clk), .rst(rst),
        .push(read), .push_data({read_error, 1'b0, read_data}),
        .pop(s_axi_rvalid && s_axi_rready), .pop_data({s_axi_rresp, s_axi_rdata}),
        .held(f_r_held), .tracked(f_r_seen), .place(), .kth(f_r_kth)
    );

    // Two writes and two reads were answered; a response was kept waiting.
    reg f_wrote_q, f_got_q, f_b_stuck_q, f_r_stuck_q;

    always @(posedge clk) begin
        if (s_axi_bvalid && s_axi_bready) f_wrote_q <= 1'b1;
        if (s_axi_rvalid && s_axi_rready) f_got_q <= 1'b1;
        f_b_stuck_q <= s_axi_bvalid && !s_axi_bready && !rst;
        f_r_stuck_q <= s_axi_rvalid && !s_axi_rready && !rst;
        if (rst) begin
            f_wrote_q <= 1'b0;
            f_got_q   <= 1'b0;
        end
    end

    initial assume (rst);
    always @* if (!rst) begin
        // The contract: what was asked is done at once when the response before has left, and a
        // response is there exactly when something was done and not yet answered.
        assert (write == (f_aw_held && f_w_held && (!s_axi_bvalid || s_axi_bready)));
        assert (read == (f_ar_held && (!s_axi_rvalid || s_axi_rready)));
        assert (s_axi_bvalid == f_b_held);
        assert (s_axi_rvalid == f_r_held);
        assert (s_axi_awready == !f_aw_held);
        assert (s_axi_wready == !f_w_held);
        assert (s_axi_arready == !f_ar_held);

        // Helper: where the k-th of each sits.
        assert (!f_aw_seen || f_aw_kth == aw_addr_q);
        assert (!f_w_seen || f_w_kth == {w_strb_q, w_data_q});
        assert (!f_b_seen || f_b_kth == s_axi_bresp);
        assert (!f_ar_seen || f_ar_kth == ar_addr_q);
        assert (!f_r_seen || f_r_kth == {s_axi_rresp, s_axi_rdata});

        // Stories: a second write and a second read, answered after a wait; an error.
        cover (f_wrote_q && f_b_stuck_q && s_axi_bready && s_axi_bresp == 2'b10);
        cover (f_got_q && f_r_stuck_q && s_axi_rready && s_axi_rresp == 2'b00);
    end
`endif

endmodule

`resetall
