"""Connections are kept while they can serve, and only then."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lite_llm_chat.providers import pool as pools
from lite_llm_chat.providers.http1 import MAX_HEAD_BYTES
from lite_llm_chat.providers.openai_compatible import converse
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.wire import Wire

from .conftest import SSE, Vendor, chunked, collect, endpoint, failing, no_rest, stream, text

SAID = (
    b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)
HI, STOP, DONE = SAID
WHOLE = stream(*SAID)


async def ask(wire: Wire, vendor: Vendor) -> str:
    return text(await collect(converse(wire, endpoint(vendor.url), {"model": "m"})))


@pytest.mark.parametrize(
    "interim",
    [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 2],
)
async def test_what_a_gateway_says_before_the_reply_is_passed_over(
    vendor: Vendor, wire: Wire, interim: bytes
) -> None:
    vendor.says = interim + WHOLE
    assert [await ask(wire, vendor) for _ in range(2)] == ["Hi", "Hi"]
    assert vendor.connections == 1


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again(
    vendor: Vendor, wire: Wire, more: bytes
) -> None:
    vendor.says = WHOLE + more
    assert [await ask(wire, vendor) for _ in range(2)] == ["Hi", "Hi"]
    assert vendor.connections == 2


async def test_a_connection_that_says_something_while_it_rests_is_closed(
    vendor: Vendor, wire: Wire
) -> None:
    late = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE)
        await late.wait()
        writer.write(b"and another thing")

    vendor.script = answer
    assert await ask(wire, vendor) == "Hi"
    late.set()
    await vendor.gone.wait()
    assert await ask(wire, vendor) == "Hi"
    assert vendor.connections == 2


async def test_a_reply_that_is_the_last_one_is_the_last_one(vendor: Vendor, wire: Wire) -> None:
    head = SSE + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    vendor.says = head + chunked(*SAID)
    assert [await ask(wire, vendor) for _ in range(2)] == ["Hi", "Hi"]
    assert vendor.connections == 2


async def test_a_head_without_end_is_garbage(vendor: Vendor, wire: Wire) -> None:
    vendor.says = SSE + b"x-long: " + b"x" * (MAX_HEAD_BYTES + 1)
    _, error = await failing(converse(wire, endpoint(vendor.url), {"model": "m"}))
    assert error.code == "upstream_garbage"
    await vendor.gone.wait()


async def test_a_key_with_a_line_break_is_not_sent(vendor: Vendor, wire: Wire) -> None:
    broken = replace(endpoint(vendor.url), headers={"authorization": "Bearer a\r\nx-evil: 1"})
    _, error = await failing(converse(wire, broken, {"model": "m"}))
    assert (error.code, error.retryable) == ("upstream_unreachable", False)
    assert "line breaks" in error.detail
    assert vendor.connections == 0


async def test_a_connection_that_nobody_needs_is_closed_after_a_while(
    vendor: Vendor, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "KEEP_S", 0.01)
    vendor.says = WHOLE
    assert await ask(wire, vendor) == "Hi"
    await vendor.gone.wait()


async def test_the_pool_closes_what_rests_in_it(vendor: Vendor) -> None:
    pool = Pool(5.0)
    vendor.says = WHOLE
    assert await ask(Wire(pool, no_rest, headers_timeout_s=5.0), vendor) == "Hi"
    await pool.close()
    await vendor.gone.wait()


async def test_many_streams_at_once_have_a_connection_each(vendor: Vendor, wire: Wire) -> None:
    arrived = asyncio.Barrier(150)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await arrived.wait()
        writer.write(WHOLE)

    vendor.script = answer
    assert await asyncio.gather(*(ask(wire, vendor) for _ in range(150))) == ["Hi"] * 150
    assert vendor.connections == 150


async def test_an_answer_that_comes_at_once_is_read_without_a_rest(
    pool: Pool, vendor: Vendor
) -> None:
    async def rest() -> None:
        pytest.fail("the end would wait for it")

    vendor.says = stream(HI, HI, STOP, DONE)
    assert await ask(Wire(pool, rest, headers_timeout_s=5.0), vendor) == "HiHi"


async def test_the_vendor_is_left_alone_after_a_reading_that_brought_something(
    pool: Pool, vendor: Vendor
) -> None:
    rested = asyncio.Event()

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"connection: close\r\n\r\n: waiting\n\n" + HI)
        await rested.wait()
        writer.write(HI + STOP + DONE)

    async def rest() -> None:
        assert not rested.is_set(), "once is enough: the end has come"
        rested.set()

    vendor.script, vendor.then_close = say, True
    assert await ask(Wire(pool, rest, headers_timeout_s=5.0), vendor) == "HiHi"
    assert rested.is_set()
