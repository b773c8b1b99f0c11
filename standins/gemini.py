"""Gemini on a port of this machine: the real thing's bytes, rules and moods, without a key.

POST /v1beta/models/{m}:streamGenerateContent?alt=sse ─▶ key? ─▶ order? ─▶ speech ─▶ chunks
POST /v1beta/models/{m}:generateContent                    one response with all of it
GET  /v1beta/models?pageSize=…&pageToken=…                 what is served; /v1/… is the same

Each chunk carries one token or one whole call and the bill so far; lines end in CRLF; the last
chunk has an empty text and the finishReason, and then the body is over. The signature of a model
that thought is on the first call, or else on that empty text. `Block` and `BreakIn`
are Gemini's own moods, `Answer(finish_reason="SAFETY")` ends an answer in any way that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

from standins.accounting import PrefixCache, estimate
from standins.answers import Answer, Call, Speech, call_id, speech
from standins.behaviours.base import Played, Stage, answer_of
from standins.deepseek_rules import RefusedError
from standins.gemini_refusal import GeminiRefusal
from standins.gemini_rules import (
    CONTEXT_TOKENS,
    MAX_OUTPUT_TOKENS,
    PLACE,
    SERVED,
    Asked,
    authenticate,
    read_order,
)
from standins.gemini_turns import signature_of
from standins.reply import Close, Frame, Headers, Reply, Step
from standins.server import Request
from standins.standin import StandIn

JSON: Headers = (
    ("content-type", "application/json; charset=UTF-8"),
    ("vary", "Origin"),
    ("vary", "X-Origin"),
    ("vary", "Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
)
SSE: Headers = (
    ("content-type", "text/event-stream"),
    ("content-disposition", "attachment"),
    *JSON[1:],
)
PAINTERS = ("gemini-3-pro-image", "gemini-3.1-flash-tts-preview")  # which generateContent too
FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
RESPONSE_ID = "Zm9yIHRlc3Rz"
Json = dict[str, Any]


class GeminiStandIn(StandIn):
    """One Gemini. `key` None accepts any key; `answer` is what it says unless a behaviour says
    otherwise; `models` is its list. Its `url` is for GEMINI_BASE_URL."""

    def __init__(
        self,
        key: str | tuple[str, ...] | None = None,
        port: int = 0,
        answer: Answer | None = None,
        wait_scale: float = 1.0,
    ) -> None:
        super().__init__(port, wait_scale)
        self.keys = (key,) if isinstance(key, str) else (key or ())
        self.answer = answer or Answer()
        self.cache = PrefixCache()
        self.models = all_models()

    def is_chat(self, request: Request) -> bool:
        """A POST to a method of a model."""
        return PLACE.search(_path(request)) is not None

    def key_of(self, headers: Mapping[str, str]) -> str:
        """In a header of its own."""
        return headers.get("x-goog-api-key", "")

    def forget(self) -> None:
        """What is cached."""
        self.cache.forget()

    def refused(self, error: RefusedError) -> Reply:
        """In Google's envelope."""
        return Reply((Frame(error.body()),), error.status, JSON, "length")

    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """By its path."""
        key = authenticate(request.headers, self.keys)
        path, place = _path(request), PLACE.search(_path(request))
        if request.method == "GET" and path in ("/v1beta/models", "/v1/models"):
            return _document(listed(request.path.partition("?")[2], self.models))
        if request.method != "POST" or place is None:
            raise GeminiRefusal("Requested entity was not found.", 404)
        asked = read_order(unquote(place[1]), request.body)
        answer = answer_of(self.answer, played)
        spoken = speech(asked.order, answer)
        chunks = list(self._chunks(key, asked, spoken))
        if place[2] == "generateContent":
            return _document(_merged(chunks, spoken.seed))
        if "alt=sse" not in request.path.partition("?")[2].split("&"):
            return _document(chunks)
        last = len(chunks) - 1
        frames = (Frame(event(chunk), int(at < last)) for at, chunk in enumerate(chunks))
        return Reply(tuple(frames), headers=SSE, streaming=True, tokens_per_s=answer.tokens_per_s)

    def _chunks(self, key: str, asked: Asked, spoken: Speech) -> Iterator[Json]:
        """The responses of one answer: thoughts, words, and the end."""
        prompt = asked.order.prompt()
        hit = self.cache.hit(key, prompt)
        self.cache.keep(key, prompt)
        bill = Bill(estimate(prompt), hit)
        model = asked.order.model
        for thought in spoken.reasoning:
            bill = replace(bill, thoughts=bill.thoughts + 1)
            if asked.shows_thoughts:
                yield _chunk(model, {"text": thought, "thought": True}, bill)
        for word in spoken.words:
            bill = replace(bill, words=bill.words + 1)
            yield _chunk(model, {"text": word}, bill)
        for index, call in enumerate(spoken.calls):
            bill = replace(bill, words=bill.words + 1)
            part = _call(spoken.seed, index, call)
            yield _chunk(model, _signed(part, spoken.seed, asked.signs and not index), bill)
        last = _signed({"text": ""}, spoken.seed, bool(spoken.reasoning) and not spoken.calls)
        finish = FINISHES.get(spoken.finish_reason, spoken.finish_reason)
        yield _chunk(model, last, bill, finish)


@dataclass(frozen=True, slots=True)
class Bill:
    """The tokens so far."""

    prompt: int
    hit: int
    thoughts: int = 0
    words: int = 0

    def usage(self) -> Json:
        """The usageMetadata: what is nothing is left out, as Google's JSON does."""
        said: Json = {"promptTokenCount": self.prompt}
        if self.words:
            said["candidatesTokenCount"] = self.words
        said["totalTokenCount"] = self.prompt + self.words + self.thoughts
        if self.hit:
            said["cachedContentTokenCount"] = self.hit
        said["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": self.prompt}]
        if self.hit:
            said["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": self.hit}]
        if self.thoughts:
            said["thoughtsTokenCount"] = self.thoughts
        return said


def event(chunk: object) -> bytes:
    """The bytes of one event, spaced as Google spaces it."""
    raw = json.dumps(chunk, ensure_ascii=False, separators=(",", ": "))
    return b"data: " + raw.encode("utf-8", "surrogatepass") + b"\r\n\r\n"


def _chunk(model: str, part: Json, bill: Bill, finish: str = "") -> Json:
    candidate: Json = {"content": {"parts": [part], "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    candidate["index"] = 0
    return {"candidates": [candidate], **_tail(model, bill)}


def _tail(model: str, bill: Bill) -> Json:
    return {"usageMetadata": bill.usage(), "modelVersion": model, "responseId": RESPONSE_ID}


def _call(seed: int, index: int, call: Call) -> Json:
    """A part that is a call. Its arguments have to be an object: what a test writes may be any."""
    args = json.loads(call.arguments)
    return {"functionCall": {"name": call.name, "args": args, "id": call_id(seed, index)[-8:]}}


def _signed(part: Json, seed: int, signed: bool) -> Json:
    return {**part, "thoughtSignature": signature_of(part, seed)} if signed else part


def _merged(chunks: list[Json], seed: int) -> Json:
    """One response that says what all of them say. A signature of a text is one of all of it."""
    parts: list[Json] = []
    for chunk in chunks:
        for part in chunk["candidates"][0]["content"]["parts"]:
            if parts and _alike(parts[-1], part):
                text = {**part, "text": f"{parts[-1]['text']}{part['text']}"}
                parts[-1] |= _signed(text, seed, "thoughtSignature" in part)
            elif part.get("text") != "" or "thoughtSignature" in part:
                parts.append(dict(part))
    last = chunks[-1]
    content = {"parts": parts, "role": "model"}
    return {**last, "candidates": [{**last["candidates"][0], "content": content}]}


def _alike(one: Json, other: Json) -> bool:
    texts = "text" in one and "text" in other
    return texts and one.get("thought") == other.get("thought")


def all_models() -> list[Json]:
    """The rows of its list, those that are not for a chat at the end."""
    rows = [_row(name, ["generateContent", "countTokens"]) for name in (*SERVED, *PAINTERS)]
    return [*rows, _row("gemini-embedding-2", ["embedContent", "countTextTokens"])]


def listed(query: str, rows: list[Json]) -> Json:
    """A page of the list of models: 50 of them unless the query says how many. A token is the
    place of the next one."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    begin = int(asked.get("pageToken", "0"))
    end = begin + int(asked.get("pageSize", "50"))
    page: Json = {"models": rows[begin:end]} if rows[begin:end] else {}
    return {**page, "nextPageToken": str(end)} if end < len(rows) else page


def _row(name: str, methods: list[str]) -> Json:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": CONTEXT_TOKENS,
        "outputTokenLimit": MAX_OUTPUT_TOKENS,
        "supportedGenerationMethods": methods,
        **({"thinking": True} if name in SERVED else {}),
    }


def _path(request: Request) -> str:
    return request.path.partition("?")[0]


def _document(value: object) -> Reply:
    raw = json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
    return Reply((Frame(raw),), 200, JSON, "length")


# ── its own moods ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Refuse:
    """A refusal before the first byte; `listed` puts it into a list, as some streams do."""

    stage: ClassVar[Stage] = Stage.REPLACE
    error: GeminiRefusal
    listed: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The refusal instead of the answer."""
        raw = self.error.body()
        raw = b"[" + raw.rstrip() + b"\n]\n" if self.listed else raw
        return replace(
            reply,
            body=(Frame(raw),),
            status=self.error.status,
            headers=JSON,
            framing="length",
            streaming=False,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """The prompt itself is refused by the filter: one chunk without candidates."""

    stage: ClassVar[Stage] = Stage.REPLACE
    reason: str = "PROHIBITED_CONTENT"

    def shape(self, reply: Reply) -> Reply:
        """The verdict instead of the answer."""
        feedback = {"promptFeedback": {"blockReason": self.reason}}
        chunk = {**feedback, **_tail("gemini-3.8-flash", Bill(9, 0))}
        return replace(reply, body=(Frame(event(chunk)),))


@dataclass(frozen=True, slots=True)
class BreakIn:
    """An error in the middle, as JSON over several lines without `data:`, after some tokens
    (None: after the finishReason); then the body ends, or the connection when it is `cut`."""

    stage: ClassVar[Stage] = Stage.EVENTS
    error: GeminiRefusal
    after_tokens: int | None = 2
    cut: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The reply with an error in it."""
        at = len(reply.body) if self.after_tokens is None else reply.place(self.after_tokens)
        raw = self.error.body().replace(b"\n", b"\r\n")
        end: tuple[Step, ...] = (Close("eof"),) if self.cut else ()
        return replace(reply, body=(*reply.body[:at], Frame(raw), *end))
