"""A worker that reads and schedules nothing: what a point costs follows from its configuration.

Files in its folder say otherwise. ``die-N``: it kills itself at the Nth request for a point, once.
``hang-N``: it waits. ``refuse-N``: there is no such hardware. ``fail``: every point is an error.
``broken``: the model cannot be read. Every point is noted in ``asked.txt``.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

MULTIPLIED = {"layers.0": 128, "layers.2": 32}


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(asked: dict) -> dict:
    if asked["type"] == "read":
        if Path("broken").exists():
            return {"status": "error", "message": Path("broken").read_text()}
        content = Path("content").read_text()
        shutil.copy("graph.json", Path(asked["folder"]) / f"{content}.json")
        return {"status": "read", "content": content}
    with Path("asked.txt").open("a") as file:
        file.write(json.dumps([asked["type"], asked["config"]]) + "\n")
    number = len(Path("asked.txt").read_text().splitlines())
    if Path(f"die-{number}").exists():
        Path(f"die-{number}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if Path(f"hang-{number}").exists():
        time.sleep(300)
    if Path(f"refuse-{number}").exists():
        return {"status": "refused", "message": Path(f"refuse-{number}").read_text()}
    if Path("fail").exists():
        return {"status": "error", "message": Path("fail").read_text()}
    if asked["type"] == "build":
        return {"status": "built", "built": {"luts": 7, "ffs": 6, "dsps": 5, "rams": 4,
                                             "fmax_mhz": 90.0}}  # fmt: skip
    facts, layers = predicted(asked["config"])
    return {"status": "predicted", "facts": facts, "layers": layers, "seconds": 0.5}


def predicted(config: dict) -> tuple[dict, dict]:
    layers = {
        path: part(work, config["layers"][path]) for path, work in MULTIPLIED.items()
    }  # fmt: skip
    whole = {name: sum(p[name] for p in layers.values()) for name in ("luts", "ffs", "dsps")}
    cycles = [p["interval"] for p in layers.values()]
    cost = {**whole, "rams": 0, "latency": 5 + sum(cycles), "interval": max(cycles)}
    facts = {"cost": cost, "clock_mhz": config["clock_mhz"], "power": cost["luts"] / 10}
    return facts, layers


def part(work: int, layer: dict) -> dict:
    """Return a layer: more multipliers take fewer cycles and more area, with some waste."""
    lanes = (layer["pe"] or 1) * (layer["simd"] or 1)
    cycles = -(-work // lanes)
    area = 20 + 30 * lanes + 3 * (layer["pe"] or 1)
    return {"luts": area, "ffs": area, "dsps": lanes, "rams": 0, "latency": 3, "interval": cycles}


if __name__ == "__main__":
    main()
