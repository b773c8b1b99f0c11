"""Chats that are never written: a second heart whose rows are in memory only.

    POST /chat {"temporary": true} ─┐
    an id of a temporary chat ──────┴─▶ heart() ── at first use ─▶ Database (no file) · EventLog
                                                                   Engine · Chat · Approvals
                                          what an answer took, no text │
                                                                       ▼
                                                     a row of the lasting database

Everything goes on as in the first heart: it is the same code over a database that is no file. A
chat is gone when it is deleted, when it was not used for a while, and with the process. Nothing of
it is summed up, named by a model, or found by a search.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from .answering.approvals import Approvals
from .answering.attempts import Policy
from .answering.run import Run
from .catalog import Catalog
from .chat import Chat, Stamps
from .domain import MARK, Ended
from .engine import Engine
from .errors import LiteError, NotFound, Unavailable
from .eventlog import EventLog
from .history.keeping import Keeping
from .history.trash import Trash
from .providers.base import Provider
from .store import asides, unwritten
from .store.database import Connection, Database
from .store.location import Location
from .tools.base import Toolbox

NO_TRASH = Keeping(in_trash=timedelta(0))
LOOK_S = 30.0  # how often unused chats are looked for

log = logging.getLogger("lite_llm_chat.temporary")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many temporary chats there may be, how many bytes all together, and for how long one is
    kept that nobody uses."""

    chats: int
    size_bytes: int
    unused: timedelta


@dataclass(frozen=True, slots=True)
class Sources:
    """Who answers: the same as in the first heart."""

    catalog: Catalog
    providers: Mapping[str, Provider]
    policy: Policy
    toolbox: Toolbox
    interval_s: float


@dataclass(frozen=True, slots=True)
class Heart:
    """All that answers in temporary chats."""

    database: Database
    eventlog: EventLog
    engine: Engine
    chat: Chat
    approvals: Approvals
    trash: Trash


class Temporary:
    """The second heart. It opens at its first use; `close` forgets everything."""

    def __init__(self, lasting: Database, sources: Sources, bounds: Bounds, stamp: Stamps) -> None:
        self._lasting = lasting
        self._sources = sources
        self._bounds = bounds
        self._stamp = stamp
        self._opening = asyncio.Lock()
        self._heart: Heart | None = None
        self._parts = AsyncExitStack()
        self._counting: set[asyncio.Task[None]] = set()
        self.draining: Callable[[], bool] = lambda: False

    async def heart(self) -> Heart:
        """The heart, opened. Raises Unavailable `draining` if it is too late for that."""
        async with self._opening:
            if self._heart is None:
                if self.draining():
                    raise Unavailable(
                        "the server is stopping: ask again in a moment", code="draining"
                    )
                self._heart = await self._open()
            return self._heart

    def running(self) -> list[tuple[Engine, EventLog]]:
        """What a drain has to see to: nothing if nobody has had a temporary chat."""
        return [] if self._heart is None else [(self._heart.engine, self._heart.eventlog)]

    async def _open(self) -> Heart:
        sources, stamp = self._sources, self._stamp
        database = Database(Location.memory())
        await database.open()
        self._parts.push_async_callback(database.close)
        await database.write(unwritten.begin)
        eventlog = EventLog(database, stamp.now, interval_s=sources.interval_s)
        eventlog.start()
        self._parts.push_async_callback(eventlog.close)
        engine = Engine(eventlog, sources.policy, sources.catalog.advice, sources.toolbox)
        engine.on_ended = self._count
        marked = Stamps(lambda: MARK + stamp.generation_id(), stamp.now)
        chat = Chat(database, eventlog, engine, (sources.catalog, sources.providers), marked)
        chat.vet = self._require_room
        approvals = Approvals(database, eventlog, engine, sources.providers)
        trash = Trash(database, chat.clear, NO_TRASH, stamp.now)
        self._parts.push_async_callback(trash.close)
        return Heart(database, eventlog, engine, chat, approvals, trash)

    def _require_room(self, conn: Connection) -> None:
        count, size = unwritten.sessions_and_bytes(conn)
        bounds = self._bounds
        if count <= bounds.chats and size <= bounds.size_bytes:
            return
        raise Unavailable(
            "the temporary chats take as much memory as they may: delete one, or wait until some"
            f" were unused for {bounds.unused.total_seconds() / 60:g} minutes; the operator can"
            " raise MAX_TEMPORARY_CHATS and MAX_TEMPORARY_BYTES",
            code="temporary_full",
        )

    # ── what is kept: numbers ─────────────────────────────────────────────────────────────────

    def _count(self, run: Run, ended: Ended) -> None:
        asked_at = run.generation.created_at
        who = run.provider.id, run.model
        row = asides.AsideRow(None, "temporary", *who, ended.usage, asked_at)
        task = asyncio.create_task(self._keep(row), name="count-temporary")
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def _keep(self, row: asides.AsideRow) -> None:
        try:
            await self._lasting.write(lambda conn: asides.keep(conn, row))
        except LiteError as error:
            log.warning("the tokens of a temporary chat were not counted: %s", error.code)

    # ── forgetting ────────────────────────────────────────────────────────────────────────────

    async def forget_unused(self, at: datetime) -> int:
        """Delete the chats that are unused for too long at a moment; how many there were."""
        heart, since = self._heart, at - self._bounds.unused
        if heart is None:
            return 0
        ids = await heart.database.read(lambda conn: unwritten.unused(conn, since))
        for session_id in ids:
            with suppress(NotFound):  # somebody has deleted it meanwhile
                await heart.trash.delete(session_id)
        return len(ids)

    async def watch(self) -> None:
        """Forget what is unused, again and again."""
        while True:
            await asyncio.sleep(min(LOOK_S, self._bounds.unused.total_seconds()))
            try:
                await self.forget_unused(self._stamp.now())
            except LiteError as error:
                log.warning("unused temporary chats are still there: %s", error.code)

    async def settle(self) -> None:
        """As `Chat.settle`."""
        if self._heart is not None:
            await self._heart.chat.settle()

    async def close(self) -> None:
        """Forget everything, once what the answers took is counted. After the drain."""
        while self._counting:
            await asyncio.wait(self._counting)
        await self._parts.aclose()
