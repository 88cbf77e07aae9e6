"""What is proved of pipes and arithmetic: small parameters for every branch, and broken twins."""

from __future__ import annotations

from tests.rtl.proofs import Case, Mutant

# Labels: the value is that of the specification, in the cycle that it should be; the k-th beat gets
# the k-th word of a ROM; operands and the frame of a reduction arrive with it; a result takes a
# credit.
LABELS = ("value", "valid", "word", "input", "frame", "credit")

_TWO = {"LANES": 2, "A_W": 4, "A_SIGNED": 0, "A_SHIFT": 2, "B_W": 5, "OUT_W": 9}
_MAC = {"PE": 3, "SIMD": 2, "X_W": 3, "X_SIGNED": 0, "W_W": 3, "PACK": 2, "WORDS": 3}

# The second number is how far a step of the induction looks back: the latency and a bit.
CASES = [
    Case("hwa_relu", {"LANES": 2, "IN_W": 5, "OUT_W": 4}, 8, 2),
    Case("hwa_add", _TWO, 8, 2),
    Case("hwa_add", {**_TWO, "SUBTRACT": 1}, 8, 2),
    Case("hwa_minmax", _TWO, 8, 2),
    Case("hwa_minmax", {**_TWO, "LARGEST": 0}, 8, 2),
    Case(
        "hwa_concat",
        {"LANES_A": 2, "A_W": 4, "A_SIGNED": 0, "A_SHIFT": 2, "B_W": 5, "OUT_W": 8},
        8,
        2,
    ),
    Case("hwa_multiply", {"LANES": 2, "A_W": 5, "A_SIGNED": 0, "B_W": 6, "OUT_W": 13}, 8, 4),
    Case("hwa_multiply", {"A_W": 4, "A_SIGNED": 0, "B_W": 3, "B_SIGNED": 0, "OUT_W": 7}, 8, 4),
    *[
        Case(
            "hwa_requant",
            {"LANES": 2, "IN_W": 9, "OUT_W": 5, "SHIFT": 3, "ROUNDING": mode, "LO": -15, "HI": 13},
            8,
            3,
        )
        for mode in (2, 0, 1)
    ],
    Case("hwa_requant", {"IN_W": 5, "OUT_W": 7, "SHIFT": -3, "WRAP": 1}, 8, 3),
    Case(
        "hwa_requant",
        {"IN_W": 6, "IN_SIGNED": 0, "OUT_W": 4, "OUT_SIGNED": 0, "SHIFT": 9, "LO": 0, "HI": 15},
        8,
        3,
        no_cover="every result is 0",
    ),
    Case(
        "hwa_scale",
        {"LANES": 2, "IN_W": 5, "MULT_W": 4, "ADD_W": 3, "OUT_W": 10, "CHANNEL_WORDS": 3},
        10,
        5,
    ),
    Case("hwa_sumpool", {"LANES": 2, "IN_W": 4, "OUT_W": 7}, 8, 2),
    Case("hwa_maxpool", {"LANES": 2, "W": 4}, 8, 2),
    Case("hwa_chansum", {"PE": 2, "SIMD": 3, "IN_W": 4, "OUT_W": 8}, 10, 2),
    Case("hwa_table", {"LANES": 2, "IN_W": 5, "LO": -13, "WORDS": 21, "OUT_W": 4}, 8, 3),
    Case("hwa_loop", {"COUNT": 5}, 12, 2),
    Case("hwa_loop", {"COUNT": 1}, 12, 2),
    Case("hwa_ram", {"WIDTH": 2, "DEPTH": 3}, 8, 3, no_cover="it only remembers"),
    Case("hwa_ram", {"WIDTH": 1, "DEPTH": 1}, 8, 3, no_cover="it only remembers"),
    *[
        Case(
            "hwa_rom",
            {"WIDTH": 2, "DEPTH": 3, "REGISTERS": registers, "INIT": "words.hex"},
            8,
            3,
            no_cover="it only remembers",
            files={"words.hex": "1\n2\n0\n"},
        )
        for registers in (2, 1)
    ],
    Case("hwa_sum_tree", {"COUNT": 5, "IN_W": 4}, 8, 2),
    Case("hwa_sum_tree", {"COUNT": 1, "IN_W": 4}, 8, 2),
    *[Case("hwa_add3", {"WIDTH": 5, "SUBTRACT": subtract}, 2, 1) for subtract in range(3)],
    Case(
        "hwa_accumulate",
        {
            "LANES": 2,
            "IN_W": 5,
            "ACC_W": 7,
            "OUT_W": 9,
            "SHIFT_W": 2,
            "BIAS_W": 4,
            "CHANNEL_WORDS": 3,
        },
        10,
        3,
    ),
    Case("hwa_accumulate", {"IN_W": 5, "ACC_W": 7, "OUT_W": 6}, 10, 3),
    Case("hwa_mac", _MAC, 12, 5),
    Case("hwa_mac", {**_MAC, "PACK": 3, "X_SIGNED": 1}, 12, 5),
    Case("hwa_mac", {**_MAC, "PACK": 1, "W_W": 1}, 12, 5),
    Case("hwa_meet", {"COUNT": 2}, 8, 2),
    Case("hwa_meet", {"COUNT": 1}, 8, 2),
    Case(
        "hwa_window", {"DATA_W": 2}, 20, 4, no_cover="no two results that differ in first and last"
    ),
    Case("hwa_mac_lanes", {"LANES": 2, "X_W": 3, "X_SIGNED": 0, "W_W": 3, "WORDS": 3}, 12, 5),
]

MUTANTS = [
    Mutant(
        "hwa_relu", "passes what is negative", "out_q <= x[IN_W-1] ?", "out_q <= 1'b0 ?", "value"
    ),
    Mutant(
        "hwa_relu", "valid over a reset", "        if (rst) out_valid_q <= 1'b0;\n", "", "valid"
    ),
    Mutant(
        "hwa_add",
        "takes an unsigned operand for signed",
        "a_sign = (A_SIGNED != 0) ? a[A_W-1] : 1'b0;",
        "a_sign = a[A_W-1];",
        "value",
    ),
    Mutant("hwa_add", "always valid", "out_valid_q <= in_valid;", "out_valid_q <= 1'b1;", "valid"),
    Mutant(
        "hwa_minmax",
        "compares without sign",
        "wire                a_more = a_wide > b_wide;",
        "wire                a_more = {1'b0, a_wide} > {1'b0, b_wide};",
        "value",
    ),
    Mutant(
        "hwa_minmax", "always valid", "out_valid_q <= in_valid;", "out_valid_q <= 1'b1;", "valid"
    ),
    Mutant(
        "hwa_concat",
        "the shift of the other operand",
        "{OUT_W{sign}}, b, {B_SHIFT{1'b0}}}",
        "{OUT_W{sign}}, b[B_W-2:0], {B_SHIFT+1{1'b0}}}",
        "value",
    ),
    Mutant(
        "hwa_concat", "always valid", "out_valid_q <= in_valid;", "out_valid_q <= 1'b1;", "valid"
    ),
    Mutant(
        "hwa_multiply",
        "an unsigned factor loses its top bit",
        "assign a = {1'b0, a_q[l*A_W +: A_W]};",
        "assign a = {2'b00, a_q[l*A_W +: A_W-1]};",
        "value",
    ),
    Mutant(
        "hwa_multiply",
        "a factor of another beat",
        "a_q <= in_a_data;",
        "if (in_valid) a_q <= a_q; else a_q <= in_a_data;",
        "input",
    ),
    Mutant(
        "hwa_multiply",
        "a cycle early",
        "assign out_valid = valid_q[2];",
        "assign out_valid = valid_q[1];",
        "valid",
    ),
    Mutant("hwa_requant", "halves up", ": half && (below || odd);", ": half;", "value"),
    Mutant(
        "hwa_requant",
        "no upper limit",
        "too_high = !negative && (|above);",
        "too_high = 1'b0;",
        "value",
    ),
    Mutant(
        "hwa_requant", "a tighter limit is missed", "near < LO_NEAR", "near < LO_NEAR - 1", "value"
    ),
    Mutant(
        "hwa_requant", "valid over a reset", "        if (rst) valid_q <= 2'b00;\n", "", "valid"
    ),
    Mutant(
        "hwa_scale",
        "subtracts",
        "product_wide[OUT_W-1:0] + add_wide[OUT_W-1:0];",
        "product_wide[OUT_W-1:0] - add_wide[OUT_W-1:0];",
        "value",
    ),
    Mutant("hwa_scale", "a word per cycle", ".step  (in_valid),", ".step  (1'b1),", "word"),
    Mutant(
        "hwa_scale", "valid over a reset", "        if (rst) valid_q <= 4'b0000;\n", "", "valid"
    ),
    Mutant(
        "hwa_sumpool",
        "adds to the sum before",
        "(in_first ? {OUT_W{1'b0}} : sum_q)",
        "sum_q",
        "value",
    ),
    Mutant("hwa_sumpool", "valid with every beat", "in_valid && in_last;", "in_valid;", "valid"),
    Mutant(
        "hwa_maxpool", "compares without sign", "(x ^ FLIP) > (max_q ^ FLIP)", "x > max_q", "value"
    ),
    Mutant("hwa_maxpool", "valid with every beat", "in_valid && in_last;", "in_valid;", "valid"),
    Mutant("hwa_chansum", "a carry too many", "carries[s] = 1'b0;", "carries[s] = 1'b1;", "input"),
    Mutant(
        "hwa_chansum",
        "adds to the sum before",
        "(first[LEVELS] ? {OUT_W{1'b0}} : total_q)",
        "total_q",
        "value",
    ),
    Mutant(
        "hwa_chansum",
        "valid with every beat",
        "valid[LEVELS] && last[LEVELS];",
        "valid[LEVELS];",
        "valid",
    ),
    Mutant(
        "hwa_table",
        "adds the first input",
        "x[ADDR_W-1:0] - LO[ADDR_W-1:0];",
        "x[ADDR_W-1:0] + LO[ADDR_W-1:0];",
        "word",
    ),
    Mutant("hwa_table", "valid over a reset", "        if (rst) valid_q <= 3'b000;\n", "", "valid"),
    Mutant("hwa_loop", "one short", "COUNT - 2 : 0;", "COUNT - 3 : 0;", "value"),
    Mutant(
        "hwa_ram", "reads where it writes", "<= mem[read_addr];", "<= mem[write_addr];", "value"
    ),
    Mutant("hwa_ram", "forgets what it read", "if (read_en) data_q", "data_q", "value"),
    Mutant("hwa_rom", "a register less", "data = data_q2;", "data = data_q;", "value"),
    Mutant(
        "hwa_sum_tree",
        "a carry of the wrong side",
        "g_node[2*n].carry};",
        "g_node[2*n+1].carry};",
        "value",
    ),
    Mutant("hwa_add3", "adds the first operand twice", "a + b + c;", "a + a + c;", "value"),
    Mutant(
        "hwa_accumulate",
        "adds to the sum before",
        "{in_first ? {ACC_W{1'b0}} : sum_q, 1'b1}",
        "{sum_q, 1'b1}",
        "value",
    ),
    Mutant(
        "hwa_accumulate",
        "drops the carry",
        "in_carry[p]};\n            wire [ACC_W+OUT_W-1:0]",
        "1'b0};\n            wire [ACC_W+OUT_W-1:0]",
        "value",
    ),
    Mutant("hwa_accumulate", "a word per beat", ".step  (in_ends),", ".step  (in_valid),", "word"),
    Mutant(
        "hwa_accumulate",
        "valid without a beat",
        "complete_q  <= in_valid && in_last;",
        "complete_q  <= in_last;",
        "valid",
    ),
    Mutant(
        "hwa_mac",
        "keeps the borrow",
        ".carries[s] = product_q[p*FIELD_W-1];",
        ".carries[s] = 1'b0;",
        "value",
    ),
    Mutant("hwa_mac", "an input a cycle late", "x_q2 <= x_q;", "x_q2 <= x_q2;", "input"),
    Mutant("hwa_mac", "a word per cycle", ".step  (in_valid),", ".step  (1'b1),", "word"),
    Mutant(
        "hwa_mac",
        "valid over a reset",
        "        if (rst) valid_q <= {SUM_DELAY{1'b0}};\n",
        "",
        "valid",
    ),
    Mutant(
        "hwa_mac",
        "ends a cycle late",
        "wire ends = valid_q[SUM_DELAY-2] && last_q[SUM_DELAY-2];",
        "wire ends = valid_q[SUM_DELAY-1] && last_q[SUM_DELAY-1];",
    ),
    Mutant("hwa_mac", "ends where it begins", "in_last};", "in_first};", "frame"),
    Mutant(
        "hwa_meet", "does not wait for the last", "assign all = &up;", "assign all = |up;", "value"
    ),
    Mutant("hwa_window", "fires without credit", "&& (grant || !last);", ";", "credit"),
    Mutant("hwa_window", "valid over a reset", "            out_valid_q <= 1'b0;\n", "", "valid"),
    Mutant(
        "hwa_window",
        "first comes early",
        "out_first_q <= first_q;",
        "out_first_q <= first;",
        "value",
    ),
    Mutant(
        "hwa_mac_lanes",
        "takes an unsigned input for signed",
        "assign x = {1'b0, x_q2[l*X_W +: X_W]};",
        "assign x = {x_q2[l*X_W+X_W-1], x_q2[l*X_W +: X_W]};",
        "value",
    ),
    Mutant("hwa_mac_lanes", "an input a cycle late", "x_q2 <= x_q;", "x_q2 <= x_q2;", "input"),
    Mutant("hwa_mac_lanes", "a word per cycle", ".step  (in_valid),", ".step  (1'b1),", "word"),
    Mutant(
        "hwa_mac_lanes", "valid over a reset", "        if (rst) valid_q <= 3'b000;\n", "", "valid"
    ),
    Mutant(
        "hwa_mac_lanes",
        "ends a cycle late",
        "wire ends = valid_q[1] && last_q[1];",
        "wire ends = valid_q[2] && last_q[2];",
    ),
    Mutant("hwa_mac_lanes", "ends where it begins", "in_last};", "in_first};", "frame"),
]
