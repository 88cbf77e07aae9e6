"""Liberty files come from outside: what is read of them, and what is refused in one line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from hwaccel.errors import ConfigError
from hwaccel.synth import liberty
from hwaccel.synth.liberty import MAX_BYTES, parse_library, read_library
from hwaccel.untrusted import Damaged

CELLS = Path(__file__).with_name("cells.lib")
REMEDY = "give the Liberty file (.lib) of a standard cell library"
INVERTER = "cell(INV) { area : 1; pin(A) { direction : input; } pin(Y) { %s } }"
NOT = INVERTER % 'direction : output; function : "!A";'
REGISTER = 'cell(DFF) { area : 4; ff(IQ,IQN) { next_state : "D"; clocked_on : "CK"; } }'


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_library(path)
    return str(error.value)


def wrong(tmp_path: Path, text: str | bytes) -> str:
    """Return why a file is refused, without its name and the remedy."""
    path = tmp_path / "a.lib"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    said = refusal(path)
    assert said.startswith(f"{path}: ")
    assert said.endswith(f"; {REMEDY}")
    assert "\n" not in said
    return said[len(f"{path}: ") : -len(f"; {REMEDY}")]


def test_a_library_is_read() -> None:
    library = read_library(CELLS)
    assert library.name == "tiny_cells"
    assert library.text == CELLS.read_bytes()
    assert {name: library.kind(name) for name in library.cells} == {
        "INV": "inverter",
        "BUF": "buffer",
        "NAND2": "logic",
        "NAND2_DONT": "logic",
        "XOR2": "logic",
        "DFF": "flip-flop",
        "LATCH": "latch",
    }
    assert library.cells["DFF"].area == 16
    assert library.cells["DFF"].inputs == ("CK", "D")
    # The smaller one must not be used.
    assert library.nand2_area == 4


@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("!(A B)", (1, 1, 1, 0)),
        ("(A&B)'", (1, 1, 1, 0)),
        ("!A + !B", (1, 1, 1, 0)),
        ("A' | B'", (1, 1, 1, 0)),
        ("!(A*B)", (1, 1, 1, 0)),
        ("A^B", (0, 1, 1, 0)),
        ("A B' + A' B", (0, 1, 1, 0)),
        ("A + B C", None),
        ("A + ", None),
        ("(A", None),
        ("A # B", None),
        ("1", (1, 1, 1, 1)),
        ("A ^ 1 ^ 1", (0, 0, 1, 1)),
        ("(" * 300 + "A" + ")" * 300, None),
    ],
)
def test_functions(function: str, table: tuple[int, ...] | None) -> None:
    pins = "pin(A) { direction : input; } pin(B) { direction : input; }"
    text = f'pin(Y) {{ direction : output; function : "{function}"; }}'
    library = parse_library(f"library(l) {{ cell(G) {{ {pins} {text} }} }}".encode())
    assert library.cells["G"].table == table


def test_comments_and_strings_hide_what_is_in_them() -> None:
    text = '/* { */ library(l) { date : "a } /* b"; // }\n cell(G) { /* area : 3; */ area : 5; } }'
    assert parse_library(text.encode()).cells["G"].area == 5


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    data = CELLS.read_bytes().rstrip()
    parse_library(data)
    for end in itertools.chain(range(0, 1500, 7), range(1500, len(data), 61), [len(data) - 1]):
        with pytest.raises(Damaged):
            parse_library(data[:end])


def test_what_a_cut_off_file_is_told(tmp_path: Path) -> None:
    data = CELLS.read_bytes()
    end = data.index(b"cell (NAND2)") + 60
    assert wrong(tmp_path, data[:end]) == (
        "is cut off: ends inside pin A, in cell NAND2, in library tiny_cells"
    )
    end = data.index(b'"1ns"') + 3
    assert wrong(tmp_path, data[:end]).startswith("is cut off: ends inside a string")


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "hello", "module a; endmodule", '{"a": 1}', "<html></html>", "cell(A) { }", "} {"],
)
def test_what_is_no_liberty_file(tmp_path: Path, text: str) -> None:
    assert wrong(tmp_path, text) == (
        "is no Liberty file: it does not begin with `library (NAME) {`"
    )


def test_binary(tmp_path: Path) -> None:
    assert wrong(tmp_path, b"library(\xff\x00)") == "is not text (byte 8 is no UTF-8)"


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        (
            NOT,
            "holds no flip-flop among 1 cells that may be used; expected a cell with a group `ff`",
        ),
        (
            REGISTER,
            "holds no inverter among 1 cells that may be used; expected a cell with the function "
            "`!A`",
        ),
        (
            NOT.replace("area : 1;", "dont_use : true;") + REGISTER,
            "holds no inverter among 1 cells that may be used; expected a cell with the function "
            "`!A`",
        ),
        (
            'include_file("a.lib") cell(A) { }',
            "names another file with include_file, which is not read",
        ),
        (
            'include_file("/etc/passwd");',
            "names another file with include_file, which is not read",
        ),
        ("cell(A) { area : big; }", "cell A: area 'big' is no number"),
        ("cell(A) { area : -1; }", "cell A: area -1; expected 0 or more"),
        ("cell(A) { area : nan; }", "cell A: area nan; expected 0 or more"),
        (NOT + NOT, "holds two cells called INV"),
        ("a(b) { " * 20, "has groups in groups, more than 16 deep"),
        ("} library(m) { }", "holds more than one library"),
    ],
)
def test_what_cannot_be_mapped_to(tmp_path: Path, inside: str, why: str) -> None:
    assert wrong(tmp_path, f"library(l) {{ {inside} }}") == why


@pytest.mark.parametrize(
    "name",
    [
        "A;exec rm",
        "A[0];exec rm",
        "A[exec ls]",
        "A B",
        "[exec ls]",
        "$x",
        "A\\nB",
        "../A",
        "",
        "A" * 300,
        "A~B",
        "{A}",
        "`id`",
    ],
)
@pytest.mark.parametrize(
    "group",
    [
        "cell(%s) { }",
        "cell(A) { pin(%s) { direction : output; } }",
        "cell(A) { bus(B) { pin(%s) { direction : output; } } }",
        "cell(A) { bus(%s) { } }",
        "library(%s) { }",
    ],
)
def test_names_that_could_mean_something_to_a_script(tmp_path: Path, name: str, group: str) -> None:
    text = f"library(l) {{ {group} }}" if "library" not in group else group
    assert wrong(tmp_path, text % name)
    said = wrong(tmp_path, text % f'"{name}"')
    assert re.match(r"has a (library|cell|pin|bus) '", said)


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.lib"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal(path) == f"{path}: has more than 64 MiB, the most that is read; {REMEDY}"


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    missing = tmp_path / "no.lib"
    assert refusal(missing) == f"{missing}: cannot be read (No such file or directory); {REMEDY}"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (Is a directory); {REMEDY}"
    assert refusal(Path("/dev/zero")) == f"/dev/zero: is no regular file; {REMEDY}"


def test_a_large_file_is_read_in_linear_time() -> None:
    table = "\n".join(f'values{i}("' + "0.1, " * 50 + '");' for i in range(400))
    one = "cell(C%d) { area : 1; pin(A) { direction : input; timing() { " + table + " } } }"
    text = "library(l) { " + "\n".join(one % i for i in range(15)) + " }"
    assert len(parse_library(text.encode()).cells) == 15
    assert len(text) < liberty.MAX_BYTES
