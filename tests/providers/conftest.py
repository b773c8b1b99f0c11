"""What the provider tests share: a pool of connections, and a vendor that says exact bytes.

test ─▶ provider ──HTTP──▶ Vendor (a bare asyncio server: what it answers, it is told)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from lite_llm_chat.domain import Finish, Options, Piece, Prompt, Reasoning, Text, Turn, Working
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.refusal import Mend, explain
from lite_llm_chat.providers.wire import Endpoint, Wire

SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunked(*parts: bytes) -> bytes:
    """A chunked body with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def stream(*parts: bytes) -> bytes:
    """A whole event stream, kept alive afterwards."""
    return SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked(*parts)


def reply(status: int, body: bytes, *headers: bytes) -> bytes:
    """A whole reply of any other kind."""
    lines = [b"HTTP/1.1 %d No Matter" % status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass
class Vendor:
    """`says` is written to every request, then the connection waits for the next one;
    `then_close` closes it instead; `script` replaces both."""

    says: bytes = b""
    then_close: bool = False
    script: Script | None = None
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, length = head.lower().partition(b"content-length: ")
                size = int(length.split(b"\r\n")[0]) if length else 0
                self.requests.append(head + await reader.readexactly(size))
                if self.script is not None:
                    await self.script(reader, writer)
                else:
                    writer.write(self.says)
                    await writer.drain()
                if self.then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """A vendor on a port."""
    one = Vendor()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield one
    server.close()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """The pool, as the product opens it."""
    one = Pool(5.0)
    yield one
    await one.close()


async def no_rest() -> None:
    """For a caller that reads as it comes."""


@pytest.fixture
def wire(pool: Pool) -> Wire:
    """A patient wire."""
    return Wire(pool, no_rest, headers_timeout_s=20.0)


def endpoint(url: str) -> Endpoint:
    """A vendor called acme."""
    mend = Mend(key_setting="ACME_KEY", url_setting="ACME_URL")
    return Endpoint("acme", url, {}, lambda said: explain("acme", said, mend), "acme-secret-key-1")


def prompt(text: str = "Hello", model: str = "deepseek-flash", **options: object) -> Prompt:
    """A question."""
    return Prompt(model, (Turn("user", text),), Options(**options))  # type: ignore[arg-type]


async def collect(pieces: AsyncIterator[Piece]) -> list[Piece]:
    """All pieces, without signs of life."""
    return [piece async for piece in pieces if not isinstance(piece, Working)]


async def failing(pieces: AsyncIterator[Piece]) -> tuple[list[Piece], UpstreamError]:
    """The pieces before an error, and the error."""
    before: list[Piece] = []

    async def take() -> None:
        async for piece in pieces:
            if not isinstance(piece, Working):
                before.append(piece)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(UpstreamError) as caught:
        await take()
    return before, caught.value


def text(pieces: list[Piece]) -> str:
    """The visible text."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def thoughts(pieces: list[Piece]) -> str:
    """The reasoning."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Reasoning))


def finish(pieces: list[Piece]) -> Finish:
    """The one Finish, which is the last piece."""
    ends = [piece for piece in pieces if isinstance(piece, Finish)]
    assert len(ends) == 1
    assert pieces[-1] is ends[0]
    return ends[0]


def grouped(rows: Sequence[bytes], sizes: Sequence[int]) -> list[bytes]:
    """Events as they may come together: so many in each read, the rest in the last one."""
    groups, rest = [], list(rows)
    for size in [*sizes, len(rows) or 1]:
        groups.append(b"".join(rest[:size]))
        rest = rest[size:]
    return [group for group in groups if group]
