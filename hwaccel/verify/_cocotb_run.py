"""Run cocotb's runner in a process of its own: ``python -P _cocotb_run.py run.json``.

The runner starts the simulator itself and offers no time-out; as a child it can be stopped as a
whole, and all that compiler, simulator and bench say arrives in one log. Imports nothing of the
package, so that it starts fast.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

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


def get_runner(simulator: str) -> Any:
    """Return cocotb's runner, which takes only types from the package ``cocotb``.

    The package itself imports pytest: half of the time until a simulation starts.
    """
    spec = find_spec("cocotb")
    bare = ModuleType("cocotb")
    bare.__path__ = list((spec and spec.submodule_search_locations) or ())
    sys.modules["cocotb"] = bare
    try:
        module = importlib.import_module("cocotb_tools.runner")
    except (ImportError, AttributeError):
        # Another cocotb, whose runner takes more.
        for name in [name for name in sys.modules if name.split(".")[0].startswith("cocotb")]:
            del sys.modules[name]
        module = importlib.import_module("cocotb_tools.runner")
    return module.get_runner(simulator)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
