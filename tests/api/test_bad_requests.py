"""Whatever is sent, the reply says what is wrong, in one shape, and nothing is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import order_of
from .truth import Reply, post_bytes, send

USER = {"role": "user", "content": "Hi"}
WRONG: dict[str, dict[str, Any]] = {
    "no messages": {},
    "null messages": {"messages": None},
    "empty messages": {"messages": []},
    "an object of messages": {"messages": USER},
    "a message that is text": {"messages": ["Hi"]},
    "no role": {"messages": [{"content": "Hi"}]},
    "unknown role": {"messages": [USER | {"role": "tool"}]},
    "null content": {"messages": [USER | {"content": None}]},
    "a number as content": {"messages": [USER | {"content": 1}]},
    "a picture": {"messages": [USER | {"content": [{"type": "image_url", "image_url": {}}]}]},
    "a surrogate": {"messages": [USER | {"content": "a \ud83d b"}]},
    "a text as temperature": {"temperature": "0.7"},
    "temperature below": {"temperature": -0.01},
    "temperature above": {"temperature": 2.01},
    "true as temperature": {"temperature": True},
    "huge temperature": {"temperature": 10**400},
    "top_p 0": {"top_p": 0},
    "top_p above": {"top_p": 1.01},
    "top_k below": {"top_k": -1},
    "max_tokens 0": {"max_tokens": 0},
    "max_tokens 1.5": {"max_tokens": 1.5},
    "max_tokens text": {"max_tokens": "10"},
    "huge max_tokens": {"max_tokens": 10**30},
    "seed": {"seed": 2**63},
    "penalty": {"presence_penalty": 2.5},
    "other penalty": {"frequency_penalty": -2.5},
    "stop": {"stop": ["x"] * 17},
    "effort": {"reasoning_effort": "enormous"},
    "thinking": {"thinking": {"type": "perhaps"}},
    "text as stream": {"stream": "yes"},
    "number as stream": {"stream": 1},
    "on_active": {"on_active": "fight"},
    "on_disconnect": {"on_disconnect": "weep"},
    "session 0": {"session_id": 0},
    "text as session": {"session_id": "1"},
    "true as session": {"session_id": True},
    "huge session": {"session_id": 2**63},
    "fraction as session": {"session_id": 1.5},
    "empty title": {"title": ""},
    "long title": {"title": "x" * 256},
    "empty model": {"model": ""},
    "surrogate in model": {"model": "\ud800"},
    "empty question": {"messages": [USER | {"content": " \n"}]},
    "empty list of parts": {"messages": [USER | {"content": []}]},
    "NUL in a question": {"messages": [USER | {"content": "a\0b"}]},
    "surrogate in title": {"title": "\udfff"},
    "list as model": {"model": ["x"]},
}


@pytest.mark.readme("status-422")
async def test_every_wrong_value_is_a_422_that_names_its_place(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for name, fields in WRONG.items():
        body = {"messages": [USER]} | fields if fields else {}
        reply = await post_bytes(product, "/api/v1/chat", json.dumps(body).encode())
        assert reply.verdict == (422, "validation_error"), name
        place = next(iter(fields), "messages")
        assert all(one["loc"][:2] == ["body", place] for one in reply.json["detail"]), name
        assert all(one["msg"] for one in reply.json["detail"]), name
        assert b"function-" not in reply.body, name
    assert await product.call("GET", "/sessions") == (200, [])
    assert upstream.chats == []


async def test_values_at_the_edge_are_taken(product: Product, upstream: DeepSeekStandIn) -> None:
    for fields in (
        {"temperature": 0},
        {"temperature": 2},
        {"temperature": 0.7, "top_p": 1, "max_tokens": 1, "stop": "x", "seed": -(2**63)},
        {"stop": [], "top_k": 0, "presence_penalty": -2, "frequency_penalty": 2.0},
        {"thinking": True, "reasoning_effort": "max"},
        {"title": None, "session_id": None, "temperature": None, "model": None, "provider": None},
        {"messages": [USER | {"content": [{"type": "text", "text": "a"}] * 2}]},
    ):
        status, _ = await product.call("POST", "/chat", question("Hi", stream=False) | fields)
        assert status == 200, fields
    assert order_of(upstream, -1)["messages"][0]["content"] == "aa"


UNREADABLE = (
    b'{"messages": [{"role": "user", "content": "Hi"}], "\\ud800": 1}',
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\x00\x01\x02",
    b'{"messages": [{"role": "user", "content": "Hi"}], "temperature": NaN}',
    b'{"messages": [{"role": "user", "content": "Hi"}], "temperature": -Infinity}',
    b'{"messages": [{"role": "user", "content": "Hi"}], "temperature": 1e999}',
    b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
    b'{"seed": 1' + b"0" * 5000 + b"}",
    b'{"messages": ' + b"[" * 100_000,
    b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
)


async def test_a_body_that_is_no_json_object_is_refused(product: Product) -> None:
    for body in UNREADABLE:
        reply = await post_bytes(product, "/api/v1/chat", body)
        assert reply.verdict == (422, "validation_error"), body[:80]
    assert await product.call("GET", "/sessions") == (200, [])


async def test_broken_json_is_told_where_and_why_it_breaks(product: Product) -> None:
    reply = await post_bytes(product, "/api/v1/chat", b'{"messages": oops}')
    (finding,) = reply.json["detail"]
    assert (finding["type"], finding["loc"]) == ("json_invalid", ["body", 13])
    assert finding["msg"] == "JSON decode error: Expecting value"


async def test_odd_fields_never_break_an_answer(product: Product) -> None:
    odd = (
        b'"nan": NaN, "inf": Infinity, "half": "\\ud83d", "big": 1'
        + b"0" * 400
        + b', "nul": "\\u0000", "": 1, "long": "'
        + b"x" * 100_000
        + b'"'
    )
    body = b'{"messages": [{"role": "user", "content": "say: hi"}], "stream": false, ' + odd + b"}"
    for headers in ({}, {"Idempotency-Key": "k"}):
        reply = await send(
            product, "POST", "/api/v1/chat", body, {"content-type": "application/json", **headers}
        )
        assert reply.status == 200, reply.body
        assert reply.json["message"]["content"] == "hi"
        assert len(reply.json["warnings"]) == 7


async def test_only_json_that_says_so_is_read(product: Product) -> None:
    body = json.dumps(question("say: hi", stream=False)).encode()
    for media_type, status in {
        "application/json": 200,
        "application/json; charset=utf-8": 200,
        "Application/JSON": 200,
        "application/vnd.chat+json": 200,
        "text/plain": 415,
        "text/json": 415,
        "application/x-www-form-urlencoded": 415,
        "multipart/form-data; boundary=x": 415,
        "": 415,
    }.items():
        for path in ("/api/v1/chat", "/api/v1/messages/2/regenerate"):
            reply = await send(product, "POST", path, body, {"content-type": media_type})
            assert reply.status == status, (media_type, path, reply.body)
            if status == 415:
                assert reply.verdict == (415, "unsupported_media_type")
    for method, path in (("POST", "/sessions"), ("PATCH", "/sessions/1")):
        reply = await send(product, method, f"/api/v1{path}", b"{}", {"content-type": "text/plain"})
        assert reply.verdict == (415, "unsupported_media_type")


async def test_a_body_that_is_too_large_is_refused(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(max_body_bytes=2000)
    fits = question("x" * 1000)
    assert (await product.call("POST", "/chat", fits | {"background": True}))[0] == 202
    large = json.dumps(question("x" * 2001)).encode()
    assert (await post_bytes(product, "/api/v1/chat", large)).verdict == (413, "body_too_large")
    assert product._session is not None

    async def chunks() -> Any:
        for start in range(0, len(large), 100):
            yield large[start : start + 100]

    headers = {"content-type": "application/json"}
    async with product._session.post("/api/v1/chat", data=chunks(), headers=headers) as response:
        reply = Reply(response.status, response.headers.copy(), await response.read())
    assert reply.verdict == (413, "body_too_large")
    assert len((await product.call("GET", "/sessions"))[1]) == 1


async def test_what_is_not_there_is_404_and_what_is_not_allowed_405(product: Product) -> None:
    for path in ("/nothing", "/api/v1", "/api/v1/nothing", "/api/v2/sessions", "/.env"):
        assert (await send(product, "GET", path)).verdict == (404, "not_found"), path
    for method, path in (
        ("GET", "/chat"),
        ("PUT", "/sessions/1"),
        ("POST", "/sessions/1"),
        ("DELETE", "/chat"),
        ("POST", "/health"),
        ("GET", "/upload"),
    ):
        full = path if path == "/health" else f"/api/v1{path}"
        reply = await send(product, method, full)
        assert reply.verdict == (405, "method_not_allowed"), path
        assert reply.headers["Allow"]


async def test_every_reply_has_a_mark_of_its_own(product: Product) -> None:
    replies = [
        await send(product, "GET", path)
        for path in ("/health", "/api/v1/sessions/9", "/nothing", "/api/v1/sessions?skip=x")
    ]
    assert len({reply.headers["X-Request-Id"] for reply in replies}) == 4
    assert {reply.headers["X-Content-Type-Options"] for reply in replies} == {"nosniff"}
