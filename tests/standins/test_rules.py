"""What DeepSeek refuses, and its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn, Traits
from tests.standins.raw import HELLO, Said, ask, post, send

SERDE = "Failed to deserialize the JSON body into the target type: "
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
ROLES = "`system`, `user`, `assistant`, `tool`, `latest_reminder`"
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": ""}
ANSWERS = "An assistant message with 'tool_calls' must be followed by tool messages responding to"
NO_THINKING = {"thinking": {"type": "disabled"}}
IMAGE = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


def messages(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [*HELLO, *turns]}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "a retired name",
        {"model": "deepseek-chat"},
        (
            "The supported API model names are deepseek-flash or deepseek-v4-pro, "
            "but you passed deepseek-chat."
        ),
    ),
    ("the other retired name", {"model": "deepseek-reasoner"}, "you passed deepseek-reasoner."),
    ("a foreign name", {"model": "gpt-9"}, "but you passed gpt-9."),
    ("a model that is no string", {"model": 7}, f"{SERDE}model: invalid type: integer `7`"),
    ("no messages at all", {"messages": []}, "Empty input messages"),
    ("messages that are no list", {"messages": "hi"}, 'messages: invalid type: string "hi"'),
    (
        "a message that is no object",
        {"messages": ["hi"]},
        (
            f'{SERDE}messages[0]: invalid type: string "hi", '
            "expected internally tagged enum ChatCompletionRequestMessage at line 1 column"
        ),
    ),
    (
        "a role nobody has",
        {"messages": [{"role": "developer", "content": "x"}]},
        f"{SERDE}messages[0].role: unknown variant `developer`, expected one of {ROLES} at line 1",
    ),
    (
        "a message without content",
        messages({"role": "user"}),
        f"{SERDE}messages[1]: missing field `content` at line 1 column",
    ),
    (
        "parts in a system message",
        {"messages": [{"role": "system", "content": [{"type": "text", "text": "a"}]}]},
        "messages[0]: invalid type: sequence, expected a string at line 1 column",
    ),
    (
        "a part of an unknown kind",
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        "messages[0]: unknown variant `video`, expected one of `text`, `image_url`, `file`",
    ),
    (
        "an image for a model without eyes",
        {"model": "deepseek-v4-pro", "messages": [{"role": "user", "content": IMAGE}]},
        "This model does not support image",
    ),
    (
        "a tool message without its id",
        messages({"role": "tool", "content": "x"}),
        "messages[1]: missing field `tool_call_id`",
    ),
    (
        "a tool message that answers nothing",
        messages({"role": "tool", "content": "x", "tool_call_id": "c1"}),
        "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
    ),
    (
        "a tool message for another call",
        messages(CALLED, {"role": "tool", "content": "x", "tool_call_id": "c9"}),
        (
            f"{ANSWERS} each 'tool_call_id', The following tool_call_ids did not have response "
            "messages: c1"
        ),
    ),
    (
        "a call that is not answered",
        messages(CALLED, *HELLO),
        f"{ANSWERS} each 'tool_call_id'. (insufficient tool messages following tool_calls message)",
    ),
    (
        "a turn without reasoning beside tools",
        {"tools": [TOOL], **messages({"role": "assistant", "content": "Yes."}, *HELLO)},
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
    ),
    (
        "a required tool while thinking",
        {"tools": [TOOL], "tool_choice": "required"},
        "Thinking mode does not support this tool_choice",
    ),
    (
        "a named tool while thinking",
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}},
        "Thinking mode does not support this tool_choice",
    ),
    (
        "a tool choice that is none",
        {"tools": [TOOL], "tool_choice": "maybe"},
        f"{SERDE}tool_choice: expected one of `none`, `auto`, `required` or a tool at line 1",
    ),
    (
        "a tool of another type",
        {"tools": [{"type": "web", "function": {"name": "a"}}]},
        "tools[0].type: unknown variant `web`, expected `function`",
    ),
    (
        "a tool without a name",
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function: missing field `name`",
    ),
    (
        "a tool with a name that cannot be",
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        "Invalid 'tools[0].function.name': string does not match pattern.",
    ),
    ("too many tools", {"tools": [TOOL] * 129}, "Tools array too long: 129"),
    (
        "strict tools away from the beta",
        {"tools": [{"type": "function", "function": {"name": "a", "strict": True}}]},
        "Strict mode for tools needs the beta base URL",
    ),
    (
        "a schema for the answer",
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        "This response_format type is unavailable now",
    ),
    (
        "JSON without saying so",
        {"response_format": {"type": "json_object"}},
        (
            "Prompt must contain the word 'json' in some form to use 'response_format' of type "
            "'json_object'."
        ),
    ),
    (
        "an unknown format",
        {"response_format": {"type": "xml"}},
        "response_format.type: unknown variant `xml`",
    ),
    (
        "stream_options without a stream",
        {"stream": False, "stream_options": {"include_usage": True}},
        "stream_options should be set along with stream = true",
    ),
    ("a stream that is no boolean", {"stream": "yes"}, 'stream: invalid type: string "yes"'),
    (
        "an effort nobody knows",
        {"reasoning_effort": "extreme"},
        (
            f"{SERDE}reasoning_effort: unknown variant `extreme`, expected one of `none`, "
            "`minimal`, `low`, `medium`, `high`, `xhigh`, `max` at line 1 column"
        ),
    ),
    (
        "a switch in between",
        {"thinking": {"type": "maybe"}},
        "thinking.type: unknown variant `maybe`, expected one of `enabled`, `disabled`",
    ),
    ("too hot", {"temperature": 2.1}, "the valid range of temperature is [0, 2]"),
    ("too cold", {"temperature": -0.1}, "the valid range of temperature is [0, 2]"),
    ("heat in words", {"temperature": "hot"}, 'temperature: invalid type: string "hot", expected'),
    ("no mass at all", {"top_p": 0}, "Invalid top_p value, the valid range of top_p is (0, 1.0]"),
    ("too much mass", {"top_p": 1.01}, "the valid range of top_p is (0, 1.0]"),
    ("a penalty too far", {"presence_penalty": 2.5}, "range of presence_penalty is [-2, 2]"),
    ("another penalty", {"frequency_penalty": -2.5}, "range of frequency_penalty is [-2, 2]"),
    ("no room", {"max_tokens": 0}, "the valid range of max_tokens is [1, 393216]"),
    ("too much room", {"max_tokens": 393217}, "the valid range of max_tokens is [1, 393216]"),
    ("half a token", {"max_tokens": 1.5}, "max_tokens: invalid type: floating point `1.5`"),
    ("too many stops", {"stop": ["x"] * 17}, "Stop string array too long: 17"),
    ("stops that are no strings", {"stop": [1]}, "stop: data did not match any variant"),
    (
        "top_logprobs alone",
        {"top_logprobs": 3},
        "logprobs must be set to true if top_logprobs is used.",
    ),
    (
        "too many logprobs",
        {"logprobs": True, "top_logprobs": 21},
        "Invalid top_logprobs value, the valid range of top_logprobs is [0, 20].",
    ),
    (
        "fewer logprobs than none",
        {"logprobs": True, "top_logprobs": -1},
        "top_logprobs: invalid value: integer `-1`, expected u8 at line 1 column",
    ),
    ("a user too long", {"user_id": "u" * 513}, "Invalid user_id value"),
    (
        "a prefix away from the beta",
        messages({"role": "assistant", "content": "So", "prefix": True}),
        "Chat prefix completion needs the beta base URL",
    ),
    (
        "more than fits the window",
        {"messages": [{"role": "user", "content": "word" * 700_000}], "max_tokens": 393216},
        (
            "This model's maximum context length is 1048576 tokens. However, you requested 1093218 "
            "tokens (700002 in the messages, 393216 in the completion)."
        ),
    ),
]


@pytest.mark.parametrize(
    ("fields", "sentence"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
async def test_it_refuses(upstream: DeepSeekStandIn, fields: dict[str, Any], sentence: str) -> None:
    said = await ask(upstream, **fields)
    assert said.status == 400
    assert sentence in said.error
    error = said.json["error"]
    assert error["type"] == error["code"] == "invalid_request_error"
    assert error["param"] is None
    own = b"content-type: application/octet-stream"
    assert (own in said.head) == (not said.error.startswith("Failed to"))


YES = {"role": "assistant", "content": "Yes."}
EDGES = {
    "temperature": 2,
    "top_p": 1,
    "max_tokens": 393216,
    "presence_penalty": -2,
    "frequency_penalty": 2,
    "stop": ["zzz"] * 16,
    "logprobs": True,
    "top_logprobs": 20,
}
JSON_MODE = {
    "response_format": {"type": "json_object"},
    "messages": [{"role": "user", "content": "as JSON, please"}],
}
ANSWERED = {"role": "tool", "content": "sunny", "tool_call_id": "c1"}
THOUGHT = {**YES, "reasoning_content": ""}
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("a retired model whose name still works", {"model": "deepseek-v4-flash"}),
    ("empty reasoning beside tools", {"tools": [TOOL], **messages(THOUGHT, *HELLO)}),
    ("tools without thinking", {"tools": [TOOL], **NO_THINKING, **messages(YES, *HELLO)}),
    ("no reasoning without tools", messages(YES, *HELLO)),
    ("a required tool", {"tools": [TOOL], "tool_choice": "required", **NO_THINKING}),
    ("a call that is answered", {"tools": [TOOL], **messages(CALLED, ANSWERED)}),
    ("an image for flash", {"messages": [{"role": "user", "content": IMAGE}]}),
    ("the edges of all ranges", EDGES),
    ("null for what is optional", {"temperature": None, "stop": None, "tools": None}),
    ("fields that nobody knows", {"max_completion_tokens": 5, "seed": 1, "colour": "red"}),
    ("JSON when the prompt says so", JSON_MODE),
]


@pytest.mark.parametrize("fields", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
async def test_it_accepts(upstream: DeepSeekStandIn, fields: dict[str, Any]) -> None:
    said = await ask(upstream, **fields)
    assert said.status == 200
    assert said.finish in ("stop", "tool_calls")
    assert said.whole


def thoughts(said: Said) -> bool:
    return bool(said.text("reasoning_content"))


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        ({}, True),
        ({"thinking": {"type": "enabled"}}, True),
        (NO_THINKING, False),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, True),
        ({"reasoning_effort": "ultra"}, True),
        ({"reasoning_effort": "high", **NO_THINKING}, False),
    ],
)
async def test_it_thinks_unless_told_not_to(
    upstream: DeepSeekStandIn, fields: dict[str, Any], thinks: bool
) -> None:
    said = await ask(upstream, **fields)
    assert thoughts(said) is thinks
    assert (b"reasoning_content" in said.body) is thinks


async def test_max_effort_thinks_longer(upstream: DeepSeekStandIn) -> None:
    high = await ask(upstream, reasoning_effort="xhigh")
    most = await ask(upstream, reasoning_effort="max")
    assert len(most.text("reasoning_content")) > len(high.text("reasoning_content"))


async def test_thinking_eats_the_room_of_the_answer(upstream: DeepSeekStandIn) -> None:
    said = await ask(upstream, max_tokens=10)
    assert said.finish == "length"
    assert said.text() == ""
    assert said.usage["completion_tokens"] == 10


async def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(
    upstream: DeepSeekStandIn,
) -> None:
    ask_it = [{"role": "user", "content": "say: one two STOP three"}]
    said = await ask(upstream, messages=ask_it, stop=["never", "STOP"])
    assert said.text() == "one two "
    assert said.finish == "stop"


async def test_a_retired_name_is_answered_by_the_model_that_serves_it(
    upstream: DeepSeekStandIn,
) -> None:
    said = await ask(upstream, model="deepseek-v4-flash")
    assert {event["model"] for event in said.events} == {"deepseek-flash"}


async def test_json_mode_answers_with_json(upstream: DeepSeekStandIn) -> None:
    said = await ask(
        upstream,
        messages=[{"role": "user", "content": "json"}],
        response_format={"type": "json_object"},
        stream=False,
    )
    assert said.json["choices"][0]["message"]["content"].startswith('{"answer": ')


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "Failed to parse the request body as JSON: EOF while parsing a value at line 1"),
        (b"{oops", "Failed to parse the request body as JSON: expected value at line 1 column 2"),
        (b"[1]", f"{SERDE}invalid type: sequence, expected struct ChatRequest at line 1 column 3"),
        (b'{"model":"x"}', f"{SERDE}missing field `messages` at line 1 column 13"),
        (b'{\n "messages":[]\n}', f"{SERDE}missing field `model` at line 3 column 1"),
    ],
)
async def test_a_body_of_the_wrong_shape_is_told_where(
    upstream: DeepSeekStandIn, raw: bytes, sentence: str
) -> None:
    said = await send(upstream, post(raw))
    assert said.status == 400
    assert sentence in said.error


async def test_without_a_key_the_refusal_is_plain_text(upstream: DeepSeekStandIn) -> None:
    said = await send(upstream, post({}, key=""))
    assert said.status == 401
    assert said.body == b"Authentication Fails (governor)"
    assert b"content-type: text/plain" in said.head


async def test_a_wrong_key_is_echoed_by_its_last_four_letters(upstream: DeepSeekStandIn) -> None:
    said = await send(upstream, post({}, key="sk-secret-wxyz"))
    assert said.status == 401
    assert said.error == "Authentication Fails, Your api key: ****wxyz is invalid"
    assert said.json["error"]["type"] == "authentication_error"


async def test_an_empty_account_is_told_so() -> None:
    async with DeepSeekStandIn(traits=Traits(balance="0.00")) as upstream:
        said = await ask(upstream)
        assert said.status == 402
        assert said.error == "Insufficient Balance"
        assert said.json["error"]["type"] == "unknown_error"


async def test_request_ids_end_a_message_when_wanted() -> None:
    traits = Traits(request_ids=True, new_id=lambda: "abc")
    async with DeepSeekStandIn(traits=traits) as upstream:
        said = await ask(upstream, model="gpt-9")
        assert said.error.endswith("but you passed gpt-9. (request_id: abc)")


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/chat/completions", "/beta/chat/completions"]
)
async def test_every_spelling_of_the_path_answers(upstream: DeepSeekStandIn, path: str) -> None:
    said = await send(upstream, post({"model": "deepseek-flash", "messages": HELLO}, path))
    assert said.status == 200


async def test_the_balance_is_told_in_strings(upstream: DeepSeekStandIn) -> None:
    request = post(b"", "/user/balance").replace(b"POST", b"GET", 1)
    said = await send(upstream, request)
    assert said.json["is_available"] is True
    assert said.json["balance_infos"][0]["total_balance"] == "110.00"


async def test_an_unknown_path_is_404(upstream: DeepSeekStandIn) -> None:
    assert (await send(upstream, post({}, "/v1/nothing"))).status == 404
