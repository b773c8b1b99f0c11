"""The heart without its edge, in a world that a test moves by hand.

    Chat ─▶ Engine ─▶ EventLog ─▶ Disk ─▶ a real file             (the product's own)
              │                     └─ flows · before · after · refuses · loses
              └─▶ Vendor ─▶ Call: the test says piece by piece what comes

`kill` leaves nothing but the file; `stop` ends in the order of a server that is asked to; `start`
makes a new process of the same file. Time is the clock of the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any, Literal, TypeVar

from sqlalchemy.exc import OperationalError

from lite_llm_chat.answering.attempts import Policy
from lite_llm_chat.catalog import Catalog
from lite_llm_chat.chat import Chat, Stamps
from lite_llm_chat.domain import Finish, Model, Options, Piece, Prompt, Reasoning, Text
from lite_llm_chat.drain import Drain
from lite_llm_chat.engine import Engine
from lite_llm_chat.errors import StorageUnavailable, UpstreamError
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.history.keeping import Keeping
from lite_llm_chat.history.trash import Trash
from lite_llm_chat.housekeeping import recover
from lite_llm_chat.providers.base import Provider, Readiness
from lite_llm_chat.store import database
from lite_llm_chat.store.database import Connection, Database
from lite_llm_chat.store.location import Location

from .clockwork import Clockwork

T = TypeVar("T")
Mode = Literal["flows", "once", "before", "after", "refuses", "loses"]

BIRTH = datetime(2026, 1, 2, tzinfo=UTC)
INTERVAL_S = 0.04
DRAIN_S = 3.0
POLICY = Policy(
    first_piece_s=10.0,
    idle_s=6.0,
    total_s=40.0,
    answer_bytes=300,
    retries=2,
    retry_window_s=15.0,
    random=lambda: 0.5,
)


# ── the disk ──────────────────────────────────────────────────────────────────────────────────


class Disk(Database):
    """A database whose writes go as its mode says.

    before   they wait, undone           refuses  each is refused
    after    they are done, untold       loses    each is begun, told early, and then refused
    once     the next is done; then `before`

    With `at_once` no thread works for it, so that a schedule is a matter of the loop alone.
    """

    def __init__(self, loop: Clockwork, path: Path, *, at_once: bool = False) -> None:
        super().__init__(Location(path), durable=False)
        self._clock = loop
        self._at_once = at_once
        self._writer: Queue[Connection] = Queue()  # its connection, from its thread
        self._connection: Connection | None = None
        self._open = asyncio.Event()
        self._open.set()
        self.mode: Mode = "flows"
        self.flows_since = -60.0

    def turn(self, mode: Mode) -> None:
        """Go on in another mode. What waited goes on too."""
        if mode in ("before", "after"):
            self._open.clear()
        else:
            self._open.set()
        if mode == "flows":
            self.flows_since = self._clock.time()
        self.mode = mode

    def _serve_group(self, conn: Connection) -> bool:
        if not self._at_once:
            return super()._serve_group(conn)
        self._writer.put(conn)
        self._queue.get()  # nothing but the end
        return False

    async def read(self, work: Callable[[Connection], T]) -> T:
        if self._at_once:
            self._require_open()
            return await self._done_here(self._view(), "DEFERRED", work)
        with self._clock.thread_works():
            return await super().read(work)

    async def _stored(
        self, work: Callable[[Connection], T], early: Callable[[T], None] | None
    ) -> T:
        """Written as a database does it."""
        if not self._at_once:
            with self._clock.thread_works():
                return await super().write(work, early)
        self._require_open()
        if self._connection is None:
            self._connection = self._writer.get()
        return await self._done_here(self._connection, "IMMEDIATE", work, early)

    async def _done_here(
        self,
        conn: Connection,
        mode: Literal["DEFERRED", "IMMEDIATE"],
        work: Callable[[Connection], T],
        early: Callable[[T], None] | None = None,
    ) -> T:
        job = database._Job(work, self._clock.create_future())
        if database._attempt(lambda: conn, [job], mode, self._bell) is not None:
            assert job.error is not None
            raise job.error
        result: T = job.result  # type: ignore[assignment]
        if early is not None:
            early(result)
        await asyncio.sleep(0)
        return result

    async def write(
        self, work: Callable[[Connection], T], early: Callable[[T], None] | None = None
    ) -> T:
        # A caller that goes away takes nothing back, as with the real queue.
        task = self._clock.create_task(self._write(work, early), name="disk")
        task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def _write(self, work: Callable[[Connection], T], early: Callable[[T], None] | None) -> T:
        if self.mode == "before":
            await self._open.wait()
        if self.mode == "once":
            self.turn("before")
        if self.mode in ("refuses", "loses"):
            return await self._refused(work, early if self.mode == "loses" else None)
        result = await self._stored(work, early)
        if self.mode == "after":
            await self._open.wait()
        return result

    async def _refused(
        self, work: Callable[[Connection], T], early: Callable[[T], None] | None
    ) -> T:
        done: list[T] = []

        def full(conn: Connection) -> T:
            done.append(work(conn))
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database is full"))

        try:
            return await self._stored(full, None)
        except StorageUnavailable:
            if early is not None and done:
                early(done[0])
                await asyncio.sleep(0)
            raise


def _looked_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


# ── the vendor ────────────────────────────────────────────────────────────────────────────────


class Cut(Exception):
    """The vendor's stream ends without a Finish."""


Order = Text | Reasoning | Finish | Exception


@dataclass(eq=False)
class Call:
    """One request to the vendor: what it is told to do, and what it did. `outcome` is `open`,
    `finish`, `cut`, `defect`, `closed` by the engine, or the code of a fault."""

    prompt: Prompt
    began_at: float
    orders: deque[Order] = field(default_factory=deque)
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[Text | Reasoning] = field(default_factory=list)
    outcome: str = "open"
    finish: Finish | None = None
    fault: UpstreamError | None = None
    heard_at: float = 0.0  # its begin, or its last piece
    closed_at: float | None = None

    @property
    def number(self) -> int:
        """Which wish it serves."""
        return self.prompt.options.seed or 0

    def order(self, *orders: Order) -> None:
        self.orders.extend(orders)
        self.rung.set()


class Vendor:
    """A provider that says what each of its calls is told to say."""

    id = "scripted"
    name = "Scripted"
    description = "It says what a test wants."
    models = (Model("one", "One", "scripted", 10_000, 1_000, "The only one."),)
    open_ended = False
    first_piece_timeout_s: float | None = None

    def __init__(self, loop: Clockwork) -> None:
        self._loop = loop
        self.calls: dict[int, list[Call]] = {}

    def readiness(self) -> Readiness:
        return Readiness(True, "")

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
        return ()

    def formats(self, model: str) -> frozenset[str]:
        """None of them."""
        return frozenset()

    async def listed(self) -> None:
        return None

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        mine = self.calls.setdefault(prompt.options.seed or 0, [])
        now = self._loop.time()
        call = Call(prompt, now, heard_at=now)
        mine.append(call)
        try:
            while True:
                order = await self._next(call)
                if isinstance(order, Exception):
                    raise order
                if isinstance(order, Finish):
                    call.outcome, call.finish = "finish", order
                else:
                    call.said.append(order)
                    call.heard_at = self._loop.time()
                yield order
        except Cut:
            call.outcome = "cut"
        except UpstreamError as fault:
            call.outcome, call.fault = fault.code, fault
            raise
        except ZeroDivisionError:
            call.outcome = "defect"
            raise
        finally:
            call.closed_at = self._loop.time()
            if call.outcome == "open":
                call.outcome = "closed"

    async def _next(self, call: Call) -> Order:
        while not call.orders:
            call.rung.clear()
            await call.rung.wait()
        return call.orders.popleft()


# ── a process, its end, and the next one ──────────────────────────────────────────────────────


class World:
    """One file and the process that has it open now."""

    def __init__(self, path: Path) -> None:
        self.loop = Clockwork()
        self.path = path
        self.vendor = Vendor(self.loop)
        self.at_once = False  # whether the next process has a disk without threads
        self._made = 0
        self.start()

    def _fresh_id(self) -> str:
        self._made += 1
        return f"{self._made:026x}"

    def now(self) -> datetime:
        return BIRTH + timedelta(seconds=self.loop.time())

    def start(self) -> None:
        """A process of this file, recovered."""
        self.disk = Disk(self.loop, self.path, at_once=self.at_once)
        self.loop.finish(self.disk.open())
        self.log = EventLog(self.disk, self.now, interval_s=INTERVAL_S)
        self.engine = Engine(self.log, POLICY)
        provider: Provider = self.vendor
        catalog = Catalog(
            {provider.id: provider.models}, open_ended=frozenset(), default_provider=provider.id
        )
        stamps = Stamps(self._fresh_id, self.now)
        self.chat = Chat(
            self.disk, self.log, self.engine, (catalog, {provider.id: provider}), stamps
        )
        self.trash = Trash(self.disk, self.chat.clear, Keeping(), self.now)
        self.loop.finish(self._begin())

    async def delete(self, session_id: int) -> None:
        """Delete a session for good."""
        await self.trash.delete(session_id, permanent=True)

    async def _begin(self) -> None:
        self.log.start()
        await recover(self.disk, self.now())

    def kill(self) -> None:
        """End the process at once: what is not in the file is gone."""
        self.disk.turn("before")
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.settle()
        self.loop.finish(self.disk.close())

    def stop(self) -> None:
        """End the process as a server ends that is asked to."""
        stopping = self.loop.create_task(self._stop(), name="stop")
        self.loop.advance(DRAIN_S + 2.0)
        stopping.result()

    async def _stop(self) -> None:
        drain = Drain(self.engine, self.log, DRAIN_S)
        drain.begin()
        await self.chat.settle()
        await drain.finish()
        await self.log.close()
        await self.disk.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what needs nobody else."""
        return self.loop.finish(work)

    def close(self) -> None:
        """End the last process, and the world."""
        self.kill()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
