"""A small HTTP/1.1 server that can be as wrong as a test wants it to be.

    socket ─▶ Connection ─▶ Request ─▶ your answer(request, exchange)
                  ▲                         │ send · frame · finish · close · reset
                  └──────── Exchange ◀──────┘

A connection answers one request at a time and is used again afterwards. When the client leaves
before the answer is over, the answer's task is cancelled: that is how a stand-in knows.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from standins.reply import Framing

MAX_HEAD_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a request; header names in lower case."""

    method: str
    path: str
    version: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One received request. `number` and `connection` count from 1, `at` is time.monotonic() of
    the last byte, `body` is the parsed JSON (None: none, or not JSON)."""

    number: int
    connection: int
    method: str
    path: str
    version: str
    headers: Mapping[str, str]
    raw: bytes
    body: object
    at: float


Answer = Callable[[Request, "Exchange"], Coroutine[None, None, None]]
ReadingPause = Callable[[Head], float | None]


class MalformedError(Exception):
    """The bytes are no HTTP request."""


def parse_head(raw: bytes) -> Head:
    """The head without its blank line."""
    lines = raw.decode("latin-1").split("\r\n")
    first = lines[0].split(" ")
    if len(first) != 3:
        raise MalformedError(lines[0])
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Head(first[0], first[1], first[2], headers)


def take_body(head: Head, buffer: bytearray) -> bytes | None:
    """Cut the body off the front of the buffer; None while it is not complete."""
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return _take_chunked(buffer)
    try:
        length = int(head.headers.get("content-length", "0"))
    except ValueError as error:
        raise MalformedError("content-length") from error
    if len(buffer) < length:
        return None
    body = bytes(buffer[:length])
    del buffer[:length]
    return body


def _take_chunked(buffer: bytearray) -> bytes | None:
    parts: list[bytes] = []
    at = 0
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        try:
            size = int(bytes(buffer[at:end]).split(b";")[0], 16)
        except ValueError as error:
            raise MalformedError("chunk size") from error
        if len(buffer) < end + 2 + size + 2:
            return None
        parts.append(bytes(buffer[end + 2 : end + 2 + size]))
        at = end + 2 + size + 2
        if size == 0:
            del buffer[:at]
            return b"".join(parts)


def parsed(raw: bytes) -> object:
    """The JSON value of a body, None when it is none."""
    try:
        value: object = json.loads(raw)
    except ValueError:
        return None
    return value


class Exchange:
    """The writing side of one request. `said_at` has, for each token that the client was sent so
    far, when that was, on the monotonic clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.transport
        self.framing: Framing = "chunked"
        self.write_bytes: int | None = None
        self.said_at: list[float] = []

    @property
    def tokens(self) -> int:
        """How many tokens the client was sent so far."""
        return len(self.said_at)

    def say(self, raw: bytes, tokens: int) -> None:
        """A part of the body that carries so many tokens."""
        self.frame(raw)
        self.said_at += [time.monotonic()] * tokens

    def send(self, raw: bytes) -> None:
        """Bytes on the socket as they are, in one write or in pieces of `write_bytes`."""
        if self.write_bytes is None:
            self._transport.write(raw)
            return
        for at in range(0, len(raw), self.write_bytes):
            self._transport.write(raw[at : at + self.write_bytes])

    def frame(self, raw: bytes) -> None:
        """A part of the body in the framing of this reply."""
        self.send(b"%x\r\n%b\r\n" % (len(raw), raw) if self.framing == "chunked" else raw)

    def finish(self) -> None:
        """The body is over."""
        if self.framing == "chunked":
            self.send(b"0\r\n\r\n")
        if self.framing == "close":
            self.close()

    @property
    def ours(self) -> bool:
        """True when this side ended the connection."""
        return self._connection.ours

    @property
    def full(self) -> bool:
        """True while the client reads more slowly than it is written to."""
        return not self._connection.writable.is_set()

    async def drained(self) -> None:
        """Return when the client has read enough for more to be written."""
        await self._connection.writable.wait()

    def close(self) -> None:
        """Close the connection once all written bytes are out."""
        self._connection.ours = True
        self._transport.close()

    def reset(self) -> None:
        """Reset the connection: the client sees RST instead of an end."""
        self._connection.ours = True
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.abort()

    def close_on_next(self) -> None:
        """Answer the next request of this connection with its end, as a server does that has
        just dropped an idle connection."""
        self._connection.stale = True


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._head: Head | None = None
        self._task: asyncio.Task[None] | None = None
        self.number = 0
        self.transport: asyncio.Transport
        self.writable = asyncio.Event()
        self.writable.set()
        self.ours = False  # we ended it, not the client
        self.stale = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.number = self._server.enter(self)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        if self._task is not None:
            self._task.cancel()
        self.writable.set()
        self._server.leave(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if self.stale:
            self.ours = True
            self.transport.close()
            return
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        """Start the next answer if none is running and a whole request is here."""
        if self._task is not None or self.transport.is_closing():
            return
        try:
            request = self._next_request()
        except MalformedError:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
            return
        if request is not None:
            answer = self._server.answer(request, Exchange(self))
            self._task = asyncio.create_task(answer, name=f"stand-in request {request.number}")
            self._server.tasks.add(self._task)
            self._task.add_done_callback(self._answered)

    def _next_request(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise MalformedError("head too long")
                return None
            self._head = parse_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            self._before_body(self._head)
        body = take_body(self._head, self._buffer)
        if body is None:
            return None
        head, self._head = self._head, None
        return Request(
            self._server.next_number(),
            self.number,
            head.method,
            head.path,
            head.version,
            head.headers,
            body,
            parsed(body),
            time.monotonic(),
        )

    def _before_body(self, head: Head) -> None:
        if head.headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        pause_s = self._server.reading_pause(head)
        if pause_s is None:
            return
        self.transport.pause_reading()
        if pause_s != float("inf"):
            asyncio.get_running_loop().call_later(pause_s, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._server.tasks.discard(task)
        if task.cancelled():
            self.transport.abort()
            return
        fault = task.exception()
        if fault is not None:
            self._server.faults.append(fault)
            self.transport.abort()
            return
        self._advance()


class Server:
    """Listens on the loopback interface and hands requests to `answer`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.reading_pause: ReadingPause = lambda _head: None
        self.faults: list[BaseException] = []
        self.opened = 0
        self.open: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._requests = 0
        self._listener: asyncio.Server | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    async def listen(self, port: int) -> None:
        """Listen on this port of 127.0.0.1 (0: any free one). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), "127.0.0.1", port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Stop listening; open connections stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self.refuse()
        for connection in tuple(self.open):
            connection.ours = True
            connection.transport.abort()
        await self._empty.wait()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def next_number(self) -> int:
        """The number of the request that has just arrived."""
        self._requests += 1
        return self._requests

    def enter(self, connection: Connection) -> int:
        """A client has connected; returns the connection's number."""
        self.opened += 1
        self.open.add(connection)
        self._empty.clear()
        return self.opened

    def leave(self, connection: Connection) -> None:
        """A connection has ended."""
        self.open.discard(connection)
        if not self.open:
            self._empty.set()
