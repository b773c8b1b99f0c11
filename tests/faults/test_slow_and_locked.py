"""A disk that is slow and a file that somebody else holds: all stays true, and it goes on."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from standins.answers import Answer
from standins.deepseek import DeepSeekStandIn, Traits
from tests.conftest import KEY
from tests.durability.processes import until
from tests.torture import record, scaled

from .lane import lane

READERS = 10
SYNC_MS = 200
TOKENS_PER_S = 50.0
WORDS = "one two three four five six seven eight nine ten " * 6 + "end"
HELD_S = scaled(1500, 10_000) / 1000  # the server itself waits for a lock for 5 s
HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
file.execute("ROLLBACK")
"""


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    """A vendor that takes more than a second for an answer."""
    answer, traits = Answer(tokens_per_s=TOKENS_PER_S), Traits(concurrency=1000)
    async with DeepSeekStandIn(KEY, answer=answer, traits=traits) as stand_in:
        yield stand_in


async def test_a_disk_that_syncs_slowly_makes_larger_groups_and_loses_nothing(
    tmp_path: Path, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    async with lane(tmp_path, upstream) as one:
        one.shim.slow(SYNC_MS)
        before, began = one.shim.count("sync"), time.monotonic()
        told = await asyncio.gather(*(one.ask(f"say: {n} {WORDS}") for n in range(READERS)))
        took_s, syncs = time.monotonic() - began, one.shim.count("sync") - before
        shown = sum(each.seen.count(b"content") for each in told)
        await one.server.kill()
        one.compare()
    with capsys.disabled():
        result = f"{READERS} answers whole after {took_s:.1f} s, {shown} pieces in {syncs} commits"
        met = all(each.whole for each in told) and not one.findings
        record("G14", f"a sync takes {SYNC_MS} ms", "everything still true", result, met)
    assert one.findings == []
    assert all(each.whole for each in told)
    assert syncs * 3 < shown


async def test_a_file_that_another_process_locks_is_waited_for_or_refused(
    tmp_path: Path, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    async with lane(tmp_path, upstream) as one:
        first = asyncio.create_task(one.ask(f"say: first {WORDS}"))
        await upstream.wait_for_request()
        async with held(one.shim.folder / "chat.db"):
            began = time.monotonic()
            second = asyncio.create_task(one.ask("say: second"))
            await asyncio.sleep(HELD_S)
        told = [await first, await second]
        waited_s = time.monotonic() - began
        await until(one.is_ready)
        assert (await one.ask("say: third")).whole
        await until(lambda: upstream.in_flight == 0)
        await one.server.kill()
        one.compare()
    with capsys.disabled():
        ends = ", ".join("whole" if each.whole else str(each.last["code"]) for each in told)
        result = f"held {HELD_S:g} s, answers after {waited_s:.1f} s: {ends}"
        wanted = "everything still true, goes on without a restart"
        record("G14", "the file locked by another process", wanted, result, not one.findings)
    assert one.findings == []
    assert told[1].status in (200, 503)


@asynccontextmanager
async def held(file: Path) -> AsyncIterator[None]:
    """Another process is in the middle of a write transaction."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(file),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.stdin.write(b"\n")
        holder.stdin.close()
        await holder.wait()
