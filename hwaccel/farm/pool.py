"""Workers on this machine, each of which may hang or be killed without harm to the others."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic

import msgspec

from hwaccel.farm.serve import argv, environment
from hwaccel.farm.trade import A, Q, Trade
from hwaccel.tools import Died, TimedOut, Worker

ATTEMPTS = 2

# For the last results to be written.
_JOIN_S = 60.0

Keep = Callable[[int, A], None]


class Hands(ABC, Generic[Q, A]):
    """Who does the work: workers here, or on a cluster."""

    @abstractmethod
    def run(self, requests: Sequence[Q], keep: Keep[A]) -> Iterator[tuple[int, A]]:
        """Yield the number of each request and its answer; let ``keep`` have them first."""

    @abstractmethod
    def stop(self) -> None:
        """Begin nothing more."""

    @abstractmethod
    def close(self) -> None:
        """Give up what is going on."""


class Crew(Generic[Q, A]):
    """One place for a worker, which is started when it is needed and again when it is lost."""

    def __init__(self, trade: Trade[Q, A], folder: Path, log: Path) -> None:
        self._trade, self._folder, self._log = trade, folder, log
        self._worker: Worker | None = None
        self._closed = False
        self._lock = threading.Lock()

    def answer(self, request: Q, limit_s: float) -> A:
        """Return the answer; a worker that is lost is replaced, and asked once more.

        A request that takes longer than ``limit_s`` is not tried again.
        """
        lost, made = "", self._trade.answered
        for attempt in range(1, ATTEMPTS + 1):
            try:
                line = self._ready().ask(self._trade.encode(request), limit_s)
                return msgspec.structs.replace(self._trade.answer(line), attempts=attempt)
            except TimedOut as error:
                self.drop()
                return made(status="hung", message=str(error), seconds=limit_s, attempts=attempt)
            except (Died, msgspec.MsgspecError, OSError, ValueError) as error:
                self.drop()
                lost = str(error)
                if self._closed:
                    break
        return made(status="lost", message=f"{lost}, {attempt} times", attempts=attempt)

    def drop(self) -> None:
        """Kill the worker, and all that it started."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def close(self) -> None:
        """Kill the worker for good."""
        self._closed = True
        self.drop()

    def _ready(self) -> Worker:
        with self._lock:
            if self._closed:
                raise Died("worker: was stopped")
            if self._worker is None:
                self._worker = Worker(
                    argv(self._trade.module), cwd=self._folder, log=self._log, env=environment()
                )
            return self._worker


class Pool(Hands[Q, A]):
    """Several workers that share requests; ``logs`` keeps what each of them says."""

    def __init__(
        self, trade: Trade[Q, A], workers: int, folder: Path, logs: Path, limit_s: float
    ) -> None:
        self._crews = [Crew(trade, folder, logs / f"worker-{n}.log") for n in range(workers)]
        self._limit_s = limit_s
        self._stopped = False
        self._threads: list[threading.Thread] = []

    def run(self, requests: Sequence[Q], keep: Keep[A]) -> Iterator[tuple[int, A]]:
        """Yield the number of each request and its answer, as they come.

        ``keep`` gets both as soon as they are there, in a thread, before that worker begins
        anything else. After ``stop`` only what was begun is answered.
        """
        waiting = iter(enumerate(requests))
        lock = threading.Lock()
        answers: queue.SimpleQueue[tuple[int, A] | None] = queue.SimpleQueue()

        def work(crew: Crew[Q, A]) -> None:
            try:
                while not self._stopped:
                    with lock:
                        at, request = next(waiting, (-1, None))
                    if request is None:
                        break
                    answer = crew.answer(request, self._limit_s)
                    if answer.status == "lost" and self._stopped:
                        break  # not lost, but taken from it
                    keep(at, answer)
                    answers.put((at, answer))
            finally:
                answers.put(None)

        busy = self._crews[: len(requests)]
        self._threads = [threading.Thread(target=work, args=(crew,), daemon=True) for crew in busy]
        for thread in self._threads:
            thread.start()
        left = len(self._threads)
        while left:
            found = answers.get()
            if found is None:
                left -= 1
            else:
                yield found

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    def close(self) -> None:
        """Kill all workers, and all that they started; see that what is done is kept."""
        self.stop()
        for crew in self._crews:
            with suppress(OSError):
                crew.close()
        for thread in self._threads:
            thread.join(_JOIN_S)
