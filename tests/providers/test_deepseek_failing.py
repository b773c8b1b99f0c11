"""DeepSeek in bad moods: every failure has its code, keeps the words before it, and no key."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.deepseek import DeepSeek
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import (
    Answer,
    Behaviour,
    ContentAs,
    Cut,
    ErrorEvent,
    FinishAs,
    Insert,
    OkError,
    Status,
)
from standins.deepseek import DeepSeekStandIn

from .conftest import collect, failing, finish, prompt, text, thoughts

KEY = "sk-canary0f1e2d3c4b5a69788796a5b4c3d2"
THINKING: dict[str, Any] = {"thinking": True}
PLAIN: dict[str, Any] = {"thinking": False}


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    async with DeepSeekStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def deepseek(wire: Wire, upstream: DeepSeekStandIn) -> DeepSeek:
    return DeepSeek(wire, api_key=KEY, base_url=upstream.url)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status(400), ("provider_bad_request", 502, False)),
        (Status(401), ("provider_auth", 502, False)),
        (Status(402), ("provider_balance", 502, False)),
        (Status(404), ("provider_not_found", 502, False)),
        (Status(408), ("upstream_timeout", 504, True)),
        (Status(413), ("provider_bad_request", 502, False)),
        (Status(422), ("provider_bad_request", 502, False)),
        (Status(429), ("provider_rate_limited", 503, True)),
        (Status(500), ("provider_error", 502, True)),
        (Status(502, b"<html>Bad Gateway</html>", (), "text/html"), ("provider_error", 502, True)),
        (Status(503), ("provider_overloaded", 503, True)),
        (Status(504, b""), ("provider_error", 502, True)),
        (Status(524, b"<html>524</html>", (), "text/html"), ("provider_error", 502, True)),
        (Status(500, b'{"error":{"mess', declared_bytes=500), ("provider_error", 502, True)),
        (
            Status(500, b"\0" * 200_000, (), "application/octet-stream"),
            ("provider_error", 502, True),
        ),
    ],
    ids=range(15),
)
async def test_every_refusal_has_its_code(
    deepseek: DeepSeek,
    upstream: DeepSeekStandIn,
    status: Status,
    verdict: tuple[str, int, bool],
) -> None:
    upstream.play(status)
    pieces, error = await failing(deepseek.stream(prompt()))
    assert pieces == []
    assert (error.code, error.status, error.retryable) == verdict


async def test_too_many_requests_says_what_the_limit_depends_on(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Status(429, headers=(("retry-after", "2"),)))
    _, error = await failing(deepseek.stream(prompt()))
    assert "at once" in error.detail
    assert "balance" in error.detail
    assert error.retry_after_s == 2.0


async def test_a_retired_model_is_named_as_such(deepseek: DeepSeek) -> None:
    _, error = await failing(deepseek.stream(prompt(model="deepseek-chat")))
    assert error.code == "provider_unknown_model"
    assert "deepseek-chat" in error.detail


@pytest.mark.parametrize(
    "how", ["clean", "eof", "rst", "mid_json", "mid_crlf", "mid_size", "no_finish"]
)
async def test_a_cut_is_told_as_a_cut_and_the_words_before_it_stay(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, how: Any
) -> None:
    upstream.play(Answer(tokens=20), Cut(after_tokens=3, how=how))
    pieces, error = await failing(deepseek.stream(prompt(**PLAIN)))
    assert (error.code, error.retryable) == ("upstream_truncated", True)
    assert text(pieces) or how == "rst"


@pytest.mark.parametrize(
    "form",
    [
        "openai",
        "openrouter",
        "event_line",
        "event_line_bare",
        "x_groq",
        "flat",
        "string",
        "field",
    ],
)
@pytest.mark.parametrize("after", [0, 2])
async def test_an_error_in_the_stream_fails_the_answer(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, form: Any, after: int
) -> None:
    upstream.play(ErrorEvent(form, after))
    pieces, error = await failing(deepseek.stream(prompt(**PLAIN)))
    assert error.code in ("provider_error", "provider_overloaded")
    assert "boom" in error.detail
    assert bool(text(pieces)) == bool(after)


@pytest.mark.parametrize("in_choice", [False, True])
async def test_a_200_with_an_error_in_it_is_an_error(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, in_choice: bool
) -> None:
    upstream.play(OkError(in_choice))
    _, error = await failing(deepseek.stream(prompt()))
    assert error.code == "provider_error"
    assert "upstream failed" in error.detail


@pytest.mark.parametrize("reason", ["insufficient_system_resource", "aborted", "error"])
async def test_a_finish_that_is_none_is_an_error(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, reason: str
) -> None:
    upstream.play(FinishAs(reason))
    pieces, error = await failing(deepseek.stream(prompt(**PLAIN)))
    assert (error.code, error.status, error.retryable) == ("upstream_gave_up", 503, True)
    assert text(pieces)


async def test_thoughts_without_an_answer_are_kept_and_called_empty(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(ContentAs("none"))
    pieces, error = await failing(deepseek.stream(prompt(**THINKING)))
    assert thoughts(pieces)
    assert (error.code, error.status, error.retryable) == ("empty_answer", 502, True)


async def test_thoughts_that_ate_the_limit_are_a_normal_end(deepseek: DeepSeek) -> None:
    pieces = await collect(deepseek.stream(prompt(max_tokens=2, **THINKING)))
    assert (text(pieces), finish(pieces).reason) == ("", "length")


async def test_without_a_key_nobody_is_asked(wire: Wire, upstream: DeepSeekStandIn) -> None:
    for key, mend in ((None, "set DEEPSEEK_API_KEY"), (" ", "set"), ("sk-ключ\n1", "copy it")):
        deepseek = DeepSeek(wire, api_key=key, base_url=upstream.url)
        assert not deepseek.readiness().ready
        assert mend in deepseek.readiness().note
        with pytest.raises(UpstreamError) as caught:
            deepseek.stream(prompt())
        assert (caught.value.code, caught.value.status) == ("provider_not_configured", 503)
    assert not upstream.requests


LEAKS: list[Behaviour] = [
    Status(400, b'{"error":{"message":"your key ' + KEY.encode() + b' is bad"}}'),
    Status(401, b"Authentication Fails, Your api key: ****c3d2 is invalid"),
    Status(422, b"Bearer " + KEY.encode()),
    Status(429, b'{"error":{"message":"' + KEY[:12].encode() + b"..." + KEY[-8:].encode() + b'"}}'),
    Status(500, KEY.encode()),
    Insert(b'data: {"error":{"message":"' + KEY.encode() + b'"}}\n\n', 2),
    Insert(b"data: " + KEY.encode() + b"\n\n", 2),
    Cut(after_tokens=2),
]


@pytest.mark.parametrize("leak", LEAKS, ids=range(len(LEAKS)))
async def test_the_key_is_in_no_sentence_and_no_traceback(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, leak: Behaviour
) -> None:
    upstream.play(leak)
    _, error = await failing(deepseek.stream(prompt(**PLAIN)))
    assert "canary" not in error.detail
    assert "c3d2" not in error.detail
    assert "canary" not in repr(error)
    assert KEY not in "".join(traceback.format_exception(error))
