"""Google's own client talks to the stand-in as it does to Gemini."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from standins.behaviours import Answer, Cut
from standins.gemini import Block, BreakIn, GeminiStandIn, Refuse
from standins.gemini_refusal import GeminiRefusal
from standins.gemini_rules import quota

KEY = "AIzaSy-test"
FLASH = "gemini-3.8-flash"
SHOWN = types.GenerateContentConfig(
    thinking_config=types.ThinkingConfig(include_thoughts=True),
    system_instruction="Be kind.",
)


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(key=KEY, wait_scale=0) as standin:
        yield standin


@pytest.fixture
async def client(upstream: GeminiStandIn) -> AsyncIterator[Any]:
    """Google's client, asking the stand-in, once only."""
    async with httpx2.AsyncClient() as http:
        yield asking(upstream, http, KEY)


def asking(upstream: GeminiStandIn, http: httpx2.AsyncClient, key: str) -> Any:
    """A client with this key."""
    retries = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(
        base_url=upstream.url, retry_options=retries, httpx_async_client=http
    )
    return genai.Client(api_key=key, http_options=options).aio.models


async def streamed(client: Any, **more: Any) -> list[Any]:
    """The responses of one stream."""
    asked: dict[str, Any] = {"model": FLASH, "contents": "Tell me.", "config": SHOWN, **more}
    return [row async for row in await client.generate_content_stream(**asked)]


def parts(rows: list[Any], thought: bool) -> str:
    """The text of the thoughts, or of the answer."""
    found = (part for row in rows for part in (row.candidates[0].content.parts or ()))
    return "".join(part.text for part in found if bool(part.thought) is thought)


async def test_it_streams_thoughts_then_text_and_a_bill_that_grows(
    client: Any,
    upstream: GeminiStandIn,
) -> None:
    upstream.play(Answer(text="Grüße, 世界 \u2028 \U0001f600!", reasoning="Be polite, 嗯."))
    rows = await streamed(client)
    assert parts(rows, thought=True) == "Be polite, 嗯."
    assert parts(rows, thought=False) == "Grüße, 世界 \u2028 \U0001f600!"
    totals = [row.usage_metadata.total_token_count for row in rows]
    assert totals == sorted(totals)
    last = rows[-1]
    usage = last.usage_metadata
    assert last.candidates[0].finish_reason is types.FinishReason.STOP
    assert last.candidates[0].content.parts[0].thought_signature
    assert (last.model_version, bool(last.response_id)) == (FLASH, True)
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )
    assert (usage.thoughts_token_count, usage.candidates_token_count) == (5, 7)


async def test_its_request_passes_the_rules_of_the_stand_in(
    client: Any, upstream: GeminiStandIn
) -> None:
    await streamed(client)
    request = upstream.requests[-1]
    assert request.path == f"/v1/models/{FLASH}:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    assert isinstance(request.body, dict)
    assert request.body["generationConfig"] == {"thinkingConfig": {"include_thoughts": True}}
    assert request.body["systemInstruction"]["parts"] == [{"text": "Be kind."}]


async def test_the_whole_answer_says_what_the_stream_says(
    client: Any, upstream: GeminiStandIn
) -> None:
    rows = await streamed(client)
    asked: dict[str, Any] = {"model": FLASH, "contents": "Tell me.", "config": SHOWN}
    whole = await client.generate_content(**asked)
    assert parts([whole], thought=False) == parts(rows, thought=False)
    assert parts([whole], thought=True) == parts(rows, thought=True)
    assert whole.usage_metadata.total_token_count == rows[-1].usage_metadata.total_token_count


async def test_a_long_question_is_read_from_the_cache_the_second_time(
    client: Any,
    upstream: GeminiStandIn,
) -> None:
    for expected in (None, 512):
        rows = await streamed(client, contents="word " * 450)
        assert rows[-1].usage_metadata.cached_content_token_count == expected


@pytest.mark.parametrize(
    "reason", ["MAX_TOKENS", "SAFETY", "RECITATION", "MALFORMED_FUNCTION_CALL", "OTHER"]
)
async def test_an_answer_can_end_in_every_way(
    client: Any, upstream: GeminiStandIn, reason: str
) -> None:
    upstream.play(Answer(text="So far", finish_reason=reason))
    rows = await streamed(client)
    assert rows[-1].candidates[0].finish_reason == reason


async def test_a_blocked_prompt_has_a_reason_and_no_candidates(
    client: Any, upstream: GeminiStandIn
) -> None:
    upstream.play(Block("SAFETY"))
    (row,) = await streamed(client)
    assert row.prompt_feedback.block_reason is types.BlockedReason.SAFETY
    assert not row.candidates


async def test_an_error_in_the_middle_is_the_clients_own_error(
    client: Any, upstream: GeminiStandIn
) -> None:
    upstream.play(BreakIn(GeminiRefusal("The model is overloaded.", 503), 3))
    with pytest.raises(errors.ServerError) as caught:
        await streamed(client)
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")


async def test_a_cut_is_no_answer(client: Any, upstream: GeminiStandIn) -> None:
    upstream.play(Cut(3, "clean"))
    rows = await streamed(client)
    assert len(rows) == 3
    assert rows[-1].candidates[0].finish_reason is None


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("refusal", [GeminiRefusal("No"), quota(38), GeminiRefusal("Sorry", 500)])
async def test_a_refusal_is_the_clients_own_error(
    client: Any, upstream: GeminiStandIn, refusal: GeminiRefusal, listed: bool
) -> None:
    upstream.play(Refuse(refusal, listed))
    with pytest.raises(errors.APIError) as caught:
        await streamed(client)
    assert (caught.value.code, caught.value.status) == (refusal.status, refusal.kind)


async def test_a_wrong_key_is_refused_as_google_does(client: Any, upstream: GeminiStandIn) -> None:
    async with httpx2.AsyncClient() as http:
        stranger = asking(upstream, http, "AIzaSy-wrong")
        with pytest.raises(errors.ClientError, match="API key not valid") as caught:
            await stranger.generate_content(model=FLASH, contents="Hi")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


def config(**given: Any) -> types.GenerateContentConfig:
    """A config."""
    return types.GenerateContentConfig(**given)


def thinking(**given: Any) -> types.GenerateContentConfig:
    """A config that says how to think."""
    return config(thinking_config=types.ThinkingConfig(**given))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"model": "gemini-1.0-pro"}, "is not found for API version"),
        ({"contents": [types.Content(role="model", parts=[types.Part(text="a")])]}, "model turn"),
        ({"contents": [types.Content(role="bot", parts=[types.Part(text="a")])]}, "valid role"),
        ({"contents": [types.Content(role="user", parts=[])]}, "must not be empty"),
        ({"contents": [types.Content(role="user", parts=[types.Part()])]}, "one initialized"),
        ({"config": config(frequency_penalty=0.5)}, "Penalty is not enabled"),
        ({"config": config(stop_sequences=list("abcdef"))}, "stop sequences"),
        ({"config": config(seed=2**31)}, "TYPE_INT32"),
        ({"config": config(audio_timestamp=None, response_logprobs=True)}, "Unknown name"),
        ({"config": thinking(thinking_level="MINIMAL")}, "MINIMAL is not supported"),
        ({"config": thinking(thinking_budget=0)}, "Budget 0 is invalid"),
        ({"config": thinking(thinking_budget=5, thinking_level="LOW")}, "only one of"),
        (
            {"model": "gemini-2.5-pro", "config": thinking(thinking_level="LOW")},
            "Thinking level is not supported",
        ),
        ({"contents": "long " * 900_000}, "exceeds the maximum number of tokens"),
    ],
)
async def test_what_gemini_refuses_is_refused(
    client: Any, upstream: GeminiStandIn, asked: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(errors.ClientError, match=sentence):
        await streamed(client, **asked)


async def test_its_list_is_read_page_by_page(client: Any, upstream: GeminiStandIn) -> None:
    models = [model async for model in await client.list(config={"page_size": 5})]
    assert len(models) == len({model.name for model in models}) == 14
    assert len(upstream.requests) == 3
    (flash,) = [model for model in models if model.name == f"models/{FLASH}"]
    assert (flash.input_token_limit, flash.output_token_limit) == (1_048_576, 65_536)
    assert "generateContent" in flash.supported_actions
