"""What existing clients send: the known is mapped, the rest is named in a warning."""

from __future__ import annotations

from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import at_end, order_of


async def sent(
    product: Product, upstream: DeepSeekStandIn, **fields: object
) -> tuple[dict[str, Any], list[str]]:
    """What the vendor received, without the usual, and the warnings."""
    status, body = await product.call("POST", "/chat", question("Hi", stream=False, **fields))
    assert status == 200, body
    received = order_of(upstream).copy()
    for name in ("messages", "stream", "stream_options", "model"):
        received.pop(name, None)
    return received, body["warnings"]


async def test_known_fields_reach_the_vendor(product: Product, upstream: DeepSeekStandIn) -> None:
    for fields, received in (
        ({"temperature": 0.7}, {"temperature": 0.7}),
        ({"max_tokens": 20}, {"max_tokens": 20}),
        ({"max_completion_tokens": 30}, {"max_tokens": 30}),
        ({"max_tokens": 20, "max_completion_tokens": 30}, {"max_tokens": 20}),
        ({"stop": "x"}, {"stop": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop": ["x", "y"]}),
    ):
        got, warnings = await sent(product, upstream, **fields)
        assert got == {"thinking": {"type": "disabled"}} | received
        assert warnings == []


async def test_thinking_is_switched_in_every_dialect(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for fields, on in (
        ({"thinking": True}, True),
        ({"thinking": False}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"enable_thinking": True}, True),
        ({"enable_thinking": False}, False),
        ({"thinking": {"type": "auto"}, "enable_thinking": False}, False),
        ({"thinking": True, "enable_thinking": False}, True),
    ):
        got, _ = await sent(product, upstream, model="deepseek-flash", **fields)
        assert got["thinking"] == {"type": "enabled" if on else "disabled"}, fields


async def test_the_effort_is_passed_on(product: Product, upstream: DeepSeekStandIn) -> None:
    got, _ = await sent(product, upstream, model="deepseek-flash", reasoning_effort="high")
    assert got["reasoning_effort"] == "high"


async def test_what_nobody_knows_is_named_and_breaks_nothing(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    odd = {"image_detail": "high", "thinking_budget": 100, "zzz": {"deep": [1]}, "api_key": "sk-x"}
    got, warnings = await sent(product, upstream, **odd)
    assert got == {"thinking": {"type": "disabled"}}
    assert [warning.split(":")[0] for warning in warnings] == sorted(odd)
    assert all(len(warning.split()) > 4 for warning in warnings)
    _, listed = await product.call("GET", "/sessions/1")
    generation = await at_end(product, listed["messages"][1]["generation_id"])
    assert generation["warnings"] == warnings
    assert "sk-x" not in str(warnings)


async def test_what_the_vendor_has_no_use_for_is_named(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    got, warnings = await sent(product, upstream, top_k=5, seed=1, presence_penalty=1)
    assert got == {"thinking": {"type": "disabled"}}
    assert [warning.split(":")[0] for warning in warnings] == ["top_k", "seed", "presence_penalty"]
    got, warnings = await sent(product, upstream, model="deepseek-reasoner", temperature=0.5)
    assert got == {"thinking": {"type": "enabled"}}
    assert [warning.split(":")[0] for warning in warnings] == ["temperature"]


async def test_odd_fields_of_a_message_are_named_once(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    said = [{"role": "user", "content": "Hi", "mood": ["x"], "name": "Ann"}] * 2
    _, warnings = await sent(product, upstream, messages=said)
    assert [warning.split(":")[0] for warning in warnings] == [
        "messages[].mood",
        "messages[].name",
    ]
    assert order_of(upstream, 0)["messages"] == [{"role": "user", "content": "Hi"}] * 2


@pytest.mark.readme("request-new-session")
async def test_the_readmes_second_request_makes_a_session_with_its_title(product: Product) -> None:
    body = {
        "provider": "deepseek",
        "model": "deepseek-chat",
        "title": "My Chat",
        "messages": [{"role": "user", "content": "Hello!"}],
        "stream": True,
    }
    frames = await (await product.stream("/chat", body)).rest()
    assert frames[-1].data == {"done": True}
    _, (session,) = await product.call("GET", "/sessions")
    assert (session["id"], session["title"], session["message_count"]) == (1, "My Chat", 2)
