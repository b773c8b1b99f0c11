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
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from standins.deepseek import DeepSeekStandIn
from standins.deepseek_rules import text_of
from standins.words import pieces, tokens
from tests.conftest import question

from . import oracle
from .processes import Server, until

STREAMS = 50
TOKENS_PER_S = 50.0
ANSWER_TOKENS = 1500
NOT_THE_LOG = re.compile(rb"^(event: caught_up\ndata: [^\n]*|: [^\n]*)\n\n", re.MULTILINE)


class Watch:
    """One question and everything its asker was sent."""

    def __init__(self, number: int, rng: random.Random) -> None:
        said = "".join(tokens(rng.randrange(2**32), ANSWER_TOKENS, "mixed")).replace("\n", "\u2028")
        self.text = f"№{number} {said}"
        self.asked = f"say: {self.text}"
        self.numbered = number % 2 == 1
        self.accepted = False
        self.generation_id = ""
        self.seen = b""

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

    def unseen_tokens(self, sent: int, stored: str) -> int:
        """How many of the tokens that the provider sent are not stored."""
        length, kept = 0, 0
        for token in pieces(self.text)[:sent]:
            length += len(token)
            kept += length <= len(stored)
        return sent - kept


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
        unseen, recovery = sorted(self.unseen_ms) or [0.0], sorted(self.recovery_s) or [0.0]
        return (
            f"kills {self.kills}, questions accepted {self.accepted}, streams cut {self.cut},"
            f" accepted lost {self.accepted_lost}, seen lost {self.seen_lost},"
            f" unseen ms p50 {unseen[len(unseen) // 2]:.0f}"
            f" p99 {unseen[len(unseen) * 99 // 100]:.0f} max {unseen[-1]:.0f},"
            f" recovery s p50 {recovery[len(recovery) // 2]:.2f} max {recovery[-1]:.2f}"
        )


async def kill_once(
    server: Server, upstream: DeepSeekStandIn, rng: random.Random, damage: Damage
) -> None:
    """One round on a running server: ask, kill, start again, compare."""
    watches = [Watch(number, rng) for number in range(STREAMS)]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as client:
        tasks = [asyncio.create_task(watch.watch(client)) for watch in watches]
        await asyncio.sleep(rng.uniform(0.05, 2.0))
        await server.kill()
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            assert task.done(), "a reader of a killed server still waits"
            task.result()
    await until(lambda: upstream.in_flight == 0)
    sent = {text_of(gone.request.body["messages"][-1]["content"]): gone.tokens  # type: ignore[index]
            for gone in upstream.disconnects}  # fmt: skip
    upstream.reset()
    await server.start()
    damage.kills += 1
    damage.recovery_s.append(server.recovery_s)
    damage.findings += oracle.findings(server.database)
    await _compare(server, watches, sent, damage)


async def _compare(
    server: Server, watches: list[Watch], sent: dict[str, int], damage: Damage
) -> None:
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
            if watch.asked in sent:
                missing = watch.unseen_tokens(sent[watch.asked], log.said())
                damage.unseen_ms.append(missing * 1000 / TOKENS_PER_S)


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


async def kill_often(server: Server, upstream: DeepSeekStandIn, seed: int, kills: int) -> Damage:
    """A number of rounds on one database; stops at the first damage."""
    damage = Damage()
    for number in range(kills):
        round_seed = seed + number
        before = len(damage.findings)
        await kill_once(server, upstream, random.Random(round_seed), damage)
        damage.findings[before:] = [f"seed {round_seed}: {one}" for one in damage.findings[before:]]
        if damage.findings:
            break
    return damage
