"""One who reads a log: a number, and no queue.

    memory of the running log ─┐
                               ├─ what comes after the number ─▶ the reader ─▶ the next number
    rows, if it is too late ───┘            │ nothing yet
                                            └─ waits for the ring, or for a long quiet

Live, late, again or after a restart it is the same loop. A held stream is a held Tail, so it is a
small object, and not a generator with its frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .domain import Ended, Event
from .livelog import Reader


class Rows(Protocol):
    """What a reader needs of the log of all answers."""

    @property
    def closing(self) -> bool:
        """Whether readers are sent home."""

    async def stored(self, generation_id: str, after: int) -> Sequence[Event]:
        """The first of the events after a number, from rows."""


class Tail:
    """One who follows a log: see `EventLog.tail`. It ends by itself at the end or at an error;
    `aclose` ends it before."""

    __slots__ = ("_after", "_ended", "_id", "_log", "_patient", "_reader")

    def __init__(
        self, log: Rows, start: tuple[str, int], reader: Reader | None, *, patient: bool
    ) -> None:
        self._log = log
        self._id, self._after = start
        self._reader = reader
        self._patient = patient
        self._ended = False

    def __aiter__(self) -> Tail:
        return self

    async def __anext__(self) -> Sequence[Event]:
        reader, new = self._reader, None
        try:
            while not self._ended and (self._patient or not self._log.closing):
                over = reader is None or reader.over  # before the look: what is there is all
                new = reader.since(self._after) if reader else None
                if new is None:
                    new = await self._log.stored(self._id, self._after)
                if new:
                    self._after = new[-1].seq
                    self._ended = isinstance(new[-1].body, Ended)
                    return new
                new = None
                if reader is None or over or reader.missed(self._after):
                    break
                if not await reader.news():
                    new = ()
                    return new
            raise StopAsyncIteration
        finally:
            if new is None:
                await self.aclose()

    async def aclose(self) -> None:
        """Follow no more."""
        self._ended = True
        if self._reader is not None:
            self._reader.close()
            self._reader = None
