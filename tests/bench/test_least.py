"""The least durable relay keeps the promise that it is the yardstick of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.client import Whole, connect, post
from bench.load import Order, Place, as_vendor, run
from bench.machine import Cores
from bench.servers import Servers

ANYWHERE = Cores(None, None)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, ANYWHERE) as running:
        yield running


def kept_in(folder: Path) -> list[bytes]:
    """All that the one relay of a folder has kept, in its order."""
    [file] = folder.glob("least-*.db")
    with closing(sqlite3.connect(file)) as rows:
        return [said for (said,) in rows.execute("SELECT said FROM kept ORDER BY number")]


async def test_every_stream_is_relayed_whole(servers: Servers) -> None:
    upstream = await servers.upstream()
    order = Order(4, 10, 100, within_s=0.1)
    cost = await run(as_vendor(await servers.least(upstream)), order, Place(upstream, ANYWHERE))
    assert [each.tokens.count for each in cost.streams] == [10] * 4


async def test_a_question_and_all_that_was_said_is_in_its_file(
    servers: Servers, tmp_path: Path
) -> None:
    relay = await servers.least(await servers.upstream())
    line, sink = await connect(relay.port), Whole()
    question = post("/chat/completions", {"messages": [{"role": "user", "content": "count=3"}]})
    assert await line.ask(question, sink) == 200
    line.close()
    kept = kept_in(tmp_path)
    assert question.endswith(kept[0])
    assert b"".join(kept[1:]) == sink.body
