"""A second question while the first is being answered."""

from __future__ import annotations

import asyncio

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import at_end, begin, events, hold, spoken
from .truth import Reply, is_problem, send


async def ask_again(product: Product, **fields: object) -> Reply:
    body = question("say: second", session_id=1, stream=False, **fields)
    async with product.request("POST", "/chat", body) as response:
        return Reply(response.status, response.headers.copy(), await response.read())


async def test_while_somebody_follows_a_second_question_is_refused(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("first")
    generation_id = await begin(product, stream)
    for wish in ({}, {"on_active": "auto"}, {"on_active": "reject"}):
        refused = await ask_again(product, **wish)
        assert refused.verdict == (409, "generation_active")
        assert is_problem(refused)["generation_id"] == generation_id
    gate.open()
    assert (await stream.rest())[-1].data == {"done": True}
    assert await spoken(product) == [("user", "first"), ("assistant", "Hello there")]


@pytest.mark.parametrize("wish", [{}, {"on_active": "auto"}, {"on_active": "interrupt"}])
async def test_when_nobody_follows_any_more_it_takes_the_place_of_the_first(
    product: Product, upstream: DeepSeekStandIn, wish: dict[str, str]
) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("first")
    generation_id = await begin(product, stream)
    stream.leave()
    assert (await ask_again(product, **wish)).status == 200
    await upstream.wait_for_disconnect()
    assert (await at_end(product, generation_id))["status"] == "cancelled"
    assert await spoken(product) == [
        ("user", "first"),
        ("assistant", "Hello"),
        ("user", "say: second"),
        ("assistant", "second"),
    ]
    assert upstream.most_in_flight == 1


async def test_reject_refuses_also_when_nobody_follows(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    await product.call("POST", "/chat", question("first", background=True))
    refused = await ask_again(product, on_active="reject")
    assert refused.verdict == (409, "generation_active")


async def test_interrupt_stops_the_first_also_while_somebody_follows(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("first")
    await begin(product, stream)
    assert (await ask_again(product, on_active="interrupt")).status == 200
    assert (await stream.rest())[-1].data["code"] == "cancelled"


async def test_enqueue_waits_for_the_first(product: Product, upstream: DeepSeekStandIn) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("first")
    await begin(product, stream)
    waiting = [asyncio.create_task(ask_again(product, on_active="enqueue")) for _ in range(3)]
    await send(product, "GET", "/health")
    assert not any(task.done() for task in waiting)
    assert len(upstream.chats) == 1
    gate.open()
    assert [reply.status for reply in await asyncio.gather(*waiting)] == [200] * 3
    assert (await stream.rest())[-1].data == {"done": True}
    first = [("user", "first"), ("assistant", "Hello there")]
    assert await spoken(product) == first + [("user", "say: second"), ("assistant", "second")] * 3
    assert upstream.most_in_flight == 1


async def test_of_many_questions_at_once_one_is_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await product.call("POST", "/sessions", {"provider": "deepseek"})
    gate = hold(upstream, "Hello there")
    body = question("Hi", session_id=1, background=True, on_active="reject")
    replies = await asyncio.gather(*(product.call("POST", "/chat", body) for _ in range(20)))
    accepted = [reply for status, reply in replies if status == 202]
    refused = [reply for status, reply in replies if status == 409]
    assert (len(accepted), len(refused)) == (1, 19)
    assert {reply["generation_id"] for reply in refused} == {accepted[0]["generation_id"]}
    await gate.reached()
    gate.open()
    await events(product, accepted[0]["generation_id"])
    assert len(upstream.chats) == 1
    assert await spoken(product) == [("user", "Hi"), ("assistant", "Hello there")]


async def test_regenerating_and_continuing_obey_the_same_rule(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("first")
    generation_id = await begin(product, stream)
    for verb in ("regenerate", "continue"):
        status, problem = await product.call("POST", f"/messages/2/{verb}", {})
        assert (status, problem["code"]) == (409, "generation_active"), verb
        assert problem["generation_id"] == generation_id
    gate.open()
    await stream.rest()


async def test_sessions_do_not_wait_for_each_other(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("first")
    await begin(product, stream)
    assert (await (await product.ask("say: other")).rest())[-1].data == {"done": True}
    gate.open()
    await stream.rest()
