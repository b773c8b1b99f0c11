"""One exchange over a real socket: what can break, and how it is told."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from lite_llm_chat.domain import Finish, Piece, Text
from lite_llm_chat.providers.openai_compatible import converse
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.wire import Wire, retry_after_s

from .conftest import (
    SSE,
    Vendor,
    chunked,
    collect,
    endpoint,
    failing,
    finish,
    no_rest,
    reply,
    stream,
    text,
)

HI = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = stream(HI, STOP, DONE)


def ask(wire: Wire, url: str) -> AsyncIterator[Piece]:
    return converse(wire, endpoint(url), {"model": "m"})


async def test_a_request_is_plain_json_that_asks_for_an_uncompressed_stream(
    vendor: Vendor, wire: Wire
) -> None:
    vendor.says = WHOLE
    assert text(await collect(ask(wire, vendor.url + "/chat/completions"))) == "Hi"
    head, body = vendor.requests[0].split(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /chat/completions http/1.1"
    assert "accept: text/event-stream" in lines
    assert "accept-encoding: identity" in lines
    assert "content-type: application/json" in lines
    assert body == b'{"model":"m"}'


async def test_a_connection_is_kept_for_the_next_request(vendor: Vendor, wire: Wire) -> None:
    vendor.says = WHOLE
    for _ in range(5):
        await collect(ask(wire, vendor.url))
    assert (len(vendor.requests), vendor.connections) == (5, 1)


async def test_a_kept_connection_that_died_is_replaced_without_an_error(
    vendor: Vendor, wire: Wire
) -> None:
    async def answer_then_drop_the_next(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if len(vendor.requests) == 2:
            writer.transport.abort()
            raise ConnectionResetError
        writer.write(WHOLE)

    vendor.script = answer_then_drop_the_next
    for _ in range(2):
        assert text(await collect(ask(wire, vendor.url))) == "Hi"
    assert vendor.connections == 2


async def test_nobody_at_the_address_is_unreachable_and_retryable(
    vendor: Vendor, wire: Wire, unused_port: int
) -> None:
    _, error = await failing(ask(wire, f"http://127.0.0.1:{unused_port}"))
    assert (error.code, error.status, error.retryable) == ("upstream_unreachable", 502, True)
    assert str(unused_port) not in error.detail


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1/x", "http://", "http://[", ""])
async def test_an_address_that_is_none_says_so_and_is_not_retried(wire: Wire, url: str) -> None:
    _, error = await failing(ask(wire, url))
    assert (error.code, error.retryable) == ("upstream_unreachable", False)


async def test_a_users_name_in_an_address_is_refused_and_never_shown(
    vendor: Vendor, wire: Wire
) -> None:
    _, error = await failing(ask(wire, vendor.url.replace("://", "://somebody:canary@")))
    assert (error.code, error.retryable) == ("upstream_unreachable", False)
    assert "take it out" in error.detail
    assert "somebody" not in error.detail
    assert "canary" not in error.detail
    assert vendor.requests == []


async def test_a_connection_closed_before_the_answer_is_unreachable(
    vendor: Vendor, wire: Wire
) -> None:
    vendor.then_close = True
    _, error = await failing(ask(wire, vendor.url))
    assert (error.code, error.retryable) == ("upstream_unreachable", True)


async def test_a_vendor_that_never_answers_is_a_timeout(vendor: Vendor, pool: Pool) -> None:
    _, error = await failing(ask(Wire(pool, no_rest, headers_timeout_s=0.01), vendor.url))
    assert (error.code, error.status, error.retryable) == ("upstream_timeout", 504, True)
    await vendor.gone.wait()


async def test_what_is_no_http_is_garbage(vendor: Vendor, wire: Wire) -> None:
    vendor.says = b"SSH-2.0-OpenSSH_9.9\r\n\r\n"
    _, error = await failing(ask(wire, vendor.url))
    assert error.code == "upstream_garbage"


async def test_tls_on_a_plain_port_is_unreachable(wire: Wire) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    _, error = await failing(ask(wire, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    assert error.code == "upstream_unreachable"
    server.close()


CUTS = {
    "no end of the body": b"%x\r\n%s\r\n" % (len(HI), HI),
    "inside an event": b"%x\r\n%s\r\n5\r\ndata:\r\n" % (len(HI), HI),
    "inside a size": b"%x\r\n%s\r\n4" % (len(HI), HI),
    "a broken size": b"%x\r\n%s\r\nzz\r\n" % (len(HI), HI),
    "a clean end": chunked(HI),
}


@pytest.mark.parametrize("body", CUTS.values(), ids=CUTS)
async def test_an_answer_cut_in_the_middle_keeps_its_text(
    vendor: Vendor, wire: Wire, body: bytes
) -> None:
    vendor.says, vendor.then_close = SSE + b"transfer-encoding: chunked\r\n\r\n" + body, True
    pieces, error = await failing(ask(wire, vendor.url))
    assert (error.status, error.retryable) == (502, True)
    assert error.code == "upstream_truncated"
    assert pieces == [Text("Hi")]


async def test_a_lost_connection_after_the_finish_reason_takes_nothing_back(
    vendor: Vendor, wire: Wire
) -> None:
    body = b"%x\r\n%s\r\n" % (len(HI + STOP), HI + STOP)
    vendor.says, vendor.then_close = SSE + b"transfer-encoding: chunked\r\n\r\n" + body, True
    assert finish(await collect(ask(wire, vendor.url))).reason == "stop"


async def test_silence_after_the_finish_reason_does_not_hold_the_answer_back(
    vendor: Vendor, wire: Wire
) -> None:
    vendor.says = SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked(HI, STOP)[:-5]
    assert isinstance((await collect(ask(wire, vendor.url)))[-1], Finish)
    await vendor.gone.wait()


@pytest.mark.parametrize("framing", [b"connection: close", b"content-length: %d"])
async def test_a_body_may_be_framed_in_any_way(vendor: Vendor, wire: Wire, framing: bytes) -> None:
    body = HI + STOP + DONE
    framing = framing % len(body) if b"%" in framing else framing
    vendor.says, vendor.then_close = SSE + framing + b"\r\n\r\n" + body, b"close" in framing
    assert text(await collect(ask(wire, vendor.url))) == "Hi"


async def test_closing_the_iterator_closes_the_connection(vendor: Vendor, wire: Wire) -> None:
    vendor.says = SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked(HI)[:-5]
    pieces = converse(wire, endpoint(vendor.url), {"model": "m"})
    async with aclosing(pieces):
        assert await anext(pieces) == Text("Hi")
        assert not vendor.gone.is_set()
    await vendor.gone.wait()


async def test_cut_ends_whoever_reads_and_whoever_waits(vendor: Vendor, wire: Wire) -> None:
    arrived = asyncio.Semaphore(0)

    async def answer_the_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(vendor.requests) == 1:
            writer.write(SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked(HI)[:-5])
        arrived.release()

    vendor.script = answer_the_first
    pieces = converse(wire, endpoint(vendor.url), {"model": "m"})
    assert await anext(pieces) == Text("Hi")
    reading = asyncio.create_task(failing(pieces))
    waiting = asyncio.create_task(failing(ask(wire, vendor.url)))
    await arrived.acquire()
    await arrived.acquire()
    await wire.cut()
    assert (await reading)[1].code == "upstream_truncated"
    assert (await waiting)[1].code == "upstream_timeout"


# ── what is not a stream ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (b'{"error":{"message":"boom","code":"429"}}', "provider_rate_limited"),
        (b'\n\n {"error":"boom"}', "provider_error"),
        (b'{"success":false,"data":null}', "provider_error"),
        (b"[]", "upstream_garbage"),
        (b"<!doctype html><title>Hello</title>", "upstream_garbage"),
        (b"Internal error", "upstream_truncated"),
        (b"", "upstream_truncated"),
    ],
)
@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
async def test_a_200_that_is_no_stream_is_an_error(
    vendor: Vendor, wire: Wire, says: bytes, code: str, kind: bytes
) -> None:
    vendor.says = reply(200, says, b"content-type: " + kind)
    pieces, error = await failing(ask(wire, vendor.url))
    assert (pieces, error.code) == ([], code)


async def test_a_page_is_known_by_its_type_too(vendor: Vendor, wire: Wire) -> None:
    vendor.says = reply(200, b"Please log in", b"content-type: text/html; charset=utf-8")
    assert (await failing(ask(wire, vendor.url)))[1].code == "upstream_garbage"


async def test_an_answer_in_one_piece_of_json_is_an_answer(vendor: Vendor, wire: Wire) -> None:
    said = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"model":"m"}'
    vendor.says = reply(200, b"\n\n" + said, b"content-type: application/json")
    assert await collect(ask(wire, vendor.url)) == [Text("Hi"), Finish("stop", None, "m")]


async def test_a_redirect_is_not_followed(vendor: Vendor, wire: Wire) -> None:
    vendor.says = reply(307, b"", b"location: " + vendor.url.encode())
    _, error = await failing(ask(wire, vendor.url))
    assert (error.code, len(vendor.requests)) == ("provider_not_found", 1)


async def test_a_complaint_without_end_is_read_in_part(vendor: Vendor, wire: Wire) -> None:
    head = b"HTTP/1.1 500 Oops\r\ncontent-length: 99999999\r\n\r\n"
    vendor.says = head + b"No way " * 30_000
    _, error = await failing(ask(wire, vendor.url))
    assert error.code == "provider_error"
    assert "No way" in error.detail


# ── compression and waiting ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_compressed_stream_is_read_though_nobody_asked_for_it(
    vendor: Vendor, wire: Wire, encoding: bytes, size: int
) -> None:
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    packed = pack(HI + STOP + DONE)
    parts = [packed[i : i + size] for i in range(0, len(packed), size)]
    head = SSE + b"content-encoding: " + encoding + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    vendor.says = head + chunked(*parts)
    assert text(await collect(ask(wire, vendor.url))) == "Hi"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"br", b"whatever"),
        (b"gzip", gzip.compress(b"data: " + b"x" * 50_000_000)),
        (b"gzip", b"not packed at all"),
    ],
)
async def test_an_encoding_that_cannot_be_read_is_refused(
    vendor: Vendor, wire: Wire, encoding: bytes, body: bytes
) -> None:
    head = SSE + b"content-encoding: " + encoding + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    vendor.says = head + chunked(body)
    _, error = await failing(ask(wire, vendor.url))
    assert error.code in ("upstream_garbage", "upstream_truncated")


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "99999999"}, 86_400.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:07 GMT"}, 7.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:07 -0000"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ],
)
def test_the_vendors_wish_to_wait_is_understood(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert retry_after_s(headers, NOW) == wait_s
