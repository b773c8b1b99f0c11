"""What every stand-in is: a server that is told what to do next, and that remembers.

request ─▶ noted ─▶ answered (the vendor) ─▶ reply ─▶ behaviours ─▶ player
                        └ refused                       ▲
             play(…) once · always(…) · header x-stand-in ┘

A vendor says which requests are chats, where the key stands, how a request is answered and what a
refusal looks like.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from types import TracebackType
from typing import Self

from standins.behaviours.base import Ask, Choice, Played, shaped
from standins.behaviours.timing import FOREVER
from standins.behaviours.writes import SlowRead
from standins.control import Gates, UnreadableError, mode_list, named, read_played, unknown
from standins.deepseek_rules import RefusedError, text_of
from standins.player import Player
from standins.record import Record
from standins.reply import JSON_HEADERS, Frame, Reply, compact
from standins.server import Exchange, Head, Request, Server

PLAY = re.compile(r"^play: ?(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A client that left before its answer was over, and how many tokens it had been sent."""

    request: Request
    tokens: int
    at: float = field(default_factory=monotonic)


class StandIn(ABC):
    """One stand-in, whoever it stands in for. Use it as an async context manager, or `start` and
    `stop`. `wait_scale` multiplies every wait of a behaviour."""

    def __init__(self, port: int, wait_scale: float) -> None:
        self.requests: Record[Request] = Record()
        self.disconnects: Record[Disconnect] = Record()
        self.in_flight = 0
        self.most_in_flight = 0
        self._port = port
        self._wait_scale = wait_scale
        self._server = Server(self._handle)
        self._player = Player(wait_scale)
        self._queue: deque[tuple[Played, ...]] = deque()
        self._always: tuple[Played, ...] = ()
        self._seen: Counter[Choice] = Counter()
        self._answering: dict[int, tuple[Request, Exchange]] = {}  # by the request's number
        self._gates = Gates()
        self._server.reading_pause = self._reading_pause

    # ── what a vendor says ────────────────────────────────────────────────────────────────────

    @abstractmethod
    def is_chat(self, request: Request) -> bool:
        """Whether the request asks for an answer."""

    @abstractmethod
    def key_of(self, headers: Mapping[str, str]) -> str:
        """The key of a request, "" without one."""

    @abstractmethod
    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """The reply when all goes well. Raises RefusedError."""

    @abstractmethod
    def refused(self, error: RefusedError) -> Reply:
        """The reply to a request that is not answered."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what the vendor itself remembers."""

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        await self._server.listen(self._port)
        return self

    async def stop(self) -> None:
        """Drop every connection and stop. Raises what went wrong inside the stand-in itself."""
        self._player.close()
        await self._server.close()
        if self._server.faults:
            raise self._server.faults[0]

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.port}"

    def refuse_connections(self) -> None:
        """Stop listening: new connections are refused until `accept_connections`."""
        self._server.refuse()

    async def accept_connections(self) -> None:
        """Listen again on the same port."""
        await self._server.listen(self._server.port)

    # ── what to do ────────────────────────────────────────────────────────────────────────────

    def play(self, *behaviours: Played, times: int = 1) -> None:
        """All these behaviours together for the next request (or the next `times` requests)."""
        self._queue.extend([behaviours] * times)

    def always(self, *behaviours: Played) -> None:
        """All these behaviours for every request for which none is queued; none: behave."""
        self._always = behaviours

    def reset(self) -> None:
        """Forget what was queued, what happened and what is cached."""
        self._queue.clear()
        self._always = ()
        self._seen.clear()
        self.forget()
        self.requests.clear()
        self.disconnects.clear()

    # ── what happened ─────────────────────────────────────────────────────────────────────────

    @property
    def chats(self) -> list[Request]:
        """The chat requests, oldest first."""
        return [request for request in self.requests if self.is_chat(request)]

    @property
    def connections(self) -> int:
        """How many connections were ever opened."""
        return self._server.opened

    async def wait_for_request(self, within_s: float = 10) -> Request:
        """The next chat request not returned before, as soon as it is here."""
        return await self.requests.next(self.is_chat, within_s)

    async def wait_for_disconnect(self, within_s: float = 10) -> Disconnect:
        """The next client that left early and was not returned before."""
        return await self.disconnects.next(lambda _: True, within_s)

    def under_way(self) -> list[tuple[Request, Sequence[float]]]:
        """The requests that are being answered, each with the moments, on the monotonic clock, at
        which its tokens were sent."""
        answering = self._answering.values()
        return [(request, tuple(exchange.said_at)) for request, exchange in answering]

    def report(self) -> dict[str, object]:
        """What happened, as JSON."""
        return {
            "requests": [
                {"number": one.number, "path": one.path, "connection": one.connection}
                for one in self.requests[-100:]
            ],
            "disconnects": [
                {"request": one.request.number, "tokens": one.tokens}
                for one in self.disconnects[-100:]
            ],
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "connections": self.connections,
            "queued": len(self._queue),
            "modes": mode_list(),
        }

    # ── one request ───────────────────────────────────────────────────────────────────────────

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        chat = self.is_chat(request)
        self.in_flight += chat
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if not request.path.startswith("/_control"):
            self.requests.note(request)
        self._answering[request.number] = request, exchange
        try:
            await self._player.play(self._reply(request), exchange)
        except asyncio.CancelledError:
            if not exchange.ours:
                self.disconnects.note(Disconnect(request, exchange.tokens))
            raise
        finally:
            self.in_flight -= chat
            del self._answering[request.number]
        if "close" in request.headers.get("connection", "") or request.version == "HTTP/1.0":
            exchange.close()

    def _reply(self, request: Request) -> Reply:
        if request.path.startswith("/_control"):
            return self._controlled(request)
        played = self._asked_for(request.headers, request.body)
        if played is None:
            played = self._queue.popleft() if self._queue else self._always
        ask = Ask(request, self.key_of(request.headers), self.in_flight, self._count)
        try:
            reply = self.answered(request, played)
        except RefusedError as refused:
            reply = self.refused(refused)
        return shaped(reply, played, ask)

    def _asked_for(self, headers: Mapping[str, str], body: object) -> tuple[Played, ...] | None:
        """What the request itself asks for, by its header or its question."""
        asked = headers.get("x-stand-in") or played_line(body)
        if not asked:
            return None
        try:
            return named(asked)
        except UnreadableError as error:
            return unknown(error)

    def _reading_pause(self, head: Head) -> float | None:
        """How long the body of the coming request is left unread; None: not at all."""
        if head.path.startswith("/_control"):
            return None
        played = self._asked_for(head.headers, None)
        if played is None:
            played = self._queue[0] if self._queue else self._always
        pauses = [one.pause_s for one in played if isinstance(one, SlowRead)]
        if FOREVER in pauses:
            return FOREVER
        return max(pauses) * self._wait_scale if pauses else None

    def _controlled(self, request: Request) -> Reply:
        """One command from outside."""
        command = request.body if isinstance(request.body, dict) else {}
        try:
            if command.get("reset"):
                self.reset()
            if "always" in command:
                self.always(*read_played(command["always"], self._gates))
            if "play" in command:
                times = int(command.get("times", 1))
                self.play(*read_played(command["play"], self._gates), times=times)
            if "open" in command:
                self._gates.open(str(command["open"]))
        except UnreadableError as error:
            return replace(document({"error": str(error)}), status=400)
        return document(self.report())

    def _count(self, choice: Choice) -> int:
        self._seen[choice] += 1
        return self._seen[choice] - 1


def played_line(body: object) -> str:
    """What stands behind `play:` in the last user message of a request, if anything."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            found = PLAY.search(text_of(message.get("content")))
            return found[1] if found else ""
    return ""


def document(value: object) -> Reply:
    """A JSON document as a reply."""
    return Reply((Frame(compact(value)),), 200, JSON_HEADERS, "length")
