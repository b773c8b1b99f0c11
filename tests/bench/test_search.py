"""Search is timed over HTTP in a file that is filled as the product fills it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import search
from bench.client import Failed, connect
from bench.machine import Cores
from bench.search import PER_SESSION, Searches
from bench.servers import Servers
from bench.zipf import Zipf
from lite_llm_chat.store.words import words

COUNT = 400


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, Cores(None, None)) as running:
        yield running


@pytest.fixture(scope="module")
def zipf() -> Zipf:
    return Zipf(1, vocabulary=2000, spoken=5000)


def test_the_words_of_a_message_are_those_that_the_product_takes_from_it(zipf: Zipf) -> None:
    for _ in range(500):
        said = zipf.message()
        assert words(said.text) == list(said.words)


def test_common_words_are_common_and_there_are_three_scripts(zipf: Zipf) -> None:
    said = [word for _ in range(2000) for word in zipf.message().words]
    common, rare = (said.count(zipf.vocabularies[0][rank]) for rank in (0, 1000))
    assert common > 20 * max(1, rare)
    assert all(any(word in said for word in each[:20]) for each in zipf.vocabularies)


async def test_queries_index_and_commits_are_rows(
    servers: Servers, tmp_path: Path, zipf: Zipf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "Zipf", lambda _seed: zipf)
    rows = await search.searching(servers, tmp_path, Searches(COUNT, queries=1, commits=70))
    assert [row.what.partition(": ")[2] for row in rows] == [
        "a query, p50 / p99",
        "the index",
        "the commit of a message, p50 / p99",
    ]
    with closing(sqlite3.connect(tmp_path / "search.db")) as file:
        count = "SELECT count(*) FROM search_index_docsize WHERE id "
        assert file.execute(f"{count} > 0").fetchone() == (COUNT + 70,)
        assert file.execute(f"{count} < 0").fetchone() == (COUNT // PER_SESSION,)


async def test_a_query_that_is_refused_is_no_figure(servers: Servers) -> None:
    product = await servers.product(LOCAL_MODEL="off")
    connection = await connect(product.port)
    with pytest.raises(Failed, match="answered 422"):
        await search._ask_ms(connection, "q=-")
    connection.close()
