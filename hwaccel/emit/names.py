"""Legal, unique identifiers for every target language, from untrusted names."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Words reserved in Verilog (IEEE 1364-2005 annex B), in SystemVerilog's most likely clashes, in
# C++20 and in Tcl scripts. Compared in lower case, so that no two targets disagree.
RESERVED = frozenset(
    """
    always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign
    default defparam design disable edge else end endcase endconfig endfunction endgenerate
    endmodule endprimitive endspecify endtable endtask event for force forever fork function
    generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer
    join large liblist library localparam macromodule medium module nand negedge nmos nor
    noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1
    pulldown pullup pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat
    rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam
    strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand
    trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor
    alias assert assume before bind bins binsof bit break byte chandle class clocking const
    constraint context continue cover covergroup coverpoint cross dist do endclass endclocking
    endgroup endinterface endpackage endprogram endproperty endsequence enum expect export extends
    extern final first_match foreach forkjoin iff ignore_bins illegal_bins import inside int
    interface intersect local logic longint matches modport new null package packed priority
    program property protected pure rand randc randcase randsequence ref return sequence shortint
    shortreal solve static string struct super tagged this throughout timeprecision timeunit type
    typedef union unique var virtual void wait_order wildcard with within
    alignas alignof asm auto bool catch char char8_t char16_t char32_t concept consteval constexpr
    constinit const_cast co_await co_return co_yield decltype delete double dynamic_cast explicit
    false float friend goto inline long mutable namespace noexcept nullptr operator private public
    register reinterpret_cast requires short sizeof static_assert static_cast switch template
    thread_local throw true try typeid typename using volatile wchar_t and_eq bitand bitor compl
    not_eq or_eq xor_eq main std
    clk rst ap_int ap_uint hls
    """.split()
)
MAX_LENGTH = 60


def identifier(text: str, fallback: str = "n") -> str:
    """Return ``text`` as an identifier in ``[a-z][a-z0-9_]*``, never reserved, never ``hwa_*``."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()[: 4 * MAX_LENGTH]).strip("_")[:MAX_LENGTH]
    name = name.rstrip("_") or fallback
    if not name[0].isalpha():
        name = f"{fallback}_{name}"
    if name.startswith("hwa_"):
        name = f"{fallback}_{name}"
    return f"{name}_0" if name in RESERVED else name


class Namer:
    """Hand out identifiers that never repeat within one scope."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def name(self, text: str, fallback: str = "n") -> str:
        """Return an unused identifier like ``text``."""
        base = identifier(text, fallback)
        candidate, number = base, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{base}_{number}"
        self._taken.add(candidate)
        return candidate
