"""Backups of a server at work: each is sound, has all that was accepted, and holds nobody up.

20 callers ──▶ server ◀── a new session every few ms: how long does a commit take?
                 │
              backup ─▶ restore elsewhere ─▶ oracle ─▶ a server starts on it ─▶ oracle
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from standins.answers import Answer
from standins.deepseek import DeepSeekStandIn, Traits
from tests.conftest import KEY
from tests.durability import oracle
from tests.durability.processes import Server
from tests.soak.churn import Churn
from tests.torture import record, replayable, scaled, seed

from .command import lite_llm_chat

ME = "tests/backup/test_under_load.py"
BACKUPS = scaled(3, 100)
CALLERS = 20
BALLAST_MB = 64  # so that a copy takes a while
PAUSE_S = 0.01
WANTED_MS = 100


@dataclass
class Probe:
    """Commits through the server, one after another, each with how long it took."""

    url: str
    took_ms: dict[str, list[float]] = field(default_factory=lambda: {"alone": [], "beside": []})
    copying: bool = False

    async def run(self) -> None:
        """Make session after session until cancelled."""
        async with aiohttp.ClientSession(self.url) as client:
            while True:
                beside, begun = self.copying, time.monotonic()
                async with client.post("/api/v1/sessions", json={"title": "probe"}) as response:
                    assert response.status == 201, await response.text()
                beside = beside or self.copying
                self.took_ms["beside" if beside else "alone"].append(
                    (time.monotonic() - begun) * 1000
                )
                await asyncio.sleep(PAUSE_S)

    def line(self, when: str) -> str:
        """Median, 99th percentile and maximum."""
        took = sorted(self.took_ms[when]) or [0.0]
        of = {"p50": len(took) // 2, "p99": len(took) * 99 // 100, "max": len(took) - 1}
        figures = " ".join(f"{name} {took[place]:.0f}" for name, place in of.items())
        return f"{when} a backup {figures} ms"


def load_ballast(database: Path) -> None:
    """Make the file large."""
    with closing(sqlite3.connect(database)) as file, file:
        file.execute(
            "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at)"
            " VALUES ('ballast', 'deepseek', 'deepseek-chat', '2026-01-01', '2026-01-01')"
        )
        file.executemany(
            "INSERT INTO chat_messages (session_id, role, content, created_at)"
            " VALUES (1, 'user', ?, '2026-01-01')",
            ((random.randbytes(16_384).hex(),) for _ in range(BALLAST_MB * 32)),
        )


async def check(copy: Path, elsewhere: Path, upstream_url: str, accepted: set[str]) -> list[str]:
    """What is wrong with a backup: as a file, restored, and after a server started on it."""
    await asyncio.to_thread(elsewhere.mkdir)
    restored = await lite_llm_chat(elsewhere, "restore", copy)
    if restored.code:
        return [restored.err]
    found = oracle.findings(elsewhere / "chat.db", at_rest=False)
    lost = accepted - oracle.logs(elsewhere / "chat.db").keys()
    found += [f"I1: {one} was accepted before the backup and is not in it" for one in lost]
    async with Server("main", elsewhere, upstream_url, log_level="error") as server:
        return found + oracle.findings(server.database)


def torn(copy: Path, served: Path) -> list[str]:
    """Logs of a backup that are no beginning of what was served in the end."""
    later = oracle.logs(served)
    return [
        f"I6: {log.id} says in the backup what it does not say any more"
        for log in oracle.logs(copy).values()
        if _without_end(log) != later[log.id].events[: len(_without_end(log))]
    ]


def _without_end(log: oracle.Log) -> list[tuple[int, str, str]]:
    return [event for event in log.events if event[1] != "ended"]


@dataclass
class Taken:
    """The backups of a server at work, and what was wrong with them."""

    churn: Churn = field(default_factory=Churn)
    copies: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    async def take(
        self, server: Server, probe: Probe, upstream_url: str, rng: random.Random
    ) -> None:
        """One more, at a random moment."""
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        number, accepted = len(self.copies), set(self.churn.accepted)
        copy = server.folder.with_name(f"copy-{number}.db")
        probe.copying = True
        copied = await lite_llm_chat(server.folder, "backup", copy)
        probe.copying = False
        assert copied.code == 0, copied.err
        self.copies.append(copy)
        elsewhere = server.folder.with_name(f"restored-{number}")
        self.findings += await check(copy, elsewhere, upstream_url, accepted)
        print(
            f"G15 {number + 1}/{BACKUPS}: {self.churn.line()}; {probe.line('beside')}", flush=True
        )


async def take_all(taken: Taken, server: Server, upstream_url: str, used: int) -> Probe:
    """All backups, with a crowd of callers around."""
    rng, over, probe = random.Random(used), asyncio.Event(), Probe(server.url)
    async with asyncio.TaskGroup() as group:
        group.create_task(taken.churn.run(server.url, CALLERS, used, over))
        probing = group.create_task(probe.run())
        for _ in range(BACKUPS):
            await taken.take(server, probe, upstream_url, rng)
        probing.cancel()
        over.set()
    for copy in taken.copies:
        taken.findings += torn(copy, server.database)
    return probe


@pytest.mark.timeout(scaled(170, 3_600))
async def test_a_backup_under_load_is_whole_and_holds_no_commit_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used, taken, served = seed(), Taken(), tmp_path / "served"
    served.mkdir()
    traits, answer = Traits(concurrency=1_000), Answer(tokens=60, tokens_per_s=50)
    with replayable(ME, used), capsys.disabled():
        async with (
            DeepSeekStandIn(KEY, answer=answer, traits=traits) as upstream,
            Server("main", served, upstream.url, log_level="error") as server,
        ):
            await server.kill()
            load_ballast(server.database)
            await server.start()
            probe = await take_all(taken, server, upstream.url, used)
        record(
            "G15",
            "backups under load, restored",
            f"no finding, no commit held up for more than {WANTED_MS} ms",
            f"{BACKUPS} backups of more than {BALLAST_MB} MB, {len(taken.findings)} findings;"
            f" commits: {probe.line('alone')}; {probe.line('beside')}",
            not taken.findings and max(probe.took_ms["beside"]) <= WANTED_MS,
        )
        assert taken.findings == []
        assert taken.churn.faults == []
        assert len(taken.churn.accepted) > BACKUPS
