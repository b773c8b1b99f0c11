"""Ollama on a port of this machine: its bytes, rules and moods, without a model.

POST /api/chat ─▶ key? ─▶ chat? ─▶ load? ─▶ speech ─▶ lines of JSON ─▶ behaviours ─▶ player
GET  /api/tags · POST /api/show · GET /                   ▲
                                     play(…) once · always(…) · header x-stand-in

async with OllamaStandIn() as upstream:
    upstream.play(Stall(after_tokens=3))
    … upstream.url …
    await upstream.wait_for_disconnect()

The headers of a stream come with its first line: after the model was loaded, as with Ollama.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from standins.answers import Answer, Call, Speech, call_id, speech
from standins.behaviours.base import Played, Stage, answer_of
from standins.deepseek_rules import RefusedError
from standins.ollama_messages import Refusal
from standins.ollama_rules import PULLED, Chat, find, read_chat
from standins.reply import Frame, Gate, Headers, Hold, Reply, Step, compact
from standins.server import Request
from standins.standin import StandIn

LINES: Headers = (("content-type", "application/x-ndjson"),)
JSON: Headers = (("content-type", "application/json; charset=utf-8"),)
TEXT: Headers = (("content-type", "text/plain"),)
LOAD_NS = 2_104_318_402  # of a model that has to be read from the disk
FINISHES = {"tool_calls": "stop"}
AT_HAND_NS = 41_207_115  # … and of one that is in memory
PROMPT_TOKEN_NS = 1_204_113
TOKEN_NS = 14_833_907


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """An error after some tokens (0: first of all), under the status that was already sent. The
    body ends with it."""

    stage: ClassVar[Stage] = Stage.EVENTS
    message: str = "an error was encountered while running the model"
    after_tokens: int = 2

    def shape(self, reply: Reply) -> Reply:
        """The reply with an error as its last line."""
        if not reply.streaming:
            return reply
        kept = reply.body[: reply.place(self.after_tokens)] if self.after_tokens else ()
        return replace(reply, body=(*kept, Frame(compact({"error": self.message}) + b"\n")))


class OllamaStandIn(StandIn):
    """One stand-in. `key` None accepts everybody, as an Ollama at home does; `answer` is what it
    says unless a behaviour says otherwise; a model that has to be loaded waits before `load_gate`,
    if there is one. `gives_ids` False makes it one of before 2026, whose calls have none. `loads`
    are the models that were loaded, each with its window in tokens. Its `url` is for
    OLLAMA_BASE_URL."""

    def __init__(
        self,
        key: str | None = None,
        port: int = 0,
        answer: Answer | None = None,
        load_gate: Gate | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(port, wait_scale=1.0)
        self.key = key
        self.answer = answer or Answer()
        self.gives_ids = True
        self.loads: list[tuple[str, int]] = []
        self._load_gate = load_gate
        self._clock_ns = clock_ns
        self._loaded: dict[str, int] = {}

    def is_chat(self, request: Request) -> bool:
        """Whether the request asks for an answer."""
        return request.path.partition("?")[0] == "/api/chat"

    def key_of(self, headers: Mapping[str, str]) -> str:
        """The bearer's."""
        return headers.get("authorization", "").removeprefix("Bearer").strip()

    def forget(self) -> None:
        """Which models were loaded."""
        self.loads.clear()
        self._loaded.clear()

    def refused(self, error: RefusedError) -> Reply:
        """In Ollama's envelope."""
        return Reply((Frame(error.body()),), error.status, JSON, "length")

    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """By its path."""
        if self.key and self.key_of(request.headers) != self.key:
            raise Refusal("unauthorized", 401)
        body = request.body if isinstance(request.body, dict) else {}
        match request.method, request.path.partition("?")[0]:
            case "GET", "/":
                return Reply((Frame(b"Ollama is running"),), 200, TEXT, "length")
            case "GET", "/api/tags":
                return _document({"models": [model.listed() for model in PULLED]})
            case "POST", "/api/show":
                return _document(find(body.get("model")).shown())
            case "POST", "/api/chat":
                return self._chat(read_chat(request.raw, request.body), played)
            case _:
                return Reply((Frame(b"404 page not found"),), 404, TEXT, "length")

    def _chat(self, chat: Chat, played: tuple[Played, ...]) -> Reply:
        fresh = self._load(chat)
        began_ns = self._clock_ns()
        if not chat.order.messages:
            reason = "load" if chat.stays else "unload"
            reply = _document(_line(chat, began_ns, end={"done": True, "done_reason": reason}))
        else:
            answer = answer_of(self.answer, played)
            spoken = speech(chat.order, answer)
            calls = [
                _call(spoken.seed, index, call, with_id=self.gives_ids)
                for index, call in enumerate(spoken.calls)
            ]
            lines = _lines(chat, spoken, calls, began_ns, fresh)
            if chat.order.stream:
                reply = Reply(
                    lines, headers=LINES, streaming=True, tokens_per_s=answer.tokens_per_s
                )
            else:
                reply = _document(_whole(chat, spoken, calls, began_ns, fresh))
        if fresh and self._load_gate is not None:
            return replace(reply, before=(Hold(self._load_gate),))
        return reply

    def _load(self, chat: Chat) -> bool:
        """Whether the model had to be loaded: it was not there, or with another window."""
        fresh = self._loaded.get(chat.model.name) != chat.window
        if fresh:
            self.loads.append((chat.model.name, chat.window))
        self._loaded[chat.model.name] = chat.window
        if not chat.stays:
            del self._loaded[chat.model.name]
        return fresh


def _document(value: object) -> Reply:
    """A JSON document as a reply."""
    return Reply((Frame(compact(value)),), 200, JSON, "length")


# ── a speech becomes lines ────────────────────────────────────────────────────────────────────


Json = dict[str, object]


def _call(seed: int, index: int, call: Call, *, with_id: bool) -> Json:
    """A call as it stands in a message. Its arguments are an object, so a test's have to be."""
    own = {"id": f"call_{call_id(seed, index)[-8:]}"} if with_id else {}
    arguments = json.loads(call.arguments)
    return {**own, "function": {"index": index, "name": call.name, "arguments": arguments}}


def _lines(
    chat: Chat, spoken: Speech, calls: list[Json], began_ns: int, fresh: bool
) -> tuple[Step, ...]:
    """The speech as a stream: thoughts, words, calls, each of them whole, and the line that says
    what it cost."""
    said: list[dict[str, object]] = [
        {"content": "", "thinking": token} for token in spoken.reasoning
    ]
    said += [{"content": token} for token in spoken.words]
    said += [{"content": "", "tool_calls": [call]} for call in calls]
    at = [began_ns + index * TOKEN_NS for index in range(len(said) + 1)]
    rows = [_line(chat, when, one) for when, one in zip(at, said, strict=False)]
    last = _line(chat, at[-1], end=_end(chat, spoken, fresh))
    return (*(Frame(compact(row) + b"\n", 1) for row in rows), Frame(compact(last) + b"\n"))


def _whole(
    chat: Chat, spoken: Speech, calls: list[Json], began_ns: int, fresh: bool
) -> dict[str, object]:
    """The speech as one object."""
    message: dict[str, object] = {"content": spoken.said()}
    if spoken.reasoning:
        message["thinking"] = "".join(spoken.reasoning)
    if calls:
        message["tool_calls"] = calls
    end = _end(chat, spoken, fresh)
    return _line(chat, began_ns + spoken.carried() * TOKEN_NS, message, end)


def _line(
    chat: Chat,
    at_ns: int,
    message: Mapping[str, object] | None = None,
    end: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """One object, its keys in Ollama's order."""
    second, rest_ns = divmod(at_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(second, UTC)
    return {
        "model": chat.asked,
        "created_at": f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z",
        "message": {"role": "assistant", **(message or {"content": ""})},
        **(end or {"done": False}),
    }


def _end(chat: Chat, spoken: Speech, fresh: bool) -> dict[str, object]:
    """Why it ended and what it cost; durations in nanoseconds."""
    load_ns = LOAD_NS if fresh else AT_HAND_NS
    prompt_ns, eval_ns = chat.prompt_tokens * PROMPT_TOKEN_NS, spoken.carried() * TOKEN_NS
    return {
        "done": True,
        "done_reason": FINISHES.get(spoken.finish_reason, spoken.finish_reason),
        "total_duration": load_ns + prompt_ns + eval_ns,
        "load_duration": load_ns,
        "prompt_eval_count": chat.prompt_tokens,
        "prompt_eval_duration": prompt_ns,
        "eval_count": spoken.carried(),
        "eval_duration": eval_ns,
    }
