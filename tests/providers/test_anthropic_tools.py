"""Anthropic and tools: what is asked, what comes, and what goes back while results are answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import (
    Options,
    Part,
    Piece,
    Prompt,
    Reasoning,
    Seal,
    Text,
    Tool,
    ToolCall,
    Turn,
    merged,
)
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.anthropic_blocks import spoken
from lite_llm_chat.providers.anthropic_stream import MessageDecoder
from lite_llm_chat.providers.wire import Wire
from standins.answers import Call
from standins.anthropic import MAGIC, AnthropicStandIn
from standins.anthropic_talk import binding, sign
from standins.behaviours import Answer

from .conftest import collect, endpoint, finish

KEY = "sk-ant-test"
MARK = {"type": "ephemeral"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", "Of a town", CITY)
TIME = Tool("get_time")
CALL = Call("get_weather", '{"city": "Paris"}')
THINKING = ("thinking", "redacted_thinking")


@pytest.fixture
async def upstream() -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def claude(wire: Wire, upstream: AnthropicStandIn) -> Anthropic:
    return Anthropic(wire, api_key=KEY, base_url=upstream.url)


def sent(upstream: AnthropicStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


def kinds(upstream: AnthropicStandIn) -> list[list[str]]:
    """The types of the blocks of each message of the last request."""
    return [[one["type"] for one in message["content"]] for message in sent(upstream)["messages"]]


def asked(*turns: Turn, model: str = "claude-opus-5-5", **options: Any) -> Prompt:
    tools = options.pop("tools", (WEATHER, TIME))
    return Prompt(model, turns, Options(tools=tools, **options), tools=tools or ())


def answered(pieces: Sequence[Piece]) -> list[Turn]:
    """An answer as the turns that are sent with its results."""
    parts = merged([one for one in pieces if isinstance(one, Text | Reasoning | ToolCall | Seal)])
    turn = Turn("assistant", "".join(p.text for p in parts if isinstance(p, Text)), parts=parts)
    return [turn, *(Turn("tool", "Sunny.", call_id=call.id) for call in turn.calls)]


def wanted(*parts: Part) -> Turn:
    return Turn("assistant", "", parts=parts)


# ── what may be called ────────────────────────────────────────────────────────────────────────


async def test_tools_are_told_with_a_schema_of_an_object(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    bare, strict = Tool("get_time"), Tool("get_name", "", CITY, strict=True)
    await collect(claude.stream(asked(Turn("user", "1"), tools=(WEATHER, bare, strict))))
    assert sent(upstream)["tools"] == [
        {"name": "get_weather", "description": "Of a town", "input_schema": CITY},
        {"name": "get_time", "input_schema": {"type": "object"}},
        {"name": "get_name", "input_schema": CITY, "strict": True, "cache_control": MARK},
    ]
    assert "tool_choice" not in sent(upstream)


QUIET = {"model": "claude-opus-5", "thinking": False}
CHOICES: list[tuple[dict[str, Any], dict[str, Any] | None, tuple[str, ...]]] = [
    ({"tool_choice": "auto"}, {"type": "auto"}, ()),
    ({"tool_choice": "none"}, {"type": "none"}, ()),
    (QUIET | {"tool_choice": "required"}, {"type": "any"}, ()),
    (QUIET | {"tool_choice": "tool:get_time"}, {"type": "tool", "name": "get_time"}, ()),
    (
        {"parallel_tool_calls": False},
        {"type": "auto", "disable_parallel_tool_use": True},
        (),
    ),
    (
        QUIET | {"tool_choice": "required", "parallel_tool_calls": True},
        {"type": "any", "disable_parallel_tool_use": False},
        (),
    ),
    (
        {"tool_choice": "none", "parallel_tool_calls": False},
        {"type": "none"},
        ("parallel_tool_calls",),
    ),
    # nobody is made to call while thinking, and some never are
    ({"tool_choice": "required"}, None, ("tool_choice",)),
    ({"model": "claude-opus-5", "tool_choice": "tool:get_time"}, None, ("tool_choice",)),
    ({"model": "claude-haiku-4-5", "tool_choice": "required"}, {"type": "any"}, ()),
    (
        {"model": "claude-haiku-4-5", "thinking": True, "tool_choice": "required"},
        None,
        ("tool_choice",),
    ),
    (
        {"model": "claude-sonnet-5-5", "thinking": False, "tool_choice": "required"},
        None,
        ("tool_choice",),
    ),
    (
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"type": "auto", "disable_parallel_tool_use": True},
        ("tool_choice",),
    ),
]


@pytest.mark.parametrize(("options", "choice", "ignored"), CHOICES, ids=range(len(CHOICES)))
async def test_who_is_called_is_chosen_as_far_as_the_model_lets_it(
    claude: Anthropic,
    upstream: AnthropicStandIn,
    options: dict[str, Any],
    choice: dict[str, Any] | None,
    ignored: tuple[str, ...],
) -> None:
    prompt = asked(Turn("user", "1"), **options)
    assert claude.ignored(prompt.model, prompt.options) == ignored
    await collect(claude.stream(prompt))
    assert sent(upstream).get("tool_choice") == choice


def test_without_tools_there_is_nothing_to_choose(claude: Anthropic) -> None:
    options = Options(tools=(), tool_choice="none", parallel_tool_calls=True)
    assert claude.ignored("claude-opus-5", options) == (
        "tools",
        "tool_choice",
        "parallel_tool_calls",
    )


async def test_calls_come_whole_behind_what_was_said(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    two = (CALL, Call("get_time", "{}"))
    upstream.play(Answer(text="I look.", reasoning="Hm.", calls=two))
    pieces = await collect(claude.stream(asked(Turn("user", "1"))))
    assert finish(pieces).reason == "tool_calls"
    thought, seal, text, first, second, _ = pieces
    assert (thought, text) == (Reasoning("Hm."), Text("I look."))
    assert isinstance(seal, Seal)
    assert seal.maker == "anthropic"
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert (first.name, json.loads(first.arguments)) == ("get_weather", {"city": "Paris"})
    assert (second.name, second.arguments) == ("get_time", "{}")
    assert first.id.startswith("toolu_")
    assert first.id != second.id


# ── results, and the thinking before them ─────────────────────────────────────────────────────

THINKERS = [
    ("claude-opus-5-5", {}),
    ("claude-sonnet-5-5", {"thinking": False}),
    ("claude-haiku-4-5", {"thinking": True}),
]


@pytest.mark.parametrize(("model", "options"), THINKERS)
async def test_a_loop_of_two_rounds_is_taken_by_the_vendor(
    claude: Anthropic, upstream: AnthropicStandIn, model: str, options: dict[str, Any]
) -> None:
    """The stand-in refuses thinking that is changed, or missing where it is needed."""
    turns = [Turn("system", "S"), Turn("user", MAGIC)]
    for reasoning in ("One.", "Two."):
        upstream.play(Answer(text="I look.", reasoning=reasoning, calls=(CALL, CALL)))
        turns += answered(await collect(claude.stream(asked(*turns, model=model, **options))))
    pieces = await collect(claude.stream(asked(*turns, model=model, **options)))
    assert finish(pieces).reason == "stop"
    said = kinds(upstream)
    thinking = [] if model == "claude-sonnet-5-5" else list(THINKING)
    first, results = [*thinking, "text", "tool_use", "tool_use"], ["tool_result"] * 2
    second = [kind for kind in first if kind != "redacted_thinking"]
    assert said == [["text"], first, results, second, results]


async def test_thinking_without_a_word_goes_back_by_its_signature(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    """Models from 4.7 on may show nothing of a thought; the stand-in knows its own signature."""
    question = asked(Turn("user", "1"))
    await collect(claude.stream(question))
    signature = sign(binding(sent(upstream)), "", "secret")
    block = {"type": "thinking", "thinking": "", "signature": signature}
    decoder = MessageDecoder(endpoint("http://nowhere"), bound=spoken(question).bound)
    body = {"content": [block], "stop_reason": "tool_use"}
    pieces = [*decoder.whole(json.dumps(body).encode()), ToolCall("t", "get_time", "{}")]
    await collect(claude.stream(asked(*question.turns, *answered(pieces))))
    assert sent(upstream)["messages"][1]["content"][0] == block


async def test_thinking_of_answered_questions_stays_here(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    question = asked(Turn("user", "1"))
    upstream.play(Answer(text="I look.", reasoning="Hm.", calls=(CALL,)))
    turns = [*question.turns, *answered(await collect(claude.stream(question)))]
    turns += [Turn("assistant", "Sunny."), Turn("user", "And now?")]
    await collect(claude.stream(asked(*turns)))
    assert kinds(upstream) == [
        ["text"],
        ["text", "tool_use"],
        ["tool_result"],
        ["text"],
        ["text"],
    ]


CHANGES: list[dict[str, Any]] = [
    {"model": "claude-fable-5-2"},
    {"tools": (WEATHER,)},
    {"tools": None},
    {"system": "Be brief."},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_thinking_that_is_tied_to_something_else_stays_here(
    claude: Anthropic, upstream: AnthropicStandIn, change: dict[str, Any]
) -> None:
    turns = [Turn("user", "1")]
    upstream.play(Answer(reasoning="Hm.", calls=(CALL,)))
    turns += answered(await collect(claude.stream(asked(*turns))))
    change = dict(change)
    if system := change.pop("system", None):
        turns.insert(0, Turn("system", system))
    assert finish(await collect(claude.stream(asked(*turns, **change)))).reason == "stop"
    assert kinds(upstream) == [["text"], ["tool_use"], ["tool_result"]]


async def test_a_model_with_a_budget_answers_results_without_thinking_where_it_is_missing(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns = [Turn("user", "1"), wanted(ToolCall("t", "get_time", "{}"))]
    turns.append(Turn("tool", "5", call_id="t"))
    haiku = asked(*turns, model="claude-haiku-4-5", thinking=True)
    assert finish(await collect(claude.stream(haiku))).reason == "stop"
    assert "thinking" not in sent(upstream)
    await collect(claude.stream(replace(haiku, turns=(*turns, Turn("assistant", "5."), turns[0]))))
    assert sent(upstream)["thinking"]["type"] == "enabled"


@pytest.mark.parametrize(
    "seal",
    [
        Seal("gemini", '{"bond": "x"}'),
        Seal("anthropic", "no JSON"),
        Seal("anthropic", '{"signature": "s"}'),
        Seal("anthropic", '{"bond": "", "redacted": "d"}'),
    ],
)
async def test_a_seal_that_is_not_one_of_these_is_left_out(
    claude: Anthropic, upstream: AnthropicStandIn, seal: Seal
) -> None:
    turn = wanted(Reasoning("Hm."), seal, ToolCall("t", "get_time", "{}"))
    await collect(claude.stream(asked(Turn("user", "1"), turn, Turn("tool", "5", call_id="t"))))
    assert kinds(upstream) == [["text"], ["tool_use"], ["tool_result"]]


async def test_without_tools_nobody_keeps_signatures(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(Answer(text="Yes.", reasoning="Hm."))
    pieces = await collect(claude.stream(asked(Turn("user", "1"), tools=None)))
    assert pieces[:-1] == [Reasoning("Hm."), Text("Yes.")]


async def test_calls_of_the_history_are_known_but_not_to_be_made_again(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns = (Turn("user", "1"), wanted(ToolCall("t", "old", "{}")), Turn("tool", "5", call_id="t"))
    await collect(claude.stream(asked(*turns, tools=None)))
    assert [tool["name"] for tool in sent(upstream)["tools"]] == ["old"]
    assert sent(upstream)["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"b": 1.0, "a": 12345678901234567890123}', '{"b": 1.0, "a": 12345678901234567890123}'),
        ("", "{}"),
        (" \n", "{}"),
        ('{"city": "Pa', '{"arguments":"{\\"city\\": \\"Pa"}'),
        ("[1]", '{"arguments":"[1]"}'),
        ("[" * 9999, '{"arguments":"%s"}' % ("[" * 9999)),
    ],
    ids=["an object", "nothing", "blanks", "cut", "a list", "deep"],
)
async def test_arguments_go_back_as_they_were_written_or_inside_an_object(
    claude: Anthropic, upstream: AnthropicStandIn, arguments: str, given: str
) -> None:
    turns = (
        Turn("user", "1"),
        wanted(ToolCall("t", "f", arguments)),
        Turn("tool", "5", call_id="t"),
    )
    await collect(claude.stream(asked(*turns)))
    assert b'"input":' + given.encode() + b"}" in upstream.requests[-1].raw


async def test_ids_of_other_vendors_become_ids_of_this_one_and_no_two_are_alike(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    call, result = ToolCall("f.g:0", "f", "{}"), Turn("tool", "5", call_id="f.g:0")
    turns = (Turn("user", "1"), wanted(call), result, wanted(call), result)
    await collect(claude.stream(asked(*turns)))
    _, one, first, two, second = (message["content"][0] for message in sent(upstream)["messages"])
    assert (one["id"], two["id"]) == ("f_g_0", "f_g_0_2")
    assert (first["tool_use_id"], second["tool_use_id"]) == ("f_g_0", "f_g_0_2")


async def test_results_come_first_and_say_whether_they_failed(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    calls = wanted(Text(" "), ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))
    results = (Turn("tool", "No.", call_id="a", failed=True), Turn("tool", " ", call_id="b"))
    await collect(claude.stream(asked(Turn("user", "1"), calls, *results, Turn("user", "2"))))
    assert sent(upstream)["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "No.", "is_error": True},
        {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "2", "cache_control": MARK},
    ]


# ── what is cached ────────────────────────────────────────────────────────────────────────────


async def test_marks_stand_behind_the_system_text_and_before_and_behind_results(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    calls = tuple(ToolCall(f"t{n}", "f", "{}") for n in range(30))
    results = [Turn("tool", "5", call_id=call.id) for call in calls]
    turns = [Turn("system", "S"), Turn("user", "word " * 1000)]
    first = finish(await collect(claude.stream(asked(*turns)))).usage
    again = finish(await collect(claude.stream(asked(*turns, wanted(*calls), *results)))).usage
    body = sent(upstream)
    assert body["system"][-1]["cache_control"] == MARK
    assert not any("cache_control" in tool for tool in body["tools"])
    marks = ["cache_control" in message["content"][-1] for message in body["messages"]]
    assert marks == [True, False, True]
    assert first is not None
    assert again is not None
    assert again.cached == first.input  # all of it, over more blocks than are looked back
