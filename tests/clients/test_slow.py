"""Readers that read slowly, or not at all: they are alone with that."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench import upstream as vendor
from bench.machine import rss_mb
from lite_llm_chat.config import Settings
from standins.behaviours import Flood
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.durability.processes import Server, free_port, until
from tests.torture import record, scaled

from .figures import at
from .kernel import unsent
from .paced import paced
from .raw import ask, body_of, get, port_of, stuck_reader
from .readers import others_are_served

PATIENCE_S = scaled(1, 30)  # of the server with a reader that takes nothing
SLACK_S = 5
STUCK, NORMAL = 50, 50
RATE, SECONDS = 50, scaled(4, 20)
BIG_TOKENS = 250_000  # 5 MB: the kernel alone takes half of that for a client that reads nothing
BIG = Flood(count=24, width=500_000)
BIG_SIZE = 12_000_000
LONGEST = 10**8  # bytes of an answer


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"max_answer_bytes": LONGEST, "slow_reader_seconds": PATIENCE_S}
    )


async def test_a_reader_of_one_byte_at_a_time_slows_nobody_and_gets_every_byte(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(BIG)
    loop = asyncio.get_running_loop()
    with stuck_reader(port_of(product), ask("talk", title="slow")) as slow:
        slow.setblocking(False)
        raw = b""
        for _ in range(20):
            raw += await loop.sock_recv(slow, 1)
            await others_are_served(product)
        await until(lambda: ended(product))
        while more := await loop.sock_recv(slow, 1 << 20):
            raw += more
    assert body_of(raw).count(b"x") == BIG_SIZE
    assert raw.endswith(b'data: {"done": true}\n\n\r\n0\r\n\r\n')


async def ended(product: Product) -> bool:
    """Whether the slow reader's answer is whole, though its reader has not read it."""
    _, sessions = await product.call("GET", "/sessions")
    (slow,) = (one for one in sessions if one["title"] == "slow")
    _, found = await product.call("GET", f"/sessions/{slow['id']}")
    answer = found["messages"][1]
    return bool(answer["status"] == "completed" and len(answer["content"]) == BIG_SIZE)


# ── fifty that never read beside fifty that do ────────────────────────────────────────────────


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose vendor says when it said each token."""
    port = free_port()
    saying = asyncio.create_task(vendor.serve(port))
    settings = {"slow_reader_seconds": PATIENCE_S, "max_answer_bytes": LONGEST}
    async with Server("main", tmp_path, f"http://127.0.0.1:{port}", **settings) as one:
        yield one
    saying.cancel()
    await asyncio.wait({saying})


async def ages_ms(server: Server) -> list[float]:
    """The ages of all tokens of fifty normal readers, every token checked."""
    streams = await paced(server.port, NORMAL, RATE, SECONDS)
    return [age / 1000 for tokens in streams for age in tokens.ages_us]


async def call(server: Server, path: str) -> Any:
    """The JSON of a GET."""
    async with (
        aiohttp.ClientSession(server.url) as client,
        client.get(f"/api/v1{path}") as response,
    ):
        assert response.status == 200
        return await response.json()


@dataclass
class Stuck:
    """Clients that never read; how long the server kept each of them, and its largest memory.
    `port` and `pid` are the server's."""

    port: int
    pid: int
    began: dict[int, float] = field(default_factory=dict)
    kept_s: dict[int, float] = field(default_factory=dict)
    most_mb: float = 0.0

    @contextmanager
    def clients(self, requests: list[bytes]) -> Iterator[None]:
        """One for each request."""
        with ExitStack() as stack:
            for request in requests:
                client: socket.socket = stuck_reader(self.port, request)
                stack.enter_context(client)
                self.began[client.getsockname()[1]] = time.monotonic()
            yield

    async def watch(self) -> None:
        """Note who is let go, until all are or the patience is long over."""
        last = max(self.began.values()) + PATIENCE_S + 2 * SLACK_S
        while len(self.kept_s) < len(self.began) and time.monotonic() < last:
            held = unsent(self.port, self.began).keys()
            for port in self.began.keys() - held - self.kept_s.keys():
                self.kept_s[port] = time.monotonic() - self.began[port]
            self.most_mb = max(self.most_mb, rss_mb(self.pid))
            await asyncio.sleep(0.05)

    def check(self) -> None:
        """Every one was let go, when its time had come."""
        kept = len(self.began) - len(self.kept_s)
        assert kept == 0, f"{kept} of {len(self.began)} that never read are kept for ever"
        assert min(self.kept_s.values()) > PATIENCE_S * 0.9
        assert max(self.kept_s.values()) < PATIENCE_S + SLACK_S


@pytest.mark.timeout(300)
async def test_fifty_readers_that_never_read_are_let_go_and_cost_fifty_others_nothing(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server._process is not None
    alone = await ages_ms(server)
    before_mb = rss_mb(server._process.pid)
    stuck = Stuck(server.port, server._process.pid)
    with stuck_reader(server.port, ask(f"count={BIG_TOKENS} rate=0", title="big")):
        log = get(f"/generations/{await whole(server)}/events")
        with stuck.clients([log] * STUCK):
            watching = asyncio.create_task(stuck.watch())
            beside = await ages_ms(server)
            await watching
    grown_ms, grown_mb = at(99, beside) - at(99, alone), stuck.most_mb - before_mb
    told(capsys, stuck, (at(99, alone), at(99, beside)), grown_mb)
    stuck.check()
    assert grown_ms < 500  # the goal is a tenth of that, on a machine at rest


async def whole(server: Server) -> str:
    """The big answer's id, once it is complete: its reader takes nothing, and it goes on."""
    found: list[dict[str, Any]] = []

    async def accepted() -> bool:
        found[:] = [one for one in await call(server, "/sessions") if one["title"] == "big"]
        return bool(found)

    await until(accepted)
    (big,) = found
    answer = (await call(server, f"/sessions/{big['id']}"))["messages"][1]
    path = f"/generations/{answer['generation_id']}"

    async def complete() -> bool:
        return bool((await call(server, path))["status"] == "completed")

    await until(complete, within_s=60)
    answer = (await call(server, f"/sessions/{big['id']}"))["messages"][1]
    assert answer["content"].count(" ") == BIG_TOKENS
    return str(answer["generation_id"])


def told(
    capsys: pytest.CaptureFixture[str], stuck: Stuck, p99_ms: tuple[float, float], grown_mb: float
) -> None:
    """The goals and what came out."""
    who = f"{STUCK} readers that never read beside {NORMAL} at {RATE} tokens/s: "
    alone, beside = p99_ms
    kept = list(stuck.kept_s.values())
    with capsys.disabled():
        result = f"{alone:.0f} ms alone, {beside:.0f} ms beside them"
        what = f"{who}p99 age of the others' tokens"
        record("G9", what, "at most 50 ms more", result, beside - alone <= 50)
        record("G9", f"{who}memory", "≤ 64 MB more", f"{grown_mb:.0f} MB more", grown_mb <= 64)
        result = f"{len(kept)} closed, after {at(0, kept):.1f} to {at(100, kept):.1f} s"
        wanted = f"all closed in {PATIENCE_S} ± {SLACK_S} s"
        met = len(kept) == STUCK and max(kept) <= PATIENCE_S + SLACK_S
        record("G9", f"{who}those who never read", wanted, result, met)


@pytest.mark.timeout(120)
async def test_a_client_that_never_reads_a_plain_reply_is_let_go_too(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(BIG)
    stream = await product.ask("talk")
    session_id = (await stream.until("session_id")).data["session_id"]
    await stream.rest()
    path = f"/sessions/{session_id}"
    stuck = Stuck(port_of(product), os.getpid())
    with stuck.clients([get(path), get(path).replace(b"connection: close\r\n", b"")]):
        await stuck.watch()
    stuck.check()
