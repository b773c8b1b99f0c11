"""A plain socket to a vendor: what is sent, what comes, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from lite_llm_chat.domain import Text
from lite_llm_chat.providers.line import Line, connect
from lite_llm_chat.providers.openai_compatible import converse
from lite_llm_chat.providers.wire import Wire

from .conftest import SSE, Vendor, collect, endpoint, failing, reply, stream, text

HI = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
LONG = "word " * 2_000_000


class Distant(socket.socket):
    """A socket whose other end is not reached within the call."""

    asked = False

    def connect_ex(self, address: tuple[object, ...]) -> int:  # type: ignore[override]
        if not self.asked:
            self.asked = True
            super().connect_ex(address)
        return errno.EINPROGRESS


@pytest.fixture
async def distant() -> AsyncIterator[Distant]:
    """A socket that does not block."""
    with Distant(socket.AF_INET, socket.SOCK_STREAM) as plain:
        plain.setblocking(False)
        yield plain


@pytest.fixture
async def unread() -> AsyncIterator[socket.socket]:
    """A port whose connections are accepted and read by the test."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


class Heard:
    """An owner that keeps what comes."""

    def __init__(self) -> None:
        self.said = b""
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pass

    def data_received(self, data: bytes | memoryview) -> None:
        self.said += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection that do not block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


async def test_what_the_other_end_does_not_take_at_once_follows_in_order() -> None:
    near, far = pair()
    loop, said = asyncio.get_running_loop(), [LONG.encode(), b"and", b" then"]
    line = Line(loop, near, Heard())
    for part in said:
        line.write(part)
    heard, wanted = b"", b"".join(said)
    while len(heard) < len(wanted):
        heard += await loop.sock_recv(far, 1 << 20)
    assert heard == wanted
    line.abort()
    far.close()


async def test_a_line_that_breaks_while_it_is_written_to_says_so_once() -> None:
    near, far = pair()
    owner = Heard()
    line = Line(asyncio.get_running_loop(), near, owner)
    line.write(LONG.encode())
    far.close()
    await owner.lost.wait()
    assert line.is_closing()
    line.write(b"nobody")
    line.abort()


async def test_a_distant_end_is_waited_for(distant: Distant, vendor: Vendor) -> None:
    address = ("127.0.0.1", int(vendor.url.rpartition(":")[2]))
    await connect(asyncio.get_running_loop(), distant, address)
    assert distant.getpeername() == address


async def test_a_distant_end_that_refuses_is_an_error(
    distant: Distant, unread: socket.socket
) -> None:
    address = unread.getsockname()
    unread.close()
    with pytest.raises(ConnectionRefusedError):
        await connect(asyncio.get_running_loop(), distant, address)


async def test_a_request_longer_than_the_line_takes_arrives_whole(
    vendor: Vendor, wire: Wire
) -> None:
    vendor.says = stream(HI, END)
    for _ in range(2):
        assert text(await collect(converse(wire, endpoint(vendor.url), {"said": LONG}))) == "Hi"
    assert [LONG.encode() in request for request in vendor.requests] == [True, True]
    assert vendor.connections == 1


async def test_a_refusal_that_comes_before_the_request_was_sent_costs_no_connection(
    wire: Wire,
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(reply(413, b"too long"))
            await reader.readexactly(int(head.partition(b"content-length: ")[2]))
        writer.close()
        await writer.wait_closed()
        read.set()

    read = asyncio.Event()
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for _ in range(2):
        _, error = await failing(converse(wire, endpoint(url), {"said": LONG}))
        assert "too long" in error.detail
    await read.wait()
    server.close()
    assert len(connections) == 1


async def test_a_request_that_is_half_sent_ends_with_its_asker(
    unread: socket.socket, wire: Wire
) -> None:
    url = f"http://127.0.0.1:{unread.getsockname()[1]}"
    asker = asyncio.create_task(collect(converse(wire, endpoint(url), {"said": LONG})))
    loop = asyncio.get_running_loop()
    other, _ = await loop.sock_accept(unread)
    with other:
        other.setblocking(False)
        size = len(await loop.sock_recv(other, 1))
        asker.cancel()
        await asyncio.wait([asker])
        while data := await loop.sock_recv(other, 1 << 20):
            size += len(data)
    assert asker.cancelled()
    assert size < len(LONG)


async def test_a_connection_that_is_reset_is_a_cut_answer(vendor: Vendor, wire: Wire) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"connection: close\r\n\r\n" + HI)
        await heard.wait()
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    heard = asyncio.Event()
    vendor.script = reset
    pieces = converse(wire, endpoint(vendor.url), {"model": "m"})
    assert await anext(pieces) == Text("Hi")
    heard.set()
    _, error = await failing(pieces)
    assert error.code == "upstream_truncated"
