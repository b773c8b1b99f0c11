"""The shape of a message, with its parts and its files, and of what holds messages.

message ─▶ message_fields ─┬─▶ MessageOut    described and checked
                           └─▶ encoded       at once, for pages
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from pydantic import BaseModel

from ..domain import (
    Attachment,
    Message,
    Part,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    merged,
)
from ..prices import Prices
from .replies import FaultOut, Fields, Moment, SessionOut, UsageOut, usage_fields, written


def message_fields(
    message: Message, prices: Prices, prefix: str, siblings: Sequence[int] | None = None
) -> Fields:
    """A MessageOut. `prefix` is that of the routes, for the URLs of files; `siblings` are those
    beside it, if there are any."""
    usage, fault = message.usage, message.fault
    images = calls = parts = files = None
    if message.parts:
        files = [_attachment(file, prefix) for file in message.attachments] or None
        images = [one["url"] for one in files or () if one["media_type"].startswith("image/")]
        calls, parts = [_call(call) for call in message.calls] or None, _parts(message) or None
    return {
        "id": message.id,
        "role": message.role,
        "content": message.content,
        "created_at": written(message.created_at),
        "provider": message.provider,
        "model": message.model,
        "thought_process": message.reasoning,
        "images": images or None,
        "videos": None,
        "audios": None,
        "search_results": None,
        "parent_id": message.parent_id,
        "status": message.status,
        "finish_reason": message.finish_reason,
        "generation_id": message.generation_id,
        "usage": usage and usage_fields(usage),
        "cost_microusd": usage and _cost(message, usage, prices),
        "error": fault and {"code": fault.code, "detail": fault.detail},
        "tool_calls": calls,
        "tool_call_id": message.call_id,
        "parts": parts,
        "attachments": files,
        "siblings": siblings,
    }


def file_url(prefix: str, file_id: str) -> str:
    """Where the bytes of a file are."""
    return f"{prefix}/files/{file_id}"


def _attachment(file: Attachment, prefix: str) -> Fields:
    return {
        "id": file.id,
        "url": file_url(prefix, file.id),
        "name": file.name,
        "media_type": file.media_type,
        "size_bytes": file.size_bytes,
    }


def _cost(message: Message, usage: Usage, prices: Prices) -> int | None:
    """What a message's tokens cost; it was asked for at the moment it was made."""
    return prices.cost(usage, message.provider or "", message.model or "", message.created_at)


def _call(call: ToolCall) -> Fields:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _parts(message: Message) -> list[Fields]:
    """What a message is made of, without what only a vendor reads; none where what is left is
    nothing but reasoning and then text."""
    shown = merged([part for part in message.parts if not isinstance(part, Seal)])
    return [part_fields(part) for part in shown]


def part_fields(part: Part) -> Fields:
    """One part of a message, by its type."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Reasoning():
            return {"type": "reasoning", "text": part.text}
        case ToolCall():
            call = {"id": part.id, "name": part.name, "arguments": part.arguments}
            return {"type": "tool_call", **call}
        case ToolResult():
            result = {"id": part.call_id, "content": part.content, "failed": part.failed}
            return {"type": "tool_result", **result}
        case Seal():
            return {"type": "seal", "maker": part.maker}
        case Attachment():
            about = {"id": part.id, "name": part.name, "media_type": part.media_type}
            return {"type": "attachment", **about, "size_bytes": part.size_bytes}
        case _:
            assert_never(part)


class AttachmentOut(BaseModel):
    """A file beside a person's words."""

    id: str
    url: str
    name: str
    media_type: str
    size_bytes: int


class MessageOut(BaseModel):
    """A message. `status` is `completed` for everything a person wrote. `parts` is what it is made
    of in its order, where that is more than reasoning and then text. `siblings` are the messages
    in its place on this branch and on others, itself among them; null: it is alone."""

    id: int
    role: str
    content: str
    created_at: Moment
    provider: str | None
    model: str | None
    thought_process: str | None
    images: list[Any] | None = None
    videos: list[Any] | None = None
    audios: list[Any] | None = None
    search_results: list[Any] | None = None
    parent_id: int | None
    status: str
    finish_reason: str | None
    generation_id: str | None
    usage: UsageOut | None
    cost_microusd: int | None = None
    error: FaultOut | None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    parts: list[dict[str, Any]] | None = None
    attachments: list[AttachmentOut] | None = None
    siblings: list[int] | None = None

    @classmethod
    def of(
        cls, message: Message, prices: Prices, prefix: str, siblings: Sequence[int] | None = None
    ) -> MessageOut:
        return cls(**message_fields(message, prices, prefix, siblings))


class PageOut(BaseModel):
    """A page of a branch, oldest first. `before` and `after` are what to ask for the page before
    and the page after it, null where there is none; `has_more`: there is one in the direction
    that was asked for."""

    session_id: int
    leaf_id: int | None
    messages: list[MessageOut]
    has_more: bool
    before: int | None
    after: int | None


class SessionDetail(SessionOut):
    """A session with the messages of its active branch, oldest first."""

    messages: list[MessageOut]


class AnswerOut(BaseModel):
    """The reply to a question that was not streamed."""

    session_id: int
    generation_id: str
    message: MessageOut
    warnings: list[str]


class AnswersOut(BaseModel):
    """The reply to a question that several models answered: by their places in `models`, however
    each ended."""

    session_id: int
    answers: list[AnswerOut]
