"""Stop means stop: before the first word, in the middle, after the end, however many listen."""

from __future__ import annotations

import asyncio

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import at_end, begin, events, hold, log_of, messages


async def cancel(product: Product, generation_id: str) -> tuple[int, str]:
    status, generation = await product.call("POST", f"/generations/{generation_id}/cancel")
    assert generation["id"] == generation_id
    return status, generation["status"]


@pytest.mark.parametrize("after_tokens", [None, 0])
async def test_an_answer_is_stopped_before_its_first_word(
    product: Product, upstream: DeepSeekStandIn, after_tokens: int | None
) -> None:
    gate = hold(upstream, "Hello there", after_tokens)
    stream = await product.ask("Hi")
    generation_id = stream.headers["X-Generation-Id"]
    await gate.reached()
    assert await cancel(product, generation_id) == (200, "cancelled")
    await upstream.wait_for_disconnect()
    assert [list(frame.data) for frame in (await stream.rest())[1:]] == [["error", "code"]]
    answer = (await messages(product))[1]
    assert (answer["content"], answer["status"]) == ("", "cancelled")
    assert (answer["error"], answer["usage"]) == (None, None)
    assert upstream.in_flight == 0


async def test_an_answer_is_stopped_in_the_middle_and_keeps_its_text(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    generation_id = await begin(product, stream)
    assert await cancel(product, generation_id) == (200, "cancelled")
    left = await upstream.wait_for_disconnect()
    assert left.tokens == 1
    (last,) = await stream.rest()
    assert last.raw == 'data: {"error": "the answer was stopped", "code": "cancelled"}'
    frames = await events(product, generation_id)
    assert [frame.event for frame in frames] == ["started", "text", "caught_up", "ended"]
    assert frames[-1].data == {
        "status": "cancelled",
        "finish_reason": None,
        "usage": {
            "input_tokens": 5,
            "cached_tokens": 0,
            "output_tokens": 2,
            "reasoning_tokens": 0,
            "total_tokens": 7,
            "estimated": True,
        },
        "error": None,
    }
    answer = (await messages(product))[1]
    assert (answer["content"], answer["status"]) == ("Hello", "cancelled")


async def test_stopping_twice_or_after_the_end_tells_the_truth(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    stream = await product.ask("say: hi")
    await stream.rest()
    done = stream.headers["X-Generation-Id"]
    before = await events(product, done)
    assert await cancel(product, done) == (200, "completed")
    assert [one.raw for one in await events(product, done)] == [one.raw for one in before]

    hold(upstream, "Hello there")
    stopped = await begin(product, await product.ask("Hi"))
    many = await asyncio.gather(*(cancel(product, stopped) for _ in range(10)))
    assert many == [(200, "cancelled")] * 10
    assert await cancel(product, stopped) == (200, "cancelled")
    assert sum(frame.event == "ended" for frame in await events(product, stopped)) == 1


async def test_all_who_listen_hear_the_stop(product: Product, upstream: DeepSeekStandIn) -> None:
    hold(upstream, "Hello there, friend", 2)
    asked = await product.ask("Hi")
    generation_id = await begin(product, asked)
    path = f"/generations/{generation_id}/events"
    readers = [await product.stream(path) for _ in range(20)]
    for reader in readers:
        await reader.until("seq")
    assert await cancel(product, generation_id) == (200, "cancelled")
    heard = await asyncio.gather(*(reader.rest() for reader in readers))
    assert {frames[-1].data["status"] for frames in heard} == {"cancelled"}
    assert len({frames[-1].raw for frames in heard}) == 1
    assert (await asked.rest())[-1].data["code"] == "cancelled"
    assert list(log_of(await events(product, generation_id)))[-1] == heard[0][-1].id


async def test_the_session_is_free_at_once_after_a_stop(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    generation_id = await begin(product, await product.ask("Hi"))
    await cancel(product, generation_id)
    stream = await product.ask("say: next", session_id=1, on_active="reject")
    assert (await stream.rest())[-1].data == {"done": True}


async def test_a_stop_that_races_with_the_end_leaves_one_true_end(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for number in range(10):
        gate = hold(upstream, "one two")
        _, ticket = await product.call("POST", "/chat", question(f"{number}", background=True))
        await gate.reached()
        gate.open()
        status, said = await cancel(product, ticket["generation_id"])
        generation = await at_end(product, ticket["generation_id"])
        assert status == 200
        assert said == generation["status"]
        assert said in ("completed", "cancelled")
