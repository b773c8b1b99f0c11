"""The shapes of what is shown. A reply may gain fields and never loses one.

noun ─▶ fields (a dict) ─┬─▶ … Out    the described shape, checked: for what is shown one by one
                         └─▶ encoded  its JSON at once: for pages, at a tenth of the cost
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, assert_never

import msgspec
from pydantic import BaseModel, PlainSerializer

from ..domain import (
    Attachment,
    Fault,
    Generation,
    Listed,
    Message,
    Model,
    Part,
    Reasoning,
    Seal,
    Session,
    Text,
    Ticket,
    ToolCall,
    ToolResult,
    Usage,
    merged,
)
from ..prices import Price, Prices

Fields = dict[str, Any]

encoded = msgspec.json.Encoder().encode


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _written(moment: datetime) -> datetime | str:
    """The moment as `encoded` writes it: `iso` of it, ten times as fast unless it is a whole
    second."""
    return moment if moment.microsecond else iso(moment)


Moment = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]


def usage_fields(usage: Usage) -> Fields:
    """A UsageOut."""
    return {
        "input_tokens": usage.input,
        "cached_tokens": usage.cached,
        "output_tokens": usage.output,
        "reasoning_tokens": usage.reasoning,
        "total_tokens": usage.input + usage.output,
        "estimated": usage.estimated,
    }


def session_fields(session: Session) -> Fields:
    """A SessionOut."""
    return {
        "id": session.id,
        "title": session.title,
        "provider": session.provider,
        "model": session.model,
        "created_at": _written(session.created_at),
        "updated_at": _written(session.updated_at),
        "message_count": session.message_count,
    }


def message_fields(message: Message, prices: Prices, prefix: str) -> Fields:
    """A MessageOut. `prefix` is that of the routes, for the URLs of files."""
    usage, fault = message.usage, message.fault
    files = [_attachment(file, prefix) for file in message.attachments] if message.parts else []
    return {
        "id": message.id,
        "role": message.role,
        "content": message.content,
        "created_at": _written(message.created_at),
        "provider": message.provider,
        "model": message.model,
        "thought_process": message.reasoning,
        "images": [one["url"] for one in files if one["media_type"].startswith("image/")] or None,
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
        "tool_calls": [_call(call) for call in message.calls] or None,
        "tool_call_id": message.call_id,
        "parts": _parts(message) or None,
        "attachments": files or None,
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


class UsageOut(BaseModel):
    """Tokens as the vendor counted them, or `estimated` by this server where it did not."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    estimated: bool = False

    @classmethod
    def of(cls, usage: Usage | None) -> UsageOut | None:
        return None if usage is None else cls(**usage_fields(usage))


class FaultOut(BaseModel):
    """Why an answer is not whole."""

    code: str
    detail: str

    @classmethod
    def of(cls, fault: Fault | None) -> FaultOut | None:
        return None if fault is None else cls(code=fault.code, detail=fault.detail)


class SessionOut(BaseModel):
    """A session of the list."""

    id: int
    title: str
    provider: str
    model: str
    created_at: Moment
    updated_at: Moment
    message_count: int

    @classmethod
    def of(cls, session: Session) -> SessionOut:
        return cls(**session_fields(session))


class AttachmentOut(BaseModel):
    """A file beside a person's words."""

    id: str
    url: str
    name: str
    media_type: str
    size_bytes: int


class MessageOut(BaseModel):
    """A message. `status` is `completed` for everything a person wrote. `parts` is what it is made
    of in its order, where that is more than reasoning and then text."""

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

    @classmethod
    def of(cls, message: Message, prices: Prices, prefix: str) -> MessageOut:
        return cls(**message_fields(message, prices, prefix))


class SessionDetail(SessionOut):
    """A session with the messages of its active branch, oldest first."""

    messages: list[MessageOut]


class AnswerOut(BaseModel):
    """The reply to a question that was not streamed."""

    session_id: int
    generation_id: str
    message: MessageOut
    warnings: list[str]


class TicketOut(BaseModel):
    """Where an answer will be."""

    session_id: int
    generation_id: str
    message_id: int
    warnings: list[str]

    @classmethod
    def of(cls, ticket: Ticket) -> TicketOut:
        return cls(
            session_id=ticket.session_id,
            generation_id=ticket.generation_id,
            message_id=ticket.message_id,
            warnings=list(ticket.warnings),
        )


class GenerationOut(BaseModel):
    """One attempt at an answer. `waiting`: a person has to allow a tool's call first."""

    id: str
    session_id: int
    message_id: int
    provider: str
    model: str
    served_model: str | None
    status: str
    finish_reason: str | None
    usage: UsageOut | None
    cost_microusd: int | None = None
    warnings: list[str]
    error: FaultOut | None
    cancel_requested: bool
    waiting: bool
    created_at: Moment
    first_piece_at: Moment | None
    ended_at: Moment | None
    last_seq: int

    @classmethod
    def of(cls, generation: Generation, last_seq: int, cost: int | None) -> GenerationOut:
        ended = generation.ended
        return cls(
            id=generation.id,
            session_id=generation.session_id,
            message_id=generation.message_id,
            provider=generation.provider,
            model=generation.model,
            served_model=ended.served_model if ended else None,
            status=generation.status,
            finish_reason=ended.finish_reason if ended else None,
            usage=UsageOut.of(ended.usage if ended else None),
            cost_microusd=cost,
            warnings=list(generation.warnings),
            error=FaultOut.of(ended.fault if ended else None),
            cancel_requested=generation.cancel_requested,
            waiting=generation.waiting,
            created_at=generation.created_at,
            first_piece_at=generation.first_piece_at,
            ended_at=generation.ended_at,
            last_seq=last_seq,
        )


class PricesOut(BaseModel):
    """USD for a million tokens, now: of a small request, where large ones cost more."""

    input: float
    cached_input: float
    output: float

    @classmethod
    def of(cls, price: Price | None) -> PricesOut | None:
        if price is None:
            return None
        rate = price.rate(0)
        paid = (one / 1e6 for one in (rate.input, rate.cached, rate.output))
        return cls(**dict(zip(cls.model_fields, paid, strict=True)))


class ModelOut(BaseModel):
    """A model of the catalog. `listed`: `live` if the vendor's own list has it, else `known`."""

    id: str
    name: str
    provider: str
    context_length: int
    max_output_tokens: int
    description: str
    alias_of: str | None
    listed: Listed
    prices: PricesOut | None = None

    @classmethod
    def of(cls, model: Model, price: Price | None) -> ModelOut:
        shown = cls.model_validate(model, from_attributes=True)
        shown.prices = PricesOut.of(price)
        return shown


class ProviderOut(BaseModel):
    """A provider. `supported`: this server speaks its dialect; `ready`: it can answer now;
    `resting_until`: it failed, and is passed over until then where others can answer."""

    id: str
    name: str
    description: str
    supported: bool
    ready: bool
    default: bool
    note: str
    resting_until: Moment | None = None


class HealthOut(BaseModel):
    """How the server is."""

    status: str
    app: str
    version: str
    providers: dict[str, str]


class ReadyOut(BaseModel):
    """Whether the server takes questions."""

    status: str
