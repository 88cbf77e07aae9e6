"""Run cocotb's runner in a process of its own: ``python -P _cocotb_run.py run.json``.

The runner starts the simulator itself and offers no time-out; as a child it can be stopped as a
whole, and all that compiler, simulator and bench say arrives in one log. Imports nothing of the
package, so that it starts fast.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cocotb_tools.runner import get_runner

TIMESCALE = ("1ns", "1ps")


def main(file: str) -> int:
    """Build if the JSON file says so, then test; return the exit code."""
    run = json.loads(Path(file).read_text(encoding="utf-8"))
    sys.path.insert(0, run["benches"])
    runner = get_runner(run["simulator"])
    runner.log.setLevel("WARNING")
    try:
        if run["build"]:
            runner.build(
                sources=run["sources"],
                hdl_toplevel=run["top"],
                build_dir=run["build_dir"],
                timescale=TIMESCALE,
                waves=run["waves"],
                always=True,
            )
        runner.test(
            test_module=run["module"],
            hdl_toplevel=run["top"],
            hdl_toplevel_lang="verilog",
            build_dir=run["build_dir"],
            test_dir=run["test_dir"],
            test_args=run["test_args"],
            extra_env=run["env"],
            seed=run["seed"],
            timescale=TIMESCALE,
            waves=run["waves"],
        )
    except RuntimeError as failure:
        # The tool has said what is wrong; a traceback of the runner would hide it.
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
