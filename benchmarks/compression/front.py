"""The Pareto front of several searches: mean and spread over seeds, and a page with the plot.

    python -m benchmarks.compression.front build/fits/* --out build/front.html

Each folder is one that ``benchmarks.compression.fitting`` left: one budget, one seed.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from hwaccel.report.front import Front, Tried, front_page

COLUMNS = ("LUT", "FF", "DSP", "RAM", "latency", "interval")
KEYS = ("luts", "ffs", "dsps", "rams", "latency", "interval")


def main() -> None:
    """Print the table and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("front.html"))
    args = parser.parse_args()
    best = [found(json.loads((folder / "fit.json").read_text())) for folder in args.folders]
    sizes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in best:
        sizes[name(one)].append(one)
    for size, members in sorted(sizes.items(), key=lambda item: item[1][0]["cost"]["luts"]):
        each = [accuracy(one) for one in members]
        spread = f", deviation {stdev(each):.2f}" if len(each) > 1 else ""
        luts = [one["cost"]["luts"] for one in members]
        print(f"{size}: {mean(each):.2f} %{spread} over {len(each)} seeds; {max(luts):,} LUT")
    points = [point(one, accuracy(one) == max(map(accuracy, sizes[name(one)]))) for one in best]
    lead = ("A frame enters every clock; no DSP block, no block RAM. Every dot is a seed.",)
    page = Front("MNIST, fully spatial", lead, "predicted LUTs", None, COLUMNS, tuple(points))
    args.out.write_text(front_page(page), encoding="utf-8")


def found(document: dict[str, Any]) -> dict[str, Any]:
    """Return the most accurate point of a search."""
    best: dict[str, Any] = max(document["points"], key=lambda one: one["valid"]["correct"])
    return best


def name(one: dict[str, Any]) -> str:
    return f"{one['point']['units']:,} tables of six bits"


def accuracy(one: dict[str, Any]) -> float:
    """Return the accuracy on the test samples in percent."""
    return 100 * float(one["test"]["correct"]) / int(one["test"]["count"])


def point(one: dict[str, Any], on_front: bool) -> Tried:
    cells = tuple(f"{one['cost'][key]:,}" for key in KEYS)
    return Tried(name(one), float(one["cost"]["luts"]), accuracy(one), cells, on_front, False)


if __name__ == "__main__":
    main()
