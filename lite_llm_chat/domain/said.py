"""What a provider says: the parts of an answer, and how it ends.

    Text · Reasoning · ToolCall · Seal … Finish        what a provider yields: pieces (and Working)
    Text · Reasoning · ToolCall · Seal · ToolResult    what an answer is made of: parts

Made by the hundred, for every piece and every row, so they are msgspec structs: a tenth of a frozen
dataclass's price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec


class Text(msgspec.Struct, frozen=True, gc=False):
    """A part of the visible answer: valid Unicode without lone surrogates, never empty."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    """A part of what the model thought before it answered; as Text."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """The model wants a function called. `id` is the vendor's, or ours where it gave none, and
    unique in the answer; `arguments` is JSON text as the model wrote it, which may be no JSON."""

    id: str
    name: str
    arguments: str


class Seal(msgspec.Struct, frozen=True, gc=False):
    """What a vendor wants back unchanged with an earlier answer, such as a signature. It belongs
    to the part before it, or stands for a part of its own; `data` means something only to the
    dialect `maker`."""

    maker: str
    data: str


class ToolResult(msgspec.Struct, frozen=True, gc=False):
    """What a tool gave for a call, as text; `failed` if that says why it gave nothing."""

    call_id: str
    content: str
    failed: bool = False


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """An uploaded file beside a person's words. `id` is the SHA-256 of its bytes."""

    id: str
    name: str
    media_type: str
    size_bytes: int

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")


Part = Text | Reasoning | ToolCall | Seal | ToolResult | Attachment


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generation as the vendor counted them, or `estimated` by us where it did not.
    `output` includes `reasoning`, `input` includes `cached`."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        """Of two requests for one answer."""
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.estimated or other.estimated,
        )


def together(one: Usage | None, other: Usage | None) -> Usage | None:
    """The tokens of two requests for one answer, as far as they are known."""
    return one + other if one and other else one or other


@dataclass(frozen=True, slots=True)
class Finish:
    """The vendor said that the answer is over. `reason` is `stop`, `length`, `content_filter` or
    `tool_calls` where the vendor's word means that, else its own word; a stream that ends without
    a Finish was cut."""

    reason: str
    usage: Usage | None = None
    model: str | None = None  # the name the vendor says it served
    fingerprint: str | None = None


class Working(msgspec.Struct, frozen=True, gc=False):
    """Something came that is told when it is whole, such as a call's arguments: a sign of life.
    `reported` gives, at any later moment, what the vendor has said so far of the tokens."""

    reported: Callable[[], Usage | None] | None = None


Piece = Text | Reasoning | ToolCall | Seal | Working | Finish


# ── parts in a row ─────────────────────────────────────────────────────────────────────────────


def merged(said: Sequence[Part]) -> tuple[Part, ...]:
    """Parts with neighbours of a kind made one; none where they are reasoning and then text."""
    parts: list[Part] = []
    for kind, group in groupby(said, type):
        if kind is Text or kind is Reasoning:
            parts.append(kind("".join(part.text for part in group)))  # type: ignore[union-attr]
        else:
            parts += group
    return () if [type(part) for part in parts] in _PLAIN else tuple(parts)


_PLAIN: tuple[list[type], ...] = ([], [Text], [Reasoning], [Reasoning, Text])
