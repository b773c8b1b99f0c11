"""Many streams at once through one server, and what that cost.

run(server, order) ──▶ connections, staggered ──▶ every token checked ──▶ Cost
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .client import Connection, Dialect, Failed, Tokens, connect, post, products, vendors
from .machine import Cores, cpu_s, rss_mb
from .servers import Server

BUSIEST = 0.85
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Order:
    """How many streams, of how many tokens, how many a second (0: as fast as it goes)."""

    streams: int
    tokens: int
    rate: int

    @property
    def text(self) -> str:
        """The question that makes the upstream do so."""
        return f"count={self.tokens} rate={self.rate} please"

    @property
    def total(self) -> int:
        return self.streams * self.tokens


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round cost: `cpu_us` per token, the tokens' ages (all, and those sent when every
    stream had been running for a second), the server's memory."""

    cpu_us: float
    ages_us: list[int]
    settled_us: list[int]
    rss_mb: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to ask it."""

    server: Server
    path: str
    dialect: Dialect
    ours: bool

    def request(self, text: str) -> bytes:
        """The bytes of a streaming question with that text."""
        body: dict[str, object] = {
            "model": "deepseek-chat",
            "messages": [{"role": "user", "content": text}],
            "stream": True,
        }
        if self.ours:
            body |= {"provider": "deepseek", "title": "bench"}
        return post(self.path, body)


def through_product(server: Server) -> Target:
    """The product's own chat route."""
    return Target(server, "/api/v1/chat", products, ours=True)


def as_vendor(server: Server) -> Target:
    """The vendor's route: the upstream itself, or nginx in front of it."""
    return Target(server, "/chat/completions", vendors, ours=False)


async def ask(connection: Connection, target: Target, text: str, count: int) -> Tokens:
    """One whole, checked stream on a kept connection."""
    tokens = Tokens(target.dialect)
    status = await connection.ask(target.request(text), tokens)
    if status != 200:
        raise Failed(f"{target.path} answered {status}")
    tokens.check(count)
    return tokens


async def run(target: Target, order: Order, upstream: Server, cores: Cores) -> Cost:
    """All streams of an order at once. Raises Failed if one was not whole or the load was busy."""
    connections = [await connect(target.server.port) for _ in range(order.streams)]
    before = cpu_s(target.server.pid), cpu_s(upstream.pid), time.process_time()
    begun = time.monotonic()

    async def stream(number: int) -> Tokens:
        if order.rate:  # begin at another phase than the neighbours do
            await asyncio.sleep(number / order.streams)
        return await ask(connections[number], target, order.text, order.tokens)

    try:
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            tasks = [group.create_task(stream(number)) for number in range(order.streams)]
    except ExceptionGroup as failures:
        raise Failed(f"a stream failed: {failures.exceptions[0]}") from failures
    except TimeoutError:
        raise Failed(f"not all streams had ended after {PATIENCE_S:.0f} s") from None
    wall_s = time.monotonic() - begun
    spent_s = cpu_s(target.server.pid) - before[0]
    memory_mb = rss_mb(target.server.pid)
    upstream_s, own_s = cpu_s(upstream.pid) - before[1], time.process_time() - before[2]
    for connection in connections:
        connection.close()
    _refuse_if_busy(upstream_s / wall_s, own_s / wall_s, cores)
    streams = [task.result().ages_us for task in tasks]
    ages = [age for stream in streams for age in stream]
    settled = [age for stream in streams for age in stream[2 * order.rate :]]
    return Cost(spent_s / order.total * 1e6, ages, settled, memory_mb, order.total / wall_s)


def _refuse_if_busy(upstream: float, own: float, cores: Cores) -> None:
    busy = upstream + own if cores.pinned else max(upstream, own)
    if busy > BUSIEST:
        raise Failed(f"the load was busy for {busy:.0%} of its core")
