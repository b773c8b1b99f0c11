"""The web server's side of a connection, made lighter for clients that are held for long.

    socket ─▶ uvicorn's HTTP ─▶ Connection: small bells · a parser only while something is parsed
                                     ├─ the head of a response leaves with its first bytes
                                     └─ tells who holds the client when it leaves

uvicorn makes its queues, events and parser for every connection: they were a tenth of what a held
stream cost, and a task that waited for the client's leaving was another. All this stands on the
inner parts of the one version that is pinned (0.54); with another web server, or with uvicorn as
it is, the application works all the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_Exchange = tuple[RequestResponseCycle, ASGI3Application]
_NONE: list[tuple[bytes, bytes]] = []
_LENGTH = (
    b"\r\ncontent-length: "  # a body follows, be it an empty one, unless only the head was asked
)


class Bell:
    """What uvicorn needs of an `asyncio.Event`, without its deque of 600 bytes."""

    __slots__ = ("_rung", "_waiting")

    def __init__(self, *, rung: bool) -> None:
        self._rung = rung
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def set(self) -> None:
        self._rung = True
        waiting, self._waiting = self._waiting, ()
        for news in waiting:
            if not news.done():
                news.set_result(None)

    def clear(self) -> None:
        self._rung = False

    async def wait(self) -> None:
        """Return once it has rung."""
        if not self._rung:
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting += (news,)
            await news


class _Flow(FlowControl):
    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_writable_event = cast(asyncio.Event, Bell(rung=True))


class _Line(list[_Exchange]):
    """What uvicorn needs of a deque, for requests that come before the last one is answered."""

    __slots__ = ()

    def appendleft(self, exchange: _Exchange) -> None:
        self.insert(0, exchange)


class _Together:
    """A response's way to the socket until its first bytes: the head waits for them; where it does
    not say that they follow, to the end of this turn of the event loop at most. Sending is most of
    what a short response costs."""

    __slots__ = ("_cycle", "_head", "_loop", "_transport")

    def __init__(self, cycle: RequestResponseCycle, loop: asyncio.AbstractEventLoop) -> None:
        self._cycle = cycle
        self._loop = loop
        self._transport = cycle.transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if not self._cycle.response_started:  # "100 Continue"
            self._transport.write(data)
        elif self._head:
            self._leave(data)
        else:
            self._head = data
            if _LENGTH not in data or self._cycle.scope["method"] == "HEAD":
                self._loop.call_soon(self._leave)

    def _leave(self, data: bytes = b"") -> None:
        if self._head:
            head, self._head = self._head, b""
            self._cycle.transport = self._transport
            self._transport.write(head + data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._leave()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """A client's connection. A request finds it as `client` in the state of its scope."""

    __slots__ = ("_left", "_lost")
    _left: Callable[[], None] | None
    _lost: bool

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._left, self._lost = None, False
        self.flow = _Flow(transport)
        self.pipeline = cast("deque[_Exchange]", _Line())

    def data_received(self, data: bytes) -> None:
        if cast(object, self.parser) is None:
            self.parser = httptools.HttpRequestParser(self)
        super().data_received(data)
        if self._between_requests():
            self.parser = None  # type: ignore[assignment]  # as uvicorn does at the end
            self.headers = _NONE  # the request has them

    def _between_requests(self) -> bool:
        """Whether a fresh parser would read what comes next as this one would."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return (
            cycle is not None
            and cycle.scope is self.scope
            and not cycle.more_body
            and cycle.keep_alive
            and not self.parser.should_upgrade()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.cycle = self.scope = None  # type: ignore[assignment]  # each of them holds this
        self.pipeline.clear()
        self._lost = True
        if self._left is not None:
            self._left()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.message_event = cast(asyncio.Event, Bell(rung=cycle.message_event.is_set()))
        cycle.scope["state"]["client"] = self
        cycle.transport = cast(asyncio.Transport, _Together(cycle, self.loop))
        super()._start_asgi_task(cycle, app)

    def hold(self, left: Callable[[], None]) -> None:
        """Call `left` once the client has left."""
        self._left = left
        self.flow.resume_reading()  # or nobody would see it leave
        if self._lost:
            self.loop.call_soon(left)

    def let_go(self) -> None:
        """Call nobody any more."""
        self._left = None
