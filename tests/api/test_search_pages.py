"""Search: what comes first, and page after page until there is nothing more."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lite_llm_chat.store.found import WINDOW
from tests.conftest import Product

from .seeds import Seed, found, page, plant, user
from .truth import send


async def all_pages(product: Product, q: str, **query: object) -> list[list[dict[str, Any]]]:
    """The results of every page."""
    pages, cursor = [], None
    while True:
        more: dict[str, object] = {} if cursor is None else {"cursor": cursor}
        reply = await page(product, q, **query, **more)
        pages.append(reply["results"])
        cursor = reply["next_cursor"]
        if cursor is None:
            return pages
        assert len(pages) < 100


def ids(pages: list[list[dict[str, Any]]]) -> list[int]:
    return [one["session"]["id"] for each in pages for one in each]


# ── what comes first ──────────────────────────────────────────────────────────────────────────


async def test_a_title_comes_before_a_message_of_its_age(product: Product) -> None:
    await plant(product, Seed("Rose"), Seed("message", user("rose")))
    assert await found(product, "rose") == ["Rose", "message"]


async def test_of_equal_hits_the_newer_one_is_first(product: Product) -> None:
    seeds = [Seed(str(days), user("a rose"), days_ago=days) for days in (100, 1, 30, 300)]
    await plant(product, *seeds)
    assert await found(product, "rose") == ["1", "30", "100", "300"]


async def test_who_says_it_often_is_first_and_who_says_it_between_much_else_last(
    product: Product,
) -> None:
    await plant(
        product,
        Seed("long", user("rose " + "and so on " * 100)),
        Seed("often", user("rose rose rose and tulips")),
        Seed("once", user("rose and then some tulips")),
    )
    assert await found(product, "rose") == ["often", "once", "long"]


async def test_a_rare_word_weighs_more_than_a_common_one(product: Product) -> None:
    common = [Seed(f"{n}", user("tulip")) for n in range(60)]
    await plant(
        product,
        *common,
        Seed("rare", user("zinnia zinnia zinnia tulip and more")),
        Seed("common", user("tulip tulip tulip zinnia and more")),
    )
    assert await found(product, "tulip zinnia ") == ["rare", "common"]


# ── page after page ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_the_pages_together_are_everything_once(product: Product, limit: int) -> None:
    count = 3 if limit == 1 else 30
    seeds = [Seed(f"s{n}", user("a rose", f"rose {'x ' * (n % 5)}")) for n in range(count)]
    await plant(product, *seeds)
    pages = await all_pages(product, "rose", limit=limit)
    found_ids = ids(pages)
    assert sorted(found_ids) == list(range(1, count + 1))
    assert [len(one) for one in pages[:-1]] == [limit] * (len(pages) - 1)
    scores = [one["score"] for each in pages for one in each]
    assert scores == sorted(scores, reverse=True)
    assert {one["more_in_session"] for each in pages for one in each} == {1}
    assert found_ids == ids([(await page(product, "rose", limit=count))["results"]])


async def test_more_hits_than_are_ranked_together_are_shown_once_too(product: Product) -> None:
    """Three windows of messages, one and a half of titles, sessions that are in all of them."""
    wide = [Seed(f"rose {n}", user("rose")) for n in range(WINDOW + WINDOW // 2)]
    long = Seed("the longest", user(*["rose"] * WINDOW * 2))
    await plant(product, *wide, long)
    pages = await all_pages(product, "rose", limit=90)
    assert sorted(ids(pages)) == list(range(1, len(wide) + 2))


async def test_a_session_full_of_hits_does_not_hide_the_older_ones(product: Product) -> None:
    await plant(product, Seed("old", user("rose"), days_ago=9))
    await plant(product, Seed("long", user(*["rose"] * WINDOW * 4)))
    first = await page(product, "rose")
    assert [one["session"]["title"] for one in first["results"]] == ["long"]
    assert first["results"][0]["more_in_session"] == WINDOW * 4 - 1
    pages = await all_pages(product, "rose")
    assert ids(pages) == [2, 1]


async def test_what_is_said_between_two_pages_moves_nothing(product: Product) -> None:
    await plant(product, *(Seed(f"{n}", user("rose")) for n in range(6)))
    before = ids(await all_pages(product, "rose", limit=2))
    first = await page(product, "rose", limit=2)
    await plant(product, Seed("rose", user("rose rose")))
    await product.call("DELETE", f"/sessions/{before[3]}")
    second = await page(product, "rose", limit=2, cursor=first["next_cursor"])
    third = await page(product, "rose", limit=2, cursor=second["next_cursor"])
    after = ids([one["results"] for one in (first, second, third)])
    assert after == before[:3] + before[4:]
    assert third["next_cursor"] is None


async def test_a_cursor_is_for_its_own_search_only(product: Product) -> None:
    await plant(product, *(Seed(f"{n}", user("rose tulip")) for n in range(3)))
    cursor = (await page(product, "rose", limit=1))["next_cursor"]
    for query in (f"q=tulip&cursor={cursor}", f"q=rose&in=titles&cursor={cursor}"):
        reply = await send(product, "GET", f"/api/v1/search?{query}")
        assert reply.verdict == (422, "invalid_cursor")
    assert len((await page(product, "rose", limit=3, cursor=cursor))["results"]) == 2


@pytest.mark.parametrize("place", range(7))
async def test_a_cursor_that_was_tampered_with_is_refused_or_harmless(
    product: Product, place: int
) -> None:
    await plant(product, *(Seed(f"{n}", user("rose")) for n in range(3)))
    cursor = (await page(product, "rose", limit=1))["next_cursor"]
    plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    pieces = plain.removeprefix("[").removesuffix("]").split(",")
    for bad in ("null", "-1", "1e400", "99999999999999999999", "[]", '"x"', "{"):
        forged = [*pieces[:place], bad, *pieces[place + 1 :]]
        text = base64.urlsafe_b64encode(f"[{','.join(forged)}]".encode()).decode()
        reply = await send(product, "GET", f"/api/v1/search?q=rose&cursor={text}")
        assert reply.status in (200, 422), (bad, reply.body)
