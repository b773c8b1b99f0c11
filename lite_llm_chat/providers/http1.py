"""One connection to a vendor: HTTP/1.1, one exchange at a time, read only when somebody asks.

    ask(request) ─▶ head() ─▶ read() … read() ─▶ b"" ─▶ ask(request) …     while `reusable`

The bytes are parsed by httptools. What is our own is when the socket is read: never between two
calls of `read`. A caller that comes once a tick finds all that has come meanwhile by one look at
the `Line`, without a turn of the event loop, and what it does not take stays with the vendor.
Behind TLS there is a transport of the event loop instead, and the look goes through that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, cast

import httptools

from .line import Line

MAX_HEAD_BYTES = 64 * 1024

_FRAMES = ("content-length", "transfer-encoding")
_NONE = cast("httptools.HttpResponseParser", None)  # nothing comes any more


class Closed(Exception):
    """The other side ended the connection before the reply was whole."""


class NotHttp(Exception):
    """What came is not a reply in HTTP/1.1."""


class Head(NamedTuple):
    """The start of a reply; names of headers in lower case, the first of equal names counts."""

    status: int
    headers: Mapping[str, str]


class Connection(asyncio.Protocol):
    """A connection, over the transport that it is given by `connection_made`."""

    __slots__ = (
        "_body",
        "_failure",
        "_framed",
        "_head_bytes",
        "_headers",
        "_loop",
        "_news",
        "_parser",
        "_spoilt",
        "_status",
        "_transport",
        "heard",
        "idle_since",
        "lost",
        "over",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.heard = False  # True once a byte of the present reply has come
        self.over = True  # True when the present reply is whole
        self.lost = False
        self.idle_since = 0.0
        self._loop = loop
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._headers: dict[str, str] = {}  # until they are handed out
        self._head_bytes = 0
        self._status = 0  # 0 until the whole head has come
        self._framed = False  # whether the body says where it ends
        self._body: list[bytes] = []
        self._failure: type[Exception] | None = None
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
        self._headers, self._head_bytes, self._status = {}, 0, 0
        self._body, self._failure = [], None
        self._transport.write(request)

    async def head(self) -> Head:
        """The status and the headers; to be called once. Raises Closed or NotHttp."""
        while not self._status:
            await self._more()
        headers, self._headers = self._headers, {}
        return Head(self._status, headers)

    async def read(self) -> bytes:
        """The bytes of the body that have come since the last call, at least one; b"" once it is
        over. Raises Closed or NotHttp, after what came before."""
        if not self._body and not self.over and isinstance(self._transport, Line):
            self._transport.look()
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

    def _more(self) -> asyncio.Future[None]:
        """Something to wait for until more has come. Raises what has ended the connection."""
        if self._failure is not None:
            raise self._failure
        if self.lost:
            raise Closed
        self._news = self._loop.create_future()
        self._transport.resume_reading()
        return self._news

    def _feed(self, data: bytes | memoryview) -> None:
        self.heard = True
        if not self._status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self.over:
                self._spoilt = True
            else:
                self._fail(Closed if self._status else NotHttp)
        if not self._status and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(NotHttp)

    def _ended(self) -> None:
        """The other side says nothing more: the end of a body that has no other end."""
        if self._status and not self._framed:
            self.over = self._spoilt = True
        elif not self.over:
            self._fail(Closed)

    def _fail(self, failure: type[Exception]) -> None:
        self._failure = self._failure or failure

    def _ring(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
        self._news = None

    # ── called by the event loop ──────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes | memoryview) -> None:
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
            self._fail(Closed)
        self._parser = _NONE  # the last one holds this: neither would go by itself
        self._ring()

    # ── called by the parser ──────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        self._spoilt = self._spoilt or self.over

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self._status:
            self._status = status
            self._framed = not self._headers.keys().isdisjoint(_FRAMES)

    def on_body(self, body: bytes) -> None:
        if not self.over:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._status:  # an interim reply: the real one follows
            self._headers = {}
            return
        self.over = True
        self._spoilt = self._spoilt or not self._parser.should_keep_alive()
