"""Anthropic in bad moods: every failure has its code, keeps the words before it, and no key."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.wire import Wire
from standins.anthropic import AnthropicStandIn, Fault, Without, refusing
from standins.behaviours import Answer, Behaviour, Body, Bytes, Cut, Insert, Status

from .conftest import collect, failing, finish, prompt, reply, text

KEY = "sk-ant-canary0f1e2d3c4b5a69788796a5b4c3d2"
ASK = {"model": "claude-haiku-4-5"}


@pytest.fixture
async def upstream() -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def claude(wire: Wire, upstream: AnthropicStandIn) -> Anthropic:
    return Anthropic(wire, api_key=KEY, base_url=upstream.url)


CREDIT = "Your credit balance is too low to access the Anthropic API."
LONG = "prompt is too long: 200001 tokens > 200000 maximum"
HTML = b"<html>Bad Gateway</html>"

REFUSALS: list[tuple[Behaviour, tuple[str, int, bool]]] = [
    (refusing(400, "invalid_request_error"), ("provider_bad_request", 502, False)),
    (refusing(400, "invalid_request_error", CREDIT), ("provider_balance", 502, False)),
    (refusing(400, "invalid_request_error", LONG), ("provider_bad_request", 502, False)),
    (refusing(401, "authentication_error"), ("provider_auth", 502, False)),
    (refusing(402, "billing_error"), ("provider_balance", 502, False)),
    (refusing(403, "permission_error"), ("provider_auth", 502, False)),
    (refusing(404, "not_found_error", "model: claude-x"), ("provider_unknown_model", 502, False)),
    (refusing(404, "not_found_error"), ("provider_not_found", 502, False)),
    (refusing(413, "request_too_large"), ("provider_bad_request", 502, False)),
    (refusing(429, "rate_limit_error"), ("provider_rate_limited", 503, True)),
    (refusing(500, "api_error"), ("provider_error", 502, True)),
    (refusing(504, "timeout_error"), ("provider_error", 502, True)),
    (refusing(529, "overloaded_error"), ("provider_overloaded", 503, True)),
    (Status(502, HTML, (), "text/html"), ("provider_error", 502, True)),
    (Status(529, b"", (), "text/plain"), ("provider_overloaded", 503, True)),
    (Status(500, b'{"type":"err', declared_bytes=500), ("provider_error", 502, True)),
    (Status(200, HTML, (), "text/html"), ("upstream_garbage", 502, True)),
    (Status(200, b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'),
     ("provider_overloaded", 503, True)),
    (Bytes((b"\x00\x01 not http\r\n\r\n",)), ("upstream_garbage", 502, True)),
    (Bytes(()), ("upstream_unreachable", 502, True)),
    (Body(()), ("upstream_truncated", 502, True)),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "verdict"), REFUSALS, ids=range(len(REFUSALS)))
async def test_every_refusal_has_its_code(
    claude: Anthropic,
    upstream: AnthropicStandIn,
    behaviour: Behaviour,
    verdict: tuple[str, int, bool],
) -> None:
    upstream.play(behaviour)
    pieces, error = await failing(claude.stream(prompt(**ASK)))
    assert pieces == []
    assert (error.code, error.status, error.retryable) == verdict


async def test_the_vendors_wish_to_wait_is_handed_on(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(refusing(429, "rate_limit_error", headers=(("retry-after", "7"),)))
    _, error = await failing(claude.stream(prompt(**ASK)))
    assert error.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [
        ("overloaded_error", "provider_overloaded", True),
        ("rate_limit_error", "provider_rate_limited", True),
        ("api_error", "provider_error", True),
        ("timeout_error", "provider_error", True),
        ("billing_error", "provider_balance", False),
        ("not_found_error", "provider_not_found", False),
        ("request_too_large", "provider_bad_request", False),
        ("invalid_request_error", "provider_bad_request", False),
        ("brand_new_error", "provider_error", True),
    ],
)
async def test_an_error_under_a_200_has_the_code_of_its_type(
    claude: Anthropic, upstream: AnthropicStandIn, kind: str, code: str, retryable: bool
) -> None:
    upstream.play(Fault(kind))
    pieces, error = await failing(claude.stream(prompt(**ASK)))
    assert text(pieces)
    assert (error.code, error.retryable) == (code, retryable)


CUTS: list[Behaviour] = [
    *(Cut(after_tokens=3, how=how) for how in ("clean", "eof", "mid_json", "mid_size")),
    Without("message_delta", then_over=True),
    Without("message_delta"),
    Without("message_stop"),
]


@pytest.mark.parametrize("cut", CUTS, ids=repr)
async def test_a_cut_is_told_as_a_cut_and_the_words_before_it_stay(
    claude: Anthropic, upstream: AnthropicStandIn, cut: Behaviour
) -> None:
    upstream.play(Answer(tokens=20), cut)
    pieces, error = await failing(claude.stream(prompt(**ASK)))
    assert (error.code, error.retryable) == ("upstream_truncated", True)
    assert text(pieces)


@pytest.mark.parametrize(
    "raw", [b"data: {oops\n\n", b"data: 42\n\n", b'data: {"type":"message_delta","delta":7}\n\n']
)
async def test_garbage_in_the_stream_ends_the_answer(
    claude: Anthropic, upstream: AnthropicStandIn, raw: bytes
) -> None:
    upstream.play(Insert(raw))
    pieces, error = await failing(claude.stream(prompt(**ASK)))
    assert (error.code, error.retryable) == ("upstream_garbage", True)
    assert text(pieces)


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded", "pause_turn"])
async def test_what_may_be_continued_ends_in_length(
    claude: Anthropic, upstream: AnthropicStandIn, reason: str
) -> None:
    upstream.play(Answer(finish_reason=reason))
    assert finish(await collect(claude.stream(prompt(**ASK)))).reason == "length"


async def test_thoughts_that_ate_the_limit_are_a_normal_end(claude: Anthropic) -> None:
    pieces = await collect(claude.stream(prompt(model="claude-opus-5-5", max_tokens=2)))
    assert (text(pieces), finish(pieces).reason) == ("", "length")


async def test_a_refusal_keeps_its_name_and_its_words(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(Answer(text="I will not", finish_reason="refusal"))
    pieces = await collect(claude.stream(prompt(**ASK)))
    assert (text(pieces), finish(pieces).reason) == ("I will not", "refusal")


async def test_without_a_key_nobody_is_asked(wire: Wire, upstream: AnthropicStandIn) -> None:
    for key, mend in ((None, "set ANTHROPIC_API_KEY"), (" ", "set"), ("sk-ключ\n1", "copy it")):
        claude = Anthropic(wire, api_key=key, base_url=upstream.url)
        assert not claude.readiness().ready
        assert mend in claude.readiness().note
        with pytest.raises(UpstreamError) as caught:
            claude.stream(prompt(**ASK))
        assert (caught.value.code, caught.value.status) == ("provider_not_configured", 503)
    assert not upstream.requests


LEAKS: list[Behaviour] = [
    refusing(400, "invalid_request_error", f"your key {KEY} is bad"),
    refusing(401, "authentication_error", f"invalid x-api-key {KEY[:14]}...{KEY[-8:]}"),
    Status(500, KEY.encode(), (), "text/plain"),
    Fault("api_error", f"boom {KEY}"),
    Insert(b"data: " + KEY.encode() + b"\n\n"),
    Bytes((reply(404, f"model: {KEY}".encode()),)),
    Cut(after_tokens=2),
]


@pytest.mark.parametrize("leak", LEAKS, ids=range(len(LEAKS)))
async def test_the_key_is_in_no_sentence_and_no_traceback(
    claude: Anthropic, upstream: AnthropicStandIn, leak: Behaviour
) -> None:
    upstream.play(leak)
    _, error = await failing(claude.stream(prompt(**ASK)))
    said: Any = "".join(traceback.format_exception(error))
    for shown in (error.detail, repr(error), said):
        assert "canary" not in shown
        assert "c3d2" not in shown
