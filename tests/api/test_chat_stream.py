"""POST /chat as a stream, byte for byte."""

from __future__ import annotations

import pytest

from standins.behaviours import Answer, Cut, ErrorEvent, Status
from standins.deepseek import DeepSeekStandIn
from standins.modes import EXOTIC
from tests.conftest import KEY, Product, question

from .conftest import Launch
from .follow import at_end, events, hold, messages, order_of, script, spoken, text_of


@pytest.mark.readme("frame-session", "frame-content", "frame-done", "frame-format")
@pytest.mark.readme("feature-streaming", "endpoint-chat-streaming")
async def test_a_stream_is_exactly_these_bytes(product: Product, upstream: DeepSeekStandIn) -> None:
    gate = hold(upstream, "Hello there")
    async with product.request("POST", "/chat", question("Hi", stream=True)) as response:
        body = b""
        while not body.endswith(b'"Hello"}\n\n'):
            body += await response.content.readany()
        gate.open()
        body += await response.content.read()
    generation_id = response.headers["X-Generation-Id"]
    assert body.decode() == (
        f'data: {{"session_id": 1, "generation_id": "{generation_id}", "message_id": 2}}\n\n'
        'data: {"content": "Hello"}\n\n'
        'data: {"content": " there"}\n\n'
        'data: {"done": true}\n\n'
    )


async def test_a_stream_has_these_headers(product: Product) -> None:
    stream = await product.ask("say: hi")
    first = await stream.next()
    await stream.rest()
    assert stream.status == 200
    assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["Cache-Control"] == "no-cache, no-transform"
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert stream.headers["X-Content-Type-Options"] == "nosniff"
    assert stream.headers["X-Generation-Id"] == (first and first.data["generation_id"])
    assert "Content-Length" not in stream.headers
    assert "Idempotency-Replayed" not in stream.headers


async def test_streaming_is_the_default(product: Product) -> None:
    async with product.request("POST", "/chat", question("say: hi")) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert (await response.read()).endswith(b'data: {"done": true}\n\n')


async def test_each_piece_is_there_before_the_next_is_made(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gates = script(upstream, "one two three", 1, 2)
    stream = await product.ask("Count")
    for word, gate in zip(("one", " two"), gates, strict=True):
        frame = await stream.until("content")
        assert frame.raw == f'data: {{"content": "{word}"}}'
        gate.open()
    assert text_of(await stream.rest()) == " three"


async def test_reasoning_comes_in_frames_of_its_own_before_the_answer(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(reasoning="Let me think", text="Yes"))
    stream = await product.ask("Is it?", model="deepseek-reasoner")
    first, *frames = await stream.rest()
    assert list(first.data) == ["session_id", "generation_id", "message_id"]
    assert [list(frame.data) for frame in frames if "reasoning" in frame.data] == [
        ["reasoning"]
    ] * (len(frames) - 2)
    assert "".join(f.data.get("reasoning", "") for f in frames) == "Let me think"
    assert [f.raw for f in frames[-2:]] == ['data: {"content": "Yes"}', 'data: {"done": true}']
    answer = (await messages(product))[1]
    assert (answer["content"], answer["thought_process"]) == ("Yes", "Let me think")


async def test_every_character_arrives_and_none_breaks_a_line(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    said = EXOTIC + '\n\ndata: {}\r\n\r\n\t"\\ end'
    upstream.play(Answer(text=said))
    frames = await (await product.ask("Anything")).rest()
    assert text_of(frames) == said
    assert all(len(frame.raw.splitlines()) == 1 for frame in frames)
    raw = "".join(frame.raw for frame in frames)
    assert "\\u2028" in raw
    assert "\\u0085" in raw
    assert "河" in raw
    assert (await spoken(product))[1] == ("assistant", said)


async def test_a_question_of_every_character_reaches_the_vendor_unchanged(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    asked = EXOTIC + "\x01\x1f\ufeff\U0010ffff"
    await (await product.ask(asked)).rest()
    assert order_of(upstream, 0)["messages"] == [{"role": "user", "content": asked}]
    assert (await spoken(product))[0] == ("user", asked)


async def test_a_quiet_stream_carries_comments(launch: Launch, upstream: DeepSeekStandIn) -> None:
    product = await launch(keep_alive_seconds=0.01)
    before, within = script(upstream, "one two", 0, 1)
    stream = await product.ask("Slowly")
    await stream.until("session_id")
    for gate in (before, within):
        frame = await stream.next()
        while frame is not None and frame.comment is None:
            frame = await stream.next()
        assert frame is not None
        assert frame.raw == ": keep-alive"
        gate.open()
        if gate is before:
            await stream.until("content")
    assert (await stream.rest())[-1].raw == 'data: {"done": true}'


@pytest.mark.parametrize("told", [Cut(after_tokens=2), ErrorEvent(after_tokens=2)])
async def test_a_cut_answer_ends_with_one_error_frame_and_keeps_its_text(
    product: Product, upstream: DeepSeekStandIn, told: Cut | ErrorEvent
) -> None:
    upstream.play(Answer(text="one two three"), told)
    frames = await (await product.ask("Count")).rest()
    assert text_of(frames) == "one two"
    assert list(frames[-1].data) == ["error", "code"]
    assert [frame for frame in frames if "done" in frame.data] == []
    assert sum("error" in frame.data for frame in frames) == 1
    answer = (await messages(product))[1]
    assert (answer["content"], answer["status"]) == ("one two", "failed")
    assert answer["error"] == {
        "code": frames[-1].data["code"],
        "detail": frames[-1].data["error"],
    }


async def test_a_refusal_of_the_vendor_is_an_error_frame(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Status(401))
    stream = await product.ask("Hi")
    frames = await stream.rest()
    assert stream.status == 200
    assert [list(frame.data) for frame in frames[1:]] == [["error", "code"]]
    assert frames[1].data["code"] == "provider_auth"
    assert "DEEPSEEK_API_KEY" in frames[1].data["error"]
    assert KEY not in frames[1].raw
    assert len(upstream.chats) == 1


async def test_an_answer_outlives_its_reader(product: Product, upstream: DeepSeekStandIn) -> None:
    gate = hold(upstream, "Hello there, friend")
    stream = await product.ask("Hi")
    await stream.until("content")
    stream.leave()
    gate.open()
    generation = await at_end(product, stream.headers["X-Generation-Id"])
    assert generation["status"] == "completed"
    assert (await spoken(product))[1] == ("assistant", "Hello there, friend")
    assert upstream.disconnects == []


async def test_who_asked_for_it_stops_the_answer_by_leaving(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there, friend")
    stream = await product.ask("Hi", on_disconnect="cancel")
    await stream.until("content")
    stream.leave()
    await upstream.wait_for_disconnect()
    generation = await at_end(product, stream.headers["X-Generation-Id"])
    assert generation["status"] == "cancelled"
    assert (await spoken(product))[1] == ("assistant", "Hello")


async def test_the_session_shows_an_answer_in_the_making(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await stream.until("content")
    answer = (await messages(product))[1]
    assert (answer["content"], answer["status"]) == ("Hello", "running")
    gate.open()
    await stream.rest()
    assert (await messages(product))[1]["status"] == "completed"


async def test_the_plain_stream_and_the_numbered_one_say_the_same(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(reasoning="Hm hm", text="Well, it depends on the day"))
    stream = await product.ask("Is it?", model="deepseek-reasoner")
    plain = await stream.rest()
    numbered = [
        frame.data
        for frame in await events(product, stream.headers["X-Generation-Id"])
        if frame.event in ("text", "reasoning")
    ]
    assert [frame.data for frame in plain[1:-1]] == numbered
