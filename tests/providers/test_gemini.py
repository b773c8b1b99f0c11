"""Gemini, against a stand-in that checks every request as the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import Options, Prompt, Turn
from lite_llm_chat.providers.gemini import MODELS, Gemini
from lite_llm_chat.providers.going_on import GO_ON
from lite_llm_chat.providers.wire import Wire
from standins.behaviours import Answer, Behaviour, Dribble, Gate, Gzip, Pause, SplitEvents, Together
from standins.gemini import GeminiStandIn

from .conftest import SSE, Vendor, collect, finish, text, thoughts
from .conftest import prompt as prompt_to

WIRE = Path(__file__).parents[1] / "wire" / "gemini"
KEY = "AIzaSy-canary0f1e2d3c4b5a69788796a5b4c3d"
FLASH = "gemini-3.8-flash"
OLDER = "gemini-3.5-flash"
ARGON = "gemini-4-argon"
LITE = "gemini-2.5-flash-lite"
PRO25 = "gemini-2.5-pro"
SHOWN = {"includeThoughts": True}


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def gemini(wire: Wire, upstream: GeminiStandIn) -> Gemini:
    return Gemini(wire, api_key=KEY, base_url=upstream.url)


def prompt(text: str = "Hello", model: str = FLASH, **options: object) -> Prompt:
    return prompt_to(text, model, **options)


def sent(upstream: GeminiStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


# ── what is said ──────────────────────────────────────────────────────────────────────────────


async def test_an_answer_has_thoughts_words_and_a_finish_with_its_usage(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    upstream.play(Answer(text="Good evening.", reasoning="Be polite."))
    pieces = await collect(gemini.stream(prompt()))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == ("Be polite.", "Good evening.")
    assert (end.reason, end.model) == ("stop", FLASH)
    assert end.usage is not None
    assert end.usage.input > 0
    assert (end.usage.output, end.usage.reasoning) == (6, 3)


SAME: list[tuple[Behaviour, ...]] = [
    (Dribble(1),),
    (Dribble(3, own_chunks=False),),
    (Together(),),
    (SplitEvents("offset"),),
    (SplitEvents("utf8"),),
    (Gzip(),),
]


@pytest.mark.parametrize("behaviours", SAME, ids=lambda row: " ".join(map(repr, row))[:70])
async def test_the_same_answer_comes_out_of_every_dress(
    gemini: Gemini, upstream: GeminiStandIn, behaviours: tuple[Behaviour, ...]
) -> None:
    said = Answer(text="Grüße, 你好 \u2028 \U0001f600 und \u0085 Ende", reasoning="Hm, 嗯 …")
    upstream.play(said, *behaviours)
    pieces = await collect(gemini.stream(prompt()))
    assert (text(pieces), thoughts(pieces)) == (said.text, said.reasoning)
    assert finish(pieces).reason == "stop"


async def test_a_growing_conversation_is_read_from_the_cache(gemini: Gemini) -> None:
    turns: tuple[Turn, ...] = (Turn("system", "Be kind. " * 400), Turn("user", "One"))
    first = await collect(gemini.stream(Prompt(FLASH, turns)))
    turns += (Turn("assistant", text(first)), Turn("user", "Two"))
    usage = finish(await collect(gemini.stream(Prompt(FLASH, turns)))).usage
    assert usage is not None
    assert usage.input > usage.cached > 512


async def test_one_connection_serves_many_questions(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    for _ in range(5):
        await collect(gemini.stream(prompt()))
    assert upstream.connections == 1


async def test_an_answer_whose_body_never_ends_is_whole_all_the_same(
    wire: Wire, vendor: Vendor
) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = (WIRE / "thoughts.sse").read_bytes()
        writer.write(SSE + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(raw), raw))
        await asyncio.get_running_loop().create_future()

    vendor.script = endless
    gemini = Gemini(wire, api_key=KEY, base_url=vendor.url)
    pieces = await collect(gemini.stream(prompt()))
    assert text(pieces) == "Hello, 世界 \u2028 \U0001f600!"
    assert finish(pieces).reason == "stop"


async def test_closing_the_stream_closes_the_connection(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    upstream.play(Pause(Gate(), after_tokens=3))
    pieces = gemini.stream(prompt())
    async with aclosing(pieces):
        await anext(pieces)
    left = await upstream.wait_for_disconnect()
    assert left.tokens == 3


# ── where it is asked ─────────────────────────────────────────────────────────────────────────


async def test_the_key_goes_in_its_own_header_and_never_in_the_address(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    await collect(gemini.stream(prompt()))
    request = upstream.requests[-1]
    assert request.path == f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    assert "authorization" not in request.headers
    assert KEY not in repr(gemini.__dict__["_endpoints"])


@pytest.mark.parametrize("tail", ["", "/", "/v1beta", "/v1beta/", "/v1", "/v1beta/openai"])
async def test_the_base_url_may_end_as_people_write_it(
    wire: Wire, upstream: GeminiStandIn, tail: str
) -> None:
    gemini = Gemini(wire, api_key=f" {KEY}\n", base_url=f" {upstream.url}{tail} ")
    await collect(gemini.stream(prompt()))
    assert upstream.requests[-1].path.startswith(f"/v1beta/models/{FLASH}:")


async def test_a_model_may_carry_the_name_of_its_collection(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    await collect(gemini.stream(prompt(model=f"models/{FLASH}", temperature=1.0)))
    assert upstream.requests[-1].path.startswith(f"/v1beta/models/{FLASH}:")
    assert gemini.ignored(f"models/{FLASH}", Options(temperature=1.0)) == ("temperature",)


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("../../v1/evil", "..%2F..%2Fv1%2Fevil"),
        ("..", ".."),
        ("a?key=b&c#d", "a%3Fkey%3Db%26c%23d"),
        ("a:generateContent?x=", "a%3AgenerateContent%3Fx%3D"),
        ("a b\r\nx: y", "a%20b%0D%0Ax%3A%20y"),
        ("河%2F", "%E6%B2%B3%252F"),
        ("a\ud800", "a%3F"),
    ],
)
async def test_a_model_id_never_leaves_its_place_in_the_path(
    wire: Wire, vendor: Vendor, model: str, segment: str
) -> None:
    vendor.says = b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"
    gemini = Gemini(wire, api_key=KEY, base_url=vendor.url)
    with pytest.raises(Exception, match="address"):
        await collect(gemini.stream(prompt(model=model)))
    line = vendor.requests[0].split(b"\r\n")[0].decode()
    assert line == f"POST /v1beta/models/{segment}:streamGenerateContent?alt=sse HTTP/1.1"


# ── what is asked ─────────────────────────────────────────────────────────────────────────────


async def test_a_bare_question_leaves_the_choice_to_gemini(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    await collect(gemini.stream(prompt("Hello")))
    assert sent(upstream) == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "generationConfig": {"thinkingConfig": SHOWN},
    }


async def test_system_turns_are_the_instruction_and_turns_of_one_role_are_joined(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    turns = (
        Turn("system", "Be kind."),
        Turn("user", "1"),
        Turn("assistant", "2", "because"),
        Turn("user", "3"),
        Turn("assistant", ""),
        Turn("system", "Be brief."),
        Turn("user", "4"),
    )
    await collect(gemini.stream(Prompt(LITE, turns)))
    assert sent(upstream) == {
        "systemInstruction": {"parts": [{"text": "Be kind."}, {"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "1"}]},
            {"role": "model", "parts": [{"text": "2"}]},
            {"role": "user", "parts": [{"text": "3"}, {"text": "4"}]},
        ],
    }


async def test_the_start_of_a_growing_conversation_stays_byte_for_byte(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    turns: tuple[Turn, ...] = (Turn("system", "Be kind."), Turn("user", "1"))
    await collect(gemini.stream(Prompt(FLASH, turns)))
    turns += (Turn("assistant", "2"), Turn("user", "3"))
    await collect(gemini.stream(Prompt(FLASH, turns, Options(max_tokens=9))))
    start = upstream.requests[0].raw.partition(b'],"generationConfig"')[0]
    assert upstream.requests[1].raw.startswith(start + b",")


async def test_a_cut_answer_is_gone_on_with_in_words(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    await collect(gemini.stream(replace(prompt("Count"), prefix=Said(text="1, 2"))))
    assert sent(upstream)["contents"] == [
        {"role": "user", "parts": [{"text": "Count"}]},
        {"role": "model", "parts": [{"text": "1, 2"}]},
        {"role": "user", "parts": [{"text": GO_ON}]},
    ]


async def test_a_continuation_may_have_nothing_to_add(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    upstream.play(Answer(text=""))
    asked = replace(prompt(), prefix=Said(text="All said."))
    assert finish(await collect(gemini.stream(asked))).reason == "stop"


CONFIGS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # levels, since Gemini 3
    (FLASH, {"thinking": True}, {"thinkingConfig": SHOWN}),
    (FLASH, {"thinking": False}, {"thinkingConfig": {"thinkingLevel": "low"}}),
    (FLASH, {"effort": "none"}, {"thinkingConfig": {"thinkingLevel": "low"}}),
    (OLDER, {"effort": "none"}, {"thinkingConfig": {"thinkingLevel": "minimal"}}),
    (OLDER, {"effort": "minimal"}, {"thinkingConfig": {**SHOWN, "thinkingLevel": "minimal"}}),
    (ARGON, {"effort": "minimal"}, {"thinkingConfig": {**SHOWN, "thinkingLevel": "low"}}),
    (ARGON, {"effort": "medium"}, {"thinkingConfig": {**SHOWN, "thinkingLevel": "medium"}}),
    (ARGON, {"effort": "ultra"}, {"thinkingConfig": {**SHOWN, "thinkingLevel": "high"}}),
    (ARGON, {"effort": "odd"}, {"thinkingConfig": SHOWN}),
    (ARGON, {"thinking": True, "effort": "none"}, {"thinkingConfig": SHOWN}),
    (ARGON, {"thinking": False, "effort": "high"}, {"thinkingConfig": {"thinkingLevel": "low"}}),
    # budgets, before
    (LITE, {}, {}),
    (LITE, {"thinking": True}, {"thinkingConfig": {**SHOWN, "thinkingBudget": -1}}),
    (LITE, {"thinking": False}, {"thinkingConfig": {"thinkingBudget": 0}}),
    (LITE, {"effort": "minimal"}, {"thinkingConfig": {**SHOWN, "thinkingBudget": 512}}),
    (LITE, {"effort": "max"}, {"thinkingConfig": {**SHOWN, "thinkingBudget": 24_576}}),
    (PRO25, {}, {"thinkingConfig": SHOWN}),
    (PRO25, {"thinking": False}, {"thinkingConfig": {"thinkingBudget": 128}}),
    # sampling
    (FLASH, {"temperature": 0.5, "top_p": 0.5, "top_k": 5}, {"thinkingConfig": SHOWN}),
    (
        OLDER,
        {"temperature": 0.5, "top_p": 0.25, "top_k": 5},
        {"temperature": 0.5, "topP": 0.25, "topK": 5, "thinkingConfig": SHOWN},
    ),
    # the rest
    (
        LITE,
        {"max_tokens": 9_999_999, "stop": ("a", "b"), "seed": -7},
        {"maxOutputTokens": 65_536, "stopSequences": ["a", "b"], "seed": -7},
    ),
    (LITE, {"seed": 2**31, "frequency_penalty": 1.0, "presence_penalty": 1.0}, {}),
]


@pytest.mark.parametrize(("model", "options", "config"), CONFIGS)
async def test_only_what_the_model_knows_is_sent_in_its_own_words(
    gemini: Gemini,
    upstream: GeminiStandIn,
    model: str,
    options: dict[str, Any],
    config: dict[str, Any],
) -> None:
    pieces = await collect(gemini.stream(prompt(model=model, **options)))
    assert finish(pieces).reason in ("stop", "length")
    assert sent(upstream).get("generationConfig", {}) == config


@pytest.mark.parametrize(
    "row", [row for row in MODELS if row.alias_of is None], ids=lambda row: row.id
)
@pytest.mark.parametrize("effort", [None, "none", "minimal", "low", "medium", "high", "max"])
async def test_every_model_takes_every_effort(gemini: Gemini, row: Any, effort: str | None) -> None:
    """The stand-in refuses a level or a budget that the model does not have."""
    pieces = await collect(gemini.stream(prompt(model=row.id, effort=effort)))
    assert finish(pieces).reason == "stop"


async def test_a_model_of_no_known_generation_is_asked_plainly(wire: Wire, vendor: Vendor) -> None:
    vendor.says = b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"
    gemini = Gemini(wire, api_key=KEY, base_url=vendor.url)
    with pytest.raises(Exception, match="address"):
        await collect(gemini.stream(prompt(model="gemma-4-31b-it", temperature=0.5, effort="low")))
    assert vendor.requests[0].endswith(
        b'{"contents":[{"role":"user","parts":[{"text":"Hello"}]}],'
        b'"generationConfig":{"temperature":0.5}}'
    )


SAMPLING = ("temperature", "top_p", "top_k")
PENALTIES = ("frequency_penalty", "presence_penalty")


@pytest.mark.parametrize(
    ("model", "options", "ignored"),
    [
        (FLASH, {}, ()),
        (FLASH, {"temperature": 1.0, "top_p": 1.0, "top_k": 1}, SAMPLING),
        (ARGON, {"temperature": 1.0}, ("temperature",)),
        ("gemini-3.6-flash", {"temperature": 1.0}, ("temperature",)),
        ("gemini-3.5-flash-lite", {"temperature": 1.0}, ("temperature",)),
        ("gemini-flash-latest", {"temperature": 1.0}, ("temperature",)),
        (OLDER, {"temperature": 1.0, "top_p": 1.0, "top_k": 1}, ()),
        ("gemini-3-flash-preview", {"temperature": 1.0}, ()),
        (LITE, {"temperature": 1.0, "stop": ("a",), "max_tokens": 5, "seed": 1}, ()),
        (LITE, {"frequency_penalty": 0.5, "presence_penalty": 0.5}, PENALTIES),
        (LITE, {"seed": 2**31}, ("seed",)),
        (FLASH, {"thinking": False, "effort": "high"}, ("effort",)),
        (FLASH, {"thinking": True, "effort": "none"}, ("effort",)),
        (FLASH, {"effort": "odd"}, ("effort",)),
        (FLASH, {"thinking": False, "effort": "none"}, ()),
        (FLASH, {"effort": "low"}, ()),
        ("gemini-2.5-flash-image", {"thinking": True, "effort": "low"}, ("thinking", "effort")),
        ("gemma-4-31b-it", {"thinking": True, "effort": "low"}, ("thinking", "effort")),
    ],
)
def test_what_has_no_effect_is_named(
    gemini: Gemini, model: str, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert gemini.ignored(model, Options(**options)) == ignored


# ── the catalog's rows ────────────────────────────────────────────────────────────────────────


def test_the_models_are_those_of_november_2026() -> None:
    assert [row.id for row in MODELS][:2] == [FLASH, ARGON]
    assert {row.provider for row in MODELS} == {"gemini"}
    assert {row.context_length for row in MODELS} == {1_048_576}
    (pro,) = [row for row in MODELS if row.id == "gemini-2.5-pro"]
    assert pro.alias_of == FLASH
