"""A worker that simulates nothing: it passes, unless a file in its folder says otherwise.

``die-SEED``: it kills itself, once. ``doom-SEED``: every time. ``hang-SEED``: it starts a process
in a session of its own and waits. ``fail-SEED``: the hardware is wrong; with ``flaky-SEED`` as
well, only without waves. ``broken-NAME``: a model cannot be converted. Every run is noted in
``asked.txt``.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(asked: dict) -> dict:
    if asked["type"] == "make":
        name = Path(asked["folder"]).name
        if Path(f"broken-{name}").exists():
            return {"status": "error", "message": Path(f"broken-{name}").read_text()}
        text = name + (Path("version").read_text() if Path("version").exists() else "")
        return {"status": "made", "content": hashlib.sha256(text.encode()).hexdigest()[:32]}
    seed = asked["seed"]
    with Path("asked.txt").open("a") as file:
        file.write(f"{Path(asked['named']).name} {seed} {asked['waves']}\n")
    if Path(f"doom-{seed}").exists() or taken(Path(f"die-{seed}")):
        os.kill(os.getpid(), signal.SIGKILL)
    if asked["folder"]:
        Path(asked["folder"]).mkdir(parents=True, exist_ok=True)
        Path(asked["folder"], "sim.log").touch()
    if Path(f"hang-{seed}").exists():
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        Path(f"hang-{seed}").write_text(str(child.pid))
        child.wait()
    if Path(f"fail-{seed}").exists() and not (asked["waves"] and Path(f"flaky-{seed}").exists()):
        found = {"status": "failed", "message": Path(f"fail-{seed}").read_text()}
        if asked["waves"]:
            (Path(asked["folder"]) / "waves.fst").write_text("waves")
            found["waves"] = "waves.fst"
        return found
    return {"status": "passed", "latency": latency(seed, asked["frames"]), "seconds": 0.5}


def taken(file: Path) -> bool:
    """Remove a file; of several workers only one finds it."""
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def latency(seed: int, frames: int) -> int:
    return 1000 * seed + frames


if __name__ == "__main__":
    main()
