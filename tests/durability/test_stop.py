"""SIGTERM and Ctrl-C: readers are told, answers are ended, and the process is gone in time."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from standins.answers import Answer
from standins.behaviours import Flood, Gate, Pause
from standins.deepseek import DeepSeekStandIn, Traits
from tests.clients.raw import ask as ask_bytes
from tests.clients.raw import stuck_reader
from tests.conftest import KEY, Stream, question

from . import oracle
from .processes import WAYS, Server, Way, until

SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_CODES = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 0}
STREAMS = 50
DRAIN_S = 1.0
LONG = "say: " + "and so on " * 500


@pytest.fixture
async def slow() -> AsyncIterator[DeepSeekStandIn]:
    """A DeepSeek that says fifty tokens a second, for longer than any test."""
    answer = Answer(tokens_per_s=50)
    async with DeepSeekStandIn(key=KEY, answer=answer, traits=Traits(concurrency=1000)) as one:
        yield one


def client_of(server: Server) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=0))


async def ask(client: aiohttp.ClientSession, text: str = LONG, **fields: object) -> Stream:
    return Stream(await client.post("/api/v1/chat", json=question(text, **fields)))


async def follow(client: aiohttp.ClientSession) -> Stream:
    """Ask in the background and follow the numbered log."""
    async with client.post("/api/v1/chat", json=question(LONG, background=True)) as response:
        generation_id = (await response.json())["generation_id"]
    return Stream(await client.get(f"/api/v1/generations/{generation_id}/events"))


async def told(stream: Stream) -> float:
    """When the stream ended; its last frame must say that the server stops."""
    last = (await stream.rest())[-1]
    assert last.event in (None, "shutdown")
    assert last.data["code"] == "server_stopping"
    return time.monotonic()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("way", WAYS)
async def test_fifty_readers_are_told_at_once_and_every_answer_is_ended(
    way: Way, number: signal.Signals, tmp_path: Path, slow: DeepSeekStandIn
) -> None:
    async with Server(way, tmp_path, slow.url, drain_seconds=DRAIN_S) as server:
        async with client_of(server) as client:
            half = STREAMS // 2
            streams = await asyncio.gather(
                *(ask(client) for _ in range(half)), *(follow(client) for _ in range(half))
            )
            for stream in streams:
                await stream.until("content")
            began = time.monotonic()
            server.signal(number)
            ends = await asyncio.gather(*map(told, streams))
        assert max(ends) - began < 2
        assert await server.ended() == EXIT_CODES[number]
        assert time.monotonic() - began < DRAIN_S + 4  # the promise is 2 s, on a machine at rest
    assert "Traceback" not in server.output
    stored = oracle.logs(server.database)
    assert len(stored) == STREAMS
    assert {(log.status, log.code) for log in stored.values()} == {
        ("interrupted", "server_stopped")
    }
    assert oracle.findings(server.database) == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_reader_that_returns_after_the_restart_misses_nothing(
    way: Way, tmp_path: Path, slow: DeepSeekStandIn
) -> None:
    async with Server(way, tmp_path, slow.url, drain_seconds=0.2) as server:
        async with client_of(server) as client:
            stream = await follow(client)
            seen = [await stream.until("content")]
            server.signal(signal.SIGTERM)
            generation_id = stream.headers["x-generation-id"]
            seen += [frame for frame in await stream.rest() if frame.id]
        await server.ended()
        await server.start()
        async with client_of(server) as client:
            path = f"/api/v1/generations/{generation_id}/events"
            again = Stream(await client.get(path, headers={"Last-Event-ID": seen[-1].id or ""}))
            rest = [frame for frame in await again.rest() if frame.id]
    numbers = [int(frame.id or 0) for frame in (*seen, *rest)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert rest[-1].event == "ended"


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_waits_for_a_whole_answer_gets_it_if_it_ends_within_the_drain(
    way: Way, tmp_path: Path, upstream: DeepSeekStandIn
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=1), times=2)
    async with Server(way, tmp_path, upstream.url, drain_seconds=30) as server:
        async with client_of(server) as client:
            stream = await ask(client, "say: hello there")
            await stream.until("content")
            whole = asyncio.create_task(ask(client, "say: all of it", stream=False))
            await upstream.wait_for_request()
            await upstream.wait_for_request()
            server.signal(signal.SIGTERM)
            await told(stream)
            gate.open()
            response = (await whole).response
            assert response.status == 200
            assert (await response.json())["message"]["content"] == "all of it"
        assert await server.ended(within_s=5) == -signal.SIGTERM
    assert {log.status for log in oracle.logs(server.database).values()} == {"completed"}
    assert "Traceback" not in server.output


@pytest.mark.parametrize("reader", ["whole", "nobody"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_second_sigterm_cuts_the_wait(
    way: Way, reader: str, tmp_path: Path, slow: DeepSeekStandIn
) -> None:
    async with (
        Server(way, tmp_path, slow.url, drain_seconds=60) as server,
        client_of(server) as client,
    ):
        stream = await follow(client)
        await stream.until("content")
        waiting: list[asyncio.Task[Stream]] = []
        if reader == "whole":
            waiting.append(asyncio.create_task(ask(client, stream=False)))
            await slow.wait_for_request()
            await slow.wait_for_request()
        server.signal(signal.SIGTERM)
        await told(stream)
        await until(lambda: refused(server.port))  # by now the web server has begun to end
        assert server.running
        server.signal(signal.SIGTERM)
        await server.ended(within_s=5)
        for each in waiting:
            response = (await each).response
            assert response.status == 503
            assert (await response.json())["code"] == "server_stopped"
    assert {log.status for log in oracle.logs(server.database).values()} == {"interrupted"}
    assert "Traceback" not in server.output


@pytest.mark.parametrize("way", WAYS)
async def test_a_reader_that_reads_nothing_does_not_hold_up_the_end(
    way: Way, tmp_path: Path, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Flood(count=24, width=500_000))  # more than any socket's buffer takes
    settings = {"drain_seconds": DRAIN_S, "max_answer_bytes": 10**8}
    async with Server(way, tmp_path, upstream.url, **settings) as server:
        with stuck_reader(server.port, ask_bytes("talk")) as stuck:
            await asyncio.to_thread(stuck.recv, 1)
            async with client_of(server) as client:
                await until_stored(client)
            server.signal(signal.SIGTERM)
            await server.ended(within_s=DRAIN_S + 6)
    assert "Traceback" not in server.output
    assert oracle.findings(server.database) == []


def refused(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


async def until_stored(client: aiohttp.ClientSession) -> None:
    """Return when the only session's answer has ended."""
    async with asyncio.timeout(30):
        while True:
            async with client.get("/api/v1/sessions/1/events") as response:
                if response.status == 204:
                    return
                await response.read()
