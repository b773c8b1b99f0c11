"""Ollama, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import Options, Prompt, Turn
from lite_llm_chat.providers.base import Provider
from lite_llm_chat.providers.ollama import LOAD_TIMEOUT_S, Ollama
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import (
    Answer,
    BadUtf8,
    Behaviour,
    Bom,
    Cut,
    Dribble,
    FramedBy,
    Gate,
    Gzip,
    Insert,
    Interim,
    LineEnds,
    Pause,
    SplitEvents,
    Stall,
    Together,
)
from standins.ollama import OllamaStandIn

from .conftest import collect, finish, prompt, text, thoughts

MODEL = "gemma4:e2b"
GPT = "gpt-oss:20b"


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn() as one:
        yield one


@pytest.fixture
def ollama(wire: Wire, upstream: OllamaStandIn) -> Ollama:
    return Ollama(wire, api_key=None, base_url=upstream.url)


def ask(content: str = "Hello", model: str = MODEL, **options: object) -> Prompt:
    return prompt(content, model, **options)


def sent(upstream: OllamaStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


# ── what is said ──────────────────────────────────────────────────────────────────────────────


async def test_an_answer_has_thoughts_words_and_a_finish_with_its_usage(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(text="Good evening.", reasoning="Polite."))
    pieces = await collect(ollama.stream(ask()))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == ("Polite.", "Good evening.")
    assert (end.reason, end.model) == ("stop", MODEL)
    assert end.usage is not None
    assert (end.usage.input, end.usage.output) == (4, 5)


SAME: list[tuple[Behaviour, ...]] = [
    (LineEnds("crlf"),),
    (Bom(),),
    (Dribble(1),),
    (Dribble(3, own_chunks=False),),
    (Together(),),
    (SplitEvents("offset"),),
    (SplitEvents("utf8"),),
    (Gzip(),),
    (FramedBy("length"),),
    (FramedBy("close"),),
    (Interim(),),
    (Insert(b"\n{}\n \n", 2),),
    (Insert(b"\n\n", 0),),
    (Cut(how="no_final_chunk"),),
]


@pytest.mark.parametrize("behaviours", SAME, ids=lambda row: " ".join(map(repr, row))[:70])
async def test_the_same_answer_comes_out_of_every_dress(
    ollama: Ollama, upstream: OllamaStandIn, behaviours: tuple[Behaviour, ...]
) -> None:
    said = Answer(text="Grüße, 你好 \u2028 \U0001f600 und \u0085 Ende", reasoning="Hm, 嗯 …")
    upstream.play(said, *behaviours)
    pieces = await collect(ollama.stream(ask()))
    assert (text(pieces), thoughts(pieces)) == (said.text, said.reasoning)
    assert finish(pieces).reason == "stop"


async def test_broken_utf_8_costs_a_character_and_not_the_answer(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(tokens=8), BadUtf8())
    assert "\ufffd" in text(await collect(ollama.stream(ask(thinking=False))))


async def test_one_connection_serves_many_questions(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    for _ in range(10):
        await collect(ollama.stream(ask()))
    assert upstream.connections == 1


async def test_closing_the_stream_is_noticed_by_ollama(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Stall(after_tokens=3))
    pieces = ollama.stream(ask())
    async with aclosing(pieces):
        await anext(pieces)
    assert (await upstream.wait_for_disconnect()).request.path == "/api/chat"


async def test_leaving_while_the_model_is_loaded_is_noticed_too(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=None))
    waiting = asyncio.create_task(collect(ollama.stream(ask())))
    await gate.reached()
    waiting.cancel()
    assert (await upstream.wait_for_disconnect()).tokens == 0


async def test_a_model_that_has_to_be_loaded_is_waited_for(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    gate = Gate()
    upstream.play(Answer(text="Here."), Pause(gate, after_tokens=None))
    waiting = asyncio.create_task(collect(ollama.stream(ask())))
    await gate.reached()
    assert not waiting.done()
    gate.open()
    assert text(await waiting) == "Here."
    assert ollama.first_piece_timeout_s == LOAD_TIMEOUT_S == 300.0


# ── what is asked ─────────────────────────────────────────────────────────────────────────────


async def test_a_bare_question_leaves_the_choice_to_ollama(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    await collect(ollama.stream(ask("Hello")))
    assert sent(upstream) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "truncate": False,
        "shift": False,
    }
    request = upstream.requests[-1]
    assert request.path == "/api/chat"
    assert request.headers["accept"] == "application/x-ndjson"
    assert "authorization" not in request.headers


async def test_the_turns_go_as_they_are_and_reasoning_stays_here(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    turns = (
        Turn("system", "Be kind."),
        Turn("user", "1"),
        Turn("assistant", "2", "because"),
        Turn("user", "3"),
    )
    await collect(ollama.stream(Prompt(MODEL, turns)))
    assert sent(upstream)["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3"},
    ]


@pytest.mark.parametrize(
    ("model", "options", "fields"),
    [
        (MODEL, {"thinking": True}, {"think": True}),
        (MODEL, {"thinking": False}, {"think": False}),
        (MODEL, {"effort": "none"}, {"think": False}),
        (MODEL, {"effort": "low"}, {"think": True}),
        (MODEL, {"effort": "ultra"}, {"think": True}),
        (MODEL, {"effort": "odd"}, {}),
        (MODEL, {"thinking": False, "effort": "high"}, {"think": False}),
        (MODEL, {"thinking": True, "effort": "none"}, {"think": True}),
        (GPT, {"thinking": True}, {"think": True}),
        (GPT, {"thinking": False}, {"think": False}),
        (GPT, {"effort": "minimal"}, {"think": "low"}),
        (GPT, {"effort": "low"}, {"think": "low"}),
        (GPT, {"effort": "medium"}, {"think": "medium"}),
        (GPT, {"effort": "high", "thinking": True}, {"think": "high"}),
        (GPT, {"effort": "max"}, {"think": "high"}),
        (GPT, {"effort": "none"}, {"think": False}),
        (
            MODEL,
            {
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 20,
                "max_tokens": 7,
                "stop": ("a", "b"),
                "seed": 42,
                "frequency_penalty": 0.1,
                "presence_penalty": 0.2,
            },
            {
                "options": {
                    "temperature": 0.5,
                    "top_p": 0.9,
                    "top_k": 20,
                    "num_predict": 7,
                    "stop": ["a", "b"],
                    "seed": 42,
                    "frequency_penalty": 0.1,
                    "presence_penalty": 0.2,
                }
            },
        ),
    ],
)
async def test_options_are_sent_in_ollamas_own_words(
    ollama: Ollama,
    upstream: OllamaStandIn,
    model: str,
    options: dict[str, Any],
    fields: dict[str, object],
) -> None:
    await collect(ollama.stream(ask(model=model, **options)))
    always = {"model", "messages", "stream", "truncate", "shift"}
    assert {name: value for name, value in sent(upstream).items() if name not in always} == fields


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gpt-oss", True),
        ("gpt-oss:120b-cloud", True),
        ("someone/gpt-oss-safeguard:20b", True),
        ("qwen3:8b", False),
        ("not-gpt-ossified", False),
        ("ungpt-oss", False),
    ],
)
def test_an_effort_is_a_level_only_where_there_are_levels(
    ollama: Ollama, model: str, levels: bool
) -> None:
    told = Options(thinking=True, effort="low")
    assert ollama.ignored(model, told) == (() if levels else ("effort",))


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ({}, ()),
        ({"effort": "high"}, ()),
        ({"effort": "none"}, ()),
        ({"effort": "odd"}, ("effort",)),
        ({"effort": "high", "thinking": False}, ("effort",)),
        ({"effort": "none", "thinking": True}, ("effort",)),
        ({"temperature": 1.0, "top_k": 1, "seed": 1, "stop": ("a",), "max_tokens": 1}, ()),
        ({"top_p": 0.5, "frequency_penalty": 1.0, "presence_penalty": 1.0}, ()),
    ],
)
def test_what_has_no_effect_is_named(
    ollama: Ollama, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert ollama.ignored(MODEL, Options(**options)) == ignored


# ── going on, and the address ─────────────────────────────────────────────────────────────────


async def test_a_cut_answer_goes_on_from_its_last_character(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    whole = text(await collect(ollama.stream(ask("Tell me"))))
    half = whole[: len(whole) // 2]
    again = replace(ask("Tell me", thinking=True), prefix=Said(text=half, reasoning="I think"))
    pieces = await collect(ollama.stream(again))
    assert half + text(pieces) == whole
    assert not thoughts(pieces)
    assert sent(upstream)["messages"][-1] == {"role": "assistant", "content": half}
    assert sent(upstream)["think"] is False


async def test_a_continuation_may_have_nothing_to_add(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(text="All said."))
    asked = replace(ask(), prefix=Said(text="All said."))
    assert finish(await collect(ollama.stream(asked))).reason == "stop"


@pytest.mark.parametrize("tail", ["", "/", "/api", "/api/", "/v1", " "])
async def test_the_base_url_may_be_as_people_write_it(
    wire: Wire, upstream: OllamaStandIn, tail: str
) -> None:
    for start in (upstream.url, upstream.url.removeprefix("http://")):
        ollama = Ollama(wire, api_key=None, base_url=f" {start}{tail}")
        await collect(ollama.stream(ask()))
        assert upstream.requests[-1].path == "/api/chat"


async def test_a_key_goes_along_where_one_is_set(wire: Wire) -> None:
    async with OllamaStandIn(key="key-1") as upstream:
        ollama = Ollama(wire, api_key=" key-1\n", base_url=upstream.url)
        assert text(await collect(ollama.stream(ask())))
        assert upstream.requests[-1].headers["authorization"] == "Bearer key-1"


def test_it_is_a_provider_with_a_default_that_takes_any_name(ollama: Ollama) -> None:
    provider: Provider = ollama
    assert (provider.id, provider.open_ended) == ("ollama", True)
    assert [model.id for model in provider.models] == [MODEL, GPT]
    assert all(model.id in model.description for model in provider.models)
    assert {model.provider for model in provider.models} == {"ollama"}
