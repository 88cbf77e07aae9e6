"""What was printed of a circuit is what was meant, node for node; every defect is named."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hwaccel.errors import MismatchError
from hwaccel.verify.circuit import check_circuit
from tests.emit.circuits import clips, random_circuit, sums, sums3, unit
from tests.emit.test_circuit import hostile, small, text

pytest.importorskip("pyverilog")


def test_every_kind_of_node_in_random_circuits():
    for seed in range(40):
        u = unit(random_circuit(seed), f"u{seed}", seed % 4, seed)
        check_circuit(text(u), u)


def test_every_sum_and_clip():
    made = [unit(sums(), "sums", 1), unit(sums3(), "sums3", 1), unit(clips(), "clips")]
    for u in (*made, small(), hostile()):
        check_circuit(text(u), u)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            r"SUBTRACT\(1\)(\) \w+ \(\n.*\n.*\n *\.c \(\{)",
            r"SUBTRACT(0)\1",
            r"counts \d+, expected",
        ),
        (r"\.a \((.*)\),\n(.*)\.b \(.*\),", r".a (\1),\n\2.b (\1),", "counts"),
        (r"WIDTH\((\d)\)", r"WIDTH(1\1)", "drives sum_t\\d+_sum, expected a wire"),
        (r"\.c \((.*)\),", r".c ({1'd0, \1}),", "expected equal widths"),
        (r"hwa_add3", "hwa_add4", "is no adder of three numbers"),
        (r"hwa_add3[^;]*;", "", "sum_t\\d+_sum has no value"),
    ],
)
def test_defects_of_sums_of_three(old, new, message):
    u = unit(sums3(40), "sums3", 1)
    good = text(u)
    bad = re.sub(old, new, good, count=1)
    assert bad != good
    with pytest.raises(MismatchError, match=message):
        check_circuit(bad, u)


# One defect each in the golden file: what to replace, by what, and the whole message.
DEFECTS = {
    "another-weight": (
        r"\{x1\[3\], x1\}, x0\[0\]\}",
        "{x1, x1[0]}, x0[0]}",
        "fc_t0: bit 0 of x1 counts 6, expected 2",
    ),
    "minus-for-plus": (
        r"= fc_t1 \+ 7'd5",
        "= fc_t1 - 7'd5",
        "fc_y0: adds 123, expected 5",
    ),
    "a-lost-sign": (
        r"\{\{2\{x0\[3\]\}\}, x0\[3:1\]\}",
        "{2'd0, x0[3:1]}",
        "fc_t0: bit 3 of x0 counts 8, expected 56",
    ),
    "a-lost-carry": (
        r"\{\{fc_t0\[5\], fc_t0\[5:2\]\} - \{x2\[3\], x2\}, fc_t0\[1:0\]\}",
        "{1'd0, fc_t0[5:2] - x2, fc_t0[1:0]}",
        "fc_t1: is no sum of its operands",
    ),
    "a-narrow-sum": (
        r"= fc_t1 \+ 7'd5",
        "= fc_t1[5:0] + 6'd5",
        "fc_y0: 6 bits for a wire of 7, expected as many",
    ),
    "unequal-operands": (
        r"= fc_t1 \+ 7'd5",
        "= fc_t1 + 6'd5",
        "line N: operands of 7 and 6 bits, expected equal widths",
    ),
    "a-register-less": (
        r"\{fc_y0_d1\[6:3\], fc_y0_d1\[2\]",
        "{fc_y0[6:3], fc_y0_d1[2]",
        "line N: reads fc_y0, which is no operand in that cycle",
    ),
    "a-sum-too-early": (
        r"\{\{4\{x3_d1\[3\]\}\}, x3_d1\} - ",
        "{{4{x3[3]}}, x3} - ",
        "act_t1: bit 0 of x3 counts 1, expected 0",
    ),
    "even-at-no-tie": (
        r"\(\|fc_y0_d1\[1:0\]\)",
        "(&fc_y0_d1[1:0])",
        "act_t0: is no even of its operands where fc_y0 = ",
    ),
    "clipped-elsewhere": (
        r"fc_y1_d1\[2\] &\s+fc_y1_d1\[1\]",
        "fc_y1_d1[2] | fc_y1_d1[1]",
        "act_y1: is no clip of its operands where fc_y1 = 34",
    ),
    "the-other-maximum": (
        r"fc_y0_d1 : fc_y2_d1;",
        "fc_y2_d1 : fc_y0_d1;",
        "act_y2: is no max of its operands where fc_y0 = ",
    ),
    "an-entry": (
        r"4'd10: act_y4_table = 5'd9",
        "4'd10: act_y4_table = 5'd8",
        "act_y4: is no table of its operands where x0 = -6",
    ),
    "an-unsigned-product": (
        r"\$signed\(x1_d1\) \* \$signed\(x2_d1\)",
        "x1_d1[3:0] * x2_d1[3:0]",
        "act_y5: is no times of its operands where x1 = -8, x2 = -7",
    ),
    "the-other-choice": (
        r"fc_y1_d1\[8\] \? \{",
        "~fc_y1_d1[8] ? {",
        "act_y6: is no choose of its operands where fc_y1 = ",
    ),
    "a-wrapped-bit": (
        r"act_y3 = fc_y1_d1\[3:0\]",
        "act_y3 = fc_y1_d1[4:1]",
        "act_y3: bit 1 of fc_y1 1 clocks ago counts 1, expected 2",
    ),
    "an-input": (r"x1 = x\[7:4\]", "x1 = x[6:3]", "x1: bit 3 of x counts 1, expected 0"),
    "an-output": (
        r"\{4'd0, act_y4_d1\}",
        "{act_y4_d1, 4'd0}",
        "out_data, bit 36: expected (('act_y4', 1), 0), found 0",
    ),
    "a-range": (r"wire signed \[5:0\]  fc_t0", "wire [5:0] fc_t0", "fc_t0: expected 6 signed bits"),
    "a-narrow-register": (
        r"reg signed \[6:0\]   fc_y0_d1",
        "reg signed [5:0] fc_y0_d1",
        "line N: bit 6 is not there",
    ),
    "another-source": (
        r"x1_d1 <= x1;",
        "x1_d1 <= x2;",
        "act_y5: is no times of its operands where x1 = -8, x2 = -7",
    ),
    "valid-too-early": (
        r"out_valid = valid\[1\]",
        "out_valid = valid[0]",
        "out_valid: is not in_valid 2 clocks later",
    ),
    "no-reset": (
        r"if \(rst\) valid <= 2'd0;",
        "",
        "valid: is no chain of registers with a reset",
    ),
    "another-clock": (
        r"always @\(posedge clk\) begin\s+x0_d1",
        "always @(negedge clk) begin x0_d1",
        "line N: another clock than posedge clk",
    ),
    "something-more": (
        r"\nendmodule",
        "\nwire more = clk;\nendmodule",
        "more belongs to no node",
    ),
    "something-else": (
        r"\nendmodule",
        "\nalways @(posedge clk) more <= !more;\nendmodule",
        "is no circuit as hwaccel prints them",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_named(defect):
    pattern, replacement, message = DEFECTS[defect]
    whole = text(small())
    broken = re.sub(pattern, replacement, whole, count=1)
    assert broken != whole
    with pytest.raises(MismatchError) as caught:
        check_circuit(broken, small())
    assert re.sub(r"line \d+", "line N", str(caught.value)).startswith(f"circuit.v: {message}")


def test_another_circuit_is_another():
    u = small()
    with pytest.raises(MismatchError, match="ports: expected"):
        check_circuit(text(u), replace(u, outs=(replace(u.outs[0], width=10),)))
