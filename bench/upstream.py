"""A cheap vendor for measuring: it streams as many tokens as it is asked for, at the asked rate.

    "… count=500 rate=50 chars=21" in the question ─▶ 500 chunks, each its own write, one every
    20 ms; each chunk's text is one record: its number and the microsecond at which it was
    sent, or, of 4 characters, the number alone

Rate 0 means: as fast as the connection takes it. The path says whose dialect it is
(shapes.py); DeepSeek's, where it says nothing. It answers nothing else and checks nothing: the
stand-in under standins/ is the one that behaves like the vendor; this one must cost little, since
it shares a core with the load client. `python -m bench.upstream PORT` serves until it is ended.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from heapq import heappop, heappush, heapreplace

from .shapes import ALIKE, shape_at

RECORD_CHARS = 21
SHORT_CHARS = 4
ORDER = re.compile(rb"count=(\d+) rate=(\d+)(?: chars=(\d+))?")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
BURST = 64  # tokens of one write at rate 0


def record(number: int, chars: int) -> bytes:
    """What one token says: number, colon, microseconds of the monotonic clock, blank; or, where
    that is too long, the number's last three digits and a blank."""
    if chars == SHORT_CHARS:
        return b"%03d " % (number % 1000)
    return b"%05d:%014d " % (number % 100_000, time.monotonic_ns() // 1000)


def chunk(payload: bytes) -> bytes:
    """The payload as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(payload), payload)


class Pacer:
    """Gives every paced stream its turn: one timer for all of them, since one each costs more
    than the tokens."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._turns: list[tuple[float, int, Connection]] = []  # a heap; the number breaks ties
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, at: float, stream: Connection) -> None:
        """Let the stream speak from that moment of the loop's clock on."""
        self._next += 1
        heappush(self._turns, (at, self._next, stream))
        self._set()

    def _run(self) -> None:
        now, turns = self._loop.time(), self._turns
        while turns and turns[0][0] <= now:
            _, number, stream = turns[0]
            again = stream.speak()
            if again is None:
                heappop(turns)
            else:
                heapreplace(turns, (again, number, stream))
        self._set()

    def _set(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._turns[0][0], self._run) if self._turns else None


class Connection(asyncio.Protocol):
    """One kept connection; it answers one request after the other."""

    def __init__(self, pacer: Pacer) -> None:
        self._loop = asyncio.get_running_loop()
        self._pacer = pacer
        self._received = b""
        self._sent = self._count = self._rate = 0
        self._chars = RECORD_CHARS
        self._shape = ALIKE
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
        count, rate, chars = order.groups() if order else (1, 0, None)
        self._count, self._rate, self._chars = int(count), int(rate), int(chars or RECORD_CHARS)
        self._sent = 0
        self._begun = self._loop.time()
        self._shape = shape_at(head.split(b" ", 2)[1])
        self._transport.write(self._shape.head)
        if self._shape.first:
            self._transport.write(chunk(self._shape.first))
        if self._rate:
            self._pacer.add(self._begun, self)
        else:
            self._pour()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if not self._rate and self._sent < self._count:
            self._pour()

    def speak(self) -> float | None:
        """Send one token; when the next one is due, None if there is none."""
        if self._transport.is_closing():
            return None
        self._send(1)
        return None if self._sent == self._count else self._begun + self._sent / self._rate

    def _pour(self) -> None:
        if self._transport.is_closing():
            return
        self._send(min(BURST, self._count - self._sent))
        if self._sent < self._count and not self._paused:
            self._loop.call_soon(self._pour)

    def _send(self, more: int) -> None:
        numbers = range(self._sent, self._sent + more)
        event, chars = self._shape.event, self._chars
        events = (event(record(number, chars), number) for number in numbers)
        self._transport.write(b"".join(map(chunk, events)))
        self._sent += more
        if self._sent == self._count:
            self._transport.write(chunk(self._shape.last(self._count)) + b"0\r\n\r\n")


async def serve(port: int) -> None:
    """Serve on a loopback port until cancelled."""
    loop = asyncio.get_running_loop()
    pacer = Pacer()
    server = await loop.create_server(lambda: Connection(pacer), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
