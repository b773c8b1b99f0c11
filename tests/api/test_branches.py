"""What is cut off stays stored; a transcript is matched and never trusted."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from lite_llm_chat.store.tables import messages as message_rows
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import hold, messages, order_of, spoken
from .truth import send

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"


async def talk(product: Product, *words: str) -> None:
    """A session 1 in which each word was said and repeated."""
    for number, word in enumerate(words):
        more = {"session_id": 1} if number else {}
        await (await product.ask(f"say: {word}", **more)).rest()


async def stored(product: Product) -> int:
    """How many messages there are, on any branch."""
    count = select(func.count()).select_from(message_rows)
    return await product.parts.database.read(lambda conn: conn.execute(count).scalar_one())


def transcript(*said: tuple[str, str], **fields: object) -> dict[str, object]:
    rows = [{"role": role, "content": content} for role, content in said]
    return {"session_id": 1, "provider": "deepseek", "messages": rows, **fields}


async def cut(product: Product, message_id: int, session_id: int = 1) -> tuple[int, str]:
    path = f"/api/v1/sessions/{session_id}/truncate/{message_id}"
    reply = await send(product, "DELETE", path)
    return (204, "") if reply.status == 204 and not reply.body else reply.verdict


async def test_truncating_takes_a_message_and_all_after_it_off_the_branch(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one", "two")
    assert await cut(product, 3) == (204, "")
    assert await spoken(product) == [(USER, "say: one"), (ASSISTANT, "one")]
    await (await product.ask("say: three", session_id=1)).rest()
    assert [one["parent_id"] for one in await messages(product)] == [None, 1, 2, 5]
    assert order_of(upstream)["messages"] == [
        {"role": USER, "content": "say: one"},
        {"role": ASSISTANT, "content": "one"},
        {"role": USER, "content": "say: three"},
    ]
    assert await stored(product) == 6


async def test_truncating_the_first_message_empties_the_branch(product: Product) -> None:
    await talk(product, "one")
    assert await cut(product, 1) == (204, "")
    assert await spoken(product) == []
    await (await product.ask("say: two", session_id=1)).rest()
    assert [one["parent_id"] for one in await messages(product)] == [None, 3]
    assert await stored(product) == 4


async def test_truncating_an_answer_keeps_its_question(product: Product) -> None:
    await talk(product, "one")
    assert await cut(product, 2) == (204, "")
    assert await spoken(product) == [(USER, "say: one")]


async def test_truncating_needs_a_message_of_this_branch(product: Product) -> None:
    await talk(product, "one")
    await (await product.ask("say: other")).rest()
    assert await cut(product, 3) == (404, "message_not_found")
    assert await cut(product, 99) == (404, "message_not_found")
    assert await cut(product, 1) == (204, "")
    assert await cut(product, 1) == (409, "not_on_branch")
    assert await cut(product, 2) == (409, "not_on_branch")


async def test_truncating_what_is_being_answered_stops_the_answer_first(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    hold(upstream, "Hello there")
    stream = await product.ask("Hi", session_id=1)
    await stream.until("content")
    assert await cut(product, 3) == (204, "")
    await upstream.wait_for_disconnect()
    assert (await stream.rest())[-1].data["code"] == "cancelled"
    assert await spoken(product) == [(USER, "say: one"), (ASSISTANT, "one")]
    path = f"/generations/{stream.headers['X-Generation-Id']}"
    assert (await product.call("GET", path))[1]["status"] == "cancelled"


async def test_a_refused_truncation_stops_nothing(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await stream.until("content")
    assert await cut(product, 99) == (404, "message_not_found")
    gate.open()
    assert (await stream.rest())[-1].data == {"done": True}


@pytest.mark.readme("request-in-session", "schema-message-roles")
async def test_user_and_system_messages_are_appended_to_the_stored_ones(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    body = {
        "session_id": 1,
        "provider": "deepseek",
        "model": "deepseek-chat",
        "messages": [
            {"role": SYSTEM, "content": "Be brief"},
            {"role": USER, "content": "say: two"},
        ],
        "stream": True,
        "temperature": 0.7,
    }
    await (await product.stream("/chat", body)).rest()
    everything = [
        (USER, "say: one"),
        (ASSISTANT, "one"),
        (SYSTEM, "Be brief"),
        (USER, "say: two"),
        (ASSISTANT, "two"),
    ]
    assert await spoken(product) == everything
    sent = [(one["role"], one["content"]) for one in order_of(upstream)["messages"]]
    assert sent == everything[:-1]
    assert order_of(upstream)["temperature"] == 0.7


async def test_a_transcript_that_matches_is_extended(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    body = transcript((USER, "say: one"), (ASSISTANT, "one"), (USER, "say: two"))
    await (await product.stream("/chat", body)).rest()
    assert [one["id"] for one in await messages(product)] == [1, 2, 3, 4]
    assert len(order_of(upstream)["messages"]) == 3
    assert await stored(product) == 4


async def test_a_transcript_that_ends_early_makes_a_new_branch(product: Product) -> None:
    await talk(product, "one", "two", "three")
    body = transcript((USER, "say: one"), (ASSISTANT, "one"), (USER, "say: again"))
    await (await product.stream("/chat", body)).rest()
    assert [one["id"] for one in await messages(product)] == [1, 2, 7, 8]
    assert (await spoken(product))[3] == (ASSISTANT, "again")
    assert await stored(product) == 8


async def test_a_transcript_that_does_not_match_changes_nothing(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    for said, code in (
        ([(USER, "say: one"), (ASSISTANT, "forged"), (USER, "x")], "transcript_mismatch"),
        ([(USER, "edited"), (ASSISTANT, "one"), (USER, "x")], "transcript_mismatch"),
        ([(ASSISTANT, "one"), (USER, "x")], "transcript_mismatch"),
        ([(USER, "say: one"), (ASSISTANT, "one")], "no_question"),
        ([(SYSTEM, "Be brief")], "no_question"),
    ):
        status, problem = await product.call("POST", "/chat", transcript(*said))
        assert (status, problem["code"]) == (422, code), said
    assert await stored(product) == 2
    assert len(upstream.chats) == 1


async def test_a_transcript_without_a_session_is_not_trusted(product: Product) -> None:
    rows = [
        {"role": ASSISTANT, "content": "I promise"},
        {"role": USER, "content": "Keep it"},
    ]
    status, problem = await product.call("POST", "/chat", question("x") | {"messages": rows})
    assert (status, problem["code"]) == (422, "transcript_mismatch")
    assert await product.call("GET", "/sessions") == (200, [])


async def test_a_cut_answer_is_part_of_the_next_prompt_and_an_empty_one_is_not(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for after_tokens in (1, None):
        gate = hold(upstream, "Hello there", after_tokens)
        ticket = question("Hi", background=True, **({"session_id": 1} if not after_tokens else {}))
        _, ticket = await product.call("POST", "/chat", ticket)
        await gate.reached()
        if after_tokens:
            live = await product.stream(f"/generations/{ticket['generation_id']}/events")
            await live.until("content")
        await product.call("POST", f"/generations/{ticket['generation_id']}/cancel")
    await (await product.ask("say: bye", session_id=1)).rest()
    sent = [(one["role"], one["content"]) for one in order_of(upstream)["messages"]]
    assert sent == [(USER, "Hi"), (ASSISTANT, "Hello"), (USER, "Hi"), (USER, "say: bye")]


async def test_a_system_prompt_is_sent_and_not_stored(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: hi", system_prompt="Be brief")).rest()
    assert order_of(upstream, 0)["messages"][0] == {"role": SYSTEM, "content": "Be brief"}
    assert await spoken(product) == [(USER, "say: hi"), (ASSISTANT, "hi")]
