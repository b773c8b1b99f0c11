"""POST /chat answered with one object, and answered later."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from standins.behaviours import Answer, ErrorEvent, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import at_end, events, hold, messages, text_of
from .truth import is_problem, post_bytes, send

MESSAGE_KEYS = [
    "id",
    "role",
    "content",
    "created_at",
    "provider",
    "model",
    "thought_process",
    "images",
    "videos",
    "audios",
    "search_results",
    "parent_id",
    "status",
    "finish_reason",
    "generation_id",
    "usage",
    "cost_microusd",
    "error",
    "tool_calls",
    "tool_call_id",
    "parts",
    "attachments",
    "siblings",
]


@pytest.mark.readme("endpoint-chat-whole", "status-200")
async def test_a_whole_answer_is_this_object(product: Product, upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(reasoning="Hm", text="Hello there"))
    async with product.request(
        "POST", "/chat", question("Hi", stream=False, model="deepseek-reasoner")
    ) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        body = await response.json()
    assert list(body) == ["session_id", "generation_id", "message", "warnings"]
    assert body["generation_id"] == response.headers["X-Generation-Id"]
    assert body["session_id"] == 1
    assert body["warnings"] == []
    message = body["message"]
    assert list(message) == MESSAGE_KEYS
    assert message.pop("created_at").endswith("Z")
    usage = message.pop("usage")
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["reasoning_tokens"] == 1
    assert message.pop("cost_microusd") > 0
    assert message == {
        "id": 2,
        "role": "assistant",
        "content": "Hello there",
        "provider": "deepseek",
        "model": "deepseek-reasoner",
        "thought_process": "Hm",
        "images": None,
        "videos": None,
        "audios": None,
        "search_results": None,
        "parent_id": 1,
        "status": "completed",
        "finish_reason": "stop",
        "generation_id": body["generation_id"],
        "error": None,
        "tool_calls": None,
        "tool_call_id": None,
        "parts": None,
        "attachments": None,
        "siblings": None,
    }


async def test_the_whole_answer_is_the_message_of_the_session(product: Product) -> None:
    _, body = await product.call("POST", "/chat", question("say: hi", stream=False))
    asked, answer = await messages(product)
    assert answer == body["message"]
    assert list(asked) == MESSAGE_KEYS
    nothing = [name for name in MESSAGE_KEYS if asked[name] is None]
    assert nothing == [
        n for n in MESSAGE_KEYS if n not in ("id", "role", "content", "created_at", "status")
    ]


async def test_moments_are_iso_8601_in_utc(product: Product) -> None:
    _, body = await product.call("POST", "/chat", question("say: hi", stream=False))
    _, session = await product.call("GET", "/sessions/1")
    _, generation = await product.call("GET", f"/generations/{body['generation_id']}")
    moments = [session["created_at"], session["updated_at"], generation["created_at"]]
    moments += [generation["first_piece_at"], generation["ended_at"]]
    moments += [message["created_at"] for message in session["messages"]]
    read = [datetime.fromisoformat(one) for one in moments]
    assert all(one.endswith("Z") for one in moments)
    assert generation["created_at"] <= generation["first_piece_at"] <= generation["ended_at"]
    assert session["updated_at"] == generation["ended_at"]
    assert all(one.utcoffset() is not None for one in read)


FAILURES: tuple[tuple[Status | ErrorEvent, int, str], ...] = (
    (Status(401), 502, "provider_auth"),
    (Status(402), 502, "provider_balance"),
    (Status(429, headers=(("retry-after", "60"),)), 503, "provider_rate_limited"),
    (ErrorEvent(after_tokens=1), 503, "provider_overloaded"),
)


async def test_a_failed_vendor_is_a_status_with_the_cause_and_where_the_text_is(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(upstream_retries=0)
    for session_id, (told, status, code) in enumerate(FAILURES, start=1):
        upstream.play(Answer(text="one two"), told)
        body = b'{"messages": [{"role": "user", "content": "Hi"}], "stream": false}'
        reply = await post_bytes(product, "/api/v1/chat", body)
        assert reply.verdict == (status, code)
        found = is_problem(reply)
        assert (found["session_id"], found["message_id"]) == (session_id, 2 * session_id)
        generation = await at_end(product, found["generation_id"])
        assert generation["status"] == "failed"
        assert generation["error"] == {"code": code, "detail": found["detail"]}
        assert (await messages(product, session_id))[1]["error"] == generation["error"]


async def test_an_answer_that_is_stopped_elsewhere_is_whole_and_says_so(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    asking = asyncio.create_task(product.call("POST", "/chat", question("Hi", stream=False)))
    await gate.reached()
    live = await product.stream("/sessions/1/events")
    await live.until("content")
    await product.call("POST", f"/generations/{live.headers['X-Generation-Id']}/cancel")
    status, body = await asking
    assert status == 200
    assert body["message"]["status"] == "cancelled"
    assert body["message"]["content"] == "Hello"
    await live.rest()


async def test_leaving_a_whole_answer_stops_nothing_unless_that_was_asked(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    for number, wish in enumerate(({}, {"on_disconnect": "cancel"}), start=1):
        asked = question("Hi", stream=False, **wish)
        asking = asyncio.create_task(product.call("POST", "/chat", asked))
        await gate.reached()
        while (await product.call("GET", f"/sessions/{number}"))[0] != 200:
            pass  # the vendor may hear of a question a moment before its commit is over
        live = await product.stream(f"/sessions/{number}/events")
        await live.until("content")
        asking.cancel()
        await asyncio.wait([asking])
        if wish:
            await upstream.wait_for_disconnect()
        gate.open()
        ended = (await live.rest())[-1]
        assert ended.data["status"] == ("cancelled" if wish else "completed")
        gate = hold(upstream, "Hello there")


async def test_a_question_in_the_background_is_accepted_and_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there", None)
    async with product.request("POST", "/chat", question("Hi", background=True)) as response:
        ticket = await response.json()
    assert response.status == 202
    assert list(ticket) == ["session_id", "generation_id", "message_id", "warnings"]
    assert response.headers["X-Generation-Id"] == ticket["generation_id"]
    await gate.reached()
    gate.open()
    assert text_of(await events(product, ticket["generation_id"])) == "Hello there"
    assert (await messages(product, ticket["session_id"]))[1]["id"] == ticket["message_id"]


async def test_the_background_wins_over_the_stream(product: Product) -> None:
    for stream in (True, False):
        body = question("say: hi", background=True, stream=stream)
        status, ticket = await product.call("POST", "/chat", body)
        assert status == 202
        await at_end(product, ticket["generation_id"])


@pytest.mark.readme("variable-deepseek-api-key")
async def test_without_a_key_the_sentence_names_the_setting_and_nothing_is_kept(
    launch: Launch,
) -> None:
    product = await launch(deepseek_api_key=None)
    for stream in (True, False):
        body = question("Hi", stream=stream)
        async with product.request("POST", "/chat", body) as response:
            status, problem = response.status, await response.json()
        assert (status, problem["code"]) == (503, "provider_not_configured")
        assert "DEEPSEEK_API_KEY" in problem["detail"]
        assert ".env" in problem["detail"]
    assert await product.call("GET", "/sessions") == (200, [])


@pytest.mark.readme("status-500")
async def test_a_defect_is_a_500_that_gives_nothing_away(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(type(product.parts.chat), "providers", defect)
    reply = await send(product, "GET", "/api/v1/providers")
    assert reply.verdict == (500, "internal_error")
    assert b"secret" not in reply.body
    assert "x-request-id" in reply.headers
