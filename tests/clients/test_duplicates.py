"""A thousand questions at once that are one question, or want one session."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.api.follow import hold, messages, text_of
from tests.conftest import Product, Stream, question
from tests.torture import record, scaled

MANY = scaled(200, 1_000)
GOAL = f"{MANY} POSTs at once"


async def ask_often(product: Product, key: str = "", **fields: object) -> list[Stream]:
    """The same streamed question so many times at once; all have their headers."""
    headers = {"Idempotency-Key": key} if key else None
    body = question("Hi", **fields)
    return await asyncio.gather(*(product.stream("/chat", body, headers) for _ in range(MANY)))


@pytest.mark.timeout(300)
async def test_many_posts_with_one_key_are_one_question_and_one_call_of_the_vendor(
    product: Product, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    called = len(upstream.chats)
    gate = hold(upstream, "Hello there, whoever you all are")
    streams = await ask_often(product, key="one")
    gate.open()
    frames = await asyncio.gather(*(stream.rest() for stream in streams))
    assert Counter(stream.status for stream in streams) == {200: MANY}
    assert {text_of(one) for one in frames} == {"Hello there, whoever you all are"}
    assert all(one[-1].data == {"done": True} for one in frames)
    generations = {stream.headers["X-Generation-Id"] for stream in streams}
    replayed = sum("Idempotency-Replayed" in stream.headers for stream in streams)
    calls = len(upstream.chats) - called
    with capsys.disabled():
        result = f"{len(generations)} generation, {calls} call, {replayed} replays"
        met = (len(generations), calls, replayed) == (1, 1, MANY - 1)
        record("G11", f"{GOAL} with one key", "1 generation, 1 call of the vendor", result, met)
    assert (len(generations), calls, replayed) == (1, 1, MANY - 1)
    (session_id,) = {one[0].data["session_id"] for one in frames}
    assert len(await messages(product, session_id)) == 2


@pytest.mark.timeout(300)
async def test_of_many_posts_to_one_session_one_is_taken_and_the_others_are_told_so(
    product: Product, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    called = len(upstream.chats)
    _, session = await product.call("POST", "/sessions", {"provider": "deepseek"})
    gate = hold(upstream, "Hello there")
    streams = await ask_often(product, session_id=session["id"], on_active="reject")
    gate.open()
    (taken,) = (stream for stream in streams if stream.status == 200)
    assert text_of(await taken.rest()) == "Hello there"
    refusals = [await problem(stream) for stream in streams if stream is not taken]
    assert Counter(refusals) == {("generation_active", taken.headers["X-Generation-Id"]): MANY - 1}
    calls = len(upstream.chats) - called
    statuses = Counter(stream.status for stream in streams)
    with capsys.disabled():
        result = f"{statuses[200]} × 200, {statuses[409]} × 409, {calls} call"
        met = (statuses[200], statuses[409], calls) == (1, MANY - 1, 1)
        wanted = f"1 × 2xx, {MANY - 1} × 409"
        record("G11", f"{GOAL} to one session, on_active reject", wanted, result, met)
    assert (statuses[200], statuses[409], calls) == (1, MANY - 1, 1)
    assert len(await messages(product, session["id"])) == 2


async def problem(stream: Stream) -> tuple[str, str]:
    """Code and rival of a refusal."""
    assert stream.status == 409
    body = await stream.response.json(content_type="application/problem+json")
    return body["code"], body["generation_id"]


async def test_duplicates_whose_askers_leave_change_nothing_for_the_others(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    called = len(upstream.chats)
    gate = hold(upstream, "Hello there")

    def ask() -> asyncio.Task[Stream]:
        key = {"Idempotency-Key": "shared"}
        return asyncio.create_task(product.stream("/chat", question("Hi"), key))

    leaving, staying = [ask() for _ in range(20)], [ask() for _ in range(20)]
    await gate.reached()
    for task in leaving[1::2]:
        task.cancel()
    for task in leaving[::2]:
        (await task).leave()
    gate.open()
    texts = [text_of(await (await task).rest()) for task in staying]
    assert texts == ["Hello there"] * 20
    assert len(upstream.chats) - called == 1
