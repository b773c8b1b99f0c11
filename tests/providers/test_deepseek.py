"""DeepSeek, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import (
    Finish,
    Model,
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
from standins.behaviours import (
    Answer,
    BadUtf8,
    Behaviour,
    Bom,
    CallsAs,
    ContentAs,
    Cut,
    Delay,
    DoneAs,
    Dress,
    Dribble,
    FirstChunk,
    FramedBy,
    Gzip,
    Insert,
    Interim,
    LineEnds,
    NoFinalBlank,
    ReasoningAs,
    SplitEvents,
    Stall,
    Together,
    UsageAs,
)
from standins.deepseek import DeepSeekStandIn

from .conftest import collect, failing, finish, prompt, text, thoughts

KEY = "sk-canary0f1e2d3c4b5a69788796a5b4c3d2"
THINKING: dict[str, Any] = {"thinking": True}
PLAIN: dict[str, Any] = {"thinking": False}
TOOL = Tool("f", parameters={"type": "object"})


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


# ── what is said ──────────────────────────────────────────────────────────────────────────────


async def test_an_answer_has_thoughts_words_and_a_finish_with_its_usage(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(text="Good evening.", reasoning="Polite."))
    pieces = await collect(deepseek.stream(prompt(**THINKING)))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == ("Polite.", "Good evening.")
    assert (end.reason, end.model) == ("stop", "deepseek-flash")
    assert end.fingerprint
    assert end.usage is not None
    assert end.usage.input > 0
    assert end.usage.output > end.usage.reasoning > 0


SAME: list[tuple[Behaviour, ...]] = [
    (LineEnds("crlf"),),
    (LineEnds("cr"),),
    (LineEnds("mixed"), Dribble(1)),
    (Dress("no_space"),),
    (Dress("multi_line"),),
    (Dress("fields"),),
    (Dress("comments_inside"),),
    (Dress("escaped"),),
    (Bom(),),
    (NoFinalBlank(),),
    (DoneAs(b""),),
    (DoneAs(b"data:[DONE]"),),
    (Dribble(1),),
    (Dribble(3, own_chunks=False),),
    (Together(),),
    (SplitEvents("offset"),),
    (SplitEvents("utf8"),),
    (Gzip(),),
    (Gzip(flush=False),),
    (FramedBy("length"),),
    (FramedBy("close"),),
    (Interim(),),
    (FirstChunk("role_only"),),
    (FirstChunk("null_content"),),
    (FirstChunk("empty_choices"),),
    (FirstChunk("missing"),),
    (ContentAs("null_between"),),
    (ContentAs("empty_tool_calls"),),
    (ContentAs("role_everywhere"),),
    (ContentAs("no_delta"),),
    (ReasoningAs("reasoning"),),
    (ReasoningAs("both"),),
    (ReasoningAs("details"),),
    (ReasoningAs("parts"),),
    (Cut(how="no_done"),),
    (Cut(how="no_final_chunk"),),
    (Delay(before_first_token_s=0.02, comments_every_s=0.005),),
    (Insert(b": keep-alive\n\n"),),
    (Insert("data: {}\n\ndata:\n\n: \u2028\n".encode()),),
]


@pytest.mark.parametrize("behaviours", SAME, ids=lambda row: " ".join(map(repr, row))[:70])
async def test_the_same_answer_comes_out_of_every_dress(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, behaviours: tuple[Behaviour, ...]
) -> None:
    said = Answer(text="Grüße, 你好 \u2028 \U0001f600 und \u0085 Ende", reasoning="Hm, 嗯 …")
    upstream.play(said, *behaviours)
    pieces = await collect(deepseek.stream(prompt(**THINKING)))
    assert (text(pieces), thoughts(pieces)) == (said.text, said.reasoning)
    assert finish(pieces).reason == "stop"


@pytest.mark.parametrize(
    "kind",
    ["none", "trailing", "both", "every_chunk", "x_groq", "negative", "inconsistent", "as_strings"],
)
async def test_usage_is_read_in_every_place_and_may_be_missing(
    deepseek: DeepSeek, upstream: DeepSeekStandIn, kind: Any
) -> None:
    upstream.play(Answer(text="Yes."), UsageAs(kind))
    usage = finish(await collect(deepseek.stream(prompt(**PLAIN)))).usage
    if kind == "none":
        assert usage is None
    else:
        assert usage is not None
        assert min(usage.input, usage.cached, usage.output, usage.reasoning) >= 0
        assert usage.input > 0 or kind == "inconsistent"  # a thousand billion is no count
        assert usage.reasoning <= usage.output


async def test_broken_utf_8_costs_a_character_and_not_the_answer(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(tokens=8), BadUtf8())
    assert "\ufffd" in text(await collect(deepseek.stream(prompt(**PLAIN))))


async def test_one_connection_serves_many_questions(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    for _ in range(10):
        await collect(deepseek.stream(prompt(**PLAIN)))
    assert upstream.connections == 1


async def test_closing_the_stream_is_noticed_by_deepseek(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Stall(after_tokens=3))
    pieces = deepseek.stream(prompt(**PLAIN))
    async with aclosing(pieces):
        await anext(pieces)
    await upstream.wait_for_disconnect()


# ── what is asked ─────────────────────────────────────────────────────────────────────────────


async def test_a_bare_question_leaves_the_choice_to_deepseek(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    await collect(deepseek.stream(prompt("Hello")))
    assert sent(upstream) == {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"thinking": True}, {"thinking": {"type": "enabled"}}),
        ({"thinking": False}, {"thinking": {"type": "disabled"}}),
        ({"effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"effort": "minimal"}, {"reasoning_effort": "low"}),
        ({"effort": "medium"}, {"reasoning_effort": "high"}),
        ({"effort": "xhigh"}, {"reasoning_effort": "high"}),
        ({"effort": "max"}, {"reasoning_effort": "max"}),
        ({"effort": "ultra"}, {"reasoning_effort": "max"}),
        ({"effort": "odd"}, {}),
        ({"thinking": True, "effort": "none"}, {"thinking": {"type": "enabled"}}),
        ({"thinking": False, "effort": "high"}, {"thinking": {"type": "disabled"}}),
        (
            {"max_tokens": 9_999_999, "stop": ("a", "b")},
            {"max_tokens": 393_216, "stop": ["a", "b"]},
        ),
        ({"temperature": 0.5}, {}),
        ({"temperature": 0.5, **PLAIN}, {"thinking": {"type": "disabled"}, "temperature": 0.5}),
        ({"top_p": 0.5}, {"top_p": 0.95}),
        ({"top_p": 0.5, **PLAIN}, {"thinking": {"type": "disabled"}}),
        ({"seed": 1, "top_k": 2, "frequency_penalty": 1.0, "presence_penalty": 1.0}, {}),
    ],
)
async def test_only_what_deepseek_knows_is_sent_in_its_own_words(
    deepseek: DeepSeek,
    upstream: DeepSeekStandIn,
    options: dict[str, Any],
    fields: dict[str, object],
) -> None:
    await collect(deepseek.stream(prompt(**options)))
    always = {"model", "messages", "stream", "stream_options"}
    assert {name: value for name, value in sent(upstream).items() if name not in always} == fields


@pytest.mark.parametrize(
    ("model", "options", "ignored"),
    [
        ("deepseek-flash", {}, ()),
        ("deepseek-flash", {"temperature": 1.0}, ("temperature",)),
        ("deepseek-flash", {"temperature": 1.0, **PLAIN}, ()),
        ("deepseek-flash", {"temperature": 1.0, "effort": "none"}, ()),
        ("deepseek-flash", {"top_p": 1.0}, ()),
        ("deepseek-flash", {"top_p": 1.0, **PLAIN}, ("top_p",)),
        ("deepseek-v4-pro", {"top_p": 1.0}, ("top_p",)),
        ("deepseek-v4-pro", {"top_p": 1.0, **PLAIN}, ()),
        ("deepseek-flash", {"seed": 1, "top_k": 2, "max_tokens": 5}, ("top_k", "seed")),
        (
            "deepseek-flash",
            {"frequency_penalty": 0.0, "presence_penalty": 0.0},
            ("frequency_penalty", "presence_penalty"),
        ),
        ("deepseek-flash", {"effort": "high", **PLAIN}, ("effort",)),
        ("deepseek-flash", {"effort": "none", **THINKING}, ("effort",)),
        ("deepseek-flash", {"effort": "odd"}, ("effort",)),
        ("deepseek-flash", {"effort": "low"}, ()),
    ],
)
def test_what_has_no_effect_is_named(
    deepseek: DeepSeek, model: str, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert deepseek.ignored(model, Options(**options)) == ignored


TURNS = (
    Turn("system", "Be kind."),
    Turn("user", "1"),
    Turn("assistant", "2", "because"),
    Turn("user", "3"),
    Turn("assistant", "4"),
    Turn("user", "5"),
)


@pytest.mark.parametrize(
    ("tools", "thinking", "back"),
    [
        ((), True, []),
        ((), None, []),
        ((TOOL,), False, []),
        ((TOOL,), None, ["because", ""]),
        ((TOOL,), True, ["because", ""]),
    ],
)
async def test_reasoning_goes_back_only_with_tools_and_while_thinking(
    deepseek: DeepSeek,
    upstream: DeepSeekStandIn,
    tools: tuple[Tool, ...],
    thinking: bool | None,
    back: list[str],
) -> None:
    asked = Prompt("deepseek-flash", TURNS, Options(thinking=thinking), tools=tools)
    await collect(deepseek.stream(asked))
    messages = sent(upstream)["messages"]
    assert [one["reasoning_content"] for one in messages if "reasoning_content" in one] == back
    assert [one["content"] for one in messages] == ["Be kind.", "1", "2", "3", "4", "5"]


# ── tools, pictures, forms of the text ────────────────────────────────────────────────────────

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


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/beta"])
async def test_a_cut_answer_goes_on_from_its_last_character(
    wire: Wire, upstream: DeepSeekStandIn, tail: str
) -> None:
    deepseek = DeepSeek(wire, api_key=KEY, base_url=upstream.url + tail)
    whole = text(await collect(deepseek.stream(prompt("Tell me", **PLAIN))))
    half = whole[: len(whole) // 2]
    again = replace(prompt("Tell me", **PLAIN), prefix=Said(text=half))
    assert half + text(await collect(deepseek.stream(again))) == whole
    assert upstream.requests[-1].path == "/beta/chat/completions"
    assert sent(upstream)["messages"][-1] == {"role": "assistant", "content": half, "prefix": True}


async def test_a_thought_that_was_cut_goes_back_with_the_prefix(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    asked = replace(prompt(**THINKING), prefix=Said(text="Go", reasoning="I think"))
    await collect(deepseek.stream(asked))
    assert sent(upstream)["messages"][-1] == {
        "role": "assistant",
        "content": "Go",
        "prefix": True,
        "reasoning_content": "I think",
    }


async def test_a_continuation_may_have_nothing_to_add(
    deepseek: DeepSeek, upstream: DeepSeekStandIn
) -> None:
    upstream.play(ContentAs("none"))
    asked = replace(prompt(**PLAIN), prefix=Said(text="All said."))
    assert finish(await collect(deepseek.stream(asked))).reason == "stop"


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_as_people_write_it(
    wire: Wire, upstream: DeepSeekStandIn, tail: str
) -> None:
    deepseek = DeepSeek(wire, api_key=f" {KEY}\n", base_url=f" {upstream.url}{tail} ")
    await collect(deepseek.stream(prompt()))
    assert upstream.requests[-1].path == f"{tail.rstrip('/')}/chat/completions"


# ── the catalog's rows ────────────────────────────────────────────────────────────────────────


def test_the_models_are_the_served_ones_and_the_names_that_people_still_use() -> None:
    rows: dict[str, Model] = {model.id: model for model in DeepSeek.models}
    assert [model.id for model in DeepSeek.models][:2] == ["deepseek-flash", "deepseek-v4-pro"]
    assert (rows["deepseek-chat"].alias_of, rows["deepseek-chat"].thinking) == (
        "deepseek-flash",
        False,
    )
    assert (rows["deepseek-reasoner"].alias_of, rows["deepseek-reasoner"].thinking) == (
        "deepseek-flash",
        True,
    )
    assert rows["deepseek-v4-flash"].thinking is None
    assert all("2026-07-24" in rows[name].description for name in ("deepseek-chat",))
    assert all(model.alias_of is None or model.alias_of in rows for model in rows.values())
    assert {model.context_length for model in rows.values()} == {1_048_576}
