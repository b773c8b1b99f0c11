"""The official client talks to the Anthropic stand-in as it does to the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from standins.anthropic import AnthropicStandIn, Fault, Without, refusing
from standins.behaviours import Answer, FailThen
from standins.reply import Headers
from tests.standins.raw import post, send

KEY = "sk-ant-test"
ASK: list[Any] = [{"role": "user", "content": "Tell me about the harbour."}]
VERSION = {"anthropic-version": "2023-06-01"}
CACHED = {"type": "ephemeral"}
SHOWN: Any = {"type": "adaptive", "display": "summarized"}


@pytest.fixture
async def claude() -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn(key=KEY, wait_scale=0) as standin:
        yield standin


@pytest.fixture
async def sdk(claude: AnthropicStandIn) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=claude.url, api_key=KEY, max_retries=0) as client:
        yield client


def asking(**more: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": ASK, **more}


async def told(sdk: anthropic.AsyncAnthropic, **more: Any) -> anthropic.types.Message:
    async with sdk.messages.stream(**asking(**more)) as stream:
        return await stream.get_final_message()


async def test_it_streams_thinking_then_text_then_usage(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn
) -> None:
    claude.play(Answer(reasoning="Let me see. 嗯", text="Grüße, 🙂 and more."))
    message = await told(sdk, thinking=SHOWN)
    thought, text = message.content
    assert thought.type == "thinking"
    assert text.type == "text"
    assert (thought.thinking, text.text) == ("Let me see. 嗯", "Grüße, 🙂 and more.")
    assert thought.signature
    assert (message.stop_reason, message.model) == ("end_turn", "claude-sonnet-5-5")
    usage = message.usage
    assert usage.output_tokens_details is not None
    assert usage.output_tokens > usage.output_tokens_details.thinking_tokens > 0
    assert usage.input_tokens == 9  # 34 bytes with the role's mark
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)


async def test_the_events_come_in_the_vendors_order(sdk: anthropic.AsyncAnthropic) -> None:
    names: list[str] = []
    name: str
    stream = await sdk.messages.create(**asking(thinking=SHOWN), stream=True)
    async for event in stream:
        name = event.type
        if event.type == "content_block_delta":
            name = event.delta.type
        if not names or names[-1] != name:
            names.append(name)
    block = ("content_block_start", "content_block_stop")
    assert names == [
        "message_start",
        block[0],
        "thinking_delta",
        "signature_delta",
        block[1],
        block[0],
        "text_delta",
        block[1],
        "message_delta",
        "message_stop",
    ]


async def test_the_whole_answer_is_the_streamed_one(sdk: anthropic.AsyncAnthropic) -> None:
    whole = await sdk.messages.create(**asking(thinking=SHOWN))
    streamed = await told(sdk, thinking=SHOWN)
    assert [one.to_dict() for one in streamed.content] == [one.to_dict() for one in whole.content]
    assert streamed.usage == whole.usage
    assert streamed.stop_reason == whole.stop_reason


@pytest.mark.parametrize(
    ("model", "thinking", "thoughts"),
    [
        ("claude-sonnet-5-5", None, [""]),  # it thinks unasked, and keeps it to itself
        ("claude-sonnet-5-5", SHOWN, ["shown"]),
        ("claude-sonnet-5-5", {"type": "between_tools"}, []),
        ("claude-opus-4-8", None, []),
        ("claude-opus-4-8", {"type": "adaptive"}, [""]),
        ("claude-opus-4-6", {"type": "adaptive"}, ["shown"]),
        ("claude-haiku-4-5", None, []),
    ],
)
async def test_each_generation_thinks_by_its_own_habit(
    sdk: anthropic.AsyncAnthropic,
    claude: AnthropicStandIn,
    model: str,
    thinking: Any,
    thoughts: list[str],
) -> None:
    claude.play(Answer(reasoning="shown", text="Yes."))
    more = {"thinking": thinking} if thinking else {}
    message = await told(sdk, model=model, **more)
    assert [one.thinking for one in message.content if one.type == "thinking"] == thoughts


@pytest.mark.parametrize(
    "reason",
    [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
    ],
)
async def test_it_can_end_for_every_reason(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn, reason: str
) -> None:
    claude.play(Answer(finish_reason=reason))
    assert (await told(sdk)).stop_reason == reason


async def test_limits_and_stop_sequences_end_it_by_themselves(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn
) -> None:
    claude.always(Answer(reasoning="", text="one two three"))
    short = await told(sdk, max_tokens=2)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 2)
    stopped = await told(sdk, stop_sequences=["never", "two"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "two")


async def test_a_marked_prefix_is_written_once_and_read_afterwards(
    sdk: anthropic.AsyncAnthropic,
) -> None:
    first = {"type": "text", "text": "word " * 1000, "cache_control": CACHED}
    talk: list[Any] = [{"role": "user", "content": [first]}]
    one = (await told(sdk, messages=talk)).usage
    assert (one.cache_creation_input_tokens, one.cache_read_input_tokens) == (1252, 0)
    again: dict[str, Any] = {"type": "text", "text": "And now?", "cache_control": CACHED}
    talk += [
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [again]},
    ]
    two = (await told(sdk, messages=talk)).usage
    assert two.cache_read_input_tokens == 1252
    assert two.cache_creation_input_tokens
    assert 0 < two.cache_creation_input_tokens < 20
    assert two.input_tokens == 0


async def test_a_prefill_is_continued_and_only_the_rest_is_said(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn
) -> None:
    claude.always(Answer(text="one two three"))
    prefilled = [*ASK, {"role": "assistant", "content": "one two"}]
    message = await told(sdk, model="claude-haiku-4-5", messages=prefilled)
    assert [one.text for one in message.content if one.type == "text"] == [" three"]


TEXT = {"type": "text", "text": "Hi"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": 0}, "max_tokens: Input should be greater"),
    ({"max_tokens": 200_000}, "200000 > 128000, which is the maximum"),
    ({"messages": []}, "at least one message is required"),
    ({"messages": [{"role": "assistant", "content": "Hi"}]}, 'must use the "user" role'),
    ({"messages": [{"role": "user", "content": ""}]}, "must be non-empty"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "non-whitespace"),
    ({"messages": [{"role": "user", "content": 5}]}, "valid string or list"),
    ({"messages": [{"role": "user", "content": [{"type": "odd"}]}]}, "Input tag does not match"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "text.text: Input should"),
    ({"messages": [{"role": "user"}]}, "should have a role and a content"),
    ({"messages": [{"role": "user", "content": [dict(TEXT, cache_control=5)]}]}, "cache_control"),
    ({"messages": [{"role": "user", "content": [dict(TEXT, cache_control=CACHED)] * 5}]}, "of 4"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "role: Input should be"),
    ({"system": [{"type": "text", "text": ""}]}, "must be non-empty"),
    ({"stop_sequences": [" "]}, "must contain non-whitespace"),
    ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
    ({"thinking": {"type": "disabled"}}, "thinking.type.disabled"),
    ({"thinking": {"type": "odd"}}, "thinking: Input tag"),
    ({"output_config": {"effort": "odd"}}, "output_config.effort"),
    (
        {"output_config": {"effort": "max"}, "thinking": {"type": "between_tools"}},
        "effort level 'max'",
    ),
    ({"messages": [*ASK, {"role": "assistant", "content": "I"}]}, "does not support assistant"),
    ({"seed": 5}, "seed: Extra inputs are not permitted"),
    ({"temperature": 0.5}, "temperature: Extra inputs"),  # of the newest version
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG, ids=range(len(WRONG)))
async def test_what_the_vendor_refuses_is_refused(
    sdk: anthropic.AsyncAnthropic, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        await sdk.post("/v1/messages", body=asking(**fields), cast_to=object)
    assert sentence in caught.value.message


OLDER: list[tuple[dict[str, Any], str]] = [
    ({"temperature": 1.5}, "temperature: range: 0..1"),
    ({"temperature": 0.5, "top_p": 0.5}, "cannot both be specified"),
    ({"temperature": 0.5, "thinking": {"type": "adaptive"}}, "may only be set to 1"),
    ({"top_p": 0.5, "thinking": {"type": "adaptive"}}, "greater than or equal to 0.95"),
    ({"top_k": 5, "thinking": {"type": "adaptive"}}, "must be unset"),
    ({"model": "claude-opus-4-8", "temperature": 0.5}, "is deprecated for this model"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than"),
    ({"output_config": {"effort": "xhigh"}}, "effort level 'xhigh'"),
    ({"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
    ({"thinking": {"type": "adaptive", "display": "odd"}}, "thinking.display"),
    (
        {"model": "claude-haiku-4-5", "messages": [*ASK, {"role": "assistant", "content": "I "}]},
        "cannot end with trailing whitespace",
    ),
    ({"stop_sequences": [5]}, "Input should be a valid string"),
    ({"messages": None}, "messages: Input should be a valid list"),
]


@pytest.mark.parametrize(("fields", "sentence"), OLDER, ids=range(len(OLDER)))
async def test_the_older_version_of_the_api_has_rules_for_sampling(
    claude: AnthropicStandIn, fields: dict[str, Any], sentence: str
) -> None:
    async with anthropic.AsyncAnthropic(
        base_url=claude.url,
        api_key=KEY,
        max_retries=0,
        default_headers=VERSION,
    ) as older:
        body = asking(model="claude-opus-4-6") | fields
        with pytest.raises(anthropic.BadRequestError) as caught:
            await older.post("/v1/messages", body=body, cast_to=object)
    assert sentence in caught.value.message


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
async def test_what_is_required_is_missed(sdk: anthropic.AsyncAnthropic, name: str) -> None:
    body = {key: value for key, value in asking().items() if key != name}
    with pytest.raises(anthropic.BadRequestError, match=f"{name}: Field required"):
        await sdk.post("/v1/messages", body=body, cast_to=object)


KNOWN = (f"x-api-key: {KEY}", "anthropic-version: 2023-06-01")


@pytest.mark.parametrize(
    ("path", "headers", "raw", "verdict"),
    [
        ("/v1/messages", (), b"{}", (401, "x-api-key header is required")),
        ("/v1/messages", KNOWN[:1], b"{}", (400, "anthropic-version: header is required")),
        (
            "/v1/messages",
            (KNOWN[0], "anthropic-version: 2020-01-01"),
            b"{}",
            (400, "is not a valid version"),
        ),
        ("/v1/messages", KNOWN, b"{oops", (400, "is not valid JSON")),
        ("/v1/messages", KNOWN, b"[]", (400, "valid dictionary")),
        ("/v1/elsewhere", KNOWN, b"{}", (404, "Not found")),
    ],
)
async def test_headers_and_shape_are_looked_at_first(
    claude: AnthropicStandIn, path: str, headers: tuple[str, ...], raw: bytes, verdict: Any
) -> None:
    said = await send(claude, post(raw, path, headers, key=""))
    assert said.status == verdict[0]
    assert said.json["type"] == "error"
    assert verdict[1] in said.json["error"]["message"]
    assert f"request-id: {said.json['request_id']}".encode() in said.head


async def test_a_wrong_key_and_an_unknown_model_have_their_own_errors(
    claude: AnthropicStandIn, sdk: anthropic.AsyncAnthropic
) -> None:
    async with anthropic.AsyncAnthropic(base_url=claude.url, api_key="sk-ant-no") as stranger:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await stranger.messages.create(**asking())
    with pytest.raises(anthropic.NotFoundError, match="model: claude-zebra") as caught:
        await sdk.messages.create(**asking(model="claude-zebra"))
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("code", "kind", "error"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (413, "request_too_large", anthropic.RequestTooLargeError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.OverloadedError),
    ],
)
async def test_a_status_becomes_the_clients_own_error(
    claude: AnthropicStandIn,
    sdk: anthropic.AsyncAnthropic,
    code: int,
    kind: str,
    error: type[anthropic.APIStatusError],
) -> None:
    claude.play(refusing(code, kind))
    with pytest.raises(error) as caught:
        await sdk.messages.create(**asking())
    assert caught.value.status_code == code


async def test_the_clients_own_retries_get_through(claude: AnthropicStandIn) -> None:
    soon: Headers = (("retry-after-ms", "1"),)
    claude.always(FailThen(2, refusing(529, "overloaded_error", headers=soon)))
    async with anthropic.AsyncAnthropic(base_url=claude.url, api_key=KEY, max_retries=2) as patient:
        assert (await patient.messages.create(**asking())).stop_reason == "end_turn"
    assert len(claude.chats) == 3


async def test_an_error_inside_the_stream_is_raised_by_the_client(
    claude: AnthropicStandIn, sdk: anthropic.AsyncAnthropic
) -> None:
    claude.play(Fault())
    texts: list[str] = []

    async def read() -> None:
        async with sdk.messages.stream(**asking(thinking={"type": "between_tools"})) as stream:
            texts.extend([text async for text in stream.text_stream])

    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        await read()


async def test_a_stream_may_end_before_its_last_event(
    claude: AnthropicStandIn, sdk: anthropic.AsyncAnthropic
) -> None:
    claude.play(Without("message_delta", then_over=True))
    assert (await told(sdk)).stop_reason is None


async def test_its_list_is_read_page_by_page(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn
) -> None:
    models = [model async for model in sdk.models.list(limit=5)]
    assert len(models) == len({model.id for model in models}) == 12
    assert len(claude.requests) == 3
    (haiku,) = [model for model in models if model.id == "claude-haiku-4-5-20251001"]
    assert (haiku.lifecycle, haiku.max_input_tokens, haiku.max_tokens) == (
        "active",
        200_000,
        64_000,
    )
    assert [model.id async for model in sdk.models.list()] == [model.id for model in models]
    assert len(claude.requests) == 4
