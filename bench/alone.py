"""One thing at a time: the first token of a lone stream, and the durable accept.

direct, product, direct, product …         pairs, and the difference of each pair
fdatasync, GET /health, POST session …     a commit, beside the least that it can cost
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from .client import Connection, Failed, Whole, connect, get, post
from .load import Order, Target, ask
from .report import Row, goal, percentile, quantiles
from .servers import Server, Servers

LONE = Order(streams=1, tokens=3, rate=1000)
WARM_UP = 10
ACCEPT = post("/api/v1/sessions", {"title": "b", "provider": "deepseek", "model": "deepseek-chat"})
CALLERS = 32
ADDED_MS = 1.5, 15  # at most, to the first token: p50, p99


async def first_token(
    servers: Servers, direct: Target, product: Target, others: Mapping[str, Target], pairs: int
) -> list[Row]:
    """What the product, and the others that are named, add to the time until the first token: on
    cores that are awake, and on cores that sleep whenever nobody needs them."""
    targets = [direct, product, *others.values()]
    with servers.awake():
        awake = await _firsts(targets, pairs)
    asleep = await _firsts(targets, pairs)
    what = "one stream alone: added to the first token, p50 / p99"
    row, quick = _added(what, awake, others)
    wanted = goal(
        f"≤ {ADDED_MS[0]} / {ADDED_MS[1]} ms",
        *(a <= b for a, b in zip(quick, ADDED_MS, strict=True)),
    )
    return [replace(row, goal=wanted), _added(f"{what}, where idle cores sleep", asleep, others)[0]]


async def _firsts(targets: list[Target], pairs: int) -> list[list[float]]:
    """Milliseconds until the first token, of each target in turn."""
    lines = [(target, await connect(target.server.port)) for target in targets]
    taken = [
        [await _until_first(connection, target) for target, connection in lines]
        for _ in range(WARM_UP + pairs)
    ]
    for _, connection in lines:
        connection.close()
    return taken[WARM_UP:]


def _added(
    what: str, taken: list[list[float]], others: Iterable[str]
) -> tuple[Row, tuple[float, float]]:
    p50, p99 = quantiles([row[1] - row[0] for row in taken])
    beside = f"direct: {percentile([row[0] for row in taken], 50):.2f} ms"
    for place, name in enumerate(others, start=2):
        through = quantiles([row[place] - row[0] for row in taken])
        beside += f"; {name} adds {through[0]:.2f} / {through[1]:.2f} ms"
    ours = f"{percentile([row[1] for row in taken], 50):.2f} ms"
    return Row(what, f"+{p50:.2f} / +{p99:.2f} ms", ours, beside), (p50, p99)


async def _until_first(connection: Connection, target: Target) -> float:
    """Milliseconds from asking to the first token."""
    begun = time.monotonic()
    tokens = await ask(connection, target, LONE.text, LONE.tokens)
    return (tokens.first_at - begun) * 1000


async def accepting(product: Server, folder: Path, count: int) -> list[Row]:
    """How long a durable POST takes, alone and among many."""
    sync, plain, accept = await _interleaved(product, folder, count)
    ratio = percentile(accept, 50) / percentile(sync, 50)
    alone = Row(
        "accepting a session durably, one caller, p50 / p99",
        f"{ratio:.1f} × fdatasync",
        f"{percentile(accept, 50):.2f} / {percentile(accept, 99):.2f} ms",
        f"fdatasync {percentile(sync, 50):.2f} / {percentile(sync, 99):.2f} ms,"
        f" GET /health {percentile(plain, 50):.2f} ms",
    )
    callers = [await connect(product.port) for _ in range(CALLERS)]
    begun = time.monotonic()
    await asyncio.gather(*(_accept_many(caller, count // 5) for caller in callers))
    speed = CALLERS * (count // 5) / (time.monotonic() - begun)
    for caller in callers:
        caller.close()
    least = 1000 / statistics.fmean(sync)
    many = Row(
        f"accepting sessions durably, {CALLERS} callers",
        f"{speed / least:.2f} × fdatasync/s",
        f"{speed:,.0f}/s",
        f"fdatasync, one after the other: {least:,.0f}/s",
    )
    return [alone, many]


async def _interleaved(
    product: Server, folder: Path, count: int
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of fdatasync, of a GET that does nothing and of a POST that commits."""
    sync: list[float] = []
    plain: list[float] = []
    accept: list[float] = []
    caller = await connect(product.port)
    with (folder / "fdatasync").open("wb", buffering=0) as file:
        for _ in range(WARM_UP + count):
            begun = time.monotonic()
            file.write(os.urandom(4096))
            os.fdatasync(file.fileno())
            sync.append((time.monotonic() - begun) * 1000)
            plain.append(await _timed(caller, get("/health"), 200))
            accept.append(await _timed(caller, ACCEPT, 201))
    caller.close()
    return sync[WARM_UP:], plain[WARM_UP:], accept[WARM_UP:]


async def _accept_many(caller: Connection, count: int) -> None:
    for _ in range(count):
        await _timed(caller, ACCEPT, 201)


async def _timed(caller: Connection, request: bytes, expected: int) -> float:
    """Milliseconds until the whole answer; Failed if it has another status."""
    begun = time.monotonic()
    status = await caller.ask(request, Whole())
    if status != expected:
        raise Failed(f"{request.split(b' HTTP')[0].decode()} answered {status}")
    return (time.monotonic() - begun) * 1000
