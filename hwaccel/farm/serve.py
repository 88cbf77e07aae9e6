"""A worker: ``python -P -m hwaccel.farm.serve MODULE`` answers requests, a line for a line.

``MODULE`` holds the trade.

When its standard input ends, whoever asked is gone: it interrupts what it does, and ends.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hwaccel.farm.trade import Trade, trade_of

# After an interrupt; a C library may be deaf to it.
_GRACE_S = 10.0


def main(module: str) -> int:
    """Answer until there is nobody who asks."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What models print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    trade = trade_of(module)
    answers.write(b"ready\n")
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while line := requests.get():
            answers.write(_answer(trade, line) + b"\n")
    return 0


def argv(module: str) -> list[str]:
    """Return the command that starts a worker of the trade in ``module``."""
    # -P: the folder that the worker is in may hold modules with common names.
    return [sys.executable, "-P", "-m", "hwaccel.farm.serve", module]


def environment() -> dict[str, str]:
    """Return what a worker needs to find this very package, and to share the cores with others."""
    package = str(Path(__file__).resolve().parents[2])
    places = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != package]
    return {"PYTHONPATH": os.pathsep.join([package, *places]), "OMP_NUM_THREADS": "1"}


def _answer(trade: Trade[Any, Any], line: bytes) -> bytes:
    try:
        answer = trade.perform(trade.request(line))
    except msgspec.MsgspecError as error:
        answer = trade.answered(status="error", message=f"the request cannot be read: {error}")
    except MemoryError:
        traceback.print_exc()
        answer = trade.answered(status="error", message="out of memory")
    return trade.encode(answer)


def _listen(requests: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        requests.put(line)
    requests.put(b"")
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
