"""The active branch is moved by whoever knows where it is."""

from __future__ import annotations

from typing import Any

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import hold, messages, order_of, spoken
from .test_branches import talk

USER, ASSISTANT = "user", "assistant"


async def move(product: Product, message_id: int, **fields: object) -> tuple[int, Any]:
    body = {"message_id": message_id, **fields}
    return await product.call("PUT", "/sessions/1/leaf", body)


async def again(product: Product, message_id: int) -> None:
    await (await product.stream(f"/messages/{message_id}/regenerate", {})).rest()


async def test_another_branch_is_shown_and_asked_on(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one", "two")  # 1 2 3 4
    await again(product, 2)  # 1 5
    status, session = await move(product, 2)
    assert (status, session["leaf_id"], session["message_count"]) == (200, 4, 4)
    assert [one["id"] for one in await messages(product)] == [1, 2, 3, 4]
    status, session = await move(product, 5)
    assert (status, session["leaf_id"]) == (200, 5)
    await (await product.ask("say: three", session_id=1)).rest()
    assert [one["id"] for one in await messages(product)] == [1, 5, 6, 7]
    assert len(order_of(upstream)["messages"]) == 3


async def test_the_branch_goes_on_to_the_newest_message_behind(product: Product) -> None:
    await talk(product, "one", "two")  # 1 2 3 4
    await again(product, 4)  # 1 2 3 5
    await move(product, 4)
    await (await product.ask("say: three", session_id=1)).rest()  # 1 2 3 4 6 7
    await again(product, 2)  # 1 8
    assert (await move(product, 2))[1]["leaf_id"] == 7
    assert (await move(product, 5))[1]["leaf_id"] == 5
    assert (await move(product, 1))[1]["leaf_id"] == 8


async def test_an_exact_move_ends_in_that_message(product: Product) -> None:
    await talk(product, "one", "two")
    assert (await move(product, 2, exact=True))[1]["leaf_id"] == 2
    assert await spoken(product) == [(USER, "say: one"), (ASSISTANT, "one")]


async def test_a_session_that_is_looked_at_keeps_its_place_in_the_list(product: Product) -> None:
    await talk(product, "one", "two")
    await (await product.ask("say: other")).rest()
    before = await product.call("GET", "/sessions")
    await move(product, 1, exact=True)
    after = await product.call("GET", "/sessions")
    assert [one["id"] for one in after[1]] == [2, 1]
    assert before[1][1]["updated_at"] == after[1][1]["updated_at"]


async def test_a_leaf_that_was_moved_by_somebody_else_is_not_moved(product: Product) -> None:
    await talk(product, "one", "two")
    status, problem = await move(product, 2, exact=True, expected_leaf_id=2)
    assert (status, problem["code"], problem["leaf_id"]) == (409, "leaf_moved", 4)
    status, problem = await move(product, 2, expected_leaf_id=None)
    assert (status, problem["code"], problem["leaf_id"]) == (409, "leaf_moved", 4)
    assert (await move(product, 2, exact=True, expected_leaf_id=4))[0] == 200


async def test_an_empty_branch_is_compared_with_null(product: Product) -> None:
    await talk(product, "one")
    await product.call("DELETE", "/sessions/1/truncate/1")
    status, problem = await move(product, 2, expected_leaf_id=2)
    assert (status, problem["code"], problem["leaf_id"]) == (409, "leaf_moved", None)
    status, session = await move(product, 2, expected_leaf_id=None)
    assert (status, session["leaf_id"]) == (200, 2)


async def test_a_session_that_is_being_answered_keeps_its_branch(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi", session_id=1)
    await stream.until("content")
    status, problem = await move(product, 2)
    assert (status, problem["code"]) == (409, "generation_active")
    assert problem["generation_id"] == stream.headers["X-Generation-Id"]
    gate.open()
    assert (await stream.rest())[-1].data == {"done": True}
    assert (await move(product, 2, exact=True))[0] == 200


async def test_a_leaf_is_a_message_of_its_session(product: Product) -> None:
    await talk(product, "one")
    await (await product.ask("say: other")).rest()
    for path, message_id, code in (
        ("/sessions/1/leaf", 3, "message_not_found"),
        ("/sessions/1/leaf", 99, "message_not_found"),
        ("/sessions/9/leaf", 1, "session_not_found"),
    ):
        status, problem = await product.call("PUT", path, {"message_id": message_id})
        assert (status, problem["code"]) == (404, code)
    status, problem = await move(product, 0)
    assert (status, problem["code"]) == (422, "validation_error")
    status, _ = await product.call("PUT", "/sessions/1/leaf", question("x"))
    assert status == 422
