"""One connection to a vendor: HTTP/1.1, one exchange at a time, read only when somebody asks.

    ask(request) ─▶ head() ─▶ read() … read() ─▶ b"" ─▶ ask(request) …     while `reusable`

The bytes are parsed by httptools. What is our own is when the socket is read: never between two
calls of `read`. A caller that comes once a tick finds all that has come meanwhile by one look at
the socket, without a turn of the event loop, and what it does not take stays with the vendor.
Behind TLS the look goes through the event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import NamedTuple, cast

import httptools

MAX_HEAD_BYTES = 64 * 1024
READ_BYTES = 256 * 1024

_READ = memoryview(bytearray(READ_BYTES))  # shared: parsed before anything else can read


class Closed(Exception):
    """The other side ended the connection before the reply was whole."""


class NotHttp(Exception):
    """What came is not a reply in HTTP/1.1."""


class Head(NamedTuple):
    """The start of a reply; names of headers in lower case, the first of equal names counts."""

    status: int
    headers: Mapping[str, str]


class Connection(asyncio.Protocol):
    """A connection. `plain` is its socket if its bytes are not encrypted, to be looked at
    directly; the transport owns it."""

    __slots__ = (
        "_body",
        "_failure",
        "_head",
        "_head_bytes",
        "_headers",
        "_news",
        "_parser",
        "_plain",
        "_spoilt",
        "_transport",
        "heard",
        "idle_since",
        "lost",
        "over",
    )

    def __init__(self, plain: socket.socket | None) -> None:
        self.heard = False  # True once a byte of the present reply has come
        self.over = True  # True when the present reply is whole
        self.lost = False
        self.idle_since = 0.0
        self._plain = plain
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._headers: dict[str, str] = {}
        self._head: Head | None = None
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._failure: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._spoilt = False  # something came that nobody asked for

    # ── for the caller ────────────────────────────────────────────────────────────────────

    @property
    def reusable(self) -> bool:
        """Whether another exchange can follow: the reply is whole and the other side stays."""
        return self.over and not (self.lost or self._spoilt or self._transport.is_closing())

    def ask(self, request: bytes) -> None:
        """Send a whole request. What was left of the last reply is gone."""
        self.heard = self.over = False
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._head, self._head_bytes = {}, None, 0
        self._body, self._failure = [], None
        self._transport.write(request)

    async def head(self) -> Head:
        """The status and the headers. Raises Closed or NotHttp."""
        while self._head is None:
            await self._more()
        return self._head

    async def read(self) -> bytes:
        """The bytes of the body that have come since the last call, at least one; b"" once it is
        over. Raises Closed or NotHttp, after what came before."""
        if not self._body and not self.over:
            self._look()
        while not self._body and not self.over:
            await self._more()
        body, self._body = self._body, []
        return body[0] if len(body) == 1 else b"".join(body)

    def rest(self) -> None:
        """Stay open for another exchange; the end of the connection is noticed meanwhile."""
        self._transport.resume_reading()

    def close(self) -> None:
        """Close at once, whatever is under way. Who reads gets Closed."""
        self._transport.abort()

    # ── how bytes come ────────────────────────────────────────────────────────────────────

    async def _more(self) -> None:
        """Wait until something has come. Raises what has ended the connection."""
        if self._failure is not None:
            raise self._failure
        if self.lost:
            raise Closed
        self._news = asyncio.get_running_loop().create_future()
        self._transport.resume_reading()
        try:
            await self._news
        finally:
            self._news = None
            self._transport.pause_reading()

    def _look(self) -> None:
        """Take what has come, without waiting."""
        if self._plain is None or self._transport.is_closing():
            return
        try:
            size = self._plain.recv_into(_READ)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if size:
            self._feed(_READ[:size])
        else:
            self._ended()
            self._transport.abort()

    def _feed(self, data: bytes | memoryview) -> None:
        self.heard = True
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self.over:
                self._spoilt = True
            else:
                self._fail(NotHttp() if self._head is None else Closed())
        if self._head is None and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(NotHttp())

    def _ended(self) -> None:
        """The other side says nothing more: the end of a body that has no other end."""
        if self._head is not None and not self._framed():
            self.over = self._spoilt = True
        elif not self.over:
            self._fail(Closed())

    def _framed(self) -> bool:
        return "content-length" in self._headers or "transfer-encoding" in self._headers

    def _fail(self, failure: Exception) -> None:
        self._failure = self._failure or failure

    def _ring(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # ── called by the event loop ──────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.over:  # nobody asked
            self._transport.abort()
            return
        self._transport.pause_reading()
        self._feed(data)
        self._ring()

    def eof_received(self) -> None:
        self._ended()
        self._ring()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if exc is None:
            self._ended()
        elif not self.over:
            self._fail(Closed())
        self._ring()

    # ── called by the parser ──────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._spoilt = self._spoilt or self.over

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and self._head is None:
            self._head = Head(status, self._headers)

    def on_body(self, body: bytes) -> None:
        if not self.over:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._head is None:  # an interim reply: the real one follows
            self._headers = {}
            return
        self.over = True
        self._spoilt = self._spoilt or not self._parser.should_keep_alive()
