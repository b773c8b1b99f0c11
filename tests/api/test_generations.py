"""Generations: looked at, followed from any point, by anybody, as often as they like."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from lite_llm_chat import stamps
from lite_llm_chat.housekeeping import tidy
from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Frame, Product, Stream

from .conftest import Launch
from .follow import at_end, begin, events, hold, log_of, messages, script, text_of
from .truth import send

WORDS = "one two three four five six"
KEYS = ["id", "session_id", "message_id", "provider", "model", "served_model", "status"]
MORE_KEYS = ["finish_reason", "usage", "cost_microusd"]
MORE_KEYS += ["warnings", "error", "cancel_requested", "waiting", "approvals"]
MOMENTS = ["created_at", "first_piece_at", "ended_at"]


async def counted(product: Product, upstream: DeepSeekStandIn) -> str:
    """A whole answer whose log is: started, six texts, ended."""
    gates = script(upstream, WORDS, 1, 2, 3, 4, 5)
    stream = await product.ask("Count")
    for gate in gates:
        await stream.until("content")
        gate.open()
    await stream.rest()
    return stream.headers["X-Generation-Id"]


def seqs(frames: list[Frame]) -> list[str]:
    return [frame.id for frame in frames if frame.id is not None]


async def test_a_generation_is_this_object(product: Product, upstream: DeepSeekStandIn) -> None:
    generation_id = await counted(product, upstream)
    status, generation = await product.call("GET", f"/generations/{generation_id}")
    assert status == 200
    assert list(generation) == [*KEYS, *MORE_KEYS, "slot", *MOMENTS, "last_seq"]
    assert generation["usage"]["output_tokens"] == 6
    told = {name: generation[name] for name in [*KEYS, "finish_reason", "error", "last_seq"]}
    assert told == {
        "id": generation_id,
        "session_id": 1,
        "message_id": 2,
        "provider": "deepseek",
        "model": "deepseek-chat",
        "served_model": "deepseek-flash",
        "status": "completed",
        "finish_reason": "stop",
        "error": None,
        "last_seq": 8,
    }


async def test_a_generation_is_queued_then_running_then_over(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    before, within = script(upstream, "one two", 0, 1)
    stream = await product.ask("Count")
    path = f"/generations/{stream.headers['X-Generation-Id']}"
    await stream.until("session_id")
    _, queued = await product.call("GET", path)
    assert [queued[name] for name in ("status", "first_piece_at", "ended_at", "last_seq")] == [
        "queued",
        None,
        None,
        1,
    ]
    before.open()
    await stream.until("content")
    _, running = await product.call("GET", path)
    assert [running[name] for name in ("status", "ended_at", "usage", "last_seq")] == [
        "running",
        None,
        None,
        2,
    ]
    within.open()
    await stream.rest()
    _, ended = await product.call("GET", path)
    assert (ended["status"], ended["last_seq"]) == ("completed", 4)


async def test_a_numbered_stream_is_exactly_these_bytes(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi", top_k=5)
    generation_id = await begin(product, stream)
    gate.open()
    await stream.rest()
    _, generation = await product.call("GET", f"/generations/{generation_id}")
    usage = generation["usage"]
    warning = generation["warnings"][0]
    reply = await send(product, "GET", f"/api/v1/generations/{generation_id}/events")
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache, no-transform"
    assert reply.headers["X-Generation-Id"] == generation_id
    assert reply.body.decode() == (
        "id: 1\nevent: started\n"
        f'data: {{"session_id": 1, "generation_id": "{generation_id}", "message_id": 2,'
        f' "provider": "deepseek", "model": "deepseek-chat", "warnings": ["{warning}"]}}\n\n'
        'id: 2\nevent: text\ndata: {"content": "Hello"}\n\n'
        'id: 3\nevent: text\ndata: {"content": " there"}\n\n'
        'event: caught_up\ndata: {"seq": 3}\n\n'
        "id: 4\nevent: ended\n"
        'data: {"status": "completed", "finish_reason": "stop", "usage": {'
        f'"input_tokens": {usage["input_tokens"]}, "cached_tokens": 0, "output_tokens": 2,'
        f' "reasoning_tokens": 0, "total_tokens": {usage["total_tokens"]},'
        ' "estimated": false}, "error": null}\n\n'
    )


async def test_a_reader_that_comes_back_anywhere_gets_exactly_the_rest(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    generation_id = await counted(product, upstream)
    whole = log_of(await events(product, generation_id))
    assert list(whole) == [str(n) for n in range(1, 9)]
    for after in range(9):
        rest = {seq: raw for seq, raw in whole.items() if int(seq) > after}
        by_query = await events(product, generation_id, after)
        by_header = await events(product, generation_id, 0, **{"Last-Event-ID": str(after)})
        assert [frame.raw for frame in by_query] == [frame.raw for frame in by_header]
        assert log_of(by_query) == rest
        assert sum(frame.event == "caught_up" for frame in by_query) == 1
    assert seqs(await events(product, generation_id, 7, **{"Last-Event-ID": "5"})) == list("678")
    assert seqs(await events(product, generation_id, 6, **{"Last-Event-ID": ""})) == list("78")


async def test_readers_may_come_and_go_at_every_point_of_a_running_answer(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gates = script(upstream, WORDS, 1, 2, 3, 4, 5)
    stream = await product.ask("Count")
    generation_id = stream.headers["X-Generation-Id"]
    readers: list[tuple[int, Stream]] = []
    for there, gate in enumerate(gates, start=2):
        await stream.until("content")
        for after in range(there + 1):
            path = f"/generations/{generation_id}/events?after={after}"
            reader = await product.stream(path)
            replayed = []
            while (frame := await reader.next()) is not None and frame.event != "caught_up":
                replayed.append(frame)
            assert seqs(replayed) == [str(n) for n in range(after + 1, there + 1)]
            assert frame is not None
            assert frame.data == {"seq": there}
            if after % 2:
                reader.leave()
            else:
                readers.append((there, reader))
        gate.open()
    await stream.rest()
    whole = log_of(await events(product, generation_id))
    for there, reader in readers:
        frames = await reader.rest()
        assert log_of(frames) == {n: raw for n, raw in whole.items() if int(n) > there}
        assert not any(frame.event == "caught_up" for frame in frames)


async def test_all_readers_see_the_same_bytes_for_ever(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, WORDS)
    generation_id = await begin(product, await product.ask("Count"))
    path = f"/generations/{generation_id}/events"
    readers = [await product.stream(path) for _ in range(20)]
    gate.open()
    logs = [log_of(frames) for frames in await asyncio.gather(*(r.rest() for r in readers))]
    await at_end(product, generation_id)
    logs.append(log_of(await events(product, generation_id)))
    await product.restart()
    logs.append(log_of(await events(product, generation_id)))
    assert all(log == logs[0] for log in logs)


async def test_a_cursor_beyond_the_log_is_refused(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    generation_id = await counted(product, upstream)
    base = f"/api/v1/generations/{generation_id}/events"
    json = (await send(product, "GET", f"{base}?after=9")).json
    assert (json["status"], json["code"], json["last_seq"]) == (409, "cursor_ahead", 8)
    for cursor, verdict in {
        "9": (409, "cursor_ahead"),
        "9" * 400: (409, "cursor_ahead"),
        "-1": (422, "invalid_cursor"),
        "x": (422, "invalid_cursor"),
        "1.0": (422, "invalid_cursor"),
    }.items():
        reply = await send(product, "GET", base, headers={"Last-Event-ID": cursor})
        assert reply.verdict == verdict, cursor
    for after in ("-1", "x", str(2**63)):
        reply = await send(product, "GET", f"{base}?after={after}")
        assert reply.verdict == (422, "validation_error"), after


async def test_a_pruned_log_is_one_snapshot(product: Product, upstream: DeepSeekStandIn) -> None:
    generation_id = await counted(product, upstream)
    assert await tidy(product.parts.database, stamps.now(), timedelta(0)) == 1
    snapshot, caught_up = await events(product, generation_id, 3)
    assert (snapshot.event, snapshot.id) == ("snapshot", "8")
    assert snapshot.data == (await messages(product))[1]
    assert (caught_up.event, caught_up.data) == ("caught_up", {"seq": 8})
    assert [frame.event for frame in await events(product, generation_id, 8)] == ["caught_up"]
    path = f"/api/v1/generations/{generation_id}/events?after=9"
    assert (await send(product, "GET", path)).verdict == (409, "cursor_ahead")


async def test_a_session_leads_to_its_live_answer(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await product.call("POST", "/sessions", {"provider": "deepseek"})
    idle = await send(product, "GET", "/api/v1/sessions/1/events")
    assert (idle.status, idle.body) == (204, b"")
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi", session_id=1)
    generation_id = await begin(product, stream)
    live = await product.stream("/sessions/1/events")
    assert live.headers["X-Generation-Id"] == generation_id
    gate.open()
    named = {
        f"{generation_id}:{seq}": raw
        for seq, raw in log_of(await events(product, generation_id)).items()
    }
    assert [frame.id for frame in await live.rest() if frame.id] == list(named)
    await stream.rest()
    assert (await send(product, "GET", "/api/v1/sessions/1/events")).status == 204


async def test_a_reader_of_a_session_who_missed_an_answer_gets_the_next_one_whole(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    first = await (await product.ask("say: one two three")).rest()
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi", session_id=1)
    generation_id = await begin(product, stream)
    stale = {"Last-Event-ID": f"{first[0].data['generation_id']}:2"}
    live = await product.stream("/sessions/1/events", headers=stale)
    gate.open()
    ids = [frame.id for frame in await live.rest() if frame.id]
    assert ids[0] == f"{generation_id}:1"
    await stream.rest()


async def test_reading_starts_nothing(product: Product, upstream: DeepSeekStandIn) -> None:
    generation_id = await counted(product, upstream)
    before = await product.call("GET", f"/generations/{generation_id}")
    for path in ("/sessions", "/sessions/1", "/sessions/1/events", "/models", "/providers"):
        await send(product, "GET", f"/api/v1{path}")
    await events(product, generation_id)
    assert await product.call("GET", f"/generations/{generation_id}") == before
    assert len(upstream.chats) == 1


async def test_a_quiet_numbered_stream_carries_comments(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(keep_alive_seconds=0.01)
    gate = hold(upstream, "Hello there")
    generation_id = await begin(product, await product.ask("Hi"))
    live = await product.stream(f"/generations/{generation_id}/events")
    frame = await live.next()
    while frame is not None and frame.comment is None:
        frame = await live.next()
    assert frame is not None
    assert frame.raw == ": keep-alive"
    gate.open()
    assert (await live.rest())[-1].event == "ended"


async def test_a_long_log_is_read_in_pages_without_a_gap(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(tokens=1500, tokens_per_s=4000))
    stream = await product.ask("Go on")
    plain = await stream.rest()
    frames = await events(product, stream.headers["X-Generation-Id"])
    assert text_of(frames) == text_of(plain) == (await messages(product))[1]["content"]
    assert seqs(frames) == [str(n) for n in range(1, len(seqs(frames)) + 1)]


async def test_unknown_generations_are_404(product: Product) -> None:
    unknown = "0" * 32
    for method, path in (
        ("GET", f"/generations/{unknown}"),
        ("GET", f"/generations/{unknown}/events"),
        ("POST", f"/generations/{unknown}/cancel"),
        ("GET", "/generations/x' OR '1'='1"),
    ):
        reply = await send(product, method, f"/api/v1{path}")
        assert reply.verdict == (404, "generation_not_found"), path
    assert (await send(product, "GET", f"/api/v1/generations/{'x' * 65}")).verdict[0] == 422


async def test_a_restart_marks_what_it_cut(product: Product, upstream: DeepSeekStandIn) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    generation_id = await begin(product, stream)
    await product.restart()
    generation = await at_end(product, generation_id)
    assert generation["status"] == "interrupted"
    assert generation["error"]["code"] == "server_stopped"
    answer = (await messages(product))[1]
    assert (answer["content"], answer["status"]) == ("Hello", "interrupted")
