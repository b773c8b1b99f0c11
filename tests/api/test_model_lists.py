"""Which models are shown: our rows, and what vendors list when somebody asks.

GET /models ─▶ Product ─▶ GET …/models of a stand-in, now and then
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from standins.anthropic import AnthropicStandIn
from standins.behaviours import Gate, Pause, Status
from standins.deepseek import DeepSeekStandIn
from standins.ollama import OllamaStandIn
from tests.conftest import KEY, Product, question
from tests.providers.vendor_standin import Dress, VendorStandIn

from .conftest import Launch
from .follow import order_of

AT_ONCE = 1e-9  # minutes: a list is old as soon as it is there
ERROR = {"error": {"message": "no such thing", "type": "invalid_request_error"}}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vendor's variable of the machine that runs this."""
    for name in registry.variables(NONE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def vendor() -> AsyncIterator[VendorStandIn]:
    async with VendorStandIn(Dress("reasoning_content", "trailing", ERROR)) as one:
        yield one


def listing(*ids: str, **more: object) -> Status:
    """The next list has these ids."""
    data = [{"id": one, "object": "model", **more} for one in ids]
    return Status(200, json.dumps({"object": "list", "data": data}).encode())


async def shown(product: Product, provider: str = "deepseek") -> list[dict[str, Any]]:
    status, models = await product.call("GET", f"/models?provider={provider}")
    assert status == 200
    return list(models)


async def ids(product: Product, provider: str = "deepseek") -> list[str]:
    return [model["id"] for model in await shown(product, provider)]


def lists_asked(upstream: DeepSeekStandIn) -> int:
    return sum(request.path == "/models" for request in upstream.requests)


async def being_asked(product: Product, provider: str = "deepseek") -> None:
    """Return once the list under way has been learnt, or given up."""
    await asyncio.wait([product.parts.model_lists._asking[provider].task])


# ── when a vendor is asked ────────────────────────────────────────────────────────────────────


async def test_the_first_look_at_the_models_already_shows_what_the_vendor_lists(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(listing("zeta", "deepseek-v5", "deepseek-flash", context_window=5))
    models = await shown(product)
    assert [(model["id"], model["listed"]) for model in models] == [
        ("deepseek-flash", "live"),
        ("deepseek-v4-pro", "known"),
        ("deepseek-chat", "live"),
        ("deepseek-reasoner", "live"),
        ("deepseek-v4-flash", "live"),
        ("deepseek-v5", "live"),
        ("zeta", "live"),
    ]
    assert models[0]["context_length"] == 1_048_576  # our row knows it
    assert models[-1] == {
        "id": "zeta",
        "name": "zeta",
        "provider": "deepseek",
        "context_length": 5,
        "max_output_tokens": 0,
        "description": "zeta, listed by deepseek",
        "alias_of": None,
        "listed": "live",
        "vision": None,
        "tools": None,
        "reasoning": None,
        "prices": None,
    }
    (request,) = upstream.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"


async def test_a_list_is_used_again_until_it_is_old(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch()
    first = await shown(product)
    assert await shown(product) == first
    await product.call("GET", "/models")
    assert lists_asked(upstream) == 1
    await product.stop()

    product = await launch(model_list_minutes=AT_ONCE)
    upstream.play(listing("deepseek-v5"))
    assert "deepseek-v5" in await ids(product)
    assert "deepseek-v5" not in await ids(product)
    assert lists_asked(upstream) == 3


async def test_nobody_is_asked_at_the_start_nor_for_a_question(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: hi")).rest()
    await product.call("GET", "/providers")
    await product.call("GET", "/health")
    assert lists_asked(upstream) == 0


async def test_zero_minutes_mean_that_no_vendor_is_ever_asked(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(model_list_minutes=0)
    assert {model["listed"] for model in await shown(product)} == {"known"}
    assert upstream.requests == []


async def test_only_a_ready_provider_is_asked_and_only_the_one_that_is_wanted(
    launch: Launch,
    upstream: DeepSeekStandIn,
    vendor: VendorStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{vendor.url}/v1")
    monkeypatch.setenv("VLLM_BASE_URL", f"{vendor.url}/own")
    product = await launch()
    await shown(product, "vllm")
    await shown(product, "local")
    status, _ = await product.call("GET", "/models?provider=nobody")
    assert status == 422
    await shown(product, "openai")  # it has no key
    assert [request.path for request in vendor.requests] == ["/own/models"]
    assert lists_asked(upstream) == 0
    await product.call("GET", "/models")
    assert len(vendor.requests) == 1
    assert lists_asked(upstream) == 1


# ── when it fails, or is slow ─────────────────────────────────────────────────────────────────


async def test_a_failure_shows_what_was_there_and_is_told_once_in_a_row(
    launch: Launch, upstream: DeepSeekStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    product = await launch(model_list_minutes=AT_ONCE, log_level="info")
    log = logging.getLogger("lite_llm_chat.models")
    log.addHandler(caplog.handler)
    try:
        upstream.play(listing("deepseek-flash", "deepseek-v5"))
        good = await shown(product)
        upstream.play(Status(503), times=2)
        upstream.play(Status(200, b"<html>", content_type="text/html"))
        for _ in range(3):
            assert await shown(product) == good
        assert len(caplog.records) == 1
        assert "deepseek-v5" not in await ids(product)
        upstream.play(Status(500))
        assert "deepseek-flash" in await ids(product)
    finally:
        log.removeHandler(caplog.handler)
    missed = "deepseek did not list its models, what was known is shown: deepseek"
    first, again, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"{missed} is overloaded")
    assert again == "deepseek lists its models again"
    assert second.startswith(f"{missed} failed (500)")


async def test_a_vendor_that_refuses_its_list_shows_our_rows_and_no_key(
    product: Product, upstream: DeepSeekStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("lite_llm_chat.models")
    log.addHandler(caplog.handler)
    log.setLevel(logging.DEBUG)
    try:
        upstream.play(Status(401, json.dumps({"error": {"message": f"no: {KEY}"}}).encode()))
        models = await shown(product)
    finally:
        log.removeHandler(caplog.handler)
        log.setLevel(logging.NOTSET)
    assert {model["listed"] for model in models} == {"known"}
    assert "check DEEPSEEK_API_KEY in .env" in caplog.text
    assert KEY[3:15] not in caplog.text + json.dumps(models)


async def test_a_slow_vendor_holds_nobody_and_is_asked_once(
    product: Product, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.model_lists.PATIENCE_S", 0.01)
    gate = Gate()
    upstream.play(listing("deepseek-v5"), Pause(gate, after_tokens=None))
    for _ in range(3):
        assert {model["listed"] for model in await shown(product)} == {"known"}
    await gate.reached()
    assert lists_asked(upstream) == 1
    gate.open()
    await being_asked(product)
    assert "deepseek-v5" in await ids(product)
    assert lists_asked(upstream) == 1


async def test_a_server_stops_cleanly_while_a_list_is_under_way(
    product: Product, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.model_lists.PATIENCE_S", 0.01)
    upstream.play(Pause(Gate(), after_tokens=None))
    await shown(product)
    assert "models of deepseek" in {task.get_name() for task in asyncio.all_tasks()}
    await product.stop()
    assert (await upstream.wait_for_disconnect()).request.path == "/models"
    assert "models of deepseek" not in {task.get_name() for task in asyncio.all_tasks()}


# ── what a list is good for ───────────────────────────────────────────────────────────────────


async def test_a_server_of_ones_own_has_a_default_model_once_its_list_is_known(
    launch: Launch, vendor: VendorStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", f"{vendor.url}/v1")
    vendor.models = {"data": [{"id": "qwen", "max_model_len": 9}, {"id": "bge-embed"}]}
    product = await launch()
    asked = {"provider": "vllm", "messages": [{"role": "user", "content": "Hi"}], "stream": False}
    status, problem = await product.call("POST", "/chat", asked)
    assert (status, problem["code"]) == (422, "unknown_model")
    assert "vllm has no default model: name the one that it serves" in problem["detail"]
    (model,) = await shown(product, "vllm")
    assert (model["id"], model["context_length"], model["listed"]) == ("qwen", 9, "live")
    status, _ = await product.call("POST", "/chat", asked)
    assert status == 200
    body = vendor.chats[0].body
    assert isinstance(body, dict)
    assert body["model"] == "qwen"


async def test_a_question_goes_to_no_other_vendor_because_somebody_saw_its_list(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OllamaStandIn() as ollama:
        monkeypatch.setenv("OLLAMA_BASE_URL", ollama.url)
        product = await launch()
        await shown(product, "ollama")
        asked = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}
        status, problem = await product.call("POST", "/chat", {**asked, "model": "small:8k"})
        assert (status, problem["code"]) == (502, "provider_unknown_model")
        assert ollama.chats == []
        named = {**asked, "provider": "ollama", "model": "small:8k"}
        status, answer = await product.call("POST", "/chat", named)
    assert (status, answer["message"]["provider"]) == (200, "ollama")


async def test_a_dated_id_shows_that_the_row_without_the_date_is_served(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AnthropicStandIn(key=KEY) as anthropic:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic.url)
        product = await launch()
        listed = {model["id"]: model["listed"] for model in await shown(product, "anthropic")}
    assert set(listed.values()) == {"live"}
    assert {"claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-3-5-haiku-20241022"} < set(
        listed
    )


async def test_a_retired_name_is_answered_by_what_replaced_it(
    launch: Launch, vendor: VendorStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_API_KEY", KEY)
    monkeypatch.setenv("XAI_BASE_URL", f"{vendor.url}/v1")
    old = "grok-4-fast-non-reasoning"
    async with AnthropicStandIn(key=KEY) as anthropic:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic.url)
        product = await launch()
        _, models = await product.call("GET", "/models")
        alias = next(model for model in models if model["id"] == old)
        messages = [{"role": "user", "content": "Hi"}]
        for name in (old, "claude-3-5-haiku-20241022"):
            asked = {"model": name, "messages": messages, "stream": False}
            status, answer = await product.call("POST", "/chat", asked)
            assert (status, answer["message"]["model"]) == (200, name)
        served = anthropic.chats[0].body
    assert alias["alias_of"] == "grok-4.3"
    assert alias["description"] == (
        "Retired by xAI on 2026-05-15; kept here as grok-4.3 with thinking off"
    )
    body = vendor.chats[0].body
    assert isinstance(body, dict)
    assert isinstance(served, dict)
    assert (body["model"], body["reasoning_effort"]) == ("grok-4.3", "none")
    assert served["model"] == "claude-haiku-4-5"


async def test_a_refused_model_is_told_with_the_names_that_are_like_it(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    asked = question("Hi", model="deepseek-v4-prow", stream=False)
    status, problem = await product.call("POST", "/chat", asked)
    assert (status, problem["code"]) == (502, "provider_unknown_model")
    assert problem["detail"].endswith("; listed here and like it: deepseek-v4-pro, deepseek-flash")
    upstream.play(listing("deepseek-v4-prose"))
    await shown(product)
    _, problem = await product.call("POST", "/chat", asked)
    assert "like it: deepseek-v4-pro, deepseek-v4-prose" in problem["detail"]
    asked = question("Hi", model="xyz", stream=False)
    _, problem = await product.call("POST", "/chat", asked)
    assert "like it" not in problem["detail"]
    assert order_of(upstream)["model"] == "xyz"
