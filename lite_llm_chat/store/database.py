"""One file, one writer thread, a few readers; a transaction is a function.

    await db.write(fn) ──▶ queue ──▶ writer thread:  BEGIN IMMEDIATE · fn fn fn … · COMMIT
                                        (all that waited together are committed together)
    await db.read(fn)  ──▶ queue ──▶ reader threads:  BEGIN · fn · COMMIT    (they cannot write)

A function gets a Connection, may run twice and touches nothing but that connection: when one of a
group fails, the group is rolled back and each function is run again in a transaction of its own.
A caller that is cancelled while it waits may or may not have been committed.

A database in memory is one connection, so there both ways lead to the writer thread; a function
that only reads is a group's like any other.

All writes and checkpoints go through one connection: SQLite's WAL-reset bug (3.7.0 to 3.51.2)
needs two, and nobody ever waits for a lock.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from ..errors import IndexDamaged, LiteError, RuleBroken, StorageUnavailable
from .bare import Mode, driver, transaction
from .bell import Bell
from .location import Location, Lock
from .migrate import migrate

__all__ = ["Connection", "Database"]

T = TypeVar("T")
Work = Callable[[Connection], T]
READERS = 4
GROUP_LIMIT = 256  # functions in one commit
BUSY_TIMEOUT_MS = 5000

_REFUSALS = (SQLAlchemyError, sqlite3.Error)

log = logging.getLogger("lite_llm_chat.store")


@dataclass(slots=True)
class _Job:
    """A function that waits for its turn, and where its result goes."""

    work: Callable[[Connection], object]
    future: asyncio.Future[object]
    early: Callable[[Any], None] | None = None
    result: object = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Database:
    """The only way to the rows. `open` before use, `close` last."""

    def __init__(self, location: Location, *, durable: bool = True) -> None:
        self._location = location
        self._lock = Lock(location)
        self._writing = _engine(location, read_only=False, durable=durable)
        self._reading = _engine(location, read_only=True, durable=durable)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._asked: SimpleQueue[_Job | None] = SimpleQueue()
        self._reads = 0  # that were asked for and are not settled
        self._readers: list[threading.Thread] = []  # as many as were ever needed at once
        self._views = threading.local()  # each reader thread's connection
        self._opened: list[Connection] = []  # all of them
        self._loop: asyncio.AbstractEventLoop
        self._bell: Bell
        self.writable = True  # False from a refused write until the next one that is taken

    async def open(self) -> None:
        """Lock the file, adopt or migrate it, start the threads. Raises StartupError."""
        self._location.check()
        self._lock.take()
        try:
            await asyncio.to_thread(migrate, self._writing, self._location)
        except BaseException:
            self._lock.release()
            raise
        self._loop = asyncio.get_running_loop()  # asked once: a system call in Python 3.11
        self._bell = Bell()
        self._thread = _started("writer", self._serve)

    async def close(self) -> None:
        """Commit what waits, then let go of the file. Whoever comes later is refused."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)
        for _ in self._readers:
            self._asked.put(None)
        while self._readers:
            await asyncio.to_thread(self._readers.pop().join)
        for view in self._opened:
            view.close()
        if thread is not None:
            self._bell.close()
        self._reading.dispose()
        self._writing.dispose()
        self._lock.release()

    async def read(self, work: Work[T]) -> T:
        """The function's result, from one consistent view. Raises StorageUnavailable."""
        if self._location.in_memory:
            return await self.write(work)
        self._require_open()
        job = _Job(work, self._loop.create_future())
        self._reads += 1
        if self._reads > len(self._readers) < READERS:
            self._readers.append(_started("reader", self._serve_reads))
        self._asked.put(job)
        try:
            return await job.future  # type: ignore[return-value]
        finally:
            del job  # an error would hold this frame, and by it itself

    async def write(self, work: Work[T], early: Callable[[T], None] | None = None) -> T:
        """The function's result, once it is committed. Raises what the function raised (then
        nothing of it is stored), RuleBroken, or StorageUnavailable.

        `early` is called at most once, on the event loop, with a result whose commit has begun:
        what it starts must be harmless if the commit fails."""
        self._require_open()
        job = _Job(work, self._loop.create_future(), early)
        self._queue.put(job)
        try:
            return await job.future  # type: ignore[return-value]
        finally:
            del job  # an error would hold this frame, and by it itself

    def _require_open(self) -> None:
        if self._thread is None:
            raise StorageUnavailable("the database is closed: the server is stopping")

    async def probe(self) -> bool:
        """Whether a write is taken now; tried for real only if the last one was refused."""
        if not self.writable:
            try:
                await self.write(_touch)
            except StorageUnavailable:
                return False
            self.writable = True
        return True

    # ── the reader threads ────────────────────────────────────────────────────────────────────

    def _serve_reads(self) -> None:
        while job := self._asked.get():
            if not job.future.done():  # its caller still waits
                _attempt(self._view, [job], "DEFERRED", self._bell)
            self._bell.call(self._settle_read, job)
            del job  # nothing of it is held while the next one is waited for

    def _view(self) -> Connection:
        conn: Connection | None = getattr(self._views, "conn", None)
        if conn is None:
            conn = self._views.conn = _plainly(self._reading)
            self._opened.append(conn)
        return conn

    def _settle_read(self, job: _Job) -> None:
        self._reads -= 1
        job.settle()

    # ── the writer thread ─────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        with _plainly(self._writing) as conn:
            while self._serve_group(conn):
                pass

    def _serve_group(self, conn: Connection) -> bool:
        """Commit what waits, once something does; False if that is the end. Nothing of a group
        is held while the next one is waited for."""
        job = self._queue.get()
        group: list[_Job] = []
        while job is not None:
            group.append(job)
            if len(group) == GROUP_LIMIT:
                break
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
        if group:
            self._commit(conn, group)
            self._bell.call(_settle, group)
        return job is not None

    def _commit(self, conn: Connection, group: list[_Job]) -> None:
        if self._try(conn, group) or len(group) == 1:
            return
        for job in group:
            self._try(conn, [job])

    def _try(self, conn: Connection, group: list[_Job]) -> bool:
        """Whether the group is committed; else nothing is stored and the error stands on every
        job."""
        before = driver(conn).total_changes
        failure = _attempt(lambda: conn, group, "IMMEDIATE", self._bell)
        if failure is None:  # one that changed nothing asked nothing of the disk
            self.writable = self.writable or driver(conn).total_changes > before
        elif len(group) == 1 and _is_refusal(failure):
            self.writable = False
            log.error("the database refused a write: %s", failure.__cause__.__class__.__name__)
        return failure is None


def _is_refusal(failure: BaseException) -> bool:
    """Whether it says that the file takes nothing, and not that the index of words is damaged."""
    refused = isinstance(failure, StorageUnavailable) and not isinstance(failure, IndexDamaged)
    return refused and isinstance(failure.__cause__, _REFUSALS)


def _attempt(
    view: Callable[[], Connection], group: list[_Job], mode: Mode, bell: Bell
) -> BaseException | None:
    """Run the group in one transaction. The error, if there was one: it stands on every job."""
    try:
        conn = view()
        with transaction(conn, mode):
            for job in group:
                job.result, job.error = job.work(conn), None
            _tell_early(group, bell)
        return None
    except LiteError as error:
        failure: BaseException = error.with_traceback(None)  # or it would hold itself, by us
    except _REFUSALS as cause:
        failure = _translated(cause)
        failure.__cause__ = cause
    except Exception as defect:
        failure = defect
    for job in group:
        job.error = failure
    return failure


def _started(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _tell_early(group: list[_Job], bell: Bell) -> None:
    for job in group:
        if job.early is not None:
            bell.call(job.early, job.result)
            job.early = None


def _settle(group: list[_Job]) -> None:
    for job in group:
        job.settle()


def _touch(conn: Connection) -> None:
    """The smallest write that reaches the disk."""
    version = conn.exec_driver_sql("PRAGMA user_version").scalar_one()
    conn.exec_driver_sql(f"PRAGMA user_version = {int(version) + 1}")


def _translated(cause: SQLAlchemyError | sqlite3.Error) -> LiteError:
    match cause.orig if isinstance(cause, DBAPIError) else cause:
        case sqlite3.IntegrityError():
            return RuleBroken("the stored rows do not allow this")
        case sqlite3.OperationalError():
            return StorageUnavailable(
                "the database cannot be used now: check the free space and the health of its"
                " disk; the server goes on by itself once the disk does"
            )
        case sqlite3.ProgrammingError() | sqlite3.InterfaceError():
            return LiteError("the database was asked wrongly", code="storage_defect")
        case sqlite3.DatabaseError(sqlite_errorcode=sqlite3.SQLITE_CORRUPT_VTAB):
            return IndexDamaged()
        case sqlite3.Error():
            return StorageUnavailable(
                "the database file is damaged or refuses this: run an integrity check on a copy"
                " of it"
            )
    return LiteError("the database could not answer", code="storage_defect")


def _plainly(engine: Engine) -> Connection:
    """A connection on which nothing but `transaction` begins or ends one."""
    return engine.connect().execution_options(begins_itself=False)


def _engine(location: Location, *, read_only: bool, durable: bool) -> Engine:
    count = {"pool_size": READERS if read_only else 1, "max_overflow": 0}
    engine = create_engine(
        location.url,
        **({"poolclass": StaticPool} if location.in_memory else count),
        pool_reset_on_return="rollback",
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    pragmas = [
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "mmap_size=0",
        "trusted_schema=OFF",
    ]
    if location.in_memory:  # deleted means gone, and the memory is given back
        pragmas += ["auto_vacuum=FULL", "secure_delete=ON"]
    elif read_only:
        pragmas.append("query_only=ON")
    else:
        pragmas += [
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "journal_size_limit=67108864",
        ]

    @event.listens_for(engine, "connect")
    def _prepare(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # BEGIN is ours to say
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("begins_itself", True):
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
