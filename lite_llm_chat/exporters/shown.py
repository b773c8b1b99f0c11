"""What a reader is shown of a message: words, thoughts, calls, files; nothing that only this server
or a vendor needs. A snapshot behind a link is stored as exactly this.

    Message ─▶ shown(message, what) ─▶ Shown ─▶ markdown · page · the JSON of a link
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from ..domain import (
    LIVE,
    Attachment,
    Message,
    Part,
    Reasoning,
    Role,
    Status,
    Text,
    ToolCall,
    ToolResult,
)


class Words(msgspec.Struct, frozen=True, tag="text"):
    """A part of what was said."""

    text: str


class Thought(msgspec.Struct, frozen=True, tag="reasoning"):
    """A part of what the model thought."""

    text: str


class Called(msgspec.Struct, frozen=True, tag="tool_call"):
    """A call of a tool; `arguments` as the model wrote them."""

    name: str
    arguments: str


class Gave(msgspec.Struct, frozen=True, tag="tool_result"):
    """What a tool gave."""

    text: str
    failed: bool = False


Block = Words | Thought | Called | Gave


class Shown(msgspec.Struct, frozen=True):
    """A message for readers. `said_by` is the model of an answer."""

    role: Role
    created_at: datetime
    said_by: str | None
    status: Status
    blocks: tuple[Block, ...]
    files: tuple[Attachment, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """A branch as it was when a link to it was made."""

    title: str
    created_at: datetime
    shared_at: datetime
    messages: tuple[Shown, ...]


class What(msgspec.Struct, frozen=True):
    """What is shown beside the words: the model's thoughts with its calls of tools, and the
    files."""

    reasoning: bool = True
    files: bool = True


def shown(message: Message, what: What) -> Shown:
    """A message for readers; a live answer is one that was interrupted."""
    return Shown(
        message.role,
        message.created_at,
        message.model,
        "interrupted" if message.status in LIVE else message.status,
        tuple(_blocks(message, what)),
        message.attachments if what.files else (),
    )


def _blocks(message: Message, what: What) -> Iterator[Block]:
    for part in _parts(message):
        match part:
            case Text():
                yield Words(part.text)
            case Reasoning() if what.reasoning:
                yield Thought(part.text)
            case ToolCall() if what.reasoning:
                yield Called(part.name, part.arguments)
            case ToolResult() if what.reasoning:
                yield Gave(part.content, part.failed)
            case _:
                pass


def _parts(message: Message) -> Iterator[Part]:
    """What a message is made of, in its order."""
    if message.role == "tool":
        yield ToolResult(message.call_id or "", message.content)
        return
    if message.role == "assistant" and message.parts:
        yield from message.parts
        return
    if message.reasoning:
        yield Reasoning(message.reasoning)
    if message.content:
        yield Text(message.content)


def worth_showing(one: Shown) -> bool:
    """Whether anything of a message is left for a reader."""
    return bool(one.blocks or one.files) or one.status != "completed"
