"""The load client: raw connections that count every token and take its time.

    Connection.ask(request, sink) ──▶ Answer: head, body without its chunks ──▶ sink.feed(bytes)
    Whole: keeps a body · Tokens: SSE ─▶ text ─▶ records: number in order? how old?

It has to be cheap, so it speaks just enough HTTP/1.1 for the servers it measures. A token that is
missing, doubled, out of order or altered raises Failed. Where many streams run at once they are
kept on a tape (tape.py) and read by the same Answer and Tokens afterwards.
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
    """Counts the tokens of one stream, each a record of `chars` characters. `ages_us` has, per
    token, the time from its sending to its arrival (none for short records, which carry no time);
    `first_at` is the moment of the first one, on the monotonic clock. `now_us` is set where a tape
    is replayed; None means the clock."""

    def __init__(self, dialect: Dialect, chars: int = RECORD_CHARS) -> None:
        self._dialect = dialect
        self._chars = chars
        self._bytes = b""
        self._text = ""
        self.count = 0
        self.ages_us: list[int] = []
        self.first_at = 0.0
        self.ended = False
        self.now_us: int | None = None

    def feed(self, data: bytes) -> None:
        now_us = self.now_us or time.monotonic_ns() // 1000
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
        if not self.ended or self.count != count or self._text:
            raise Failed(f"{self.count} of {count} tokens came, end seen: {self.ended}")

    def _read(self, text: str, now_us: int) -> None:
        if not self.count:
            self.first_at = now_us / 1e6
        text = self._text + text
        whole = len(text) - len(text) % self._chars
        for at in range(0, whole, self._chars):
            self._count(text[at : at + self._chars], now_us)
        self._text = text[whole:]

    def _count(self, record: str, now_us: int) -> None:
        number, _, sent_us = record.rstrip().partition(":")
        if int(number) != self.count % 10 ** len(number):
            raise Failed(f"token {self.count} reads {record!r}")
        self.count += 1
        if sent_us:
            self.ages_us.append(now_us - int(sent_us))


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────


class Answer:
    """Reads one HTTP answer: `status` and `headers` (names in lower case) once its head is there,
    the body into the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._bytes = b""
        self._left: int | None = None  # bytes of a body with a length; None: it comes in chunks
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.whole = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises Failed, ValueError or MsgspecError for what nobody asked."""
        self._bytes += data
        if self.status or self._head():
            self._body()

    def _head(self) -> bool:
        head, found, rest = self._bytes.partition(b"\r\n\r\n")
        if not found:
            return False
        lines = head.lower().split(b"\r\n")
        self.headers = dict(line.split(b": ", 1) for line in lines[1:])
        self.status = int(lines[0].split(b" ")[1])
        length = self.headers.get(b"content-length")
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
        self.whole = self._left <= 0

    def _chunks(self) -> None:
        data, at = self._bytes, 0
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line], 16)
            begin = line + 2
            if len(data) < begin + size + 2:
                break
            at = begin + size + 2
            if not size:
                self.whole = True
                break
            self._sink.feed(data[begin : begin + size])
        self._bytes = data[at:]


class Connection(asyncio.Protocol):
    """One kept connection to a server; what comes is read at once. `answer` is the last one."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._asked: asyncio.Future[int] | None = None
        self.answer: Answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes, sink: Sink) -> asyncio.Future[int]:
        """Send a request; the future is its status, once the body is whole."""
        self._asked = asyncio.get_running_loop().create_future()
        self.answer = Answer(sink)
        self._transport.write(request)
        return self._asked

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("closed before the answer was whole"))

    def data_received(self, data: bytes) -> None:
        try:
            self.answer.feed(data)
        except (Failed, ValueError, msgspec.MsgspecError) as cause:
            self._end(Failed(str(cause)))
            return
        if self.answer.whole:
            self._end(None)

    def _end(self, failure: Exception | None) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return
        if failure is None:
            asked.set_result(self.answer.status)
        else:
            asked.set_exception(failure)


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
