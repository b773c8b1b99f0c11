"""Stop at any moment, before the first word too: at once, for good, and the vendor is let go."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

import pytest

from standins.behaviours import Answer, Delay, Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.durability.processes import until
from tests.torture import record, replayable, scaled, seed

from .figures import at
from .raw import ENDED, Numbered
from .readers import Lead, Ticket, ask_behind, prose

CANCELS = scaled(60, 2_000)
AT_ONCE = 20
SPREAD_S = 0.5  # the moments: about a third of them before the first word
STORM = 100


@dataclass
class Stopped:
    """What a number of cancels came to."""

    seconds: list[float] = field(default_factory=list)
    wordless: int = 0
    cut: int = 0  # answers that were cancelled, not ended by themselves before

    def add(self, seconds: float, lead: Lead, status: str) -> None:
        self.seconds.append(seconds)
        self.cut += status == "cancelled"
        self.wordless += len(lead.log) == 2  # started and ended

    def record(self) -> None:
        """The goal and what came out."""
        p50, p99 = at(50, self.seconds) * 1000, at(99, self.seconds) * 1000
        most = at(100, self.seconds) * 1000
        what = f"{len(self.seconds)} cancels at random moments, {self.wordless} before a word"
        result = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {most:.0f} ms"
        record("G12", f"{what}: the end is shown", "p99 ≤ 500 ms", result, p99 <= 500)
        result = f"{self.cut} cancelled, all connections closed, 0 events after the end"
        wanted = "vendor's connection closed, 0 events after the end"
        record("G12", what, wanted, result, met=True)


async def stop_one(
    product: Product, rng: random.Random, stopped: Stopped
) -> tuple[Ticket, list[Numbered]]:
    """Ask, follow, cancel at some moment; the log as its reader saw it: the end is the last."""
    ticket = await ask_behind(product, f"say: {prose(rng, 200)}")
    lead = Lead()
    reading = asyncio.create_task(lead.follow(product, ticket))
    await asyncio.sleep(rng.uniform(0, SPREAD_S))
    began = time.monotonic()
    status, body = await product.call("POST", f"/generations/{ticket.generation_id}/cancel")
    await reading
    stopped.add(time.monotonic() - began, lead, body["status"])
    assert (status, body["status"], body["last_seq"]) == (200, "cancelled", len(lead.log))
    assert [seq for seq, frame in lead.log if ENDED in frame] == [len(lead.log)]
    return ticket, lead.log


async def batch(
    product: Product, upstream: DeepSeekStandIn, rng: random.Random, stopped: Stopped
) -> None:
    """Twenty at once. Every connection to the vendor that was opened is closed again, and later
    the logs are what they were at their ends."""
    asked = len(upstream.chats)
    for _ in range(AT_ONCE):
        first_word_s = rng.uniform(0, SPREAD_S * 2 / 3)
        upstream.play(Answer(tokens_per_s=100), Delay(before_first_token_s=first_word_s))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stop_one(product, rng, stopped)) for _ in range(AT_ONCE)]
    await until(lambda: upstream.in_flight == 0)
    assert len(upstream.disconnects) == len(upstream.chats) - asked
    for ticket, log in (task.result() for task in tasks):
        again = Lead()
        await again.follow(product, ticket)
        assert again.log == log
    upstream.reset()


@pytest.mark.timeout(120 + CANCELS // 4)
async def test_a_stop_at_any_moment_is_shown_at_once_and_lets_the_vendor_go(
    product: Product,
    upstream: DeepSeekStandIn,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    upstream.reset()
    stopped, first = Stopped(), seed()
    for number in range(CANCELS // AT_ONCE):
        with replayable(request.node.nodeid, first + number):
            await batch(product, upstream, random.Random(first + number), stopped)
        if (number + 1) % 10 == 0:
            with capsys.disabled():
                print(f"{len(stopped.seconds)} of {CANCELS} (seed {first + number})", flush=True)
    with capsys.disabled():
        stopped.record()
    assert at(99, stopped.seconds) < 2  # the goal is half a second, on a machine at rest
    assert stopped.wordless > 0
    assert stopped.wordless < CANCELS


@pytest.mark.parametrize("after_tokens", [None, 0, 3])
async def test_a_storm_of_stops_is_answered_with_one_truth(
    product: Product, upstream: DeepSeekStandIn, after_tokens: int | None
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens))
    ticket = await ask_behind(product, "say: one two three four five six")
    lead = Lead()
    async with asyncio.TaskGroup() as group:
        group.create_task(lead.follow(product, ticket))
        await gate.reached()
        path = f"/generations/{ticket.generation_id}/cancel"
        storm = [group.create_task(product.call("POST", path)) for _ in range(STORM)]
    (truth,) = {repr(task.result()) for task in storm}
    status, body = storm[0].result()
    assert (status, body["status"], body["last_seq"]) == (200, "cancelled", len(lead.log))
    assert repr(await product.call("POST", path)) == truth
    assert upstream.in_flight == 0
    assert len(upstream.disconnects) == 1
