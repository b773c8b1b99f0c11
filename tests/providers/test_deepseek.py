"""DeepSeek, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import (
    Model,
    Options,
    Prompt,
    Tool,
    Turn,
)
from lite_llm_chat.providers.deepseek import DeepSeek
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import (
    Answer,
    BadUtf8,
    Behaviour,
    Bom,
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

from .conftest import collect, finish, prompt, text, thoughts

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
