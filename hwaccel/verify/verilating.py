"""Compile what Verilator writes. What all models share is compiled once, and kept for this user.

That is Verilator's run-time library, and a header with all that models and their drivers include:
most of the work for a small model, 15 of 17 seconds of CPU time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel.tools.cache import digest, locked, user_cache, writable

BUILD_TIMEOUT_S = 900.0
# Models with less C++ are compiled in one piece: each piece takes 0.3 s more than its text does.
_ONE_PIECE_BYTES = 400_000

_NAME = "hwaccel_shared.h"
_HEADER = """\
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
#endif
"""
# The names under which Verilator's rules compile a header, for hot code and for the rest.
_FORMS = (f"{_NAME}.fast", f"{_NAME}.slow")
_RULES = "include {prefix}.mk\nshared: $(VK_GLOBAL_OBJS) {compiled}\n"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How models are compiled: options of Verilator that matter to its library, optimization."""

    options: tuple[str, ...]
    fast: str
    slow: str
    library: str

    @property
    def runtime(self) -> str:
        """The name of what models with this recipe share, with the compilers that are there."""
        flags = [os.environ.get(name, "") for name in ("CXXFLAGS", "CPPFLAGS")]
        return f"runtime-{digest([_HEADER, *self.options, *self._levels(), *flags, identity()])}"

    def make(self, obj: Path, prefix: str, log: Path, words: Sequence[str] = ()) -> tools.Completed:
        """Make the program in ``obj``, where Verilator has put a model called ``prefix``.

        ``words`` are more variables for make. Where the user's cache cannot be written, everything
        is compiled anew.

        Raises:
            ToolError: make is missing, or ran for too long; other failures are in what is returned.
        """
        cache = user_cache("verilated")
        shared = (cache if writable(cache) else obj.parent.resolve()) / self.runtime
        with locked(shared.with_suffix(".lock")):
            if not shared.is_dir():
                done = _share(shared, obj, prefix, [*words, *self._levels()], log)
                if done.returncode != 0:
                    return done
        for file in shared.iterdir():
            (obj / file.name).unlink(missing_ok=True)
            if file.suffix == ".o":  # has to be newer than the makefile beside it
                shutil.copyfile(file, obj / file.name)
            else:
                (obj / file.name).symlink_to(file)
        variables = [*self._levels(*(f"-include {form}" for form in _FORMS)), f"VK_PCH_H={_NAME}"]
        variables += ["VK_PCH_I_FAST=", "VK_PCH_I_SLOW="]
        if sum(file.stat().st_size for file in obj.glob("*.cpp")) < _ONE_PIECE_BYTES:
            variables.append("VM_PARALLEL_BUILDS=0")
        return _make(obj, f"{prefix}.mk", [*words, *variables], log)

    def _levels(self, fast: str = "", slow: str = "") -> tuple[str, ...]:
        return (
            f"OPT_FAST={self.fast} {fast}".rstrip(),
            f"OPT_SLOW={self.slow} {slow}".rstrip(),
            f"OPT_GLOBAL={self.library}",
        )


def identity() -> str:
    """Return what compiled code depends on besides its sources: the tools."""
    places = [str(tools.require(tool).path.resolve()) for tool in ("verilator", "g++")]
    versions = [tools.version(tools.require(tool)) or "" for tool in ("verilator", "g++")]
    return " ".join([*places, *versions])


def _share(
    shared: Path, obj: Path, prefix: str, words: Sequence[str], log: Path
) -> tools.Completed:
    """Compile what models share, as the makefile of this one would; leave it in ``shared``."""
    for name in (_NAME, *_FORMS):
        (obj / name).write_text(_HEADER, encoding="ascii")
    compiled = [f"{form}.gch" for form in _FORMS]
    rules = _RULES.format(prefix=prefix, compiled=" ".join(compiled))
    (obj / "shared.mk").write_text(rules, encoding="ascii")
    done = _make(obj, "shared.mk", [*words, "shared"], log)
    if done.returncode == 0:
        scratch = Path(tempfile.mkdtemp(prefix="shared-", dir=shared.parent))
        objects = [file.name for file in obj.glob("verilated*.o")]
        # The compiled headers last: they have to be newer than the text.
        for name in (_NAME, *_FORMS, *objects, *compiled):
            shutil.move(obj / name, scratch / name)
        scratch.rename(shared)
    return done


def _make(obj: Path, rules: str, words: Sequence[str], log: Path) -> tools.Completed:
    jobs = str(os.cpu_count() or 1)
    return tools.run(
        [*tools.require("make").argv, "-C", obj.name, "-f", rules, "-j", jobs, *words],
        cwd=obj.parent,
        env=tools.verilator_env(),
        log=log,
        timeout_s=BUILD_TIMEOUT_S,
        check=False,
    )
