"""How the database's threads have something done on the event loop.

    any thread: call(function, …) ─▶ queue ─▶ one byte on a socket ─▶ event loop: all that waits

As the loop's own `call_soon_threadsafe`, in the order of the calls, but cheaper: a turn of the loop
finds the byte and does the work itself, where the loop's own way first notes it for its turn and
then reads its socket until there is nothing more.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Made on the event loop that it rings; `close` last, when nobody calls any more."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        self._loop.add_reader(self._ours.fileno(), self._rung)

    def call(self, function: Callable[..., object], *values: object) -> None:
        """Have it called soon; from any thread."""
        self._calls.append((function, values))
        with suppress(BlockingIOError):  # full of bytes that nobody has seen yet
            self._theirs.send(b"\0")

    def close(self) -> None:
        """Do what still waits, and listen no more."""
        self._loop.remove_reader(self._ours.fileno())
        self._do()
        self._ours.close()
        self._theirs.close()

    def _rung(self) -> None:
        with suppress(BlockingIOError):
            self._ours.recv(4096)
        self._do()

    def _do(self) -> None:
        done = False
        try:
            while self._calls:
                function, values = self._calls.popleft()
                function(*values)
            done = True
        finally:
            if not done:  # a defect is the loop's to tell, and costs nobody else a call
                self._loop.call_soon(self._do)
