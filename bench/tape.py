"""What a stream said and when, kept as it came and read when the measuring is over.

    Tape.ask(request) ──▶ (moment, bytes) (moment, bytes) …      while the clock runs
    Tape.read(tokens) ──▶ Answer ──▶ Tokens                      afterwards, nothing is left out

    Reel: one thread that takes what comes to any tape, at once

With many streams the load client must do next to nothing for a piece: reading it at once costs
several times the taking, by a transport of the event loop twice, and a busy client measures itself.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Self

import msgspec

from .client import Answer, Failed, Tokens

GOOD = b"HTTP/1.1 200 "
END = b"0\r\n\r\n"  # of a body in chunks; nothing that the servers here stream looks like it


class Tape:
    """A connection that is asked once or one question after the other, and remembers the last."""

    def __init__(self, plain: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._plain = plain
        self._loop = loop
        self._asked: asyncio.Future[None] | None = None
        self._moments_ns: list[int] = []
        self._pieces: list[bytes] = []

    def ask(self, request: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done when the answer has ended."""
        self._asked = self._loop.create_future()
        self._moments_ns, self._pieces = [], []
        if self._plain.send(request) != len(request):
            self._end(Failed("the server did not take a whole request at once"))
        return self._asked

    def close(self) -> None:
        self._plain.close()

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

    def take(self, buffer: memoryview) -> bool:
        """What has come; whether more can. Called by the reel's thread. What comes is copied out
        of one buffer for all: a fresh one for each piece costs ten times the copy."""
        try:
            size = self._plain.recv_into(buffer)
        except OSError as cause:
            self._tell(cause)
            return False
        if not size:
            self._tell(ConnectionResetError("closed before the answer was whole"))
            return False
        self._moments_ns.append(time.monotonic_ns())
        data = bytes(buffer[:size])
        self._pieces.append(data)
        if len(self._pieces) == 1 and not data.startswith(GOOD[:size]):
            self._tell(Failed(f"answered {data.splitlines()[0].decode(errors='replace')}"))
        elif data.endswith(END) or size < len(END):
            self._look_for_the_end()
        return True

    def _look_for_the_end(self) -> None:
        if b"".join(self._pieces[-len(END) :]).endswith(END):
            self._tell(None)

    def _tell(self, failure: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._end, failure)

    def _end(self, failure: Exception | None) -> None:
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return
        if failure is None:
            asked.set_result(None)
        else:
            asked.set_exception(failure)


class Reel:
    """Opens tapes and reads them, in a thread, until its block is left; then they are closed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tapes: dict[int, Tape] = {}
        self._ready = select.epoll()
        self._bell = os.eventfd(0)
        self._ready.register(self._bell, select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, name="reel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._bell, 1)
        self._thread.join()
        for tape in self._tapes.values():
            tape.close()
        self._ready.close()
        os.close(self._bell)

    async def roll(self, port: int) -> Tape:
        """A connection to a loopback port that is recorded."""
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tape = self._tapes[plain.fileno()] = Tape(plain, self._loop)
        await self._loop.sock_connect(plain, ("127.0.0.1", port))
        self._ready.register(plain, select.EPOLLIN)
        return tape

    def _serve(self) -> None:
        buffer = memoryview(bytearray(1 << 16))
        while True:
            for file, _ in self._ready.poll():
                if file == self._bell:
                    return
                if not self._tapes[file].take(buffer):
                    with suppress(OSError):
                        self._ready.unregister(file)
