"""Kill the server while it streams, and compare what anybody saw with what is there afterwards.

    Watch ─▶ POST, read every byte ─┐
    Watch ─▶ POST, read every byte ─┼─ kill -9 ─▶ start again ─▶ oracle ─▶ Damage
    …                               ┘

Half of the readers use POST /chat, the others ask in the background and follow the numbered log.
A byte counts as seen when it was read from the socket, a question as accepted when its 2xx was.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp

from standins.deepseek import DeepSeekStandIn
from standins.deepseek_rules import text_of
from standins.words import pieces
from tests.clients.figures import at
from tests.clients.readers import prose
from tests.conftest import question
from tests.torture import record

from . import oracle
from .processes import Server, until

STREAMS = 50
TOKENS_PER_S = 50.0
ANSWER_TOKENS = 1500
NOT_THE_LOG = re.compile(rb"^(event: caught_up\ndata: [^\n]*|: [^\n]*)\n\n", re.MULTILINE)


class Watch:
    """One question and everything its asker was sent."""

    def __init__(self, number: int, rng: random.Random, tokens: int = ANSWER_TOKENS) -> None:
        self.text = f"№{number} {prose(rng, tokens)}"
        self.asked = f"say: {self.text}"
        self.numbered = number % 2 == 1
        self.accepted = False
        self.generation_id = ""
        self.seen = b""
        self.over_at = 0.0  # when the last byte was read

    async def watch(self, client: aiohttp.ClientSession) -> None:
        """Ask, and read until the end, which is the server's."""
        with suppress(aiohttp.ClientError, ConnectionError):
            body = question(self.asked, background=self.numbered)
            async with client.post("/api/v1/chat", json=body) as response:
                assert response.status == (202 if self.numbered else 200), await response.text()
                self.accepted = True
                self.generation_id = response.headers["x-generation-id"]
                if not self.numbered:
                    await self._read(response)
            if self.numbered:
                path = f"/api/v1/generations/{self.generation_id}/events"
                async with client.get(path) as response:
                    await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        async for chunk in response.content.iter_any():
            self.seen += chunk
        self.over_at = time.monotonic()

    def unseen_s(self, sent: Sequence[float], stored: str, killed_at: float) -> float:
        """For how long the provider had said something that is not stored: from the first token
        that is lost to the kill. A provider that is late says several at once, so their number
        would say more of its own lateness."""
        length = 0
        for token, said_at in zip(pieces(self.text), sent, strict=False):
            length += len(token)
            if length > len(stored):
                return killed_at - said_at
        return 0.0


@dataclass
class Damage:
    """What a number of kills did."""

    kills: int = 0
    accepted: int = 0
    cut: int = 0  # streams whose reader had been sent something
    accepted_lost: int = 0
    seen_lost: int = 0
    unseen_ms: list[float] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def report(self) -> str:
        """The figures in one line."""
        unseen, recovery = self.unseen_ms, self.recovery_s
        return (
            f"kills {self.kills}, questions accepted {self.accepted}, streams cut {self.cut},"
            f" accepted lost {self.accepted_lost}, seen lost {self.seen_lost},"
            f" unseen ms p50 {at(50, unseen):.0f} p99 {at(99, unseen):.0f}"
            f" max {at(100, unseen):.0f},"
            f" recovery s p50 {at(50, recovery):.2f} max {at(100, recovery):.2f}"
        )

    def progress(self, seed: int) -> None:
        """A line every ten kills."""
        if self.kills % 10 == 0:
            print(f"{self.report()} (seed {seed})", flush=True)

    def record(self) -> None:
        """The goals and what came out."""
        kills = f"kill -9 of {STREAMS} streams at {TOKENS_PER_S:g} tokens/s, {self.kills} times: "
        questions = f"{self.accepted_lost} of {self.accepted} questions"
        streams = f"{self.seen_lost} of {self.cut} cut streams"
        whole = self.accepted_lost == self.seen_lost == 0
        what = f"{kills}accepted or seen, then lost"
        record("G1", what, "0 and 0", f"{questions}, {streams}", whole)

        p50, p99, most = (at(percent, self.unseen_ms) for percent in (50, 99, 100))
        result = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms"
        what, wanted = f"{kills}text that nobody saw, lost", "p99 ≤ 150 ms, max ≤ 250 ms"
        record("G1", what, wanted, result, p99 <= 150 and most <= 250)

        what = f"{kills}file unsound, log untrue or answer not ended after the start"
        record("G1", what, "0", f"{len(self.findings)}", self.findings == [])

        p50, most = at(50, self.recovery_s), at(100, self.recovery_s)
        what = f"{kills}from the start of the process to its first answer"
        record("G1", what, "≤ 2 s", f"p50 {p50:.2f} s, max {most:.2f} s", most <= 2)


class Said(NamedTuple):
    """When the provider sent each token of an answer, by its question, and when the kill came."""

    killed_at: float
    sent: dict[str, Sequence[float]]


async def kill_once(
    server: Server, upstream: DeepSeekStandIn, rng: random.Random, damage: Damage
) -> None:
    """One round on a running server: ask, kill, start again, compare."""
    watches = [Watch(number, rng) for number in range(STREAMS)]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as client:
        tasks = [asyncio.create_task(watch.watch(client)) for watch in watches]
        await asyncio.sleep(rng.uniform(0.05, 2.0))
        sent = {
            text_of(request.body["messages"][-1]["content"]): said_at  # type: ignore[index]
            for request, said_at in upstream.under_way()
        }
        killed_at = time.monotonic()
        await server.kill()
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            assert task.done(), "a reader of a killed server still waits"
            task.result()
    await until(lambda: upstream.in_flight == 0)
    upstream.reset()
    await server.start()
    damage.kills += 1
    damage.recovery_s.append(server.recovery_s)
    damage.findings += oracle.findings(server.database)
    await _compare(server, watches, Said(killed_at, sent), damage)


async def _compare(server: Server, watches: list[Watch], said: Said, damage: Damage) -> None:
    stored, asked = oracle.logs(server.database), oracle.questions(server.database)
    async with aiohttp.ClientSession(server.url) as client:
        for watch in filter(lambda one: one.accepted, watches):
            log = stored.get(watch.generation_id)
            damage.accepted += 1
            damage.cut += watch.seen != b""
            if log is None or watch.asked not in asked:
                damage.accepted_lost += 1
                damage.findings.append(f"I1: {watch.generation_id} was accepted and is not there")
                continue
            damage.findings += _marked(log)
            replayed = await _again(client, watch, log)
            if not replayed.startswith(NOT_THE_LOG.sub(b"", watch.seen)):
                damage.seen_lost += 1
                damage.findings.append(f"I2: {log.id} lost {watch.seen!r}, has {replayed!r}")
            if watch.asked in said.sent:
                sent = said.sent[watch.asked]
                unseen_s = watch.unseen_s(sent, log.said(), said.killed_at)
                damage.unseen_ms.append(1000 * unseen_s)


def _marked(log: oracle.Log) -> list[str]:
    if (log.status, log.code) == ("interrupted", "server_stopped"):
        return []
    return [f"{log.id} was cut, but is {log.status} with {log.code}"]


async def _again(client: aiohttp.ClientSession, watch: Watch, log: oracle.Log) -> bytes:
    """What a reader of the same kind is sent now, or would be."""
    if not watch.numbered:
        return log.as_sent()
    async with client.get(f"/api/v1/generations/{log.id}/events") as response:
        assert response.status == 200
        return NOT_THE_LOG.sub(b"", await response.read())
