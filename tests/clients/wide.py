"""A vendor of long tokens that say when they were said, so that a reader who takes little is soon
behind: the kernel alone holds megabytes for it.

    WideVendor ─ RATE × WIDTH characters a second ─▶ product ─▶ Ages: every token checked, its age
"""

from __future__ import annotations

import asyncio
import json
import re
import time

from bench.shapes import ALIKE, EVENT, LAST
from bench.upstream import chunk

RATE, WIDTH = 50, 40_000  # tokens a second, characters of each
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class WideVendor:
    """Answers each question with so many tokens; `async with`."""

    def __init__(self, port: int, tokens: int) -> None:
        self._port = port
        self._tokens = tokens

    async def __aenter__(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = LENGTH.findall(head)
        await reader.readexactly(int(length))
        writer.write(ALIKE.head)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(self._tokens):
            await asyncio.sleep(begun + number / RATE - loop.time())
            said = b"%05d:%014d " % (number, time.monotonic_ns() // 1000)
            writer.write(chunk(EVENT % said.ljust(WIDTH, b"x")))
            await writer.drain()
        writer.write(chunk(LAST % (self._tokens, self._tokens + 9)) + b"0\r\n\r\n")
        await writer.drain()
        writer.close()


class Ages:
    """Reads a numbered log; `ms` has the age of each token at its arrival."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self._bytes = b""
        self._text = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *frames, self._bytes = (self._bytes + data).split(b"\n\n")
        for frame in frames:
            _, found, said = frame.partition(b"\nevent: text\ndata: ")
            if found:
                self._read(json.loads(said)["content"])

    def _read(self, text: str) -> None:
        now_us, self._text = time.monotonic_ns() // 1000, self._text + text
        while len(self._text) >= WIDTH:
            token, self._text = self._text[:WIDTH], self._text[WIDTH:]
            assert int(token[:5]) == len(self.ms), f"token {len(self.ms)} reads {token[:21]!r}"
            self.ms.append((now_us - int(token[6:20])) / 1000)
