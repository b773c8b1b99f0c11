"""`python -m bench`: measure, print the table, write docs/benchmarks.md. Some fifteen minutes.

`--quick` measures for seconds and writes nothing: it shows that the bench works, no more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from . import alone, crowd, dialects, long_session, machine, pages, relay, search, start, sums
from .client import Failed
from .load import Order, Place, as_vendor, through_product
from .long_session import Opened
from .machine import Cores
from .pages import Amount
from .relay import Sides
from .report import REFUSED, Row, Setting, document, table
from .search import Searches
from .servers import ROOT, NotStarted, Servers
from .sums import Reads
from .upstream import SHORT_CHARS


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    rounds: int
    starts: int
    pairs: int
    accepts: int
    pages: Amount
    opened: Opened
    reads: Reads
    searches: Searches
    paced: Order
    fast: Order
    short: Order
    unpaced: Order
    dialects: Order
    crowd: Order


IDLE = 0.5  # a load average above this means that somebody else is measured too
OPEN_FILES = 16_384  # a crowd takes two of its server
BUSY_BUT_IN_TIME = 0.97  # for rows of no times: what comes late comes in bunches, cheap for nginx
WHOLE = Plan(
    rounds=3,
    starts=5,
    pairs=200,
    accepts=300,
    pages=Amount(sessions=50_000, pages=1500, rounds=4),
    opened=Opened(200),
    reads=Reads(answers=1_000_000, rounds=3),
    searches=Searches(messages=1_000_000, queries=40, commits=1000),
    paced=Order(200, 500, 50, apart=True),
    fast=Order(200, 800, 100, apart=True, busiest=BUSY_BUT_IN_TIME),
    short=Order(200, 200, 50, chars=SHORT_CHARS),
    unpaced=Order(20, 4000, 0),
    dialects=Order(200, 400, 50),
    crowd=Order(1000, 160, 20, within_s=0.5, fresh=True),
)
QUICK = Plan(
    rounds=1,
    starts=1,
    pairs=20,
    accepts=20,
    pages=Amount(sessions=500, pages=50, rounds=1),
    opened=Opened(5),
    reads=Reads(answers=10_000, rounds=1),
    searches=Searches(messages=4000, queries=3, commits=70),
    paced=Order(20, 150, 50, apart=True),
    fast=Order(20, 300, 100, apart=True, busiest=BUSY_BUT_IN_TIME),
    short=Order(20, 50, 50, chars=SHORT_CHARS),
    unpaced=Order(4, 500, 0),
    dialects=Order(20, 150, 50),
    crowd=Order(50, 80, 20, within_s=0.5, fresh=True),
)


class Taken:
    """The rows so far, and how many figures had to be refused."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.refused = 0

    async def add(self, name: str, figures: Awaitable[list[Row]]) -> None:
        """Take rows as they are, or one that says why there are none."""
        print(f"  {name} …", file=sys.stderr, flush=True)
        try:
            rows = await figures
        except (Failed, NotStarted, OSError) as cause:
            rows = [Row(name, "–", REFUSED, str(cause).splitlines()[0])]
        self.rows += rows
        self.refused += sum(row.ours == REFUSED for row in rows)


async def measure(plan: Plan, folder: Path, cores: Cores) -> Taken:
    """All rows."""
    taken = Taken()
    with Servers(folder, cores) as servers:
        await taken.add("start and memory", start.starting(servers, plan.starts))
        await taken.add("import", start.importing(cores, plan.starts))
        upstream = await servers.upstream()
        server = await servers.product(upstream, LOCAL_MODEL="off")
        product, direct, nginx = through_product(server), as_vendor(upstream), None
        if through := await servers.nginx(upstream):
            nginx = as_vendor(through)
        else:
            print("  nginx is not installed: its column stays empty", file=sys.stderr)
        sides = Sides(product, nginx, Place(upstream, cores))
        least = await servers.least(upstream)
        others = {"the least durable relay": as_vendor(least)} | ({"nginx": nginx} if nginx else {})
        await taken.add(
            "first token", alone.first_token(servers, direct, product, others, plan.pairs)
        )
        servers.stop(least)
        await taken.add("accepting", alone.accepting(server, folder, plan.accepts))
        await streaming(taken, sides, plan)
        servers.stop(server)
        await taken.add(
            "dialects", dialects.speaking(servers, sides.place, plan.dialects, plan.rounds)
        )
        await taken.add(
            "a crowd that arrives", crowd.arriving(servers, sides.place, plan.crowd, plan.rounds)
        )
        await taken.add("pages", pages.reading(servers, folder, cores, plan.pages))
        await taken.add("a long session", long_session.opening(servers, folder, plan.opened))
        await taken.add("usage", sums.summing(servers, folder, plan.reads))
        await taken.add("search", search.searching(servers, folder, plan.searches))
    return taken


async def streaming(taken: Taken, sides: Sides, plan: Plan) -> None:
    """The rows of streams that are relayed by one server for all rounds."""
    await taken.add("relaying at the pace of a model", relay.paced(sides, plan.paced, plan.rounds))
    await taken.add("relaying at twice that pace", relay.fast(sides, plan.fast, plan.rounds))
    await taken.add("relaying short tokens", relay.short(sides, plan.short, 1))
    await taken.add("relaying as fast as it can", relay.unpaced(sides, plan.unpaced, plan.rounds))


def main() -> int:
    """0 when every figure could be taken, 1 when one was refused."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds, and nothing is written")
    quick = parser.parse_args().quick
    if not sys.platform.startswith("linux"):
        print("The bench reads /proc: it needs Linux.", file=sys.stderr)
        return 1
    host, cores = machine.name(), machine.cores()
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})
    _open_files()
    os.sync()  # or the first rows would wait for what somebody wrote before
    begun, others = time.monotonic(), os.getloadavg()[0]
    if others > IDLE:
        print(
            f"  load average {others:.1f}: others are at work here, expect noise", file=sys.stderr
        )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        taken = asyncio.run(measure(QUICK if quick else WHOLE, Path(folder), cores))
    print(table(taken.rows))
    if not quick:
        place = ROOT / "docs" / "benchmarks.md"
        place.parent.mkdir(exist_ok=True)
        took_s = time.monotonic() - begun
        place.write_text(document(taken.rows, Setting(host, cores.pinned, others, took_s)), "utf-8")
        print(f"\nwritten to {place.relative_to(ROOT)}")
    return 1 if taken.refused else 0


def _open_files() -> None:
    """Let this process, and so the servers, have as many connections as a crowd needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


if __name__ == "__main__":
    sys.exit(main())
