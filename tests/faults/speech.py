"""What one call of the raw upstream says, and how its bytes fall.

A seed chooses the text, how it is cut into events and writes, where the fault falls, and whether
the body is chunked or ends with the connection. Each call of a run says something else, so an
answer that holds words of two calls shows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import AnyStr

from standins.words import tokens

from .raw_upstream import End, Send, Step

DONE = b"data: [DONE]\n\n"


class Speech:
    """What one call of one run says, and how."""

    def __init__(self, seed: int, mode: str, call: int, port: int = 0) -> None:
        self.call = call
        self.port = port
        self.run_rng = random.Random(f"{seed} {mode}")  # the same for all calls of a run
        self.rng = rng = random.Random(f"{seed} {mode} {call}")
        self.text = f"{call}. " + "".join(tokens(rng.randrange(2**32), rng.randint(6, 40), "mixed"))
        self.parts = _pieces(self.text, rng)
        self.cut = rng.randint(1, len(self.parts))  # how many parts come before the fault
        self.chunked = rng.random() < 0.5

    @property
    def before(self) -> str:
        """The text that comes before the fault."""
        return "".join(self.parts[: self.cut])

    def events(self, parts: Sequence[str] | None = None) -> list[bytes]:
        """Parts of the text as events, by default all."""
        return [self.event({"content": part}) for part in (self.parts if parts is None else parts)]

    def event(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        """One event, ascii or not."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return data({"choices": [choice]}, self.rng.random() < 0.5)

    def finish(self) -> bytes:
        return self.event({}, "stop")

    def whole(self) -> list[bytes]:
        """All events of a good answer."""
        return [*self.events(), self.finish(), DONE]

    def reply(self, events: Sequence[bytes], *more: Step, head: str = "") -> list[Step]:
        """A head, these events as the writes fall, and what follows, by default a proper end."""
        body = b"".join(events)
        if self.chunked and body:
            body = b"".join(self.framed(part) for part in _pieces(body, self.rng))
        framing = "transfer-encoding: chunked\r\n" if self.chunked else ""
        start = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}{head}"
        sent = f"{start}connection: close\r\n\r\n".encode() + body
        return [Send(tuple(_pieces(sent, self.rng)), every_s=0.001), *(more or self.end())]

    def framed(self, part: bytes) -> bytes:
        """Some bytes of the body as they stand on the wire."""
        return b"%x\r\n%b\r\n" % (len(part), part) if self.chunked else part

    def end(self) -> list[Step]:
        """The proper end of a reply."""
        return [Send((b"0\r\n\r\n",))] if self.chunked else [End("eof")]


def data(value: object, ascii_only: bool = True) -> bytes:
    """One event."""
    return f"data: {json.dumps(value, ensure_ascii=ascii_only)}\n\n".encode()


def delta(content: str) -> bytes:
    """The shortest event with a text."""
    return data({"choices": [{"delta": {"content": content}}]})


def _pieces(whole: AnyStr, rng: random.Random) -> list[AnyStr]:
    """The same in 1 to 12 pieces, none of them empty."""
    inner = range(1, len(whole))
    cuts: list[int] = sorted(rng.sample(inner, min(len(inner), rng.randint(0, 11))))
    ends = [0, *cuts, len(whole)]
    return [whole[start:end] for start, end in pairwise(ends)]


def refusal(status: int, body: bytes, *headers: str) -> list[Step]:
    """A reply that is no stream."""
    lines = (f"HTTP/1.1 {status} Status", f"content-length: {len(body)}", *headers)
    return [Send(("\r\n".join((*lines, "connection: close", "", "")).encode() + body,))]
