"""The shapes of Anthropic's events, a block as far as it has come, and deltas that are alike.

JSON ─▶ StreamEvent · Whole        every field may be anything
deltas ─▶ Block                    a call's arguments, a thought's length and signature
Frame ─▶ Template                  of a delta of text: of one like it, only the text is news
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from .frames import Frame, Mender
from .template import MAX_TEMPLATE_BYTES, Template, around_text

DELTA = "content_block_delta"


class Part(msgspec.Struct, gc=False):
    """A block, or a delta of one, or the delta of the message."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    id: Any = None
    name: Any = None
    input: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class MessageStart(msgspec.Struct, gc=False):
    model: Any = None
    usage: Any = None


class StreamEvent(msgspec.Struct, gc=False):
    type: Any = None
    index: Any = None
    message: MessageStart | None = None
    content_block: Part | None = None
    delta: Part | None = None
    usage: Any = None
    error: Any = None


class Whole(msgspec.Struct, gc=False):
    content: list[Part] | None = None
    model: Any = None
    usage: Any = None
    stop_reason: Any = None


class Block:
    """A block that has begun: what it is made of, as far as it has come."""

    __slots__ = ("arguments", "chars", "part", "signature")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.arguments: list[str] = []
        self.chars = 0
        self.signature = part.signature

    def take(self, delta: Part) -> None:
        """One more delta of it, or how it began."""
        if isinstance(delta.thinking, str):
            self.chars += len(delta.thinking)
        if isinstance(delta.partial_json, str):
            self.arguments.append(delta.partial_json)
        if isinstance(delta.signature, str) and delta.signature:
            self.signature = delta.signature

    def written(self) -> str:
        """The arguments of a call as the model wrote them; they may have come at once."""
        mender = Mender()
        arguments = mender.mend("".join(self.arguments)) + mender.rest()
        if not arguments and isinstance(self.part.input, dict):
            return json.dumps(self.part.input, ensure_ascii=False)
        return arguments or "{}"


decoder = msgspec.json.Decoder(StreamEvent)


def _says(row: bytes) -> object:
    """The text of an event that is a delta of text, else None."""
    try:
        event = decoder.decode(row)
    except (ValueError, RecursionError):
        return None
    part = event.delta if event.type == DELTA else None
    return part.text if isinstance(part, Part) and part.type == "text_delta" else None


def template_of(frame: Frame) -> Template | None:
    """The template of a delta of text. The proof: the same row with that text empty says
    nothing."""
    row = frame.data
    if frame.event != DELTA or len(row) > MAX_TEMPLATE_BYTES or not _says(row):
        return None
    halves = around_text(row, plainly=True)
    if halves is None or _says(b"".join(halves)) != "":
        return None
    return Template(*halves, DELTA.encode())
