"""Anthropic on a port of this machine: the real thing's events, rules and moods, without a key.

POST /v1/messages ─▶ key? ─▶ version? ─▶ wish? ─▶ speech ─▶ events ─▶ behaviours ─▶ player
                                                                         ▲
                          play(…) once · always(…) · header x-stand-in ──┘
GET  /v1/models?limit=…&after_id=…     what is served, page by page

async with AnthropicStandIn(key="sk-ant-test") as upstream:
    upstream.play(Fault(after_tokens=3))
    … upstream.url …
    await upstream.wait_for_disconnect()
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import parse_qs

from standins.accounting import estimate
from standins.answers import Answer, Speech, speech
from standins.anthropic_rules import (
    FAMILIES,
    Wish,
    authenticate,
    key_in,
    read_wish,
)
from standins.anthropic_talk import sign
from standins.anthropic_words import MessagesError, error_body
from standins.behaviours.base import Played, Stage, answer_of
from standins.behaviours.status import Status
from standins.deepseek_rules import RefusedError
from standins.reply import Frame, Headers, Reply, Step, compact
from standins.server import Request
from standins.standin import StandIn
from standins.words import pieces

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
LEAST_CACHED_TOKENS = 512  # of the newest models; older ones want up to 4096 (docs, November 2026)
LOOK_BACK_BLOCKS = 20
HEADERS: Headers = (("cache-control", "no-cache"), ("server", "cloudflare"))
SSE_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"), *HEADERS)
JSON_HEADERS: Headers = (("content-type", "application/json"), *HEADERS)
DATED = {  # the names under which older models are listed
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
MAGIC = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"  # a question with it gets some (docs)


def event(name: str, tokens: int = 0, **fields: object) -> Frame:
    """One named event; its name is repeated in its JSON."""
    data = compact({"type": name, **fields})
    return Frame(b"event: %b\ndata: %b\n\n" % (name.encode(), data), tokens)


# ── what may be played, beside what every stand-in can do ─────────────────────────────────────


def refusing(code: int, kind: str, message: str = "boom", headers: Headers = ()) -> Status:
    """A status before the first byte, in Anthropic's envelope."""
    return Status(code, error_body(kind, message, "req_stand_in"), headers)


@dataclass(frozen=True, slots=True)
class Fault:
    """An error inside the stream after some tokens, and then its end."""

    stage: ClassVar[Stage] = Stage.EVENTS
    kind: str = "overloaded_error"
    message: str = "Overloaded"
    after_tokens: int = 2

    def shape(self, reply: Reply) -> Reply:
        """The reply up to the error."""
        error = Frame(b"event: error\ndata: %b\n\n" % error_body(self.kind, self.message))
        return replace(reply, body=(*reply.body[: reply.place(self.after_tokens)], error))


@dataclass(frozen=True, slots=True)
class Without:
    """The answer without its events of one name; with `then_over`, without all that follows."""

    stage: ClassVar[Stage] = Stage.EVENTS
    name: str
    then_over: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The reply, shorter."""
        kept: list[Step] = []
        for step in reply.body:
            if isinstance(step, Frame) and step.raw.startswith(f"event: {self.name}\n".encode()):
                if self.then_over:
                    break
                continue
            kept.append(step)
        return replace(reply, body=tuple(kept))


# ── one stand-in ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Bill:
    """The tokens of a prompt: written to the cache, read from it, and neither."""

    fresh: int
    written: int
    read: int

    def usage(self, output: int) -> dict[str, object]:
        """The figures of a message or of its delta."""
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": self.written,
            "cache_read_input_tokens": self.read,
            "output_tokens": output,
        }


class MarkedCache:
    """Prefixes that end at a mark, for each key. A request reads the longest one that an earlier
    request wrote and that ends at one of its marks or at most some blocks before."""

    def __init__(self) -> None:
        self._written: set[bytes] = set()

    def bill(self, key: str, wish: Wish) -> Bill:
        """What this prompt costs; from now on its own prefixes are known."""
        names = [self._name(key, read) for read, _ in wish.ends]
        sizes = [estimate(read) for read, _ in wish.ends]
        marks = [at for at, (_, marked) in enumerate(wish.ends) if marked]
        marks = [at for at in marks if sizes[at] >= LEAST_CACHED_TOKENS]
        looked = (at for mark in marks for at in range(max(0, mark - LOOK_BACK_BLOCKS), mark + 1))
        read = max((sizes[at] for at in looked if names[at] in self._written), default=0)
        self._written.update(names[at] for at in marks)
        written = max(0, sizes[marks[-1]] - read) if marks else 0
        return Bill(sizes[-1] - written - read, written, read)

    def forget(self) -> None:
        """As after five minutes without use."""
        self._written.clear()

    def _name(self, key: str, read: bytes) -> bytes:
        return hashlib.blake2b(key.encode() + b"\x00" + read, digest_size=16).digest()


class AnthropicStandIn(StandIn):
    """One Anthropic. `key` None accepts any key; `answer` is what it says unless a behaviour says
    otherwise: its `finish_reason` is the stop reason. Its `url` is for ANTHROPIC_BASE_URL."""

    def __init__(
        self,
        key: str | None = None,
        port: int = 0,
        answer: Answer | None = None,
        wait_scale: float = 1.0,
    ) -> None:
        super().__init__(port, wait_scale)
        self.keys = (key,) if key else ()
        self.answer = answer or Answer()
        self.cache = MarkedCache()
        self._numbers = itertools.count(1)

    def is_chat(self, request: Request) -> bool:
        """A POST for a message."""
        return request.path.partition("?")[0].endswith("/v1/messages")

    def key_of(self, headers: Mapping[str, str]) -> str:
        """From whichever header."""
        return key_in(headers)

    def forget(self) -> None:
        """What is cached."""
        self.cache.forget()

    def refused(self, error: RefusedError) -> Reply:
        """In Anthropic's envelope, with the id of the request."""
        request_id = self._id("req")
        reply = Reply((Frame(error.body(request_id)),), error.status, JSON_HEADERS, "length")
        return reply.header("request-id", request_id)

    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """A message, whole or streamed."""
        key = authenticate(request.headers, self.keys)
        path, _, query = request.path.partition("?")
        if request.method == "GET" and path == "/v1/models":
            return Reply((Frame(compact(listed(query))),), 200, JSON_HEADERS, "length")
        if request.method != "POST" or not self.is_chat(request):
            raise MessagesError("Not found", 404, "not_found_error")
        wish = read_wish(request.raw, request.headers["anthropic-version"])
        answer = answer_of(self.answer, played)
        told = Telling(wish, speech(wish.order, answer), answer, self.cache.bill(key, wish))
        message_id = self._id("msg")
        if not wish.order.stream:
            body = Frame(compact(told.message(message_id, whole=True)), told.spoken.carried())
            return Reply((body,), 200, JSON_HEADERS, "length")
        return Reply(
            tuple(told.events(message_id)),
            headers=(*SSE_HEADERS, ("request-id", self._id("req"))),
            streaming=True,
            tokens_per_s=answer.tokens_per_s,
        )

    def _id(self, kind: str) -> str:
        return f"{kind}_01{next(self._numbers):022d}"


def listed(query: str) -> dict[str, object]:
    """A page of the list of models: 20 of them unless the query says how many."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    rows = [_row(name) for name in FAMILIES]
    ids = [row["id"] for row in rows]
    if (after := asked.get("after_id")) is not None:
        rows = rows[ids.index(after) + 1 :] if after in ids else []
    page = rows[: int(asked.get("limit", "20"))]
    return {
        "data": page,
        "has_more": len(page) < len(rows),
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _row(name: str) -> dict[str, object]:
    family = FAMILIES[name]
    return {
        "type": "model",
        "id": DATED.get(name, name),
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-02-05T00:00:00Z",
        "lifecycle": "deprecated" if name == "claude-opus-4-5" else "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": name.split("-")[1],
        "max_input_tokens": 1_000_000 if family.max_tokens == 128_000 else 200_000,
        "max_tokens": family.max_tokens,
        "capabilities": None,
    }


@dataclass(frozen=True, slots=True)
class Telling:
    """One answer on its way into events."""

    wish: Wish
    spoken: Speech
    answer: Answer
    bill: Bill

    def message(self, message_id: str, whole: bool = False) -> dict[str, object]:
        """The message: as it begins, or (`whole`) as it is in the end."""
        reason, stop = self._end() if whole else (None, None)
        output = self.spoken.carried() if whole else 1
        return {
            "model": self.wish.order.model,
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "content": self._content(message_id) if whole else [],
            "stop_reason": reason,
            "stop_sequence": stop,
            "stop_details": None,
            "usage": {**self._usage(output, whole), "service_tier": "standard"},
        }

    def events(self, message_id: str) -> list[Frame]:
        """All events of the stream, in order; a ping after the first block has begun."""
        frames = [event("message_start", message=self.message(message_id))]
        for index, block in enumerate(self._content(message_id)):
            frames += self._block(index, block)
        frames.insert(min(2, len(frames)), Frame(PING))
        reason, stop = self._end()
        delta = {"stop_reason": reason, "stop_sequence": stop, "stop_details": None}
        usage = self._usage(self.spoken.carried(), True)
        return [*frames, event("message_delta", delta=delta, usage=usage), event("message_stop")]

    def _block(self, index: int, block: dict[str, object]) -> list[Frame]:
        """The events of one block: how it begins, its pieces, its end."""
        empty: dict[str, object] = {}
        deltas: list[tuple[dict[str, object], int]] = []
        match block["type"]:
            case "thinking":
                empty = {"thinking": "", "signature": ""}
                shown = self.spoken.reasoning if block["thinking"] else ()
                deltas = [({"type": "thinking_delta", "thinking": one}, 1) for one in shown]
                deltas.append(({"type": "signature_delta", "signature": block["signature"]}, 0))
            case "text":
                empty = {"text": ""}
                deltas = [({"type": "text_delta", "text": one}, 1) for one in self.spoken.words]
            case "tool_use":
                empty = {"input": {}}
                written = ["", *pieces(compact(block["input"]).decode())]
                deltas = [({"type": "input_json_delta", "partial_json": one}, 1) for one in written]
        begun = event("content_block_start", index=index, content_block={**block, **empty})
        told = [event("content_block_delta", n, index=index, delta=delta) for delta, n in deltas]
        return [begun, *told, event("content_block_stop", index=index)]

    def _content(self, message_id: str) -> list[dict[str, object]]:
        blocks: list[dict[str, object]] = []
        if self.wish.order.thinking and self.spoken.reasoning:
            thought = "".join(self.spoken.reasoning)
            shown = thought if self.wish.shows else ""
            signature = sign(self.wish.bound, shown, thought)
            blocks.append({"type": "thinking", "thinking": shown, "signature": signature})
        if self.wish.order.thinking and MAGIC in self.wish.order.question():
            blocks.append({"type": "redacted_thinking", "data": sign(self.wish.bound, "", "?")})
        if self.spoken.words:
            blocks.append({"type": "text", "text": self.spoken.said()})
        for at, call in enumerate(self.spoken.calls):
            call_id = f"{message_id.replace('msg', 'toolu')}{at:02d}"
            given = json.loads(call.arguments)
            blocks.append({"type": "tool_use", "id": call_id, "name": call.name, "input": given})
        return blocks

    def _usage(self, output: int, with_share: bool) -> dict[str, object]:
        usage = self.bill.usage(output)
        if with_share:
            usage["output_tokens_details"] = {"thinking_tokens": len(self.spoken.reasoning)}
        return usage

    def _end(self) -> tuple[str, str | None]:
        """The stop reason, and the stop sequence that was met."""
        if self.answer.finish_reason:
            return self.answer.finish_reason, None
        if self.spoken.finish_reason == "stop" and self.wish.order.stop:
            unstopped = speech(replace(self.wish.order, stop=()), self.answer).said()
            met = [stop for stop in self.wish.order.stop if stop in unstopped]
            if met:
                return "stop_sequence", min(met, key=unstopped.find)
        return ENDS.get(self.spoken.finish_reason, self.spoken.finish_reason), None
