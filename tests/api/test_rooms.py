"""Routes that are not there until somebody comes for them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from starlette.types import Message

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings
from tests.conftest import Product

DESCRIBED = json.loads((Path(__file__).parent / "openapi.json").read_text("utf-8"))


@pytest.mark.parametrize("path", [*DESCRIBED["paths"], "/s/{token}"])
async def test_every_address_is_there_for_the_first_one_who_comes(
    path: str, settings: Settings
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "PURGE",
        "path": re.sub(r"{[^}]*}", "1", path),
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }
    await create_app(settings)(scope, receive, send)
    assert sent[0]["status"] == 405, sent  # it is there, and does not take that method


async def test_many_who_come_first_at_once_are_all_served(product: Product) -> None:
    asked = [product.call("GET", "/usage") for _ in range(10)]
    assert {status for status, _ in await asyncio.gather(*asked)} == {200}


async def test_the_description_has_what_nobody_came_for(product: Product) -> None:
    _, description = await product.call("GET", "/openapi.json")
    assert description["paths"].keys() == DESCRIBED["paths"].keys()
