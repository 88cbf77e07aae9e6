"""A design that sends back what it gets, and the ways in which it can be broken."""

from __future__ import annotations

from hwaccel.emit.netlist import Edge, Netlist, Port
from hwaccel.fxp import FixedType
from hwaccel.ir import TensorType

BEATS = 4
_TYPE = TensorType.full((BEATS,), FixedType.parse("s8.4"))

# What each defect assigns instead.
DEFECTS = {
    "right": {},
    "deaf": {"s_axis_tready": "1'b0", "m_axis_tvalid": "1'b0"},
    "mute": {"s_axis_tready": "1'b1", "m_axis_tvalid": "1'b0"},
    "late": {
        "s_axis_tready": "m_axis_tready && total_q < 6",
        "m_axis_tvalid": "s_axis_tvalid && total_q < 6",
    },
    "early_tlast": {"m_axis_tlast": "count_q == 2"},
    "no_tlast": {"m_axis_tlast": "1'b0"},
    "stutter": {"s_axis_tready": "m_axis_tready && odd_q"},
    "unknown": {"m_axis_tdata": "count_q == 2 ? 8'bx : s_axis_tdata"},
    "complaint": {"frame_error": "1'b1"},
    "wrong": {"m_axis_tdata": "total_q == 6 ? 8'h80 : s_axis_tdata"},
    "undecided": {"m_axis_tvalid": "total_q == 6 ? 1'bx : s_axis_tvalid"},
}


def echo(name: str) -> tuple[dict[str, str], Netlist]:
    """Return the files and the netlist of the design with the defect ``name``."""
    assigns = {
        "s_axis_tready": "m_axis_tready",
        "m_axis_tvalid": "s_axis_tvalid",
        "m_axis_tdata": "s_axis_tdata",
        "m_axis_tlast": "count_q == 3",
        "frame_error": "1'b0",
    } | DEFECTS[name]
    lines = "\n".join(f"    assign {target} = {value};" for target, value in assigns.items())
    ports = [Port("input", "clk", 1), Port("input", "rst", 1)]
    for prefix, forward, back in (("s_axis", "input", "output"), ("m_axis", "output", "input")):
        ports += [
            Port(forward, f"{prefix}_tvalid", 1),
            Port(back, f"{prefix}_tready", 1),
            Port(forward, f"{prefix}_tdata", 8),
            Port(forward, f"{prefix}_tlast", 1),
        ]
    ports.append(Port("output", "frame_error", 1))
    declared = ",\n".join(f"    {p.direction} wire [{p.width - 1}:0] {p.name}" for p in ports)
    text = f"""
module echo_{name} (
{declared}
);
    reg [1:0] count_q;
    reg [3:0] total_q;
    reg       odd_q;
    wire      move = m_axis_tvalid && m_axis_tready;
    always @(posedge clk) begin
        if (move) begin
            count_q <= count_q + 1'b1;
            total_q <= total_q + 1'b1;
            odd_q   <= !odd_q;
        end
        if (rst) {{count_q, total_q, odd_q}} <= 7'd0;
    end
{lines}
endmodule
"""
    edges = [Edge(v, f"{v}_axis", 1, BEATS, 8, _TYPE) for v in ("s", "m")]
    netlist = Netlist(f"echo_{name}", tuple(ports), (), (), {}, (edges[0],), (edges[1],))
    return {f"echo_{name}.v": text}, netlist
