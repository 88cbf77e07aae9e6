"""Clocks and pins in three languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwaccel.errors import ConfigError
from hwaccel.synth.constraints import Clock, Constraints, Pin
from hwaccel.synth.projects import tool_files

CONSTRAINTS = Constraints(
    (Clock("clk", 150.0),), (Pin("s_axis_tdata[0]", "A10"), Pin("led", "B3", "LVCMOS18"))
)


def test_text(golden: Callable[[str, str], None]) -> None:
    golden("clock.lpf", CONSTRAINTS.lpf())
    golden("clock.xdc", CONSTRAINTS.xdc())
    golden("clock.sdc", CONSTRAINTS.sdc())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clock("clk]; exec ls", 100),
         "clock port 'clk]; exec ls': expected letters, digits and _, not starting with a digit; "
         "rename it"),
        (lambda: Clock("clk", 0), "clock clk: 0 MHz; expected more than 0 and less than 10000"),
        (lambda: Clock("clk", float("nan")),
         "clock clk: nan MHz; expected more than 0 and less than 10000"),
        (lambda: Pin("a[$x]", "A1"), "pin port 'a[$x]': expected a port or one bit, as in data[3]"),
        (lambda: Pin("a", "A1}"), "pin a: site 'A1}'; expected letters and digits"),
        (lambda: Pin("a", "A1", "LVCMOS 33"),
         "pin a: I/O standard 'LVCMOS 33'; expected letters and digits"),
    ],
)  # fmt: skip
def test_names_that_could_be_commands_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value) == message


def test_a_period_is_never_longer_than_the_clock_asks_for() -> None:
    assert (Clock("clk", 100.0).period_ns, Clock("clk", 150.0).period_ns) == (10.0, 6.666)
    for mhz in range(1, 2000):
        assert 0 <= 1e3 / mhz - Clock("clk", mhz).period_ns < 1e-3


def test_constraints_of_a_project_say_what_they_belong_to_and_hold() -> None:
    files = tool_files(["net.v"], "net", "0123456789abcdef", "Generated from net.", 100.0)
    for suffix in ("lpf", "xdc", "sdc"):
        *comments, clock = files[f"constraints/net.{suffix}"].splitlines()
        assert comments[0] == "# Generated from net."
        assert all(line.startswith("# ") for line in comments)
        assert clock == getattr(Constraints((Clock("clk", 100.0),)), suffix)().strip()
