"""Read handshakes from a waveform: what the bench measured, seen by somebody else."""

from __future__ import annotations


class Wave:
    """The signals of the top in a VCD file, sampled just before each rising edge of ``clk``."""

    def __init__(self, text: str) -> None:
        head, _, body = text.partition("$enddefinitions $end")
        # The same name occurs in many scopes; the first one is the top's.
        ids: dict[str, str] = {}
        for line in head.splitlines():
            words = line.split()
            if words[:1] == ["$var"]:
                ids.setdefault(words[4], words[3])
        now = dict.fromkeys(ids.values(), 0)
        edges: list[dict[str, int]] = []
        for block in body.split("\n#"):
            before = dict(now)
            for line in block.splitlines():
                if line[:1] in ("0", "1") and line[1:] in now:
                    now[line[1:]] = int(line[0])
            if now[ids["clk"]] > before[ids["clk"]]:
                edges.append({name: before[id] for name, id in ids.items()})
        # Cycle 0 is the first edge without reset.
        last_reset = max(i for i, edge in enumerate(edges) if edge["rst"])
        self._edges = edges[last_reset + 1 :]

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
