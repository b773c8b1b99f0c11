"""What Anthropic is shown beside words, and the form its own words have to have."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import Options, Picture, Prompt, ResponseFormat, Text, Turn
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.wire import Wire
from standins.anthropic import AnthropicStandIn

from .conftest import collect

KEY = "sk-ant-test"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}


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


def asked(turn: Turn, model: str = "claude-opus-5-5", **options: Any) -> Prompt:
    return Prompt(model, (turn,), Options(**options))


async def test_pictures_stand_before_the_words_and_strange_ones_are_named(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    png, bmp = Picture("1", "image/png", b"\x89PNG"), Picture("2", "image/bmp", b"BM")
    await collect(claude.stream(asked(Turn("user", "", pictures=(png, bmp)))))
    shown, named = sent(upstream)["messages"][0]["content"]
    data = base64.b64encode(b"\x89PNG").decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    assert shown == {"type": "image", "source": source}
    assert "image/bmp" in named["text"]


SCHEMA = {"type": "object", "properties": {"list": {"type": "array", "items": CITY}}}


async def test_json_by_a_schema_is_asked_for_with_closed_objects(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    wish = ResponseFormat("json_schema", schema=SCHEMA)
    prompt = asked(Turn("user", "1"), response_format=wish, effort="low")
    pieces = await collect(claude.stream(prompt))
    assert json.loads("".join(one.text for one in pieces if isinstance(one, Text)))
    city = CITY | {"additionalProperties": False}
    assert sent(upstream)["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"list": {"type": "array", "items": city}},
                "additionalProperties": False,
            },
        },
    }
    assert "additionalProperties" not in SCHEMA
    assert claude.ignored(prompt.model, prompt.options) == ()


async def test_json_by_a_schema_is_gone_on_with_in_words(
    claude: Anthropic, upstream: AnthropicStandIn
) -> None:
    wish = ResponseFormat("json_schema", schema=SCHEMA)
    prompt = asked(Turn("user", "1"), model="claude-haiku-4-5", response_format=wish)
    await collect(claude.stream(replace(prompt, prefix=Said('{"list":'))))
    assert [one["role"] for one in sent(upstream)["messages"]] == ["user", "assistant", "user"]


def test_json_without_a_schema_is_not_a_thing_here(claude: Anthropic) -> None:
    options = Options(response_format=ResponseFormat("json_object"))
    assert claude.ignored("claude-opus-5-5", options) == ("response_format",)


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-4-5", "claude-zebra-9"])
def test_the_vendor_sees_to_json_by_a_schema_itself(claude: Anthropic, model: str) -> None:
    assert claude.formats(model) == {"json_schema"}


def test_all_models_see_call_and_think() -> None:
    assert all(row.vision and row.tools and row.reasoning for row in Anthropic.models)
