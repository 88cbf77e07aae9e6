"""Tables of a comparison, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.table import Table as RichTable

from benchmarks.spatial.contest import Row
from benchmarks.spatial.measure import TARGETS

LABELS = {"xcup": "UltraScale+ LUTs", "ecp5-85k": "ECP5 LUT4 eq."}
BAR = 16


@dataclass
class Table:
    """A title, columns and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def rich(self) -> RichTable:
        """Return the table for the terminal."""
        made = RichTable(title=self.title, title_justify="left")
        for i, column in enumerate(self.columns):
            made.add_column(column, justify="left" if i < 2 else "right", no_wrap=True)
        for row in self.rows:
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"### {self.title}", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + "|".join("---" if i < 2 else "--:" for i in range(len(self.columns))))
        lines[-1] += "|"
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


def tables(section: str, rows: Sequence[Row]) -> Iterator[Table]:
    """Yield the tables of a section."""
    if section == "fmax":
        yield speed(rows)
    elif section == "mlps":
        for name in dict.fromkeys(r.workload for r in rows):
            yield latency([r for r in rows if r.workload == name])
    else:
        yield effort(section, rows)
        for target in TARGETS:
            if any(target in r.area for r in rows):
                yield area(section, rows, target)


def effort(section: str, rows: Sequence[Row]) -> Table:
    """Return adders, levels, the tool's own cost, and how long it took."""
    table = Table(
        f"{section}: what each tool says",
        (
            "matrix",
            "mode",
            "tool",
            "own cost",
            "adders",
            "adder bits",
            "levels",
            "best s",
            "search s",
            "method",
        ),
    )
    for row in rows:
        said = row.facts
        method = said.get("options", {})
        table.rows.append(
            (
                row.workload,
                row.mode,
                row.tool,
                number(said.get("solver_cost", said.get("cost"))),
                number(said.get("adders")),
                number(said.get("adder_bits")),
                number(said.get("depth")),
                seconds(said.get("solver_seconds", said.get("seconds"))),
                seconds(said.get("search_seconds")),
                "/".join(str(method[k]) for k in ("method0", "method1") if k in method),
            )
        )
    return table


def area(section: str, rows: Sequence[Row], target: str) -> Table:
    """Return LUTs side by side, each tool's best script, and the ratio to the better rival."""
    tools = list(dict.fromkeys(r.tool for r in rows))
    table = Table(
        f"{section}: {LABELS[target]}, combinational, the best Yosys script of those run",
        ("matrix", "mode", *tools, "hwaccel / best rival", "bar"),
    )
    sums: dict[str, dict[str, list[int]]] = {}
    ratios: dict[str, list[tuple[int, int]]] = {}
    for name, mode in dict.fromkeys((r.workload, r.mode) for r in rows):
        group = {r.tool: r for r in rows if (r.workload, r.mode) == (name, mode)}
        counts = {t: group[t].luts(target) if t in group else None for t in tools}
        known = [c for t, c in counts.items() if c and t != "hwaccel"]
        own = counts.get("hwaccel")
        ratio = own / min(known) if own and known else None
        cells = [_cell(group.get(t), target) for t in tools]
        table.rows.append((name, mode, *cells, _ratio(ratio), bar(ratio)))
        if own and known:
            ratios.setdefault(mode, []).append((own, min(known)))
        present = [t for t in tools if t != "hwaccel" or any(r.area for r in rows if r.tool == t)]
        if all(counts[t] for t in present):
            for t in present:
                sums.setdefault(mode, {}).setdefault(t, []).append(counts[t] or 0)
    for mode, found in sums.items():
        totals = [f"{sum(found[t]):,}" if t in found else "" for t in tools]
        pairs = ratios.get(mode, [])
        # Against the better rival of every matrix, not against one rival's sum.
        share = sum(a for a, _ in pairs) / sum(b for _, b in pairs) if pairs else None
        count = len(next(iter(found.values())))
        table.rows.append((f"sum of {count}", mode, *totals, _ratio(share), bar(share)))
    return table


def latency(rows: Sequence[Row]) -> Table:
    """Return LUTs and flip-flops of one network against its register ranks."""
    table = Table(
        f"{rows[0].workload}: area against latency",
        (
            *("tool", "mode", "ranks", "cost", "adders"),
            *(text for t in TARGETS for text in (LABELS[t], "ratio")),
            *("FFs", "sim"),
        ),
    )
    for row in sorted(rows, key=lambda r: (r.tool, r.ranks, r.mode)):
        flops = [row.area[t].get("ffs") for t in TARGETS if t in row.area]
        wrong = row.simulated.get("mismatches", row.simulated.get("error", ""))
        table.rows.append(
            (
                row.tool,
                row.mode,
                "?" if row.simulated.get("error") == "not run" else str(row.ranks),
                number(row.facts.get("cost")),
                number(row.facts.get("adders")),
                *(text for t in TARGETS for text in (_cell(row, t), _ratio(_share(rows, row, t)))),
                number(next((f for f in flops if f is not None), None)),
                "exact" if wrong == 0 else str(wrong),
            )
        )
    return table


def speed(rows: Sequence[Row]) -> Table:
    """Return MHz and area of routed designs."""
    table = Table(
        "ECP5-85 speed grade 6, nextpnr out of context: the fastest variant of each tool",
        (
            "design",
            "registers",
            "tool",
            "ranks",
            "LUT4 eq.",
            "MHz",
            "hwaccel / best rival",
            "cells",
            "ns",
            "bar",
        ),
    )
    top = max((r.fmax.get("fmax_mhz", 0) for r in rows), default=0) or 1
    for row in rows:
        mhz = row.fmax.get("fmax_mhz")
        time_ns = f"{1000 * row.ranks / mhz:.1f}" if mhz else ""
        table.rows.append(
            (
                row.workload,
                row.mode,
                row.tool,
                str(row.ranks),
                _cell(row, "ecp5-85k"),
                f"{mhz:.0f}" if mhz else str(row.fmax.get("error", "")),
                _ratio(_faster(rows, row)),
                number(row.fmax.get("cells", {}).get("TRELLIS_COMB")),
                time_ns,
                bar(mhz / top if mhz else None),
            )
        )
    return table


def _share(rows: Sequence[Row], row: Row, target: str) -> float | None:
    """Return the LUTs of our row by those of the smallest rival at no more ranks."""
    known = [
        r.luts(target) or 0
        for r in rows
        if r.tool != "hwaccel" and r.ranks <= row.ranks and bool(r.ranks) == bool(row.ranks)
    ]
    own, best = row.luts(target), min((k for k in known if k), default=0)
    return own / best if row.tool == "hwaccel" and own and best else None


def _faster(rows: Sequence[Row], row: Row) -> float | None:
    """Return the clock of our row by that of the fastest rival at no more ranks."""
    known = [
        r.fmax.get("fmax_mhz", 0.0)
        for r in rows
        if (r.workload, r.tool != "hwaccel") == (row.workload, True) and r.ranks <= row.ranks
    ]
    own, best = row.fmax.get("fmax_mhz"), max(known, default=0.0)
    return float(own / best) if row.tool == "hwaccel" and own and best else None


def _cell(row: Row | None, target: str) -> str:
    if row is None:
        return ""
    count = row.luts(target)
    if count is None:
        return str(row.area.get(target, {}).get("error", ""))[:40]
    return f"{count:,}"


def number(value: float | None) -> str:
    """Return a count as text."""
    return "" if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Return a time as text."""
    return "" if value is None else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def bar(ratio: float | None) -> str:
    """Return a bar for a ratio; full is 1."""
    if ratio is None:
        return ""
    eighths = round(min(ratio, 1.5) * BAR * 8)
    return str("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8])
