"""The official client talks to the Responses stand-in as it does to the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from standins.answers import Call
from standins.behaviours import Answer
from standins.responses import Fault, Refuses, ResponsesStandIn, refusing

KEY = "sk-test"
SUMMED: Any = {"effort": "low", "summary": "auto"}
TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
async def upstream() -> AsyncIterator[ResponsesStandIn]:
    async with ResponsesStandIn(key=KEY, wait_scale=0) as standin:
        yield standin


@pytest.fixture
async def sdk(upstream: ResponsesStandIn) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=upstream.url, api_key=KEY, max_retries=0) as client:
        yield client


def asking(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-6-luna", "input": "Tell me of the harbour.", "store": False, **more}


async def told(sdk: openai.AsyncOpenAI, **more: Any) -> tuple[list[Any], Any]:
    """All events, and the response of the last one."""
    stream = await sdk.responses.create(**asking(**more), stream=True)
    events = [event async for event in stream]
    return events, events[-1].response


SEALED = {"reasoning": SUMMED, "include": ["reasoning.encrypted_content"]}


async def test_it_streams_a_summary_then_text_then_usage(
    sdk: openai.AsyncOpenAI, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(reasoning="Let me see. 嗯", text="Grüße, 🙂 and more."))
    events, response = await told(sdk, **SEALED)
    assert [event.sequence_number for event in events] == [*range(len(events))]
    by_kind = {
        kind: "".join(event.delta for event in events if event.type == f"response.{kind}.delta")
        for kind in ("reasoning_summary_text", "output_text")
    }
    assert list(by_kind.values()) == ["Let me see. 嗯", "Grüße, 🙂 and more."]
    reasoning, message = response.output
    assert (reasoning.summary[0].text, reasoning.encrypted_content[:5]) == (
        "Let me see. 嗯",
        "gAAAA",
    )
    assert (response.output_text, message.role) == ("Grüße, 🙂 and more.", "assistant")
    usage = response.usage
    assert usage.output_tokens > usage.output_tokens_details.reasoning_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


async def test_the_whole_answer_is_the_streamed_one(sdk: openai.AsyncOpenAI) -> None:
    whole = await sdk.responses.create(**asking())
    _, streamed = await told(sdk)
    assert whole.output_text == streamed.output_text
    assert whole.status == streamed.status == "completed"


async def test_a_tool_loop_goes_round_with_its_reasoning(
    sdk: openai.AsyncOpenAI, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(reasoning="Ask.", calls=2))
    first: Any = await sdk.responses.create(**asking(tools=[TOOL], **SEALED))
    assert [item.type for item in first.output] == ["reasoning", "function_call", "function_call"]
    said = [item.to_dict() for item in first.output]
    outputs = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "Sun"}
        for item in first.output[1:]
    ]
    talk = [{"role": "user", "content": "Weather?"}, *said, *outputs]
    upstream.play(Answer(text="Sunny."))
    _, second = await told(sdk, input=talk, tools=[TOOL], **SEALED)
    assert second.output_text == "Sunny."
    for broken in (talk[:-1], [talk[0], *outputs], [*talk[:2], talk[0]]):
        with pytest.raises(openai.BadRequestError):
            await told(sdk, input=broken, tools=[TOOL])
    talk[1]["encrypted_content"] = "gAAAAforged"
    with pytest.raises(openai.BadRequestError, match="could not be verified"):
        await told(sdk, input=talk, tools=[TOOL])


async def test_it_can_end_early_refuse_and_fail(
    sdk: openai.AsyncOpenAI, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(finish_reason="length"))
    _, response = await told(sdk)
    assert (response.status, response.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )
    upstream.play(Answer(text="No."), Refuses())
    _, response = await told(sdk)
    assert response.output[0].content[0].refusal == "No."
    upstream.play(Fault())
    _, response = await told(sdk)
    assert (response.status, response.error.code) == ("failed", "server_error")
    upstream.play(Fault(flat=True))
    stream = await sdk.responses.create(**asking(), stream=True)
    last = [event async for event in stream][-1]
    assert (last.type, getattr(last, "code", None)) == ("error", "server_error")


async def test_a_call_it_is_told_to_make_has_the_arguments(
    sdk: openai.AsyncOpenAI, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(calls=(Call("get_weather", '{"city": "Köln"}'),)))
    _, response = await told(sdk, tools=[TOOL])
    assert response.output[-1].arguments == '{"city": "Köln"}'


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": "gpt-zebra"}, "does not exist"),
    ({"seed": 5}, "Unknown parameter: 'seed'"),
    ({"temperature": 0.5}, "'temperature' is not supported with this model"),
    ({"max_output_tokens": 15}, "Expected a value >= 16"),
    ({"reasoning": {"effort": "minimal"}}, "'minimal' is not supported"),
    ({"model": "gpt-4.1", "reasoning": SUMMED}, "is not supported with this model"),
    ({"model": "gpt-4.1", "include": SEALED["include"]}, "Encrypted content is not supported"),
    ({"tools": [{"type": "function", "name": "x", "parameters": {}}]}, "tools[0].strict"),
    ({"tool_choice": {"type": "function", "name": "x"}}, "not found in 'tools'"),
    ({"text": {"format": {"type": "json_object"}}}, "must contain the word 'json'"),
    ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "Supported values are: 'output_text'",
    ),
    ({"input": [{"type": "function_call_output", "call_id": "x" * 65}]}, "string too long"),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "not found"),
]


@pytest.mark.parametrize(("fields", "sentence"), WRONG, ids=range(len(WRONG)))
async def test_what_the_vendor_refuses_is_refused(
    sdk: openai.AsyncOpenAI, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await sdk.post("/responses", body=asking(**fields), cast_to=object)
    assert sentence in caught.value.message


async def test_keys_lists_and_moods_are_the_vendors(
    sdk: openai.AsyncOpenAI, upstream: ResponsesStandIn
) -> None:
    async with openai.AsyncOpenAI(base_url=upstream.url, api_key="sk-no") as stranger:
        with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
            await stranger.responses.create(**asking())
    assert "gpt-6-luna" in [model.id async for model in sdk.models.list()]
    upstream.play(refusing(429, "rate_limit_error"))
    with pytest.raises(openai.RateLimitError):
        await sdk.responses.create(**asking())
