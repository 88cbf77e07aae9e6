"""The modules between devices and around engines, broken on purpose."""

from __future__ import annotations

from tests.rtl.proofs import Mutant

MUTANTS = [
    # hwa_link_tx
    Mutant("hwa_link_tx", "sends without a credit", "= credits_q != {COUNT_W{1'b0}};", "= 1'b1;"),
    Mutant("hwa_link_tx", "a word costs nothing", "credits_q <= credits_q - 1'b1;", ";"),
    Mutant("hwa_link_tx", "a credit is lost", "credits_q <= credits_q + 1'b1;", ";"),
    Mutant(
        "hwa_link_tx",
        "a credit that comes with a word counts twice",
        "if (link_credit && !send)",
        "if (link_credit)",
    ),
    Mutant(
        "hwa_link_tx",
        "takes a word it does not send",
        "valid_q <= send;",
        "valid_q <= send && credits_q != 1;",
        "loss",
    ),
    Mutant(
        "hwa_link_tx",
        "sends what was not taken",
        "valid_q <= send;",
        "valid_q <= s_axis_tvalid;",
        "double",
    ),
    Mutant(
        "hwa_link_tx",
        "sends the word before",
        "if (send) data_q <=",
        "if (send && !valid_q) data_q <=",
        "order",
    ),
    Mutant("hwa_link_tx", "sends over a reset", "            valid_q   <= 1'b0;\n", "", "reset"),
    # hwa_link_rx
    Mutant("hwa_link_rx", "words go to one place", "mem[write_q] <=", "mem[read_q] <=", "order"),
    Mutant(
        "hwa_link_rx",
        "reads from the wrong place",
        "= mem[read_q];",
        "= mem[write_q];",
        "handshake",
    ),
    Mutant(
        "hwa_link_rx",
        "forgets the last but one",
        "(read_next == write_q)",
        "(read_next != write_q)",
        "double",
    ),
    Mutant(
        "hwa_link_rx",
        "a word that comes with a pop is not seen",
        "wire valid_d = link_valid ||",
        "wire valid_d = (link_valid && !pop) ||",
        "loss",
    ),
    Mutant(
        "hwa_link_rx",
        "keeps its words over a reset",
        "            valid_q  <= 1'b0;\n",
        "",
        "reset",
    ),
    Mutant("hwa_link_rx", "gives no credit back", "credit_q <= pop;", "credit_q <= 1'b0;"),
    Mutant(
        "hwa_link_rx", "gives credit for what comes", "credit_q <= pop;", "credit_q <= link_valid;"
    ),
    # hwa_link_wire
    Mutant(
        "hwa_link_wire",
        "words stay over a reset",
        "            valid_q  <= {LATENCY{1'b0}};\n",
        "",
        "reset",
    ),
    Mutant(
        "hwa_link_wire",
        "a word comes twice",
        "{valid_q, in_valid};",
        "{valid_q, in_valid || valid_q[0]};",
        "double",
    ),
    Mutant(
        "hwa_link_wire",
        "a word is lost behind another",
        "{valid_q, in_valid};",
        "{valid_q, in_valid && !valid_q[0]};",
        "loss",
    ),
    Mutant(
        "hwa_link_wire",
        "data come a cycle late",
        "wire [(LATENCY+1)*DATA_W-1:0] data_d   = {data_q, in_data};",
        "reg [DATA_W-1:0] late_q; always @(posedge clk) late_q <= in_data;\n"
        "    wire [(LATENCY+1)*DATA_W-1:0] data_d   = {data_q, late_q};",
        "order",
    ),
    Mutant("hwa_link_wire", "credits are lost", "{credit_q, out_credit};", "{credit_q, 1'b0};"),
    # hwa_scatter
    Mutant(
        "hwa_scatter",
        "offers without a beat",
        "{OUTPUTS{s_axis_tvalid}} & turn_q;",
        "turn_q;",
        "reset",
    ),
    Mutant(
        "hwa_scatter",
        "takes the beat with any output",
        "|(turn_q & m_axis_tready);",
        "|m_axis_tready;",
        "handshake",
    ),
    Mutant(
        "hwa_scatter",
        "offers to all",
        "{OUTPUTS{s_axis_tvalid}} & turn_q;",
        "{OUTPUTS{s_axis_tvalid}};",
        "double",
    ),
    Mutant("hwa_scatter", "a frame is a beat short", "BEATS - 1;", "BEATS - 2;", "loss"),
    Mutant(
        "hwa_scatter",
        "mixes up the bits",
        "assign m_axis_tdata  = s_axis_tdata;",
        "assign m_axis_tdata  = s_axis_tdata ^ {DATA_W{turn_q[0]}};",
        "order",
    ),
    Mutant("hwa_scatter", "the turn stays over a reset", "            turn_q  <= FIRST;\n", ""),
    # hwa_gather
    Mutant(
        "hwa_gather",
        "offers without a beat",
        "assign m_axis_tvalid = |(turn_q & s_axis_tvalid);",
        "assign m_axis_tvalid = |turn_q;",
        "reset",
    ),
    Mutant(
        "hwa_gather",
        "gives what another offers",
        "assign m_axis_tdata  = chosen;",
        "assign m_axis_tdata  = chosen ^ {DATA_W{&s_axis_tvalid}};",
        "handshake",
    ),
    Mutant(
        "hwa_gather",
        "gives a beat that is not its turn",
        "assign m_axis_tvalid = |(turn_q & s_axis_tvalid);",
        "assign m_axis_tvalid = |s_axis_tvalid;",
        "double",
    ),
    Mutant(
        "hwa_gather",
        "takes beats out of turn",
        "{INPUTS{m_axis_tready}} & turn_q;",
        "{INPUTS{m_axis_tready}};",
    ),
    Mutant("hwa_gather", "a frame is a beat short", "BEATS - 1;", "BEATS - 2;", "loss"),
    Mutant(
        "hwa_gather",
        "gives the data of the first",
        "{DATA_W{turn_q[i]}}",
        "{DATA_W{turn_q[i] || i == 0}}",
        "order",
    ),
]
