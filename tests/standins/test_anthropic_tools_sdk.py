"""The official client's tool loop against the Anthropic stand-in, and what that refuses of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest

from standins.anthropic import MAGIC, AnthropicStandIn
from standins.behaviours import Answer

KEY = "sk-ant-test"
TOOL: Any = {
    "name": "get_weather",
    "description": "Of a town",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
BUDGET: Any = {"type": "enabled", "budget_tokens": 1024}
HAIKU = "claude-haiku-4-5"


@pytest.fixture
async def claude() -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn(key=KEY, wait_scale=0) as standin:
        yield standin


@pytest.fixture
async def sdk(claude: AnthropicStandIn) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=claude.url, api_key=KEY, max_retries=0) as client:
        yield client


def asking(*messages: Any, **more: Any) -> dict[str, Any]:
    model = {"model": HAIKU, "max_tokens": 2000, "thinking": BUDGET, "tools": [TOOL]}
    return {**model, "messages": list(messages), **more}


def said(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def result(call_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "Sunny."}


CALL = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}
ASK = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("model", [HAIKU, "claude-opus-5-5"])
async def test_the_client_does_a_whole_loop_with_thinking(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn, model: str
) -> None:
    thinking = BUDGET if model == HAIKU else {"type": "adaptive", "display": "summarized"}
    talk: list[Any] = [{"role": "user", "content": f"The weather? {MAGIC}"}]
    for _ in range(2):
        claude.play(Answer(text="I look.", reasoning="Hm.", calls=2))
        asked = asking(*talk, model=model, thinking=thinking)
        async with sdk.messages.stream(**asked) as stream:
            message = await stream.get_final_message()
        assert message.stop_reason == "tool_use"
        calls = [block for block in message.content if block.type == "tool_use"]
        assert [(call.name, call.input) for call in calls] == [
            ("get_weather", {"city": "Paris"}),
            ("get_weather", {"city": "Paris"}),
        ]
        talk.append({"role": "assistant", "content": message.content})
        talk.append(said("user", *(result(call.id) for call in calls)))
    first = talk[1]["content"]
    assert [block.type for block in first[:3]] == ["thinking", "redacted_thinking", "text"]
    last = await sdk.messages.create(**asking(*talk, model=model, thinking=thinking))
    assert last.stop_reason == "end_turn"


async def test_a_streamed_call_is_the_whole_one(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn
) -> None:
    claude.always(Answer(calls=1))
    whole = await sdk.messages.create(**asking(ASK))
    async with sdk.messages.stream(**asking(ASK)) as stream:
        streamed = await stream.get_final_message()
    plain = [
        [(one.type, getattr(one, "input", None)) for one in m.content] for m in (whole, streamed)
    ]
    assert plain[0] == plain[1] == [("thinking", None), ("tool_use", {"city": "Paris"})]


async def test_a_forced_call_is_made(sdk: anthropic.AsyncAnthropic) -> None:
    quiet = asking(ASK, thinking={"type": "disabled"}, tool_choice={"type": "any"})
    assert (await sdk.messages.create(**quiet)).stop_reason == "tool_use"
    quiet["tool_choice"] = {"type": "tool", "name": "get_weather"}
    assert (await sdk.messages.create(**quiet)).content[0].type == "tool_use"


QUIET: dict[str, Any] = {"thinking": {"type": "disabled"}}
PICTURE = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
FORMED = {"format": {"type": "json_schema", "schema": {"type": "object"}}}


def pictured(**source: Any) -> list[Any]:
    return [said("user", {"type": "image", "source": PICTURE | source})]


def looped(*blocks: Any) -> list[Any]:
    return [ASK, said("assistant", *blocks, CALL), said("user", result("t"))]


UNSIGNED = {"type": "thinking", "thinking": "Hm."}
STRANGE = UNSIGNED | {"signature": "c2ln"}
WRONG: list[tuple[list[Any], dict[str, Any], str]] = [
    (looped(), {}, "Expected `thinking` or `redacted_thinking`, but found `tool_use`"),
    (looped(UNSIGNED), {}, "messages.1.content.0.thinking.signature: Field required"),
    (looped(STRANGE), {}, "Invalid `signature` in `thinking` block"),
    (looped({"type": "redacted_thinking", "data": "?"}), {}, "Invalid `data`"),
    ([ASK, said("assistant", CALL), ASK], QUIET, "without `tool_result` blocks"),
    ([ASK, said("assistant", CALL)], QUIET, "without `tool_result` blocks"),
    ([*looped(), said("assistant", CALL), said("user", result("t"))], QUIET, "must be unique"),
    ([said("user", result("t"))], QUIET, "unexpected `tool_use_id`"),
    (
        [ASK, said("assistant", CALL), said("user", {"type": "text", "text": "x"}, result("t"))],
        QUIET,
        "must come first",
    ),
    ([ASK, said("assistant", CALL | {"input": "{}"})], QUIET, "tool_use.input: Input should be"),
    ([ASK, said("assistant", CALL | {"id": "a.b:0"})], QUIET, "tool_use.id: String should match"),
    ([ASK, said("assistant", result("t"))], QUIET, "Input tag does not match"),
    ([said("user", CALL)], QUIET, "Input tag does not match"),
    ([said("user", {"type": "image"})], {}, "image.source: Field required"),
    (pictured(media_type="image/bmp"), {}, "media_type: Input should be 'image/jpeg'"),
    (pictured(data="?"), {}, "invalid base64 data"),
    ([ASK], {"tools": [{"name": "a b"}]}, "custom.name: String should match"),
    ([ASK], {"tools": [{"name": "a"}]}, "input_schema: Field required"),
    ([ASK], {"tools": [{"name": "a", "input_schema": {}}]}, "Input should be 'object'"),
    ([ASK], {"tool_choice": {"type": "any"}}, "when tool_choice forces tool use"),
    ([ASK], {"tool_choice": {"type": "odd"}}, "tool_choice: Input tag"),
    ([ASK], {"tool_choice": {"type": "auto"}, "tools": []}, "while providing tools"),
    (
        [ASK],
        {
            "model": "claude-sonnet-5-5",
            "thinking": {"type": "between_tools"},
            "tool_choice": {"type": "any"},
        },
        "forced tool use",
    ),
    ([ASK], {"output_config": FORMED}, "must be explicitly set to false"),
    ([ASK], {"output_config": {"format": {"type": "json_object"}}}, "should be 'json_schema'"),
]


@pytest.mark.parametrize(("messages", "more", "sentence"), WRONG, ids=range(len(WRONG)))
async def test_what_the_vendor_refuses_of_tools_is_refused(
    sdk: anthropic.AsyncAnthropic, messages: list[Any], more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        await sdk.post("/v1/messages", body=asking(*messages, **more), cast_to=object)
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    "change", [{"model": "claude-fable-5-2"}, {"system": "Be brief."}, {"tools": [TOOL, TOOL]}]
)
async def test_thinking_is_tied_to_what_stood_before_it(
    sdk: anthropic.AsyncAnthropic, claude: AnthropicStandIn, change: dict[str, Any]
) -> None:
    claude.play(Answer(reasoning="Hm.", calls=1))
    opus = {"model": "claude-opus-5-5", "thinking": {"type": "adaptive"}}
    message = await sdk.messages.create(**asking(ASK, **opus))
    call = message.content[-1]
    assert call.type == "tool_use"
    talk = [ASK, {"role": "assistant", "content": message.content}, said("user", result(call.id))]
    with pytest.raises(anthropic.BadRequestError, match="bound to a different conversation"):
        await sdk.messages.create(**asking(*talk, **(opus | change)))
