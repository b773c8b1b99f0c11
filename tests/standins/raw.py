"""A client that hears every byte: it asks over a bare socket and understands as little as it can.

said = await ask(upstream, "stall", until=Until(b"…"))      said.status · said.body · said.ended
"""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass
from typing import Any

from standins.standin import StandIn

HELLO = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True)
class Said:
    """What came over the socket, and how it ended: `eof`, `rst`, or `open` when the client left."""

    raw: bytes
    ended: str

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    @property
    def chunks(self) -> list[bytes]:
        """The HTTP chunks that are whole, without the last, empty one."""
        raw = self.raw
        at = raw.find(b"\r\n\r\n") + 4
        found: list[bytes] = []
        while (line := raw.find(b"\r\n", at)) > 0:
            start, length = line + 2, int(raw[at:line], 16)
            if length == 0 or len(raw) < start + length + 2:
                break
            found.append(raw[start : start + length])
            at = start + length + 2
        return found

    @property
    def whole(self) -> bool:
        """Whether the closing chunk came."""
        return self.raw.endswith(b"\r\n0\r\n\r\n") or self.raw.endswith(b"\r\n\r\n0\r\n\r\n")

    @property
    def body(self) -> bytes:
        if b"transfer-encoding: chunked" in self.head:
            return b"".join(self.chunks)
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def unzipped(self) -> bytes:
        return zlib.decompressobj(wbits=31).decompress(self.body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        return str(self.json["error"]["message"])

    @property
    def events(self) -> list[Any]:
        """The JSON of every tidy event."""
        lines = self.body.split(b"\n")
        return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]

    @property
    def deltas(self) -> list[Any]:
        return [event["choices"][0]["delta"] for event in self.events if event.get("choices")]

    def text(self, name: str = "content") -> str:
        """The content (or another field) of all deltas, joined."""
        return "".join(delta.get(name) or "" for delta in self.deltas if delta)

    @property
    def finish(self) -> Any:
        """The last finish_reason that was not null; None: there was none."""
        rows = [event["choices"][0] for event in self.events if event.get("choices")]
        reasons = [row.get("finish_reason") for row in rows]
        return next((one for one in reversed(reasons) if one is not None), None)

    @property
    def usage(self) -> Any:
        return next((e["usage"] for e in reversed(self.events) if e.get("usage")), None)

    @property
    def calls(self) -> list[Any]:
        """Every piece of a tool call, in order."""
        return [row for delta in self.deltas for row in (delta or {}).get("tool_calls") or ()]


def post(
    body: object,
    path: str = "/chat/completions",
    headers: tuple[str, ...] = (),
    key: str = "sk-test",
) -> bytes:
    """The bytes of a request that asks for its connection to be closed afterwards."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = (
        f"POST {path} HTTP/1.1",
        "host: stand-in",
        "content-type: application/json",
        "connection: close",
        f"content-length: {len(raw)}",
        *((f"authorization: Bearer {key}",) if key else ()),
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


async def connect(upstream: StandIn) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection to the stand-in."""
    port = int(upstream.url.rpartition(":")[2])
    return await asyncio.open_connection("127.0.0.1", port)


@dataclass(frozen=True)
class Until:
    """When the client leaves: as soon as these bytes came so many times."""

    raw: bytes
    times: int = 1


async def listen(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: Until | None = None
) -> Said:
    """Read to the end, or until these bytes came, and then leave."""
    raw = bytearray()
    ended = "eof"
    try:
        while until is None or raw.count(until.raw) < until.times:
            data = await reader.read(1 << 20)
            if not data:
                break
            raw += data
        else:
            ended = "open"
    except ConnectionResetError:
        ended = "rst"
    writer.transport.abort()
    return Said(bytes(raw), ended)


async def ask(upstream: StandIn, mode: str = "", until: Until | None = None, **fields: Any) -> Said:
    """Ask for a stream (unless told otherwise), under a named mode."""
    body = {"model": "deepseek-flash", "messages": HELLO, "stream": True, **fields}
    headers = (f"x-stand-in: {mode}",) if mode else ()
    return await send(upstream, post(body, headers=headers), until)


async def send(upstream: StandIn, request: bytes, until: Until | None = None) -> Said:
    """Send exactly these bytes and listen."""
    reader, writer = await connect(upstream)
    writer.write(request)
    return await listen(reader, writer, until)
