"""A text that has to be JSON: asked for in words where the vendor does not see to it, held back
until it is whole, looked at in any case.

    box ──▶ upstream, once as a vendor that keeps to no form and once as one that does
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.domain import Finish, Piece, Prompt, ResponseFormat, Text
from lite_llm_chat.providers.openai_compatible import OpenAICompatible
from standins.behaviours import Answer, Cut, Gate, Pause, Stall, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY, Product

from .conftest import Launch
from .follow import at_end, events, messages, order_of, text_of

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
GOOD, BAD = '{"age": 7}', '{"age": "seven"}'

Box = Callable[..., Awaitable[Product]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Prompt]:
    """What the vendor's dialect is told. It writes nothing of forms and tools here: how each
    dialect says them is not what is looked at."""
    prompts: list[Prompt] = []
    stream = OpenAICompatible.stream

    def listen(self: OpenAICompatible, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        prompts.append(prompt)
        plain = replace(prompt.options, response_format=None, tools=None)
        return stream(self, replace(prompt, options=plain, tools=()))

    monkeypatch.setattr(OpenAICompatible, "stream", listen)
    return prompts


@pytest.fixture
def box(
    launch: Launch,
    upstream: DeepSeekStandIn,
    told: list[Prompt],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Box:
    """Starts a product whose vendor keeps to some formats by itself, by default to none."""
    monkeypatch.setattr("lite_llm_chat.answering.attempts.BACKOFF_S", (0.001, 0.001))
    own = tmp_path / "own.toml"
    own.write_text(f'[[endpoint]]\nid = "box"\nbase_url = "{upstream.url}"\nkey = "{KEY}"\n')

    async def start(*formats: str, **changed: object) -> Product:
        keeps_to = frozenset(formats)
        monkeypatch.setattr(OpenAICompatible, "formats", lambda _self, _model: keeps_to)
        return await launch(endpoints_file=str(own), **changed)

    return start


def says(upstream: DeepSeekStandIn, *texts: str, **more: Any) -> None:
    """The next answers, without thoughts unless they are given."""
    for text in texts:
        upstream.play(Answer(text=text, **{"reasoning": "", **more}))


def asked(**fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "How old?"}]
    model = {"provider": "box", "model": "deepseek-flash"}
    return {**model, "messages": messages, "response_format": PERSON, **fields}


async def held(product: Product, generation_id: str) -> None:
    """Some of the text has come from the vendor."""
    run = product.parts.chat._engine._runs[generation_id]
    while run.draft is None or not run.draft.text:
        await product.call("GET", "/health")


async def whole(product: Product, **fields: object) -> tuple[int, dict[str, Any]]:
    return await product.call("POST", "/chat", asked(stream=False, **fields))


async def test_the_schema_is_said_in_words_and_the_answer_is_nothing_but_the_json(
    box: Box, upstream: DeepSeekStandIn, told: list[Prompt]
) -> None:
    product = await box()
    says(upstream, f"Sure!\n```json\n{GOOD}\n```\nAnything else?")
    status, body = await whole(product)
    assert (status, body["message"]["content"], body["warnings"]) == (200, GOOD, [])
    assert told[0].options.response_format is None
    system, user = order_of(upstream)["messages"]
    assert (system["role"], json.dumps(SCHEMA, separators=(",", ":")) in system["content"]) == (
        "system",
        True,
    )
    assert user == {"role": "user", "content": "How old?"}


async def test_the_text_is_held_back_until_it_is_whole_and_thoughts_are_not(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    gate = Gate()
    answer = Answer(text='{"age": 12345}', reasoning="Let me see")
    upstream.play(answer, Pause(gate, after_tokens=5))
    stream = await product.stream("/chat", asked())
    thought = await stream.until("reasoning")
    assert thought.data["reasoning"].startswith("Let")
    await held(product, stream.headers["X-Generation-Id"])
    assert (await messages(product))[1]["content"] == ""
    gate.open()
    rest = await stream.rest()
    contents = [frame.data["content"] for frame in rest if "content" in frame.data]
    assert contents == ['{"age": 12345}']
    assert rest[-1].data == {"done": True}


async def test_a_text_without_its_form_is_asked_for_once_more_and_that_is_said(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    says(upstream, BAD, GOOD)
    status, body = await whole(product)
    assert (status, body["message"]["content"]) == (200, GOOD)
    (warning,) = body["warnings"]
    assert '"seven" is not of type "integer" (at age)' in warning
    assert "asked for it once more" in warning
    first, second = order_of(upstream, 0)["messages"], order_of(upstream, 1)["messages"]
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": BAD}
    assert '"seven" is not of type "integer"' in second[-1]["content"]
    generation = await at_end(product, body["generation_id"])
    assert generation["warnings"] == [warning]
    frames = await events(product, body["generation_id"])
    assert [frame.event for frame in frames] == ["started", "text", "caught_up", "ended"]
    assert frames[-1].data["warnings"] == [warning]


async def test_what_both_requests_took_is_counted(box: Box, upstream: DeepSeekStandIn) -> None:
    product = await box()
    says(upstream, GOOD)
    _, once = await whole(product)
    says(upstream, BAD, GOOD)
    _, twice = await whole(product)
    tokens = [body["message"]["usage"]["output_tokens"] for body in (once, twice)]
    assert tokens[1] > tokens[0] > 0
    inputs = [body["message"]["usage"]["input_tokens"] for body in (once, twice)]
    assert inputs[1] > 2 * inputs[0]


async def test_a_text_that_is_wrong_again_is_kept_as_it_came_and_the_answer_has_failed(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    says(upstream, BAD, "I would rather not.\n")
    status, body = await whole(product)
    assert (status, body["code"]) == (502, "format_not_met")
    assert "deepseek-flash did not answer in the form that was asked for" in body["detail"]
    answer = (await messages(product))[1]
    assert (answer["status"], answer["content"]) == ("failed", "I would rather not.\n")
    assert answer["usage"]["input_tokens"] > 0
    assert len(upstream.chats) == 2


async def test_a_failure_of_the_second_request_leaves_the_first_text(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box(upstream_retries=0)
    says(upstream, BAD)
    upstream.play(Status(503))
    status, body = await whole(product)
    assert (status, body["code"]) == (502, "format_not_met")
    assert "overloaded" in body["detail"]
    assert (await messages(product))[1]["content"] == BAD


async def test_any_object_is_enough_where_no_schema_is_given(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    says(upstream, 'Here: {"a": [1]}.')
    _, body = await whole(product, response_format={"type": "json_object"})
    assert body["message"]["content"] == '{"a": [1]}'
    says(upstream, "[1]", "[2]")
    status, body = await whole(product, response_format={"type": "json_object"})
    assert (status, body["code"]) == (502, "format_not_met")


@pytest.mark.parametrize("path", ["/chat", "/messages/1/regenerate", "/messages/1/continue"])
async def test_a_schema_that_is_none_is_refused_before_anything_is_stored(
    box: Box, upstream: DeepSeekStandIn, path: str
) -> None:
    product = await box()
    wrong = {"type": "json_schema", "json_schema": {"schema": {"type": "objekt"}}}
    body = asked(response_format=wrong)
    status, problem = await product.call("POST", path, body)
    assert (status, problem["code"]) == (422, "invalid_schema")
    assert "objekt" in problem["detail"]
    assert await product.call("GET", "/sessions") == (200, [])
    assert upstream.chats == []


async def test_a_vendor_that_sees_to_it_itself_is_streamed_and_looked_at_in_the_end(
    box: Box, upstream: DeepSeekStandIn, told: list[Prompt]
) -> None:
    product = await box("json_schema")
    gate = Gate()
    upstream.play(Answer(text=GOOD, reasoning=""), Pause(gate, after_tokens=1))
    stream = await product.stream("/chat", asked())
    first = await stream.until("content")
    gate.open()
    rest = await stream.rest()
    assert first.data["content"] + text_of(rest) == GOOD
    assert rest[-1].data == {"done": True}
    assert told[0].options.response_format == ResponseFormat("json_schema", "person", SCHEMA)
    assert [one["role"] for one in order_of(upstream)["messages"]] == ["user"]


async def test_a_vendor_that_keeps_to_json_but_to_no_schema_is_told_both(
    box: Box, upstream: DeepSeekStandIn, told: list[Prompt]
) -> None:
    product = await box("json_object")
    says(upstream, GOOD)
    status, _ = await whole(product)
    assert status == 200
    assert told[0].options.response_format == ResponseFormat("json_object")
    assert '"required":["age"]' in told[0].turns[0].content


async def test_a_vendor_that_breaks_its_own_promise_has_failed(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box("json_schema")
    says(upstream, f"```json\n{GOOD}\n```")
    status, body = await whole(product)
    assert (status, body["code"]) == (502, "format_not_met")
    answer = (await messages(product))[1]
    assert answer["content"] == f"```json\n{GOOD}\n```"
    assert len(upstream.chats) == 1


async def test_a_text_that_was_cut_by_its_length_is_taken_as_it_is(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    says(upstream, '{"age": 1234', finish_reason="length")
    status, body = await whole(product)
    message = body["message"]
    assert (status, message["content"]) == (200, '{"age": 1234')
    assert (message["finish_reason"], len(upstream.chats)) == ("length", 1)


async def test_what_fails_while_it_is_held_back_is_asked_again_for_nothing_was_seen(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    upstream.play(Answer(text='{"age": 1}', reasoning=""), Cut(after_tokens=2))
    says(upstream, GOOD)
    status, body = await whole(product)
    assert (status, body["message"]["content"], len(upstream.chats)) == (200, GOOD, 2)


async def test_no_second_try_follows_a_thought_that_was_seen(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    upstream.play(Answer(text='{"age": 1}', reasoning="Hm"), Cut(after_tokens=3))
    status, body = await whole(product)
    assert (status, body["code"], len(upstream.chats)) == (502, "upstream_truncated", 1)
    answer = (await messages(product))[1]
    assert (answer["thought_process"], answer["content"][:1]) == ("Hm", "{")


async def test_what_was_held_back_is_kept_when_the_answer_is_stopped(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    gate = Gate()
    upstream.play(Answer(text='{"age": 1}', reasoning="Hm"), Pause(gate, after_tokens=4))
    stream = await product.stream("/chat", asked())
    await stream.until("reasoning")
    generation_id = stream.headers["X-Generation-Id"]
    await held(product, generation_id)
    await product.call("POST", f"/generations/{generation_id}/cancel")
    gate.open()
    answer = (await messages(product))[1]
    assert (answer["status"], answer["content"][:1]) == ("cancelled", "{")


async def test_silence_in_the_middle_ends_a_text_that_is_held_back_too(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box(idle_timeout_seconds=1.0, upstream_retries=0)
    upstream.play(Answer(text='{"age": 1}', reasoning=""), Stall(after_tokens=2))
    status, body = await whole(product)
    assert (status, body["code"]) == (504, "upstream_timeout")
    assert (await messages(product))[1]["content"][:1] == "{"


async def test_a_call_of_a_tool_is_no_text_and_is_not_looked_at(
    box: Box, upstream: DeepSeekStandIn
) -> None:
    product = await box()
    says(upstream, "Let me look.", calls=1)
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    stream = await product.stream("/chat", asked(tools=[tool]))
    frames = await stream.rest()
    assert frames[-1].data == {"done": True}
    assert text_of(frames) == "Let me look."
    assert len(upstream.chats) == 1


async def test_the_other_one_is_told_of_the_form_too(box: Box, upstream: DeepSeekStandIn) -> None:
    product = await box(fallback_models="box/deepseek-v4-pro")
    upstream.play(Status(402))
    says(upstream, GOOD)
    status, body = await whole(product)
    assert (status, body["message"]["content"]) == (200, GOOD)
    assert body["message"]["model"] == "deepseek-v4-pro"
    assert '"required":["age"]' in order_of(upstream)["messages"][0]["content"]


@pytest.mark.parametrize(("rest", "code"), [("5}", 200), ("5, and that is old", 502)])
async def test_a_text_that_is_gone_on_from_is_looked_at_as_a_whole(
    box: Box, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch, rest: str, code: int
) -> None:
    product = await box()
    says(upstream, '{"age": 1234', finish_reason="length")
    await whole(product)

    async def goes_on(_self: OpenAICompatible, _prompt: Prompt) -> AsyncGenerator[Piece, None]:
        yield Text(rest)
        yield Finish("stop")

    monkeypatch.setattr(OpenAICompatible, "stream", goes_on)
    body = {"response_format": PERSON, "stream": False}
    status, reply = await product.call("POST", "/messages/2/continue", body)
    assert (status, reply.get("code")) == (code, None if code == 200 else "format_not_met")
    assert (await messages(product))[1]["content"] == f'{{"age": 1234{rest}'
