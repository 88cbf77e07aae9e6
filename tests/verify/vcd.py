"""Read handshakes from a waveform: what the bench measured, seen by somebody else."""

from __future__ import annotations

from collections import defaultdict


class Wave:
    """The signals of the top in a VCD file, sampled just before each rising edge of ``clk``."""

    def __init__(self, text: str) -> None:
        head, _, body = text.partition("$enddefinitions $end")
        names: dict[str, list[str]] = defaultdict(list)
        for line in head.splitlines():
            words = line.split()
            if words[:1] == ["$var"]:
                names[words[3]].append(words[4])
        now: dict[str, int] = defaultdict(int)
        self._edges: list[dict[str, int]] = []
        for block in body.split("\n#"):
            before = dict(now)
            for line in block.splitlines():
                if line[:1] in "01" and line[1:] in names:
                    for name in names[line[1:]]:
                        now[name] = int(line[0])
            if now["clk"] and not before.get("clk", 0):
                self._edges.append(before)
        # Cycle 0 is the first edge without reset.
        last_reset = max(i for i, edge in enumerate(self._edges) if edge["rst"])
        self._edges = self._edges[last_reset + 1 :]

    def taken(self, prefix: str) -> list[int]:
        return [
            i
            for i, edge in enumerate(self._edges)
            if edge[f"{prefix}_tvalid"] and edge[f"{prefix}_tready"]
        ]

    def offered(self, prefix: str) -> list[int]:
        offered, waiting = [], False
        for i, edge in enumerate(self._edges):
            if edge[f"{prefix}_tvalid"] and not waiting:
                offered.append(i)
            waiting = bool(edge[f"{prefix}_tvalid"]) and not edge[f"{prefix}_tready"]
        return offered
