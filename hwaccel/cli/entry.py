"""The command line: parse, call the API, print. Every failure is one line and exit code 2.

Two commands have another code, 1: ``regress`` for a suite that ran and in which something did not
pass, ``compare`` for an opinion that was given the types of the design and differs.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from hwaccel import __version__
from hwaccel.cli import (
    compare,
    compress,
    design,
    devices,
    distill,
    explore,
    fit,
    gpu,
    profile,
    prune,
    quantize,
    regress,
    shrink,
    simplify,
    tapeout,
)
from hwaccel.cli.console import err, printable, say
from hwaccel.errors import HwaccelError

app = typer.Typer(
    name="hwaccel",
    help="PyTorch to bit-exact, placed-and-routed hardware.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Exit code of what SIGINT ended, as shells have it.
_INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        say(f"hwaccel {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """PyTorch to bit-exact, placed-and-routed hardware."""


_COMMANDS = (
    *(design.convert, design.sim, design.csim, design.synth, design.report),
    *(
        compress.train,
        profile.profile,
        prune.prune,
        quantize.quantize,
        distill.distill,
        shrink.shrink,
        simplify.simplify,
        fit.fit,
    ),
    *(devices.partition, devices.replicate),
    *(explore.explore, regress.regress, tapeout.tapeout, compare.compare),
    design.doctor,
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(gpu.gpu)


def main() -> None:
    """Run the command line; the entry point of the ``hwaccel`` script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names may hold what an ASCII terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Newer releases of typer return the code of an interrupt; older ones raise Abort.
        code = app(prog_name="hwaccel", standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if isinstance(code, int):
            sys.exit(code)
    except HwaccelError as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted; earlier output is untouched", _INTERRUPTED)
    except OSError as error:
        _fail(f"{error.filename or 'file system'}: {error.strerror}")
    except Exception as error:
        # Usage errors of the parser, whose class is private, carry a formatted message.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        if not message():  # no command: the help is printed already
            sys.exit(2)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "hwaccel"
        _fail(f"{message().rstrip('.')}; see {command} --help")


def _fail(message: str, code: int = 2) -> None:
    err.print("hwaccel: ", end="", style="bold red", highlight=False)
    err.print(printable(" ".join(message.split())), highlight=False)
    sys.exit(code)
