"""Readers that are cut anywhere and come back, and readers that come at any time: one log."""

from __future__ import annotations

import asyncio
import random

import pytest

from standins.behaviours import Answer, Flood, Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.torture import record, scaled

from .raw import ENDED, Numbered, body_of, dial, frames_of, get
from .readers import Lead, Ticket, ask_behind, prose
from .trial import Trial

RESUMES = scaled(300, 10_000)
LONGEST_READ = 1500  # bytes of the response, its head included


async def in_bits(
    product: Product, ticket: Ticket, rng: random.Random
) -> tuple[list[Numbered], int]:
    """A whole log, read in connections that are cut after any number of bytes; the cursor is the
    last frame that came whole. The second value is how often it came back."""
    frames: list[Numbered] = []
    connections = 0
    while not frames or ENDED not in frames[-1][1]:
        line = await dial(product)
        cursor = frames[-1][0] if frames else 0
        line.send(get(ticket.events, f"last-event-id: {cursor}"))
        raw = await line.read(rng.randrange(1, LONGEST_READ))
        rng.choice((line.reset, line.leave))()
        frames += frames_of(body_of(raw))
        connections += 1
    return frames, connections - 1


async def wave(product: Product, rng: random.Random) -> int:
    """Four answers at once, each with a reader that stays and five that are cut, some from its
    start, some from its middle, some after its end; how often they came back."""
    tickets = [await ask_behind(product, f"say: {prose(rng, 200)}") for _ in range(4)]
    leads = [Lead() for _ in tickets]

    async def cut_reader(ticket: Ticket, lead: Lead, begin: int) -> int:
        await lead.reaches(begin)
        frames, resumes = await in_bits(product, ticket, rng)
        await lead.reaches(10**9)
        assert frames == lead.log, f"{ticket.generation_id} reads otherwise in bits"
        return resumes

    async with asyncio.TaskGroup() as group:
        for lead, ticket in zip(leads, tickets, strict=True):
            group.create_task(lead.follow(product, ticket))
        readers = [
            group.create_task(cut_reader(ticket, lead, begin))
            for lead, ticket in zip(leads, tickets, strict=True)
            for begin in (0, 1, rng.randrange(30), rng.randrange(60), 10**9)
        ]
    for lead in leads:
        assert [seq for seq, _ in lead.log] == list(range(1, len(lead.log) + 1))
    return sum(task.result() for task in readers)


@pytest.mark.timeout(120 + RESUMES // 10)
async def test_a_reader_that_is_cut_at_any_byte_and_returns_reads_the_same_bytes(
    product: Product, upstream: DeepSeekStandIn, trial: Trial
) -> None:
    upstream.always(Answer(tokens_per_s=300))
    resumes = waves = 0
    while resumes < RESUMES:
        with trial.round(waves) as rng:
            resumes += await wave(product, rng)
        waves += 1
        if waves % 10 == 0:
            with trial.told():
                print(f"{resumes} of {RESUMES} resumes", flush=True)
    with trial.told():
        record(
            "G7",
            "readers cut at random bytes, resumed by their last id",
            "bytes identical, 0 doubles, 0 gaps",
            f"{resumes} resumes of {waves * 20} readers, all identical (seed {trial.first})",
            met=True,
        )


# ── twenty readers of each of twenty-five answers ─────────────────────────────────────────────

ANSWERS, READERS = 25, 20
BIG = Flood(count=64, text="wörter ", width=1000)  # 448,000 characters: memory holds the last ones
SMALL = Answer(tokens_per_s=100)


async def test_twenty_readers_of_twenty_five_answers_see_the_same_map(
    product: Product, upstream: DeepSeekStandIn, trial: Trial
) -> None:
    with trial.round() as rng:
        gates = [Gate() for _ in range(ANSWERS)]
        leads = [Lead() for _ in gates]
        async with asyncio.TaskGroup() as group:
            for number, (gate, lead) in enumerate(zip(gates, leads, strict=True)):
                big = number % 5 == 0
                upstream.play(BIG if big else SMALL, Pause(gate, 60 if big else 50))
                ticket = await ask_behind(product, f"say: {number} {prose(rng, 100)}")
                group.create_task(lead.follow(product, ticket))
                group.create_task(meet(product, ticket, lead, gate, rng))
    with trial.told():
        record(
            "G8",
            f"{READERS} readers of each of {ANSWERS} answers: early, late, after the end",
            "identical maps of number to bytes",
            f"{ANSWERS * READERS} maps, all identical (seed {trial.first})",
            met=True,
        )


async def meet(
    product: Product, ticket: Ticket, lead: Lead, gate: Gate, rng: random.Random
) -> None:
    """Readers at the start, in the middle (which waits for them) and after the end. A third of
    them come with a number."""

    async def one(begin: int) -> None:
        await lead.reaches(begin)
        after = rng.choice((0, 0, min(begin, len(lead.log))))
        stream = await product.stream(f"{ticket.events}?after={after}")
        seen = [(int(f.id), f.raw.encode()) for f in await stream.rest() if f.id is not None]
        await lead.reaches(10**9)
        assert seen == lead.log[after:], f"{ticket.generation_id} after {after} reads otherwise"

    async with asyncio.TaskGroup() as group:
        for _ in range(READERS // 2):
            group.create_task(one(rng.randrange(3)))
        await gate.reached()
        for _ in range(READERS // 4):
            group.create_task(one(1))
        gate.open()
        for _ in range(READERS - READERS // 2 - READERS // 4):
            group.create_task(one(10**9))
