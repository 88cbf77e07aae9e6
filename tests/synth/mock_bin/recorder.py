"""What the stand-in tools share: note the arguments, then do as the test asked.

The test leaves ``mock.json`` in the working folder: ``files`` to write, ``say`` to print on
standard error, ``sleep`` seconds to wait, and the ``exit`` code.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(name: str) -> None:
    if Path("mock.json").exists():  # asked for its version elsewhere, it leaves nothing there
        Path("argv.json").write_text(json.dumps([name, *sys.argv[1:]]))
    plan = json.loads(Path("mock.json").read_text()) if Path("mock.json").exists() else {}
    for path, text in plan.get("files", {}).items():
        Path(path).write_text(text)
    print(plan.get("say", ""), file=sys.stderr, flush=True)
    time.sleep(plan.get("sleep", 0))
    sys.exit(plan.get("exit", 0))
