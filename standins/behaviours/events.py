"""Other bytes of events: every liberty that the event-stream format allows, and some it does not.

data: {…}\\n\\n        the tidy way
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from standins.behaviours.base import Stage
from standins.reply import DONE, Frame, Reply, Step, compact, event

BOM = b"\xef\xbb\xbf"
ERROR = {"message": "boom: overloaded", "type": "server_error", "param": None, "code": "overloaded"}
ErrorForm = Literal[
    "openai", "openrouter", "event_line", "event_line_bare", "x_groq", "flat", "string", "field"
]
ERRORS: dict[ErrorForm, bytes] = {
    "openai": event({"error": ERROR}),
    "openrouter": event(
        {
            "id": "gen-1",
            "object": "chat.completion.chunk",
            "error": {"code": 502, "message": "boom", "metadata": {"error_type": "provider"}},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
    )
    + DONE,
    "event_line": b"event: error\n" + event({"error": ERROR}),
    "event_line_bare": b"event: error\n" + event({"message": "boom", "code": 500}),
    "x_groq": event({"id": "x", "choices": [], "x_groq": {"error": "boom: over capacity"}}),
    "flat": event({"object": "error", "message": "boom", "type": "internal", "code": 500}),
    "string": event({"error": "boom"}),
    "field": b"error: " + compact(ERROR) + b"\n\n",
}


def dressed(reply: Reply, dress: Callable[[bytes], bytes]) -> Reply:
    """The reply with the bytes of every frame changed."""
    steps = tuple(
        replace(step, raw=dress(step.raw)) if isinstance(step, Frame) else step
        for step in reply.rendered().body
    )
    return replace(reply, body=steps)


def is_json(raw: bytes) -> bool:
    """Whether a frame is an event with an object."""
    return raw.startswith(b"data: {")


@dataclass(frozen=True, slots=True)
class LineEnds:
    """Lines that end in CRLF, in a bare CR, or now in this and now in that."""

    stage: ClassVar[Stage] = Stage.EVENTS
    kind: Literal["crlf", "cr", "mixed"]

    def shape(self, reply: Reply) -> Reply:
        """The reply with other line ends."""
        ends = {"crlf": [b"\r\n"], "cr": [b"\r"], "mixed": [b"\n", b"\r\n", b"\r"]}[self.kind]
        count = 0

        def dress(raw: bytes) -> bytes:
            nonlocal count
            count += 1
            return raw.replace(b"\n", ends[count % len(ends)])

        return dressed(reply, dress)


@dataclass(frozen=True, slots=True)
class Dress:
    """The same events in another dress:

    no_space         `data:{…}`
    multi_line       the JSON over three data lines
    fields           event:, id: and retry: lines before the data
    comments_inside  comments between the lines of an event
    escaped          every character above ASCII as an escape
    """

    stage: ClassVar[Stage] = Stage.EVENTS
    kind: Literal["no_space", "multi_line", "fields", "comments_inside", "escaped"]

    def shape(self, reply: Reply) -> Reply:
        """The reply in that dress."""
        return dressed(reply, self._dress)

    def _dress(self, raw: bytes) -> bytes:
        if self.kind == "no_space":
            return raw.replace(b"data: ", b"data:", 1) if raw.startswith(b"data: ") else raw
        if not is_json(raw):
            return raw
        inside = raw[len(b"data: {") : -len(b"}\n\n")]
        match self.kind:
            case "multi_line":
                return b"data: {\ndata: " + inside + b"\ndata: }\n\n"
            case "fields":
                return b"event: message\nid: 7\nretry: 1000\n" + raw
            case "comments_inside":
                return b": before\ndata: {\n: inside\ndata: " + inside + b"}\n: after\n\n"
            case _:
                return b"data: " + json.dumps(json.loads(raw[6:])).encode() + b"\n\n"


@dataclass(frozen=True, slots=True)
class DoneAs:
    """Something else instead of `data: [DONE]`; empty: nothing."""

    stage: ClassVar[Stage] = Stage.EVENTS
    raw: bytes = b""

    def shape(self, reply: Reply) -> Reply:
        """The reply with another last line."""
        steps = (Frame(self.raw) if step == Frame(DONE) else step for step in reply.rendered().body)
        return replace(reply, body=tuple(step for step in steps if step != Frame(b"")))


@dataclass(frozen=True, slots=True)
class NoFinalBlank:
    """The finish chunk is the last line, and no blank line follows."""

    stage: ClassVar[Stage] = Stage.EVENTS

    def shape(self, reply: Reply) -> Reply:
        """The reply without its last two lines."""
        body = DoneAs().shape(reply).body
        last = body[-1]
        if not isinstance(last, Frame) or not is_json(last.raw):
            return reply
        return replace(reply, body=(*body[:-1], replace(last, raw=last.raw[:-1])))


@dataclass(frozen=True, slots=True)
class Bom:
    """A byte order mark first."""

    stage: ClassVar[Stage] = Stage.EVENTS

    def shape(self, reply: Reply) -> Reply:
        """The reply with three bytes more."""
        body = reply.rendered().body
        first, rest = body[0], body[1:]
        if not isinstance(first, Frame):
            return reply
        return replace(reply, body=(replace(first, raw=BOM + first.raw), *rest))


@dataclass(frozen=True, slots=True)
class Insert:
    """Exactly these bytes after some tokens, as a frame of their own; None: before `[DONE]`."""

    stage: ClassVar[Stage] = Stage.EVENTS
    raw: bytes
    after_tokens: int | None = 2

    def shape(self, reply: Reply) -> Reply:
        """The reply with something in between."""
        rendered = reply.rendered()
        return rendered.put(place(rendered, self.after_tokens), Frame(self.raw))


@dataclass(frozen=True, slots=True)
class BadUtf8:
    """Two bytes that are no UTF-8 inside the text of one token."""

    stage: ClassVar[Stage] = Stage.EVENTS
    after_tokens: int = 2

    def shape(self, reply: Reply) -> Reply:
        """The reply with broken text."""
        rendered = reply.rendered()
        at = rendered.place(self.after_tokens)
        step = rendered.body[at] if at < len(rendered.body) else None
        if not isinstance(step, Frame):
            return reply
        broken = step.raw.replace(b'content":"', b'content":"\xff\xfe', 1)
        return replace(
            rendered, body=(*rendered.body[:at], Frame(broken, 1), *rendered.body[at + 1 :])
        )


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error inside the stream, in one of the forms seen in the wild, after some tokens (0:
    first of all, None: after the finish chunk). Then the body ends, unless it `goes_on`."""

    stage: ClassVar[Stage] = Stage.EVENTS
    form: ErrorForm = "openai"
    after_tokens: int | None = 2
    goes_on: bool = False

    def shape(self, reply: Reply) -> Reply:
        """The reply with an error in it."""
        if not reply.streaming:
            return reply
        rendered = reply.rendered()
        at = 0 if self.after_tokens == 0 else place(rendered, self.after_tokens)
        rest: tuple[Step, ...] = rendered.body[at:] if self.goes_on else ()
        return replace(rendered, body=(*rendered.body[:at], Frame(ERRORS[self.form]), *rest))


def place(reply: Reply, after_tokens: int | None) -> int:
    """Where to put something; None: before `[DONE]`."""
    if after_tokens is not None:
        return reply.place(after_tokens)
    done = [index for index, step in enumerate(reply.body) if step == Frame(DONE)]
    return done[0] if done else len(reply.body)
