"""The same key and the same body are the same question."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lite_llm_chat import stamps
from lite_llm_chat.housekeeping import tidy
from standins.behaviours import Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import begin, hold, messages
from .truth import Reply


async def ask(
    product: Product, key: str, text: str = "say: hi", path: str = "/chat", **fields: object
) -> Reply:
    body = question(text, **fields)
    async with product.request("POST", path, body, {"Idempotency-Key": key}) as response:
        return Reply(response.status, response.headers.copy(), await response.read())


async def test_a_repeated_question_gets_the_same_bytes_and_is_asked_once(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    wishes: tuple[dict[str, Any], ...] = ({}, {"stream": False}, {"background": True})
    for session_id, fields in enumerate(wishes, start=1):
        key = f"key {session_id}"
        first, second = await ask(product, key, **fields), await ask(product, key, **fields)
        assert first.body == second.body
        assert first.status == second.status
        assert first.headers["X-Generation-Id"] == second.headers["X-Generation-Id"]
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert len(await messages(product, session_id)) == 2
    assert len(upstream.chats) == 3


async def test_a_repeated_question_attaches_to_the_running_answer(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    headers = {"Idempotency-Key": "k"}
    first = await product.stream("/chat", question("Hi"), headers)
    await begin(product, first)
    first.leave()
    second = await product.stream("/chat", question("Hi"), headers)
    assert second.headers["Idempotency-Replayed"] == "true"
    await begin(product, second)
    gate.open()
    assert (await second.rest())[-1].data == {"done": True}
    assert len(upstream.chats) == 1


async def test_fifty_duplicates_at_once_ask_the_vendor_once(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    replies = await asyncio.gather(*(ask(product, "same") for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    texts = {
        b"".join(part.split(b'"')[3] for part in reply.body.split(b"\n\n") if b"content" in part)
        for reply in replies
    }
    assert texts == {b"hi"}
    assert len({reply.headers["X-Generation-Id"] for reply in replies}) == 1
    assert sum("Idempotency-Replayed" in reply.headers for reply in replies) == 49
    assert len(upstream.chats) == 1
    assert len((await product.call("GET", "/sessions"))[1]) == 1


async def test_a_key_with_another_body_is_refused(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await ask(product, "k")
    for changed in (
        await ask(product, "k", "say: ho"),
        await ask(product, "k", temperature=0.1),
        await ask(product, "k", stream=False),
        await ask(product, "k", odd=1),
    ):
        assert changed.verdict == (422, "idempotency_key_reused")
    assert len(upstream.chats) == 1


async def test_a_key_counts_for_one_route_and_message(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await ask(product, "k")
    generations = set()
    for _ in range(2):
        for path in ("/chat", "/messages/2/regenerate"):
            reply = await ask(product, "k", path=path)
            generations.add(reply.headers["X-Generation-Id"])
    assert len(generations) == 2
    assert len(upstream.chats) == 2
    assert (await ask(product, "k", path="/messages/1/regenerate")).verdict[0] == 422


async def test_a_key_is_1_to_255_printable_ascii_characters(product: Product) -> None:
    for good in ("k", "~" * 255, "a b!"):
        assert (await ask(product, good, background=True)).status == 202
    for bad in ("x" * 256, "schlüssel", "tab\there", ""):
        assert (await ask(product, bad)).verdict == (422, "invalid_idempotency_key"), bad


async def test_a_refused_question_uses_no_key_up(product: Product) -> None:
    assert (await ask(product, "k", session_id=9)).verdict == (404, "session_not_found")
    await product.call("POST", "/sessions", {"provider": "deepseek"})
    assert (await ask(product, "k", session_id=1)).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failed_answer_is_replayed_and_not_asked_again(
    product: Product, upstream: DeepSeekStandIn, stream: bool
) -> None:
    upstream.play(Status(402))
    first, second = [await ask(product, "k", stream=stream) for _ in range(2)]
    assert first.body == second.body
    assert first.status == second.status == (200 if stream else 502)
    assert len(upstream.chats) == 1


async def test_a_repeated_question_is_answered_from_the_message_when_its_log_is_gone(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    first = await ask(product, "k", model="deepseek-reasoner")
    await tidy(product.parts.database, stamps.now(), timedelta(0))
    second = await ask(product, "k", model="deepseek-reasoner")
    assert second.body.split(b"\n\n")[0] == first.body.split(b"\n\n")[0]
    assert second.body.endswith(b'data: {"content": "hi"}\n\ndata: {"done": true}\n\n')
    assert second.body.count(b'{"reasoning": ') == 1
    assert len(upstream.chats) == 1


async def test_a_key_outlives_a_restart_and_a_day_but_not_two(
    launch: Launch, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await launch()
    first = await ask(product, "k")
    await product.restart()
    assert (await ask(product, "k")).body == first.body
    monkeypatch.setattr("lite_llm_chat.housekeeping.KEY_LIFETIME", timedelta(0))
    await tidy(product.parts.database, stamps.now(), timedelta(days=7))
    assert "Idempotency-Replayed" not in (await ask(product, "k")).headers
    assert len(upstream.chats) == 2
