"""How Gemini fails, and what becomes of it: a stable code, a sentence, and never a key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.gemini import Gemini
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer, Behaviour, Cut, OkError, Status
from standins.gemini import Block, BreakIn, GeminiStandIn, Refuse
from standins.gemini_refusal import GeminiRefusal
from standins.gemini_rules import quota

from .conftest import collect, failing, prompt, text

KEY = "AIzaSy-canary0f1e2d3c4b5a69788796a5b4c3d"
FLASH = "gemini-3.8-flash"
BUSY = GeminiRefusal("The model is overloaded. Please try again later.", 503)


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def gemini(wire: Wire, upstream: GeminiStandIn) -> Gemini:
    return Gemini(wire, api_key=KEY, base_url=upstream.url)


async def failure(gemini: Gemini, model: str = FLASH) -> UpstreamError:
    """The error of an answer of which nothing came."""
    before, error = await failing(gemini.stream(prompt(model=model)))
    assert before == []
    assert KEY[:12] not in error.detail
    return error


# ── before the answer ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_without_a_key_nothing_is_asked(wire: Wire, key: str | None) -> None:
    gemini = Gemini(wire, api_key=key, base_url="http://127.0.0.1:1")
    assert not gemini.readiness().ready
    with pytest.raises(UpstreamError, match="GEMINI_API_KEY") as caught:
        gemini.stream(prompt(model=FLASH))
    assert caught.value.code == "provider_not_configured"


def test_a_key_that_no_header_can_carry_is_not_ready(wire: Wire) -> None:
    readiness = Gemini(wire, api_key="AIza\u2013x", base_url="http://127.0.0.1:1").readiness()
    assert (readiness.ready, "GEMINI_API_KEY" in readiness.note) == (False, True)


async def test_a_wrong_key_is_a_matter_of_the_key_although_it_is_a_400(
    wire: Wire, upstream: GeminiStandIn
) -> None:
    stranger = Gemini(wire, api_key="AIzaSy-wrong", base_url=upstream.url)
    _, error = await failing(stranger.stream(prompt(model=FLASH)))
    assert (error.code, error.retryable) == ("provider_auth", False)
    assert error.detail == "gemini refused the key: check GEMINI_API_KEY in .env"


async def test_a_key_is_never_quoted(gemini: Gemini, upstream: GeminiStandIn) -> None:
    upstream.play(Refuse(GeminiRefusal(f"consumer 'api_key:{KEY}' is suspended", 403)))
    error = await failure(gemini)
    assert error.code == "provider_auth"
    assert "suspended" in error.detail
    assert "GEMINI_API_KEY" in error.detail


async def test_a_model_that_is_not_served_is_named_so(gemini: Gemini) -> None:
    error = await failure(gemini, "gemini-1.5-pro")
    assert (error.code, error.retryable) == ("provider_unknown_model", False)
    assert "gemini-1.5-pro" in error.detail


REFUSALS: list[tuple[Behaviour, tuple[str, int, bool, float | None]]] = [
    (Refuse(BUSY), ("provider_overloaded", 503, True, None)),
    (Refuse(BUSY, listed=True), ("provider_overloaded", 503, True, None)),
    (Refuse(quota(47.434392449)), ("provider_rate_limited", 503, True, 47.434392449)),
    (Refuse(quota(38), listed=True), ("provider_rate_limited", 503, True, 38.0)),
    (Refuse(quota(38, "PerDay")), ("provider_rate_limited", 503, False, None)),
    (
        Refuse(GeminiRefusal("Your prepayment credits are depleted.", 429)),
        ("provider_balance", 502, False, None),
    ),
    (Refuse(GeminiRefusal("An internal error", 500)), ("provider_error", 502, True, None)),
    (Refuse(GeminiRefusal("Deadline expired", 504)), ("upstream_timeout", 504, True, None)),
    (
        Refuse(GeminiRefusal("This model models/gemini-2.0-flash is no longer available.", 404)),
        ("provider_unknown_model", 502, False, None),
    ),
    (
        Refuse(
            GeminiRefusal(
                "The input token count (1054016) exceeds the maximum number of tokens allowed"
                " (1048576)."
            )
        ),
        ("provider_bad_request", 502, False, None),
    ),
    (Refuse(GeminiRefusal("API key expired. Please renew.")), ("provider_auth", 502, False, None)),
    (Refuse(GeminiRefusal("No such thing")), ("provider_bad_request", 502, False, None)),
    (Status(404, b""), ("provider_not_found", 502, False, None)),
    (Status(502, b"<html>", content_type="text/html"), ("provider_error", 502, True, None)),
    (Status(429, b""), ("provider_rate_limited", 503, True, None)),
    (OkError(), ("provider_error", 502, True, None)),
    (Block("SAFETY"), ("provider_blocked", 502, False, None)),
]


@pytest.mark.parametrize(("behaviour", "expected"), REFUSALS)
async def test_a_refusal_has_its_code(
    gemini: Gemini,
    upstream: GeminiStandIn,
    behaviour: Behaviour,
    expected: tuple[str, int, bool, float | None],
) -> None:
    upstream.play(behaviour)
    error = await failure(gemini)
    assert (error.code, error.status, error.retryable, error.retry_after_s) == expected


@pytest.mark.parametrize(
    "details",
    [
        None,
        "no list",
        [None, 5, []],
        [{"retryDelay": None}, {"retryDelay": ["38s"]}, {"retryDelay": "soon"}],
        [{"violations": {"a": 1}}, {"reason": None}],
        [{"retryDelay": "9999999999s"}],
    ],
)
async def test_odd_details_cost_the_wait_only(
    gemini: Gemini, upstream: GeminiStandIn, details: object
) -> None:
    error = {"code": 429, "message": 5, "status": None, "details": details}
    upstream.play(Status(429, json.dumps({"error": error}).encode()))
    found = await failure(gemini)
    assert (found.code, found.retry_after_s) == ("provider_rate_limited", None)


async def test_six_stop_sequences_are_one_too_many(gemini: Gemini, upstream: GeminiStandIn) -> None:
    with pytest.raises(UpstreamError, match="at most 5") as caught:
        gemini.stream(prompt(model=FLASH, stop=tuple("abcdef")))
    assert caught.value.code == "provider_bad_request"
    assert not upstream.requests


# ── in the middle of it ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("after_tokens", "cut"), [(0, False), (3, False), (3, True), (None, False), (None, True)]
)
async def test_an_error_in_the_middle_keeps_what_came_and_has_its_code(
    gemini: Gemini, upstream: GeminiStandIn, after_tokens: int | None, cut: bool
) -> None:
    upstream.play(
        Answer(text="one two three four five", reasoning_tokens=0), BreakIn(BUSY, after_tokens, cut)
    )
    pieces, error = await failing(gemini.stream(prompt(model=FLASH)))
    assert (error.code, error.retryable) == ("provider_overloaded", True)
    whole = {0: "", 3: "one two three", None: "one two three four five"}
    assert text(pieces) == whole[after_tokens]


async def test_a_quota_that_ends_in_the_middle_says_when_to_come_back(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    upstream.play(BreakIn(quota(12.5), 2))
    _, error = await failing(gemini.stream(prompt(model=FLASH)))
    assert (error.code, error.retry_after_s) == ("provider_rate_limited", 12.5)


@pytest.mark.parametrize("how", ["clean", "eof", "rst", "mid_crlf", "mid_size"])
async def test_a_cut_answer_is_truncated(gemini: Gemini, upstream: GeminiStandIn, how: str) -> None:
    upstream.play(Answer(text="one two three four five", reasoning_tokens=0), Cut(3, how))  # type: ignore[arg-type]
    pieces, error = await failing(gemini.stream(prompt(model=FLASH)))
    assert error.code == "upstream_truncated"
    assert text(pieces).startswith("one two" if how == "rst" else "one two three")


@pytest.mark.parametrize(
    ("reason", "ends"),
    [("SAFETY", "content_filter"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length")],
)
async def test_an_answer_that_was_stopped_is_kept_and_says_why(
    gemini: Gemini, upstream: GeminiStandIn, reason: str, ends: str
) -> None:
    upstream.play(Answer(text="So far", finish_reason=reason))
    pieces = await collect(gemini.stream(prompt(model=FLASH)))
    assert text(pieces) == "So far"
    assert pieces[-1].reason == ends  # type: ignore[union-attr]


async def test_a_model_that_gave_up_is_a_fault(gemini: Gemini, upstream: GeminiStandIn) -> None:
    upstream.play(Answer(text="So far", finish_reason="MALFORMED_FUNCTION_CALL"))
    pieces, error = await failing(gemini.stream(prompt(model=FLASH)))
    assert text(pieces) == "So far"
    assert (error.code, error.status, error.retryable) == ("upstream_gave_up", 503, True)
