"""An index of words that is damaged costs nobody an answer: it is made anew from the messages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lite_llm_chat.config import Settings
from lite_llm_chat.search import upkeep
from lite_llm_chat.search.current import learn
from lite_llm_chat.store import search
from tests.conftest import Product

from .follow import messages
from .seeds import page, results

DAMAGE = {
    "no record of its parts": "DELETE FROM search_index_data WHERE id = 10",
    "no sense in that record": "UPDATE search_index_data SET block = zeroblob(3) WHERE id = 10",
    "a page of nothing": "UPDATE search_index_data SET block = zeroblob(30) WHERE id > 10",
}
TULIPS = ("red", "white", "pink", "striped")  # each is a segment: more are merged


async def damaged(settings: Settings, how: str) -> Product:
    """A product that talked of tulips and was started again on an index that is damaged."""
    product = await Product(settings).start()
    for name in TULIPS:
        await (await product.ask(f"say: {name} tulips")).rest()
        await learn(product.parts.database)
    await product.stop()
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(DAMAGE[how])
    return await product.start()


@pytest.mark.parametrize("how", DAMAGE)
async def test_questions_are_answered_and_everything_is_found_again(
    how: str, settings: Settings
) -> None:
    product = await damaged(settings, how)
    frames = await (await product.ask("say: yellow tulips")).rest()
    assert frames[-1].data == {"done": True}
    assert (await messages(product, 5))[1]["content"] == "yellow tulips"
    await upkeep.look_after(product.parts.database)
    await page(product, "tulips")  # finds what is still damaged
    while await product.parts.database.write(search.backfill):
        pass
    assert len(await results(product, "tulips")) == 5
    await product.stop()


async def test_a_search_that_meets_the_damage_is_answered_and_mends_it(
    settings: Settings,
) -> None:
    product = await damaged(settings, "no record of its parts")
    reply = await page(product, "tulips")
    assert (reply["results"], reply["indexed"]) == ([], 0.0)
    while await product.parts.database.write(search.backfill):
        pass
    reply = await page(product, "tulips")
    assert (len(reply["results"]), reply["indexed"]) == (4, 1.0)
    await product.stop()


async def test_the_upkeep_mends_what_it_meets(settings: Settings) -> None:
    product = await damaged(settings, "a page of nothing")
    database = product.parts.database
    await upkeep.look_after(database)  # meets it …
    await upkeep.look_after(database)  # … and fills a new one
    assert len(await results(product, "tulips")) == 4
    await product.stop()


async def test_what_cannot_be_mended_costs_nobody_but_who_searches(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await damaged(settings, "no record of its parts")
    monkeypatch.setattr(search, "mend", lambda _conn: None)
    frames = await (await product.ask("say: yellow tulips")).rest()
    assert frames[-1].data == {"done": True}
    status, body = await product.call("GET", "/search?q=tulips")
    assert (status, body["code"]) == (503, "storage_unavailable")
    assert "made anew" in body["detail"]
    await product.stop()
