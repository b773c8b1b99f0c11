"""A cheap vendor for measuring: it streams as many tokens as it is asked for, at the asked rate.

    "… count=500 rate=50 chars=21" in the question ─▶ 500 chunks, each its own write, one every
    20 ms, with "apart" behind it at moments of its own; each chunk's text is one record: its
    number and the microsecond at which it was sent, or, of 4 characters, the number alone

Rate 0 means: as fast as the connection takes it. The path says whose dialect it is
(shapes.py); DeepSeek's, where it says nothing. It answers nothing else and checks nothing: the
stand-in under standins/ is the one that behaves like the vendor; this one must cost little, since
it shares a core with the load client. `python -m bench.upstream PORT` serves until it is ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import cycle
from queue import Empty, SimpleQueue

from .shapes import Shape, shape_at

RECORD_CHARS = 21
SHORT_CHARS = 4
ORDER = re.compile(rb"count=(\d+) rate=(\d+)(?: chars=(\d+))?( apart)?")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
BURST = 64  # tokens of one write at rate 0
GRAIN_S = 0.001
GOLDEN = 0.618034  # multiples of it are spread evenly, however many there are
_PR_SET_TIMERSLACK = 29


def record(number: int, chars: int) -> bytes:
    """What one token says: number, colon, microseconds of the monotonic clock, blank; or, where
    that is too long, the number's last three digits and a blank."""
    if chars == SHORT_CHARS:
        return b"%03d " % (number % 1000)
    return b"%05d:%014d " % (number % 100_000, time.monotonic_ns() // 1000)


def chunk(payload: bytes) -> bytes:
    """The payload as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(payload), payload)


class Speech:
    """A paced answer: its tokens after the first, each at its own moment. The second one's is up
    to a token's time later than it would be: no two streams keep the same step for long."""

    def __init__(self, plain: socket.socket, pace: Pace, phase: float) -> None:
        self._plain = plain
        self._pace = pace
        self._begun = time.monotonic() + phase / pace.rate
        self._sent = 1
        self._unsent = b""

    @property
    def apart(self) -> bool:
        """Whether it keeps to its moments."""
        return self._pace.apart

    @property
    def due(self) -> float:
        """When it speaks next, by the monotonic clock."""
        return self._begun + self._sent / self._pace.rate

    def speak(self) -> bool:
        """Send one token, and what was not taken before; whether there is more to send."""
        pace, data = self._pace, self._unsent
        if self._sent < pace.count:
            data += pace.said(self._sent, 1)
            self._sent += 1
        try:
            self._unsent = data[self._plain.send(data) :]
        except BlockingIOError:
            self._unsent = data
        except OSError:  # nobody listens any more
            return False
        return self._sent < pace.count or bool(self._unsent)

    def close(self) -> None:
        self._plain.close()


class Pacer:
    """Has every paced stream speak at its moments, those that are not `apart` within a millisecond.
    It is a thread, because an event loop's timers have that grain: twenty streams would speak at
    once, and who relays them be woken once for all twenty. Vendors do not agree on their moments,
    but to be woken for each token costs this process its core."""

    def __init__(self) -> None:
        self._new: SimpleQueue[Speech] = SimpleQueue()
        self._turns: list[tuple[float, int, Speech]] = []  # a heap; the number breaks ties
        self._number = 0
        threading.Thread(target=self._serve, name="pacer", daemon=True).start()

    def add(self, speech: Speech) -> None:
        """From now on it speaks by itself."""
        self._new.put(speech)

    def _serve(self) -> None:
        _wake_in_time()
        while True:
            wait_s = self._turns[0][0] - time.monotonic() if self._turns else None
            if wait_s is None or wait_s > 0:
                if wait_s is not None and not self._turns[0][2].apart:
                    wait_s = max(wait_s, GRAIN_S)
                with suppress(Empty):
                    self._take(self._new.get(timeout=wait_s))
                continue
            _, number, speech = self._turns[0]
            if speech.speak():
                heapreplace(self._turns, (speech.due, number, speech))
            else:
                heappop(self._turns)
                speech.close()

    def _take(self, speech: Speech) -> None:
        self._number += 1
        heappush(self._turns, (speech.due, self._number, speech))


def _wake_in_time() -> None:
    """Have this thread woken at the moment that it asks for, and not 50 µs later."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is to be said: how many tokens, how many a second, of how many characters, in whose
    dialect, and whether at moments of its own."""

    count: int
    rate: int
    chars: int
    shape: Shape
    apart: bool = False

    def said(self, first: int, more: int) -> bytes:
        """Some tokens, and the end behind the last one."""
        event, chars = self.shape.event, self.chars
        events = (event(record(number, chars), number) for number in range(first, first + more))
        data = b"".join(map(chunk, events))
        if first + more >= self.count:
            data += chunk(self.shape.last(self.count)) + b"0\r\n\r\n"
        return data


class Connection(asyncio.Protocol):
    """One kept connection; it answers one request after the other."""

    _phases = cycle((number * GOLDEN) % 1 for number in range(1000))

    def __init__(self, pacer: Pacer) -> None:
        self._loop = asyncio.get_running_loop()
        self._pacer = pacer
        self._received = b""
        self._pace: Pace
        self._sent = 0
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
        count, rate, chars, apart = order.groups() if order else (1, 0, None, None)
        shape = shape_at(head.split(b" ", 2)[1])
        chars = int(chars or RECORD_CHARS)
        pace = self._pace = Pace(int(count), int(rate), chars, shape, apart is not None)
        self._transport.write(shape.head + (chunk(shape.first) if shape.first else b""))
        if pace.rate:
            self._transport.write(pace.said(0, 1))
            if pace.count > 1:
                plain = self._transport.get_extra_info("socket").dup()
                self._pacer.add(Speech(plain, pace, next(self._phases)))
        else:
            self._sent = 0
            self._pour()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if not self._pace.rate and self._sent < self._pace.count:
            self._pour()

    def _pour(self) -> None:
        if self._transport.is_closing():
            return
        more = min(BURST, self._pace.count - self._sent)
        self._transport.write(self._pace.said(self._sent, more))
        self._sent += more
        if self._sent < self._pace.count and not self._paused:
            self._loop.call_soon(self._pour)


async def serve(port: int) -> None:
    """Serve on a loopback port until cancelled."""
    loop = asyncio.get_running_loop()
    pacer = Pacer()
    server = await loop.create_server(lambda: Connection(pacer), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
