"""A database in memory: the same promises, no file, and what is deleted is gone at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lite_llm_chat.domain import FIRST_TEMPORARY, LAST_TEMPORARY
from lite_llm_chat.errors import NotFound, StorageUnavailable
from lite_llm_chat.store import sessions, unwritten
from lite_llm_chat.store.database import Connection, Database
from lite_llm_chat.store.location import Location
from lite_llm_chat.store.sessions import Titled

from .processes import names_in

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.chdir(tmp_path)
    one = Database(Location.memory())
    await one.open()
    await one.write(unwritten.begin)
    yield one
    await one.close()
    assert names_in(tmp_path) == []


def made(conn: Connection) -> int:
    return sessions.create(conn, Titled("T" * 200), ("deepseek", "deepseek-chat"), NOW).id


async def test_what_is_written_is_read_and_its_ids_are_those_of_temporary_chats(
    database: Database,
) -> None:
    one, two = await database.write(made), await database.write(made)
    assert FIRST_TEMPORARY < one < two == one + 1 <= LAST_TEMPORARY
    assert (await database.read(lambda conn: sessions.get(conn, two))).id == two


async def test_a_read_that_fails_spoils_nothing_that_waited_with_it(database: Database) -> None:
    waiting = [
        database.write(made),
        database.read(lambda conn: sessions.get(conn, 1)),
        database.write(made),
    ]
    first, error, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(error, NotFound)
    count, _ = await database.read(unwritten.sessions_and_bytes)
    assert (count, first != second) == (2, True)


async def test_deleting_gives_the_memory_back(database: Database) -> None:
    async def size() -> int:
        return (await database.read(unwritten.sessions_and_bytes))[1]

    before = await size()
    await database.write(lambda conn: [made(conn) for _ in range(2000)])
    full = await size()
    assert full > before + 2000 * 200
    await database.write(lambda conn: conn.exec_driver_sql("DELETE FROM chat_sessions").rowcount)
    assert await size() < before + (full - before) // 10


async def test_a_closed_one_is_gone(database: Database) -> None:
    await database.write(made)
    await database.close()
    with pytest.raises(StorageUnavailable):
        await database.read(unwritten.sessions_and_bytes)
    await database.open()
    assert (await database.read(unwritten.sessions_and_bytes))[0] == 0
