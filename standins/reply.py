"""A reply before it is bytes: a row of small steps, which behaviours rewrite and a player plays.

    Token Token Wait Token Hold Token Chunk Frame Close
      │                                 │     │     └ end the connection, politely or not
      │                                 │     └────── bytes of the body, exactly these, one write
      │                                 └──────────── one event whose JSON is given in full
      └────────────────────────────────────────────── one token in the ordinary dress

A Token becomes bytes by two constant halves around its text, because a load test sends millions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Field = Literal["content", "reasoning_content"]
Framing = Literal["chunked", "length", "close"]
After = Literal["keep", "close", "close_on_next"]
Headers = tuple[tuple[str, str], ...]

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"


class Gate:
    """A door in an answer: the player waits before it until the test opens it."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()

    def open(self) -> None:
        """Let the answer go on; for good."""
        self._opened.set()

    async def reached(self) -> None:
        """Return once everything before the gate has been written."""
        await self._reached.wait()

    async def passed(self) -> None:
        """The player's side: say that the gate is reached, then wait for `open`."""
        self._reached.set()
        await self._opened.wait()


# ── steps ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the answer or of the thinking before it."""

    field: Field
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event: `data: ` and this JSON. `tokens` says how many tokens it carries."""

    data: Mapping[str, object]
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes of the body in one write; with chunked framing, one HTTP chunk."""

    raw: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes on the socket past all HTTP framing."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Silence for `seconds` (None: until the client leaves), or `comment` every `every_s`."""

    seconds: float | None
    comment: bytes = b""
    every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait before a gate."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection now: `eof` closes it, `rst` resets it. Nothing else is written."""

    how: Literal["eof", "rst"]


Step = Token | Chunk | Frame | Wire | Wait | Hold | Close


# ── the dress of a chunk ──────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=65536)
def json_text(text: str) -> bytes:
    """A JSON string in raw UTF-8; text with lone surrogates is escaped instead."""
    try:
        return json.dumps(text, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(text).encode()


def compact(data: object) -> bytes:
    """JSON without spaces, in raw UTF-8 where that is possible."""
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(data, separators=(",", ":")).encode()


def event(data: object) -> bytes:
    """The bytes of one event with this JSON."""
    return b"data: " + compact(data) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of one answer share, in the order in which DeepSeek writes it."""

    id: str
    created: int
    model: str
    fingerprint: str
    thinking: bool

    def chunk(
        self,
        delta: Mapping[str, object],
        finish_reason: str | None = None,
        usage: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """One chunk as JSON."""
        choice = {
            "index": 0,
            "delta": dict(delta),
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": [choice],
            "usage": None if usage is None else dict(usage),
        }

    def delta(self, name: Field, text: str) -> dict[str, object]:
        """A delta of one token: both fields while thinking is on, else the content alone."""
        if not self.thinking:
            return {name: text}
        both: dict[str, object] = {"content": None, "reasoning_content": None}
        both[name] = text
        return both

    def halves(self, name: Field) -> tuple[bytes, bytes]:
        """The bytes before and after the JSON string of a token's text."""
        mark = "\x00"
        before, after = event(self.chunk(self.delta(name, mark))).split(compact(mark))
        return before, after


class Encoder:
    """Steps to bytes of the body, for one reply."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._content = envelope.halves("content")
        self._reasoning = envelope.halves("reasoning_content")

    def frame(self, step: Token | Chunk | Frame) -> Frame:
        """The step as bytes, with its count of tokens."""
        match step:
            case Token():
                before, after = self._content if step.field == "content" else self._reasoning
                return Frame(before + json_text(step.text) + after, 1)
            case Chunk():
                return Frame(event(step.data), step.tokens)
            case Frame():
                return step

    def chunk(self, step: Token | Chunk) -> Chunk:
        """The step as JSON."""
        if isinstance(step, Chunk):
            return step
        delta = self._envelope.delta(step.field, step.text)
        return Chunk(self._envelope.chunk(delta), 1)


# ── a reply ───────────────────────────────────────────────────────────────────────────────────

SSE_HEADERS: Headers = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("connection", "keep-alive"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ("access-control-allow-credentials", "true"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("server", "openresty"),
)
JSON_HEADERS: Headers = (("content-type", "application/json"), *SSE_HEADERS[2:])
NO_ENVELOPE = Envelope("", 0, "", "", False)


@dataclass(frozen=True, slots=True)
class Reply:
    """Everything that will be sent for one request. `before` plays before the head; `bare`
    replies have no head at all. `write_bytes` cuts every write to at most that many bytes.
    `streaming` says whether the body is an event stream of an answer."""

    body: tuple[Step, ...] = ()
    status: int = 200
    headers: Headers = JSON_HEADERS
    framing: Framing = "chunked"
    streaming: bool = False
    bare: bool = False
    before: tuple[Step, ...] = ()
    tokens_per_s: float | None = None
    write_bytes: int | None = None
    after: After = "keep"
    version: str = "HTTP/1.1"
    envelope: Envelope = NO_ENVELOPE

    def rendered(self) -> Reply:
        """The same reply with every Token and Chunk turned into its Frame."""
        encoder = Encoder(self.envelope)
        steps = tuple(
            encoder.frame(step) if isinstance(step, Token | Chunk) else step for step in self.body
        )
        return replace(self, body=steps)

    def unfolded(self) -> Reply:
        """The same reply with every Token turned into its Chunk."""
        encoder = Encoder(self.envelope)
        steps = tuple(
            encoder.chunk(step) if isinstance(step, Token) else step for step in self.body
        )
        return replace(self, body=steps)

    def header(self, name: str, value: str | None) -> Reply:
        """The same reply with one header replaced, added or (None) taken away."""
        kept = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    def place(self, tokens: int) -> int:
        """The index in the body right after the first `tokens` tokens (0: right before the first
        one); a step that would carry more is still ahead; past the end when there are fewer."""
        seen = 0
        for index, step in enumerate(self.body):
            carried = weight(step)
            if not carried:
                continue
            if seen + carried > tokens:
                return index
            seen += carried
            if seen == tokens:
                return index + 1
        return len(self.body)

    def put(self, index: int, *steps: Step) -> Reply:
        """The same reply with these steps put before the step at `index`."""
        return replace(self, body=(*self.body[:index], *steps, *self.body[index:]))


def weight(step: Step) -> int:
    """How many tokens the step carries."""
    match step:
        case Token():
            return 1
        case Chunk() | Frame():
            return step.tokens
        case _:
            return 0
