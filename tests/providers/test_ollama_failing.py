"""Ollama in bad moods: every failure has its code, keeps the words before it, and no key."""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Prompt
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.ollama import Ollama
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer, Behaviour, Body, Bytes, Cut, Insert, Status
from standins.ollama import ErrorLine, OllamaStandIn

from .conftest import collect, failing, finish, prompt, text, thoughts

KEY = "canary0f1e2d3c4b5a69788796a5b4c3d2"
MODEL = "gemma4:e2b"
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
INNER = {"code": 400, "message": "Multimodal data provided", "type": "invalid_request_error"}


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def ollama(wire: Wire, upstream: OllamaStandIn) -> Ollama:
    return Ollama(wire, api_key=KEY, base_url=upstream.url)


def ask(model: str = MODEL, **options: object) -> Prompt:
    return prompt("Hello", model, **options)


def refused(status: int, error: object) -> Status:
    return Status(status, json.dumps({"error": error}).encode())


# ── before the stream ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (refused(400, "model is required"), ("provider_bad_request", 502, False)),
        (refused(401, "unauthorized"), ("provider_auth", 502, False)),
        (refused(403, "ollama cloud is disabled"), ("provider_auth", 502, False)),
        (refused(404, "model 'x' not found"), ("provider_unknown_model", 502, False)),
        (
            refused(404, 'model "x" not found, try pulling it first'),
            ("provider_unknown_model", 502, False),
        ),
        (Status(404, b"404 page not found", (), "text/plain"), ("provider_not_found", 502, False)),
        (refused(429, "you have reached your limit"), ("provider_rate_limited", 503, True)),
        (
            refused(500, "model requires more system memory (9.1 GiB) than is available (3.2 GiB)"),
            ("provider_error", 502, False),
        ),
        (refused(500, "llama runner process has terminated"), ("provider_error", 502, True)),
        (refused(502, "upstream error"), ("provider_error", 502, True)),
        (refused(503, "server busy, please try again."), ("provider_overloaded", 503, True)),
        (Status(502, HTML, (), "text/html"), ("provider_error", 502, True)),
        (Status(500, b""), ("provider_error", 502, True)),
        (Status(400, b"[" * 9_999), ("provider_bad_request", 502, False)),
        (Status(500, b'{"error":"mess', declared_bytes=500), ("provider_error", 502, True)),
        (refused(400, json.dumps({"error": INNER})), ("provider_bad_request", 502, False)),
    ],
    ids=range(16),
)
async def test_every_refusal_has_its_code(
    ollama: Ollama, upstream: OllamaStandIn, status: Status, verdict: tuple[str, int, bool]
) -> None:
    upstream.play(status)
    pieces, error = await failing(ollama.stream(ask()))
    assert pieces == []
    assert (error.code, error.status, error.retryable) == verdict


async def test_a_model_that_is_not_there_is_told_with_its_mend(ollama: Ollama) -> None:
    _, error = await failing(ollama.stream(ask(model="qwen3:8b")))
    assert error.code == "provider_unknown_model"
    assert "`ollama pull qwen3:8b`" in error.detail


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("model 'hf.co/some-one/a_model:Q4' not found", "ollama pull hf.co/some-one/a_model:Q4"),
        ('model "x" not found, try pulling it first', "ollama pull x"),
        ("model not found", "ollama pull NAME"),
        ("model '; rm -rf ~' not found", "choose another"),
    ],
)
async def test_the_name_to_pull_is_a_name(
    ollama: Ollama, upstream: OllamaStandIn, said: str, command: str
) -> None:
    upstream.play(refused(404, said))
    _, error = await failing(ollama.stream(ask()))
    assert error.code == "provider_unknown_model"
    assert command in error.detail


async def test_a_stranger_is_told_of_both_ways_in(wire: Wire, upstream: OllamaStandIn) -> None:
    _, error = await failing(Ollama(wire, api_key=None, base_url=upstream.url).stream(ask()))
    assert (error.code, error.retryable) == ("provider_auth", False)
    assert "OLLAMA_API_KEY" in error.detail
    assert "`ollama signin`" in error.detail


async def test_what_ollama_forbids_is_told_in_its_own_words(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(refused(403, "cloud models are disabled"))
    _, error = await failing(ollama.stream(ask()))
    assert error.code == "provider_auth"
    assert error.detail.endswith("it said: cloud models are disabled")


async def test_a_model_that_cannot_think_is_told_with_its_mend(ollama: Ollama) -> None:
    _, error = await failing(ollama.stream(ask(model="llama3.2", effort="high")))
    assert (error.code, error.retryable) == ("provider_bad_request", False)
    assert "cannot think" in error.detail


@pytest.mark.parametrize(
    "said",
    [
        "the input length exceeds the context length",
        "prompt too long; exceeded max context length by 4 tokens",
        json.dumps({"error": {"message": "request (9 tokens) exceeds the available context size"}}),
    ],
)
async def test_a_conversation_over_the_window_is_told_with_its_mend(
    ollama: Ollama, upstream: OllamaStandIn, said: str
) -> None:
    upstream.play(refused(400, said))
    _, error = await failing(ollama.stream(ask()))
    assert (error.code, error.retryable) == ("provider_bad_request", False)
    assert "start a new session" in error.detail
    assert '"' not in error.detail


async def test_what_the_engine_below_said_is_quoted_without_its_wrapping(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(refused(400, json.dumps({"error": INNER}, separators=(",", ":"))))
    _, error = await failing(ollama.stream(ask()))
    assert error.detail.endswith("it said: Multimodal data provided")


# ── in the stream ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", [0, 2])
async def test_an_error_line_fails_the_answer_and_keeps_the_words_before_it(
    ollama: Ollama, upstream: OllamaStandIn, after: int
) -> None:
    upstream.play(ErrorLine("boom", after))
    pieces, error = await failing(ollama.stream(ask(thinking=False)))
    assert (error.code, error.retryable) == ("provider_error", True)
    assert "boom" in error.detail
    assert bool(text(pieces)) == bool(after)


async def test_a_model_that_is_missed_in_the_stream_is_named_as_such(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(ErrorLine("model 'gemma4:e2b' not found", 0))
    _, error = await failing(ollama.stream(ask()))
    assert (error.code, error.retryable) == ("provider_unknown_model", False)
    assert "`ollama pull gemma4:e2b`" in error.detail


async def test_a_200_with_one_body_that_is_an_error_is_an_error(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Status(200, b'{"error":"boom"}'))
    _, error = await failing(ollama.stream(ask()))
    assert (error.code, error.retryable) == ("provider_error", True)
    assert "boom" in error.detail


@pytest.mark.parametrize("how", ["clean", "eof", "rst", "mid_json", "mid_crlf", "mid_size"])
async def test_a_cut_is_told_as_a_cut_and_the_words_before_it_stay(
    ollama: Ollama, upstream: OllamaStandIn, how: Any
) -> None:
    upstream.play(Answer(tokens=20), Cut(after_tokens=3, how=how))
    pieces, error = await failing(ollama.stream(ask(thinking=False)))
    assert (error.code, error.retryable) == ("upstream_truncated", True)
    assert text(pieces) or how == "rst"


@pytest.mark.parametrize(
    "rubbish",
    [
        Body((HTML,)),
        Status(200, HTML, (), "text/html"),
        Body((b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n', b"data: [DONE]\n\n")),
        Body((b"event: message_start\n",)),
        Body((b"Ollama is running",)),
        Body((b"\x00\xff\xfe\n",)),
        Bytes((b"SSH-2.0-OpenSSH_9.9\r\n",)),
    ],
    ids=range(7),
)
async def test_something_else_than_ollama_at_the_address_is_garbage(
    ollama: Ollama, upstream: OllamaStandIn, rubbish: Behaviour
) -> None:
    upstream.play(rubbish)
    pieces, error = await failing(ollama.stream(ask()))
    assert pieces == []
    assert (error.code, error.retryable) == ("upstream_garbage", True)
    assert "base URL" in error.detail or "OLLAMA_BASE_URL" in error.detail


@pytest.mark.parametrize("body", [b"", b"\n\n"])
async def test_an_answer_of_nothing_is_a_cut(
    ollama: Ollama, upstream: OllamaStandIn, body: bytes
) -> None:
    upstream.play(Body((body,) if body else ()))
    _, error = await failing(ollama.stream(ask()))
    assert error.code == "upstream_truncated"


async def test_a_model_that_was_only_loaded_has_not_answered(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    _, error = await failing(ollama.stream(replace(ask(), turns=())))
    assert (error.code, error.retryable) == ("empty_answer", True)


async def test_thoughts_without_an_answer_are_kept_and_called_empty(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(text=""))
    pieces, error = await failing(ollama.stream(ask()))
    assert thoughts(pieces)
    assert (error.code, error.retryable) == ("empty_answer", True)


async def test_thoughts_that_ate_the_limit_are_a_normal_end(ollama: Ollama) -> None:
    pieces = await collect(ollama.stream(ask(max_tokens=2)))
    assert (text(pieces), finish(pieces).reason) == ("", "length")


async def test_nobody_at_the_address_is_told_as_such(wire: Wire, upstream: OllamaStandIn) -> None:
    ollama = Ollama(wire, api_key=None, base_url=upstream.url)
    await upstream.stop()
    _, error = await failing(ollama.stream(ask()))
    assert (error.code, error.retryable) == ("upstream_unreachable", True)


# ── settings ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("base_url", "key", "mend"),
    [
        (None, None, "set OLLAMA_BASE_URL in .env (for example http://localhost:11434)"),
        ("  ", KEY, "set OLLAMA_BASE_URL"),
        ("/v1", None, "set OLLAMA_BASE_URL"),
        ("http://localhost:11434", "ключ", "OLLAMA_API_KEY in .env holds characters"),
        ("http://localhost:11434", "a\nb", "copy it again"),
    ],
)
def test_without_an_address_nobody_is_asked(
    wire: Wire, base_url: str | None, key: str | None, mend: str
) -> None:
    ollama = Ollama(wire, api_key=key, base_url=base_url)
    assert not ollama.readiness().ready
    assert mend in ollama.readiness().note
    with pytest.raises(UpstreamError) as caught:
        ollama.stream(ask())
    assert (caught.value.code, caught.value.status) == ("provider_not_configured", 503)


def test_an_address_alone_is_enough(wire: Wire) -> None:
    ollama = Ollama(wire, api_key=None, base_url="http://localhost:11434")
    assert ollama.readiness().ready


LEAKS: list[Behaviour] = [
    refused(400, f"your key {KEY} is bad"),
    refused(401, f"Bearer {KEY}"),
    refused(404, f"model '{KEY}' not found"),
    refused(429, f"{KEY[:12]}...{KEY[-8:]}"),
    refused(400, json.dumps({"error": {"message": f"exceeds the context length: {KEY}"}})),
    ErrorLine(KEY),
    ErrorLine(f"model '{KEY}' not found"),
    Insert(KEY.encode() + b"\n", 2),
    Cut(after_tokens=2),
]


@pytest.mark.parametrize("leak", LEAKS, ids=range(len(LEAKS)))
async def test_the_key_is_in_no_sentence_and_no_traceback(
    ollama: Ollama, upstream: OllamaStandIn, leak: Behaviour
) -> None:
    upstream.play(leak)
    _, error = await failing(ollama.stream(ask()))
    assert "canary" not in error.detail
    assert "c3d2" not in error.detail
    assert "canary" not in repr(error)
    assert KEY not in "".join(traceback.format_exception(error))
