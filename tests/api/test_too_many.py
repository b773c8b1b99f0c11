"""More answers at once than the server may make: refused for a moment, and nothing else changes."""

from __future__ import annotations

import json

import pytest

from lite_llm_chat.config import Settings
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import hold
from .truth import is_problem, send


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_live_answers": 1})


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["short way", "long way"])
async def test_a_question_too_many_is_refused_and_taken_once_there_is_room(
    product: Product, upstream: DeepSeekStandIn, headers: dict[str, str]
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("first")
    await stream.until("session_id")
    body = json.dumps(question("say: second", stream=False)).encode()
    headers = {"content-type": "application/json", **headers}
    refused = await send(product, "POST", "/api/v1/chat", body, headers)
    assert refused.verdict == (503, "too_many_answers")
    assert is_problem(refused)
    assert refused.headers["retry-after"] == "1"
    gate.open()
    assert (await stream.rest())[-1].data == {"done": True}
    taken = await send(product, "POST", "/api/v1/chat", body, headers)
    assert taken.status == 200
    assert len(upstream.chats) == 2
