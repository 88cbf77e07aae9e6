"""Every Verilog file keeps the rules of the house, and three tools have nothing to say about it."""

from __future__ import annotations

import itertools
import re
import shutil

import pytest

from tests.rtl.proofs import RTL, missing, run

FILES = sorted(RTL.rglob("*.v"))
LIBRARIES = [word for name in sorted({str(path.parent) for path in FILES}) for word in ("-y", name)]
WAIVERS = [str(path) for path in [RTL / "waivers.vlt"] if path.exists()]

# What a header must speak of, by folder.
CONTRACT = {
    "stream": ("function", "order", "latency", "interval", "tlast"),
    "system": ("function", "latency", "interval", "tlast"),
    "formal": ("function",),
    "pipe": ("function", "latency", "interval", "tlast"),
}

# Where a default set of parameters is not enough: sizes of 1, and sizes that are no power of two.
PARAMETERS = {
    "hwa_fifo": [{"DEPTH": 1}, {"DEPTH": 2}, {"DEPTH": 3, "DATA_W": 1}, {"DEPTH": 33}],
    "hwa_fork": [{"OUTPUTS": 1}, {"OUTPUTS": 3}],
    "hwa_frame_in": [{"BEATS": 1}, {"BEATS": 5}],
    "hwa_frame_out": [{"BEATS": 1}, {"BEATS": 5}],
    "hwa_axil": [{"ADDR_W": 3}, {"ADDR_W": 32}],
    "hwa_gate": [{"BEATS": 1}, {"BEATS": 5, "SHARED": 1}, {"BEATS": 1, "SHARED": 1}],
    "hwa_issue": [{"DATA_W": 1}],
    "hwa_meet": [{"COUNT": 2}, {"COUNT": 5}],
    "hwa_regs": [{"ADDR_W": 9}, {"INPUTS": 2}, {"INPUTS": 3, "OUTPUTS": 5, "ADDR_W": 16}],
    "hwa_seal": [{"BEATS": 1}, {"BEATS": 5, "DATA_W": 1}],
    "hwa_tally": [{"INPUTS": 3, "OUTPUTS": 2}],
    "hwa_join": [{"A_W": 1, "B_W": 7}],
    "hwa_pack": [{"RATIO": 1}, {"RATIO": 3}, {"RATIO": 8, "DATA_W": 1}],
    "hwa_reorder": [
        {"LENGTH": 1, "OUT_LENGTH": 1, "ORDER": "words.hex"},
        {"LENGTH": 5, "OUT_LENGTH": 5, "ORDER": "words.hex"},
        {"LENGTH": 8, "OUT_LENGTH": 3, "DATA_W": 1, "ORDER": "words.hex"},
        {"LENGTH": 4, "OUT_LENGTH": 5, "FILL": 1, "ORDER": "words.hex"},
        {"LENGTH": 4, "OUT_LENGTH": 1, "FILL": 1, "LANES": 4, "ORDER": "words.hex"},
    ],
    "hwa_ram": [{"DEPTH": 1}, {"DEPTH": 5, "WIDTH": 3}],
    "hwa_rom": [{"DEPTH": 1, "INIT": "words.hex"}, {"DEPTH": 5, "WIDTH": 3, "INIT": "words.hex"}],
    "hwa_skid": [{"DATA_W": 1}],
    "hwa_gather": [{"INPUTS": 1, "BEATS": 1}, {"INPUTS": 3, "DATA_W": 1}],
    "hwa_link_rx": [{"CREDITS": 1}, {"CREDITS": 5, "DATA_W": 1}],
    "hwa_link_tx": [{"CREDITS": 1}, {"CREDITS": 5, "DATA_W": 1}],
    "hwa_link_wire": [{"LATENCY": 1}, {"LATENCY": 5, "DATA_W": 1}],
    "hwa_scatter": [{"OUTPUTS": 1, "BEATS": 1}, {"OUTPUTS": 3, "BEATS": 5}],
    "hwa_mac": [{"PACK": 2}, {"PE": 5, "PACK": 3, "X_SIGNED": 0}],
    "hwa_window": [{"STEPS": 1, "ORDER": "words.hex"}, {"STEPS": 5, "PT": 1, "TAP_Y_W": 1}],
    "hwa_window_list": [{"STEPS": 5, "TAP_Y_W": 1, "TAP_X_W": 2, "PL": 1, "ORDER": "words.hex"}],
    "hwa_unpack": [{"RATIO": 1}, {"RATIO": 3}, {"RATIO": 8, "DATA_W": 1}],
}
SETS = [(path, values) for path in FILES for values in ({}, *PARAMETERS.get(path.stem, []))]


def _id(value) -> str:
    if isinstance(value, dict):
        return "-".join(f"{name}={word}" for name, word in value.items()) or "default"
    return value.stem


def _literal(word: int | str) -> str:
    return str(word) if isinstance(word, int) else f'"{word}"'


def _needs(*tools: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing(*tools) != "", reason=missing(*tools))


@pytest.fixture
def folder(tmp_path):
    """A folder with a hex file that fits every memory of up to 8 words."""
    (tmp_path / "words.hex").write_text("".join(f"{word}\n" for word in (0, 1, 2, 3, 4, 1, 0, 2)))
    return tmp_path


# Shape ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_file_has_the_shape_of_the_house(path):
    text = path.read_text()
    lines = text.splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 100
    assert "\t" not in text
    assert text.isascii()
    opening = "\n`resetall\n`timescale 1ns / 1ps\n`default_nettype none\n\nmodule "
    assert opening in text
    assert text.endswith("\nendmodule\n\n`resetall\n")
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [path.stem]


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_header_is_a_contract(path):
    header = path.read_text().partition("`resetall")[0]
    lines = header.splitlines()
    assert all(line.startswith("//") or not line for line in lines)
    assert re.match(rf"// {path.stem}: [a-z].*[.:]$", lines[0]), "first line: name and purpose"
    for word in CONTRACT.get(path.parent.name, CONTRACT["pipe"]):
        assert re.search(rf"^//   {word} ", header, re.MULTILINE), f"says nothing about {word}"


def test_catalogue_names_every_module_and_no_other():
    rows = re.findall(r"^\| `(hwa_\w+)`", (RTL / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(path.stem for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_each_parameter_has_a_comment_and_the_set_a_check(path):
    lines = path.read_text().splitlines()
    # A pair such as KH, KW may share the comment above it.
    bare = [
        line.strip()
        for before, line in itertools.pairwise(lines)
        if re.match(r" *parameter ", line) and not re.match(r" *(//|parameter )", before)
    ]
    assert not bare
    if any(re.match(r" *parameter ", line) for line in lines):
        assert '$display("hwa: %m: ' in "\n".join(lines)


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_language_is_the_plain_subset(path):
    code = re.sub(r"//.*", "", path.read_text())
    circuit = re.sub(r"`ifdef HWA_FORMAL.*?`(else|endif)", "", code, flags=re.DOTALL)
    for word in ("logic", "always_ff", "always_comb", "always_latch", "casex", "unique", "bit"):
        assert not re.search(rf"\b{word}\b", circuit), word
    assert ".*" not in re.sub(r"@\*|\(\*.*?\*\)", "", circuit)
    assert not re.search(r"#\d", circuit), "a delay"
    assert not re.search(r"\b(assert|assume|cover)\b", circuit), "a property outside HWA_FORMAL"


# Tools ---------------------------------------------------------------------------------------


@_needs("iverilog")
@pytest.mark.rtl
@pytest.mark.parametrize(("path", "values"), SETS, ids=_id)
def test_icarus_is_silent(path, values, folder):
    sizes = [f"-P{path.stem}.{name}={_literal(word)}" for name, word in values.items()]
    argv = ["iverilog", "-g2005", "-Wall", *LIBRARIES, *sizes, "-s", path.stem, "-o", "out.vvp"]
    assert run([*argv, str(path)], folder) == (0, "")


@_needs("verilator")
@pytest.mark.rtl
@pytest.mark.parametrize(("path", "values"), SETS, ids=_id)
def test_verilator_is_silent(path, values, folder):
    sizes = [f"-G{name}={_literal(word)}" for name, word in values.items()]
    argv = ["verilator", "--lint-only", "-Wall", "--language", "1364-2005", *LIBRARIES, *sizes]
    code, text = run([*argv, "--top-module", path.stem, *WAIVERS, str(path)], folder)
    report = [line for line in text.splitlines() if not line.startswith("- ")]
    assert (code, report) == (0, [])


@_needs("yosys")
@pytest.mark.synth
@pytest.mark.parametrize(("path", "values"), SETS, ids=_id)
def test_yosys_is_silent_and_finds_no_latch(path, values, folder):
    for source in FILES:
        shutil.copy(source, folder)
    sizes = " ".join(f"-set {name} {_literal(word)}" for name, word in values.items())
    read_all = f"read_verilog -defer {' '.join(source.name for source in FILES)}"
    script = [
        f"read_verilog {path.name}",
        "design -reset",
        read_all,
        f"chparam {sizes} {path.stem}" if sizes else "",
        f"hierarchy -check -top {path.stem}",
        "proc",
        "select -assert-none t:$dlatch %% t:$adlatch %% t:$dlatchsr",
        "check -assert",
    ]
    (folder / "lint.ys").write_text("\n".join(script) + "\n")
    assert run(["yosys", "-q", "lint.ys"], folder) == (0, "")


@_needs("yosys")
@pytest.mark.synth
@pytest.mark.parametrize(
    "path", [path for path in FILES if "`ifdef HWA_FORMAL" in path.read_text()], ids=_id
)
def test_yosys_reads_the_properties(path, folder):
    shutil.copy(path, folder)
    read = f"read_verilog -defer -formal -DHWA_FORMAL {path.name}"
    assert run(["yosys", "-q", "-p", read], folder) == (0, "")


@_needs("iverilog")
@pytest.mark.rtl
@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("hwa_fifo", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_fifo", "DEPTH", "DEPTH=0, must be 1 or more"),
        ("hwa_fork", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_frame_in", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_frame_out", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_gate", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_gather", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_link_rx", "CREDITS", "CREDITS=0, must be 1 or more"),
        ("hwa_link_tx", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_link_wire", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_scatter", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_meet", "COUNT", "COUNT=0, must be 1 or more"),
        ("hwa_seal", "BEATS", "BEATS=0, must be 1 or more"),
        ("hwa_issue", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_join", "B_W", "B_W=0, must be 1 or more"),
        ("hwa_pack", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_reorder", "LENGTH", "LENGTH=0 OUT_LENGTH=4, must be 1 or more"),
        ("hwa_ram", "DEPTH", "DEPTH=0, must be 1 or more"),
        ("hwa_rom", "DEPTH", "DEPTH=0, must be 1 or more"),
        ("hwa_skid", "DATA_W", "DATA_W=0, must be 1 or more"),
        ("hwa_unpack", "DATA_W", "DATA_W=0, must be 1 or more"),
    ],
)
def test_a_bad_parameter_is_named(module, name, message, folder):
    path = next(path for path in FILES if path.stem == module)
    argv = ["iverilog", "-g2005", *LIBRARIES, f"-P{module}.{name}=0", "-s", module, "-o", "out.vvp"]
    run([*argv, str(path)], folder)
    _, text = run(["vvp", "out.vvp"], folder)
    assert f"hwa: {module}: {message}" in text.splitlines()


# Structure -----------------------------------------------------------------------------------


def _synthesise(folder, module: str, values: dict[str, int | str], last: str) -> tuple[int, str]:
    for source in FILES:
        shutil.copy(source, folder)
    sizes = " ".join(f"-set {name} {_literal(word)}" for name, word in values.items())
    names = " ".join(source.name for source in FILES)
    head = f"read_verilog -defer {names}; chparam {sizes} {module}"
    return run(["yosys", "-q", "-p", f"{head}; {last}"], folder)


# Walks back from some outputs through everything but registers, to the inputs it meets.
# A frame of 300 beats that are all sent on.
LONG = {"LENGTH": 300, "OUT_LENGTH": 300}
CONE = "%ci*:-$dff,$dffe,$sdff,$sdffe,$sdffce i:* %i"


@_needs("yosys")
@pytest.mark.synth
@pytest.mark.parametrize(
    ("module", "values", "outputs"),
    [
        ("hwa_fifo", {"DEPTH": 5}, "o:grant o:m_axis_tvalid %u"),
        ("hwa_skid", {"DATA_W": 4}, "o:*"),
        ("hwa_pack", {"RATIO": 3}, "o:m_axis_*"),
        ("hwa_unpack", {"RATIO": 3}, "o:m_axis_*"),
        ("hwa_reorder", {"LENGTH": 5, "OUT_LENGTH": 5, "ORDER": "words.hex"}, "o:*"),
        ("hwa_frame_out", {"BEATS": 5}, "o:m_axis_tlast"),
        ("hwa_axil", {}, "o:s_axi_*"),
        ("hwa_regs", {"INPUTS": 2}, "o:s_axi_* o:irq %u o:enable %u o:restart %u"),
        ("hwa_seal", {"BEATS": 5}, "o:m_axis_*"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_path_from_an_input_to(module, values, outputs, folder):
    last = f"prep -top {module} -flatten; select -assert-none {outputs} {CONE}"
    assert _synthesise(folder, module, values, last) == (0, "")


@_needs("yosys")
@pytest.mark.synth
def test_the_search_for_a_path_finds_one(folder):
    last = f"prep -top hwa_pack -flatten; select -assert-any o:s_axis_tready {CONE}"
    assert _synthesise(folder, "hwa_pack", {"RATIO": 3}, last) == (0, "")


@_needs("yosys")
@pytest.mark.synth
@pytest.mark.parametrize(
    ("module", "values", "cell", "count"),
    [
        # One cell has 16 words of 4 bits.
        ("hwa_fifo", {"DATA_W": 12, "DEPTH": 5}, "TRELLIS_DPR16X4", 3),
        ("hwa_fifo", {"DATA_W": 12, "DEPTH": 16}, "TRELLIS_DPR16X4", 3),
        ("hwa_fifo", {"DATA_W": 12, "DEPTH": 40}, "TRELLIS_DPR16X4", 9),
        # One for the order, and 600 words of 32 bits in two of 1024 words of 18 bits.
        ("hwa_reorder", {**LONG, "DATA_W": 32, "ORDER": "long.hex"}, "DP16KD", 3),
    ],
    ids=lambda value: value.get("DEPTH", "") if isinstance(value, dict) else None,
)
def test_memory_is_found_by_yosys(module, values, cell, count, folder):
    (folder / "long.hex").write_text("".join(f"{7 * k % 300:x}\n" for k in range(300)))
    last = f"synth_ecp5 -run begin:map_gates -top {module}; select -assert-count {count} t:{cell}"
    code, text = _synthesise(folder, module, values, last)
    assert code == 0, text
