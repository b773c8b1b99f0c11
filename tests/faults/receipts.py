"""What clients were told and when, and what the rows must have of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from tests.conftest import question
from tests.durability import oracle


@dataclass
class Receipt:
    """One question, and what its asker had been sent by when."""

    text: str
    accepted_at: float = float("inf")
    generation_id: str = ""
    seen: list[tuple[float, bytes]] = field(default_factory=list)

    async def take(self, client: aiohttp.ClientSession, pause_s: float) -> None:
        """Ask after a pause, and note all that comes until the server is gone."""
        await asyncio.sleep(pause_s)
        with suppress(aiohttp.ClientError, ConnectionError):
            body = question(f"say: {self.text}")
            async with client.post("/api/v1/chat", json=body) as response:
                assert response.status == 200, await response.text()
                self.accepted_at = time.monotonic()
                self.generation_id = response.headers["x-generation-id"]
                async for chunk in response.content.iter_any():
                    self.seen.append((time.monotonic(), chunk))

    def before(self, moment: float) -> bytes:
        """What had come before a moment."""
        return b"".join(chunk for at, chunk in self.seen if at < moment)


def lost_by(receipt: Receipt, moment: float, log: oracle.Log | None, asked: bool) -> list[str]:
    """What a client was told before a moment and the rows do not have."""
    if log is None or not asked:
        return [f"I1: {receipt.generation_id} was accepted and is not there"]
    found = []
    if not log.as_sent().startswith(receipt.before(moment)):
        found.append(f"I2: {log.id} lost {receipt.before(moment)!r}, has {log.as_sent()!r}")
    if not receipt.text.startswith(log.content or ""):
        found.append(f"{log.id} says what nobody said: {log.content!r}")
    return found
