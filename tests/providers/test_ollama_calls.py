"""Ollama calls functions, sees pictures and is held to formats, as its stand-in allows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import (
    Beginning,
    Options,
    Picture,
    Prompt,
    Reasoning,
    ResponseFormat,
    Seal,
    Text,
    Tool,
    ToolCall,
    Turn,
)
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.ollama import MODELS, Ollama
from lite_llm_chat.providers.ollama_stream import OllamaDecoder
from lite_llm_chat.providers.ollama_window import SMALLEST_TOKENS, needed_tokens
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer, Status
from standins.ollama import OllamaStandIn

from .conftest import collect, endpoint, failing, finish, text
from .turns import result, said, turn_of

MODEL = "gemma4:e2b"
BLIND = "llama3.2"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("get_weather", "Tells the weather", CITY), Tool("now"))
PIXEL = Picture("a", "image/png", b"\x89PNG")


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn() as one:
        yield one


@pytest.fixture
def ollama(wire: Wire, upstream: OllamaStandIn) -> Ollama:
    return Ollama(wire, api_key=None, base_url=upstream.url)


def asking(*turns: Turn, model: str = MODEL, **options: Any) -> Prompt:
    return Prompt(model, turns, Options(tools=TOOLS, **options), tools=TOOLS)


def sent(upstream: OllamaStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


# ── functions ─────────────────────────────────────────────────────────────────────────────────


async def test_functions_are_told_with_their_schemas(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    await collect(ollama.stream(asking(Turn("user", "Rain?"))))
    assert json.loads(upstream.requests[-1].raw) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Rain?"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "description": "Tells the weather",
                    "parameters": CITY,
                },
            },
            {
                "type": "function",
                "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
            },
        ],
    }


@pytest.mark.parametrize("gives_ids", [True, False])
async def test_calls_are_made_answered_and_talked_about(
    ollama: Ollama, upstream: OllamaStandIn, gives_ids: bool
) -> None:
    upstream.gives_ids = gives_ids
    turns: tuple[Turn, ...] = (Turn("user", "Rain?"),)
    made: list[ToolCall] = []
    for calls in (2, 1):
        upstream.play(Answer(reasoning="Which?", text="I look.", calls=calls))
        pieces = await collect(ollama.stream(asking(*turns)))
        turn = turn_of(pieces)
        assert [type(part) for part in turn.parts] == [Reasoning, Text, *[ToolCall] * calls]
        assert finish(pieces).reason == "tool_calls"
        turns += (turn, *(result(call, "rain") for call in turn.calls))
        made += turn.calls
    assert len({call.id for call in made}) == 3
    assert json.loads(made[0].arguments) == {"city": "Paris"}
    upstream.play(Answer(text="It rains."))
    assert text(await collect(ollama.stream(asking(*turns)))) == "It rains."
    rows = sent(upstream)["messages"]
    assert [row["role"] for row in rows] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
    ]
    assert [call["id"] for row in rows for call in row.get("tool_calls", ())] == [
        row["tool_call_id"] for row in rows if row["role"] == "tool"
    ]


async def test_the_bytes_of_a_loop(ollama: Ollama, upstream: OllamaStandIn) -> None:
    call, other = (
        ToolCall("c1", "get_weather", '{"city": "北京"}'),
        ToolCall("c2", "now", "no JSON"),
    )
    before = said((Reasoning("Polite."), Text("Hello."), Seal("gemini", "text 6:abc")))
    parts = (Reasoning("Hm"), Text("I look."), call, other)
    turns = (
        Turn("user", "Hi"),
        before,
        Turn("user", "Rain?"),
        said(parts),
        result(call, '{"rain": 1.0}'),
        result(other, "no clock", failed=True),
    )
    await collect(ollama.stream(asking(*turns)))
    raw = upstream.requests[-1].raw.decode()
    assert raw[raw.index('"messages":') : raw.index(',"stream"')] == (
        '"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."},'
        '{"role":"user","content":"Rain?"},{"role":"assistant","content":"I look.",'
        '"thinking":"Hm","tool_calls":['
        '{"id":"c1","function":{"name":"get_weather","arguments":{"city":"北京"}}},'
        '{"id":"c2","function":{"name":"now","arguments":{}}}]},'
        '{"role":"tool","content":"{\\"rain\\": 1.0}","tool_name":"get_weather",'
        '"tool_call_id":"c1"},{"role":"tool","content":"no clock","tool_name":"now",'
        '"tool_call_id":"c2"}]'
    )


async def test_no_function_is_told_where_none_may_be_called(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(calls=0))
    await collect(ollama.stream(asking(Turn("user", "Hi"), tool_choice="none")))
    assert "tools" not in sent(upstream)
    assert ollama.ignored(MODEL, Options(tools=TOOLS, tool_choice="none")) == ()


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ({"tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": True}, ()),
        ({"tools": TOOLS, "tool_choice": "required"}, ("tool_choice",)),
        ({"tools": TOOLS, "tool_choice": "tool:now"}, ("tool_choice",)),
        ({"tools": TOOLS, "parallel_tool_calls": False}, ("parallel_tool_calls",)),
    ],
)
def test_what_cannot_be_asked_of_calls_is_named(
    ollama: Ollama, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert ollama.ignored(MODEL, Options(**options)) == ignored


async def test_a_model_that_cannot_call_is_told_with_its_mend(ollama: Ollama) -> None:
    _, error = await failing(ollama.stream(asking(Turn("user", "Hi"), model="small:8k")))
    assert (error.code, error.retryable) == ("provider_bad_request", False)
    assert error.detail.startswith("this model cannot call functions: ask it without tools")


# ── pictures and formats ──────────────────────────────────────────────────────────────────────


async def test_a_picture_is_base64_beside_the_text(ollama: Ollama, upstream: OllamaStandIn) -> None:
    await collect(ollama.stream(asking(Turn("user", "What?", pictures=(PIXEL, PIXEL)))))
    assert sent(upstream)["messages"] == [
        {"role": "user", "content": "What?", "images": ["iVBORw==", "iVBORw=="]}
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        None,
        "this model is missing data required for image input",
        '"llama3.2" does not support images',
        '"llama3.2" does not support vision',
    ],
)
async def test_a_model_that_cannot_see_is_told_with_its_mend(
    ollama: Ollama, upstream: OllamaStandIn, sentence: str | None
) -> None:
    if sentence is not None:
        upstream.play(Status(400, json.dumps({"error": sentence}).encode()))
    asked = asking(Turn("user", "What?", pictures=(PIXEL,)), model=BLIND)
    _, error = await failing(ollama.stream(asked))
    assert (error.code, error.retryable) == ("provider_bad_request", False)
    assert error.detail.startswith("this model cannot see pictures: ask it without")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema", schema=CITY), CITY),
        (ResponseFormat("json_schema"), "json"),
    ],
)
async def test_a_format_is_json_or_the_schema_itself(
    ollama: Ollama, upstream: OllamaStandIn, wanted: ResponseFormat, field: object
) -> None:
    asked = Prompt(MODEL, (Turn("user", "Hi"),), Options(response_format=wanted))
    assert json.loads(text(await collect(ollama.stream(asked))))
    assert sent(upstream)["format"] == field
    assert ollama.ignored(MODEL, asked.options) == ()
    assert ollama.formats(MODEL) == {"json_object", "json_schema"}


async def test_in_the_cloud_no_format_is_held_to(ollama: Ollama, upstream: OllamaStandIn) -> None:
    wanted = Options(response_format=ResponseFormat("json_object"))
    for model in ("gpt-oss:120b-cloud", "glm-4.6:cloud"):
        assert ollama.formats(model) == frozenset()
        assert ollama.ignored(model, wanted) == ("response_format",)
    upstream.play(Status(404, b'{"error":"model not found"}'))
    await failing(ollama.stream(Prompt("glm-4.6:cloud", (Turn("user", "Hi"),), wanted)))
    assert "format" not in sent(upstream)


def test_at_ollama_com_everything_is_in_the_cloud(wire: Wire) -> None:
    there = Ollama(wire, api_key="key-1", base_url="https://ollama.com")
    assert there.formats("gpt-oss:20b") == frozenset()


# ── the window, the list, the bytes ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "large",
    [
        replace(asking(Turn("user", "x")), tools=(Tool("f", "x" * 9_000),)),
        replace(asking(Turn("user", "x")), tools=(Tool("f", "", {"description": "x" * 9_000}),)),
        asking(Turn("user", "x", pictures=(PIXEL, PIXEL))),
        asking(Turn("user", "x"), said((ToolCall("a", "f", "x" * 9_000),))),
        asking(Turn("user", "x"), said((Reasoning("x" * 9_000), ToolCall("a", "f", "{}")))),
        asking(Turn("user", "x"), said((ToolCall("a", "f", "{}"),)), Turn("tool", "x" * 9_000)),
        replace(asking(Turn("user", "x")), prefix=Beginning("x" * 9_000)),
    ],
    ids=["description", "schema", "pictures", "arguments", "thinking", "result", "prefix"],
)
def test_all_that_is_sent_takes_its_part_of_the_window(large: Prompt) -> None:
    assert needed_tokens(asking(Turn("user", "x"))) < SMALLEST_TOKENS - 1_500
    assert needed_tokens(large) > SMALLEST_TOKENS


@pytest.mark.parametrize(
    "small",
    [
        replace(asking(Turn("user", "x"), tool_choice="none"), tools=(Tool("f", "x" * 9_000),)),
        asking(Turn("user", "x"), said((Reasoning("x" * 9_000), Text("a")))),
    ],
    ids=["functions", "thinking"],
)
def test_what_is_not_sent_takes_none(small: Prompt) -> None:
    assert needed_tokens(small) < SMALLEST_TOKENS - 1_500


def test_what_the_table_says_that_its_models_can() -> None:
    assert [(row.vision, row.tools, row.reasoning) for row in MODELS] == [
        (True, True, True),
        (False, True, True),
    ]


async def test_the_list_says_what_each_model_can(ollama: Ollama) -> None:
    rows = {row.id: (row.vision, row.tools, row.reasoning) for row in await ollama.listed()}
    assert rows == {
        "gemma4:e2b": (True, True, True),
        "gpt-oss:20b": (False, True, True),
        "llama3.2:latest": (False, True, False),
        "small:8k": (False, False, False),
    }


@pytest.mark.parametrize("said_so", [None, "vision", {"vision": True}])
async def test_a_list_that_says_nothing_of_it_leaves_it_open(
    ollama: Ollama, upstream: OllamaStandIn, said_so: object
) -> None:
    entry = {"name": "old:1b", "capabilities": said_so}
    upstream.play(Status(200, json.dumps({"models": [entry]}).encode()))
    (row,) = await ollama.listed()
    assert (row.vision, row.tools, row.reasoning) == (None, None, None)


def hear(*calls: object, **message: object) -> OllamaDecoder:
    decoder = OllamaDecoder(endpoint("http://nowhere"), seed="s")
    row = {"message": {**message, "tool_calls": list(calls)}}
    decoder.feed(json.dumps(row).encode() + b"\n")
    return decoder


@pytest.mark.parametrize("odd", [None, 5, "f", [], {}, {"function": None}, {"function": "f"}])
def test_what_is_no_call_is_passed_over(odd: object) -> None:
    decoder = hear(odd, content="a")
    decoder.feed(b'{"done":true,"done_reason":"stop"}\n')
    assert decoder.finish().reason == "stop"


@pytest.mark.parametrize("name", [None, "", 5])
def test_a_call_of_nothing_is_rubbish(name: object) -> None:
    decoder = hear({"function": {"name": name, "arguments": {}}}, content="a")
    with pytest.raises(UpstreamError, match="names no function") as caught:
        decoder.finish()
    assert caught.value.code == "upstream_garbage"


def test_an_answer_that_calls_and_was_cut_short_is_too_long_all_the_same() -> None:
    decoder = hear({"function": {"name": "f", "arguments": {}}})
    decoder.feed(b'{"done":true,"done_reason":"length"}\n')
    assert decoder.finish().reason == "length"
