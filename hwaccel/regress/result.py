"""What is kept of a run."""

from __future__ import annotations

import hashlib

import msgspec

from hwaccel._version import __version__
from hwaccel.regress.plan import Run
from hwaccel.regress.work import Answer


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One finished run: what was asked for, and the answer."""

    design: str
    content: str
    simulator: str
    frames: int
    seed: int
    stall: str
    version: str
    answer: Answer

    @property
    def final(self) -> bool:
        """Say whether another try could not find anything else."""
        return self.answer.status in ("passed", "failed")

    def fits(self, run: Run, content: str) -> bool:
        """Say whether this is a verdict on that very run; a design may have another name."""
        same = msgspec.structs.replace(self, design=run.source.name)
        return same == result_of(run, content, self.answer) and self.final


def result_of(run: Run, content: str, answer: Answer) -> Result:
    """Return the result of a run of a design whose content hash is ``content``."""
    return Result(
        design=run.source.name,
        content=content,
        simulator=run.simulator,
        frames=run.frames,
        seed=run.seed,
        stall=run.stall,
        version=__version__,
        answer=answer,
    )


def key_of(run: Run, content: str) -> str:
    """Return the name of a result: a hash of the design, the parameters and the version."""
    facts = (content, run.simulator, run.frames, run.seed, run.stall, __version__)
    return hashlib.sha256("\0".join(map(str, facts)).encode()).hexdigest()[:32]
