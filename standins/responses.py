"""OpenAI's Responses API on a port of this machine: its events and rules, without a key.

POST /responses ─▶ key? ─▶ wish? ─▶ speech ─▶ items ─▶ events ─▶ behaviours ─▶ player
                                                                    ▲
                     play(…) once · always(…) · header x-stand-in ──┘
GET  /models       what is served

async with ResponsesStandIn(key="sk-test") as upstream:
    upstream.play(Fault(after_tokens=3))
    … upstream.url …
    await upstream.wait_for_disconnect()

Its `url` is for OPENAI_RESPONSES_BASE_URL. It keeps nothing between requests but which reasoning it
has encrypted: what comes back has to be that, unchanged.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from standins.accounting import PrefixCache, estimate
from standins.answers import Answer, Call, Speech, speech
from standins.behaviours.base import Played, Stage, answer_of
from standins.behaviours.status import Status
from standins.deepseek_rules import RefusedError
from standins.reply import Frame, Headers, Reply, Step, compact
from standins.responses_rules import (
    FAMILIES,
    ResponsesError,
    Wish,
    authenticate,
    error_body,
    read_wish,
)
from standins.server import Request
from standins.standin import StandIn
from standins.words import pieces

HEADERS: Headers = (("openai-version", "2020-10-01"), ("server", "cloudflare"))
SSE_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"), *HEADERS)
JSON_HEADERS: Headers = (("content-type", "application/json"), *HEADERS)
PADDING = "4TkQ8zvXw2Lr9BsY"
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
Item = dict[str, object]


def event(name: str, number: int, /, **fields: object) -> bytes:
    """The bytes of one named event; its name is repeated in its JSON."""
    data = compact({"type": name, "sequence_number": number, **fields})
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


# ── what may be played, beside what every stand-in can do ─────────────────────────────────────


def refusing(code: int, kind: str, message: str = "boom", headers: Headers = ()) -> Status:
    """A status before the first byte, in OpenAI's envelope."""
    return Status(code, error_body(message, kind), headers)


@dataclass(frozen=True, slots=True)
class Fault:
    """The response fails after some tokens: by a last event that says so, or (`flat`) by an
    `error` event in its place."""

    stage: ClassVar[Stage] = Stage.EVENTS
    code: str = "server_error"
    message: str = "The server had an error while processing your request."
    after_tokens: int = 2
    flat: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The reply up to the failure."""
        body = reply.body[: reply.place(self.after_tokens)]
        if self.flat:
            said: Item = {"code": self.code, "message": self.message, "param": None}
            end = event("error", len(body), **said)
        else:
            error = {"code": self.code, "message": self.message}
            response = {"object": "response", "status": "failed", "error": error, "output": []}
            end = event("response.failed", len(body), response=response)
        return replace(reply, body=(*body, Frame(end)))


@dataclass(frozen=True, slots=True)
class Refuses:
    """The words are a refusal instead of a text."""

    stage: ClassVar[Stage] = Stage.EVENTS

    def shape(self, reply: Reply) -> Reply:
        """The reply, its texts renamed."""
        renamed = (
            (b"response.output_text.", b"response.refusal."),
            (b'"type":"output_text"', b'"type":"refusal"'),
            (b'"text":', b'"refusal":'),
        )
        steps: list[Step] = []
        for step in reply.body:
            raw = step.raw if isinstance(step, Frame) else b""
            for old, new in renamed:
                raw = raw.replace(old, new)
            steps.append(replace(step, raw=raw) if isinstance(step, Frame) else step)
        return replace(reply, body=tuple(steps))


# ── one stand-in ──────────────────────────────────────────────────────────────────────────────


class ResponsesStandIn(StandIn):
    """One OpenAI. `key` None accepts any key; `answer` is what it says unless a behaviour says
    otherwise; `finish_reason` "length" or "content_filter" leaves it incomplete."""

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
        self.cache = PrefixCache()
        self.sealed: set[str] = set()
        self._numbers = itertools.count(1)

    def is_chat(self, request: Request) -> bool:
        """A POST for a response."""
        return request.path.partition("?")[0].endswith("/responses")

    def key_of(self, headers: Mapping[str, str]) -> str:
        """The bearer's."""
        return headers.get("authorization", "").removeprefix("Bearer").strip()

    def forget(self) -> None:
        """What is cached, and what was sealed."""
        self.cache.forget()
        self.sealed.clear()

    def refused(self, error: RefusedError) -> Reply:
        """In OpenAI's envelope."""
        reply = Reply((Frame(error.body()),), error.status, JSON_HEADERS, "length")
        return reply.header("x-request-id", self._id("req"))

    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """A response, whole or streamed."""
        key = authenticate(request.headers, self.keys)
        if request.method == "GET" and request.path.endswith("/models"):
            return Reply((Frame(compact(listed())),), 200, JSON_HEADERS, "length")
        if request.method != "POST" or not self.is_chat(request):
            raise ResponsesError("Invalid URL", status=404)
        wish = read_wish(request.raw, self.sealed)
        answer = answer_of(self.answer, played)
        hit = self.cache.hit(key, wish.prompt)
        self.cache.keep(key, wish.prompt)
        telling = Telling(wish, speech(wish.order, answer), hit, self._id("resp"), self.sealed)
        if not wish.order.stream:
            body = Frame(compact(telling.whole()), telling.spoken.carried())
            return Reply((body,), 200, JSON_HEADERS, "length")
        return Reply(
            tuple(telling.frames()),
            headers=(*SSE_HEADERS, ("x-request-id", self._id("req"))),
            streaming=True,
            tokens_per_s=answer.tokens_per_s,
        )

    def _id(self, kind: str) -> str:
        return f"{kind}_0{next(self._numbers):031x}"


def listed() -> dict[str, object]:
    """The list of models, which knows nothing but their names, and some that cannot chat."""
    ids = [*FAMILIES, "text-embedding-4", "whisper-2"]
    row = {"object": "model", "created": 1_780_000_000, "owned_by": "system"}
    return {"object": "list", "data": [{"id": one, **row} for one in ids]}


@dataclass(frozen=True, slots=True)
class Telling:
    """One answer on its way into items and events. What it seals is added to `sealed`."""

    wish: Wish
    spoken: Speech
    cached: int
    id: str
    sealed: set[str]

    def whole(self) -> Item:
        """The response as it is in the end."""
        reason = INCOMPLETE.get(self.spoken.finish_reason)
        return {
            **self._begun(),
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "output": self.output(),
            "usage": self._usage(),
        }

    def frames(self) -> Iterator[Frame]:
        """All events of the stream, in order."""
        tells = (("response.created", 0), ("response.in_progress", 0))
        events: list[tuple[str, int, Item]] = [
            (name, tokens, {"response": self._begun()}) for name, tokens in tells
        ]
        for index, item in enumerate(self.output()):
            events += self._telling(index, item)
        whole = self.whole()
        events.append((f"response.{whole['status']}", 0, {"response": whole}))
        for number, (name, tokens, fields) in enumerate(events):
            yield Frame(event(name, number, **fields), tokens)

    def output(self) -> list[Item]:
        """The items: reasoning, then words, then calls."""
        items: list[Item] = []
        thought = "".join(self.spoken.reasoning)
        if self.wish.order.thinking and thought:
            summary = [{"type": "summary_text", "text": thought}] if self.wish.shows else []
            item: Item = {"id": self._own("rs"), "type": "reasoning", "summary": summary}
            items.append(item | ({"encrypted_content": self._seal()} if self.wish.seals else {}))
        if self.spoken.words:
            part: Item = {"type": "output_text", "text": self.spoken.said(), "annotations": []}
            part["logprobs"] = []
            items.append({"id": self._own("msg"), **_message([part])})
        items += [self._call(number, call) for number, call in enumerate(self.spoken.calls)]
        return items

    def _telling(self, index: int, item: Item) -> list[tuple[str, int, Item]]:
        """The events that build one item."""
        at: Item = {"item_id": item["id"], "output_index": index}
        begun = {**item, "status": "in_progress"}
        match item["type"]:
            case "reasoning":
                begun = {**item, "summary": []}
                inner = self._summary(at) if item["summary"] else []
            case "message":
                begun["content"] = []
                inner = self._words(at, item)
            case _:
                begun["arguments"] = ""
                inner = self._arguments(at, item)
        added = ("response.output_item.added", 0, {"output_index": index, "item": begun})
        done = ("response.output_item.done", 0, {"output_index": index, "item": item})
        return [added, *inner, done]

    def _summary(self, at: Item) -> list[tuple[str, int, Item]]:
        place: Item = {**at, "summary_index": 0}
        text = "".join(self.spoken.reasoning)
        name = "response.reasoning_summary_"
        part = {"type": "summary_text", "text": text}
        return [
            (f"{name}part.added", 0, {**place, "part": {**part, "text": ""}}),
            *self._deltas(f"{name}text.delta", place, self.spoken.reasoning),
            (f"{name}text.done", 0, {**place, "text": text}),
            (f"{name}part.done", 0, {**place, "part": part}),
        ]

    def _words(self, at: Item, item: Item) -> list[tuple[str, int, Item]]:
        place: Item = {**at, "content_index": 0}
        part = item["content"][0]  # type: ignore[index]
        deltas = self._deltas(
            "response.output_text.delta", {**place, "logprobs": []}, self.spoken.words
        )
        return [
            ("response.content_part.added", 0, {**place, "part": {**part, "text": ""}}),
            *deltas,
            ("response.output_text.done", 0, {**place, "logprobs": [], "text": part["text"]}),
            ("response.content_part.done", 0, {**place, "part": part}),
        ]

    def _arguments(self, at: Item, item: Item) -> list[tuple[str, int, Item]]:
        name, arguments = "response.function_call_arguments.", str(item["arguments"])
        return [
            *self._deltas(f"{name}delta", at, pieces(arguments)),
            (f"{name}done", 0, {**at, "arguments": arguments, "name": item["name"]}),
        ]

    def _deltas(
        self, name: str, place: Item, tokens: tuple[str, ...] | list[str]
    ) -> list[tuple[str, int, Item]]:
        """A delta for each token, padded to lengths that say nothing unless that is not wanted."""
        told: list[tuple[str, int, Item]] = []
        for token in tokens:
            fields: Item = {**place, "delta": token}
            if self.wish.pads:
                fields["obfuscation"] = PADDING[: max(1, 16 - len(token))]
            told.append((name, 1, fields))
        return told

    def _call(self, number: int, call: Call) -> Item:
        return {
            "id": self._own(f"fc{number}"),
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{self.id[-8:]}{number}",
            "name": call.name,
            "arguments": call.arguments,
        }

    def _begun(self) -> Item:
        """The response as it begins."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": 1_790_000_000,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": f"{self.wish.order.model}-2026-09-01",
            "output": [],
            "parallel_tool_calls": True,
            "store": False,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": None,
        }

    def _usage(self) -> Item:
        read, output = estimate(self.wish.prompt), self.spoken.carried()
        thought = len(self.spoken.reasoning)
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": read + output,
        }

    def _seal(self) -> str:
        thought = f"{self.id}{''.join(self.spoken.reasoning)}".encode("utf-8", "replace")
        seal = (
            "gAAAA" + base64.b64encode(hashlib.blake2b(thought, digest_size=48).digest()).decode()
        )
        self.sealed.add(seal)
        return seal

    def _own(self, kind: str) -> str:
        return f"{kind}_{self.id.removeprefix('resp_')}"


def _message(content: list[Item]) -> Item:
    return {"type": "message", "status": "completed", "role": "assistant", "content": content}
