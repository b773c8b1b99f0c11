"""A form of the text that the vendor does not take beside tools is asked for in words.

question with response_format ─▶ tools of this server ─▶ Gemini 2.5: words · Gemini 3: its own field
"""

from __future__ import annotations

import json

import pytest

from lite_llm_chat.config import Settings
from standins.behaviours import Answer
from standins.gemini import GeminiStandIn
from tests.conftest import Product, question

from .conftest import Box

KEY = "canary.key.0f1e.2d3c.4b5a"


@pytest.mark.parametrize(
    ("model", "in_words"), [("gemini-2.5-flash-lite", True), ("gemini-3.8-flash", False)]
)
async def test_a_form_beside_tools_of_this_server_is_asked_for_in_a_way_that_counts(
    model: str, in_words: bool, settings: Settings, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with GeminiStandIn(key=KEY) as vendor:
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        monkeypatch.setenv("GEMINI_BASE_URL", vendor.url)
        vendor.play(Answer(text='Sure: {"a": 1}' if in_words else '{"a": 1}'))
        product = await Product(settings).start()
        try:
            form = {"type": "json_object"}
            body = question("Hi", provider="gemini", model=model, response_format=form)
            status, said = await product.call("POST", "/chat", body | {"stream": False})
        finally:
            await product.stop()
        order = vendor.chats[-1].body
    assert isinstance(order, dict)
    assert len(order["tools"][0]["functionDeclarations"]) == len(box.words)
    assert ("responseMimeType" in order.get("generationConfig", {})) is not in_words
    assert ("Answer with one JSON object" in json.dumps(order)) is in_words
    assert (status, said["message"]["content"], said["warnings"]) == (200, '{"a": 1}', [])
