"""Anthropic, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from lite_llm_chat.domain import Options, Usage
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.anthropic_models import habits_of
from lite_llm_chat.providers.base import Provider
from lite_llm_chat.providers.wire import Wire
from standins.anthropic import AnthropicStandIn
from standins.behaviours import (
    Answer,
    Behaviour,
    Bom,
    Dribble,
    FramedBy,
    Gzip,
    Insert,
    LineEnds,
    NoFinalBlank,
    SplitEvents,
    Stall,
    Together,
)

from .conftest import Vendor, collect, finish, prompt, stream, text, thoughts

KEY = "sk-ant-canary0f1e2d3c4b5a69788796a5b4c3d2"
ASK = {"model": "claude-haiku-4-5"}  # thinks only when told to
MARK = {"type": "ephemeral"}
SHOWN = {"type": "adaptive", "display": "summarized"}


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


def test_it_is_a_provider(claude: Anthropic) -> None:
    provider: Provider = claude
    assert (provider.id, provider.name, provider.open_ended) == ("anthropic", "Anthropic", True)
    assert provider.readiness().ready


# ── what is said ──────────────────────────────────────────────────────────────────────────────


async def test_an_answer_has_thoughts_words_and_a_finish_with_its_usage(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(Answer(text="Good evening.", reasoning="Polite."))
    pieces = await collect(claude.stream(prompt(model="claude-sonnet-5-5")))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == ("Polite.", "Good evening.")
    assert (end.reason, end.model) == ("stop", "claude-sonnet-5-5")
    assert end.usage == Usage(input=4, cached=0, output=5, reasoning=2)


SAME: list[tuple[Behaviour, ...]] = [
    (LineEnds("crlf"),),
    (LineEnds("cr"),),
    (LineEnds("mixed"), Dribble(1)),
    (Bom(),),
    (NoFinalBlank(),),
    (Dribble(3, own_chunks=False),),
    (Together(),),
    (SplitEvents("offset"),),
    (SplitEvents("utf8"),),
    (Gzip(),),
    (FramedBy("length"),),
    (FramedBy("close"),),
    (Insert(b": keep-alive\n\n"),),
    (Insert(b'event: ping\ndata: {"type": "ping"}\n\n'),),
    (Insert("event: news\ndata: [\u2028]\n\n".encode()),),
]


@pytest.mark.parametrize("behaviours", SAME, ids=lambda row: " ".join(map(repr, row))[:70])
async def test_the_same_answer_comes_out_of_every_dress(
    claude: Anthropic, upstream: AnthropicStandIn, behaviours: tuple[Behaviour, ...]
) -> None:
    answer = Answer(text="Grüße, 你好 \u2028 \U0001f600 und \u0085 Ende", reasoning="Hm, 嗯 …")
    upstream.play(answer, *behaviours)
    pieces = await collect(claude.stream(prompt(model="claude-opus-5-5")))
    assert (text(pieces), thoughts(pieces)) == (answer.text, answer.reasoning)
    assert finish(pieces).reason == "stop"


async def test_one_connection_serves_many_questions(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    for _ in range(5):
        await collect(claude.stream(prompt(**ASK)))
    assert upstream.connections == 1


async def test_closing_the_stream_is_noticed_by_anthropic(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    upstream.play(Stall(after_tokens=3))
    pieces = claude.stream(prompt(**ASK))
    async with aclosing(pieces):
        await anext(pieces)
    await upstream.wait_for_disconnect()


# ── what is asked ─────────────────────────────────────────────────────────────────────────────

WHOLE = (
    b'{"model":"claude-haiku-4-5","max_tokens":64000,"stream":true,"messages":[{"role":"user",'
    b'"content":[{"type":"text","text":"Gr\xc3\xbc\xc3\x9fe","cache_control":{"type":"ephemeral"}}]'
    b"}]}"
)


async def test_a_bare_question_byte_by_byte(wire: Wire, vendor: Vendor) -> None:
    vendor.says = stream(b"event: message_stop\n\n")
    claude = Anthropic(wire, api_key=KEY, base_url=vendor.url)
    with pytest.raises(Exception, match="broke off"):
        await collect(claude.stream(prompt("Grüße", **ASK)))
    head, body = vendor.requests[-1].split(b"\r\n\r\n")
    assert body == WHOLE
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/messages HTTP/1.1"
    assert {
        f"x-api-key: {KEY}",
        "anthropic-version: 2023-06-01",
        "content-type: application/json",
        "accept: text/event-stream",
    } <= set(lines)
    assert "authorization" not in head.decode().lower()


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_as_people_write_it(
    wire: Wire, upstream: AnthropicStandIn, tail: str
) -> None:
    claude = Anthropic(wire, api_key=f" {KEY}\n", base_url=f" {upstream.url}{tail} ")
    await collect(claude.stream(prompt(**ASK)))
    assert upstream.requests[-1].path == "/v1/messages"


SENT: list[tuple[str, dict[str, Any], dict[str, object]]] = [
    # a model that thinks when told to, by a budget
    ("claude-haiku-4-5", {}, {}),
    ("claude-haiku-4-5", {"max_tokens": 5}, {"max_tokens": 5}),
    ("claude-haiku-4-5", {"max_tokens": 999_999}, {"max_tokens": 64_000}),
    ("claude-haiku-4-5", {"stop": ("a", " ", "b")}, {"stop_sequences": ["a", "b"]}),
    ("claude-haiku-4-5", {"stop": ("\n\n",)}, {}),
    ("claude-haiku-4-5", {"temperature": 1.7}, {"temperature": 1.0}),
    ("claude-haiku-4-5", {"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0}),
    ("claude-haiku-4-5", {"top_p": 0.5, "top_k": 9}, {"top_p": 0.5, "top_k": 9}),
    ("claude-haiku-4-5", {"seed": 1, "frequency_penalty": 1.0, "presence_penalty": 1.0}, {}),
    (
        "claude-haiku-4-5",
        {"thinking": True, "temperature": 0.5, "top_p": 0.5, "top_k": 9},
        {"thinking": {"type": "enabled", "budget_tokens": 16_384}, "top_p": 0.95},
    ),
    (
        "claude-haiku-4-5",
        {"effort": "minimal"},
        {"thinking": {"type": "enabled", "budget_tokens": 2_048}},
    ),
    (
        "claude-haiku-4-5",
        {"effort": "ultra", "max_tokens": 8_000},
        {"thinking": {"type": "enabled", "budget_tokens": 4_000}, "max_tokens": 8_000},
    ),
    ("claude-haiku-4-5", {"thinking": True, "max_tokens": 2_047}, {"max_tokens": 2_047}),
    ("claude-haiku-4-5", {"thinking": False, "effort": "high"}, {}),
    (
        "claude-opus-4-5",
        {"thinking": False, "effort": "max"},
        {"output_config": {"effort": "high"}},
    ),
    (
        "claude-opus-4-5",
        {"effort": "low"},
        {
            "thinking": {"type": "enabled", "budget_tokens": 2_048},
            "output_config": {"effort": "low"},
        },
    ),
    # adaptive, and off unasked
    ("claude-opus-4-6", {"thinking": False}, {}),
    (
        "claude-opus-4-6",
        {"effort": "xhigh", "temperature": 0.5},
        {"thinking": SHOWN, "output_config": {"effort": "high"}},
    ),
    ("claude-opus-4-6", {"temperature": 0.5}, {"temperature": 0.5}),
    ("claude-opus-4-8", {"temperature": 0.5, "top_p": 0.5, "top_k": 5}, {}),
    (
        "claude-opus-4-8",
        {"effort": "xhigh"},
        {"thinking": SHOWN, "output_config": {"effort": "xhigh"}},
    ),
    # adaptive, and on unasked
    ("claude-sonnet-5-5", {}, {"thinking": SHOWN}),
    ("claude-sonnet-5-5", {"max_tokens": 999_999}, {"thinking": SHOWN, "max_tokens": 128_000}),
    ("claude-sonnet-5-5", {"thinking": False}, {"thinking": {"type": "between_tools"}}),
    ("claude-sonnet-5", {"effort": "none"}, {"thinking": {"type": "disabled"}}),
    (
        "claude-haiku-5-5",
        {"thinking": False, "effort": "max"},
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
    ),
    ("claude-opus-5", {"effort": "odd"}, {"thinking": SHOWN}),
    # always
    ("claude-opus-5-5", {"thinking": False, "effort": "none"}, {"thinking": SHOWN}),
    (
        "claude-fable-5-2",
        {"effort": "ultra"},
        {"thinking": SHOWN, "output_config": {"effort": "max"}},
    ),
]


@pytest.mark.parametrize(("model", "options", "fields"), SENT)
async def test_each_generation_is_sent_what_it_accepts(
    claude: Anthropic,
    upstream: AnthropicStandIn,
    model: str,
    options: dict[str, Any],
    fields: dict[str, object],
) -> None:
    """The stand-in accepts it as well, or the answer would be an error."""
    upstream.play(Answer(text="Yes.", finish_reason="end_turn"))
    await collect(claude.stream(prompt(model=model, **options)))
    body = sent(upstream)
    assert body.pop("model") == model
    assert body.pop("stream") is True
    del body["messages"]
    assert body == {"max_tokens": 64_000} | fields


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"thinking": True}, {"thinking": SHOWN}),
        ({"thinking": False}, {"thinking": {"type": "disabled"}}),
        ({"effort": "max"}, {"thinking": SHOWN, "output_config": {"effort": "max"}}),
        ({"temperature": 0.5, "max_tokens": 999_999}, {"max_tokens": 999_999}),
    ],
)
async def test_a_model_that_is_not_listed_is_asked_as_the_newest_are(
    wire: Wire, vendor: Vendor, options: dict[str, Any], fields: dict[str, object]
) -> None:
    vendor.says = stream(
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Yes."}}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    claude = Anthropic(wire, api_key=KEY, base_url=vendor.url)
    assert text(await collect(claude.stream(prompt(model="claude-zebra-9", **options)))) == "Yes."
    body = json.loads(vendor.requests[-1].split(b"\r\n\r\n")[1])
    for name in ("model", "stream", "messages"):
        del body[name]
    assert body == {"max_tokens": 32_000} | fields


@pytest.mark.parametrize(
    ("model", "options", "ignored"),
    [
        ("claude-sonnet-5-5", {}, ()),
        (
            "claude-sonnet-5-5",
            {"temperature": 1.0, "top_p": 1.0, "top_k": 1},
            ("temperature", "top_p", "top_k"),
        ),
        ("claude-sonnet-5-5", {"thinking": False, "effort": "max", "max_tokens": 9}, ()),
        ("claude-opus-5-5", {"thinking": False}, ("thinking",)),
        ("claude-opus-5-5", {"thinking": True, "effort": "low"}, ()),
        ("claude-opus-5-5", {"effort": "none"}, ("effort",)),
        ("claude-opus-5", {"effort": "none"}, ()),
        ("claude-opus-5", {"effort": "none", "thinking": True}, ("effort",)),
        ("claude-opus-5", {"effort": "odd"}, ("effort",)),
        ("claude-haiku-4-5", {"temperature": 2.0}, ()),
        ("claude-haiku-4-5", {"temperature": 0.5, "top_p": 0.5}, ("top_p",)),
        ("claude-haiku-4-5", {"temperature": 0.5, "thinking": True}, ("temperature",)),
        ("claude-haiku-4-5", {"top_p": 0.5, "top_k": 5, "thinking": True}, ("top_k",)),
        ("claude-haiku-4-5", {"effort": "high"}, ()),
        ("claude-haiku-4-5", {"effort": "high", "thinking": False}, ("effort",)),
        ("claude-haiku-4-5", {"thinking": True, "max_tokens": 2_000}, ("thinking",)),
        ("claude-haiku-4-5", {"thinking": False, "stop": ("a",)}, ()),
        ("claude-haiku-4-5", {"stop": ("a", "\n")}, ("stop",)),
        (
            "claude-haiku-4-5",
            {"seed": 0, "frequency_penalty": 0.0, "presence_penalty": 0.0},
            ("seed", "frequency_penalty", "presence_penalty"),
        ),
        ("claude-zebra-9", {"temperature": 0.5, "thinking": False}, ("temperature",)),
    ],
)
def test_what_has_no_effect_is_named(
    claude: Anthropic, model: str, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert claude.ignored(model, Options(**options)) == ignored


# ── the catalog's rows ────────────────────────────────────────────────────────────────────────


def test_the_models_are_the_current_ones_with_their_windows() -> None:
    rows = {model.id: model for model in Anthropic.models if model.alias_of is None}
    assert next(iter(rows)) == "claude-sonnet-5-5"
    assert {model.provider for model in rows.values()} == {"anthropic"}
    small = {name for name, row in rows.items() if row.context_length == 200_000}
    assert small == {"claude-haiku-4-5", "claude-opus-4-5"}
    for name, row in rows.items():
        wide = (1_000_000, 128_000)
        found = (row.context_length, row.max_output_tokens)
        assert found == ((200_000, 64_000) if name in small else wide)


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-5-5-20260922", "claude-opus-5-5"),
        ("claude-opus-5@20260724", "claude-opus-5"),
        ("claude-mythos-5-2", "claude-fable-5-2"),
    ],
)
def test_a_dated_id_has_the_habits_of_its_family(model: str, like: str) -> None:
    assert habits_of(model) is habits_of(like)


def test_a_family_is_not_a_mere_beginning() -> None:
    assert habits_of("claude-opus-50") is habits_of("claude-zebra-9")
