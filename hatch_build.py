"""Build hook: compiles the C++ library into the package.

Without a compiler the package is built all the same, and says so at its first use.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SAID_CHARS = 300


class NativeBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Put ``hwaccel/native/_native.so`` into the wheel, or beside the sources if editable."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        compiling = _load(root / "hwaccel" / "native" / "compiling.py")
        output = root / "hwaccel" / "native" / f"_native{compiling.SUFFIX}"
        compiler = compiling.find_compiler()
        if compiler is None:
            output.unlink(missing_ok=True)
            self._warn("no C++ compiler was found; install g++ or clang++, or name one in CXX")
            return
        part = output.with_suffix(".part")
        done = subprocess.run(
            compiling.command(compiler, root / "native", part),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            part.unlink(missing_ok=True)
            output.unlink(missing_ok=True)
            self._warn(f"{compiler[0]} failed: {done.stderr.strip()[:_SAID_CHARS]}")
            return
        part.replace(output)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        build_data["artifacts"].append(output.relative_to(root).as_posix())

    def _warn(self, reason: str) -> None:
        message = f"hwaccel is built without its compiled library: {reason}"
        self.app.display_warning(message)
        print(message, file=sys.stderr)


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("compiling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
