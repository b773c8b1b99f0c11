"""Hours of everything at once: nothing grows, nothing is lost.

    callers ──▶ server (stopped once, killed once) ──▶ a vendor that fails one time in a hundred
                  │ every few minutes a backup
                  └ its memory, descriptors and log, sampled all the while

`SCALE=nightly SOAK_MINUTES=360` is the long one. The rows are checked whenever the server is down,
in each backup, and in the end.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from standins.answers import Answer
from standins.behaviours import Cut, Played, Status
from standins.deepseek import DeepSeekStandIn, Traits
from tests.backup.command import lite_llm_chat
from tests.conftest import KEY
from tests.durability import oracle
from tests.durability.processes import Server
from tests.torture import NIGHTLY, record, replayable, scaled, seed

from .churn import Churn
from .vitals import Life, sample

ME = "tests/soak/test_soak.py"
NIGHTLY_S = 60 * int(os.environ.get("SOAK_MINUTES", "60"))
DURATION_S = scaled(20, NIGHTLY_S)
CALLERS = scaled(20, 40)
SAMPLES = 400
LINES = 30  # of progress
BACKUPS = 12
FAULT_EVERY = 100  # requests
FAULTS: tuple[Played, ...] = (Status(500), Status(429), Status(401), Cut(how="rst"), Cut(how="eof"))
WAL_MB = 64 * 1024 * 1024 / 1e6


@dataclass
class Soak:
    """One run: the lives of its processes and what was wrong."""

    server: Server
    upstream: DeepSeekStandIn
    seed: int
    churn: Churn = field(default_factory=Churn)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    lives: list[Life] = field(default_factory=lambda: [Life()])
    findings: list[str] = field(default_factory=list)
    backups: int = 0

    async def run(self) -> None:
        """All of it, for DURATION_S."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.churn.run(self.server.url, CALLERS, self.seed, self.over))
            watching = group.create_task(self._watch(begun))
            failing = group.create_task(self._fail())
            backing = group.create_task(self._back_up())
            await asyncio.sleep(DURATION_S / 12)
            await self._end(signal.SIGTERM)
            await asyncio.sleep(DURATION_S / 12)
            await self._end(signal.SIGKILL)
            await asyncio.sleep(max(0.0, begun + DURATION_S - time.monotonic()))
            self.over.set()
            for task in (watching, failing, backing):
                task.cancel()
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        """End the process and look at its file before the next one starts, which must mend it."""
        self.server.signal(number)
        code = await self.server.ended()
        if number is signal.SIGTERM and code not in (0, -signal.SIGTERM):
            self.findings.append(f"a planned stop ended with {code}: {self.server.output[-500:]}")
        self._found(oracle.findings(self.server.database, at_rest=number is signal.SIGTERM))
        self.lives.append(Life())
        await self.server.start()
        print(f"G16 {number.name}: answers again after {self.server.recovery_s:.2f} s", flush=True)

    def _found(self, findings: list[str]) -> None:
        self.findings += [f"{len(self.churn.accepted)} answers in: {one}" for one in findings]

    async def _watch(self, begun: float) -> None:
        told = 0
        while True:
            await asyncio.sleep(DURATION_S / SAMPLES)
            process = self.server._process
            if process is None or process.returncode is not None:
                continue
            try:
                now = sample(process.pid, self.server.database)
            except OSError:  # it ended meanwhile
                continue
            self.lives[-1].samples.append(now)
            if (part := int((now.at_s - begun) / DURATION_S * LINES)) > told:
                told = part
                print(
                    f"G16 {now.at_s - begun:.0f} s: {self.churn.line()}; {now.line()}", flush=True
                )

    async def _fail(self) -> None:
        """Make one in a hundred of the vendor's answers go wrong."""
        rng, due = random.Random(self.seed), 0.0
        while True:
            await asyncio.sleep(0.2)
            due += len(self.upstream.requests) / FAULT_EVERY
            self.upstream.requests.clear()
            self.upstream.disconnects.clear()
            while due >= 1:
                self.upstream.play(rng.choice(FAULTS))
                due -= 1

    async def _back_up(self) -> None:
        copy = self.server.folder / "copy.db"
        while True:
            await asyncio.sleep(DURATION_S / BACKUPS)
            copied = await lite_llm_chat(self.server.folder, "backup", copy, "--replace")
            self._found([copied.err] if copied.code else oracle.findings(copy, at_rest=False))
            self.backups += 1


@pytest.mark.timeout(DURATION_S + 150)
async def test_nothing_grows_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = seed()
    traits, answer = Traits(concurrency=1_000), Answer(tokens=40, tokens_per_s=50)
    with replayable(ME, used), capsys.disabled():
        async with (
            DeepSeekStandIn(KEY, answer=answer, traits=traits) as upstream,
            Server("main", tmp_path, upstream.url, log_level="error", drain_seconds=2) as server,
        ):
            soak = Soak(server, upstream, used)
            await soak.run()
            soak.findings += oracle.findings(server.database)
        longest = max(soak.lives, key=lambda life: len(life.samples))
        grown, more = longest.mb_in_10_min(), longest.new_descriptors()
        wal_mb = max(life.wal_mb() for life in soak.lives)
        lost = set(soak.churn.accepted) - oracle.logs(server.database).keys()
        met = not soak.findings and not lost and more <= CALLERS and wal_mb <= WAL_MB
        late = longest.mb_in_10_min(late=True)
        memory = f"{grown:+.2f} MB in 10 minutes, {late:+.2f} in the last half of its life"
        memory = memory if NIGHTLY else "memory: too short to be judged"
        record(
            "G16",
            f"{DURATION_S / 60:.1f} minutes of churn, one SIGTERM, one kill -9",
            "no finding, under 1 MB more in 10 minutes, descriptors flat, log up to 64 MiB",
            f"{len(soak.churn.accepted)} answers, {soak.backups} backups, {len(soak.findings)}"
            f" findings; {memory}, {more:+d} descriptors, log {wal_mb:.1f} MB",
            met and (grown < 1 or not NIGHTLY),
        )
        assert soak.findings == []
        assert soak.churn.faults == []
        assert lost == set()
        assert wal_mb <= WAL_MB
        assert more <= CALLERS
        assert soak.churn.done["ask"] > CALLERS
        if NIGHTLY:  # a few seconds are all warm-up
            assert grown < 1
