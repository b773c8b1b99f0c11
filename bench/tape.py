"""What a stream said and when, kept as it came and read when the measuring is over.

    Tape.ask(request) ──▶ (moment, bytes) (moment, bytes) …      while the clock runs
    Tape.read(tokens) ──▶ Answer ──▶ Tokens                      afterwards, nothing is left out

With many streams the load client must do next to nothing for a piece: reading it at once costs
several times the taking, and a client that is busy measures itself.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from .client import Answer, Failed, Tokens

GOOD = b"HTTP/1.1 200 "
END = b"0\r\n\r\n"  # of a body in chunks; nothing that the servers here stream looks like it


class Tape(asyncio.BufferedProtocol):
    """A connection that is asked once or one question after the other, and remembers the last.
    What comes is copied out of one buffer for all: a fresh one for each piece costs ten times the
    copy. A `patient` one reads once, and again after `resume`."""

    _buffer = memoryview(bytearray(1 << 16))

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient
        self._transport: asyncio.Transport
        self._asked: asyncio.Future[None] | None = None
        self._moments_ns: list[int] = []
        self._pieces: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done when the answer has ended."""
        self._asked = asyncio.get_running_loop().create_future()
        self._moments_ns, self._pieces = [], []
        self._transport.write(request)
        return self._asked

    def close(self) -> None:
        self._transport.close()

    def resume(self) -> None:
        """Read once more."""
        self._transport.resume_reading()

    @property
    def size_bytes(self) -> int:
        """All that came from the server: head, frames, the lengths of the chunks."""
        return sum(map(len, self._pieces))

    def read(self, tokens: Tokens) -> None:
        """Let a reader have it all, at the moments when it came. Raises Failed."""
        answer = Answer(tokens)
        try:
            for moment_ns, piece in zip(self._moments_ns, self._pieces, strict=True):
                tokens.now_us = moment_ns // 1000
                answer.feed(piece)
        except (ValueError, msgspec.MsgspecError) as cause:
            raise Failed(str(cause)) from cause

    def get_buffer(self, _: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size_bytes: int) -> None:
        self._moments_ns.append(time.monotonic_ns())
        data = bytes(self._buffer[:size_bytes])
        self._pieces.append(data)
        if len(self._pieces) == 1 and not data.startswith(GOOD[:size_bytes]):
            self._end(Failed(f"answered {data.splitlines()[0].decode(errors='replace')}"))
        elif data.endswith(END) or size_bytes < len(END):
            self._look_for_the_end()
        if self._patient:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("closed before the answer was whole"))

    def _look_for_the_end(self) -> None:
        if b"".join(self._pieces[-len(END) :]).endswith(END):
            self._end(None)

    def _end(self, failure: Exception | None) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return
        if failure is None:
            asked.set_result(None)
        else:
            asked.set_exception(failure)


async def roll(port: int, *, patient: bool = False) -> Tape:
    """A connection to a loopback port that is recorded."""
    loop = asyncio.get_running_loop()
    _, tape = await loop.create_connection(lambda: Tape(patient=patient), "127.0.0.1", port)
    return tape
