"""A whole loop of calls through the server: asked, kept, answered and talked about, at vendors
whose stand-ins refuse a call without a result and a signature that is not as it was.

test ──HTTP──▶ Product (its store between the requests) ──HTTP──▶ Gemini · Ollama
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from standins.behaviours import Answer
from standins.gemini import GeminiStandIn
from standins.ollama import OllamaStandIn
from standins.standin import StandIn
from tests.conftest import Product

from .conftest import Launch

MODELS = {"gemini": "gemini-3.8-flash", "ollama": "gemma4:e2b"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
Vendors = dict[str, StandIn]


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    async with GeminiStandIn() as gemini, OllamaStandIn() as ollama:
        yield {"gemini": gemini, "ollama": ollama}


@pytest.fixture
async def product(
    launch: Launch, vendors: Vendors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Product:
    for name in registry.variables(NONE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-for-nothing")
    monkeypatch.setenv("GEMINI_BASE_URL", vendors["gemini"].url)
    monkeypatch.setenv("OLLAMA_BASE_URL", vendors["ollama"].url)
    return await launch(upstream_retries=0)


async def say(product: Product, provider: str, *messages: Any, **fields: Any) -> dict[str, Any]:
    """The message that answers, and its session."""
    body = {
        "provider": provider,
        "model": MODELS[provider],
        "messages": list(messages),
        "tools": TOOLS,
        "stream": False,
        **fields,
    }
    status, answer = await product.call("POST", "/chat", body)
    assert status == 200, answer
    return {**answer["message"], "session_id": answer["session_id"]}


def asks(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def results(answer: dict[str, Any]) -> list[dict[str, str]]:
    calls = answer["tool_calls"]
    return [{"role": "tool", "tool_call_id": one["id"], "content": "rain"} for one in calls]


@pytest.mark.parametrize("first", MODELS)
@pytest.mark.parametrize("then", MODELS)
async def test_calls_of_one_vendor_are_answered_and_another_may_go_on(
    product: Product, vendors: Vendors, first: str, then: str
) -> None:
    vendors[first].play(Answer(text="I look.", reasoning="Hm", calls=2))
    called = await say(product, first, asks("Rain?"))
    session: dict[str, Any] = {"session_id": called["session_id"]}
    assert (called["content"], called["finish_reason"]) == ("I look.", "tool_calls")
    names = [one["function"]["name"] for one in called["tool_calls"]]
    assert names == ["get_weather", "get_weather"]
    assert [part["type"] for part in called["parts"]] == [
        "reasoning",
        "text",
        "tool_call",
        "tool_call",
    ]
    vendors[then].play(Answer(text="", calls=1))
    again = await say(product, then, *results(called), **session)
    vendors[then].play(Answer(text="It rains."))
    last = await say(product, then, *results(again), **session)
    assert (last["content"], last["finish_reason"]) == ("It rains.", "stop")
    assert len({one["id"] for one in (*called["tool_calls"], *again["tool_calls"])}) == 3
    assert (await say(product, first, asks("And on?"), **session))["status"] == "completed"


@pytest.mark.parametrize("provider", MODELS)
async def test_a_question_in_place_of_results_is_answered_too(
    product: Product, vendors: Vendors, provider: str
) -> None:
    vendors[provider].play(Answer(text="", calls=2))
    called = await say(product, provider, asks("Rain?"))
    vendors[provider].play(Answer(text="As you like."))
    session = {"session_id": called["session_id"]}
    assert (await say(product, provider, asks("Never mind."), **session))["content"] == (
        "As you like."
    )


async def test_an_answer_that_was_only_signed_has_no_parts_to_show(
    product: Product, vendors: Vendors
) -> None:
    vendors["gemini"].play(Answer(text="Good evening.", reasoning="Be polite."))
    answer = await say(product, "gemini", asks("Hi"))
    assert (answer["content"], answer["parts"]) == ("Good evening.", None)
