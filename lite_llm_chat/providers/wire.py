"""One HTTP exchange with a vendor, on the connections that all vendors share.

    Wire.post(endpoint, body) ─┬─▶ Reply.read ──▶ bytes ──▶ the dialect … Reply.close
    Wire.get(endpoint) ────────┘        │
        └───────────────────────────────┴── whatever goes wrong here leaves as UpstreamError

Four rules: no redirects, no proxy settings from the environment, no compression asked for, and
no timer over the whole answer (the engine times the silence between pieces; here only the
connection and the headers are timed).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import MappingProxyType
from urllib.parse import urlsplit

from ..errors import UpstreamError
from .frames import MAX_EVENT_BYTES
from .http1 import Closed, Connection, Head, NotHttp
from .pool import Origin, Pool
from .refusal import Refusal

MAX_ERROR_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 86_400.0

_COMPLAINT_S = 5.0
_CUT_S = 0.05  # a closed transport lets go of its socket a few turns of the loop later
_DRAIN_S = 0.025  # how long the end of an answer may wait for the end of its response
_PORTS = {"http": 80, "https": 443}
_BROKEN = (Closed, NotHttp, OSError)

Rest = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Endpoint:
    """One vendor's way in, made once. `who` names it in sentences, `explain` turns its refusals
    into errors; `secret` is its key, so that no quoted complaint can repeat it."""

    who: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    explain: Callable[[Refusal], UpstreamError]
    secret: str = field(default="", repr=False)

    @cached_property
    def way(self) -> tuple[Origin, bytes]:
        """Where to send a POST, and how it begins: all but its length. Raises as `way_of`."""
        return self.way_of("POST", "text/event-stream", {"content-type": "application/json"})

    def way_of(
        self, method: str, accept: str, more: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Origin, bytes]:
        """Where to send a request, and its head without the last line's end. Raises UpstreamError
        for a URL that is none, or for what no request can carry."""
        try:
            origin, host, target = _place(self.url)
        except (ValueError, KeyError) as error:
            raise _no_url(self.who) from error
        if "@" in urlsplit(self.url).netloc:
            raise _unreachable(
                f"the address of {self.who} holds a user's name, which is never sent: take it out,"
                " a key has a place of its own",
                False,
            )
        headers = {
            "host": host,
            **more,
            "accept": accept,
            "accept-encoding": "identity",
            "user-agent": "lite-llm-chat",
            **self.headers,
        }
        fields = (f"{name}: {value}" for name, value in headers.items())
        lines = [f"{method} {target} HTTP/1.1", *fields]
        if any(not line.isprintable() for line in lines):
            raise _unreachable(
                f"the address or the key of {self.who} holds a character that no request can"
                " carry: check them for line breaks",
                False,
            )
        return origin, "\r\n".join(lines).encode()


class Wire:
    """Sends one provider's requests over the shared connections. `rest` is awaited between two
    readings of an answer."""

    def __init__(self, pool: Pool, rest: Rest, *, headers_timeout_s: float) -> None:
        self.rest = rest
        self._pool = pool
        self._headers_timeout_s = headers_timeout_s
        self._open: dict[Connection, Origin] = {}
        self._waiting: set[asyncio.Timeout] = set()

    async def cut(self) -> None:
        """Close every connection that is still in use. Who reads from it gets an UpstreamError;
        when this returns, the other side has been told."""
        for connection in self._open:
            connection.close()
        for timer in self._waiting:
            timer.reschedule(0.0)
        await asyncio.sleep(_CUT_S)

    async def post(self, endpoint: Endpoint, body: bytes) -> Reply:
        """The reply to one POST of JSON, any status, as soon as its headers are there. Whoever
        asked closes it. Raises UpstreamError."""
        origin, start = endpoint.way
        request = b"%b\r\ncontent-length: %d\r\n\r\n%b" % (start, len(body), body)
        return await self._reply(endpoint.who, origin, request)

    async def get(self, endpoint: Endpoint) -> Reply:
        """The reply to one GET for JSON; as `post`."""
        origin, start = endpoint.way_of("GET", "application/json")
        return await self._reply(endpoint.who, origin, start + b"\r\n\r\n")

    def done(self, connection: Connection) -> None:
        """A reply is needed no more: its connection may serve again."""
        self._pool.keep(self._open.pop(connection), connection)

    async def _reply(self, who: str, origin: Origin, request: bytes) -> Reply:
        connection, head = await self._send(who, origin, request)
        self._open[connection] = origin
        try:
            return Reply(self, who, connection, head)
        except UpstreamError:  # it comes in an encoding that nobody asked for
            self.done(connection)
            raise

    async def _send(self, who: str, origin: Origin, request: bytes) -> tuple[Connection, Head]:
        try:
            async with asyncio.timeout(self._headers_timeout_s) as timer:
                self._waiting.add(timer)
                try:
                    return await self._exchange(who, origin, request)
                finally:
                    self._waiting.discard(timer)
        except TimeoutError as error:
            raise UpstreamError(
                f"{who} accepted the request but did not answer in time",
                code="upstream_timeout",
                status=504,
                retryable=True,
            ) from error

    async def _exchange(self, who: str, origin: Origin, request: bytes) -> tuple[Connection, Head]:
        """A kept connection may have been closed by the other side while it was idle; such a
        one is dropped and the request sent again, until a fresh connection is at work."""
        while (kept := self._pool.kept(origin)) is not None:
            try:
                return kept, await _asked(kept, request)
            except _BROKEN as error:
                if kept.heard:
                    raise _not_answered(who, error) from error
        try:
            fresh = await self._pool.connect(origin)
        except OSError as error:
            raise _not_reached(who, error) from error
        try:
            return fresh, await _asked(fresh, request)
        except _BROKEN as error:
            raise _not_answered(who, error) from error


async def _asked(connection: Connection, request: bytes) -> Head:
    """Send a request; the head of its reply. Whatever comes in between closes the connection."""
    answered = False
    try:
        connection.ask(request)
        head = await connection.head()
        answered = True
        return head
    finally:
        if not answered:
            connection.close()


def _place(address: str) -> tuple[Origin, str, str]:
    """What a URL says: where to connect, the Host header, the target. Raises ValueError or
    KeyError."""
    url = urlsplit(address)
    host = (url.hostname or "").encode("idna").decode()
    port = url.port or _PORTS[url.scheme]
    if not host:
        raise ValueError(address)
    shown = f"[{host}]" if ":" in host else host
    header = shown if port == _PORTS[url.scheme] else f"{shown}:{port}"
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Origin(host, port, url.scheme == "https"), header, target


class Reply:
    """The answer to one request, and its body as it arrives. `html` says whether it calls itself
    a web page, `retry_after_s` how long the vendor wants us to wait, if it said so. To be closed
    by its user."""

    __slots__ = ("_connection", "_inflate", "_who", "_wire", "html", "retry_after_s", "status")

    def __init__(self, wire: Wire, who: str, connection: Connection, head: Head) -> None:
        kind = head.headers.get("content-type", "").partition(";")[0]
        self.status = head.status
        self.html = kind.strip().lower() == "text/html"
        self.retry_after_s = retry_after_s(head.headers, datetime.now(UTC))
        self._wire = wire
        self._who = who
        self._connection = connection
        self._inflate = _inflater(who, head.headers.get("content-encoding", ""))

    def close(self) -> None:
        """Before the body was read to its end this closes the connection: that is how a vendor
        learns that nobody listens any more. After it the connection may serve again."""
        self._wire.done(self._connection)

    async def read(self) -> bytes:
        """The bytes that have come since the last call, at least one; b"" at the end of the
        body. Raises UpstreamError `upstream_truncated` if the connection broke before."""
        while True:
            try:
                data = await self._connection.read()
            except _BROKEN as error:
                raise truncated(self._who) from error
            if not data or self._inflate is None:
                return data
            if plain := self._inflate(data):
                return plain

    async def more(self) -> bytes:
        """As `read`, after a rest in which the socket is left alone: who comes once a tick pays
        for one reading of all that has come, not for one a token, and what it does not take stays
        with the vendor."""
        if not self._connection.over:
            await self._wire.rest()
        return await self.read()

    async def complaint(self) -> bytes:
        """What an error reply says: at most `MAX_ERROR_BYTES`, and only what comes within a few
        seconds. Never raises: half a complaint is better than none."""
        parts: list[bytes] = []
        left = MAX_ERROR_BYTES
        try:
            async with asyncio.timeout(_COMPLAINT_S):
                while left > 0 and (data := await self.read()):
                    parts.append(data[:left])
                    left -= len(data)
        except (TimeoutError, UpstreamError):
            pass
        return b"".join(parts)

    async def settle(self) -> None:
        """Take the end of the body off the line if it comes within an instant, so that the
        connection can serve the next request. What it says does not matter any more."""
        if self._connection.over:
            return
        try:
            async with asyncio.timeout(_DRAIN_S):
                while await self._connection.read():
                    pass
        except (TimeoutError, *_BROKEN):
            return


def truncated(who: str) -> UpstreamError:
    """The error of an answer that stopped before its vendor said that it was over."""
    return UpstreamError(
        f"{who} broke off in the middle of the answer: retry or continue it",
        code="upstream_truncated",
        retryable=True,
    )


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by `retry-after-ms`, or by `retry-after` as a number or as an HTTP date;
    None if there is no such header or it makes no sense. Never negative, at most a day."""
    if (wait_ms := _number(headers.get("retry-after-ms", ""))) is not None:
        return min(wait_ms / 1000, MAX_RETRY_AFTER_S)
    wish = headers.get("retry-after", "")
    if not wish:
        return None
    if (wait_s := _number(wish)) is not None:
        return min(wait_s, MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(wish)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), MAX_RETRY_AFTER_S)


def _number(text: str) -> float | None:
    plain = text and re.fullmatch(r"\s*\d{1,15}(\.\d{1,9})?\s*", text, re.ASCII)
    return float(text) if plain else None


def _inflater(who: str, encoding: str) -> Callable[[bytes], bytes] | None:
    """None for a plain body. We ask for no compression; a gateway may still do it."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UpstreamError(
            f"{who} answered in an encoding that was not asked for; a gateway in between"
            " has to pass the stream as it is",
            code="upstream_garbage",
        )
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def inflate(data: bytes) -> bytes:
        try:
            plain = stream.decompress(data, MAX_EVENT_BYTES)
        except zlib.error as error:
            raise truncated(who) from error
        if stream.unconsumed_tail:
            raise UpstreamError(
                f"{who} sent a compressed answer that grows without bound",
                code="upstream_garbage",
            )
        return plain

    return inflate


def _not_reached(who: str, error: OSError) -> UpstreamError:
    """Why there is no connection, as a sentence. The system's own words carry addresses: not
    shown."""
    match error:
        case TimeoutError():
            return _unreachable(f"{who} did not accept a connection in time")
        case ssl.SSLError():
            return _unreachable(
                f"{who} could not prove who it is (TLS): check its base URL, the clock and the"
                " certificates of this machine",
                False,
            )
        case socket.gaierror():
            return _unreachable(f"the host of {who} was not found: check its base URL and DNS")
    return _unreachable(f"{who} cannot be reached: check its base URL and the network")


def _not_answered(who: str, error: Exception) -> UpstreamError:
    """Why no headers came over a connection."""
    if isinstance(error, NotHttp):
        return UpstreamError(
            f"{who} did not answer in HTTP: check its base URL",
            code="upstream_garbage",
            retryable=True,
        )
    return _unreachable(f"{who} closed the connection before it answered")


def _no_url(who: str) -> UpstreamError:
    return _unreachable(f"the address of {who} is not a URL: check its base URL", False)


def _unreachable(detail: str, retryable: bool = True) -> UpstreamError:
    return UpstreamError(detail, code="upstream_unreachable", retryable=retryable)
