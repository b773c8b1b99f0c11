"""`python -m bench`: measure, print the table, write docs/benchmarks.md. Some three minutes.

`--quick` measures for seconds and writes nothing: it shows that the bench works, no more.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from . import alone, machine, relay, start
from .client import Failed
from .load import Order, as_vendor, through_product
from .machine import Cores
from .report import Row, Setting, document, table
from .servers import ROOT, NotStarted, Servers


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    rounds: int
    starts: int
    pairs: int
    accepts: int
    paced: Order
    unpaced: Order


IDLE = 0.5  # a load average above this means that somebody else is measured too
WHOLE = Plan(3, 5, 200, 300, Order(200, 500, 50), Order(20, 4000, 0))
QUICK = Plan(1, 1, 20, 20, Order(20, 50, 50), Order(4, 500, 0))


async def measure(plan: Plan, folder: Path, cores: Cores) -> tuple[list[Row], int]:
    """All rows, and how many of them had to be refused."""
    rows: list[Row] = []
    refused = 0

    async def add(name: str, figures: Awaitable[list[Row]]) -> None:
        nonlocal refused
        print(f"  {name} …", file=sys.stderr, flush=True)
        try:
            rows.extend(await figures)
        except (Failed, NotStarted, OSError) as cause:
            refused += 1
            rows.append(Row(name, "refused", str(cause).splitlines()[0], "–"))

    with Servers(folder, cores) as servers:
        await add("start and memory", start.starting(servers, plan.starts))
        upstream = await servers.upstream()
        product_server = await servers.product(upstream, LOCAL_MODEL="off")
        nginx_server = await servers.nginx(upstream)
        product, direct = through_product(product_server), as_vendor(upstream)
        nginx = as_vendor(nginx_server) if nginx_server else None
        if nginx is None:
            print("  nginx is not installed: its column stays empty", file=sys.stderr)
        await add("first token", _one(alone.first_token(product, direct, nginx, plan.pairs)))
        await add("accepting", alone.accepting(product_server, folder, plan.accepts))
        await add(
            "relaying at the pace of a model",
            relay.paced(product, nginx, (upstream, cores), plan.paced, plan.rounds),
        )
        await add(
            "relaying as fast as it can",
            _one(relay.unpaced(product, upstream, cores, plan.unpaced, plan.rounds)),
        )
    return rows, refused


async def _one(row: Awaitable[Row]) -> list[Row]:
    return [await row]


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
    begun, others = time.monotonic(), os.getloadavg()[0]
    if others > IDLE:
        print(
            f"  load average {others:.1f}: others are at work here, expect noise", file=sys.stderr
        )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows, refused = asyncio.run(measure(QUICK if quick else WHOLE, Path(folder), cores))
    print(table(rows))
    if not quick:
        place = ROOT / "docs" / "benchmarks.md"
        place.parent.mkdir(exist_ok=True)
        took_s = time.monotonic() - begun
        place.write_text(document(rows, Setting(host, cores.pinned, others, took_s)), "utf-8")
        print(f"\nwritten to {place.relative_to(ROOT)}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
