"""DeepSeek's tools, pictures and forms of the text, against a stand-in with its rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import (
    Finish,
    Options,
    Picture,
    Prompt,
    Reasoning,
    ResponseFormat,
    Tool,
    ToolCall,
    Turn,
)
from lite_llm_chat.providers.deepseek import DeepSeek
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer, CallsAs
from standins.deepseek import DeepSeekStandIn

from .conftest import collect, failing, finish, prompt, text

KEY = "sk-canary0f1e2d3c4b5a69788796a5b4c3d2"
PLAIN: dict[str, Any] = {"thinking": False}


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    async with DeepSeekStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def deepseek(wire: Wire, upstream: DeepSeekStandIn) -> DeepSeek:
    return DeepSeek(wire, api_key=KEY, base_url=upstream.url)


def sent(upstream: DeepSeekStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})


async def test_tools_are_called_and_their_results_go_back(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(calls=2, reasoning="Look twice."))
    asked = Prompt("deepseek-flash", (Turn("user", "What is there?"),), tools=(LOOK,))
    thought, first, second, end = await collect(deepseek.stream(asked))
    assert thought == Reasoning("Look twice.")
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert isinstance(end, Finish)
    assert (first.name, first.arguments, end.reason) == ("look", '{"at": "Paris"}', "tool_calls")
    turns = (
        *asked.turns,
        Turn("assistant", "", "Look twice.", (thought, first, second)),
        Turn("tool", "a cat", call_id=first.id),
        Turn("tool", "a dog", call_id=second.id),
    )
    upstream.play(Answer(text="A cat and a dog."))
    pieces = await collect(deepseek.stream(replace(asked, turns=turns)))
    assert (text(pieces), finish(pieces).reason) == ("A cat and a dog.", "stop")
    calls = [
        {
            "id": one.id,
            "type": "function",
            "function": {"name": "look", "arguments": '{"at": "Paris"}'},
        }
        for one in (first, second)
    ]
    assert sent(upstream)["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": calls,
            "reasoning_content": "Look twice.",
        },
        {"role": "tool", "content": "a cat", "tool_call_id": first.id},
        {"role": "tool", "content": "a dog", "tool_call_id": second.id},
    ]
    assert sent(upstream)["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "look",
                "parameters": LOOK.parameters,
                "description": "Looks.",
            },
        }
    ]


PLAYED = {"get_weather": '{"city": "Paris"}', "get_time": '{"zone": "Europe/Rome"}'}


@pytest.mark.parametrize(
    "style",
    [
        "parallel",
        "interleaved",
        "no_index",
        "zero_index",
        "from_one",
        "no_id",
        "repeated_id",
        "fresh_ids",
        "repeated_name",
        "late_name",
        "objects",
        "whole",
        "per_character",
        "null_function",
    ],
)
async def test_calls_are_understood_in_every_form(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, style: Any
) -> None:
    upstream.play(CallsAs(style))
    first, second, end = await collect(deepseek.stream(prompt(**PLAIN)))
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert {first.name: first.arguments, second.name: second.arguments} == PLAYED
    assert first.id != second.id
    assert isinstance(end, Finish)
    assert end.reason == "tool_calls"


@pytest.mark.parametrize(
    ("style", "code"), [("no_name", "upstream_garbage"), ("no_calls", "empty_answer")]
)
async def test_calls_of_nobody_are_an_error(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, style: Any, code: str
) -> None:
    upstream.play(CallsAs(style))
    _, error = await failing(deepseek.stream(prompt(**PLAIN)))
    assert error.code == code


async def test_a_call_in_deepseeks_own_markup_is_an_error_beside_tools(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(CallsAs("dsml"))
    _, error = await failing(deepseek.stream(replace(prompt(**PLAIN), tools=(LOOK,))))
    assert error.code == "tool_call_as_text"
    upstream.play(CallsAs("dsml"))
    assert "DSML" in text(await collect(deepseek.stream(prompt(**PLAIN))))


@pytest.mark.parametrize(
    ("options", "choice", "ignored"),
    [
        ({}, None, ()),
        ({"tool_choice": "auto"}, "auto", ()),
        ({"tool_choice": "none"}, "none", ()),
        ({"tool_choice": "required"}, None, ("tool_choice",)),
        ({"tool_choice": "tool:look"}, None, ("tool_choice",)),
        ({"tool_choice": "required", **PLAIN}, "required", ()),
        (
            {"tool_choice": "tool:look", "effort": "none"},
            {"type": "function", "function": {"name": "look"}},
            (),
        ),
        ({"parallel_tool_calls": False}, None, ("parallel_tool_calls",)),
    ],
)
async def test_a_call_is_forced_only_while_it_does_not_think(
    deepseek: DeepSeek,
    upstream: DeepSeekStandIn,
    options: dict[str, Any],
    choice: object,
    ignored: tuple[str, ...],
) -> None:
    given = Options(tools=(LOOK,), **options)
    asked = Prompt("deepseek-flash", (Turn("user", "Hi"),), given, tools=(LOOK,))
    await collect(deepseek.stream(asked))
    assert sent(upstream).get("tool_choice") == choice
    assert "parallel_tool_calls" not in sent(upstream)
    assert deepseek.ignored("deepseek-flash", given) == ignored


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ((replace(LOOK, strict=True),), "/beta/chat/completions"),
        ((replace(LOOK, strict=True), replace(LOOK, name="hear")), "/chat/completions"),
        ((replace(LOOK, strict=False),), "/chat/completions"),
    ],
)
async def test_strict_tools_are_asked_at_the_beta_address_if_all_are(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, tools: tuple[Tool, ...], path: str
) -> None:
    await collect(deepseek.stream(replace(prompt(), tools=tools)))
    assert upstream.requests[-1].path == path
    strict = ["strict" in tool["function"] for tool in sent(upstream)["tools"]]
    assert strict == [path.startswith("/beta")] * len(tools)


async def test_more_tools_than_deepseek_takes_are_refused_in_its_words(deepseek: DeepSeek) -> None:
    tools = tuple(replace(LOOK, name=f"look_{number}") for number in range(129))
    _, error = await failing(deepseek.stream(replace(prompt(), tools=tools)))
    assert (error.code, "129" in error.detail) == ("provider_bad_request", True)


async def test_flash_sees_a_picture_and_pro_does_not(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    turn = Turn("user", "See?", pictures=(Picture("1", "image/png", b"\x89PNG"),))
    await collect(deepseek.stream(Prompt("deepseek-flash", (turn,))))
    assert sent(upstream)["messages"][0]["content"][1]["image_url"] == {
        "url": "data:image/png;base64,iVBORw=="
    }
    _, error = await failing(deepseek.stream(Prompt("deepseek-v4-pro", (turn,))))
    assert error.code == "provider_bad_request"
    rows = {model.id: (model.vision, model.tools) for model in deepseek.models}
    assert rows["deepseek-flash"] == (True, True)
    assert rows["deepseek-v4-pro"] == (False, True)


@pytest.mark.parametrize("words", ["A cat.", "A cat as JSON."])
async def test_a_json_object_is_asked_for_with_the_word_that_deepseek_wants(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, words: str
) -> None:
    asked = prompt(words, response_format=ResponseFormat("json_object"), **PLAIN)
    assert json.loads(text(await collect(deepseek.stream(asked))))
    assert sent(upstream)["response_format"] == {"type": "json_object"}
    assert (sent(upstream)["messages"][0]["role"] == "system") == ("JSON" not in words)


async def test_a_json_schema_leaves_no_trace_and_is_named(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    wanted = ResponseFormat("json_schema", schema={"type": "object"})
    await collect(deepseek.stream(prompt(response_format=wanted)))
    assert "response_format" not in sent(upstream)
    model = "deepseek-flash"
    assert deepseek.ignored(model, Options(response_format=wanted)) == ("response_format",)
    assert deepseek.formats(model) == {"json_object"}
