"""Many streams at once through one server, and what that cost.

run(target, order, place) ──▶ tapes, staggered ──▶ every token checked afterwards ──▶ Cost
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass

from .client import Connection, Dialect, Failed, Tokens, post, products, vendors
from .machine import Cores
from .meter import BUSIEST, Meter, Reading, Share, at, between
from .servers import Server
from .tape import Reel, Tape
from .upstream import RECORD_CHARS

PATIENCE_S = 120.0
SETTLED_S = 2.0  # of a stream's own time: then the last of its round has run for a second


@dataclass(frozen=True, slots=True)
class Order:
    """How many streams, of how many tokens, how many a second (0: as fast as it goes), arriving
    within how many seconds, on connections that are kept or opened when they arrive, and of how
    many characters a token. `apart`: each stream's tokens come at moments of their own. The load
    may be busy for `busiest` of its core."""

    streams: int
    tokens: int
    rate: int
    within_s: float = 1.0
    fresh: bool = False
    chars: int = RECORD_CHARS
    apart: bool = False
    busiest: float = BUSIEST

    @property
    def text(self) -> str:
        """The question that makes the upstream do so."""
        apart = " apart" if self.apart else ""
        return f"count={self.tokens} rate={self.rate} chars={self.chars}{apart} please"

    @property
    def total(self) -> int:
        return self.streams * self.tokens


@dataclass(frozen=True, slots=True)
class Place:
    """Who speaks, and on which cores all this runs."""

    upstream: Server
    cores: Cores


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as it was: when it was asked for (monotonic, s), what came, in how many bytes."""

    asked_at: float
    tokens: Tokens
    size_bytes: int

    @property
    def first_ms(self) -> float:
        """From asking to the first token."""
        return (self.tokens.first_at - self.asked_at) * 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round was: its streams, and what the processes spent meanwhile."""

    order: Order
    streams: list[Stream]
    readings: list[Reading]

    @property
    def whole(self) -> Share:
        """What was spent from the first question to the last end."""
        return between(self.readings, self.readings[0].at, self.readings[-1].at)

    @property
    def cpu_us(self) -> float:
        """CPU of the server for one token."""
        return self.whole.server_s / self.order.total * 1e6

    @property
    def tokens_per_s(self) -> float:
        """Tokens that all streams together brought in a second."""
        return self.order.total / self.whole.wall_s

    @property
    def rss_mb(self) -> float:
        """The most memory that the server was seen with."""
        return max(each.rss_mb for each in self.readings)

    @property
    def wire(self) -> float:
        """Bytes that came to the client for one byte of text."""
        return sum(each.size_bytes for each in self.streams) / (self.order.total * self.order.chars)

    @property
    def firsts_ms(self) -> list[float]:
        """From asking to the first token, of each stream."""
        return [each.first_ms for each in self.streams]

    @property
    def all_begun_at(self) -> float:
        """The moment when every stream had its first token."""
        return max(each.tokens.first_at for each in self.streams)

    @property
    def arriving(self) -> Share:
        """What was spent until every stream had its first token."""
        return between(self.readings, self.readings[0].at, self.all_begun_at)

    @property
    def running(self) -> Share:
        """What was spent while all were there: a second after the last has begun, until the
        first may end."""
        length_s = self.order.tokens / self.order.rate
        first_end = min(each.asked_at for each in self.streams) + length_s
        return between(self.readings, self.all_begun_at + 1, first_end)

    @property
    def _running_tokens(self) -> float:
        return self.running.wall_s * self.order.rate * self.order.streams

    @property
    def running_us(self) -> float:
        """CPU of the server for one token while all were there."""
        return self.running.server_s / self._running_tokens * 1e6

    @property
    def running_wakes(self) -> float:
        """How often the server was woken for one token while all were there."""
        return self.running.wakes / self._running_tokens

    @property
    def running_mb(self) -> float:
        """The server's memory a second after the last stream has begun."""
        return at(self.readings, self.all_begun_at + 1).rss_mb

    def ages_us(self, *, settled: bool) -> list[int]:
        """The ages of the tokens: of all, or of those sent when every stream ran for a second."""
        skipped = int(SETTLED_S * self.order.rate) if settled else 0
        return [age for each in self.streams for age in each.tokens.ages_us[skipped:]]


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to ask it."""

    server: Server
    path: str
    dialect: Dialect
    provider: str = ""  # of whom the product asks; "": the vendor itself is asked
    model: str = "deepseek-chat"

    def request(self, text: str) -> bytes:
        """The bytes of a streaming question with that text."""
        body: dict[str, object] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
        }
        if self.provider:
            body |= {"provider": self.provider, "title": "bench"}
        return post(self.path, body)


def through_product(
    server: Server, provider: str = "deepseek", model: str = "deepseek-chat"
) -> Target:
    """The product's own chat route."""
    return Target(server, "/api/v1/chat", products, provider, model)


def as_vendor(server: Server) -> Target:
    """The vendor's route: the upstream itself, or nginx in front of it."""
    return Target(server, "/chat/completions", vendors)


async def ask(connection: Connection, target: Target, text: str, count: int) -> Tokens:
    """One whole, checked stream on a kept connection."""
    tokens = Tokens(target.dialect)
    status = await connection.ask(target.request(text), tokens)
    if status != 200:
        raise Failed(f"{target.path} answered {status}")
    tokens.check(count)
    return tokens


async def run(target: Target, order: Order, place: Place) -> Cost:
    """All streams of an order at once. Raises Failed if one was not whole or the load was busy."""
    request, meter = target.request(order.text), Meter(target.server, place.upstream)
    tapes: dict[int, Tape] = {}
    with Reel() as reel:

        async def stream(number: int) -> float:
            if order.rate:  # begin at another phase than the neighbours do
                await asyncio.sleep(order.within_s * number / order.streams)
            asked_at = time.monotonic()
            if order.fresh:
                tapes[number] = await reel.roll(target.server.port)
            await tapes[number].ask(request)
            return asked_at

        for number in range(0 if order.fresh else order.streams):
            tapes[number] = await reel.roll(target.server.port)
        async with meter:
            asked = await _together(stream(number) for number in range(order.streams))
    streams = [
        Stream(asked_at, _read(tapes[number], target, order), tapes[number].size_bytes)
        for number, asked_at in enumerate(asked)
    ]
    cost = Cost(order, streams, meter.readings)
    if refused := cost.whole.why_refused(place.cores, order.busiest):
        raise Failed(refused)
    return cost


async def _together(streams: Iterable[Coroutine[None, None, float]]) -> list[float]:
    try:
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in streams]
    except ExceptionGroup as failures:
        raise Failed(f"a stream failed: {failures.exceptions[0]}") from failures
    except TimeoutError:
        raise Failed(f"not all streams had ended after {PATIENCE_S:.0f} s") from None
    return [task.result() for task in tasks]


def _read(tape: Tape, target: Target, order: Order) -> Tokens:
    tokens = Tokens(target.dialect, order.chars)
    tape.read(tokens)
    tokens.check(order.tokens)
    return tokens
