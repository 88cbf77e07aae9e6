"""Work on a Dask cluster. What a worker there gets is a few files; what it returns is an answer.

Inside of each Dask worker a process of our own does the work, so one that hangs is killed there
with all that it started, and a Dask worker that dies takes its requests along.
"""

from __future__ import annotations

import importlib
import importlib.util
import queue
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hwaccel.errors import ToolError
from hwaccel.farm.pool import Crew, Hands, Keep
from hwaccel.farm.trade import A, Q, Trade, trade_of

_CONNECT_S = 30
# Requests that are handed out ahead, for each thread of the cluster.
_AHEAD = 2


class Cluster(Hands[Q, A]):
    """A pool whose workers are those of a Dask scheduler."""

    def __init__(self, trade: Trade[Q, A], address: str, limit_s: float) -> None:
        """Connect to the scheduler at ``address``, such as ``tcp://host:8786``.

        Raises:
            ToolError: distributed is not installed, or the scheduler does not answer.
        """
        self._dask = _distributed()
        self._trade, self._limit_s = trade, limit_s
        self._stopped = False
        try:
            self._client = self._dask.Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ToolError(
                f"{address}: no Dask scheduler answers ({type(error).__name__}); start one with: "
                "dask scheduler"
            ) from None

    def run(self, requests: Sequence[Q], keep: Keep[A]) -> Iterator[tuple[int, A]]:
        """Yield the number of each request and its answer, as they come.

        ``keep`` gets both first. After ``stop`` only what was handed out is answered. When this is
        broken off, ``keep`` still gets what is done.
        """
        waiting = iter(enumerate(requests))
        out: dict[str, tuple[int, Any]] = {}
        done = self._dask.as_completed(loop=self._client.loop)

        def hand_out(most: int) -> None:
            while len(out) < most and not self._stopped:
                at, request = next(waiting, (-1, None))
                if request is None:
                    return
                future = self._submit(request)
                out[future.key] = at, future
                done.add(future)

        hand_out(_AHEAD * self._threads())
        try:
            while out:
                key = next(done).key
                at, future = out[key]
                answer = self._answer_of(future)
                keep(at, answer)
                del out[key]
                hand_out(_AHEAD * self._threads())
                yield at, answer
        finally:
            for at, future in out.values():
                if future.status == "finished":
                    keep(at, self._answer_of(future))

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True

    def close(self) -> None:
        """Leave the cluster; what is going on there is given up."""
        self._client.close()

    def _submit(self, request: Q) -> Any:
        return self._client.submit(
            perform_there,
            self._trade.module,
            self._trade.encode(request),
            self._trade.pack(request),
            self._limit_s,
            pure=False,
        )

    def _answer_of(self, future: Any) -> A:
        """Return what came back, or why nothing did."""
        error = future.exception()
        if error is None:
            return self._trade.answer(future.result())
        said = " ".join(f"{type(error).__name__}: {error}".split())[:1000]
        gone = type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError")
        return self._trade.answered(
            status="lost" if gone else "error", message=f"on the cluster: {said}"
        )

    def _threads(self) -> int:
        return max(1, sum(map(int, self._client.nthreads().values())))


def perform_there(module: str, line: bytes, files: Mapping[str, bytes], limit_s: float) -> bytes:
    """Do what is asked inside of a Dask worker; return the answer as JSON."""
    trade = trade_of(module)
    here = trade.unpack(trade.request(line), files, _root())
    try:
        crew = _idle(module).get_nowait()
    except queue.Empty:
        crew = Crew(trade, _root(), Path(tempfile.mkdtemp(dir=_root())) / "worker.log")
    answer = crew.answer(here, limit_s)
    _idle(module).put(crew)
    return trade.encode(answer)


def _root() -> Path:
    return Path(_temporary().name)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of this Dask worker, which goes with it."""
    return tempfile.TemporaryDirectory(prefix="hwaccel-", ignore_cleanup_errors=True)


@cache
def _idle(module: str) -> queue.SimpleQueue[Crew[Any, Any]]:
    return queue.SimpleQueue()


def _distributed() -> Any:
    if importlib.util.find_spec("distributed") is None:
        raise ToolError(
            "distributed: is not installed; a cluster needs it: pip install 'hwaccel[cluster]'"
        )
    return importlib.import_module("distributed")
