"""When things come, and when they stop coming: delays, stalls, gates and cuts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from standins.behaviours.base import Stage
from standins.reply import (
    DONE,
    KEEP_ALIVE,
    Close,
    Frame,
    Gate,
    Hold,
    Reply,
    Step,
    Token,
    Wait,
    Wire,
)

FOREVER = float("inf")
CutHow = Literal[
    "clean",
    "eof",
    "no_final_chunk",
    "rst",
    "mid_json",
    "mid_crlf",
    "mid_size",
    "no_done",
    "no_finish",
]


def waiting(seconds: float, comment: bytes = b"", every_s: float = 1.0) -> tuple[Step, ...]:
    """A wait, or none for 0 s; infinity waits until the client leaves."""
    if seconds == 0:
        return ()
    return (Wait(None if seconds == FOREVER else seconds, comment, every_s),)


@dataclass(frozen=True, slots=True)
class Delay:
    """Waits before the head, between the head and the body, and before the first token; the last
    one with a keep-alive comment (a blank line, when not streaming) every `comments_every_s`."""

    stage: ClassVar[Stage] = Stage.TIMING
    before_headers_s: float = 0
    before_body_s: float = 0
    before_first_token_s: float = 0
    comments_every_s: float | None = None

    def shape(self, reply: Reply) -> Reply:
        """The same reply, later."""
        before = waiting(self.before_headers_s)
        first = waiting(self.before_first_token_s)
        if self.comments_every_s is not None:
            sign = KEEP_ALIVE if reply.streaming else b"\n"
            first = waiting(self.before_first_token_s, sign, self.comments_every_s)
        body = reply.put(reply.place(0), *first).body
        return replace(
            reply, before=(*before, *reply.before), body=(*waiting(self.before_body_s), *body)
        )


@dataclass(frozen=True, slots=True)
class Stall:
    """After some tokens nothing more comes for a while (infinity: ever), though the socket stays
    open; with `comments_every_s` only comments come."""

    stage: ClassVar[Stage] = Stage.TIMING
    after_tokens: int = 3
    seconds: float = FOREVER
    comments_every_s: float | None = None

    def shape(self, reply: Reply) -> Reply:
        """The reply with a hole."""
        hole = waiting(self.seconds)
        if self.comments_every_s is not None:
            hole = waiting(self.seconds, KEEP_ALIVE, self.comments_every_s)
        return reply.put(reply.place(self.after_tokens), *hole)


@dataclass(frozen=True, slots=True)
class Pause:
    """The answer waits before a gate after some tokens; None: before the head."""

    stage: ClassVar[Stage] = Stage.TIMING
    gate: Gate
    after_tokens: int | None = 0

    def shape(self, reply: Reply) -> Reply:
        """The reply with a gate."""
        if self.after_tokens is None:
            return replace(reply, before=(*reply.before, Hold(self.gate)))
        return reply.put(reply.place(self.after_tokens), Hold(self.gate))


@dataclass(frozen=True, slots=True)
class Drip:
    """The same token again and again, one each `every_s`, and never an end."""

    stage: ClassVar[Stage] = Stage.TIMING
    every_s: float = 1.0

    def shape(self, reply: Reply) -> Reply:
        """The reply without an end."""
        carried = [one for one in reply.rendered().body if isinstance(one, Frame) and one.tokens]
        if not carried:
            return reply
        drip = Wait(None, carried[-1].raw, self.every_s)
        return replace(reply, body=(*reply.body[: reply.place(1)], drip), tokens_per_s=None)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection or the answer ends after some tokens:

    clean           the body is over as if all were said, without finish_reason and `[DONE]`
    eof             the connection closes without the closing chunk
    no_final_chunk  everything is said, but the closing chunk is missing
    rst             the connection is reset
    mid_json        half of the next event, then closed
    mid_crlf        between the CR and the LF after the next chunk, then closed
    mid_size        one digit of the next chunk's size, then closed
    no_done         everything but `[DONE]`, clean
    no_finish       no finish chunk, but `[DONE]`, clean
    """

    stage: ClassVar[Stage] = Stage.TIMING
    after_tokens: int = 3
    how: CutHow = "eof"

    def shape(self, reply: Reply) -> Reply:
        """The reply, shorter."""
        if not any(isinstance(step, Frame | Token) for step in reply.body):
            return reply
        rendered = replace(reply.rendered(), tokens_per_s=reply.tokens_per_s)
        at = rendered.place(self.after_tokens)
        kept, rest = rendered.body[:at], rendered.body[at:]
        match self.how:
            case "clean":
                body: tuple[Step, ...] = kept
            case "no_done":
                body = tuple(step for step in rendered.body if step != Frame(DONE))
            case "no_finish":
                body = (*kept, Frame(DONE))
            case "no_final_chunk":
                body = (*rendered.body, Close("eof"))
            case "eof" | "rst":
                body = (*kept, Close(self.how))
            case _:
                body = (*kept, *self._half(rest), Close("eof"))
        return replace(rendered, body=body)

    def _half(self, rest: tuple[Step, ...]) -> tuple[Step, ...]:
        """What is still sent of the next event."""
        after = next((step.raw for step in rest if isinstance(step, Frame)), DONE)
        size = b"%x\r\n" % len(after)
        if self.how == "mid_crlf":
            return (Wire(size + after + b"\r"),)
        if self.how == "mid_size":
            return (Wire(size[:1]),)
        return (Frame(after[: len(after) // 2]),)
