"""What a vendor says while its question is still being committed: it goes into the very next
transaction, and nowhere if there is no question in the end.

    question ──▶ commit 1 ─────────▶ commit 2 ◀── queued meanwhile
                  └ expect ── vendor ── append ──┘
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lite_llm_chat.domain import Body, Ended, Event, Started, Text
from lite_llm_chat.errors import StorageUnavailable
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.store import generations
from lite_llm_chat.store.location import Location

from . import oracle
from .disk import Disk, full, now, opening
from .processes import until

END = Ended("completed", finish_reason="stop")


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    one = Disk(Location(tmp_path / "chat.db"))
    await one.open()
    yield one
    one.gate.set()
    await one.close()
    assert oracle.findings(tmp_path / "chat.db", at_rest=False) == []


@pytest.fixture
async def log(disk: Disk) -> AsyncIterator[EventLog]:
    """A log whose ticks do not come by themselves while a test runs."""
    one = EventLog(disk, now, interval_s=60)
    one.start()
    yield one
    await one.close()


async def bodies(disk: Disk, generation_id: str) -> list[Body]:
    return await disk.read(lambda conn: generations.bodies(conn, generation_id))


async def accepted(disk: Disk, log: EventLog, *said: Text, ended: bool = False) -> list[Event]:
    """Commit the question of log `a`, to which the vendor says something meanwhile; return when
    that is stored too, though nobody has opened the log. What `open` is to be called with."""
    log.reserve("a")
    endings: list[asyncio.Task[None]] = []

    def early(first: Event) -> None:
        log.expect([first])
        for piece in said:
            log.append("a", piece)
        if ended:
            endings.append(asyncio.create_task(log.end("a", END)))

    first = await disk.write(lambda conn: opening(conn, "a"), early)

    async def stored() -> bool:
        return len(await bodies(disk, "a")) == 1 + len(said[:1]) + ended

    await until(stored)
    return [first]


async def test_a_first_piece_is_stored_before_its_question_is_told_of_and_shown_after_it(
    disk: Disk, log: EventLog
) -> None:
    first = await accepted(disk, log, Text("at once"))
    reader = log.tail("a")
    waiting = asyncio.create_task(anext(reader))
    assert not (await asyncio.wait({waiting}, timeout=0.05))[0]
    assert log.last_seq("a") == 0
    log.open(first)
    seen = [*await waiting]
    assert [event.seq for event in seen] == [1, 2]
    assert isinstance(seen[0].body, Started)
    assert seen[1].body == Text("at once")
    await log.end("a", END)


async def test_an_answer_may_end_before_its_question_is_told_of(disk: Disk, log: EventLog) -> None:
    first = await accepted(disk, log, Text("all of it"), ended=True)
    reader, late = log.tail("a"), log.tail("a")
    assert log.runs("a")
    log.open(first)
    assert not log.runs("a")
    everything = [first[0].body, Text("all of it"), END]
    for one in (reader, late, log.tail("a")):
        seen = [event async for group in one for event in group]
        assert [event.seq for event in seen] == [1, 2, 3]
        assert [event.body for event in seen] == everything
    assert await bodies(disk, "a") == everything


async def test_what_is_said_to_a_question_that_is_not_stored_is_dropped(
    disk: Disk, log: EventLog
) -> None:
    log.reserve("a")
    log.expect([Event("a", 1, Started(1, 2, "deepseek", "deepseek-chat"))])
    reader = log.tail("a")
    log.append("a", Text("to nobody"))
    with pytest.raises(StorageUnavailable):
        await disk.write(full)
    await until(lambda: disk.writes == 2)
    log.release("a")
    assert [group async for group in reader] == []
    other = await disk.write(lambda conn: opening(conn, "b"))
    log.reserve("b")
    log.open([other])
    log.append("b", Text("goes on"))
    await log.end("b", END)
    assert not log.broken
    assert await bodies(disk, "a") == []
    assert await bodies(disk, "b") == [other.body, Text("goes on"), END]


async def test_a_log_that_was_given_up_expects_nothing_and_is_not_opened(log: EventLog) -> None:
    first = Event("a", 1, Started(1, 2, "deepseek", "deepseek-chat"))
    log.expect([first])
    log.append("a", Text("to nobody"))
    log.open([first])
    assert not log.runs("a")
