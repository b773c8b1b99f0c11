"""A branch is read page by page, a message names those beside it, and the tree has an outline."""

from __future__ import annotations

from typing import Any

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .follow import hold, messages
from .test_branches import talk
from .test_leaf import again, move


async def page(product: Product, query: str = "") -> Any:
    status, found = await product.call("GET", f"/sessions/1/messages{query}")
    assert status == 200, found
    return found


def ids(found: Any) -> list[int]:
    return [one["id"] for one in found["messages"]]


async def refused(product: Product, path: str) -> tuple[int, str]:
    status, problem = await product.call("GET", path)
    return status, problem["code"]


async def test_a_branch_is_read_backwards_page_by_page(product: Product) -> None:
    await talk(product, "one", "two", "three")
    found = await page(product, "?limit=2")
    assert ids(found) == [5, 6]
    assert (found["has_more"], found["before"], found["after"]) == (True, 5, None)
    found = await page(product, "?limit=2&before=5")
    assert ids(found) == [3, 4]
    assert (found["has_more"], found["before"], found["after"]) == (True, 3, 4)
    found = await page(product, "?limit=2&before=3")
    assert ids(found) == [1, 2]
    assert (found["has_more"], found["before"], found["after"]) == (False, None, 2)
    assert ids(await page(product, "?before=1")) == []


async def test_a_branch_is_read_forwards_page_by_page(product: Product) -> None:
    await talk(product, "one", "two", "three")
    found = await page(product, "?limit=3&after=1")
    assert ids(found) == [2, 3, 4]
    assert (found["has_more"], found["before"], found["after"]) == (True, 2, 4)
    found = await page(product, "?limit=3&after=4")
    assert ids(found) == [5, 6]
    assert (found["has_more"], found["before"], found["after"]) == (False, 5, None)
    found = await page(product, "?after=6")
    assert (ids(found), found["has_more"]) == ([], False)


async def test_a_page_has_the_messages_of_the_session_itself(product: Product) -> None:
    await talk(product, "one", "two")
    await again(product, 2)
    await move(product, 4)
    found = await page(product)
    assert found["messages"] == await messages(product)
    assert (found["session_id"], found["leaf_id"], found["has_more"]) == (1, 4, False)


async def test_a_session_reads_alike_before_and_after_it_branched(product: Product) -> None:
    await talk(product, "one", "two")
    before = await messages(product)
    assert [one["siblings"] for one in before] == [None] * 4
    await again(product, 4)
    await move(product, 4)
    *first, last = await messages(product)
    assert [*first, {**last, "siblings": None}] == before
    assert last["siblings"] == [4, 5]


async def test_another_branch_is_read_by_its_leaf(product: Product) -> None:
    await talk(product, "one", "two")
    await again(product, 2)  # 1 5
    assert ids(await page(product)) == [1, 5]
    found = await page(product, "?leaf=4&limit=3")
    assert (ids(found), found["leaf_id"]) == ([2, 3, 4], 4)
    assert ids(await page(product, "?leaf=4&after=2")) == [3, 4]
    assert await refused(product, "/sessions/1/messages?after=2") == (409, "not_on_branch")
    assert await refused(product, "/sessions/1/messages?after=4") == (409, "not_on_branch")
    assert await refused(product, "/sessions/1/messages?leaf=3&after=5") == (409, "not_on_branch")


async def test_an_empty_session_has_an_empty_page(product: Product) -> None:
    await product.call("POST", "/sessions", {})
    found = await page(product)
    assert (ids(found), found["leaf_id"], found["has_more"]) == ([], None, False)


async def test_a_page_needs_one_direction_and_messages_of_its_session(product: Product) -> None:
    await talk(product, "one")
    await (await product.ask("say: other")).rest()
    for query in ("before=3", "after=3", "leaf=3", "before=99"):
        found = await refused(product, f"/sessions/1/messages?{query}")
        assert found == (404, "message_not_found"), query
    for query in ("before=1&after=2", "limit=0", "limit=1001", "before=x"):
        found = await refused(product, f"/sessions/1/messages?{query}")
        assert found == (422, "validation_error"), query
    assert await refused(product, "/sessions/9/messages") == (404, "session_not_found")
    assert await refused(product, "/sessions/9/tree") == (404, "session_not_found")


async def test_a_message_names_those_beside_it(product: Product) -> None:
    await talk(product, "one", "two")
    assert [one["siblings"] for one in await messages(product)] == [None] * 4
    await again(product, 2)
    await again(product, 5)
    assert [one["siblings"] for one in await messages(product)] == [None, [2, 5, 6]]
    await move(product, 2)
    expected = [None, [2, 5, 6], None, None]
    assert [one["siblings"] for one in await messages(product)] == expected
    found = await page(product, "?limit=2")
    assert [one["siblings"] for one in found["messages"]] == [None, None]


async def test_first_messages_have_siblings_too(product: Product) -> None:
    await talk(product, "one")
    await (await product.ask("say: other")).rest()
    await product.call("DELETE", "/sessions/1/truncate/1")
    await (await product.ask("say: anew", session_id=1)).rest()
    assert [one["siblings"] for one in await messages(product)] == [[1, 5], None]
    assert [one["siblings"] for one in await messages(product, 2)] == [None, None]


async def test_an_answer_that_is_not_streamed_names_those_beside_it(product: Product) -> None:
    await talk(product, "one")
    _, reply = await product.call("POST", "/messages/2/regenerate", {"stream": False})
    assert reply["message"]["siblings"] == [2, 3]


async def test_the_tree_is_outlined_page_by_page(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one", "x" * 100)
    await again(product, 2)
    status, tree = await product.call("GET", "/sessions/1/tree?limit=3")
    assert (status, tree["session_id"], tree["leaf_id"], tree["after"]) == (200, 1, 5, 3)
    first, second, third = tree["messages"]
    assert list(first) == [
        *("id", "parent_id", "role", "status", "provider", "model", "preview", "created_at"),
    ]
    assert (first["id"], first["parent_id"], first["role"]) == (1, None, "user")
    assert (first["status"], first["provider"], first["preview"]) == ("completed", None, "say: one")
    assert (second["provider"], second["model"]) == ("deepseek", "deepseek-chat")
    assert third["preview"] == "say: " + "x" * 75
    _, tree = await product.call("GET", "/sessions/1/tree?limit=3&after=3")
    assert [(one["id"], one["parent_id"]) for one in tree["messages"]] == [(4, 3), (5, 1)]
    assert tree["after"] is None


async def test_an_answer_in_the_making_is_outlined_with_what_it_says(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await stream.until("content")
    _, tree = await product.call("GET", "/sessions/1/tree")
    live = tree["messages"][1]
    assert (live["status"], live["preview"]) == ("running", "Hello")
    gate.open()
    await stream.rest()
