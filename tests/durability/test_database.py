"""The one writer: what waits together is committed together, and the rows hold their rules."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from lite_llm_chat.domain import Ended, Event, Text
from lite_llm_chat.errors import Conflict, LiteError, NotFound, RuleBroken, StorageUnavailable
from lite_llm_chat.store import generations, listing, messages, sessions
from lite_llm_chat.store.bare import driver
from lite_llm_chat.store.codec import moment_to_text
from lite_llm_chat.store.database import READERS, Connection, Database
from lite_llm_chat.store.listing import Wanted
from lite_llm_chat.store.location import Location
from lite_llm_chat.store.sessions import Titled

from .disk import NOW, full, opening


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open one."""
    one = Database(Location(tmp_path / "chat.db"))
    await one.open()
    yield one
    await one.close()


class Hold:
    """A write that keeps the writer busy until `release`: what is written meanwhile waits."""

    def __init__(self, database: Database) -> None:
        self._released = threading.Event()
        self._begun = threading.Event()
        self._task = asyncio.create_task(database.write(self._work))

    def _work(self, _conn: Connection) -> None:
        self._begun.set()
        assert self._released.wait(10)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 10)

    async def release(self) -> None:
        self._released.set()
        await self._task


async def commits_of(database: Database) -> list[str]:
    """What the writer does from now on: COMMIT or ROLLBACK."""
    seen: list[str] = []

    def said(statement: str) -> None:
        if statement in ("COMMIT", "ROLLBACK"):
            seen.append(statement)

    await database.write(lambda conn: driver(conn).set_trace_callback(said))
    seen.clear()  # that it was asked
    return seen


def title(name: str, runs: list[str] | None = None) -> Callable[[Connection], int]:
    """A function that makes a session with a title."""

    def work(conn: Connection) -> int:
        if runs is not None:
            runs.append(name)
        return sessions.create(conn, Titled(name), ("p", "m"), NOW).id

    return work


async def titles(database: Database) -> list[str]:
    found = await database.read(lambda conn: listing.page(conn, Wanted(limit=1000)))
    return sorted(one.title for one in found)


# ── groups ────────────────────────────────────────────────────────────────────────────────────


async def test_functions_that_wait_together_are_committed_together(database: Database) -> None:
    seen = await commits_of(database)
    hold = Hold(database)
    await hold.begun()
    waiting = [asyncio.create_task(database.write(title(f"{n:02}"))) for n in range(20)]
    await asyncio.sleep(0)
    await hold.release()
    ids = await asyncio.gather(*waiting)
    assert seen == ["COMMIT", "COMMIT"]  # what held the writer, and all that waited
    assert ids == sorted(ids)
    assert await titles(database) == [f"{n:02}" for n in range(20)]


async def test_one_that_fails_hurts_no_other_and_each_is_run_again_alone(
    database: Database,
) -> None:
    runs: list[str] = []

    def fails(conn: Connection) -> None:
        title("half", runs)(conn)
        raise NotFound("not there", code="gone")

    def defect(_conn: Connection) -> None:
        raise ZeroDivisionError

    seen = await commits_of(database)
    hold = Hold(database)
    await hold.begun()
    works: list[Callable[[Connection], object]] = [
        title("a", runs), fails, title("b", runs), defect, title("c", runs),
    ]  # fmt: skip
    waiting = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    await hold.release()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in results] == [int, NotFound, int, ZeroDivisionError, int]
    assert seen == ["COMMIT", "ROLLBACK", "COMMIT", "ROLLBACK", "COMMIT", "ROLLBACK", "COMMIT"]
    assert runs == ["a", "half", "a", "half", "b", "c"]
    assert await titles(database) == ["a", "b", "c"]


async def test_a_disk_that_refuses_is_noticed_and_the_next_write_clears_it(
    database: Database,
) -> None:
    with pytest.raises(StorageUnavailable):
        await database.write(full)
    refused, taken = database.writable, await database.probe()
    assert (refused, taken, database.writable) == (False, True, True)
    assert await titles(database) == []


async def test_a_caller_that_leaves_harms_nobody(database: Database) -> None:
    hold = Hold(database)
    await hold.begun()
    leaver = asyncio.create_task(database.write(title("left")))
    stayer = asyncio.create_task(database.write(title("stayed")))
    await asyncio.sleep(0)
    leaver.cancel()
    await hold.release()
    await stayer
    assert leaver.cancelled()
    assert "stayed" in await titles(database)


async def test_what_waits_is_committed_before_the_database_closes(tmp_path: Path) -> None:
    database = Database(Location(tmp_path / "chat.db"))
    await database.open()
    waiting = [asyncio.create_task(database.write(title(f"{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*waiting)
    again = Database(Location(tmp_path / "chat.db"))
    await again.open()
    assert await titles(again) == ["0", "1", "2", "3", "4"]
    await again.close()


async def test_a_closed_database_refuses_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    database = Database(Location(tmp_path / "chat.db"))
    await database.open()
    await database.close()
    async with asyncio.timeout(5):
        with pytest.raises(StorageUnavailable):
            await database.write(title("late"))
        with pytest.raises(StorageUnavailable):
            await database.read(lambda conn: listing.page(conn, Wanted()))


# ── reading ───────────────────────────────────────────────────────────────────────────────────


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(LiteError):
        await database.read(title("smuggled"))
    assert await titles(database) == []


async def test_a_reader_sees_one_moment(database: Database) -> None:
    between, committed = threading.Event(), threading.Event()

    def twice(conn: Connection) -> tuple[int, int]:
        first = len(listing.page(conn, Wanted()))
        between.set()
        assert committed.wait(10)
        return first, len(listing.page(conn, Wanted()))

    reading = asyncio.create_task(database.read(twice))
    assert await asyncio.to_thread(between.wait, 10)
    await database.write(title("new"))
    committed.set()
    assert await reading == (0, 0)
    assert await titles(database) == ["new"]


class Readings:
    """Reads that stay with their threads until `release`; `begun` has those that a thread has."""

    def __init__(self, database: Database, count: int) -> None:
        self.begun: SimpleQueue[int] = SimpleQueue()
        self.tasks = [asyncio.create_task(database.read(self._work(n))) for n in range(count)]
        self._released = threading.Event()

    def _work(self, number: int) -> Callable[[Connection], int]:
        def work(_conn: Connection) -> int:
            self.begun.put(number)
            assert self._released.wait(10)
            return number

        return work

    async def are_begun(self, count: int) -> None:
        for _ in range(count):
            await asyncio.to_thread(self.begun.get, timeout=10)

    def release(self) -> None:
        self._released.set()


async def test_a_branch_is_read_oldest_first_whatever_its_ids_are(database: Database) -> None:
    def grown(conn: Connection) -> None:
        home = sessions.create(conn, Titled(""), ("deepseek", "deepseek-chat"), NOW).id
        for depth, (id_, parent) in enumerate([(7, None), (3, 7), (9, 3), (5, 9)], 1):
            row = id_, home, "user", f"{depth}", moment_to_text(NOW), parent, depth
            driver(conn).execute(
                "INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id,"
                " depth) VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    await database.write(grown)
    branch = await database.read(lambda conn: messages.branch(conn, 5))
    assert [message.content for message in branch] == ["1", "2", "3", "4"]
    assert [message.id for message in branch] == [7, 3, 9, 5]


async def test_as_many_read_at_once_as_there_are_readers(database: Database) -> None:
    held = Readings(database, READERS)
    await held.are_begun(READERS)
    late = asyncio.create_task(titles(database))
    await database.write(title("a write waits for no reader"))
    assert not late.done()
    held.release()
    assert await asyncio.gather(*held.tasks) == list(range(READERS))
    assert await late == ["a write waits for no reader"]
    assert sum(thread.name == "reader" for thread in threading.enumerate()) == READERS


async def test_a_read_that_nobody_waits_for_is_not_begun(database: Database) -> None:
    held = Readings(database, READERS + 1)
    await held.are_begun(READERS)
    held.tasks[-1].cancel()
    held.tasks[0].cancel()  # its thread has it: it is read for nobody
    await asyncio.sleep(0)
    held.release()
    done = await asyncio.gather(*held.tasks, return_exceptions=True)
    assert [type(one) for one in (done[0], done[-1])] == [asyncio.CancelledError] * 2
    assert done[1:-1] == list(range(1, READERS))
    assert await titles(database) == []
    assert held.begun.empty()


async def test_a_defect_in_a_read_is_its_callers_and_the_reader_goes_on(
    database: Database,
) -> None:
    def defect(_conn: Connection) -> None:
        raise ZeroDivisionError

    for _ in range(2 * READERS):
        with pytest.raises(ZeroDivisionError):
            await database.read(defect)
    assert await titles(database) == []


async def test_closing_waits_for_what_was_asked_before(tmp_path: Path) -> None:
    database = Database(Location(tmp_path / "chat.db"))
    await database.open()
    held = Readings(database, READERS + 1)
    await held.are_begun(READERS)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    held.release()
    await closing
    assert await asyncio.gather(*held.tasks) == list(range(READERS + 1))
    assert all(thread.name != "reader" for thread in threading.enumerate())


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
async def test_the_connections_are_set_up_for_durability(
    durable: bool, synchronous: int, tmp_path: Path
) -> None:
    database = Database(Location(tmp_path / "chat.db"), durable=durable)
    await database.open()

    def pragmas(conn: Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "query_only")
        return {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    writer, reader = await database.write(pragmas), await database.read(pragmas)
    await database.close()
    common = {"journal_mode": "wal", "foreign_keys": 1, "mmap_size": 0}
    assert writer == {**common, "synchronous": synchronous, "query_only": 0}
    assert {**reader, "synchronous": 0} == {**common, "synchronous": 0, "query_only": 1}


# ── rules that the rows hold ──────────────────────────────────────────────────────────────────


async def test_a_session_has_one_live_answer_at_most(database: Database) -> None:
    await database.write(lambda conn: opening(conn, "first"))
    with pytest.raises(RuleBroken):
        await database.write(lambda conn: opening(conn, "second", session_id=1))
    ending = generations.Ending("first", 2, Ended("completed"), NOW)
    await database.write(lambda conn: generations.end(conn, ending))
    await database.write(lambda conn: opening(conn, "second", session_id=1))


async def test_a_number_of_a_log_is_taken_once(database: Database) -> None:
    await database.write(lambda conn: opening(conn, "one"))
    await database.write(lambda conn: generations.append(conn, [Event("one", 2, Text("mine"))]))
    with pytest.raises(RuleBroken):
        await database.write(
            lambda conn: generations.append(
                conn, [Event("one", 3, Text("not")), Event("one", 2, Text("yours"))]
            )
        )
    bodies = await database.read(lambda conn: generations.bodies(conn, "one"))
    assert bodies[1:] == [Text("mine")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE generations SET status = 'running', ended = NULL",
        "UPDATE generations SET status = 'completed'",
        "UPDATE generations SET ended = '{}'",
        "UPDATE generations SET last_seq = 9",
        "UPDATE generations SET ended_at = '2020-01-01'",
        "UPDATE generations SET message_id = 1",
    ],
)
async def test_a_terminal_generation_never_changes(statement: str, database: Database) -> None:
    await database.write(lambda conn: opening(conn, "one"))
    ending = generations.Ending("one", 2, Ended("failed"), NOW)
    await database.write(lambda conn: generations.end(conn, ending))
    before = await database.read(lambda conn: generations.get(conn, "one"))
    with pytest.raises(RuleBroken):
        await database.write(lambda conn: conn.exec_driver_sql(statement))
    late = generations.Ending("one", 3, Ended("completed"), NOW)
    await database.write(lambda conn: generations.end(conn, late))
    assert await database.read(lambda conn: generations.get(conn, "one")) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE generations SET status = 'sleeping'",
        "UPDATE generations SET status = 'completed'",  # but without its end
        "UPDATE generations SET ended = '{}'",  # but still running
        "INSERT INTO events VALUES ('nobody', 1, 'text', 'x')",
        "UPDATE chat_messages SET session_id = 999",
        "UPDATE chat_messages SET parent_id = 999",
        "UPDATE chat_sessions SET leaf_id = 999",
        "DELETE FROM chat_messages WHERE id = 1",  # an answer stands under it
    ],
)
async def test_rows_that_contradict_each_other_are_refused(
    statement: str, database: Database
) -> None:
    await database.write(lambda conn: opening(conn, "one"))
    with pytest.raises(Conflict) as refused:
        await database.write(lambda conn: conn.exec_driver_sql(statement))
    assert refused.value.code == "rule_broken"


async def test_a_session_takes_all_its_rows_with_it(database: Database) -> None:
    await database.write(lambda conn: opening(conn, "one"))
    await database.write(lambda conn: conn.exec_driver_sql("DELETE FROM chat_sessions"))
    tables = ("chat_sessions", "chat_messages", "generations", "events")

    def counts(conn: Connection) -> list[object]:
        return [conn.exec_driver_sql(f"SELECT count(*) FROM {one}").scalar() for one in tables]

    assert await database.read(counts) == [0, 0, 0, 0]
