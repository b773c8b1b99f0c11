"""A server on a disk that refuses, and readers who keep what they were told.

Lane ── ask ──▶ Told …                  while the shim refuses this and that
  └ kill the server, compare: rows ◀──▶ every byte that a reader had
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from standins.deepseek import DeepSeekStandIn
from tests.conftest import question
from tests.durability import oracle
from tests.durability.processes import Server

from .shim import Shim


@dataclass
class Told:
    """One question, and all that its asker was told."""

    asked: str
    status: int = 0
    generation_id: str = ""
    seen: bytes = b""

    async def take(self, client: aiohttp.ClientSession) -> None:
        """Ask, and read to the end."""
        async with client.post("/api/v1/chat", json=question(self.asked)) as response:
            self.status = response.status
            self.generation_id = response.headers.get("x-generation-id", "")
            async for chunk in response.content.iter_any():
                self.seen += chunk

    @property
    def last(self) -> dict[str, object]:
        """The refusal, or the last frame."""
        text = self.seen.decode().strip().rpartition("\n")[2].removeprefix("data: ")
        return dict(json.loads(text))

    @property
    def whole(self) -> bool:
        return self.status == 200 and self.last == {"done": True}


@dataclass
class Lane:
    """A server on a disk of its own, and what its readers were told."""

    shim: Shim
    server: Server
    client: aiohttp.ClientSession
    upstream: DeepSeekStandIn
    told: list[Told] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    refused: int = 0
    slowest_s: float = 0.0

    async def ask(self, text: str) -> Told:
        """One whole chat; `say: …` is answered with these words."""
        told = Told(text)
        self.told.append(told)
        await told.take(self.client)
        return told

    async def ready(self) -> tuple[int, object]:
        async with self.client.get("/health/ready") as response:
            return response.status, (await response.json()).get("code")

    async def is_ready(self) -> bool:
        return await self.ready() == (200, None)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note a finding unless something holds."""
        if not holds:
            self.findings.append(otherwise)

    def look(self) -> None:
        """What readers have been shown so far is in the file now, while the server runs."""
        shown = {told.generation_id: told.seen for told in self.told if told.generation_id}
        stored = oracle.logs(self.shim.folder / "chat.db")
        for generation_id, seen in shown.items():
            saved = stored[generation_id].as_sent() if generation_id in stored else b""
            self.expect(saved.startswith(seen), f"I2: {seen!r} is shown, and {saved!r} is saved")

    def compare(self) -> None:
        """Nothing is shown that is not saved; what was refused is not there. Only once nothing
        runs any more."""
        file = self.shim.folder / "chat.db"
        self.findings += oracle.findings(file)
        stored, asked = oracle.logs(file), oracle.questions(file)
        for told in self.told:
            self.findings += compared(told, stored.get(told.generation_id), told.asked in asked)


def compared(told: Told, log: oracle.Log | None, asked: bool) -> list[str]:
    """How what one reader was told differs from the rows."""
    if told.status == 503:
        found = [] if told.last["code"] == "storage_unavailable" else [f"refused by {told.last}"]
        return [*found, f"I1: {told.asked!r} was refused and is there"] if asked else found
    if told.status != 200 or log is None or not asked:
        return [f"I1: {told.asked!r} was answered with {told.status} and is not there"]
    if log.as_sent() != told.seen:
        return [f"I2: {log.id} was shown as {told.seen!r} and saved as {log.as_sent()!r}"]
    said = told.asked.removeprefix("say: ")
    if told.whole and said != told.asked and log.content != said:
        return [f"{log.id} is called whole and says {log.content!r}"]
    cut = told.last.get("code") == "storage_unavailable"
    return [] if told.whole or cut else [f"{log.id} ended with {told.last}"]


@asynccontextmanager
async def lane(folder: Path, upstream: DeepSeekStandIn) -> AsyncIterator[Lane]:
    """A running one, in a folder of its own."""
    disk, aside = folder / "disk", folder / "aside"
    disk.mkdir(parents=True)
    aside.mkdir()
    shim = Shim(disk, aside)
    given = {"database_url": f"sqlite:///{disk}/chat.db", "flush_ms": 20, **shim.environment()}
    async with (
        Server("main", aside, upstream.url, **given) as server,
        aiohttp.ClientSession(server.url) as client,
    ):
        yield Lane(shim, server, client, upstream)
