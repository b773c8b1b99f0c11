"""Relaying: CPU for a token, age of a token, memory, bytes on the wire, and the log's throughput.

upstream ─┬─▶ nginx ────▶ client      round 1, 2, 3 …: first the one, then the other
          └─▶ product ──▶ client
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from .load import Cost, Order, Place, Target, run
from .report import Row, goal, median_quantiles, median_ratio

NO_NGINX = "nginx is not installed here"
OLDEST_MS = 120  # p99, beyond nginx's
MOST_MB = 250
CHEAPEST = 1.0  # nginx ÷ product
A_TOKEN = "CPU for a streamed token, durable"
WIDEST = 2.0  # bytes on the wire for a byte of text


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: the product and, where it is installed, nginx before the same upstream."""

    product: Target
    nginx: Target | None
    place: Place


@dataclass(frozen=True, slots=True)
class Rounds:
    """What came out, round by round; `theirs` is empty where there is no nginx."""

    order: Order
    ours: list[Cost]
    theirs: list[Cost]

    @property
    def what(self) -> str:
        return f"{self.order.streams:,} streams × {self.order.rate} tokens/s"


async def paced(sides: Sides, order: Order, rounds: int) -> list[Row]:
    """Streams at the rate of a model: cost, delay, memory and bytes."""
    taken = await _alternating(sides, order, rounds)
    return [
        *_cpu(taken),
        _ages(taken, "age of a token once all run", settled=True),
        _ages(taken, "age of a token, arrival included", settled=False),
        _memory(taken),
        _wire(taken),
    ]


async def fast(sides: Sides, order: Order, rounds: int) -> list[Row]:
    """Streams at twice that rate: what counts is what a token costs. Then once more with streams
    that all speak on one beat, where nginx is woken once for many."""
    rows = _cpu(await _alternating(sides, order, rounds), CHEAPEST)
    beat = await _alternating(sides, replace(order, apart=False), rounds)
    return [*rows, _compared(f"{beat.what} on one beat: {A_TOKEN}", beat, _running_us)[1]]


async def short(sides: Sides, order: Order, rounds: int) -> list[Row]:
    """Streams of short tokens: what counts is what is around them."""
    return [_wire(await _alternating(sides, order, rounds))]


async def unpaced(sides: Sides, order: Order, rounds: int) -> list[Row]:
    """Tokens through the log as fast as they come."""
    costs = [await run(sides.product, order, sides.place) for _ in range(rounds)]
    speed = statistics.median(cost.tokens_per_s for cost in costs)
    cpu_us = statistics.median(cost.cpu_us for cost in costs)
    what = f"as fast as it can, {order.streams} streams: tokens through the log"
    return [Row(what, "–", f"{speed:,.0f}/s, {cpu_us:.1f} µs CPU each", "–")]


async def _alternating(sides: Sides, order: Order, rounds: int) -> Rounds:
    taken = Rounds(order, [], [])
    for _ in range(rounds):
        if sides.nginx:
            taken.theirs.append(await run(sides.nginx, order, sides.place))
        taken.ours.append(await run(sides.product, order, sides.place))
    return taken


def _cpu(taken: Rounds, cheapest: float | None = None) -> list[Row]:
    """While all run, and of the whole: with the questions, the ends and what is between."""
    running = _compared(f"{taken.what}: {A_TOKEN}", taken, _running_us)
    ratio, row = running
    if ratio and cheapest:
        row = replace(row, goal=goal(f"≥ {cheapest:.2f}", ratio >= cheapest))
    whole = f"{taken.what}: the same with its share of the question and of the end"
    return [row, _compared(whole, taken, _whole_us)[1]]


def _running_us(cost: Cost) -> tuple[float, str]:
    return cost.running_us, f", woken {cost.running_wakes:.2f} times"


def _whole_us(cost: Cost) -> tuple[float, str]:
    return cost.cpu_us, ""


def _compared(
    what: str, taken: Rounds, figure: Callable[[Cost], tuple[float, str]]
) -> tuple[float, Row]:
    """nginx's microseconds divided by ours (0: there is no nginx), and the row of that."""
    mine = [figure(cost)[0] for cost in taken.ours]
    shown = f"{statistics.median(mine):.1f} µs{figure(taken.ours[-1])[1]}"
    if not taken.theirs:
        return 0.0, Row(what, "–", shown, NO_NGINX)
    other = [figure(cost)[0] for cost in taken.theirs]
    ratio = median_ratio(other, mine)
    theirs = f"nginx, nothing kept: {statistics.median(other):.1f} µs{figure(taken.theirs[-1])[1]}"
    return ratio, Row(what, f"{ratio:.2f} (nginx ÷ product)", shown, theirs)


def _ages(taken: Rounds, which: str, *, settled: bool) -> Row:
    name = f"{taken.what}: {which}, p50 / p99"
    mine = ages_ms(taken.ours, settled=settled)
    shown = f"{mine[0]:.1f} / {mine[1]:.1f} ms"
    if not taken.theirs:
        return Row(name, "–", shown, NO_NGINX)
    other = ages_ms(taken.theirs, settled=settled)
    added = mine[1] - other[1]
    return Row(
        name,
        f"+{mine[0] - other[0]:.1f} / +{added:.1f} ms",
        shown,
        f"nginx: {other[0]:.1f} / {other[1]:.1f} ms",
        goal(f"p99 ≤ +{OLDEST_MS} ms", added <= OLDEST_MS),
    )


def ages_ms(costs: list[Cost], *, settled: bool) -> tuple[float, float]:
    """p50 and p99 of the tokens' ages."""
    p50, p99 = median_quantiles(cost.ages_us(settled=settled) for cost in costs)
    return p50 / 1000, p99 / 1000


def _memory(taken: Rounds) -> Row:
    mine = max(cost.rss_mb for cost in taken.ours)
    other = [cost.rss_mb for cost in taken.theirs]
    return Row(
        f"{taken.what}: memory of the server",
        "–",
        f"{mine:.0f} MB",
        f"nginx: {max(other):.0f} MB" if other else NO_NGINX,
        goal(f"≤ {MOST_MB} MB", mine <= MOST_MB),
    )


def _wire(taken: Rounds) -> Row:
    chars, mine = taken.order.chars, statistics.median(cost.wire for cost in taken.ours)
    other = [cost.wire for cost in taken.theirs]
    return Row(
        f"{taken.what} of {chars} characters: bytes on the wire for a byte of text",
        f"{statistics.median(other) / mine:.1f} (nginx ÷ product)" if other else "–",
        f"{mine:.2f}",
        f"nginx: {statistics.median(other):.2f}" if other else NO_NGINX,
        goal(f"≤ {WIDEST}", mine <= WIDEST),
    )
