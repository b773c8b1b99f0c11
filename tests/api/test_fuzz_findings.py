"""What the requests of test_any_request.py found once, each as a sentence of its own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import Product, question

from .snapshot import described
from .truth import post_bytes, send


@pytest.fixture(scope="module")
def schemas() -> Any:
    """The shapes of the description."""
    return json.loads(described())["components"]["schemas"]


async def test_a_refused_method_names_every_method_of_its_address(product: Product) -> None:
    for path, allowed in (
        ("/api/v1/sessions", "DELETE, GET, POST"),
        ("/api/v1/sessions/1", "DELETE, GET, PATCH"),
        ("/api/v1/chat", "POST"),
        ("/health", "GET, HEAD"),
    ):
        refused = await send(product, "PUT", path)
        assert refused.verdict == (405, "method_not_allowed")
        assert refused.headers["allow"] == allowed


async def test_a_whole_number_with_a_point_is_an_integer(product: Product) -> None:
    body = json.dumps(question("say: yes", stream=False, max_tokens=9))
    reply = await post_bytes(product, "/api/v1/chat", body.replace("9", "9.0").encode())
    assert reply.status == 200, reply.body
    for wrong in ("9.5", "1e400", "0.0", "true", '"9"'):
        reply = await post_bytes(product, "/api/v1/chat", body.replace("9", wrong).encode())
        assert reply.verdict == (422, "validation_error"), wrong


def test_no_bound_of_an_integer_is_rounded(schemas: Any) -> None:
    seed = schemas["ChatIn"]["properties"]["seed"]["anyOf"][0]
    assert (seed["minimum"], seed["maximum"]) == (-(2**63), 2**63 - 1)
    assert isinstance(schemas["ChatIn"]["properties"]["max_tokens"]["anyOf"][0]["maximum"], int)


def test_the_texts_that_are_refused_are_described(schemas: Any) -> None:
    name = re.compile(schemas["SessionIn"]["properties"]["provider"]["anyOf"][0]["pattern"])
    assert name.search("deepseek")
    assert not name.search("deep\0seek")
    title = re.compile(schemas["SessionIn"]["properties"]["title"]["pattern"])
    assert title.search("  A title  ")
    assert not title.search("   ")
    assert not title.search("A\0title")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/presets", {"name": "a".ljust(256)}),
        ("/api/v1/sessions", {"title": "a".rjust(256)}),
    ],
    ids=["preset", "title"],
)
async def test_a_text_is_as_long_as_it_is_sent(
    product: Product, path: str, body: dict[str, Any]
) -> None:
    reply = await post_bytes(product, path, json.dumps(body).encode())
    assert reply.verdict == (422, "validation_error")
    assert "at most" in reply.body.decode()


async def test_what_is_blank_in_a_title_is_what_the_description_takes_for_it(
    product: Product, schemas: Any
) -> None:
    pattern = schemas["SessionIn"]["properties"]["title"]["pattern"]
    for title, kept in (("  A\u00a0title \n", "A\u00a0title"), (" \u00a0\u3000\x85", None)):
        body = json.dumps({"title": title}).encode()
        reply = await post_bytes(product, "/api/v1/sessions", body)
        assert bool(re.search(pattern, title)) is (reply.status == 201) is (kept is not None)
        assert kept is None or json.loads(reply.body)["title"] == kept
    separators = await post_bytes(product, "/api/v1/sessions", b'{"title": "\\u001e\\u001d"}')
    assert separators.status == 201  # blank to Python, but not to JSON Schema


def test_the_key_that_makes_a_request_count_once_is_described() -> None:
    chat = json.loads(described())["paths"]["/api/v1/chat"]["post"]
    key = next(one["schema"] for one in chat["parameters"] if one["name"] == "idempotency-key")
    assert (key["minLength"], key["maxLength"]) == (1, 255)
    pattern = re.compile(key["pattern"])
    assert pattern.search("a key: 1~")
    assert not pattern.search("naïve")
    assert not pattern.search("tab\t")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/chat", "post"),
        ("/api/v1/generations/{generation_id}/events", "get"),
        ("/api/v1/sessions/{session_id}/events", "get"),
    ],
)
def test_a_stream_is_described_event_by_event(path: str, method: str) -> None:
    answer = json.loads(described())["paths"][path][method]["responses"]["200"]
    media_type = answer["content"]["text/event-stream"]
    assert "schema" not in media_type  # it would be that of each event: none is a bare string
    data = media_type["itemSchema"]["properties"]["data"]
    assert data["contentMediaType"] == "application/json"
    assert len(data["contentSchema"]["anyOf"]) >= 5
