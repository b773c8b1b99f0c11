"""Who can answer, with which models, and how the server is."""

from __future__ import annotations

import pytest

from standins.behaviours import Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY, Product, question

from .conftest import Launch
from .follow import order_of
from .truth import send

ALIASES = {
    "deepseek-chat": "deepseek-flash",
    "deepseek-reasoner": "deepseek-flash",
    "deepseek-v4-flash": "deepseek-flash",
}


@pytest.mark.readme("endpoint-providers", "feature-providers")
async def test_the_providers_are_listed_with_what_they_need(launch: Launch) -> None:
    product = await launch()
    status, providers = await product.call("GET", "/providers")
    assert status == 200
    by_id = {one["id"]: one for one in providers}
    assert {"deepseek", "local"} <= set(by_id)
    for one in providers:
        assert list(one)[:4] == ["id", "name", "description", "supported"]
        assert one["supported"] is True
    assert (by_id["deepseek"]["ready"], by_id["deepseek"]["default"]) == (True, True)
    assert (by_id["local"]["ready"], by_id["local"]["default"]) == (False, False)
    assert len(by_id["local"]["note"].split()) > 3
    keyless = await launch(
        deepseek_api_key=None, database_url=product.settings.database_url.replace("chat", "other")
    )
    _, providers = await keyless.call("GET", "/providers")
    deepseek = next(one for one in providers if one["id"] == "deepseek")
    assert deepseek["ready"] is False
    assert "DEEPSEEK_API_KEY" in deepseek["note"]


@pytest.mark.readme("endpoint-models")
async def test_the_models_are_listed_and_an_alias_says_what_it_is(product: Product) -> None:
    status, models = await product.call("GET", "/models")
    assert status == 200
    for one in models:
        assert {"id", "name", "provider", "context_length", "description"} <= set(one)
        assert one["context_length"] > 0
        assert one["description"]
    deepseeks = [one for one in models if one["provider"] == "deepseek"]
    assert {one["id"]: one["alias_of"] for one in deepseeks if one["alias_of"]} == ALIASES
    assert {one["listed"] for one in deepseeks} == {"live"}
    for one in models:
        if one["alias_of"]:
            assert one["alias_of"] in one["description"], one["id"]
    assert len({(one["provider"], one["id"]) for one in models}) == len(models)


@pytest.mark.readme("endpoint-models-by-provider")
async def test_the_models_of_one_provider(product: Product) -> None:
    _, everything = await product.call("GET", "/models")
    for provider in ("deepseek", "local"):
        status, models = await product.call("GET", f"/models?provider={provider}")
        assert status == 200
        assert models == [one for one in everything if one["provider"] == provider]
        assert models
    for name in ("nobody", "", "DeepSeek", "%ED%A0%80"):
        reply = await send(product, "GET", f"/api/v1/models?provider={name}")
        assert reply.verdict == (422, "unknown_provider"), name


@pytest.mark.readme("endpoint-health", "variable-app-name", "variable-app-version")
async def test_the_server_says_that_it_is_healthy(launch: Launch) -> None:
    product = await launch(app_name="Ours", app_version="9.9")
    for path in ("/health", "/api/v1/health"):
        reply = await send(product, "GET", path)
        assert reply.status == 200
        assert list(reply.json)[:3] == ["status", "app", "version"]
        assert list(reply.json.values())[:3] == ["healthy", "Ours", "9.9"]
        assert reply.json["providers"]["deepseek"] == "ready"
        assert reply.headers["content-type"] == "application/json"
    for path in ("/health/ready", "/api/v1/health/ready"):
        reply = await send(product, "GET", path)
        assert (reply.status, reply.json) == (200, {"status": "ready"})


async def test_a_server_that_stops_is_not_ready_and_takes_no_question(product: Product) -> None:
    product.parts.chat._engine.draining = True
    assert (await send(product, "GET", "/health/ready")).verdict == (503, "draining")
    assert (await send(product, "GET", "/health")).status == 200
    for path, body in (("/chat", question("Hi")), ("/messages/1/regenerate", {})):
        status, problem = await product.call("POST", path, body)
        assert (status, problem["code"]) == (503, "draining"), path
    assert await product.call("GET", "/sessions") == (200, [])


@pytest.mark.readme("feature-deepseek", "variable-deepseek-base-url")
async def test_deepseek_is_asked_in_its_own_dialect_with_the_configured_key(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: hi", model="deepseek-reasoner")).rest()
    (request,) = upstream.chats
    assert request.path == "/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert order_of(upstream)["model"] == "deepseek-flash"
    assert order_of(upstream)["thinking"] == {"type": "enabled"}
    assert order_of(upstream)["stream"] is True
    await (await product.ask("say: hi", model="deepseek-chat")).rest()
    assert order_of(upstream, 1)["thinking"] == {"type": "disabled"}


async def test_an_unlisted_model_is_deepseeks_to_refuse_and_ours_for_the_local_one(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    body = question("Hi", model="deepseek-v9", stream=False)
    status, problem = await product.call("POST", "/chat", body)
    assert (status, problem["code"]) == (502, "provider_unknown_model")
    assert "deepseek" in problem["detail"]
    assert order_of(upstream, 0)["model"] == "deepseek-v9"
    status, problem = await product.call("POST", "/chat", body | {"provider": "local"})
    assert (status, problem["code"]) == (422, "unknown_model")
    assert "deepseek-v9" in problem["detail"]
    status, problem = await product.call("POST", "/chat", body | {"provider": "nobody"})
    assert (status, problem["code"]) == (422, "unknown_provider")
    assert "deepseek" in problem["detail"]
    assert len((await product.call("GET", "/sessions"))[1]) == 1


async def test_a_provider_that_is_off_says_how_to_switch_it_on(product: Product) -> None:
    body = question("Hi") | {"provider": "local"}
    del body["model"]
    status, problem = await product.call("POST", "/chat", body)
    assert (status, problem["code"]) == (503, "provider_not_configured")
    assert "LOCAL_MODEL" in problem["detail"]


async def test_what_failed_before_the_first_word_is_tried_again(
    launch: Launch, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.answering.attempts.BACKOFF_S", (0.001, 0.001))
    product = await launch()
    upstream.play(Status(503), times=2)
    assert (await (await product.ask("say: hi")).rest())[-1].data == {"done": True}
    assert len(upstream.chats) == 3
    upstream.play(Status(503), times=3)
    assert (await (await product.ask("say: hi")).rest())[-1].data["code"] == "provider_overloaded"
    assert len(upstream.chats) == 6
