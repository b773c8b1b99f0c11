"""What Anthropic is told of a conversation, and how it is asked to go on with a cut answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import Options, Prompt, Turn
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.going_on import GO_ON
from lite_llm_chat.providers.wire import Wire
from standins.anthropic import AnthropicStandIn
from standins.behaviours import Answer

from .conftest import collect, failing, finish, prompt, text

KEY = "sk-ant-test"
ASK = {"model": "claude-haiku-4-5"}  # thinks only when told to
MARK = {"type": "ephemeral"}


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


def said(upstream: AnthropicStandIn) -> list[tuple[str, list[str]]]:
    """The messages of the last request: each role and its texts."""
    messages = sent(upstream)["messages"]
    return [(one["role"], [block["text"] for block in one["content"]]) for one in messages]


def talk(*turns: tuple[Any, str], model: str = "claude-haiku-4-5", **options: Any) -> Prompt:
    return Prompt(model, tuple(Turn(*turn) for turn in turns), Options(**options))


# ── the conversation ──────────────────────────────────────────────────────────────────────────


async def test_system_turns_are_one_field_wherever_they_stood(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns: list[tuple[Any, str]] = [
        ("system", "Be kind."),
        ("user", "1"),
        ("assistant", "2"),
        ("system", " "),
        ("system", "Be brief."),
        ("user", "3"),
    ]
    await collect(claude.stream(talk(*turns)))
    assert sent(upstream)["system"] == [
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "Be brief.", "cache_control": MARK},
    ]
    assert said(upstream) == [("user", ["1"]), ("assistant", ["2"]), ("user", ["3"])]


async def test_a_system_text_of_blanks_is_none(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    await collect(claude.stream(talk(("system", "\n"), ("user", "1"))))
    assert "system" not in sent(upstream)


async def test_roles_take_turns_and_nothing_is_empty(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns: list[tuple[Any, str]] = [
        ("user", "1"),
        ("assistant", ""),
        ("user", "2"),
        ("assistant", "3"),
        ("assistant", "4"),
        ("user", " \n"),
        ("user", "5"),
    ]
    await collect(claude.stream(talk(*turns)))
    assert said(upstream) == [("user", ["1", "2"]), ("assistant", ["3", "4"]), ("user", ["5"])]


async def test_a_question_of_nothing_but_blanks_is_refused_by_the_vendor(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    _, error = await failing(claude.stream(talk(("system", "S"), ("user", " \n"))))
    assert error.code == "provider_bad_request"
    assert "at least one message" in error.detail
    assert said(upstream) == []


async def test_a_conversation_that_the_assistant_began_is_begun_by_the_user(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    await collect(claude.stream(talk(("assistant", "Welcome."), ("user", "Hi"))))
    beginning = "(The conversation begins with your message.)"
    assert said(upstream) == [("user", [beginning]), ("assistant", ["Welcome."]), ("user", ["Hi"])]


async def test_earlier_thoughts_stay_here(claude: Anthropic, upstream: AnthropicStandIn) -> None:
    turns = (Turn("user", "1"), Turn("assistant", "2", "because"), Turn("user", "3"))
    await collect(claude.stream(Prompt("claude-opus-5-5", turns)))
    assert b"because" not in upstream.requests[-1].raw


def marks(upstream: AnthropicStandIn) -> list[str]:
    """The texts with a cache mark behind them."""
    blocks = [block for one in sent(upstream)["messages"] for block in one["content"]]
    return [
        block["text"]
        for block in [*sent(upstream).get("system", ()), *blocks]
        if block.get("cache_control") == MARK
    ]


async def test_the_marks_stand_behind_the_system_text_and_the_last_question(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns: list[tuple[Any, str]] = [("system", "S"), ("user", "1"), ("assistant", "2")]
    asked = talk(*turns, ("user", "3"), ("user", "4"), model="claude-opus-5-5")
    await collect(claude.stream(asked))
    assert marks(upstream) == ["S", "4"]
    await collect(claude.stream(replace(asked, prefix=Said(text="So far"))))
    assert marks(upstream) == ["S", "4"]


async def test_a_longer_conversation_only_appends(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    turns: list[tuple[Any, str]] = [("system", "S"), ("user", "1")]
    await collect(claude.stream(talk(*turns)))
    before = said(upstream)
    await collect(claude.stream(talk(*turns, ("assistant", "2"), ("user", "3"))))
    assert said(upstream)[: len(before)] == before


async def test_a_second_question_reads_what_the_first_one_wrote(claude: Anthropic) -> None:
    long = "word " * 1000
    first = await collect(claude.stream(talk(("user", long))))
    usage = finish(first).usage
    assert usage is not None
    assert (usage.input, usage.cached) == (1252, 0)
    turns = (("user", long), ("assistant", text(first)), ("user", "And now?"))
    again = finish(await collect(claude.stream(talk(*turns)))).usage
    assert again is not None
    assert again.cached == 1252
    assert again.input > 1252


# ── going on with a cut answer ────────────────────────────────────────────────────────────────


async def test_a_model_that_can_goes_on_from_the_last_character(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    whole = text(await collect(claude.stream(prompt("Tell me", **ASK))))
    half = whole[: len(whole) // 2].rstrip()
    again = replace(prompt("Tell me", **ASK), prefix=Said(text=half))
    assert half + text(await collect(claude.stream(again))) == whole
    assert said(upstream)[-1] == ("assistant", [half])


@pytest.mark.parametrize(
    ("model", "so_far", "options"),
    [
        ("claude-opus-5-5", "So far", {}),
        ("claude-opus-4-6", "So far", {}),
        ("claude-haiku-4-5", "So far", {"thinking": True}),
        ("claude-haiku-4-5", "So far, ", {}),  # a last text must not end in a blank
    ],
)
async def test_any_other_is_asked_to_in_words(
    claude: Anthropic,
    upstream: AnthropicStandIn,
    model: str,
    so_far: str,
    options: dict[str, Any],
) -> None:
    asked = replace(prompt("Tell me", model, **options), prefix=Said(text=so_far))
    await collect(claude.stream(asked))
    assert said(upstream) == [("user", ["Tell me"]), ("assistant", [so_far]), ("user", [GO_ON])]


async def test_a_cut_without_text_is_just_asked_again(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    await collect(claude.stream(replace(prompt("Tell me", **ASK), prefix=Said(text=" \n"))))
    assert said(upstream) == [("user", ["Tell me"])]


async def test_a_continuation_may_have_nothing_to_add(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(Answer(text="All said."))
    asked = replace(prompt(**ASK), prefix=Said(text="All said."))
    assert finish(await collect(claude.stream(asked))).reason == "stop"
