"""The Responses API, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
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
    Usage,
)
from lite_llm_chat.errors import StartupError
from lite_llm_chat.providers.endpoints import read
from lite_llm_chat.providers.going_on import GO_ON
from lite_llm_chat.providers.habits import OF_RESPONSES
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.registry import build
from lite_llm_chat.providers.responses import Responses, payload_of
from lite_llm_chat.providers.vendors import OPENAI, OPENAI_RESPONSES
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer
from standins.responses import Fault, Refuses, ResponsesStandIn, refusing

from .conftest import collect, failing, finish, prompt, text, thoughts
from .test_registry import parts

KEY = "sk-canary0f1e2d3c4b5a69788796a5b4c3d2"
LUNA, SOL, PLAIN = "gpt-6-luna", "gpt-6.1-sol", "gpt-4.1"
LOOK = Tool("look", "Looks", {"type": "object", "properties": {"at": {"type": "string"}}})
BOX = '[[endpoint]]\nid = "box"\nbase_url = "http://10.0.0.5/v1"\ndialect = "responses"\n'


@pytest.fixture
async def upstream() -> AsyncIterator[ResponsesStandIn]:
    async with ResponsesStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def openai(wire: Wire, upstream: ResponsesStandIn) -> Responses:
    return Responses(wire, OPENAI_RESPONSES, api_key=KEY, base_url=upstream.url)


def asked(model: str, *turns: Turn, tools: tuple[Tool, ...] = (), **options: Any) -> dict[str, Any]:
    talk = turns or (Turn("user", "Hi"),)
    return payload_of(Prompt(model, talk, Options(**options), tools=tools), OPENAI_RESPONSES)


def test_it_is_a_provider_with_the_models_of_the_other_row(pool: Pool) -> None:
    providers = build(parts(pool, OPENAI_API_KEY=KEY))
    assert [
        name
        for name, one in providers.items()
        if name.startswith("openai") and one.readiness().ready
    ] == ["openai", "openai-responses"]
    one = providers["openai-responses"]
    assert [model.id for model in one.models] == [model.id for model in OPENAI.models]
    assert one.first_piece_timeout_s == 600.0


async def test_an_answer_has_thoughts_words_and_a_finish_with_its_usage(
    openai: Responses, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(text="Good evening.", reasoning="Polite."))
    pieces = await collect(openai.stream(prompt(model=SOL)))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == ("Polite.", "Good evening.")
    assert (end.reason, end.model) == ("stop", f"{SOL}-2026-09-01")
    assert end.usage is not None
    assert replace(end.usage, input=0) == Usage(0, 0, 5, 2)
    assert upstream.chats[0].path == "/responses"


async def test_a_tool_loop_brings_its_reasoning_back_unchanged(
    openai: Responses, upstream: ResponsesStandIn
) -> None:
    upstream.play(Answer(calls=2, reasoning="Ask."))
    ask = Prompt(SOL, (Turn("user", "Weather?"),), tools=(LOOK,))
    pieces = await collect(openai.stream(ask))
    assert finish(pieces).reason == "tool_calls"
    said = tuple(one for one in pieces if isinstance(one, Reasoning | Seal | ToolCall))
    turn = Turn("assistant", "", "Ask.", said)
    results = [Turn("tool", "Sun", call_id=call.id) for call in turn.calls]
    assert len(results) == 2
    again = replace(ask, turns=(*ask.turns, turn, *results))
    assert text(await collect(openai.stream(again)))  # it looks at what it has sealed
    body: Any = upstream.chats[1].body
    kinds = ["message", "reasoning", *2 * ["function_call"], *2 * ["function_call_output"]]
    assert [item["type"] for item in body["input"]] == kinds


def test_a_bare_question_is_stateless_and_asks_for_a_summary() -> None:
    words = {"type": "input_text", "text": "Hi"}
    bare = {
        "input": [{"type": "message", "role": "user", "content": [words]}],
        "stream": True,
        "store": False,
    }
    thinks = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    assert asked(LUNA) == {"model": LUNA, **bare, **thinks}
    assert asked(PLAIN) == {"model": PLAIN, **bare}


SENT: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    (LUNA, {"thinking": True}, {"reasoning": {"effort": "medium", "summary": "auto"}}, ()),
    (LUNA, {"thinking": False}, {"reasoning": {"effort": "none"}}, ()),
    (LUNA, {"effort": "ultra"}, {"reasoning": {"effort": "max", "summary": "auto"}}, ()),
    (SOL, {"thinking": False}, {"reasoning": {"summary": "auto"}}, ("thinking",)),
    (LUNA, {"temperature": 0.5, "top_p": 0.5}, {}, ("temperature", "top_p")),
    (LUNA, {"seed": 1, "stop": ("x",), "top_k": 1}, {}, ("top_k", "stop", "seed")),
    (PLAIN, {"temperature": 0.5, "top_p": 0.5}, {"temperature": 0.5, "top_p": 0.5}, ()),
    (PLAIN, {"thinking": True, "effort": "low"}, {}, ("thinking", "effort")),
    (LUNA, {"max_tokens": 100}, {"max_output_tokens": 100}, ()),
    (LUNA, {"max_tokens": 5}, {"max_output_tokens": 16}, ()),
    (
        PLAIN,
        {"response_format": ResponseFormat("json_object")},
        {"text": {"format": {"type": "json_object"}}},
        (),
    ),
    (
        PLAIN,
        {"response_format": ResponseFormat("json_schema", "x", {"type": "object"}, True)},
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "x",
                    "schema": {"type": "object"},
                    "strict": True,
                }
            }
        },
        (),
    ),
]


@pytest.mark.parametrize(("model", "given", "more", "unheard"), SENT, ids=range(len(SENT)))
def test_options_are_sent_in_the_vendors_words_or_named(
    openai: Responses,
    model: str,
    given: dict[str, Any],
    more: dict[str, Any],
    unheard: tuple[str, ...],
) -> None:
    assert asked(model, **given) == asked(model) | more
    assert openai.ignored(model, Options(**given)) == unheard
    assert openai.formats(model) == {"json_object", "json_schema"}


def test_functions_are_flat_and_say_whether_they_are_strict() -> None:
    body = asked(
        LUNA,
        tools=(LOOK, Tool("now", strict=True)),
        tool_choice="tool:now",
        parallel_tool_calls=False,
    )
    assert body["tools"] == [
        {
            "type": "function",
            "name": "look",
            "description": "Looks",
            "parameters": LOOK.parameters,
            "strict": False,
        },
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "now"}
    assert body["parallel_tool_calls"] is False
    assert asked(LUNA, tools=(LOOK,), tool_choice="required")["tool_choice"] == "required"


def test_turns_are_items_in_their_order() -> None:
    seal = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "g"}
    answer = (
        Reasoning("Hm"),
        Seal("responses", json.dumps(seal)),
        Seal("anthropic", "another's"),
        Text("I look."),
        ToolCall("c" * 65, "look", ""),
        Seal("responses", json.dumps(seal)),  # it led to nothing: it was cut
    )
    turns = (
        Turn("user", "Hi", pictures=(Picture("1", "image/png", b"\x89P"),)),
        Turn("system", "Be brief."),
        Turn("assistant", "I look.", "Hm", answer),
        Turn("tool", "A cat", call_id="c" * 65),
    )
    user, system, reasoning, said, call, output = asked(LUNA, *turns)["input"]
    url = "data:image/png;base64,iVA="
    assert user["content"] == [
        {"type": "input_text", "text": "Hi"},
        {"type": "input_image", "detail": "auto", "image_url": url},
    ]
    assert (system["role"], reasoning) == ("system", seal)
    assert (said["role"], said["content"]) == (
        "assistant",
        [{"type": "output_text", "text": "I look."}],
    )
    assert (call["name"], call["arguments"]) == ("look", "{}")
    assert call["call_id"] == output["call_id"]
    assert len(call["call_id"]) <= 64
    assert output["output"] == "A cat"
    assert "reasoning" not in [item["type"] for item in asked(PLAIN, *turns)["input"]]


def test_it_is_asked_in_words_to_go_on() -> None:
    cut = Prompt(LUNA, (Turn("user", "Count"),), prefix=Beginning("one tw"))
    body: Any = payload_of(cut, OPENAI_RESPONSES)
    assert [(item["role"], item["content"][0]["text"]) for item in body["input"]] == [
        ("user", "Count"),
        ("assistant", "one tw"),
        ("user", GO_ON),
    ]


FAILURES: list[tuple[Any, str, bool]] = [
    (refusing(401, "x"), "provider_auth", False),
    (refusing(429, "rate_limit_error"), "provider_rate_limited", True),
    (refusing(429, "insufficient_quota"), "provider_balance", False),
    (refusing(500, "server_error"), "provider_error", True),
    (refusing(400, "x", "Your input exceeds the context window"), "provider_bad_request", False),
    (Fault("server_error"), "provider_error", True),
    (Fault("rate_limit_exceeded", flat=True), "provider_rate_limited", True),
    (Fault("insufficient_quota"), "provider_balance", False),
    (Fault("invalid_prompt"), "provider_bad_request", False),
    (Fault("bio_policy"), "provider_bad_request", False),
    (Fault("image_too_large", flat=True), "provider_bad_request", False),
    (Fault("context_length_exceeded"), "provider_bad_request", False),
]


@pytest.mark.parametrize(("behaviour", "code", "retryable"), FAILURES, ids=range(len(FAILURES)))
async def test_every_failure_has_its_code(
    openai: Responses, upstream: ResponsesStandIn, behaviour: Any, code: str, retryable: bool
) -> None:
    upstream.play(behaviour)
    _, error = await failing(openai.stream(prompt(model=LUNA)))
    assert (error.code, error.retryable) == (code, retryable)
    assert KEY not in error.detail


async def test_a_refusal_is_shown_and_named(openai: Responses, upstream: ResponsesStandIn) -> None:
    upstream.play(Answer(text="No, thanks."), Refuses())
    pieces = await collect(openai.stream(prompt(model=PLAIN)))
    assert (text(pieces), finish(pieces).reason) == ("No, thanks.", "refusal")


async def test_its_list_is_that_of_the_chat_models(openai: Responses) -> None:
    listed = await openai.listed()
    assert listed is not None
    assert LUNA in [model.id for model in listed]
    assert not [model.id for model in listed if "embedding" in model.id or "whisper" in model.id]


# ── an endpoint of one's own ──────────────────────────────────────────────────────────────────


async def test_an_endpoint_of_ones_own_may_speak_it(
    pool: Pool, upstream: ResponsesStandIn, tmp_path: Path
) -> None:
    file = tmp_path / "endpoints.toml"
    entry = BOX.replace("http://10.0.0.5/v1", upstream.url)
    file.write_text(f'{entry}key = "{KEY}"\nthinking = "reasoning_effort"\n')
    own = read(file, frozenset(), required=True)
    assert own.rows[0].habits.takes == OF_RESPONSES
    upstream.play(Answer(text="Here.", reasoning="Hm."))
    pieces = await collect(build(replace(parts(pool), own=own))["box"].stream(prompt(model=SOL)))
    assert (thoughts(pieces), text(pieces)) == ("Hm.", "Here.")
    assert [one.maker for one in pieces if isinstance(one, Seal)] == ["responses:box"]


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ('going_on = "prefix"', "going_on, think_tags, stream_options: not in the dialect"),
        ('think_tags = "open"', "going_on, think_tags, stream_options: not in the dialect"),
        ('dialect = "odd"', "choose one: chat, responses"),
    ],
)
def test_an_entry_that_mixes_the_dialects_is_refused(tmp_path: Path, line: str, mend: str) -> None:
    file = tmp_path / "endpoints.toml"
    entry = BOX.replace('dialect = "responses"\n', "") if line.startswith("dialect") else BOX
    file.write_text(f"{entry}{line}\n")
    with pytest.raises(StartupError) as caught:
        read(file, frozenset(), required=True)
    assert mend in caught.value.detail
