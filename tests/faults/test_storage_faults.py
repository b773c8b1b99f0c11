"""A disk that refuses the n-th write or sync, for every n: nothing is shown that is not saved, and
the server goes on without a restart.

    n = 1, 2, 3 … until a whole chat passes untouched     once, and until it is healed

Each kind of fault has a server process and a disk of its own, and all its chats happen there. At
the end that process is killed, and every byte that a reader had is looked for in the file.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from standins.answers import Answer
from standins.behaviours import Flood
from standins.deepseek import DeepSeekStandIn, Traits
from tests.conftest import KEY
from tests.durability.processes import until
from tests.torture import NIGHTLY, record, replayable, scaled, seed

from .lane import Lane, lane
from .shim import Fault, On

NODE = "tests/faults/test_storage_faults.py"
VALUES = 12  # of n, for each kind, in the small size
TOKENS_PER_S = 150.0
WORDS = "and so on, " * 6 + "and on"
ON: tuple[On, ...] = ("write", "sync")
FAULTS = [
    fault
    for once in (True, False)
    for fault in (
        Fault("ENOSPC", "write", once),
        Fault("EIO", "write", once),
        Fault("EIO", "sync", once),
    )
]
MAIN_FILE = [Fault("EIO", on, once, main_only=True) for on in ON for once in (True, False)]
CHECKPOINTS = scaled(2, 12)  # refused ones of each kind
MAIN_WRITES = 500  # a checkpoint here has more


@pytest.fixture
async def upstream() -> AsyncIterator[DeepSeekStandIn]:
    """A vendor that speaks slowly enough for several commits an answer."""
    answer, traits = Answer(tokens_per_s=TOKENS_PER_S), Traits(concurrency=1000)
    async with DeepSeekStandIn(KEY, answer=answer, traits=traits) as stand_in:
        yield stand_in


# ── the n-th operation ────────────────────────────────────────────────────────────────────────


async def refuse_each(lane: Lane, fault: Fault, rng: random.Random) -> list[int]:
    """One chat for each n; the numbers that were tried."""
    tried = []
    for number in numbers(await _operations(lane, fault), rng):
        tried.append(number)
        lane.shim.refuse(fault, number)
        await _one_chat(lane, f"say: {number} {rng.randrange(10**9)} {WORDS}", fault)
        await until(lambda: lane.upstream.in_flight == 0 or not lane.server.running)
        if lane.findings or (NIGHTLY and not lane.shim.count("refused")):
            break
    lane.shim.heal()
    told = await lane.ask("say: all is well again")
    lane.expect(told.whole, f"after all that a chat ended with {told.last}")
    await lane.server.kill()
    lane.compare()
    lane.findings = [f"{fault}, n = {tried[-1]}: {one}" for one in lane.findings]
    return tried


async def _operations(lane: Lane, fault: Fault) -> int:
    """How many operations an untouched chat takes."""
    before = lane.shim.count(fault.on)
    told = await lane.ask(f"say: 0 {WORDS}")
    assert told.whole
    return lane.shim.count(fault.on) - before


def numbers(most: int, rng: random.Random) -> Iterator[int]:
    """Every n from 1; in the small size some of each part of the range, and one beyond it."""
    if NIGHTLY:
        yield from range(1, 100 * most)
        return
    step = max(1.0, most / (VALUES - 1))
    for part in range(min(most, VALUES - 1)):
        yield 1 + int(part * step + rng.random() * (step - 1))
    yield 2 * most


async def _one_chat(lane: Lane, text: str, fault: Fault) -> None:
    """A chat whose disk refuses something, or nothing."""
    chat = asyncio.create_task(lane.ask(text))
    await until(lambda: chat.done() or lane.shim.count("refused") > 0)
    if not fault.once and lane.shim.count("refused"):
        await _while_it_refuses(lane)
    began = time.monotonic()
    lane.refused += lane.shim.count("refused")
    async with asyncio.timeout(20):
        await chat
    await until(lane.is_ready)
    lane.slowest_s = max(lane.slowest_s, time.monotonic() - began)


async def _while_it_refuses(lane: Lane) -> None:
    """Questions are refused, the server says so, and what is saved can be read; then heal."""
    told = await lane.ask(f"say: not now {len(lane.told)}")
    lane.expect(told.status == 503, f"a question was answered with {told.status} meanwhile")
    ready = await lane.ready()
    lane.expect(ready == (503, "storage_unavailable"), f"ready meanwhile: {ready}")
    async with lane.client.get("/api/v1/sessions") as response:
        lane.expect(response.status == 200, f"sessions meanwhile: {response.status}")
    lane.look()
    lane.shim.heal()


@pytest.mark.timeout(3600 if NIGHTLY else 120)
async def test_whatever_operation_the_disk_refuses_nothing_is_shown_that_is_not_saved(
    tmp_path: Path, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    first = seed()

    async def try_all(number: int, fault: Fault) -> tuple[Lane, list[int]]:
        async with lane(tmp_path / str(number), upstream) as one:
            tried = await refuse_each(one, fault, random.Random(first + number))
        with capsys.disabled():
            print(f"\n{fault}: {len(tried)} chats, {one.refused} refusals", end="", flush=True)
        return one, tried

    done = await asyncio.gather(*(try_all(*each) for each in enumerate(FAULTS)))
    findings = [finding for one, _ in done for finding in one.findings]
    with capsys.disabled():
        result = (
            f"{sum(len(tried) for _, tried in done)} chats of {len(FAULTS)} kinds of fault,"
            f" {sum(one.refused for one, _ in done)} operations refused, findings {len(findings)},"
            f" slowest recovery {max(one.slowest_s for one, _ in done):.1f} s"
        )
        wanted = "nothing shown that is not saved; recovers without a restart"
        record("G14", "disk full and EIO at the nth write or sync", wanted, result, not findings)
    with replayable(NODE, first):
        assert findings == []
        assert all(one.refused for one, _ in done)


# ── a checkpoint ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", MAIN_FILE, ids=str)
async def test_a_checkpoint_that_the_disk_refuses_loses_nothing(
    fault: Fault, tmp_path: Path, upstream: DeepSeekStandIn
) -> None:
    first = seed()
    rng = random.Random(first)
    async with lane(tmp_path, upstream) as one:
        for number in rng.sample(range(1, MAIN_WRITES), CHECKPOINTS):
            one.shim.refuse(fault, 1 if fault.on == "sync" else number)
            while not one.shim.count("refused"):
                upstream.play(Flood(count=350, width=4096))
                await _one_chat(one, f"fill the write-ahead log, {number} {len(one.told)}", fault)
        one.shim.heal()
        assert (await one.ask("say: all is well again")).whole
        await one.server.kill()
        one.compare()
    with replayable(NODE, first):
        assert one.findings == []
