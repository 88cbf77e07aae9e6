"""What is proved of the modules with a handshake: parameters small enough for the solver."""

from __future__ import annotations

from tests.rtl.proofs import PROPERTIES, Case

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
    Case(
        "hwa_reorder", {"DATA_W": 1, "LENGTH": 4, "ORDER": "four.hex"}, 24, files=ORDERS, slow=True
    ),
    Case(
        "hwa_reorder", {"DATA_W": 2, "LENGTH": 1, "OUT_LENGTH": 1, "ORDER": "one.hex"}, files=ORDERS
    ),
    # A beat twice, one never, and padding; fewer beats out than in, and more.
    Case("hwa_reorder", {**HOLES, "LENGTH": 4}, 24, files=ORDERS, slow=True),
    Case("hwa_reorder", {**HOLES, "LENGTH": 3}, 24, files=ORDERS),
    Case("hwa_frame_in", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_frame_in", {"DATA_W": 2, "BEATS": 1}),
    Case("hwa_frame_out", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_frame_out", {"DATA_W": 2, "BEATS": 1}),
    Case("hwa_skid", {"DATA_W": 4}),
    Case("hwa_link_tx", {"DATA_W": 2, "CREDITS": 3}),
    Case("hwa_link_tx", {"DATA_W": 1, "CREDITS": 1}),
    Case("hwa_link_rx", {"DATA_W": 2, "CREDITS": 3}),
    Case("hwa_link_rx", {"DATA_W": 1, "CREDITS": 1}),
    Case("hwa_link_wire", {"DATA_W": 2, "LATENCY": 3}),
    Case("hwa_link_wire", {"DATA_W": 2, "LATENCY": 1}),
    Case("hwa_scatter", {"DATA_W": 2, "BEATS": 2, "OUTPUTS": 3}),
    Case("hwa_scatter", {"DATA_W": 2, "BEATS": 1, "OUTPUTS": 1}),
    Case("hwa_gather", {"DATA_W": 2, "BEATS": 2, "INPUTS": 3}),
    Case("hwa_gather", {"DATA_W": 2, "BEATS": 1, "INPUTS": 1}),
    Case("hwa_axil", {"ADDR_W": 4}),
    Case("hwa_gate", {"BEATS": 3, "SHARED": 1}),
    Case("hwa_gate", {"BEATS": 3}),
    Case("hwa_gate", {"BEATS": 1}, no_cover="a frame of one beat is never stopped inside"),
    Case("hwa_gate", {"BEATS": 2, "SHARED": 1}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 3}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 4}),
    Case("hwa_seal", {"DATA_W": 2, "BEATS": 1}, no_cover="a frame of one beat is never cut"),
]

# Properties that a module cannot have, and why.
WITHOUT = {
    ("hwa_issue", "handshake"): "its output is a pipe, which never waits",
    ("hwa_join", "handshake"): "its output is a pipe, which never waits",
    ("hwa_link_tx", "handshake"): "its output is a wire to another device, which never waits",
    ("hwa_link_wire", "handshake"): "it is a wire, which never waits",
    ("hwa_gate", "order"): "data do not come by",
}

# What is not proved by induction, only simulated: that the right beats come, in the right order.
OPEN = {
    "hwa_window": "double, loss, order",
    "hwa_lines": "all",
    "hwa_regs": "all but its bus, hwa_axil",
}

# Their story is that of the module, which has no label: nothing is inside that could be counted.
TOLD_BY_OTHERS = {("hwa_gate", "double"), ("hwa_gate", "loss")}


def promised(module: str) -> list[str]:
    """The properties that a module with a handshake must have."""
    return [name for name in PROPERTIES if (module, name) not in WITHOUT]
