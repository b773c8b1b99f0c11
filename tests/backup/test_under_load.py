"""Backups of a server at work: each is sound, has all that was accepted, and holds nobody up.

20 callers ──▶ server ◀── stopwatch: how long does a commit take, how long does the disk take?
                 │
   backup, by command
   or by endpoint ─▶ restore elsewhere ─▶ oracle ─▶ a server starts on it ─▶ oracle
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
from .stopwatch import Span, Times, stopwatch

ME = "tests/backup/test_under_load.py"
BACKUPS = scaled(3, 100)
CALLERS = 20
BALLAST_MB = 64  # so that a copy takes a while
PAUSE_S = 0.01
WANTED_MS = 100


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


async def by_command(server: Server, target: Path) -> tuple[Path, Path]:
    """Make a backup: where its database is, and what is restored of it."""
    copied = await lite_llm_chat(server.folder, "backup", target)
    assert copied.code == 0, copied.err
    return target, target


async def by_endpoint(server: Server, target: Path) -> tuple[Path, Path]:
    """The same, by the server itself, sent away as a tar."""
    async with aiohttp.ClientSession(f"{server.url}/api/v1/") as client:
        async with client.post("backups") as response:
            assert response.status in (201, 202), await response.text()
        while True:
            async with client.get("backups") as response:
                found = await response.json()
            if not found["running"]:
                break
            await asyncio.sleep(PAUSE_S)
        assert found["last_error"] is None
        name = found["backups"][0]["name"]
        assert found["backups"][0]["verified"]
        async with client.get(f"backups/{name}") as response:
            assert response.status == 200, await response.text()
            with target.open("wb") as file:
                async for some in response.content.iter_chunked(1 << 20):
                    file.write(some)
    return server.folder / "backups" / name, target


async def check(copy: Path, elsewhere: Path, upstream_url: str, accepted: set[str]) -> list[str]:
    """What is wrong with a backup: as a file, restored, and after a server started on it."""
    await asyncio.to_thread(elsewhere.mkdir)
    restored = await lite_llm_chat(elsewhere, "restore", copy)
    if restored.code:
        return [restored.err]
    found, logs = await asyncio.to_thread(read, elsewhere / "chat.db")
    lost = accepted - logs.keys()
    found += [f"I1: {one} was accepted before the backup and is not in it" for one in lost]
    async with Server("main", elsewhere, upstream_url, log_level="error") as server:
        return found + await asyncio.to_thread(oracle.findings, server.database)


def read(database: Path) -> tuple[list[str], dict[str, oracle.Log]]:
    """What is wrong with a file, and its logs. It takes long: not for the loop that holds the
    stopwatch."""
    return oracle.findings(database, at_rest=False), oracle.logs(database)


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
    """The backups of a server at work, when each was made, and what was wrong with them."""

    times: Times
    churn: Churn = field(default_factory=Churn)
    copies: list[Path] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    async def take(self, server: Server, upstream_url: str, rng: random.Random) -> None:
        """One more, at a random moment."""
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        number, accepted = len(self.copies), set(self.churn.accepted)
        way, begun = by_endpoint if number % 2 else by_command, time.monotonic()
        copy, sent = await way(server, server.folder.with_name(f"copy-{number}"))
        self.times.copying.append((begun, time.monotonic()))
        self.copies.append(copy)
        elsewhere = server.folder.with_name(f"restored-{number}")
        self.findings += await check(sent, elsewhere, upstream_url, accepted)
        print(f"G15 {number + 1}/{BACKUPS}: {self.churn.line()}", flush=True)


async def take_all(taken: Taken, server: Server, upstream_url: str, used: int) -> None:
    """All backups, with a crowd of callers around."""
    rng, over = random.Random(used), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(taken.churn.run(server.url, CALLERS, used, over))
        for _ in range(BACKUPS):
            await taken.take(server, upstream_url, rng)
        over.set()


@pytest.mark.parametrize(
    ("syncs", "held_up_ms"),
    [([], 800), ([(9.0, 9.9)], 800), ([(10.1, 10.8), (10.8, 10.9)], 100), ([(9.5, 11.5)], 30)],
    ids=["no sync", "before it", "within it", "all the while"],
)
def test_a_commit_is_held_up_by_what_the_disk_did_not_take(
    syncs: list[Span], held_up_ms: float
) -> None:
    commits = [(5.0, 7.0), (9.4, 9.43), (10.0, 10.8)]
    times = Times(commits, syncs, copying=[(9.3, 10.5)])
    assert times.held_up_ms() == pytest.approx(held_up_ms)


@pytest.mark.timeout(scaled(170, 3_600))
async def test_a_backup_under_load_is_whole_and_holds_no_commit_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used, served = seed(), tmp_path / "served"
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
            async with stopwatch(server.url, tmp_path / "block") as times:
                taken = Taken(times)
                await take_all(taken, server, upstream.url, used)
            for copy in taken.copies:
                taken.findings += torn(copy, server.database)
        held_up_ms = times.held_up_ms()
        record(
            "G15",
            "backups under load, restored",
            f"no finding, no commit held up for more than {WANTED_MS} ms, the disk's own apart",
            f"{BACKUPS} backups of more than {BALLAST_MB} MB, {len(taken.findings)} findings;"
            f" commits: {times.line(beside=False)}; {times.line(beside=True)}, of that not the"
            f" disk's {held_up_ms:.0f} ms",
            not taken.findings and held_up_ms <= WANTED_MS,
        )
        assert taken.findings == []
        assert taken.churn.faults == []
        assert len(taken.churn.accepted) > BACKUPS
