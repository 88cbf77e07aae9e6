"""Run the command line, in this process or in one of its own, and look at all it said."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hwaccel.cli import main

ROOT = Path(__file__).resolve().parents[2]
MODELS = "tests.cli.models"


@dataclass(frozen=True)
class Ran:
    """Exit code, standard output, and the lines of standard error."""

    code: int
    out: str
    err: tuple[str, ...]

    @property
    def error(self) -> str:
        """The one line about a failure; it must be the last, and the only one of its kind."""
        assert self.code == 2, (self.code, self.err)
        assert not any("Traceback" in line for line in self.err)
        assert sum(line.startswith("hwaccel: ") for line in self.err) == 1
        return self.err[-1].removeprefix("hwaccel: ")


def run(*words: object) -> Ran:
    """Run the command line in this process. An exception that gets out is the test's failure."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["hwaccel", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Ran(code, out.getvalue(), tuple(err.getvalue().splitlines()))


def done(*words: object) -> str:
    """Run, see that all went well, and return standard output."""
    ran = run(*words)
    assert ran.code == 0, ran.err
    return ran.out


def refused(*words: object) -> str:
    """Run, and return the line that says why not."""
    return run(*words).error


def spawn(*words: object, env: Mapping[str, str] | None = None, timeout_s: float = 300) -> Ran:
    """Run the command line in a process of its own, as a user does."""
    ended = subprocess.run(
        [sys.executable, "-c", "from hwaccel.cli import main; main()", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ran(ended.returncode, ended.stdout, tuple(ended.stderr.splitlines()))


def content(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder``."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
