"""The page that is measured is the same page on both sides, or it is not measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import pages
from bench.client import Failed
from bench.machine import Cores
from bench.pages import Amount
from bench.servers import Servers

ANYWHERE = Cores(None, None)
SMALL = Amount(sessions=30, pages=100, rounds=1)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, ANYWHERE) as running:
        yield running


async def test_the_product_and_the_orm_answer_the_same_pages(
    servers: Servers, tmp_path: Path
) -> None:
    [row] = await pages.reading(servers, tmp_path, ANYWHERE, SMALL)
    assert "20 messages out of 600" in row.what
    with closing(sqlite3.connect(tmp_path / "pages.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        [(messages, longest)] = file.execute("SELECT count(*), max(depth) FROM chat_messages")
    assert (messages, longest) == (600, 20)


async def test_pages_that_differ_are_not_compared(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = pages.fill

    def fill_and_cut(database: Path, sessions: int) -> None:
        """The product shows a branch, the ORM all that a session ever had."""
        filled(database, sessions)
        with closing(sqlite3.connect(database)) as file, file:
            file.execute("UPDATE chat_sessions SET leaf_id = leaf_id - 1")

    monkeypatch.setattr(pages, "fill", fill_and_cut)
    with pytest.raises(Failed, match="another page"):
        await pages.reading(servers, tmp_path, ANYWHERE, SMALL)
