"""An answer is asked for again, or goes on from where it was cut."""

from __future__ import annotations

from typing import Any

import pytest

from standins.behaviours import Answer, Cut
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import at_end, begin, events, hold, messages, order_of, spoken, text_of
from .truth import send


async def cut_answer(product: Product, upstream: DeepSeekStandIn, **fields: Any) -> str:
    """Message 2 says `Hello` and was cut before ` there`."""
    upstream.play(Answer(text="Hello there, friend"), Cut(after_tokens=1))
    stream = await product.ask("Hi", **fields)
    await stream.rest()
    return stream.headers["X-Generation-Id"]


async def test_regenerating_makes_a_sibling_and_keeps_the_first(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: first", model="deepseek-v4-pro")).rest()
    upstream.play(Answer(text="second"))
    frames = await (await product.stream("/messages/2/regenerate", {})).rest()
    assert list(frames[0].data.values())[2] == 3
    assert text_of(frames) == "second"
    assert frames[-1].data == {"done": True}
    assert [(one["id"], one["parent_id"]) for one in await messages(product)] == [(1, None), (3, 1)]
    assert order_of(upstream, 1)["messages"] == order_of(upstream, 0)["messages"]
    assert order_of(upstream, 1)["model"] == "deepseek-v4-pro"
    upstream.play(Answer(text="third"))
    status, body = await product.call("POST", "/messages/2/regenerate", {"stream": False})
    assert (status, body["message"]["parent_id"]) == (200, 1)
    assert (await spoken(product))[1] == ("assistant", "third")


async def test_regenerating_in_the_middle_leaves_what_came_after(product: Product) -> None:
    await (await product.ask("say: one")).rest()
    await (await product.ask("say: two", session_id=1)).rest()
    status, ticket = await product.call("POST", "/messages/2/regenerate", {"background": True})
    assert status == 202
    await at_end(product, ticket["generation_id"])
    assert [one["id"] for one in await messages(product)] == [1, 5]


@pytest.mark.parametrize("verb", ["regenerate", "continue"])
async def test_an_answer_is_asked_for_again_without_a_body(
    product: Product, upstream: DeepSeekStandIn, verb: str
) -> None:
    await cut_answer(product, upstream)
    upstream.play(Answer(text="Hello there"))
    reply = await send(product, "POST", f"/api/v1/messages/2/{verb}")
    assert reply.status == 200
    assert reply.body.endswith(b'data: {"done": true}\n\n')


async def test_another_model_may_answer_again(product: Product, upstream: DeepSeekStandIn) -> None:
    await (await product.ask("say: one")).rest()
    wish = {"message_model": "deepseek-v4-pro", "temperature": 0.5, "thinking": False}
    await (await product.stream("/messages/2/regenerate", wish)).rest()
    body = order_of(upstream, 1)
    assert (body["model"], body["temperature"]) == ("deepseek-v4-pro", 0.5)
    _, session = await product.call("GET", "/sessions/1")
    assert (session["model"], session["messages"][1]["model"]) == (
        "deepseek-chat",
        "deepseek-v4-pro",
    )


async def test_continuing_goes_on_from_the_last_character(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await cut_answer(product, upstream)
    upstream.play(Answer(text="Hello there, friend"))
    stream = await product.stream("/messages/2/continue", {})
    frames = await stream.rest()
    assert text_of(frames) == "Hello there, friend"
    assert frames[1].data == {"content": "Hello"}
    request = upstream.chats[1]
    assert request.path == "/beta/chat/completions"
    assert order_of(upstream)["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "prefix": True},
    ]
    answer = (await messages(product))[1]
    assert (answer["id"], answer["parent_id"]) == (3, 1)
    assert (answer["content"], answer["status"]) == ("Hello there, friend", "completed")
    log = await events(product, stream.headers["X-Generation-Id"])
    assert [frame.event for frame in log][:2] == ["started", "text"]
    assert text_of(log) == "Hello there, friend"


async def test_continuing_keeps_the_reasoning(product: Product, upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(reasoning="Hm", text="Hello there"), Cut(after_tokens=2))
    await (await product.ask("Hi", model="deepseek-reasoner")).rest()
    upstream.play(Answer(reasoning="Hm", text="Hello there"))
    await (await product.stream("/messages/2/continue", {})).rest()
    answer = (await messages(product))[1]
    assert (answer["thought_process"], answer["content"]) == ("Hm", "Hello there")


async def test_what_was_stopped_or_ran_out_of_tokens_can_go_on(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    generation_id = await begin(product, await product.ask("Hi"))
    await product.call("POST", f"/generations/{generation_id}/cancel")
    upstream.play(Answer(text="Hello there, friend"))
    await (await product.stream("/messages/2/continue", {"max_tokens": 1})).rest()
    cut = (await messages(product))[1]
    assert (cut["finish_reason"], cut["content"]) == ("length", "Hello there")
    upstream.play(Answer(text="Hello there, friend"))
    await (await product.stream(f"/messages/{cut['id']}/continue", {})).rest()
    assert (await spoken(product))[1] == ("assistant", "Hello there, friend")


async def test_an_answer_that_said_nothing_is_continued_from_its_start(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello", None)
    _, ticket = await product.call("POST", "/chat", question("Hi", background=True))
    await gate.reached()
    await product.call("POST", f"/generations/{ticket['generation_id']}/cancel")
    upstream.play(Answer(text="Hello"))
    await (await product.stream("/messages/2/continue", {})).rest()
    assert upstream.chats[1].path == "/chat/completions"
    assert (await spoken(product))[1] == ("assistant", "Hello")


async def test_a_whole_answer_has_nothing_to_continue(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: hi")).rest()
    status, problem = await product.call("POST", "/messages/2/continue", {})
    assert (status, problem["code"]) == (409, "nothing_to_continue")
    assert len(upstream.chats) == 1


@pytest.mark.parametrize("verb", ["regenerate", "continue"])
async def test_only_an_answer_can_be_asked_for_again(product: Product, verb: str) -> None:
    await (await product.ask("say: hi")).rest()
    status, problem = await product.call("POST", f"/messages/1/{verb}", {})
    assert (status, problem["code"]) == (422, "not_an_answer")
    status, problem = await product.call("POST", f"/messages/99/{verb}", {})
    assert (status, problem["code"]) == (404, "message_not_found")


async def test_regenerating_a_cut_off_answer_brings_its_branch_back(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: one")).rest()
    await send(product, "DELETE", "/api/v1/sessions/1/truncate/1")
    assert await messages(product) == []
    await (await product.stream("/messages/2/regenerate", {})).rest()
    assert await spoken(product) == [("user", "say: one"), ("assistant", "one")]
