"""The yardstick for a first token: a relay that keeps the same promise and does nothing else.

    question ─▶ commit ─▶ upstream ─▶ its first bytes ─▶ commit ─▶ reader

`python -m bench.least PORT UPSTREAM_PORT FILE` serves until it is ended. ASGI without a framework,
one sqlite3 connection in a thread, kept bare connections to the upstream. It checks nothing, knows
no sessions, and what comes after the first bytes is kept with the end: so it is the least that a
question costs whose words are on disk before they are seen.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Kept:
    """A file of questions and of what was said to them; every `keep` is a durable commit."""

    def __init__(self, file: Path) -> None:
        self._rows = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=FULL")
        self._rows.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY, said BLOB NOT NULL)")
        self._writer = ThreadPoolExecutor(1)

    async def keep(self, said: bytes) -> None:
        """Returns once it is on disk."""
        insert = "INSERT INTO kept (said) VALUES (?)"
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._rows.execute, insert, (said,))


class Upstream:
    """The vendor, over connections that are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Line] = []

    async def ask(self, body: bytes) -> AsyncIterator[bytes]:
        """What it says, chunk by chunk."""
        line = self._idle.pop() if self._idle else await self._connect()
        reader, writer = line
        head = f"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readline(), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        self._idle.append(line)

    async def _connect(self) -> Line:
        return await asyncio.open_connection("127.0.0.1", self._port)


class Relay:
    """The application."""

    def __init__(self, upstream: Upstream, kept: Kept) -> None:
        self._upstream = upstream
        self._kept = kept

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request: a GET with nothing, a POST with what the upstream says to it."""
        question = await _body(receive)
        kind = (b"content-type", b"text/event-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [kind]})
        if scope["method"] == "POST":
            await self._relay(question, send)
        await send({"type": "http.response.body", "body": b""})

    async def _relay(self, question: bytes, send: Send) -> None:
        await self._kept.keep(question)
        rest: list[bytes] = []
        first = True
        async for said in self._upstream.ask(question):
            if first:
                await self._kept.keep(said)
                await send({"type": "http.response.body", "body": said, "more_body": True})
                first = False
            else:
                rest.append(said)
        said = b"".join(rest)
        await self._kept.keep(said)
        await send({"type": "http.response.body", "body": said, "more_body": True})


async def _body(receive: Receive) -> bytes:
    whole = b""
    while True:
        message = await receive()
        part: bytes = message["body"]
        whole += part
        if not message["more_body"]:
            return whole


if __name__ == "__main__":
    port, upstream_port, file = sys.argv[1:]
    relay = Relay(Upstream(int(upstream_port)), Kept(Path(file)))
    uvicorn.run(relay, host="127.0.0.1", port=int(port), log_level="warning", lifespan="off")
