"""Plays a reply on a connection, step by step, and keeps time for hundreds of them at once.

    reply.before ▶ head ▶ reply.body ▶ end
                             │
          paced tokens ──▶ Ticker: one heap of due times, one timer, one write per token

A row of tokens with a rate is handed to the ticker whole, so that a task wakes once per row and
not once per token. A client that reads too slowly is not written to until it catches up.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from itertools import takewhile

from standins.reply import (
    Chunk,
    Close,
    Encoder,
    Frame,
    Hold,
    Reply,
    Step,
    Token,
    Wait,
    Wire,
    weight,
)
from standins.server import Exchange

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
GRAIN_S = 0.002  # the ticker wakes at most this often
BURST = 32  # unpaced frames between two chances for other tasks


class Run:
    """A row of tokens of one reply that goes out at a steady rate."""

    def __init__(self, exchange: Exchange, frames: Iterator[Frame], interval_s: float) -> None:
        self.exchange = exchange
        self.frames = frames
        self.interval_s = interval_s
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tick(self) -> bool:
        """Write one token; False when the row is over or nobody waits for it any more."""
        if self.over.done():
            return False
        if self.exchange.full:
            return True
        frame = next(self.frames, None)
        if frame is None:
            self.over.set_result(None)
            return False
        self.exchange.say(frame.raw, frame.tokens)
        return True


class Ticker:
    """One clock for all paced answers of a stand-in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Run]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0

    async def play(self, run: Run) -> None:
        """Return when every token of the run has been written."""
        loop = asyncio.get_running_loop()
        self._push(loop.time(), run)
        if self._timer is None:
            self._arm(loop)
        await run.over

    def close(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _push(self, due: float, run: Run) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, run))

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(max(self._heap[0][0], loop.time() + GRAIN_S), self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._heap and self._heap[0][0] <= now:
            due, _, run = heapq.heappop(self._heap)
            if run.tick():
                late = now - due > 1.0  # after a long pause do not catch up in one burst
                self._push((now if late else due) + run.interval_s, run)
        self._timer = None
        if self._heap:
            self._arm(loop)


class Player:
    """Plays replies; `wait_scale` multiplies every wait that is not forever."""

    def __init__(self, wait_scale: float = 1.0) -> None:
        self._ticker = Ticker()
        self._wait_scale = wait_scale

    def close(self) -> None:
        """Stop the shared clock."""
        self._ticker.close()

    async def play(self, reply: Reply, exchange: Exchange) -> None:
        """Send the whole reply. Cancelled when the client leaves."""
        exchange.framing = reply.framing
        exchange.write_bytes = reply.write_bytes
        encoder = Encoder(reply.envelope)
        if not await self._steps(reply.before, exchange, encoder, None):
            return
        if not reply.bare:
            exchange.send(head(reply))
        if not await self._steps(reply.body, exchange, encoder, reply.tokens_per_s):
            return
        if not reply.bare:
            exchange.finish()
        await exchange.drained()
        if reply.after == "close":
            exchange.close()
        if reply.after == "close_on_next":
            exchange.close_on_next()

    async def _steps(
        self,
        steps: tuple[Step, ...],
        exchange: Exchange,
        encoder: Encoder,
        rate: float | None,
    ) -> bool:
        """Play the steps in order; False when one of them ended the connection."""
        at = 0
        while at < len(steps):
            step = steps[at]
            if rate and weight(step):
                row = tuple(takewhile(weight, steps[at:]))
                frames = (encoder.frame(s) for s in row if isinstance(s, Token | Chunk | Frame))
                await self._ticker.play(Run(exchange, frames, 1 / rate))
                at += len(row)
                continue
            if not await self._step(step, exchange, encoder):
                return False
            at += 1
            if at % BURST == 0:
                await asyncio.sleep(0)
        return True

    async def _step(self, step: Step, exchange: Exchange, encoder: Encoder) -> bool:
        match step:
            case Token() | Chunk() | Frame():
                frame = encoder.frame(step)
                exchange.say(frame.raw, frame.tokens)
            case Wire():
                exchange.send(step.raw)
            case Wait():
                await self._wait(step, exchange)
            case Hold():
                await exchange.drained()
                await step.gate.passed()
            case Close():
                await exchange.drained()
                exchange.reset() if step.how == "rst" else exchange.close()
                return False
        if exchange.full:
            await exchange.drained()
        return True

    async def _wait(self, wait: Wait, exchange: Exchange) -> None:
        """Sleep, with a comment every now and then; a wait without end ends with the client."""
        if wait.seconds is None and not wait.comment:
            await asyncio.get_running_loop().create_future()
        if not wait.comment:
            await asyncio.sleep((wait.seconds or 0) * self._wait_scale)
            return
        left_s = float("inf") if wait.seconds is None else wait.seconds
        while left_s > 0:
            exchange.frame(wait.comment)
            await exchange.drained()
            await asyncio.sleep(min(left_s, wait.every_s) * self._wait_scale)
            left_s -= wait.every_s


def head(reply: Reply) -> bytes:
    """The status line and the headers, the framing's own header among them."""
    lines = [f"{reply.version} {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    if reply.framing == "length" and not any(name == "content-length" for name, _ in reply.headers):
        size = sum(len(step.raw) for step in reply.body if isinstance(step, Frame))
        lines.append(f"content-length: {size}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
