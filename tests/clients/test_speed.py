"""How fast somebody reads is felt by nobody else: not by the answer, not by its other readers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from bench.client import Connection, connect
from tests.conftest import question
from tests.durability.processes import Server, free_port
from tests.torture import record, scaled

from .figures import at
from .kernel import unsent
from .raw import get, stuck_reader
from .wide import RATE, WIDTH, Ages, WideVendor

TOKENS = RATE * scaled(4, 20)
NORMAL = 5
STUCK, SIPPING = scaled(10, 25), scaled(10, 25)  # read nothing; read far less than is said
SIP_BYTES, SIP_S = 20_000, 0.1
ROUNDS = scaled(1, 3)  # an answer ends once, so one slow sync of the disk would be a whole figure


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose vendor says two megabytes a second."""
    port = free_port()
    settings = {"max_answer_bytes": 2 * TOKENS * WIDTH, "slow_reader_seconds": 300}
    async with (
        WideVendor(port, TOKENS),
        Server("main", tmp_path, f"http://127.0.0.1:{port}", **settings) as one,
    ):
        yield one


@dataclass(frozen=True)
class Told:
    """How long an answer took, and how late its normal readers had each token."""

    took_ms: float
    p99_ms: float


async def answer(server: Server, stuck: int, sipping: int) -> Told:
    """One answer, read by all of them from its start."""
    async with aiohttp.ClientSession(server.url) as client:
        body = question("Hi", background=True)
        async with client.post("/api/v1/chat", json=body) as response:
            path = f"/generations/{(await response.json())['generation_id']}"
        with ExitStack() as stack:
            slow = [
                stack.enter_context(stuck_reader(server.port, get(f"{path}/events")))
                for _ in range(stuck + sipping)
            ]
            sips = [asyncio.create_task(sip(one)) for one in slow[:sipping]]
            heard = await listen(server, path)
            await lag(server, slow)
            for task in sips:
                task.cancel()
        async with client.get(f"/api/v1{path}") as response:
            row = await response.json()
    assert row["status"] == "completed"
    begun, ended = (datetime.fromisoformat(row[name]) for name in ("created_at", "ended_at"))
    return Told((ended - begun).total_seconds() * 1000, at(99, heard))


async def listen(server: Server, path: str) -> list[float]:
    """The ages of all tokens at the normal readers."""
    lines: list[Connection] = [await connect(server.port) for _ in range(NORMAL)]
    sinks = [Ages() for _ in lines]
    request = get(f"{path}/events")
    await asyncio.gather(
        *(line.ask(request, sink) for line, sink in zip(lines, sinks, strict=True))
    )
    assert [len(sink.ms) for sink in sinks] == [TOKENS] * NORMAL
    return [age for sink in sinks for age in sink.ms]


async def sip(client: socket.socket) -> None:
    """Read a little again and again."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    while await loop.sock_recv(client, SIP_BYTES):  # noqa: ASYNC110 - it is slow on purpose
        await asyncio.sleep(SIP_S)


async def lag(server: Server, slow: list[socket.socket]) -> None:
    """All of them are still connected, and far behind."""
    waiting = unsent(server.port, (one.getsockname()[1] for one in slow))
    assert len(waiting) == len(slow)
    assert all(waiting.values()), "a slow reader has read it all: it was not slow"


@pytest.mark.timeout(300)
async def test_a_slow_reader_delays_neither_the_answer_nor_its_other_readers(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    alone: list[Told] = []
    beside: list[Told] = []
    for _ in range(ROUNDS):
        alone.append(await answer(server, 0, 0))
        beside.append(await answer(server, STUCK, SIPPING))
    took_ms, p99_ms = median(one.took_ms for one in alone), median(one.p99_ms for one in alone)
    longer_ms = median(one.took_ms for one in beside) - took_ms
    later_ms = median(one.p99_ms for one in beside) - p99_ms
    with capsys.disabled():
        who = f"{STUCK} that never read and {SIPPING} that read a tenth, beside {NORMAL}: "
        result = f"{took_ms:.0f} ms without them, {longer_ms:+.0f} ms with them"
        record("I13", f"{who}the answer takes", "± 50 ms", result, abs(longer_ms) <= 50)
        result = f"{p99_ms:.0f} ms without them, {later_ms:+.0f} ms with them"
        record("I13", f"{who}p99 age of a token", "± 50 ms", result, abs(later_ms) <= 50)
    assert longer_ms < 1000  # the goal is a twentieth of that, on a machine at rest
    assert later_ms < 1000
