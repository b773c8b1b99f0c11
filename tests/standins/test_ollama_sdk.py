"""The official client talks to the stand-in as it does to an Ollama."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest

from standins.behaviours import Answer, Cut, Gate, Stall
from standins.ollama import ErrorLine, OllamaStandIn

ASK = [{"role": "user", "content": "Tell me about the harbour."}]


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn(clock_ns=lambda: 1_790_000_000_250_000_000) as standin:
        yield standin


@pytest.fixture
async def client(upstream: OllamaStandIn) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=upstream.url) as one:
        yield one


async def heard(client: ollama.AsyncClient, **fields: Any) -> list[ollama.ChatResponse]:
    """The parts of a streamed answer."""
    fields = {"model": "gemma4:e2b", "messages": ASK, **fields}
    return [part async for part in await client.chat(stream=True, **fields)]


def said(parts: list[ollama.ChatResponse]) -> str:
    return "".join(part.message.content or "" for part in parts)


def thought(parts: list[ollama.ChatResponse]) -> str:
    return "".join(part.message.thinking or "" for part in parts)


async def test_it_streams_thoughts_then_words_then_what_they_cost(
    client: ollama.AsyncClient,
) -> None:
    parts = await heard(client)
    kinds = ["thinking" if part.message.thinking else "content" for part in parts]
    assert kinds == ["thinking"] * 16 + ["content"] * 49
    assert len(said(parts).split()) > 20
    assert {part.model for part in parts} == {"gemma4:e2b"}
    assert parts[0].created_at == "2026-09-21T14:13:20.250000000Z"
    assert [part.done for part in parts] == [False] * 64 + [True]
    last = parts[-1]
    assert (last.done_reason, last.eval_count) == ("stop", 64)
    assert last.prompt_eval_count == 9
    assert last.load_duration is not None
    assert last.prompt_eval_duration is not None
    assert last.eval_duration is not None
    spent_ns = last.load_duration + last.prompt_eval_duration + last.eval_duration
    assert last.total_duration == spent_ns


async def test_the_bytes_of_a_short_answer(upstream: OllamaStandIn) -> None:
    upstream.play(Answer(reasoning="Hm", text="Grüße 🙂"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(upstream.url.split(":")[2]))
    body = json.dumps({"model": "gemma4:e2b", "messages": ASK}).encode()
    head = f"POST /api/chat HTTP/1.1\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    raw = await reader.read()
    writer.close()
    start = '{"model":"gemma4:e2b","created_at":"2026-09-21T14:13:20.'
    rows = [
        '250000000Z","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}',
        '264833907Z","message":{"role":"assistant","content":"Grüße"},"done":false}',
        '279667814Z","message":{"role":"assistant","content":" 🙂"},"done":false}',
        (
            '294501721Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
            '"total_duration":2159657140,"load_duration":2104318402,"prompt_eval_count":9,'
            '"prompt_eval_duration":10837017,"eval_count":3,"eval_duration":44501721}'
        ),
    ]
    lines = [f"{start}{row}\n".encode() for row in rows]
    chunks = [b"%x\r\n%b\r\n" % (len(line), line) for line in lines]
    assert raw == (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked"
        b"\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
    )


async def test_the_same_question_gets_the_same_answer_with_and_without_streaming(
    client: ollama.AsyncClient,
) -> None:
    whole = await client.chat(model="gemma4:e2b", messages=ASK)
    parts = await heard(client)
    assert (said(parts), thought(parts)) == (whole.message.content, whole.message.thinking)
    assert (whole.done, whole.done_reason, whole.eval_count) == (True, "stop", 64)


@pytest.mark.parametrize(
    ("model", "think", "tokens"),
    [
        ("gemma4:e2b", None, 16),
        ("gemma4:e2b", True, 16),
        ("gemma4:e2b", False, 0),
        ("llama3.2", None, 0),
        ("llama3.2", False, 0),
        ("gpt-oss:20b", "low", 16),
        ("gpt-oss:20b", "high", 32),
        ("gpt-oss:20b", False, 0),
    ],
)
async def test_a_model_thinks_as_far_as_it_can_and_shall(
    client: ollama.AsyncClient, model: str, think: Any, tokens: int
) -> None:
    parts = await heard(client, model=model, think=think)
    assert sum(part.message.thinking is not None for part in parts) == tokens


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"model": "nobody"}, 404, "model 'nobody' not found"),
        ({"model": "llama3.2", "think": True}, 400, '"llama3.2" does not support thinking'),
        ({"think": "high"}, 400, 'think value "high" is not supported for this model'),
        ({"model": "gpt-oss:20b", "think": "odd"}, 400, 'invalid think value: "odd"'),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"options": {"stop": [1]}}, 500, 'option "stop" must be of an array of strings'),
    ],
)
async def test_what_it_does_not_take_is_the_clients_own_error(
    client: ollama.AsyncClient, fields: dict[str, Any], status: int, sentence: str
) -> None:
    with pytest.raises(ollama.ResponseError) as caught:
        await heard(client, **fields)
    assert caught.value.status_code == status
    assert caught.value.error.startswith(sentence)


async def test_an_error_in_the_stream_is_the_clients_own_error(
    upstream: OllamaStandIn, client: ollama.AsyncClient
) -> None:
    upstream.play(Answer(text="Yes. No."), ErrorLine("boom", after_tokens=18))
    parts: list[ollama.ChatResponse] = []

    async def listen() -> None:
        stream = await client.chat(model="gemma4:e2b", messages=ASK, stream=True)
        async for part in stream:
            parts.append(part)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ollama.ResponseError, match="boom"):
        await listen()
    assert said(parts) == "Yes."


async def test_options_bound_the_answer(client: ollama.AsyncClient) -> None:
    parts = await heard(client, think=False, options={"num_predict": 3})
    assert (len(parts), parts[-1].done_reason) == (4, "length")
    say = [{"role": "user", "content": "say: one two three"}]
    parts = await heard(client, messages=say, think=False, options={"stop": [" three"]})
    assert (said(parts), parts[-1].done_reason) == ("one two", "stop")


async def test_a_last_message_of_the_assistant_is_gone_on_from(client: ollama.AsyncClient) -> None:
    whole = said(await heard(client, think=False))
    start = {"role": "assistant", "content": whole[:37]}
    assert whole[:37] + said(await heard(client, messages=[*ASK, start], think=False)) == whole


async def test_a_model_is_loaded_once_for_each_window(
    upstream: OllamaStandIn, client: ollama.AsyncClient
) -> None:
    first = (await heard(client))[-1].load_duration
    again = (await heard(client))[-1].load_duration
    await heard(client, options={"num_ctx": 8192})
    await heard(client, model="small:8k", options={"num_ctx": 100_000})
    assert first is not None
    assert again is not None
    assert first > 10 * again
    assert upstream.loads == [("gemma4:e2b", 4096), ("gemma4:e2b", 8192), ("small:8k", 8192)]


async def test_an_empty_chat_moves_a_model_into_the_memory_and_out_of_it(
    upstream: OllamaStandIn, client: ollama.AsyncClient
) -> None:
    loaded = await client.chat(model="gemma4:e2b")
    assert (loaded.done, loaded.done_reason, loaded.message.content) == (True, "load", "")
    left = await client.chat(model="gemma4:e2b", keep_alive=0)
    assert left.done_reason == "unload"
    await heard(client)
    assert len(upstream.loads) == 2


async def test_a_prompt_that_is_too_long_is_cut_without_a_word(client: ollama.AsyncClient) -> None:
    old = [{"role": "user", "content": "x" * 20_000}, {"role": "assistant", "content": "Hm."}]
    last = (await heard(client, messages=[{"role": "system", "content": "Hi"}, *old, *ASK]))[-1]
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.prompt_eval_count is not None
    assert last.prompt_eval_count < 40


async def test_the_models_are_listed_and_shown(client: ollama.AsyncClient) -> None:
    rows = (await client.list()).models
    assert [row.model for row in rows] == [
        "gemma4:e2b",
        "gpt-oss:20b",
        "llama3.2:latest",
        "small:8k",
        "bge-m3:latest",
    ]
    assert rows[0].details is not None
    assert rows[0].details.parameter_size == "5.1B"
    shown = await client.show("gpt-oss:20b")
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["gptoss.context_length"] == 131_072
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found"):
        await client.show("nobody")


async def test_a_key_is_wanted_where_there_is_one() -> None:
    async with OllamaStandIn(key="key-1") as upstream:
        async with ollama.AsyncClient(host=upstream.url) as stranger:
            with pytest.raises(ollama.ResponseError, match="unauthorized") as caught:
                await heard(stranger)
        assert caught.value.status_code == 401
        headers = {"Authorization": "Bearer key-1"}
        async with ollama.AsyncClient(host=upstream.url, headers=headers) as friend:
            assert said(await heard(friend))


async def test_the_headers_wait_for_a_model_that_has_to_be_loaded() -> None:
    gate = Gate()
    async with (
        OllamaStandIn(load_gate=gate) as upstream,
        ollama.AsyncClient(host=upstream.url) as client,
    ):
        asking = asyncio.create_task(heard(client))
        await gate.reached()
        assert not asking.done()
        assert said(await heard(client))
        gate.open()
        assert said(await asking)
    assert upstream.loads == [("gemma4:e2b", 4096)]


async def test_a_client_that_leaves_is_noticed(
    upstream: OllamaStandIn, client: ollama.AsyncClient
) -> None:
    upstream.play(Stall(after_tokens=3))
    stream = await client.chat(model="gemma4:e2b", messages=ASK, stream=True)
    assert hasattr(stream, "aclose")
    await anext(aiter(stream))
    await stream.aclose()
    left = await upstream.wait_for_disconnect()
    assert (left.request.path, left.tokens) == ("/api/chat", 3)


async def test_a_cut_stream_has_no_end(upstream: OllamaStandIn, client: ollama.AsyncClient) -> None:
    upstream.play(Cut(after_tokens=3, how="clean"))
    parts = await heard(client)
    assert [part.done for part in parts] == [False] * 3
