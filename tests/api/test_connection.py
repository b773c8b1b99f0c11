"""The web server's side of a connection: what was made lighter does what it did."""

from __future__ import annotations

import asyncio
import socket
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from urllib.parse import urlsplit

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
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


class Answering:
    """An application that answers `hello` in two messages, the second one behind a gate, and notes
    what the server sends in one piece."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.headers = [LENGTH]
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.pieces: list[bytes] = []
        send = _SelectorSocketTransport.write

        def noted(transport: _SelectorSocketTransport, data: bytes) -> None:
            self.pieces.append(bytes(data))
            send(transport, data)

        monkeypatch.setattr(_SelectorSocketTransport, "write", noted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        self.begun.set()
        await self.gate.wait()
        await send({"type": "http.response.body", "body": b"hello"})

    async def dialled(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that has asked."""
        config = uvicorn.Config(self, log_config=None, lifespan="off")
        config.load()
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        state = ServerState()
        await loop.connect_accepted_socket(lambda: Connection(config, state, {}), ours)
        theirs.setblocking(False)
        theirs.send(request)
        return await asyncio.open_connection(sock=theirs)


LENGTH = (b"content-length", b"5")
ASKED = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"


async def test_a_head_and_what_follows_at_once_are_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Answering(monkeypatch)
    app.gate.set()
    reader, writer = await app.dialled(ASKED)
    whole = await reader.read()
    assert whole.endswith(b"\r\n\r\nhello")
    assert app.pieces == [whole]
    writer.close()


async def test_a_head_does_not_wait_for_what_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Answering(monkeypatch)
    app.headers = []  # so it comes in chunks, who knows when
    reader, writer = await app.dialled(ASKED)
    head = await reader.readuntil(b"\r\n\r\n")
    assert app.pieces == [head]
    app.gate.set()
    assert await reader.read() == b"5\r\nhello\r\n0\r\n\r\n"
    writer.close()


async def test_a_head_that_says_how_much_follows_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Answering(monkeypatch)
    reader, writer = await app.dialled(ASKED)
    await app.begun.wait()
    for _ in range(10):  # turns of the loop
        await asyncio.sleep(0)
    assert app.pieces == []
    app.gate.set()
    whole = await reader.read()
    assert whole.endswith(b"\r\n\r\nhello")
    assert app.pieces == [whole]
    writer.close()


async def test_a_head_whose_body_fails_is_sent_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Answering(monkeypatch)
    app.headers = [(b"content-length", b"4")]  # of "hello": refused by the web server
    app.gate.set()
    reader, writer = await app.dialled(ASKED)
    assert (await reader.read()).endswith(b"content-length: 4\r\nconnection: close\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("asked", "pieces"),
    [
        (ASKED.replace(b"GET", b"HEAD"), 1),
        (ASKED.replace(b"host", b"expect: 100-continue\r\nhost"), 2),
    ],
    ids=["a head alone", "a client that asks before it sends"],
)
async def test_what_is_no_body_is_sent_too(
    monkeypatch: pytest.MonkeyPatch, asked: bytes, pieces: int
) -> None:
    app = Answering(monkeypatch)
    app.gate.set()
    reader, writer = await app.dialled(asked)
    whole = await reader.read()
    assert whole.count(b"HTTP/1.1 200 OK") == 1
    assert (b"".join(app.pieces), len(app.pieces)) == (whole, pieces)
    assert whole.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK" if pieces > 1 else b"H")
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
