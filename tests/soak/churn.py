"""Callers who do everything that callers do, over and over, each with sessions of its own.

    Caller ─▶ new session · question · resume · cancel · walk away · regenerate ─▶ what was wrong
                              …                                                        Churn

A refusal that a caller's own doing explains is no fault. While the server is down a caller waits
and tries again: a cut connection is no fault either, a gap in a log that was cut is one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.conftest import question

EXPECTED = (200, 202, 204, 409, 503)
AWAY = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)
RETRY_S = 0.1


@dataclass
class Churn:
    """What a crowd of callers did, and what was wrong with what they got."""

    done: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)  # generation ids, in their order
    faults: list[str] = field(default_factory=list)

    async def run(self, url: str, callers: int, seed: int, over: asyncio.Event) -> None:
        """Let callers loose until it is over; each then ends what it is at."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(url, connector=connector) as client,
            asyncio.TaskGroup() as crowd,
        ):
            for number in range(callers):
                caller = Caller(client, self, random.Random(seed + number), over)
                crowd.create_task(caller.live())

    def line(self) -> str:
        """What was done so far."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.done.items()))


class Caller:
    """One of them."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        churn: Churn,
        rng: random.Random,
        over: asyncio.Event,
    ) -> None:
        self._client = client
        self._churn = churn
        self._rng = rng
        self._over = over
        self._session_id: int | None = None
        self._message_id: int | None = None
        self._does: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.ask, 6),
            (self.resume, 4),
            (self.cancel, 2),
            (self.walk_away, 2),
            (self.regenerate, 2),
            (self.forget, 1),
        ]

    async def live(self) -> None:
        """Do one thing after another until it is over."""
        deeds, weights = zip(*self._does, strict=True)
        while not self._over.is_set():
            deed = self._rng.choices(deeds, weights)[0]
            try:
                await deed()
                self._churn.done[deed.__name__] += 1
            except AWAY:
                self._churn.done["cut"] += 1
                await asyncio.sleep(RETRY_S)

    # ── what callers do ───────────────────────────────────────────────────────────────────

    async def ask(self) -> None:
        """A question, read to its end."""
        async with self._post("/chat", self._question()) as response:
            if self._accepted(response):
                body = await response.read()
                if not body.endswith((b'"done": true}\n\n', b'"}\n\n')):
                    self._churn.faults.append(f"a stream ends in {body[-80:]!r}")

    async def resume(self) -> None:
        """A question in the background whose log is read in several goes."""
        generation_id = await self._ask_later()
        seen: list[int] = []
        while generation_id and not await self._read_on(generation_id, seen):
            self._churn.done["resumed"] += 1
        if seen != list(range(1, len(seen) + 1)):
            self._churn.faults.append(f"{generation_id} was read as {seen}")

    async def cancel(self) -> None:
        """A question that is stopped soon after."""
        generation_id = await self._ask_later()
        if generation_id:
            await asyncio.sleep(self._rng.uniform(0, 0.2))
            async with self._post(f"/generations/{generation_id}/cancel", None) as response:
                self._accepted(response)

    async def walk_away(self) -> None:
        """A question whose asker leaves after the first bytes."""
        async with self._post("/chat", self._question()) as response:
            if self._accepted(response):
                await response.content.readany()
            response.close()

    async def regenerate(self) -> None:
        """The last question once more."""
        if self._message_id is not None:
            path = f"/messages/{self._message_id}/regenerate"
            async with self._post(path, {"background": True}) as response:
                await self._remember(response)

    async def forget(self) -> None:
        """A new session next time."""
        self._session_id = self._message_id = None

    # ── how ───────────────────────────────────────────────────────────────────────────────

    def _question(self, **more: object) -> dict[str, object]:
        if self._session_id is not None:
            more["session_id"] = self._session_id
        return question(f"Say something about {self._rng.randrange(10**9)}", **more)

    def _post(self, path: str, body: object) -> Any:
        return self._client.post(f"/api/v1{path}", json=body)

    async def _ask_later(self) -> str:
        body = self._question(background=True, on_active="interrupt")
        async with self._post("/chat", body) as response:
            return await self._remember(response)

    async def _remember(self, response: aiohttp.ClientResponse) -> str:
        """The generation's id, or "" if it was refused."""
        if not self._accepted(response):
            return ""
        ticket = await response.json()
        self._session_id, self._message_id = ticket["session_id"], ticket["message_id"]
        return str(ticket["generation_id"])

    def _accepted(self, response: aiohttp.ClientResponse) -> bool:
        status = response.status
        self._churn.statuses[status] += 1
        if status not in EXPECTED:
            self._churn.faults.append(f"{response.method} {response.url.path} is {status}")
        if status in (200, 202) and (named := response.headers.get("x-generation-id")):
            self._churn.accepted.append(named)
        return status in (200, 202)

    async def _read_on(self, generation_id: str, seen: list[int]) -> bool:
        """Read a part of what is left of a log; True once it has ended."""
        path = f"/api/v1/generations/{generation_id}/events"
        patience = self._rng.randrange(1, 12)
        with suppress(*AWAY):
            async with self._client.get(path, params={"after": len(seen)}) as response:
                async for line in response.content:
                    if line.startswith(b"id: "):
                        seen.append(int(line[4:]))
                    if line == b"event: ended\n":
                        return True
                    patience -= line.startswith(b"event: text")
                    if patience < 0:
                        return False
        await asyncio.sleep(RETRY_S)  # the server is away, or sent its readers home
        return False
