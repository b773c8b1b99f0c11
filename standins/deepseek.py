"""DeepSeek on a port of this machine: the real thing's bytes, rules and moods, without a key.

POST /chat/completions ─▶ key? ─▶ money? ─▶ order? ─▶ speech ─▶ reply ─▶ behaviours ─▶ player
     /v1/… /beta/…                                                          ▲
GET  /models /user/balance          play(…) once · always(…) · header x-stand-in

async with DeepSeekStandIn(key="sk-test") as upstream:
    upstream.play(Stall(after_tokens=3))
    … upstream.url …
    await upstream.wait_for_disconnect()
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from standins.accounting import PrefixCache, estimate
from standins.answers import Answer, Bill, speech, streamed, whole
from standins.behaviours.base import Ask, Choice, Played, answer_of, shaped
from standins.behaviours.status import refusal, too_many
from standins.behaviours.timing import FOREVER
from standins.behaviours.writes import SlowRead
from standins.control import Gates, UnreadableError, mode_list, named, read_played, unknown
from standins.deepseek_order import read_order
from standins.deepseek_rules import (
    SERVED,
    Order,
    RefusedError,
    authenticate,
    balance,
    models,
    text_of,
)
from standins.player import Player
from standins.record import Record
from standins.reply import JSON_HEADERS, Envelope, Frame, Reply, compact
from standins.server import Exchange, Head, Request, Server

FINGERPRINT = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
PLAY = re.compile(r"^play: ?(.+)$", re.MULTILINE)
CHAT_PATHS = ("/chat/completions", "/v1/chat/completions", "/beta/chat/completions")


def fresh_id() -> str:
    """A bare UUID, as DeepSeek's ids are."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Traits:
    """The account and the clock behind a stand-in. `concurrency` None is the model's own limit;
    `wait_scale` multiplies every wait of a behaviour."""

    balance: str = "110.00"
    concurrency: int | None = None
    request_ids: bool = False
    clock: Callable[[], float] = time.time
    new_id: Callable[[], str] = fresh_id
    wait_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A client that left before its answer was over, and how many tokens it had been sent."""

    request: Request
    tokens: int
    at: float = field(default_factory=time.monotonic)


class DeepSeekStandIn:
    """One stand-in. `key` None accepts any key; `answer` is what it says unless a behaviour says
    otherwise. Use it as an async context manager, or `start` and `stop`."""

    def __init__(
        self,
        key: str | tuple[str, ...] | None = None,
        tokens_per_s: float | None = None,
        port: int = 0,
        answer: Answer | None = None,
        traits: Traits | None = None,
    ) -> None:
        self.keys = (key,) if isinstance(key, str) else (key or ())
        self.answer = (answer or Answer()).over(Answer(tokens_per_s=tokens_per_s))
        self.traits = traits or Traits()
        self.requests: Record[Request] = Record()
        self.disconnects: Record[Disconnect] = Record()
        self.in_flight = 0
        self.most_in_flight = 0
        self.cache = PrefixCache()
        self._port = port
        self._server = Server(self._handle)
        self._player = Player(self.traits.wait_scale)
        self._queue: deque[tuple[Played, ...]] = deque()
        self._always: tuple[Played, ...] = ()
        self._seen: Counter[Choice] = Counter()
        self._answering: dict[int, tuple[Request, Exchange]] = {}  # by the request's number
        self._gates = Gates()
        self._server.reading_pause = self._reading_pause

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
        """The base URL, for DEEPSEEK_BASE_URL."""
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
        self.cache.forget()
        self.requests.clear()
        self.disconnects.clear()

    # ── what happened ─────────────────────────────────────────────────────────────────────────

    @property
    def chats(self) -> list[Request]:
        """The chat requests, oldest first."""
        return [request for request in self.requests if is_chat(request)]

    @property
    def connections(self) -> int:
        """How many connections were ever opened."""
        return self._server.opened

    async def wait_for_request(self, within_s: float = 10) -> Request:
        """The next chat request not returned before, as soon as it is here."""
        return await self.requests.next(is_chat, within_s)

    async def wait_for_disconnect(self, within_s: float = 10) -> Disconnect:
        """The next client that left early and was not returned before."""
        return await self.disconnects.next(lambda _: True, within_s)

    def under_way(self) -> list[tuple[Request, int]]:
        """The requests that are being answered, each with how many tokens it has been sent."""
        return [(request, exchange.tokens) for request, exchange in self._answering.values()]

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
        chat = is_chat(request)
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
        key = request.headers.get("authorization", "").removeprefix("Bearer").strip()
        ask = Ask(request, key, self.in_flight, self._count)
        try:
            reply = self._route(request, played)
        except RefusedError as refused:
            reply = refusal(refused, self.traits.new_id() if self.traits.request_ids else "")
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
        return max(pauses) * self.traits.wait_scale if pauses else None

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

    def _route(self, request: Request, behaviours: tuple[Played, ...]) -> Reply:
        path = request.path.partition("?")[0]
        key = authenticate(request.headers, self.keys)
        match request.method, path.removeprefix("/v1"):
            case "GET", "/models":
                return document(models())
            case "GET", "/user/balance":
                return document(balance(self.traits.balance))
            case "POST", _ if path in CHAT_PATHS:
                return self._chat(request, key, behaviours)
            case _:
                return Reply((Frame(b'{"error_msg":"Not Found"}'),), 404, JSON_HEADERS, "length")

    def _chat(self, request: Request, key: str, behaviours: tuple[Played, ...]) -> Reply:
        if float(self.traits.balance) <= 0:
            raise RefusedError("Insufficient Balance", 402, "unknown_error", "application/json")
        order = read_order(request.raw, request.path.startswith("/beta"))
        limit = self.traits.concurrency or SERVED[order.model]
        if self.in_flight > limit:
            raise too_many(self.in_flight, limit)
        answer = answer_of(self.answer, behaviours)
        spoken = speech(order, answer)
        bill = self._bill(key, order, spoken.said())
        traits = self.traits
        envelope = Envelope(
            traits.new_id(), int(traits.clock()), order.model, FINGERPRINT, order.thinking
        )
        return (streamed if order.stream else whole)(spoken, bill, envelope, answer)

    def _bill(self, key: str, order: Order, said: str) -> Bill:
        """Count the prompt, and remember it together with its answer."""
        prompt = order.prompt()
        user = f"{key}\x00{order.user}"
        hit = self.cache.hit(user, prompt)
        role = b"" if order.prefix else b"<|assistant|>"
        self.cache.keep(user, prompt + role + said.encode("utf-8", "replace"))
        return Bill(estimate(prompt), hit)


def is_chat(request: Request) -> bool:
    """Whether the request asks for an answer."""
    return request.path.partition("?")[0].endswith("/chat/completions")


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


# ── the command ───────────────────────────────────────────────────────────────────────────────


def main() -> int:
    """`python -m standins.deepseek`: serve until interrupted; 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m standins.deepseek", description="A DeepSeek on this machine, without a key."
    )
    parser.add_argument("--port", type=int, default=9100, help="0 takes any free one")
    parser.add_argument("--tokens-per-second", type=float, default=50, help="0: at full speed")
    parser.add_argument("--tokens", type=int, default=200, help="the length of an answer")
    parser.add_argument("--language", choices=("en", "mixed"), default="en")
    parser.add_argument("--key", default=None, help="the one key to accept; default: any")
    given = parser.parse_args()
    standin = DeepSeekStandIn(
        key=given.key,
        tokens_per_s=given.tokens_per_second or None,
        port=given.port,
        answer=Answer(tokens=given.tokens, language=given.language),
    )
    try:
        return asyncio.run(serve(standin, given.key or "sk-stand-in"))
    except KeyboardInterrupt:
        return 0


async def serve(standin: DeepSeekStandIn, key: str) -> int:
    """Serve until SIGINT or SIGTERM; says where, and what to put into .env."""
    try:
        await standin.start()
    except OSError:
        print("This port is taken: choose another with --port, or 0 for any.", file=sys.stderr)
        return 1
    print(f"DeepSeek stand-in at {standin.url}  (Ctrl-C ends it). In .env:")
    print(f"DEEPSEEK_BASE_URL={standin.url}")
    print(f"DEEPSEEK_API_KEY={key}", flush=True)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()
    await standin.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
