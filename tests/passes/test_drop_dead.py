"""Nodes that no output depends on."""

from __future__ import annotations

from hwaccel.passes.drop_dead import DropDead
from tests.passes.checks import check, check_unchanged


def test_dead_chain() -> None:
    check(
        DropDead(),
        """
        input %x : 2 s4.0
        input %unused : 2 s4.0
        %a = relu(%x) : 2 u3.0
        %b = relu(%a) : 2 u3.0
        %c = relu(%x) : 2 u3.0
        output %c
        """,
        """
        input %x : 2 s4.0
        input %unused : 2 s4.0
        %c = relu(%x) : 2 u3.0
        output %c
        """,
    )


def test_all_live() -> None:
    check_unchanged(
        DropDead(),
        """
        input %x : 2 s4.0
        %a = relu(%x) : 2 u3.0
        %b = relu(%a) : 2 u3.0
        output %b
        output %a
        """,
    )
