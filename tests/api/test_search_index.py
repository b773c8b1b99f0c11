"""The index of words: begun on an old file, kept up, and made anew when its rule has changed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from lite_llm_chat.config import Settings
from lite_llm_chat.search import current, upkeep
from lite_llm_chat.search.current import learn
from lite_llm_chat.store import search, trash
from lite_llm_chat.store.bare import run
from lite_llm_chat.store.database import Connection, Database
from lite_llm_chat.store.location import Location
from tests.conftest import Product
from tests.durability import legacy

from .seeds import Seed, found, page, plant, planted, results, user


def file_of(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def rows(conn: Connection) -> list[int]:
    """What is in the index: messages by their ids, titles by their sessions' negative ones."""
    return [row[0] for row in run(conn, "SELECT rowid FROM search_index ORDER BY rowid")]


async def finished(product: Product) -> None:
    """Until all old rows are in the index."""
    while await product.parts.database.write(search.backfill):
        pass


def removed(conn: Connection, session_id: int) -> None:
    """A session leaves the file."""
    trash.condemn(conn, [session_id])
    while trash.step(conn):
        pass


async def test_a_plain_file_is_searched_after_its_first_start(settings: Settings) -> None:
    legacy.make(file_of(settings))
    product = await Product(settings).start()
    await finished(product)
    assert (await page(product, "bridge"))["indexed"] == 1.0
    assert len(await results(product, '"message 199"')) == 1
    assert await found(product, '"never had a session"') == ["Recovered chat"]
    await product.stop()


async def test_the_newest_messages_are_indexed_first_and_the_reply_says_how_many(
    product: Product,
) -> None:
    count = search.STEP_ROWS * 4
    await plant(product, Seed("x", user(*(f"number{n}" for n in range(1, count + 1)))))

    def forget(conn: Connection) -> None:
        run(conn, "UPDATE search_progress SET rule = 'of an older version'")
        assert search.begin(conn) == count

    database = product.parts.database
    await database.write(forget)
    assert (await page(product, f"number{count}"))["indexed"] == 0.0
    assert await database.write(search.backfill)  # the titles
    assert await database.write(search.backfill)
    reply = await page(product, f"number{count}")
    assert (len(reply["results"]), reply["indexed"]) == (1, 0.25)
    assert await found(product, "number1") == []
    await finished(product)
    reply = await page(product, "number1 ")
    assert (len(reply["results"]), reply["indexed"]) == (1, 1.0)


async def test_what_is_said_changed_and_deleted_meanwhile_is_in_the_index_once(
    product: Product,
) -> None:
    await plant(product, *(Seed(f"old {n}", user("rose", "tulip")) for n in range(5)))
    database = product.parts.database

    def forget(conn: Connection) -> None:
        run(conn, "UPDATE search_progress SET rule = ''")
        search.begin(conn)

    await database.write(forget)
    await plant(product, Seed("new", user("rose")))
    await product.call("PATCH", "/sessions/2", {"title": "changed"})
    await product.call("DELETE", "/sessions/3?permanent=true")
    await learn(database)
    assert await database.read(rows) == [-6, -2, 11]
    await finished(product)
    everything = [-6, -5, -4, -2, -1, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert await database.read(rows) == everything
    assert await found(product, "changed") == ["changed"]
    for number in (1, 2, 4, 5, 6):
        await product.call("DELETE", f"/sessions/{number}?permanent=true")
    assert await found(product, "rose") == []
    assert await database.read(rows) == []


async def test_a_restart_goes_on_where_it_stopped(product: Product) -> None:
    count = search.STEP_ROWS * 3
    await plant(product, Seed("x", user(*["rose"] * count)))

    def forget(conn: Connection) -> None:
        run(conn, "UPDATE search_progress SET rule = ''")
        search.begin(conn)
        search.backfill(conn)
        search.backfill(conn)

    await product.parts.database.write(forget)
    await product.restart()
    await finished(product)
    assert await product.parts.database.read(rows) == [-1, *range(1, count + 1)]


async def test_a_deletion_does_not_mind_rows_that_were_never_indexed(product: Product) -> None:
    await plant(product, Seed("x", user("rose")))

    def behind_its_back(conn: Connection) -> None:
        run(conn, "INSERT INTO search_index (search_index) VALUES ('delete-all')")
        removed(conn, 1)

    await product.parts.database.write(behind_its_back)
    await plant(product, Seed("y", user("rose")))
    assert await found(product, "rose") == ["y"]


async def test_one_commit_teaches_no_more_than_it_should_hold(database: Database) -> None:
    many = search.SETTLED_ROWS + 40

    def everything(conn: Connection) -> None:
        planted(conn, Seed("-", user(*["rose"] * many)))

    await database.write(everything)
    assert await database.read(rows) == []
    assert await database.write(search.settle)
    assert len(await database.read(rows)) == search.SETTLED_ROWS
    assert not await database.write(search.settle)
    assert len(await database.read(rows)) == many + 1
    await database.write(lambda conn: removed(conn, 1))
    assert len(await database.read(rows)) == many + 1
    await learn(database)
    assert await database.read(rows) == []


async def test_a_commit_that_teaches_long_texts_teaches_fewer(database: Database) -> None:
    long = "rose " * (search.SETTLED_CHARS // 10)

    def everything(conn: Connection) -> None:
        planted(conn, Seed("-", user(*[long] * 5)))

    await database.write(everything)
    assert await database.write(search.settle)
    assert await database.read(rows) == [-1, 1, 2]
    await learn(database)
    assert len(await database.read(rows)) == 6


async def test_who_searches_after_very_much_at_once_waits_for_so_much_and_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = search.SETTLED_ROWS * 2
    await database.write(lambda conn: planted(conn, Seed("x", user(*["rose"] * many))))
    monkeypatch.setattr(current, "STEPS", 2)
    assert len(await current.read(database, rows)) == many
    assert len(await current.read(database, rows)) == many + 1  # the title is one too


async def test_a_search_finds_what_is_known_where_the_disk_takes_nothing(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(product, Seed("known", user("rose")))
    database = product.parts.database
    await database.write(lambda conn: planted(conn, Seed("new", user("rose"))))

    def full(_conn: Connection) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(search, "settle", full)
        assert await found(product, "rose") == ["known"]
    assert sorted(await found(product, "rose")) == ["known", "new"]


async def test_what_changes_before_it_was_learned_is_learned_as_it_is_at_last(
    database: Database,
) -> None:
    def said_and_changed(conn: Connection) -> None:
        planted(conn, Seed("first", user("rose")))
        run(conn, "UPDATE chat_messages SET content = 'tulip'")
        run(conn, "UPDATE chat_sessions SET title = 'second'")
        run(conn, "UPDATE chat_sessions SET title = 'third'")
        planted(conn, Seed("gone", user("rose")))
        removed(conn, 2)

    def words_there(conn: Connection) -> list[str]:
        asked = ("rose", "tulip", "first", "second", "third", "gone")
        match = "SELECT 1 FROM search_index WHERE search_index MATCH ?"
        return [word for word in asked if run(conn, match, (word,))]

    await database.write(said_and_changed)
    await learn(database)
    assert await database.read(words_there) == ["tulip", "third"]
    await database.write(lambda conn: run(conn, "UPDATE chat_messages SET content = 'a rose'"))
    await learn(database)
    assert await database.read(words_there) == ["rose", "third"]
    await database.write(lambda conn: removed(conn, 1))
    await learn(database)
    assert await database.read(words_there) == []


async def test_only_the_beginning_of_a_very_long_message_is_indexed(product: Product) -> None:
    long = "x " * (search.INDEXED_CHARS // 2) + "unreachable"
    await plant(product, Seed("long", user(f"rose {long}")))
    assert await found(product, "rose") == ["long"]
    assert await found(product, "unreachable") == []
    await product.call("DELETE", "/sessions/1?permanent=true")
    await learn(product.parts.database)
    assert await product.parts.database.read(rows) == []


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database that nobody tends."""
    alone = Database(Location(tmp_path / "alone.db"))
    await alone.open()
    yield alone
    await alone.close()


def segments(conn: Connection) -> int:
    [(count,)] = run(conn, "SELECT count(DISTINCT segid) FROM search_index_idx")
    return int(count)


async def test_many_small_segments_are_merged_into_few(database: Database) -> None:
    for number in range(25):
        await database.write(partial(planted, seed=Seed(f"{number}", user("rose"))))
        await learn(database)
    before = await database.read(rows)
    assert await database.read(segments) == 25  # each time makes one, and merges nothing
    await upkeep.tend(database)
    assert await database.read(segments) == 1
    assert await database.read(rows) == before
    assert not await database.write(search.merge)


async def test_a_disk_that_refuses_does_not_end_the_upkeep(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "INTERVAL_S", 0.0)
    loop, merged = asyncio.get_running_loop(), asyncio.Event()
    asked: list[str] = []

    def merge(_conn: Connection) -> bool:
        asked.append("merge")
        if len(asked) == 1:
            raise sqlite3.OperationalError("database or disk is full")
        loop.call_soon_threadsafe(merged.set)
        return False

    monkeypatch.setattr(search, "merge", merge)
    task = asyncio.create_task(upkeep.keep(database))
    await merged.wait()
    task.cancel()


async def test_a_plain_shell_can_read_the_file_and_change_rows(product: Product) -> None:
    await plant(product, Seed("x", user("rose")))
    path = file_of(product.settings)
    await product.stop()
    with closing(sqlite3.connect(path)) as file, file:
        query = "SELECT rowid FROM search_index WHERE search_index MATCH 'rose' AND rowid > 0"
        assert file.execute(query).fetchall() == [(1,)]
        file.execute("UPDATE chat_messages SET content = 'a tulip'")
        file.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')")
    await product.start()
    await upkeep.tend(product.parts.database)
    assert await found(product, "rose") == []
    assert await found(product, "tulip") == ["x"]


async def test_what_a_message_says_is_in_the_index_only_if_its_row_is_kept(
    product: Product,
) -> None:
    class Undone(Exception):
        """To roll back."""

    def work(conn: Connection) -> None:
        planted(conn, Seed("x", user("rose")))
        raise Undone

    with pytest.raises(Undone):
        await product.parts.database.write(work)
    assert await product.parts.database.read(rows) == []
