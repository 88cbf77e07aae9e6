"""Identifiers from untrusted names: legal everywhere, never reserved, never twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaccel import resources, tools
from hwaccel.emit.literals import braces, c_int, comment, rom_lines, verilog_parameter
from hwaccel.emit.names import MAX_LENGTH, RESERVED, Namer, identifier
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Rom
from tests.cli.models import HOSTILE

LEGAL = re.compile(r"[a-z][a-z0-9_]*")
# Annex B of IEEE 1364-2005, and the keywords of C++20 with the alternative operators.
VERILOG = """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign
    default defparam design disable edge else end endcase endconfig endfunction endgenerate
    endmodule endprimitive endspecify endtable endtask event for force forever fork function
    generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer
    join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1
    pulldown pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat
    rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
    strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand
    trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
""".split()
CPP = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not
    not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
    return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
    wchar_t while xor xor_eq
""".split()

names = st.one_of(
    st.text(max_size=80),
    st.sampled_from([*VERILOG, *CPP, *HOSTILE, "hwa_fifo", "HWA_x", "clk", "u_a", ""]),
    st.from_regex(r"[a-zA-Z_$0-9.\\ ]{0,70}", fullmatch=True),
)


@given(names)
def test_identifiers_are_legal(text: str) -> None:
    name = identifier(text)
    assert LEGAL.fullmatch(name)
    assert name not in RESERVED
    assert not name.startswith("hwa_")
    assert len(name) <= MAX_LENGTH + len("n__0")


@given(names)
def test_identifiers_stay_as_they_are(text: str) -> None:
    """A name that is an identifier already keeps its spelling."""
    name = identifier(text)
    assert identifier(name) == name[:MAX_LENGTH].rstrip("_")


@given(st.lists(names, max_size=30), st.sets(st.sampled_from(["a", "a_2", "clk", "unused"])))
def test_a_namer_never_repeats_itself(texts: list[str], taken: set[str]) -> None:
    namer = Namer(taken)
    made = [namer.name(text) for text in texts]
    assert len({*made, *taken}) == len(made) + len(taken)
    for name in made:
        assert LEGAL.fullmatch(name)
        assert name not in RESERVED
    # The same names again, in the same order, give the same identifiers.
    again = Namer(taken)
    assert [again.name(text) for text in texts] == made


@pytest.mark.parametrize("word", sorted({*VERILOG, *CPP}))
def test_reserved_words(word: str) -> None:
    assert word in RESERVED
    assert identifier(word) == f"{word}_0"
    assert identifier(word.upper()) == f"{word}_0"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("features.0.conv", "features_0_conv"),
        ("3", "n_3"),
        ("_own_", "own"),
        ("Größe", "gr_e"),
        ("hwa_fifo", "n_hwa_fifo"),
        ("名前", "n"),
        ("a" * 99, "a" * 60),
    ],
)
def test_examples(text: str, name: str) -> None:
    assert identifier(text) == name


def test_numbers_are_not_mixed_up() -> None:
    namer = Namer()
    assert [namer.name(text) for text in ("a", "a", "a_2", "A", "a.2")] == [
        "a", "a_2", "a_2_2", "a_3", "a_2_3",
    ]  # fmt: skip


def test_no_identifier_is_a_library_module() -> None:
    for path in resources.rtl().rglob("*.v"):
        assert identifier(path.stem) != path.stem


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.rtl
def test_icarus_takes_every_identifier(tmp_path: Path) -> None:
    namer = Namer()
    wires = "\n".join(f"    wire {namer.name(word)};" for word in (*VERILOG, *CPP, *HOSTILE))
    (tmp_path / "x.v").write_text(f"module x;\n{wires}\nendmodule\n")
    for generation in ("-g2005", "-g2012"):
        argv = ["iverilog", generation, "-Wall", "-o", tmp_path / "x.vvp", tmp_path / "x.v"]
        assert tools.run(argv, cwd=tmp_path).output == ""


@pytest.mark.skipif(tools.find("g++") is None, reason="g++ is not installed")
@pytest.mark.hls
def test_a_compiler_takes_every_identifier(tmp_path: Path) -> None:
    namer = Namer()
    lines = "\n".join(f"int {namer.name(word)};" for word in (*VERILOG, *CPP, *HOSTILE))
    (tmp_path / "x.cpp").write_text(f"namespace x {{\n{lines}\n}}\n")
    tools.run(["g++", "-std=c++20", "-fsyntax-only", tmp_path / "x.cpp"], cwd=tmp_path)


# --- literals ------------------------------------------------------------------------------------


@given(st.text())
def test_comments_are_harmless(text: str) -> None:
    shown = comment(text)
    assert len(shown) <= 200
    assert re.fullmatch(r"[ -~]*", shown)
    for mark in ("\\", "`", "*/", "/*"):
        assert mark not in shown


@pytest.mark.parametrize(
    "word", ["verilator", "Synopsys", " synthesis", "pragma", "vcs", "coverage"]
)
def test_comments_give_no_commands(word: str) -> None:
    """Verilator stops at any comment that begins with its name, Yosys at ``translate_off``."""
    assert comment(f"{word} translate_off") == f"name {word} translate_off"
    assert comment(f"the {word}") == f"the {word}"


@given(st.text(alphabet="*/\\`\n"))
def test_comment_marks_do_not_come_together(text: str) -> None:
    shown = comment(text)
    assert "*/" not in shown
    assert "/*" not in shown


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers_of_c(value: int) -> None:
    text = c_int(value)
    assert eval(text.replace("LL", "")) == value
    assert ("LL" in text) == (not -(1 << 31) < value < 1 << 31)


def test_parameters_that_carry_data_have_a_size() -> None:
    assert verilog_parameter("DEPTH", 3) == "3"
    assert verilog_parameter("LO", -8) == "-64'sd8"
    assert verilog_parameter("PAD", 0) == "64'sd0"


def test_braces() -> None:
    assert braces([1, -2, 1 << 40]) == "{1, -2, 1099511627776LL}"
    assert braces(range(3), per_line=2) == "{0, 1,\n    2}"


@given(st.data(), st.lists(st.integers(1, 20), min_size=1, max_size=3), st.integers(1, 3))
def test_memory_words(data: st.DataObject, widths: list[int], repeat: int) -> None:
    """A word read back field by field holds what was put in."""
    bounds = [(-(1 << (w - 1)), (1 << (w - 1)) - 1) for w in widths] * repeat
    words = data.draw(
        st.lists(st.tuples(*(st.integers(lo, hi) for lo, hi in bounds)), min_size=1, max_size=4)
    )
    rom = Rom("WEIGHTS", IntArray([list(word) for word in words]), tuple(widths))
    lines = rom_lines(rom)
    assert rom.word_bits == sum(widths) * repeat
    assert {len(line) for line in lines} == {-(-rom.word_bits // 4)}
    for line, word in zip(lines, words, strict=True):
        packed = int(line, 16)
        assert packed < 1 << rom.word_bits
        for value, width in zip(word, widths * repeat, strict=True):
            field = packed & ((1 << width) - 1)
            packed >>= width
            assert field - ((field >> (width - 1)) << width) == value
