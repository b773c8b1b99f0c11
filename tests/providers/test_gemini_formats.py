"""Which formats, options and abilities a Gemini has, and in which words it is asked for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.domain import (
    Options,
    Prompt,
    ResponseFormat,
    Tool,
    Turn,
)
from lite_llm_chat.providers.gemini import MODELS, Gemini
from lite_llm_chat.providers.wire import Wire
from standins.gemini import GeminiStandIn

from .conftest import collect, text

WIRE = Path(__file__).parents[1] / "wire" / "gemini"
KEY = "AIzaSy-canary0f1e2d3c4b5a69788796a5b4c3d"
FLASH = "gemini-3.8-flash"
LITE = "gemini-2.5-flash-lite"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("get_weather", "Tells the weather", CITY), Tool("now"))
SHOWN = {"thinkingConfig": {"includeThoughts": True}}


@pytest.fixture
async def upstream() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn(key=KEY) as one:
        yield one


@pytest.fixture
def gemini(wire: Wire, upstream: GeminiStandIn) -> Gemini:
    return Gemini(wire, api_key=KEY, base_url=upstream.url)


def asking(*turns: Turn, model: str = FLASH, **options: Any) -> Prompt:
    return Prompt(model, turns, Options(tools=TOOLS, **options), tools=TOOLS)


def sent(upstream: GeminiStandIn) -> dict[str, Any]:
    body = upstream.requests[-1].body
    assert isinstance(body, dict)
    return body


# ── formats ───────────────────────────────────────────────────────────────────────────────────

PLAIN = ResponseFormat("json_object")
SHAPED = ResponseFormat(
    "json_schema", schema={"title": "A", "properties": {"answer": {"const": 1}}}
)
JSON = {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("wanted", "config"),
    [
        (PLAIN, JSON),
        (SHAPED, {**JSON, "responseJsonSchema": {"properties": {"answer": {"enum": [1]}}}}),
    ],
)
@pytest.mark.parametrize("model", [FLASH, LITE])
async def test_a_format_is_asked_for_in_its_words(
    gemini: Gemini,
    upstream: GeminiStandIn,
    model: str,
    wanted: ResponseFormat,
    config: dict[str, object],
) -> None:
    asked = Prompt(model, (Turn("user", "Hi"),), Options(response_format=wanted))
    assert json.loads(text(await collect(gemini.stream(asked))))
    thinking = SHOWN if model == FLASH else {}
    assert sent(upstream)["generationConfig"] == {**config, **thinking}
    assert gemini.ignored(model, asked.options) == ()


async def test_functions_and_a_format_go_together_since_gemini_3(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    for model, ignored in ((FLASH, ()), (LITE, ("response_format",))):
        asked = asking(Turn("user", "Hi"), model=model, response_format=PLAIN)
        await collect(gemini.stream(asked))
        config = sent(upstream).get("generationConfig", {})
        assert (JSON.items() <= config.items()) == (not ignored)
        assert gemini.ignored(model, asked.options) == ignored


@pytest.mark.parametrize(
    ("model", "formats"),
    [
        (FLASH, {"json_object", "json_schema"}),
        (f"models/{LITE}", {"json_object", "json_schema"}),
        ("gemini-flash-latest", {"json_object", "json_schema"}),
        ("gemma-4-31b-it", set()),
    ],
)
def test_which_formats_gemini_holds_a_model_to(
    gemini: Gemini, model: str, formats: set[str]
) -> None:
    assert gemini.formats(model) == formats
    ignored = gemini.ignored(model, Options(response_format=PLAIN))
    assert ignored == (() if formats else ("response_format",))


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ({"tools": TOOLS, "tool_choice": "required"}, ()),
        ({"tools": TOOLS, "parallel_tool_calls": False}, ("parallel_tool_calls",)),
        ({"tools": TOOLS, "parallel_tool_calls": True}, ()),
    ],
)
def test_what_has_no_effect_is_named(
    gemini: Gemini, options: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert gemini.ignored(FLASH, Options(**options)) == ignored


# ── what the models can ───────────────────────────────────────────────────────────────────────


def test_every_model_of_the_table_sees_calls_and_thinks() -> None:
    assert {(row.vision, row.tools, row.reasoning) for row in MODELS} == {(True, True, True)}


async def test_a_listed_model_says_whether_it_thinks(gemini: Gemini) -> None:
    rows = {row.id: row for row in await gemini.listed()}
    row = rows[FLASH]
    assert (row.vision, row.tools, row.reasoning) == (True, True, True)


async def test_of_a_listed_model_that_is_unknown_only_that_is_known(
    gemini: Gemini, upstream: GeminiStandIn
) -> None:
    entry = {"name": "models/gemma-9", "supportedGenerationMethods": ["generateContent"]}
    for said_so, known in ((True, True), (False, False), (None, None), ("yes", None)):
        upstream.models = [{**entry, "thinking": said_so}]
        (row,) = await gemini.listed()
        assert (row.vision, row.tools, row.reasoning) == (None, None, known)
