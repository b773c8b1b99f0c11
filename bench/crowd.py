"""A crowd: a thousand streams that arrive within half a second and then all run.

    fresh server ─▶ 50 chats, ended ─▶ memory before ─▶ the crowd arrives ─▶ all run ─▶ all end
                                                           │                  └─ age, CPU, memory
                                                           └─ first tokens, each from its connect

Each round has a fresh product and a fresh nginx: memory that a server once had it keeps, so a
second crowd would find it there and seem to need none.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace

from .load import Cost, Order, Place, Target, as_vendor, run, through_product
from .machine import rss_mb
from .relay import NO_NGINX, ages_ms
from .report import REFUSED, Row, goal, median_quantiles, median_ratio
from .servers import Servers

FIRST_MS = 300  # p99
OLDEST_MS = 250  # p99
HEAVIEST_KB = 25
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """One crowd: what it cost, and the server's memory before it came."""

    cost: Cost
    before_mb: float

    @property
    def stream_kb(self) -> float:
        """Memory for each held stream."""
        return (self.cost.running_mb - self.before_mb) * 1000 / self.cost.order.streams


async def arriving(servers: Servers, place: Place, order: Order, rounds: int) -> list[Row]:
    """The crowd through nginx, the least durable relay and the product, in turn."""
    ours: list[Taken] = []
    theirs: list[Taken] = []
    least: list[Taken] = []
    for _ in range(rounds):
        relay = await servers.least(place.upstream)
        least.append(await _once(as_vendor(relay), order, place))
        servers.stop(relay)
        if nginx := await servers.nginx(place.upstream):
            theirs.append(await _once(as_vendor(nginx), order, place))
            servers.stop(nginx)
        product = await servers.product(place.upstream, LOCAL_MODEL="off")
        ours.append(await _once(through_product(product), order, place))
        servers.stop(product)
    what = f"{order.streams:,} streams × {order.rate} tokens/s"
    crowd = f"{order.streams:,} streams within {order.within_s} s"
    return [
        _firsts(crowd, (ours, least, theirs), place),
        _ages(f"{what}: age of a token once all run, p50 / p99", ours, theirs),
        _core(f"{what}: share of one core once all run", ours, theirs),
        _memory(f"{what}: memory for a held stream", ours, theirs),
    ]


async def _once(target: Target, order: Order, place: Place) -> Taken:
    await run(target, replace(order, streams=min(WARM_UP, order.streams), tokens=order.rate), place)
    before_mb = rss_mb(target.server.pid)
    return Taken(await run(target, order, place), before_mb)


def _firsts(what: str, crowds: tuple[list[Taken], ...], place: Place) -> Row:
    name = f"{what}: from connecting to the first token, p50 / p99"
    ours, least, theirs = crowds
    if refused := _why_refused(ours, place):
        return Row(name, "–", REFUSED, refused)
    p50, p99 = median_quantiles(taken.cost.firsts_ms for taken in ours)
    wanted, shown = goal(f"p99 ≤ {FIRST_MS} ms", p99 <= FIRST_MS), f"{p50:.0f} / {p99:.0f} ms"
    others = (("the least durable relay", least), ("nginx", theirs))
    beside = [f"{who}: {_shown(taken, place)}" for who, taken in others if taken]
    return Row(name, "–", shown, "; ".join(beside if theirs else [*beside, NO_NGINX]), wanted)


def _shown(crowds: list[Taken], place: Place) -> str:
    if refused := _why_refused(crowds, place):
        return f"refused, {refused}"
    p50, p99 = median_quantiles(taken.cost.firsts_ms for taken in crowds)
    return f"{p50:.0f} / {p99:.0f} ms"


def _why_refused(crowds: list[Taken], place: Place) -> str:
    """Whether the load was too busy while a crowd arrived, though not over the whole run."""
    reasons = (taken.cost.arriving.why_refused(place.cores) for taken in crowds)
    return next(filter(None, reasons), "")


def _ages(name: str, ours: list[Taken], theirs: list[Taken]) -> Row:
    p50, p99 = ages_ms([taken.cost for taken in ours], settled=True)
    shown, wanted = f"{p50:.1f} / {p99:.1f} ms", goal(f"p99 ≤ {OLDEST_MS} ms", p99 <= OLDEST_MS)
    if not theirs:
        return Row(name, "–", shown, NO_NGINX, wanted)
    other = ages_ms([taken.cost for taken in theirs], settled=True)
    added = f"+{p50 - other[0]:.1f} / +{p99 - other[1]:.1f} ms"
    return Row(name, added, shown, f"nginx: {other[0]:.1f} / {other[1]:.1f} ms", wanted)


def _core(name: str, ours: list[Taken], theirs: list[Taken]) -> Row:
    mine, other = (
        [taken.cost.running.server_s / taken.cost.running.wall_s for taken in side]
        for side in (ours, theirs)
    )
    shown = f"{statistics.median(mine):.0%}"
    if not other:
        return Row(name, "–", shown, NO_NGINX)
    ratio = f"{median_ratio(other, mine):.2f} (nginx ÷ product)"
    return Row(name, ratio, shown, f"nginx: {statistics.median(other):.0%}")


def _memory(name: str, ours: list[Taken], theirs: list[Taken]) -> Row:
    mine = statistics.median(taken.stream_kb for taken in ours)
    other = [taken.stream_kb for taken in theirs]
    return Row(
        name,
        "–",
        f"{mine:.1f} kB",
        f"nginx: {statistics.median(other):.1f} kB" if other else NO_NGINX,
        goal(f"≤ {HEAVIEST_KB} kB", mine <= HEAVIEST_KB),
    )
