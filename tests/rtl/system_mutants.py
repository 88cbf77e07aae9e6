"""The modules around a design, broken on purpose."""

from __future__ import annotations

from tests.rtl.proofs import Mutant

MUTANTS = [
    Mutant(
        "hwa_axil",
        "writes before the data is there",
        "write = !aw_ready_q && !w_ready_q &&",
        "write = !aw_ready_q &&",
    ),
    Mutant(
        "hwa_axil",
        "writes over a response that waits",
        "!w_ready_q && (!b_valid_q || s_axi_bready);",
        "!w_ready_q;",
        "handshake",
    ),
    Mutant(
        "hwa_axil",
        "reads over a response that waits",
        "!ar_ready_q && (!r_valid_q || s_axi_rready);",
        "!ar_ready_q;",
    ),
    Mutant("hwa_axil", "takes back an answer", "else if (s_axi_bready) begin", "else begin"),
    Mutant("hwa_axil", "takes back what was read", "else if (s_axi_rready) begin", "else begin"),
    Mutant("hwa_axil", "answers no write", "b_valid_q <= 1'b1;", "b_valid_q <= 1'b0;", "loss"),
    Mutant(
        "hwa_axil", "hides an error", "b_error_q <= write_error;", "b_error_q <= 1'b0;", "order"
    ),
    Mutant("hwa_axil", "mistakes its strobes", "w_strb_q  <= s_axi_wstrb;", "w_strb_q  <= 4'hf;"),
    Mutant(
        "hwa_axil",
        "an address overtakes the one that waits",
        "if (s_axi_awvalid && aw_ready_q) begin",
        "if (s_axi_awvalid) begin",
    ),
    Mutant("hwa_axil", "reads twice", "if (read) ar_ready_q <= 1'b1;", "", "double"),
    Mutant("hwa_axil", "answers over a reset", "            r_valid_q  <= 1'b0;\n", "", "reset"),
    Mutant("hwa_axil", "writes over a reset", "            b_valid_q  <= 1'b0;\n", ""),
    Mutant(
        "hwa_gate",
        "cuts a frame when it is stopped",
        "enable || begun_q || behind",
        "enable || behind",
        "handshake",
    ),
    Mutant("hwa_gate", "leaves others half a frame", "|| behind || called;", "|| behind;"),
    Mutant("hwa_gate", "never stops", "begun_q <= !finish;", "begun_q <= 1'b1;"),
    Mutant("hwa_gate", "takes back an offer", "if (m_axis_tvalid) begun_q", "if (pass) begun_q"),
    Mutant("hwa_gate", "one beat short", "LAST = BEATS - 1;", "LAST = BEATS - 2;"),
    Mutant(
        "hwa_gate",
        "passes what is to be dropped",
        "&& !skip_q && !shut_q && !restart;",
        "&& !shut_q && !restart;",
    ),
    Mutant(
        "hwa_gate",
        "drops one beat only",
        "if (s_axis_tlast) skip_q <= 1'b0;",
        "skip_q <= 1'b0;",
        "double",
    ),
    Mutant(
        "hwa_gate",
        "drops unasked",
        "skip_q   <= inside_q && resync;",
        "skip_q <= inside_q;",
        "loss",
    ),
    Mutant(
        "hwa_gate", "offers while what is behind is reset", "&& !shut_q && !restart;", "&& !shut_q;"
    ),
    Mutant(
        "hwa_gate",
        "offers without a beat",
        "assign m_axis_tvalid = s_axis_tvalid && open;",
        "assign m_axis_tvalid = open;",
        "double",
    ),
    Mutant("hwa_gate", "offers during a restart", "&& !shut_q && !restart;", ";", "reset"),
    Mutant("hwa_gate", "takes what nobody takes", "(m_axis_tready && open) ||", "open ||"),
    Mutant(
        "hwa_seal",
        "drops the beat on offer",
        "if (room) valid_q <= load;",
        "valid_q <= load;",
        "handshake",
    ),
    Mutant(
        "hwa_seal",
        "leaves a frame cut",
        "fill_q  <= count_q != {COUNT_W{1'b0}};",
        "fill_q  <= 1'b0;",
    ),
    Mutant("hwa_seal", "fills for ever", "if (last) fill_q <= 1'b0;", "", "double"),
    Mutant("hwa_seal", "counts a cut frame", "whole_q <= !fill_q;", "whole_q <= 1'b1;"),
    Mutant(
        "hwa_seal",
        "loses what comes while it fills",
        "room && !restart && !fill_q;",
        "room && !restart;",
        "loss",
    ),
    Mutant("hwa_seal", "fill too long", "LAST = BEATS - 1;", "LAST = BEATS;"),
    Mutant(
        "hwa_seal",
        "keeps a beat over a reset",
        "            valid_q <= 1'b0;\n            fill_q  <= 1'b0;",
        "            fill_q  <= 1'b0;",
        "reset",
    ),
    Mutant(
        "hwa_seal",
        "sends a beat twice",
        "if (room) valid_q <= load;",
        "if (room) valid_q <= load || valid_q;",
    ),
    Mutant(
        "hwa_seal",
        "other data while it waits",
        "data_q  <= fill_q ? {DATA_W{1'b0}} : s_axis_tdata;",
        "data_q  <= s_axis_tdata;",
        "order",
    ),
    Mutant(
        "hwa_seal",
        "takes while it is full",
        "assign s_axis_tready = room && !restart && !fill_q;",
        "assign s_axis_tready = !restart && !fill_q;",
    ),
]
