"""A trade: what workers are asked, what they answer, and what does the work."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a request; a trade adds what it finds out.

    ``hung`` and ``lost`` come from who asked the worker; ``error`` from either.
    """

    status: str
    message: str = ""
    seconds: float = 0.0
    attempts: int = 1


Q = TypeVar("Q", bound=msgspec.Struct)
A = TypeVar("A", bound=Reply)


@dataclass(frozen=True, slots=True)
class Trade(Generic[Q, A]):
    """Requests of the type (or union of types) ``asked``, and answers of the type ``answered``.

    The module ``module`` holds it as ``TRADE``; a worker imports it from there. ``pack`` returns
    the files that a worker on another machine needs for a request; ``unpack`` puts them into a
    folder there, and returns the request as it is to be done there.
    """

    module: str
    asked: Any
    answered: type[A]
    perform: Callable[[Q], A]
    pack: Callable[[Q], Mapping[str, bytes]]
    unpack: Callable[[Q, Mapping[str, bytes], Path], Q]

    def encode(self, message: Q | A) -> bytes:
        """Return a message on one line."""
        return msgspec.json.encode(message)

    def request(self, line: bytes) -> Q:
        """Read a request.

        Raises:
            MsgspecError: it is none of this trade.
        """
        asked: Q = msgspec.json.decode(line, type=self.asked)
        return asked

    def answer(self, line: bytes) -> A:
        """Read an answer.

        Raises:
            MsgspecError: it is none of this trade.
        """
        return msgspec.json.decode(line, type=self.answered)


def trade_of(module: str) -> Trade[Any, Any]:
    """Return the trade that ``module`` holds."""
    trade: Trade[Any, Any] = importlib.import_module(module).TRADE
    return trade
