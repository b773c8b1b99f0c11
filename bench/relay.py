"""Relaying: CPU for a token, age of a token, memory, and the log's throughput.

upstream ─┬─▶ nginx ────▶ client      round 1, 2, 3 …: first the one, then the other
          └─▶ product ──▶ client
"""

from __future__ import annotations

import statistics

from .load import Cost, Order, Target, run
from .machine import Cores
from .report import Row, median_ratio, percentile
from .servers import Server


async def paced(
    product: Target, nginx: Target | None, where: tuple[Server, Cores], order: Order, rounds: int
) -> list[Row]:
    """Streams at the rate of a model: cost, delay and memory. `where` is the upstream and the
    cores."""
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(rounds):
        if nginx:
            theirs.append(await run(nginx, order, *where))
        ours.append(await run(product, order, *where))
    what = f"{order.streams} streams × {order.rate} tokens/s"
    return [
        _cpu(what, ours, theirs),
        _ages(f"{what}: age of a token once all run", ours, theirs, settled=True),
        _ages(f"{what}: age of a token, arrival included", ours, theirs, settled=False),
        _memory(what, ours, theirs),
    ]


async def unpaced(
    product: Target, upstream: Server, cores: Cores, order: Order, rounds: int
) -> Row:
    """Tokens through the log as fast as they come."""
    costs = [await run(product, order, upstream, cores) for _ in range(rounds)]
    speed = statistics.median(cost.tokens_per_s for cost in costs)
    cpu_us = statistics.median(cost.cpu_us for cost in costs)
    what = f"as fast as it can, {order.streams} streams: tokens through the log"
    return Row(what, "–", f"{speed:,.0f}/s, {cpu_us:.1f} µs CPU each", "–")


def _cpu(what: str, ours: list[Cost], theirs: list[Cost]) -> Row:
    mine = [cost.cpu_us for cost in ours]
    name = f"{what}: CPU for a streamed token, durable"
    shown = f"{statistics.median(mine):.1f} µs"
    if not theirs:
        return Row(name, "–", shown, "nginx is not installed here")
    other = [cost.cpu_us for cost in theirs]
    ratio = f"{median_ratio(other, mine):.2f} (nginx ÷ product)"
    return Row(name, ratio, shown, f"nginx, nothing kept: {statistics.median(other):.1f} µs")


def _ages(what: str, ours: list[Cost], theirs: list[Cost], *, settled: bool) -> Row:
    name = f"{what}, p50 / p99"
    mine = _quantiles(ours, settled)
    if not theirs:
        return Row(name, "–", f"{mine[0]:.1f} / {mine[1]:.1f} ms", "nginx is not installed here")
    other = _quantiles(theirs, settled)
    added = f"+{mine[0] - other[0]:.1f} / +{mine[1] - other[1]:.1f} ms"
    shown = f"{mine[0]:.1f} / {mine[1]:.1f} ms"
    return Row(name, added, shown, f"nginx: {other[0]:.1f} / {other[1]:.1f} ms")


def _quantiles(costs: list[Cost], settled: bool) -> tuple[float, float]:
    """Milliseconds: the medians over the rounds of each round's p50 and p99."""
    ages = [cost.settled_us if settled else cost.ages_us for cost in costs]
    p50 = statistics.median(percentile(round_, 50) for round_ in ages)
    p99 = statistics.median(percentile(round_, 99) for round_ in ages)
    return p50 / 1000, p99 / 1000


def _memory(what: str, ours: list[Cost], theirs: list[Cost]) -> Row:
    mine = max(cost.rss_mb for cost in ours)
    other = f"nginx: {max(cost.rss_mb for cost in theirs):.0f} MB" if theirs else "–"
    return Row(f"{what}: memory of the server", "–", f"{mine:.0f} MB", other)
