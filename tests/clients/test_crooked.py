"""Requests that are no requests: heads that never end, bodies of another length, broken chunks."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Product
from tests.durability.test_nothing_left import idle
from tests.torture import record, scaled

from .raw import Line, ask, dial, get, say
from .readers import others_are_served
from .test_rude import stored

SLOW = 200
BYTES = scaled(10, 40)

CHUNKED = (
    b"POST /api/v1/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
HEAD, _, BODY = ask("say: hello").partition(b"\r\n\r\n")
BROKEN = {
    "a size that is none": CHUNKED + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size below zero": CHUNKED + b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size beyond numbers": CHUNKED + b"f" * 20 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size that is too small": CHUNKED + b"5\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a length and chunks": HEAD + b"\r\ntransfer-encoding: chunked\r\n\r\n" + BODY,
    "two lengths": HEAD + b"\r\ncontent-length: 3\r\n\r\n" + BODY,
    "a length below zero": HEAD.replace(b"content-length: ", b"content-length: -") + b"\r\n\r\n",
}


def of_length(length: int) -> bytes:
    """The question with another length than it has."""
    old = b"content-length: %d" % len(BODY)
    assert old in HEAD
    return HEAD.replace(old, b"content-length: %d" % length) + b"\r\n\r\n" + BODY


@pytest.mark.parametrize("how", BROKEN)
async def test_a_body_that_cannot_be_read_is_refused_and_asks_nothing(
    product: Product, how: str
) -> None:
    said = await say(product, BROKEN[how])
    assert (said.status, said.ended) == (400, "eof")
    await others_are_served(product)
    assert "say: hello" not in await stored(product)


async def test_a_body_that_is_shorter_than_it_says_asks_nothing(product: Product) -> None:
    waiting = await dial(product)
    waiting.send(of_length(len(BODY) + 1))
    await others_are_served(product)
    leaving = await dial(product)
    leaving.send(of_length(len(BODY) + 1))
    leaving.half_close()
    assert (await leaving.hear()).raw == b""
    waiting.leave()
    await others_are_served(product)
    assert "say: hello" not in await stored(product)


@pytest.mark.parametrize("more", [b"{}", b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"x" * 70_000])
async def test_a_body_that_is_longer_than_it_says_never_becomes_half_a_question(
    product: Product, more: bytes
) -> None:
    line = await dial(product)
    line.send(of_length(len(BODY)).replace(b"connection: close\r\n", b"") + more)
    await others_are_served(product)
    line.half_close()
    said = await line.hear()
    assert said.raw == b"" or said.status in (200, 400)
    await idle(product)
    assert (await stored(product)).get("say: hello", "hello") == "hello"


async def test_a_question_cut_off_in_its_json_is_refused(product: Product) -> None:
    said = await say(product, of_length(len(BODY) - 5))
    assert said.status in (400, 422)
    await others_are_served(product)
    assert "say: hello" not in await stored(product)


async def test_heads_that_come_byte_by_byte_do_not_stop_the_service(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    request = get("/sessions?limit=1")
    lines = [await dial(product) for _ in range(SLOW)]
    for at in range(BYTES):
        for line in lines:
            line.send(request[at : at + 1])
        await others_are_served(product)
    patient, rude = lines[::2], lines[1::2]
    for line in rude:
        line.reset()
    statuses = await asyncio.gather(*(end(line, request) for line in patient))
    assert set(statuses) == {200}
    with capsys.disabled():
        result = f"{BYTES} answers between {BYTES} bytes of {SLOW} heads; heads served at last"
        record("clients", "heads that come byte by byte", "others are served", result, met=True)


async def end(line: Line, request: bytes) -> int:
    """Send the rest of a head; the status of the response."""
    line.send(request[BYTES:])
    return (await line.hear()).status
