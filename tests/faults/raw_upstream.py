"""A vendor made of bytes: it does to a connection what a script says, and notes every call.

    request ─▶ "run 17" in it ─▶ scripts["17"](number of the call) ─▶ Send Pause Repeat End
                                       └ the client leaves at any time: `Call.closed`

No request is answered twice on one connection, so every call has a socket of its own. Two more
addresses need no script: one that refuses, and one whose queue is full for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

RUN = re.compile(rb"run ([\w-]+)")
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
TLS_HELLO = b"\x16"
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes, in one write for each part."""

    parts: tuple[bytes, ...]
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same bytes again and again, until the client leaves or so many times."""

    data: bytes
    every_s: float = 0.0
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """Close the connection, or reset it."""

    how: Literal["eof", "rst"]


Step = Send | Repeat | Pause | End
Script = Callable[[int], Sequence[Step]]


@dataclass(eq=False)
class Call:
    """One request, and whether its connection is over."""

    run: str
    path: bytes
    at: float = field(default_factory=time.monotonic)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class RawUpstream:
    """The server. A test fills `scripts`; a TLS handshake is the run in `handshakes`."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.calls: list[Call] = []
        self.handshakes = ""  # the run that a TLS handshake belongs to
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def of(self, run: str) -> list[Call]:
        """The calls of a run."""
        return [call for call in self.calls if call.run == run]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if (call := await self._request(reader)) is not None:
                self.calls.append(call)
                script = self.scripts[call.run](len(self.of(call.run)))
                await _until_either(_play(script, writer), _left(reader))
                call.closed.set()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> Call | None:
        """The next request, or a TLS hello; None if the client left before."""
        try:
            if (first := await reader.readexactly(1)) == TLS_HELLO:
                return Call(self.handshakes, b"")
            head = first + await reader.readuntil(b"\r\n\r\n")
            size = LENGTH.search(head)
            body = await reader.readexactly(int(size[1])) if size else b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        named = RUN.search(body)
        return Call(named[1].decode() if named else "", head.split(b" ")[1])


async def _until_either(play: Awaitable[bool], left: Awaitable[None]) -> None:
    """Play the script; then, or in the middle, wait for the client's leaving."""
    playing, leaving = asyncio.ensure_future(play), asyncio.ensure_future(left)
    await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(ConnectionError):
        if leaving.done() or not await playing:
            await leaving
    for task in (playing, leaving):
        task.cancel()
    await asyncio.wait({playing, leaving})


async def _left(reader: asyncio.StreamReader) -> None:
    """Return once the client is gone."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(1 << 16):
            pass


async def _play(script: Sequence[Step], writer: asyncio.StreamWriter) -> bool:
    """Whether the script closed the connection itself."""
    for step in script:
        match step:
            case Send():
                for part in step.parts:
                    await _put(writer, part, step.every_s)
            case Repeat():
                sent = 0
                while step.times is None or sent < step.times:
                    await _put(writer, step.data, step.every_s)
                    sent += 1
            case Pause():
                await asyncio.sleep(step.seconds)
            case End():
                _end(writer, step.how)
                return True
    return False


async def _put(writer: asyncio.StreamWriter, data: bytes, pause_s: float) -> None:
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(pause_s)


def _end(writer: asyncio.StreamWriter, how: Literal["eof", "rst"]) -> None:
    if how == "rst":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        writer.transport.abort()
    writer.close()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that is taken, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue of connections is full: another one is neither taken nor refused."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(full.getsockname())
        yield int(full.getsockname()[1])
