"""A cheap DeepSeek for measuring: it streams as many tokens as it is asked for, at the asked rate.

    "… count=500 rate=50 …" in the question ──▶ 500 chunks, one every 20 ms, each its own write
    each chunk's text is one Record: its number and the microsecond at which it was sent

Rate 0 means: as fast as the connection takes it. It answers nothing else and checks nothing: the
stand-in under standins/ is the one that behaves like the vendor; this one must cost little, since
it shares a core with the load client. `python -m bench.upstream PORT` serves until it is ended.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time

RECORD_CHARS = 21
ORDER = re.compile(rb"count=(\d+) rate=(\d+)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
BURST = 64  # tokens of one write at rate 0

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
EVENT = (
    b'data: {"id":"bench-0001","object":"chat.completion.chunk","created":1767225600,'
    b'"model":"deepseek-flash","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":"%s"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
)
LAST = (
    b'data: {"id":"bench-0001","object":"chat.completion.chunk","created":1767225600,'
    b'"model":"deepseek-flash","system_fingerprint":"fp_bench","choices":[{"index":0,'
    b'"delta":{"content":""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":%d,"total_tokens":%d,"prompt_cache_hit_tokens":0,'
    b'"prompt_cache_miss_tokens":9}}\n\ndata: [DONE]\n\n'
)


def record(number: int) -> bytes:
    """What one token says: number, colon, microseconds of the monotonic clock, blank."""
    return b"%05d:%014d " % (number, time.monotonic_ns() // 1000)


def chunk(payload: bytes) -> bytes:
    """The payload as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(payload), payload)


class Connection(asyncio.Protocol):
    """One kept connection; it answers one request after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._sent = self._count = self._rate = 0
        self._begun = 0.0
        self._paused = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        self._received = b""
        order = ORDER.search(body)
        self._count, self._rate = (int(order[1]), int(order[2])) if order else (1, 0)
        self._sent = 0
        self._begun = self._loop.time()
        self._transport.write(HEAD)
        self._next()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if not self._rate and self._sent < self._count:
            self._next()

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        more = 1 if self._rate else min(BURST, self._count - self._sent)
        numbers = range(self._sent, self._sent + more)
        self._transport.write(b"".join(chunk(EVENT % record(number)) for number in numbers))
        self._sent += more
        if self._sent == self._count:
            self._transport.write(chunk(LAST % (self._count, self._count + 9)) + b"0\r\n\r\n")
        elif self._rate:
            self._loop.call_at(self._begun + self._sent / self._rate, self._next)
        elif not self._paused:
            self._loop.call_soon(self._next)


async def serve(port: int) -> None:
    """Serve on a loopback port until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
