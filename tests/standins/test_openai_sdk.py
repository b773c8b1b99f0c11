"""The official client talks to the stand-in as it does to the vendor."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from standins.behaviours import FailThen, Status
from standins.deepseek import DeepSeekStandIn

ASK: list[Any] = [{"role": "user", "content": "Tell me about the harbour."}]


async def test_it_streams_reasoning_then_content_then_usage(
    client: openai.AsyncOpenAI,
) -> None:
    stream = await client.chat.completions.create(
        model="deepseek-flash", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    reasoning, content, finish = "", "", ""
    usage: Any = None
    async for chunk in stream:
        delta = chunk.choices[0].delta
        thought = getattr(delta, "reasoning_content", None) or ""
        assert not (thought and content), "reasoning comes before content"
        reasoning += thought
        content += delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert reasoning
    assert len(content.split()) > 20
    assert finish == "stop"
    assert usage is not None
    assert usage.completion_tokens == 64
    assert usage.completion_tokens_details.reasoning_tokens == 16
    assert usage.prompt_cache_hit_tokens == 0
    assert usage.prompt_cache_miss_tokens == usage.prompt_tokens


async def test_the_same_question_gets_the_same_answer_with_and_without_streaming(
    client: openai.AsyncOpenAI,
) -> None:
    whole: Any = await client.chat.completions.create(model="deepseek-flash", messages=ASK)
    stream = await client.chat.completions.create(model="deepseek-flash", messages=ASK, stream=True)
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts) == whole.choices[0].message.content
    assert whole.choices[0].message.reasoning_content


async def test_another_question_gets_another_answer(client: openai.AsyncOpenAI) -> None:
    other: list[Any] = [{"role": "user", "content": "And the bridge?"}]
    one = await client.chat.completions.create(model="deepseek-flash", messages=ASK)
    two = await client.chat.completions.create(model="deepseek-flash", messages=other)
    assert one.choices[0].message.content != two.choices[0].message.content


async def test_a_say_line_is_answered_word_for_word(client: openai.AsyncOpenAI) -> None:
    ask: list[Any] = [{"role": "user", "content": "Please.\nsay: Grüße, 河 and 🙂  twice\nThanks."}]
    answer = await client.chat.completions.create(model="deepseek-flash", messages=ask)
    assert answer.choices[0].message.content == "Grüße, 河 and 🙂  twice"


async def test_a_prefix_is_continued_and_only_the_rest_is_said(upstream: DeepSeekStandIn) -> None:
    async with openai.AsyncOpenAI(base_url=f"{upstream.url}/beta", api_key="sk-test") as beta:
        whole: Any = await beta.chat.completions.create(model="deepseek-flash", messages=ASK)
        text = whole.choices[0].message.content
        half: Any = {"role": "assistant", "content": text[:37], "prefix": True}
        rest: Any = await beta.chat.completions.create(
            model="deepseek-flash", messages=[*ASK, half]
        )
    assert text[:37] + rest.choices[0].message.content == text


async def test_a_tool_is_called_when_the_choice_requires_it(client: openai.AsyncOpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": schema}}]
    stream = await client.chat.completions.create(
        model="deepseek-flash",
        messages=ASK,
        tools=tools,
        tool_choice="required",
        stream=True,
        extra_body={"thinking": {"type": "disabled"}},
    )
    rows: list[Any] = []
    finish = None
    async for chunk in stream:
        rows += chunk.choices[0].delta.tool_calls or []
        finish = chunk.choices[0].finish_reason or finish
    assert rows[0].id is not None
    assert rows[0].id.startswith("call_00_")
    assert len(rows[0].id) == len("call_00_") + 24
    assert rows[0].function.name == "look"
    assert [row.id for row in rows[1:]] == [None] * (len(rows) - 1)
    assert "".join(row.function.arguments for row in rows) == '{"city": "Paris"}'
    assert finish == "tool_calls"


async def test_a_call_and_its_result_make_a_second_round(client: openai.AsyncOpenAI) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    first: Any = await client.chat.completions.create(
        model="deepseek-flash",
        messages=ASK,
        tools=tools,
        tool_choice="required",
        extra_body={"thinking": {"type": "disabled"}},
    )
    said = first.choices[0].message
    (call,) = said.tool_calls
    turn: Any = said.model_dump(exclude_none=True)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "calm"}
    with pytest.raises(openai.BadRequestError, match="reasoning_content"):
        await client.chat.completions.create(
            model="deepseek-flash", messages=[*ASK, turn, result], tools=tools
        )
    turn["reasoning_content"] = ""
    second: Any = await client.chat.completions.create(
        model="deepseek-flash", messages=[*ASK, turn, result], tools=tools
    )
    assert (first.choices[0].finish_reason, second.choices[0].finish_reason) == (
        "tool_calls",
        "stop",
    )
    assert second.choices[0].message.content


async def test_the_models_are_listed(client: openai.AsyncOpenAI) -> None:
    models = await client.models.list()
    assert [model.id for model in models.data] == ["deepseek-flash", "deepseek-v4-pro"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_status_becomes_the_clients_own_error(
    upstream: DeepSeekStandIn,
    client: openai.AsyncOpenAI,
    code: int,
    error: type[openai.APIStatusError],
) -> None:
    upstream.play(Status(code))
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model="deepseek-flash", messages=ASK)
    assert caught.value.status_code == code


async def test_a_wrong_key_is_an_authentication_error(upstream: DeepSeekStandIn) -> None:
    async with openai.AsyncOpenAI(base_url=upstream.url, api_key="sk-wrong-9abc") as stranger:
        with pytest.raises(openai.AuthenticationError, match=r"\*\*\*\*9abc is invalid"):
            await stranger.models.list()


async def test_the_clients_own_retries_get_through_after_two_failures(
    upstream: DeepSeekStandIn,
) -> None:
    upstream.always(FailThen(2, Status(503, headers=(("retry-after-ms", "1"),))))
    async with openai.AsyncOpenAI(
        base_url=upstream.url, api_key="sk-test", max_retries=2
    ) as patient:
        answer = await patient.chat.completions.create(model="deepseek-flash", messages=ASK)
    assert answer.choices[0].finish_reason == "stop"
    assert len(upstream.chats) == 3


async def test_one_connection_serves_many_requests(
    upstream: DeepSeekStandIn, client: openai.AsyncOpenAI
) -> None:
    for _ in range(3):
        await client.chat.completions.create(model="deepseek-flash", messages=ASK)
    assert [request.connection for request in upstream.requests] == [1, 1, 1]
