"""Who goes on from a text and cannot think for that says so, and is not asked to.

a cut answer ─▶ POST /continue {"thinking": true} ─▶ warnings, and what the vendor was sent
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from standins.behaviours import Answer, Cut
from standins.ollama import OllamaStandIn
from tests.conftest import Product, question

from .conftest import Launch

MODEL = "gpt-oss:20b"


@pytest.fixture
async def ollama() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn() as one:
        yield one


@pytest.fixture
async def product(
    launch: Launch, ollama: OllamaStandIn, monkeypatch: pytest.MonkeyPatch
) -> Product:
    monkeypatch.setenv("OLLAMA_BASE_URL", ollama.url)
    return await launch(upstream_retries=0)


async def cut_answer(product: Product, ollama: OllamaStandIn) -> None:
    """Message 2 thought, and was cut behind its first words."""
    ollama.play(Answer(reasoning="Hm", text="one two three"), Cut(after_tokens=3))
    body = question("Count", provider="ollama", model=MODEL, thinking=True, stream=False)
    status, said = await product.call("POST", "/chat", body)
    assert (status, said["code"]) == (502, "upstream_truncated")


@pytest.mark.parametrize(
    ("wanted", "dropped"),
    [
        ({"thinking": True}, ["thinking"]),
        ({"reasoning_effort": "high"}, ["effort"]),
        ({"thinking": True, "reasoning_effort": "high"}, ["thinking", "effort"]),
        ({"thinking": False}, []),
        ({"reasoning_effort": "none"}, []),
        ({}, []),
    ],
)
async def test_thinking_that_is_dropped_in_going_on_is_in_the_warnings(
    product: Product, ollama: OllamaStandIn, wanted: dict[str, object], dropped: list[str]
) -> None:
    await cut_answer(product, ollama)
    ollama.play(Answer(text=" four", reasoning=""))
    status, said = await product.call("POST", "/messages/2/continue", {"stream": False, **wanted})
    assert status == 200, said
    assert said["message"]["content"].endswith(" four")
    expected = [f"{name}: {MODEL} has no use for it, so it was ignored" for name in dropped]
    assert said["warnings"] == expected
    body = ollama.chats[-1].body
    assert isinstance(body, dict)
    assert body["think"] is False
