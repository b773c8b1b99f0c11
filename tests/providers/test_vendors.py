"""Every row of the tables: what is asked of each vendor, and that its answer is understood.

vendor_requests.json ── pinned ──▶ payload_of(row)      each model of a kind, each wish
vendor_tools.json ───── pinned ──▶ payload_of(row)      tools, a talk with a call and a picture
Dress of the row ─▶ VendorStandIn ◀──HTTP── its provider
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lite_llm_chat.domain import (
    Beginning,
    Options,
    Picture,
    Prompt,
    ResponseFormat,
    Tool,
    ToolCall,
    Turn,
    Usage,
)
from lite_llm_chat.providers.habits import EFFORTS, OPTIONS
from lite_llm_chat.providers.openai_compatible import OpenAICompatible, Vendor, payload_of
from lite_llm_chat.providers.vendors_more import TABLE as ALL_ROWS
from lite_llm_chat.providers.wire import Wire

from .conftest import collect, failing, finish, prompt, text, thoughts
from .vendor_standin import THOUGHT, WORD, Dress, VendorStandIn

KEY = "canary-key-0f1e2d3c4b5a69788796a5b4"
PINNED: dict[str, Any] = json.loads(Path(__file__).with_name("vendor_requests.json").read_text())
TOOLS_PINNED: dict[str, Any] = json.loads(Path(__file__).with_name("vendor_tools.json").read_text())

EVERYTHING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "max_tokens": 100,
    "stop": ("x",),
    "seed": 1,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
}
WISHES: dict[str, dict[str, Any]] = {
    "unset": {},
    "everything": EVERYTHING,
    "on": {"thinking": True},
    "off": {"thinking": False},
    "effort none": {"effort": "none"},
    "effort minimal": {"effort": "minimal"},
    "effort medium": {"effort": "medium"},
    "effort ultra": {"effort": "ultra"},
    "on, effort high": {"thinking": True, "effort": "high"},
    "off, effort high": {"thinking": False, "effort": "high"},
}
TOOL = Tool("look", "Looks.", {"type": "object", "properties": {}}, strict=True)
OBJECT = ResponseFormat("json_object")
SCHEMA = ResponseFormat("json_schema", "cat", {"type": "object"}, strict=True)
TOOL_WISHES: dict[str, dict[str, Any]] = {
    "tools": {},
    "tools, auto": {"tool_choice": "auto"},
    "tools, none": {"tool_choice": "none"},
    "tools, required": {"tool_choice": "required"},
    "tools, named": {"tool_choice": "tool:look"},
    "tools, one at a time, effort high": {"parallel_tool_calls": False, "effort": "high"},
    "json_object": {"response_format": OBJECT},
    "json_schema": {"response_format": SCHEMA},
}
TALK = (
    Turn("user", "What is it?", pictures=(Picture("1", "image/png", b"\x89PNG"),)),
    Turn("assistant", "", parts=(ToolCall("call_1", "look", "{}"),)),
    Turn("tool", "a cat", call_id="call_1"),
)
ALWAYS = {"model", "messages", "stream"}

_OPENAI_ERROR = {"error": {"message": "no such thing", "type": "invalid_request_error"}}
_FLAT_ERROR = {"object": "error", "message": "no such thing", "type": "invalid_request_error"}
# From the vendors' SDKs and documentation, November 2026, as in the rows.
DRESSES: dict[str, Dress] = {
    "openai": Dress("reasoning_content", "trailing", _OPENAI_ERROR),
    "openrouter": Dress(
        "details", "trailing", {"error": {"code": 400, "message": "no such thing", "metadata": {}}}
    ),
    "groq": Dress("reasoning", "x_groq", _OPENAI_ERROR),
    "mistral": Dress("parts", "finish", {"detail": [{"msg": "no such thing", "loc": ["body"]}]}),
    "xai": Dress("reasoning_content", "then_empty", {"code": "400", "error": "no such thing"}),
    "siliconflow": Dress(
        "reasoning_content", "finish", {"code": 20012, "message": "no such thing"}
    ),
    "doubao": Dress("reasoning_content", "trailing", _OPENAI_ERROR),
    "cerebras": Dress("reasoning", "finish", {"message": "no such thing", "code": "wrong"}),
    "nvidia": Dress("reasoning_content", "trailing", {"detail": "no such thing"}),
    "moonshot": Dress("reasoning_content", "in_choice", _OPENAI_ERROR),
    "qwen": Dress("reasoning_content", "trailing", _OPENAI_ERROR),
    "zhipu": Dress(
        "reasoning_content", "finish", {"error": {"code": "1210", "message": "no such thing"}}
    ),
    "together": Dress("reasoning", "finish", _OPENAI_ERROR),
    "fireworks": Dress("reasoning_content", "finish", _OPENAI_ERROR),
    "minimax": Dress("tags", "finish", _OPENAI_ERROR),
    "vllm": Dress("reasoning", "trailing", _FLAT_ERROR),
    "sglang": Dress("reasoning_content", "trailing", _FLAT_ERROR),
    "lmstudio": Dress("tags", "trailing", {"error": "no such thing"}),
    "llamacpp": Dress("reasoning_content", "trailing", _OPENAI_ERROR),
    "litellm": Dress("reasoning_content", "trailing", _OPENAI_ERROR),
}


def asked(vendor: Vendor, model: str, wish: dict[str, Any]) -> dict[str, object]:
    """What a wish adds to a request."""
    body = payload_of(prompt(model=model, **wish), vendor.habits_of(model))
    assert (body["model"], body["stream"]) == (model, True)
    return {name: value for name, value in body.items() if name not in ALWAYS}


def described(vendor: Vendor, model: str) -> dict[str, object]:
    """One model of a vendor, as the pinned file holds it: every wish, what is ignored of them,
    and the end of a request that goes on from a text."""
    provider = OpenAICompatible(None, vendor, api_key=KEY)  # type: ignore[arg-type]  # asks nobody
    told = {**EVERYTHING, "thinking": True, "effort": "high"}
    going_on = Prompt(
        model, (Turn("user", "1"),), Options(thinking=True), prefix=Beginning(text="2")
    )
    body = payload_of(going_on, vendor.habits_of(model))
    messages = body.pop("messages")
    assert isinstance(messages, list)
    return {
        **{name: asked(vendor, model, wish) for name, wish in WISHES.items()},
        "ignored": [*provider.ignored(model, Options(**told))],
        "ignored off": [*provider.ignored(model, Options(thinking=False))],
        "going on": messages[1:],
        "going on, body": {name: value for name, value in body.items() if name not in ALWAYS},
    }


def with_tools(vendor: Vendor, model: str) -> dict[str, object]:
    """The same of tools, pictures and forms of the text, and what is ignored of each wish."""
    provider = OpenAICompatible(None, vendor, api_key=KEY)  # type: ignore[arg-type]  # asks nobody
    rows: dict[str, object] = {}
    for name, wish in TOOL_WISHES.items():
        tools = (TOOL,) if name.startswith("tools") else ()
        options = Options(tools=tools or None, **wish)
        body = payload_of(Prompt(model, TALK, options, tools=tools), vendor.habits_of(model))
        fields = {key: value for key, value in body.items() if key not in ALWAYS}
        rows[name] = {**fields, "ignored": [*provider.ignored(model, options)]}
    going_on = Options(thinking=True, effort="high")
    return {
        **rows,
        "talk": payload_of(Prompt(model, TALK, tools=(TOOL,)), vendor.habits_of(model))["messages"],
        "formats": sorted(provider.formats(model)),
        "ignored, going on": [*provider.ignored(model, going_on, going_on=True)],
    }


def models(vendor: Vendor) -> list[str]:
    """A model of each kind: the first one, and one for each pattern."""
    return list(PINNED[vendor.id]["models"])


def plain(value: object) -> object:
    """As JSON has it."""
    return json.loads(json.dumps(value))


TABLE = [row for row in ALL_ROWS if row.dialect == "chat"]  # the other: test_responses.py
ROWS = pytest.mark.parametrize("vendor", TABLE, ids=lambda row: row.id)


@ROWS
def test_a_row_asks_what_is_pinned(vendor: Vendor) -> None:
    pinned = PINNED[vendor.id]
    assert (vendor.base_url, vendor.key_variable, vendor.url_variable) == (
        pinned["base_url"],
        pinned["key_variable"],
        pinned["url_variable"],
    )
    for model, rows in pinned["models"].items():
        assert plain(described(vendor, model)) == rows, model
        assert plain(with_tools(vendor, model)) == TOOLS_PINNED[vendor.id][model], model


@ROWS
def test_every_kind_of_model_is_pinned(vendor: Vendor) -> None:
    seen = {id(vendor.habits_of(model)) for model in models(vendor)}
    assert seen == {id(vendor.habits), *(id(habits) for _, habits in vendor.unlike)}
    listed = [model.id for model in vendor.models]
    assert models(vendor)[0] == (listed[0] if listed else "any-model")


@ROWS
def test_a_row_uses_words_that_exist(vendor: Vendor) -> None:
    for habits in (vendor.habits, *(habits for _, habits in vendor.unlike)):
        assert habits.takes <= OPTIONS
        assert habits.names.keys() <= habits.takes
        assert habits.efforts.keys() <= set(EFFORTS)
    for model in vendor.models:
        assert model.provider == vendor.id
        assert model.context_length >= model.max_output_tokens > 0


def test_no_two_vendors_share_a_name_an_address_or_a_model() -> None:
    for values in (
        [row.id for row in TABLE],
        [row.base_url for row in TABLE],
        [name for row in TABLE for name in (row.key_variable, row.url_variable)],
        [model.id for row in TABLE for model in row.models],
    ):
        assert [value for value, times in Counter(values).items() if times > 1] == []
    assert set(DRESSES) == set(PINNED) == {row.id for row in TABLE}


# ── real exchanges ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def standin(vendor: Vendor) -> AsyncIterator[VendorStandIn]:
    async with VendorStandIn(DRESSES[vendor.id]) as one:
        yield one


@pytest.fixture
def provider(wire: Wire, vendor: Vendor, standin: VendorStandIn) -> OpenAICompatible:
    there = standin.url + urlsplit(vendor.base_url).path
    return OpenAICompatible(wire, vendor, api_key=KEY, base_url=there)


@ROWS
async def test_an_answer_of_each_vendor_is_understood(
    vendor: Vendor, provider: OpenAICompatible, standin: VendorStandIn
) -> None:
    pieces = await collect(provider.stream(prompt(model=models(vendor)[0])))
    end = finish(pieces)
    assert (thoughts(pieces), text(pieces)) == (THOUGHT, WORD)
    assert (end.reason, end.model, end.usage) == ("stop", "served-1", Usage(7, 0, 3, 2))
    request = standin.requests[0]
    assert request.path == urlsplit(vendor.base_url).path + "/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert isinstance(request.body, dict)
    rest = {name: value for name, value in request.body.items() if name not in ALWAYS}
    assert rest == PINNED[vendor.id]["models"][models(vendor)[0]]["unset"]


@ROWS
@pytest.mark.parametrize(
    ("status", "code"), [(400, "provider_bad_request"), (401, "provider_auth")]
)
async def test_an_error_of_each_vendor_is_a_sentence_that_names_the_mend(
    vendor: Vendor, provider: OpenAICompatible, standin: VendorStandIn, status: int, code: str
) -> None:
    standin.refuse = status
    before, error = await failing(provider.stream(prompt(model=models(vendor)[0])))
    assert (before, error.code) == ([], code)
    assert error.detail.startswith(f"{vendor.id} ")
    assert (vendor.key_variable if status == 401 else "no such thing") in error.detail
    assert KEY not in error.detail


@ROWS
async def test_a_row_that_is_not_set_up_says_which_variable_is_missing(
    wire: Wire, vendor: Vendor
) -> None:
    bare = OpenAICompatible(wire, vendor, api_key=None)
    missing = vendor.url_variable if vendor.self_run else vendor.key_variable
    assert not bare.readiness().ready
    assert bare.readiness().note.startswith(f"set {missing} in .env and restart")
    _, error = await failing_at_once(bare)
    assert (error.code, error.detail) == ("provider_not_configured", bare.readiness().note)


async def failing_at_once(provider: OpenAICompatible) -> tuple[list[Any], Any]:
    async def ask() -> AsyncIterator[Any]:
        async for piece in provider.stream(prompt()):
            yield piece

    return await failing(ask())


async def test_a_server_of_ones_own_needs_no_key(wire: Wire) -> None:
    (row,) = (row for row in TABLE if row.id == "vllm")
    async with VendorStandIn(DRESSES["vllm"]) as standin:
        provider = OpenAICompatible(wire, row, api_key=None, base_url=f" {standin.url}/v1/ ")
        assert provider.readiness().ready
        assert text(await collect(provider.stream(prompt(model="qwen")))) == WORD
    assert standin.requests[0].path == "/v1/chat/completions"
    assert "authorization" not in standin.requests[0].headers
