"""A database whose disk does what a test says: it waits, it refuses, or it counts.

disk.gate.clear()     writes wait until `gate.set()`; `reached` says that one does
disk.refusing = True  every write meets a full disk; `refuse_at(n)`: the n-th from now, once
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Never, TypeVar

from lite_llm_chat.domain import Event, Generation, Options, Started
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.store import generations, messages, sessions
from lite_llm_chat.store.database import Connection, Database
from lite_llm_chat.store.messages import New, Place
from lite_llm_chat.store.sessions import Titled

T = TypeVar("T")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def now() -> datetime:
    return NOW


class Disk(Database):
    """See the module."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.refusing = False
        self.writes = 0
        self._refused_at = 0

    def refuse_at(self, number: int) -> None:
        """Refuse one write: the first from now is number 1."""
        self.writes, self._refused_at = 0, number

    async def write(
        self, work: Callable[[Connection], T], early: Callable[[T], None] | None = None
    ) -> T:
        self.writes += 1
        if self.refusing or self.writes == self._refused_at:
            return await super().write(full)
        self.reached.set()
        await self.gate.wait()
        return await super().write(self._now(work), early)

    def _now(self, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """The work, unless the disk came to refuse while it waited."""
        return full if self.refusing else work


def full(_conn: Connection) -> Never:
    """What a full disk does to a transaction."""
    raise sqlite3.OperationalError("database or disk is full")


# ── rows to work on ───────────────────────────────────────────────────────────────────────────


def opening(conn: Connection, generation_id: str, session_id: int | None = None) -> Event:
    """A question and its queued answer, in a session or a new one; the answer's first event."""
    if session_id is None:
        session_id = sessions.create(conn, Titled("Test"), ("deepseek", "deepseek-chat"), NOW).id
    asked = messages.append(conn, Place(session_id), New("user", "?"), NOW)
    place = Place.under(asked)
    answer = messages.append(conn, place, New("assistant", generation_id=generation_id), NOW)
    sessions.move_leaf(conn, session_id, answer.id, NOW)
    started = Event(generation_id, 1, Started(session_id, answer.id, "deepseek", "deepseek-chat"))
    row = Generation(
        generation_id, session_id, answer.id, "deepseek", "deepseek-chat", "queued", Options(), NOW
    )
    generations.open_log(conn, row, [started])
    return started


async def begin(database: Database, log: EventLog, generation_id: str) -> Started:
    """Open a log as an accepted question does."""
    log.reserve(generation_id)
    first = await database.write(lambda conn: opening(conn, generation_id))
    log.open([first])
    assert isinstance(first.body, Started)
    return first.body
