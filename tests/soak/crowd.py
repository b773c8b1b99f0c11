"""Many answers that stand still in the middle, and many who wait for them to go on.

async with Crowd(port, upstream) as crowd:
    await crowd.ask(50, 3)      each has said three tokens, and waits before its gate
    await crowd.follow(10)      ten readers of each, who have begun to read
                                … all gates open, every reader has seen the end of its log
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp

from bench.client import Connection, connect, get
from standins.behaviours import Gate, Pause, Played
from standins.deepseek import DeepSeekStandIn
from tests.clients.raw import ENDED
from tests.conftest import question


class Reader:
    """Takes the bytes of a log and keeps none; `begun` once there were some, `ended` after the
    end of the log."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = False
        self._last = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.begun.set()
        self._last = self._last[-len(ENDED) :] + data
        self.ended = self.ended or ENDED in self._last


@dataclass
class Crowd:
    """The answers of the server on a port, and their readers."""

    port: int
    upstream: DeepSeekStandIn
    gates: list[Gate] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    lines: list[Connection] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    _reading: list[asyncio.Future[int]] = field(default_factory=list)

    async def ask(self, count: int, after_tokens: int, *says: Played) -> None:
        """So many more answers, each of which says so much and then waits."""
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as client:
            for _ in range(count):
                self.gates.append(Gate())
                self.upstream.play(*says, Pause(self.gates[-1], after_tokens))
                body = question("Hi", background=True)
                async with client.post("/api/v1/chat", json=body) as response:
                    assert response.status == 202, await response.text()
                    generation_id = (await response.json())["generation_id"]
                    self.logs.append(f"/api/v1/generations/{generation_id}/events")
        await asyncio.gather(*(gate.reached() for gate in self.gates))

    async def follow(self, each: int) -> None:
        """So many more readers of each answer."""
        for path in self.logs:
            for _ in range(each):
                self.lines.append(await connect(self.port))
                self.readers.append(Reader())
                self._reading.append(self.lines[-1].ask(get(path), self.readers[-1]))
        await asyncio.gather(*(reader.begun.wait() for reader in self.readers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for gate in self.gates:
            gate.open()
        if error is None:
            assert set(await asyncio.gather(*self._reading)) <= {200}
            assert all(reader.ended for reader in self.readers)
        for line in self.lines:
            line.close()
