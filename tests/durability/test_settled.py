"""Whoever must know that something is on disk, before it does anything, is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lite_llm_chat.domain import Ended, Text
from lite_llm_chat.eventlog import EventLog
from lite_llm_chat.store import generations
from lite_llm_chat.store.location import Location

from .disk import Disk, begin, now
from .processes import until


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    """An open database that can refuse."""
    one = Disk(Location(tmp_path / "chat.db"))
    await one.open()
    yield one
    one.refusing = False
    await one.close()


@pytest.fixture
async def log(disk: Disk) -> AsyncIterator[EventLog]:
    """A log that flushes as often as it can."""
    one = EventLog(disk, now, interval_s=0.001)
    one.start()
    yield one
    await one.close()


async def test_what_was_appended_is_settled_once_it_is_on_disk(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    log.append("a", Text("said"))
    assert await log.settled("a")
    bodies = await disk.read(lambda conn: generations.bodies(conn, "a"))
    assert bodies[1:] == [Text("said")]
    await log.end("a", Ended("completed"))
    assert not await log.settled("a")


async def test_nothing_is_settled_in_a_log_that_was_given_up(disk: Disk, log: EventLog) -> None:
    await begin(disk, log, "a")
    disk.refusing = True
    log.append("a", Text("said"))
    settling = asyncio.create_task(log.settled("a"))
    await until(lambda: log.broken)
    log.release("a")
    assert not await settling
