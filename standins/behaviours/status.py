"""Other replies: refusals, faults of gateways, exact bytes, and who gets them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from standins.behaviours.base import Ask, Behaviour, Stage
from standins.deepseek_rules import RefusedError
from standins.reply import JSON_HEADERS, After, Frame, Headers, Reply, Step, Wire, compact

BUSY = (
    "Service is too busy. We advise users to temporarily switch to alternative LLM API "
    "service providers."
)
SENTENCES = {  # what DeepSeek says with a status (None: its own words are not known)
    402: ("Insufficient Balance", "unknown_error"),
    500: ("Internal Server Error", "server_error"),
    503: (BUSY, "service_unavailable_error"),
}
UNKNOWN = ("Something is wrong", "invalid_request_error")

EMPTY = Frame(b"")


def instead(reply: Reply, body: Frame = EMPTY, status: int = 200) -> Reply:
    """Another reply at the place of this one: JSON with a length."""
    return replace(
        reply,
        body=(body,),
        status=status,
        headers=JSON_HEADERS,
        framing="length",
        streaming=False,
        tokens_per_s=None,
    )


def refusal(refused: RefusedError, request_id: str = "") -> Reply:
    """A refusal as a reply."""
    raw = refused.body(request_id)
    reply = Reply((Frame(raw),), refused.status, JSON_HEADERS, "length")
    return reply.header("content-type", refused.content_type)


def too_many(current: int, limit: int) -> RefusedError:
    """DeepSeek's 429."""
    return RefusedError(
        f"Too many requests. Your current concurrency is {current}, which exceeds your "
        f"concurrency limit of {limit} based on your remaining balance. Please top up your "
        f"balance to restore your concurrency.",
        429,
        "rate_limit_error",
        "application/json",
    )


@dataclass(frozen=True, slots=True)
class Status:
    """A status before the first byte of an answer. `body` None is the vendor's own envelope;
    `declared_bytes` announces more body than is sent, and then closes."""

    stage: ClassVar[Stage] = Stage.REPLACE
    code: int
    body: bytes | None = None
    headers: Headers = ()
    content_type: str = "application/json"
    declared_bytes: int | None = None

    def shape(self, reply: Reply) -> Reply:
        """The status instead of the answer."""
        raw = self._own() if self.body is None else self.body
        shaped = instead(reply, Frame(raw), self.code)
        shaped = shaped.header("content-type", self.content_type)
        for name, value in self.headers:
            shaped = shaped.header(name, value)
        if self.declared_bytes is not None:
            shaped = shaped.header("content-length", str(self.declared_bytes))
            shaped = replace(shaped, after="close")
        return shaped

    def _own(self) -> bytes:
        if self.code == 429:
            return too_many(26, 25).body()
        message, kind = SENTENCES.get(self.code, UNKNOWN)
        return RefusedError(message, self.code, kind).body()


@dataclass(frozen=True, slots=True)
class Bytes:
    """Exactly these writes on the socket, head and all, and then the end of the connection
    unless `keep` says otherwise."""

    stage: ClassVar[Stage] = Stage.REPLACE
    writes: tuple[bytes, ...]
    keep: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The bytes instead of the answer."""
        steps: tuple[Step, ...] = tuple(Wire(raw) for raw in self.writes)
        after: After = "keep" if self.keep else "close"
        return replace(instead(reply), body=steps, bare=True, after=after)


@dataclass(frozen=True, slots=True)
class Body:
    """Exactly these writes as the body, under the head the answer would have had."""

    stage: ClassVar[Stage] = Stage.REPLACE
    writes: tuple[bytes, ...]

    def shape(self, reply: Reply) -> Reply:
        """The bytes instead of the events."""
        return replace(reply, body=tuple(Frame(raw) for raw in self.writes))


@dataclass(frozen=True, slots=True)
class OkError:
    """200 and `application/json`, but the JSON is an error; also to a request for a stream.
    With `in_choice` the error sits inside choices[0], as some routers send it."""

    stage: ClassVar[Stage] = Stage.REPLACE
    in_choice: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The error instead of the answer."""
        error = {"message": "upstream failed", "type": "server_error", "param": None, "code": 502}
        document: dict[str, object] = {"error": error}
        if self.in_choice:
            message = {"role": "assistant", "content": ""}
            choice = {"index": 0, "message": message, "finish_reason": "error", "error": error}
            document = {"id": "x", "object": "chat.completion", "choices": [choice]}
        return instead(reply, Frame(compact(document)), 200)


@dataclass(frozen=True, slots=True)
class FailThen:
    """The inner behaviour for the first `times` requests, then nothing once, and so on."""

    times: int
    behaviour: Behaviour

    def choose(self, ask: Ask) -> Behaviour | None:
        """Fail while it is not yet enough."""
        return self.behaviour if ask.seen(self) % (self.times + 1) < self.times else None


@dataclass(frozen=True, slots=True)
class OnlyKey:
    """Only this key is answered; any other gets the status."""

    key: str
    otherwise: int = 429

    def choose(self, ask: Ask) -> Behaviour | None:
        """Refuse the other keys."""
        return None if ask.key == self.key else Status(self.otherwise)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` chats at a time, and DeepSeek's 429 for the next one."""

    limit: int

    def choose(self, ask: Ask) -> Behaviour | None:
        """Refuse what is too many."""
        if ask.in_flight <= self.limit:
            return None
        return Status(429, too_many(ask.in_flight, self.limit).body())
