"""Every stream module keeps its contract for all time, and a broken twin of it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from proofs import (
    RTL,
    Case,
    Mutant,
    bounded,
    cover,
    induction,
    missing,
    source_of,
    write_smt2,
)

LACKING = missing("yosys", "yosys-smtbmc", "z3")

pytestmark = [
    pytest.mark.formal,
    pytest.mark.skipif(LACKING != "", reason=LACKING),
]

ORDERS = {
    "one.hex": "0\n",
    "three.hex": "2\n0\n1\n",
    "four.hex": "2\n0\n3\n1\n",
    "holes.hex": "1\n4\n1\n",
}
HOLES = {"DATA_W": 2, "LANES": 2, "OUT_LENGTH": 3, "FILL": 1, "PAD": 1, "ORDER": "holes.hex"}

CASES = [
    Case("hwa_fifo", {"DATA_W": 2, "DEPTH": 3}),
    Case("hwa_fifo", {"DATA_W": 1, "DEPTH": 1}),
    Case("hwa_fifo", {"DATA_W": 1, "DEPTH": 2}),
    Case("hwa_fifo", {"DATA_W": 1, "DEPTH": 4}),
    Case("hwa_fifo", {"DATA_W": 1, "DEPTH": 5}),
    Case("hwa_issue", {"DATA_W": 3}),
    Case("hwa_join", {"A_W": 2, "B_W": 3}),
    Case("hwa_fork", {"DATA_W": 2, "OUTPUTS": 3}),
    Case("hwa_fork", {"DATA_W": 2, "OUTPUTS": 2}),
    Case("hwa_fork", {"DATA_W": 2, "OUTPUTS": 1}, no_cover="no second output that could be late"),
    Case("hwa_pack", {"DATA_W": 2, "RATIO": 3}),
    Case("hwa_pack", {"DATA_W": 1, "RATIO": 4}),
    Case("hwa_pack", {"DATA_W": 2, "RATIO": 1}),
    Case("hwa_unpack", {"DATA_W": 2, "RATIO": 3}),
    Case("hwa_unpack", {"DATA_W": 1, "RATIO": 4}),
    Case("hwa_unpack", {"DATA_W": 2, "RATIO": 1}),
    Case(
        "hwa_reorder",
        {"DATA_W": 2, "LENGTH": 3, "OUT_LENGTH": 3, "ORDER": "three.hex"},
        20,
        files=ORDERS,
    ),
    Case("hwa_reorder", {"DATA_W": 1, "LENGTH": 4, "ORDER": "four.hex"}, 24, files=ORDERS),
    Case(
        "hwa_reorder", {"DATA_W": 2, "LENGTH": 1, "OUT_LENGTH": 1, "ORDER": "one.hex"}, files=ORDERS
    ),
    # A beat twice, one never, and padding; fewer beats out than in, and more.
    Case("hwa_reorder", {**HOLES, "LENGTH": 4}, 24, files=ORDERS),
    Case("hwa_reorder", {**HOLES, "LENGTH": 3}, 24, files=ORDERS),
    Case("hwa_frame_in", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_frame_in", {"DATA_W": 2, "BEATS": 1}),
    Case("hwa_frame_out", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_frame_out", {"DATA_W": 2, "BEATS": 1}),
    Case("hwa_skid", {"DATA_W": 4}),
    Case("hwa_axil", {"ADDR_W": 4}),
    Case("hwa_gate", {"BEATS": 3, "SHARED": 1}),
    Case("hwa_gate", {"BEATS": 3}),
    Case("hwa_gate", {"BEATS": 1}, no_cover="a frame of one beat is never stopped inside"),
    Case("hwa_gate", {"BEATS": 2, "SHARED": 1}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 4}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 1}, no_cover="a frame of one beat is never cut"),
]

MUTANTS = [
    Mutant(
        "hwa_fifo",
        "credits ignore what is on the way",
        "(take && (reserve_next == read_q))",
        "(take && (write_next == read_q))",
    ),
    Mutant("hwa_fifo", "a pop brings no credit", "pop || (grant_q", "(grant_q"),
    Mutant(
        "hwa_fifo", "beats go to the place reserved last", "mem[write_q] <=", "mem[reserve_q] <="
    ),
    Mutant("hwa_fifo", "reads from the wrong place", "= mem[read_q];", "= mem[write_q];"),
    Mutant(
        "hwa_fifo", "forgets the last but one", "(read_next == write_q)", "(read_next != write_q)"
    ),
    Mutant("hwa_fifo", "one place more than there are", "DEPTH - 1;", "DEPTH;"),
    Mutant("hwa_issue", "fires without credit", "s_axis_tvalid && grant;", "s_axis_tvalid;"),
    Mutant("hwa_issue", "takes no credit", "take          = fire;", "take          = 1'b0;"),
    Mutant(
        "hwa_join",
        "a goes alone",
        "s_axis_a_tready = s_axis_b_tvalid && grant",
        "s_axis_a_tready = grant",
    ),
    Mutant(
        "hwa_join",
        "b goes without credit",
        "s_axis_b_tready = s_axis_a_tvalid && grant",
        "s_axis_b_tready = s_axis_a_tvalid",
    ),
    Mutant(
        "hwa_join",
        "the streams swapped",
        "out_a_data      = s_axis_a_tdata",
        "out_a_data      = s_axis_b_tdata[A_W-1:0]",
    ),
    Mutant(
        "hwa_fork", "one output is enough", "&(done_q | m_axis_tready)", "|(done_q | m_axis_tready)"
    ),
    Mutant(
        "hwa_fork",
        "forgets who is done",
        "done_q <= done_q | m_axis_tready;",
        "done_q <= m_axis_tready;",
    ),
    Mutant("hwa_fork", "offers a beat again", "& ~done_q;", ";"),
    Mutant(
        "hwa_fork", "remembers too long", "if (s_axis_tready) done_q", "if (!s_axis_tvalid) done_q"
    ),
    Mutant("hwa_pack", "writes over a full word", "!full_q || m_axis_tready;", "1'b1;"),
    Mutant("hwa_pack", "calls half a word full", "store && last;", "store;"),
    Mutant("hwa_pack", "one part too many", "RATIO - 1;", "RATIO;"),
    Mutant(
        "hwa_pack",
        "the order turned round",
        "{s_axis_tdata, data_q};",
        "{data_q[(RATIO-1)*DATA_W-1:0], s_axis_tdata, {DATA_W{1'b0}}};",
    ),
    Mutant(
        "hwa_unpack", "takes a word on the first part", "(last && m_axis_tready)", "m_axis_tready"
    ),
    Mutant("hwa_unpack", "sends the first part again", "data_q >> DATA_W;", "data_q;"),
    Mutant("hwa_unpack", "counts while it waits", "if (send) count_q", "if (full_q) count_q"),
    Mutant("hwa_unpack", "waits a cycle between words", "|| (last && m_axis_tready);", ";"),
    Mutant("hwa_reorder", "reads over a beat that waits", "&& (!valid_q || m_axis_tready);", ";"),
    Mutant(
        "hwa_reorder",
        "an order that lags",
        "(read ? read_index_next : read_index_q)",
        "(read_index_q)",
    ),
    Mutant(
        "hwa_reorder",
        "one bank for all",
        "write_bank_q         <= !write_bank_q;",
        "write_bank_q         <= write_bank_q;",
    ),
    Mutant("hwa_reorder", "writes into a full bank", "!full_q[write_bank_q];", "1'b1;"),
    Mutant(
        "hwa_reorder",
        "input order kept",
        "mem[{order[INDEX_W-1:0], read_bank_q}]",
        "mem[{read_index_q, read_bank_q}]",
    ),
    Mutant(
        "hwa_frame_in",
        "a missing tlast goes unseen",
        "s_axis_tlast != last",
        "s_axis_tlast && !last",
    ),
    Mutant(
        "hwa_frame_in",
        "an early tlast goes unseen",
        "s_axis_tlast != last",
        "!s_axis_tlast && last",
    ),
    Mutant(
        "hwa_frame_in",
        "counts what is offered",
        "wire pass = s_axis_tvalid && s_axis_tready;",
        "wire pass = s_axis_tvalid;",
    ),
    Mutant(
        "hwa_frame_out",
        "counts what is offered",
        "m_axis_tvalid && m_axis_tready;",
        "m_axis_tvalid;",
    ),
    Mutant("hwa_frame_out", "frame one beat short", "BEATS - 1;", "BEATS - 2;"),
    Mutant("hwa_skid", "never stops the input", "ready_q <= 1'b0;", "ready_q <= 1'b1;"),
    Mutant(
        "hwa_skid", "drops the spare beat", "ready_q ? s_axis_tdata : spare_q;", "s_axis_tdata;"
    ),
    Mutant(
        "hwa_skid",
        "spare place follows too long",
        "if (ready_q) spare_q",
        "if (s_axis_tvalid) spare_q",
    ),
    Mutant(
        "hwa_skid",
        "half rate",
        "ready_q <= 1'b1;\n        end else",
        "ready_q <= !ready_q;\n        end else",
    ),
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
    ),
    Mutant(
        "hwa_axil",
        "reads over a response that waits",
        "!ar_ready_q && (!r_valid_q || s_axi_rready);",
        "!ar_ready_q;",
    ),
    Mutant("hwa_axil", "takes back an answer", "else if (s_axi_bready) begin", "else begin"),
    Mutant("hwa_axil", "takes back what was read", "else if (s_axi_rready) begin", "else begin"),
    Mutant("hwa_axil", "answers no write", "b_valid_q <= 1'b1;", "b_valid_q <= 1'b0;"),
    Mutant("hwa_axil", "hides an error", "b_error_q <= write_error;", "b_error_q <= 1'b0;"),
    Mutant("hwa_axil", "mistakes its strobes", "w_strb_q  <= s_axi_wstrb;", "w_strb_q  <= 4'hf;"),
    Mutant(
        "hwa_axil",
        "an address overtakes the one that waits",
        "if (s_axi_awvalid && aw_ready_q) begin",
        "if (s_axi_awvalid) begin",
    ),
    Mutant("hwa_axil", "reads twice", "if (read) ar_ready_q <= 1'b1;", ""),
    Mutant(
        "hwa_gate",
        "cuts a frame when it is stopped",
        "enable || begun_q || behind",
        "enable || behind",
    ),
    Mutant("hwa_gate", "leaves others half a frame", "|| behind || called;", "|| behind;"),
    Mutant("hwa_gate", "never stops", "begun_q <= !finish;", "begun_q <= 1'b1;"),
    Mutant(
        "hwa_gate",
        "takes back an offer",
        "if (m_axis_tvalid) begun_q",
        "if (pass) begun_q",
    ),
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
    ),
    Mutant("hwa_gate", "drops unasked", "skip_q   <= inside_q && resync;", "skip_q <= inside_q;"),
    Mutant(
        "hwa_gate",
        "offers while what is behind is reset",
        "&& !shut_q && !restart;",
        "&& !shut_q;",
    ),
    Mutant("hwa_seal", "drops the beat on offer", "if (room) valid_q <= load;", "valid_q <= load;"),
    Mutant(
        "hwa_seal",
        "leaves a frame cut",
        "fill_q  <= count_q != {COUNT_W{1'b0}};",
        "fill_q  <= 1'b0;",
    ),
    Mutant("hwa_seal", "fills for ever", "if (last) fill_q <= 1'b0;", ""),
    Mutant(
        "hwa_seal",
        "counts a cut frame",
        "whole_q <= !fill_q;",
        "whole_q <= 1'b1;",
    ),
    Mutant(
        "hwa_seal",
        "loses what comes while it fills",
        "room && !restart && !fill_q;",
        "room && !restart;",
    ),
    Mutant("hwa_seal", "fill too long", "LAST = BEATS - 1;", "LAST = BEATS;"),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """SMT2 files by case, each compiled once."""
    done: dict[str, Path] = {}

    def get(case: Case) -> Path:
        if str(case) not in done:
            done[str(case)] = write_smt2(case, tmp_path_factory.mktemp(case.module))
        return done[str(case)]

    return get


@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract_holds_from_reset(case, compiled):
    holds, text = bounded(compiled(case), case.cycles)
    assert holds, text


@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract_holds_for_all_time(case, compiled):
    holds, text = induction(compiled(case), case.induction)
    assert holds, text


@pytest.mark.parametrize("case", [case for case in CASES if not case.no_cover], ids=str)
def test_story_can_happen(case, compiled):
    reached, text = cover(compiled(case), case.cycles)
    assert reached, text


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_broken_twin_is_caught(mutant, tmp_path):
    case = next(case for case in CASES if case.module == mutant.module)
    source = mutant.apply(source_of(mutant.module))
    holds, text = bounded(write_smt2(case, tmp_path, source), case.cycles)
    assert not holds, text
    assert "Assert failed in" in text


def test_every_module_with_a_proof_has_a_case_and_a_mutant():
    folders = [RTL / "stream", RTL / "system"]
    files = [path for folder in folders for path in folder.glob("*.v")]
    proved = {path.stem for path in files if "`ifdef FORMAL" in path.read_text()}
    assert proved == {case.module for case in CASES} == {mutant.module for mutant in MUTANTS}
