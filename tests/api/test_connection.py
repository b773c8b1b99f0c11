"""The web server's side of a connection: what was made lighter does what it did."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from lite_llm_chat.web import Bell, Connection
from tests.conftest import Product

HEALTH = b"GET /health HTTP/1.1\r\nhost: here\r\n\r\n"


async def nothing(_scope: object, _receive: object, _send: object) -> None:
    """An application that nobody asks."""


async def dial(product: Product) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(product.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def replies(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """The status lines of so many replies that have a length."""
    lines = []
    for _ in range(count):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        lines.append(head.split(b"\r\n")[0])
        fields = [line.split(b":") for line in head.lower().split(b"\r\n")]
        await reader.readexactly(next(int(one[1]) for one in fields if one[0] == b"content-length"))
    return lines


@pytest.mark.parametrize(
    "parts",
    [
        [HEALTH, HEALTH, HEALTH],
        [HEALTH * 3],
        [HEALTH + HEALTH[:9], HEALTH[9:] + HEALTH],
        [HEALTH[:20], HEALTH[20:] + HEALTH + b"\r\n", HEALTH],
    ],
    ids=["one by one", "at once", "cut", "with an empty line between"],
)
async def test_requests_of_one_connection_are_all_answered(
    product: Product, parts: list[bytes]
) -> None:
    reader, writer = await dial(product)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0)
        await writer.drain()
    assert await replies(reader, 3) == [b"HTTP/1.1 200 OK"] * 3
    writer.close()


async def test_a_request_after_the_last_one_is_not_answered(product: Product) -> None:
    reader, writer = await dial(product)
    writer.write(HEALTH.replace(b"host", b"connection: close\r\nhost") + HEALTH)
    assert await replies(reader, 1) == [b"HTTP/1.1 200 OK"]
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_who_holds_a_client_hears_that_it_left_also_if_that_was_before() -> None:
    config = uvicorn.Config(nothing, log_config=None)
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, connection = await loop.connect_accepted_socket(
        lambda: Connection(config, ServerState(), {}), ours
    )
    heard: list[str] = []
    late = asyncio.Event()
    connection.hold(lambda: heard.append("first"))
    theirs.close()
    while not heard:  # noqa: ASYNC110 - a socket that closes tells nobody else
        await asyncio.sleep(0.001)
    connection.hold(late.set)
    connection.let_go()
    await asyncio.wait_for(late.wait(), 5)
    assert heard == ["first"]


async def test_a_bell_wakes_all_who_wait_and_nobody_who_has_gone() -> None:
    bell = Bell(rung=False)
    waiting = [asyncio.create_task(bell.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    bell.set()
    bell.clear()
    await asyncio.gather(*waiting[1:])
    late = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    assert not late.done()
    bell.set()
    await late
    await bell.wait()
