"""A plain question takes a shorter way past the framework, and is answered all the same."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest

from lite_llm_chat.api import shortcut
from tests.conftest import Product, question

CHANGING = re.compile(r'[0-9a-f]{26}|"(?:id|session_id|message_id|parent_id)": ?\d+|\d{4}-[^"]+Z')


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that took the shorter way, by their first words."""
    texts: list[str] = []
    plain = shortcut._asked

    def noted(message: Any) -> Any:
        asked = plain(message)
        if asked is not None:
            texts.append(str(asked.messages[0].content))
        return asked

    monkeypatch.setattr(shortcut, "_asked", noted)
    return texts


async def said(product: Product, body: bytes, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a reply, without what differs from question to question."""
    send = {"content-type": "application/json", **headers}
    async with (
        aiohttp.ClientSession(product.url) as client,
        client.post("/api/v1/chat", data=body, headers=send) as reply,
    ):
        text = CHANGING.sub("…", await reply.text())
        kept = {
            name.lower(): CHANGING.sub("…", value)
            for name, value in reply.headers.items()
            if name.lower() not in ("date", "x-request-id", "content-length")
        }
        return reply.status, kept, text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stream": False},
        {"background": True},
        {"temperature": 0.5, "unknown": 1, "stream": False},
        {"session_id": 404},
        {"provider": "nobody"},
    ],
    ids=str,
)
async def test_both_ways_answer_alike(
    product: Product, taken: list[str], fields: dict[str, object]
) -> None:
    body = json.dumps(question("say: the same", **fields)).encode()
    short = await said(product, body)
    assert taken == ["say: the same"]
    long = await said(product, body, **{"idempotency-key": "makes it go the long way"})
    assert len(taken) == 1
    assert short == long


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"messages": []}', b'{"messages": 1, "model": ' + b"[" * 5000, b"\xff"],
    ids=lambda body: str(body[:20]),
)
async def test_what_cannot_be_taken_is_refused_by_the_framework(
    product: Product, taken: list[str], body: bytes
) -> None:
    short = await said(product, body)
    assert taken == []
    assert short == await said(product, body, **{"idempotency-key": "makes it go the long way"})
    assert short[0] == 422


@pytest.mark.parametrize("number", ["1", "404", "0", "01", "-1", "x", "9" * 18, "9" * 19, "1/"])
async def test_a_session_is_read_alike_both_ways(product: Product, number: str) -> None:
    await said(product, json.dumps(question("say: the same", stream=False)).encode())
    path = f"/api/v1/sessions/{number}"
    async with aiohttp.ClientSession(product.url) as client:
        replies = []
        for query in ("", "?all=the+same"):  # a query goes the long way
            async with client.get(path + query) as reply:
                kept = {name.lower(): value for name, value in reply.headers.items()}
                del kept["date"], kept["x-request-id"]
                replies.append((reply.status, kept, await reply.read()))
    assert replies[0] == replies[1]
    assert (replies[0][0] == 200) == (number in ("1", "01", "1/"))


async def test_another_media_type_is_refused(product: Product, taken: list[str]) -> None:
    body = json.dumps(question("say: no")).encode()
    status, _, _ = await said(product, body, **{"content-type": "text/plain"})
    assert (status, taken) == (415, [])
