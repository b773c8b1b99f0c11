"""How the bytes are cut, packed and framed, and what happens to the connection."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from standins.behaviours.base import Stage
from standins.reply import After, Frame, Reply, Step, Wire

INTERIM = {
    100: b"HTTP/1.1 100 Continue\r\n\r\n",
    102: b"HTTP/1.1 102 Processing\r\n\r\n",
    103: b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n",
}


@dataclass(frozen=True, slots=True)
class Dribble:
    """At most `size` bytes per write: each its own HTTP chunk, or (own_chunks False) the chunk
    heads cut up as well."""

    stage: ClassVar[Stage] = Stage.WRITES
    size: int = 1
    own_chunks: bool = True

    def shape(self, reply: Reply) -> Reply:
        """The reply in crumbs."""
        if not self.own_chunks:
            return replace(reply, write_bytes=self.size)
        steps: list[Step] = []
        for step in reply.rendered().body:
            steps += cut(step, self.size) if isinstance(step, Frame) else (step,)
        return replace(reply, body=tuple(steps))


def cut(frame: Frame, size: int) -> list[Frame]:
    """A frame in pieces of at most this size; the last one carries the tokens."""
    raws = [frame.raw[at : at + size] for at in range(0, len(frame.raw), size)]
    return [*(Frame(raw) for raw in raws[:-1]), *(Frame(raw, frame.tokens) for raw in raws[-1:])]


@dataclass(frozen=True, slots=True)
class Together:
    """Several events per write; None: the whole body in one."""

    stage: ClassVar[Stage] = Stage.WRITES
    events: int | None = None

    def shape(self, reply: Reply) -> Reply:
        """The reply in lumps; what lies between waits stays between them."""
        lump: list[Frame] = []
        steps: list[Step] = []
        for step in reply.rendered().body:
            if isinstance(step, Frame):
                lump.append(step)
                full = self.events is not None and len(lump) >= self.events
            else:
                full = True
            if full:
                steps += joined(lump)
                lump.clear()
            if not isinstance(step, Frame):
                steps.append(step)
        return replace(reply, body=(*steps, *joined(lump)))


def joined(frames: list[Frame]) -> list[Frame]:
    """One frame of several, none of none."""
    if not frames:
        return []
    return [Frame(b"".join(one.raw for one in frames), sum(one.tokens for one in frames))]


@dataclass(frozen=True, slots=True)
class SplitEvents:
    """Every event in two writes. `offset`: the n-th event after its n-th byte, so that all places
    have their turn; `utf8`: inside the first character above ASCII."""

    stage: ClassVar[Stage] = Stage.WRITES
    kind: Literal["offset", "utf8"] = "offset"

    def shape(self, reply: Reply) -> Reply:
        """The reply with every event in two halves."""
        steps: list[Step] = []
        for count, step in enumerate(reply.rendered().body):
            steps += self._halves(step, count) if isinstance(step, Frame) else (step,)
        return replace(reply, body=tuple(steps))

    def _halves(self, frame: Frame, count: int) -> tuple[Frame, ...]:
        wide = next((index for index, byte in enumerate(frame.raw) if byte > 127), None)
        if self.kind == "utf8" and wide is None:
            return (frame,)
        at = count % len(frame.raw) + 1 if self.kind == "offset" or wide is None else wide + 1
        if at >= len(frame.raw):
            return (frame,)
        return Frame(frame.raw[:at]), Frame(frame.raw[at:], frame.tokens)


@dataclass(frozen=True, slots=True)
class Gzip:
    """A compressed body, flushed after every event or only at its end."""

    stage: ClassVar[Stage] = Stage.WRITES
    flush: bool = True

    def shape(self, reply: Reply) -> Reply:
        """The reply, compressed."""
        body = tuple(self._packed(reply.rendered().body))
        return replace(reply, body=body).header("content-encoding", "gzip")

    def _packed(self, steps: tuple[Step, ...]) -> Iterator[Step]:
        packer = zlib.compressobj(wbits=31)
        tokens = 0
        for step in steps:
            if not isinstance(step, Frame):
                yield step
                continue
            tokens += step.tokens
            raw = packer.compress(step.raw)
            if self.flush:
                yield Frame(raw + packer.flush(zlib.Z_SYNC_FLUSH), step.tokens)
            elif raw:
                yield Frame(raw)
        yield Frame(packer.flush(), 0 if self.flush else tokens)


@dataclass(frozen=True, slots=True)
class FramedBy:
    """A body of a known length, or one that ends when the connection does (HTTP/1.0)."""

    stage: ClassVar[Stage] = Stage.WRITES
    kind: Literal["length", "close"]

    def shape(self, reply: Reply) -> Reply:
        """The reply in another framing."""
        rendered = replace(reply.rendered(), framing=self.kind)
        if self.kind == "length":
            return rendered
        return replace(rendered, version="HTTP/1.0").header("connection", "close")


@dataclass(frozen=True, slots=True)
class Interim:
    """Informational replies before the real one."""

    stage: ClassVar[Stage] = Stage.LINK
    codes: tuple[int, ...] = (103,)

    def shape(self, reply: Reply) -> Reply:
        """The reply after others."""
        heads = tuple(Wire(INTERIM[code]) for code in self.codes)
        return replace(reply, before=(*reply.before, *heads))


@dataclass(frozen=True, slots=True)
class CloseIdle:
    """The connection is dropped after the answer without a word in its head: at once, or when
    the client uses it again."""

    stage: ClassVar[Stage] = Stage.LINK
    when: Literal["at_once", "next_request"] = "next_request"

    def shape(self, reply: Reply) -> Reply:
        """The reply on a connection that will not last."""
        after: After = "close" if self.when == "at_once" else "close_on_next"
        return replace(reply, after=after)


@dataclass(frozen=True, slots=True)
class SlowRead:
    """The request's body is not read for a while after its head (infinity: ever). Seen before the
    body is there, so it works from `play` and `always` and the header, not from a message."""

    stage: ClassVar[Stage] = Stage.LINK
    pause_s: float = float("inf")

    def shape(self, reply: Reply) -> Reply:
        """The reply itself is whole."""
        return reply
