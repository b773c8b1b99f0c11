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

from lite_llm_chat.domain import Ended, Event, Started, Text
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


async def until_asked(disk: Disk, writes: int) -> None:
    """Return when so many writes have been asked for."""
    await until(lambda: disk.writes >= writes)


async def test_a_first_piece_is_on_its_way_before_its_question_is_told_to_be_stored(
    disk: Disk, log: EventLog
) -> None:
    log.reserve("a")
    reader = log.tail("a")
    begun: list[Event] = []

    def early(first: Event) -> None:
        begun.append(first)
        log.expect([first])
        log.append("a", Text("at once"))

    accepted = asyncio.create_task(disk.write(lambda conn: opening(conn, "a"), early))
    await until_asked(disk, 2)  # the piece, though nobody has opened the log
    first = await accepted
    assert log.last_seq("a") == 0
    log.open([first])
    assert begun == [first]
    seen = [*await anext(reader)]
    while len(seen) < 2:
        seen += await anext(reader)
    assert [event.seq for event in seen] == [1, 2]
    assert isinstance(seen[0].body, Started)
    assert seen[1].body == Text("at once")
    await log.end("a", END)


async def test_what_is_said_to_a_question_that_is_not_stored_is_dropped(
    disk: Disk, log: EventLog
) -> None:
    log.reserve("a")
    log.expect([Event("a", 1, Started(1, 2, "deepseek", "deepseek-chat"))])
    reader = log.tail("a")
    log.append("a", Text("to nobody"))
    with pytest.raises(StorageUnavailable):
        await disk.write(full)
    log.release("a")
    assert [group async for group in reader] == []
    other = await disk.write(lambda conn: opening(conn, "b"))
    log.reserve("b")
    log.open([other])
    log.append("b", Text("goes on"))
    await log.end("b", END)
    assert not log.broken
    assert await disk.read(lambda conn: generations.bodies(conn, "a")) == []
    assert await disk.read(lambda conn: generations.bodies(conn, "b")) == [
        other.body,
        Text("goes on"),
        END,
    ]


async def test_an_answer_may_end_while_its_question_is_being_committed(
    disk: Disk, log: EventLog
) -> None:
    log.reserve("a")
    endings: list[asyncio.Task[None]] = []

    def early(first: Event) -> None:
        log.expect([first])
        log.append("a", Text("all of it"))
        endings.append(asyncio.create_task(log.end("a", END)))

    first = await disk.write(lambda conn: opening(conn, "a"), early)
    log.open([first])
    await endings[0]
    assert await disk.read(lambda conn: generations.bodies(conn, "a")) == [
        first.body,
        Text("all of it"),
        END,
    ]


async def test_a_question_that_was_given_up_expects_nothing(log: EventLog) -> None:
    log.expect([Event("a", 1, Started(1, 2, "deepseek", "deepseek-chat"))])
    log.append("a", Text("to nobody"))
    assert not log.runs("a")
