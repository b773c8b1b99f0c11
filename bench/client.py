"""The load client: raw connections that count every token and take its time.

    Connection.ask(request, sink) ──▶ head, body without its chunks ──▶ sink.feed(bytes)
    Whole: keeps a body · Tokens: SSE ─▶ text ─▶ records: number in order? how old?

It has to be cheap, so it speaks just enough HTTP/1.1 for the three servers it measures. A token
that is missing, doubled, out of order or altered raises Failed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from .upstream import RECORD_CHARS


class Failed(Exception):
    """A stream that was measured was not whole; its figures mean nothing."""


class Sink(Protocol):
    """Where a body goes."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""


class Whole:
    """Keeps a body as it is."""

    def __init__(self) -> None:
        self.body = b""

    def feed(self, data: bytes) -> None:
        self.body += data


# ── two dialects ──────────────────────────────────────────────────────────────────────────────


class Frame(msgspec.Struct):
    """A frame of the product's stream."""

    content: str = ""
    done: bool = False
    error: str | None = None


class Delta(msgspec.Struct):
    """The part of a vendor's chunk that holds text."""

    content: str | None = None


class Choice(msgspec.Struct):
    """The one choice of a vendor's chunk."""

    delta: Delta


class Chunk(msgspec.Struct):
    """A chunk of the vendor's stream."""

    choices: list[Choice]


_frame = msgspec.json.Decoder(Frame)
_chunk = msgspec.json.Decoder(Chunk)
Dialect = Callable[[bytes], str | None]


def products(data: bytes) -> str | None:
    """The text of a frame of ours; None is the end."""
    frame = _frame.decode(data)
    if frame.error is not None:
        raise Failed(f"the product said: {frame.error}")
    return None if frame.done else frame.content


def vendors(data: bytes) -> str | None:
    """The text of a vendor's chunk; None is the end."""
    if data == b"[DONE]":
        return None
    return _chunk.decode(data).choices[0].delta.content or ""


class Tokens:
    """Counts the tokens of one stream. `ages_us` has, per token, the time from its sending to
    its arrival; `first_at` is the moment of the first one, on the monotonic clock."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._bytes = b""
        self._text = ""
        self.ages_us: list[int] = []
        self.first_at = 0.0
        self.ended = False

    def feed(self, data: bytes) -> None:
        now_us = time.monotonic_ns() // 1000
        *blocks, self._bytes = (self._bytes + data).split(b"\n\n")
        for block in blocks:
            if not block.startswith(b"data: "):
                continue
            text = self._dialect(block[6:])
            if text is None:
                self.ended = True
            elif text:
                self._read(text, now_us)

    def check(self, count: int) -> None:
        """Raise Failed unless exactly that many tokens came, then the end."""
        if not self.ended or len(self.ages_us) != count or self._text:
            raise Failed(f"{len(self.ages_us)} of {count} tokens came, end seen: {self.ended}")

    def _read(self, text: str, now_us: int) -> None:
        if not self.ages_us:
            self.first_at = time.monotonic()
        text = self._text + text
        whole = len(text) - len(text) % RECORD_CHARS
        for at in range(0, whole, RECORD_CHARS):
            if int(text[at : at + 5]) != len(self.ages_us) % 100_000:
                raise Failed(f"token {len(self.ages_us)} reads {text[at : at + RECORD_CHARS]!r}")
            self.ages_us.append(now_us - int(text[at + 6 : at + 20]))
        self._text = text[whole:]


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────


class Connection(asyncio.Protocol):
    """One kept connection to a server."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[int] | None = None
        self._sink: Sink
        self._bytes = b""
        self._status = 0
        self._left: int | None = None  # bytes of a body with a length; None: it comes in chunks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, sink: Sink) -> asyncio.Future[int]:
        """Send a request; the future is its status, once the body is whole."""
        self._answer = asyncio.get_running_loop().create_future()
        self._sink, self._status, self._bytes = sink, 0, b""
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("closed before the answer was whole"))

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        try:
            if self._status or self._head():
                self._body()
        except (Failed, ValueError, msgspec.MsgspecError) as cause:
            self._end(Failed(str(cause)))

    def _head(self) -> bool:
        head, found, rest = self._bytes.partition(b"\r\n\r\n")
        if not found:
            return False
        lines = head.lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:])
        self._status = int(lines[0].split(b" ")[1])
        length = headers.get(b"content-length")
        self._left = int(length) if length is not None else None
        self._bytes = rest
        return True

    def _body(self) -> None:
        if self._left is None:
            self._chunks()
            return
        self._sink.feed(self._bytes)
        self._left -= len(self._bytes)
        self._bytes = b""
        if self._left <= 0:
            self._end(None)

    def _chunks(self) -> None:
        data, at = self._bytes, 0
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line], 16)
            begin = line + 2
            if len(data) < begin + size + 2:
                break
            at = begin + size + 2
            if not size:
                self._end(None)
                break
            self._sink.feed(data[begin : begin + size])
        self._bytes = data[at:]

    def _end(self, failure: Exception | None) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if failure is None:
            answer.set_result(self._status)
        else:
            answer.set_exception(failure)


async def connect(port: int) -> Connection:
    """A connection to a loopback port."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


def post(path: str, body: object) -> bytes:
    """A POST request with a JSON body."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
