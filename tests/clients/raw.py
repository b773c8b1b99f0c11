"""A client without manners: exact bytes out, any number of bytes in, an end wherever it likes.

    line = await dial(product)
    line.send(ask("say: hello")[:40])      a request, or a part of one
    line.reset()                           RST · leave(): FIN · half_close(): FIN, but still reads

`body_of` and `frames_of` make sense of whatever came, also of a stream that was cut anywhere.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Protocol

from standins.server import RESET
from tests.conftest import question
from tests.standins.raw import Said, listen, post

Numbered = tuple[int, bytes]
ENDED = b"\nevent: ended\n"


class Listening(Protocol):
    """A server that listens on a port of this machine."""

    @property
    def url(self) -> str:
        """Its address, with the port."""
        ...


def port_of(server: Listening) -> int:
    return int(server.url.rpartition(":")[2])


def ask(text: str, headers: tuple[str, ...] = (), **fields: object) -> bytes:
    """The bytes of a question."""
    return post(question(text, **fields), "/api/v1/chat", headers, key="")


def get(path: str, *headers: str) -> bytes:
    """The bytes of a GET below `/api/v1` on a connection of its own."""
    lines = (f"GET /api/v1{path} HTTP/1.1", "host: x", "connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@dataclass(frozen=True)
class Line:
    """One bare connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, count: int) -> bytes:
        """That many bytes, or fewer if the stream ends before."""
        try:
            return await self.reader.readexactly(count)
        except asyncio.IncompleteReadError as ended:
            return ended.partial

    async def hear(self) -> Said:
        """All that comes until the server ends it; then leave."""
        async with asyncio.timeout(20):
            return await listen(self.reader, self.writer)

    def half_close(self) -> None:
        """Say that nothing more is coming, and go on reading."""
        self.writer.write_eof()

    def leave(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Leave with an RST instead of a FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.leave()


async def dial(server: Listening) -> Line:
    """A connection to a server."""
    return Line(*await asyncio.open_connection("127.0.0.1", port_of(server)))


async def say(server: Listening, request: bytes) -> Said:
    """Send exactly these bytes, and hear the server out."""
    line = await dial(server)
    line.send(request)
    return await line.hear()


def stuck_reader(port: int, request: bytes) -> socket.socket:
    """A client that sends a request and has room for next to nothing of the response. It blocks:
    nobody reads from it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    return client


def body_of(raw: bytes) -> bytes:
    """What came of a chunked body; half a chunk counts."""
    _, found, rest = raw.partition(b"\r\n\r\n")
    body = b""
    while found and b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return body


def frames_of(body: bytes) -> list[Numbered]:
    """The numbered frames that came whole, in order, as they stood on the wire."""
    blocks = body.split(b"\n\n")[:-1]
    return [(int(one[4 : one.index(b"\n")]), one) for one in blocks if one.startswith(b"id: ")]
