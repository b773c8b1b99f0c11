"""What a vendor's own list says: bounds of the exchange, shapes of lists, who is no chat model.

Vendor (exact bytes) or stand-in ─▶ Provider.listed ─▶ [Model]
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from lite_llm_chat.domain import Model
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers import model_list
from lite_llm_chat.providers.anthropic import Anthropic
from lite_llm_chat.providers.base import Provider
from lite_llm_chat.providers.deepseek import DeepSeek
from lite_llm_chat.providers.exchange import fetched
from lite_llm_chat.providers.gemini import Gemini
from lite_llm_chat.providers.local import Local
from lite_llm_chat.providers.ollama import Ollama
from lite_llm_chat.providers.openai_compatible import OpenAICompatible
from lite_llm_chat.providers.openai_compatible import Vendor as Row
from lite_llm_chat.providers.vendors_more import TABLE
from lite_llm_chat.providers.wire import Wire
from standins.anthropic import AnthropicStandIn
from standins.deepseek import DeepSeekStandIn
from standins.gemini import GeminiStandIn
from standins.ollama import OllamaStandIn

from .conftest import Vendor, endpoint, reply

KEY = "canary-0123456789abcdef"


def acme(wire: Wire, vendor: Vendor, *, lists: bool = True) -> OpenAICompatible:
    row = Row("acme", "Acme", "Acme's models", f"{vendor.url}/v1", "ACME_KEY", lists=lists)
    return OpenAICompatible(wire, row, api_key=KEY)


def says(document: object) -> bytes:
    return reply(200, json.dumps(document).encode(), b"content-type: application/json")


async def models_of(provider: Provider) -> list[Model]:
    found = await provider.listed()
    assert found is not None
    assert {model.provider for model in found} <= {provider.id}
    assert {model.listed for model in found} <= {"live"}
    return list(found)


def short(models: list[Model]) -> list[tuple[str, str, int, int]]:
    return [(m.id, m.name, m.context_length, m.max_output_tokens) for m in models]


async def refused(provider: Provider) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await provider.listed()
    return caught.value


# ── one GET ───────────────────────────────────────────────────────────────────────────────────


async def test_a_list_is_asked_for_by_a_plain_get_on_a_connection_that_is_kept(
    vendor: Vendor, wire: Wire
) -> None:
    vendor.says = says({"object": "list", "data": []})
    for _ in range(3):
        assert await models_of(acme(wire, vendor)) == []
    lines = vendor.requests[0].decode().lower().split("\r\n")
    assert lines[0] == "get /v1/models http/1.1"
    assert f"authorization: bearer {KEY}" in lines
    assert "accept: application/json" in lines
    assert not any(line.startswith(("content-length", "content-type")) for line in lines)
    assert lines[-2:] == ["", ""]
    assert vendor.connections == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(401, b'{"error": {"message": "bad key canary-0123456789abcdef"}}'), "provider_auth"),
        (reply(404, b"404 page not found"), "provider_not_found"),
        (reply(503, b""), "provider_overloaded"),
        (reply(200, b"<html>", b"content-type: text/html"), "upstream_garbage"),
        (reply(200, b"", b"content-type: application/json"), "upstream_garbage"),
        (reply(200, b'{"data": ['), "upstream_garbage"),
        (reply(200, b'{"data": "\xff"}'), "upstream_garbage"),
        (reply(200, b"[" * 100_000), "upstream_garbage"),
        (says({"models": []}), "upstream_garbage"),
        (says({"data": {"id": "m"}}), "upstream_garbage"),
        (says("m"), "upstream_garbage"),
        (reply(200, b'{"data": []}', b"content-encoding: br"), "upstream_garbage"),
    ],
)
async def test_whatever_is_no_list_is_an_error_without_the_key(
    vendor: Vendor, wire: Wire, answer: bytes, code: str
) -> None:
    vendor.says = answer
    error = await refused(acme(wire, vendor))
    assert error.code == code
    assert KEY not in error.detail


async def test_a_list_without_end_is_given_up(
    vendor: Vendor, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.providers.exchange.MAX_EVENT_BYTES", 100)
    vendor.says = says({"data": [{"id": "m" * 3_000_000}]})
    error = await refused(acme(wire, vendor))
    assert (error.code, "more than 100 bytes" in error.detail) == ("upstream_garbage", True)


async def test_a_list_that_does_not_end_in_time_is_given_up_and_its_connection_closed(
    vendor: Vendor, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.providers.exchange.FETCH_S", 0.05)

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says({"data": []})[:-3])
        await reader.read()

    vendor.script = half
    with pytest.raises(UpstreamError) as caught:
        await fetched(wire, endpoint(vendor.url))
    assert (caught.value.code, caught.value.status) == ("upstream_timeout", 504)
    await asyncio.wait_for(vendor.gone.wait(), 10)


# ── OpenAI's dialect ──────────────────────────────────────────────────────────────────────────

# One entry of each vendor that says more than an id, as its SDK and documentation have it.
ENTRIES: dict[str, tuple[dict[str, Any], tuple[str, str, int, int]]] = {
    "openai": (
        {"id": "gpt-6-luna", "object": "model", "created": 1, "owned_by": "system"},
        ("gpt-6-luna", "gpt-6-luna", 0, 0),
    ),
    "openrouter": (
        {
            "id": "z-ai/glm-5.3",
            "name": "Z.AI: GLM 5.3",
            "context_length": 1_000_000,
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "top_provider": {"context_length": 900_000, "max_completion_tokens": 128_000},
        },
        ("z-ai/glm-5.3", "Z.AI: GLM 5.3", 1_000_000, 128_000),
    ),
    "groq": (
        {"id": "openai/gpt-oss-20b", "active": True, "context_window": 131_072,
         "max_completion_tokens": 65_536},
        ("openai/gpt-oss-20b", "openai/gpt-oss-20b", 131_072, 65_536),
    ),
    "mistral": (
        {"id": "mistral-large-4", "name": "mistral-large-4", "max_context_length": 262_144,
         "capabilities": {"completion_chat": True, "fine_tuning": False}},
        ("mistral-large-4", "mistral-large-4", 262_144, 0),
    ),
    "together": (
        {"id": "zai-org/GLM-5.3", "type": "chat", "display_name": "GLM 5.3",
         "context_length": 202_752},
        ("zai-org/GLM-5.3", "GLM 5.3", 202_752, 0),
    ),
    "fireworks": (
        {"id": "accounts/fireworks/models/glm-5p3", "supports_chat": True,
         "context_length": 202_800},
        ("accounts/fireworks/models/glm-5p3", "accounts/fireworks/models/glm-5p3", 202_800, 0),
    ),
    "vllm": (
        {"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "root": "/models/q", "max_model_len": 40_960},
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", 40_960, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("bare", [False, True], ids=["in data", "bare"])
async def test_each_vendor_says_name_and_window_in_its_own_fields(
    vendor: Vendor, wire: Wire, bare: bool
) -> None:
    listed = [entry for entry, _ in ENTRIES.values()]
    vendor.says = says(listed if bare else {"object": "list", "data": listed})
    models = await models_of(acme(wire, vendor))
    assert short(models) == [expected for _, expected in ENTRIES.values()]
    assert models[1].description == "Z.AI: GLM 5.3, listed by acme"


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "text-embedding-3-small"},
        {"id": "nomic-embed-text"},
        {"id": "whisper-large-v3"},
        {"id": "gpt-4o-mini-transcribe"},
        {"id": "tts-1-hd"},
        {"id": "gpt-4o-mini-tts"},
        {"id": "dall-e-3"},
        {"id": "gpt-image-2"},
        {"id": "Qwen/Qwen-Image"},
        {"id": "omni-moderation-latest"},
        {"id": "BAAI/bge-reranker-v2-m3"},
        {"id": "gpt-realtime"},
        {"id": "sora-2"},
        {"id": "BAAI/bge-m3", "type": "embedding"},
        {"id": "flux-2", "type": "image"},
        {"id": "kontext", "architecture": {"output_modalities": ["image"]}},
        {"id": "speaker", "output_modalities": ["audio"]},
        {"id": "ocr", "capabilities": {"completion_chat": False}},
        {"id": "base", "supports_chat": False},
        {"id": "gone", "active": False},
    ],
    ids=lambda entry: entry["id"],
)
async def test_what_is_surely_no_chat_model_is_left_out(
    vendor: Vendor, wire: Wire, entry: dict[str, Any]
) -> None:
    vendor.says = says({"data": [entry, {"id": "chats"}]})
    assert [model.id for model in await models_of(acme(wire, vendor))] == ["chats"]


@pytest.mark.parametrize(
    "model_id", ["imagery-7b", "sorapis", "attsy", "codestral-2508", "o3", "veoh-1", "qwen2-audio"]
)
async def test_a_word_inside_of_another_leaves_nothing_out(
    vendor: Vendor, wire: Wire, model_id: str
) -> None:
    vendor.says = says({"data": [{"id": model_id, "type": 7, "capabilities": None}]})
    assert [model.id for model in await models_of(acme(wire, vendor))] == [model_id]


async def test_what_makes_no_sense_in_a_list_is_passed_over(vendor: Vendor, wire: Wire) -> None:
    odd: list[object] = [None, "m", 7, [], {}, {"id": None}, {"id": ""}, {"id": 7}, {"id": " "}]
    odd += [{"id": "a\nb"}, {"id": "m" * 201}, {"id": "a\u202eb"}]
    windows: list[object] = [-1, True, 1.5, "8192", None, 10**30, {}]
    odd += [{"id": f"w{at}", "context_window": one} for at, one in enumerate(windows)]
    vendor.says = says({"data": [*odd, {"id": "ok", "name": "N" * 201, "context_length": 5}]})
    models = await models_of(acme(wire, vendor))
    assert short(models)[-1] == ("ok", "ok", 5, 0)
    assert short(models)[:-1] == [(f"w{at}", f"w{at}", 0, 0) for at in range(len(windows))]


async def test_a_list_of_very_many_is_cut(
    vendor: Vendor, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_list, "MOST_MODELS", 3)
    vendor.says = says({"data": [{"id": f"m{at}"} for at in range(9)]})
    assert [model.id for model in await models_of(acme(wire, vendor))] == ["m0", "m1", "m2"]


async def test_a_row_without_a_list_asks_for_none(vendor: Vendor, wire: Wire) -> None:
    assert await acme(wire, vendor, lists=False).listed() is None
    local = Local(wire, path=None, context_tokens=2048, slots=1, enabled=False)
    assert await local.listed() is None  # type: ignore[func-returns-value]
    assert vendor.connections == 0


# ── the other dialects ────────────────────────────────────────────────────────────────────────


async def test_deepseek_lists_its_models_with_their_windows(wire: Wire) -> None:
    async with DeepSeekStandIn(key=KEY) as upstream:
        deepseek = DeepSeek(wire, api_key=KEY, base_url=f"{upstream.url}/v1/")
        assert short(await models_of(deepseek)) == [
            ("deepseek-flash", "DeepSeek-V4.1-Flash", 1_048_576, 393_216),
            ("deepseek-v4-pro", "DeepSeek-V4-Pro", 1_048_576, 393_216),
        ]
        assert [request.path for request in upstream.requests] == ["/v1/models"]


async def test_anthropics_models_come_with_their_names_and_both_limits(wire: Wire) -> None:
    async with AnthropicStandIn(key=KEY) as upstream:
        models = await models_of(Anthropic(wire, api_key=KEY, base_url=upstream.url))
        assert [request.path for request in upstream.requests] == ["/v1/models?limit=1000"]
    rows = short(models)
    assert ("claude-sonnet-5-5", "Claude Sonnet 5 5", 1_000_000, 128_000) in rows
    assert ("claude-haiku-4-5-20251001", "Claude Haiku 4 5", 200_000, 64_000) in rows


async def test_anthropics_pages_are_followed_and_retired_models_left_out(
    vendor: Vendor, wire: Wire
) -> None:
    pages = [
        {"data": [{"id": "a"}, {"id": "b", "lifecycle": "retired"}], "has_more": True,
         "last_id": "b&c"},
        {"data": [{"id": "d", "lifecycle": "active"}], "has_more": False, "last_id": "d"},
    ]  # fmt: skip
    script(vendor, [says(page) for page in pages])
    models = await models_of(Anthropic(wire, api_key=KEY, base_url=vendor.url))
    assert [model.id for model in models] == ["a", "d"]
    assert paths(vendor) == ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=b%26c"]


async def test_pages_without_end_are_not_followed_for_ever(vendor: Vendor, wire: Wire) -> None:
    vendor.says = says({"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    await models_of(Anthropic(wire, api_key=KEY, base_url=vendor.url))
    assert len(vendor.requests) == model_list.MOST_PAGES


async def test_of_geminis_models_those_are_listed_that_answer_in_text(wire: Wire) -> None:
    async with GeminiStandIn(key=KEY) as upstream:
        models = await models_of(Gemini(wire, api_key=KEY, base_url=upstream.url))
        assert [request.path for request in upstream.requests] == ["/v1beta/models?pageSize=1000"]
    ids = [model.id for model in models]
    assert "gemini-3.8-flash" in ids
    assert not [one for one in ids if re.search("models/|image|tts|embedding", one)]
    assert short(models)[0][1:] == ("Gemini 4 Argon", 1_048_576, 65_536)


async def test_geminis_pages_are_followed_to_an_empty_one(vendor: Vendor, wire: Wire) -> None:
    row = {"name": "models/gemini-9", "supportedGenerationMethods": ["generateContent"]}
    script(vendor, [says({"models": [row], "nextPageToken": "a/b="}), says({})])
    models = await models_of(Gemini(wire, api_key=KEY, base_url=vendor.url))
    assert [model.id for model in models] == ["gemini-9"]
    assert paths(vendor) == [
        "/v1beta/models?pageSize=1000",
        "/v1beta/models?pageSize=1000&pageToken=a%2Fb%3D",
    ]


async def test_ollama_lists_what_is_pulled_and_can_chat(wire: Wire) -> None:
    async with OllamaStandIn() as upstream:
        models = await models_of(Ollama(wire, api_key=None, base_url=f"{upstream.url}/v1"))
        assert [request.path for request in upstream.requests] == ["/api/tags"]
    ids = ["gemma4:e2b", "gpt-oss:20b", "llama3.2:latest", "small:8k"]
    assert short(models) == [(one, one, 0, 0) for one in ids]


async def test_an_older_ollama_does_not_say_what_its_models_can(vendor: Vendor, wire: Wire) -> None:
    vendor.says = says({"models": [{"name": "phi"}, {"model": "nomic-embed-text:v1.5"}]})
    models = await models_of(Ollama(wire, api_key=None, base_url=vendor.url))
    assert [model.id for model in models] == ["phi"]


def script(vendor: Vendor, answers: list[bytes]) -> None:
    """The vendor says these one after the other."""

    async def next_one(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    vendor.script = next_one


def paths(vendor: Vendor) -> list[str]:
    return [request.split(b" ")[1].decode() for request in vendor.requests]


# ── names that are gone ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "models",
    [
        Anthropic.models,
        DeepSeek.models,
        Gemini.models,
        *(row.models for row in TABLE if row.models),
    ],
    ids=lambda models: models[0].provider,
)
def test_an_alias_is_answered_by_a_row_and_says_since_when(models: tuple[Model, ...]) -> None:
    rows = {model.id: model for model in models if model.alias_of is None}
    assert models[0].id in rows
    for alias in (model for model in models if model.alias_of is not None):
        answers = rows[alias.alias_of or ""]
        assert alias.id not in rows
        assert alias.context_length == answers.context_length
        assert answers.id in alias.description
        assert re.search(r"20\d\d-\d\d-\d\d", alias.description)
