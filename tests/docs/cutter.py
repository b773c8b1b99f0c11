"""A connection that breaks: a proxy that hangs up on every event stream after a few bytes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Cutter:
    """Forwards each connection to `target`; a GET gets `bytes_each` of its reply at most."""

    def __init__(self, target: str, bytes_each: int) -> None:
        address = urlsplit(target)
        self._target = (address.hostname or "", address.port or 0)
        self._bytes_each = bytes_each
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        first = await reader.read(65_536)
        upstream_writer.write(first)
        asking = asyncio.create_task(_pump(reader, upstream_writer))
        left = self._bytes_each if first.startswith(b"GET") else 1 << 30
        try:
            while left and (data := await upstream_reader.read(min(left, 65_536))):
                writer.write(data)
                await writer.drain()
                left -= len(data)
            self.cuts += left == 0
        except ConnectionError:
            pass
        finally:
            asking.cancel()
            await asyncio.wait([asking])
            for one in (writer, upstream_writer):
                one.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
