"""The shapes of what is shown. A reply may gain fields and never loses one.

noun ─▶ fields (a dict) ─┬─▶ … Out    the described shape, checked: for what is shown one by one
                         └─▶ encoded  its JSON at once: for pages, at a tenth of the cost
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, PlainSerializer

from ..domain import (
    Fault,
    Generation,
    Listed,
    Model,
    Options,
    Session,
    Ticket,
    TitleBy,
    ToolCall,
    Usage,
    is_temporary,
)
from ..prices import Price

Fields = dict[str, Any]

encoded = msgspec.json.Encoder().encode


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def written(moment: datetime) -> datetime | str:
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
        "created_at": written(session.created_at),
        "updated_at": written(session.updated_at),
        "message_count": session.message_count,
        "leaf_id": session.leaf_id,
        "forked_from": session.forked_from,
        "title_by": session.title_by,
        "pinned": session.pinned,
        "unread": session.unread,
        "archived_at": session.archived_at and written(session.archived_at),
        "deleted_at": session.deleted_at and written(session.deleted_at),
        "folder_id": session.folder_id,
        "tags": session.tags,
        "source": session.source,
        **_manner(session),
        "temporary": is_temporary(session.id),
    }


def _manner(session: Session) -> Fields:
    preset = None
    if session.preset_id is not None:
        preset = {"id": session.preset_id, "version": session.preset_version}
    return {
        "system_prompt": session.system_prompt,
        "options": options_fields(session.options),
        "preset": preset,
    }


def options_fields(options: Options | None) -> Fields:
    """The options that are set, by their names in a request."""
    if options is None:
        return {}
    shown = {name: getattr(options, name) for name in options.given()}
    if "effort" in shown:
        shown["reasoning_effort"] = shown.pop("effort")
    return shown


class PresetRefOut(BaseModel):
    """What a session was set up from. Its own fields may have been changed since."""

    id: int
    version: int


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
    """A session of the list. `leaf_id` is the last message of its active branch; `forked_from`
    the message of another session that it was forked from; `title_by` is `words` (of the
    question), `model` or `person`; `unread`: an answer in it has ended while nobody followed;
    `source` is where it was imported from."""

    id: int
    title: str
    provider: str
    model: str
    created_at: Moment
    updated_at: Moment
    message_count: int
    leaf_id: int | None
    forked_from: int | None
    title_by: TitleBy
    pinned: bool
    unread: bool
    archived_at: Moment | None
    deleted_at: Moment | None
    folder_id: int | None
    tags: list[str]
    source: str | None
    system_prompt: str | None = None
    options: Fields = {}
    preset: PresetRefOut | None = None
    temporary: bool = False

    @classmethod
    def of(cls, session: Session) -> SessionOut:
        return cls(**session_fields(session))


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


class TicketsOut(BaseModel):
    """Where the answers of several models will be, by their places in `models`."""

    session_id: int
    answers: list[TicketOut]


class AskedOut(BaseModel):
    """A call that a person has to allow; `arguments` is JSON text as the model wrote it."""

    call_id: str
    tool: str
    arguments: str

    @classmethod
    def of(cls, call: ToolCall) -> AskedOut:
        return cls(call_id=call.id, tool=call.name, arguments=call.arguments)


class WaitingOut(BaseModel):
    """An answer that waits for a person, and for what."""

    generation_id: str
    session_id: int
    message_id: int
    provider: str
    model: str
    created_at: Moment
    approvals: list[AskedOut]

    @classmethod
    def of(cls, generation: Generation, calls: Sequence[ToolCall]) -> WaitingOut:
        return cls(
            generation_id=generation.id,
            session_id=generation.session_id,
            message_id=generation.message_id,
            provider=generation.provider,
            model=generation.model,
            created_at=generation.created_at,
            approvals=[AskedOut.of(call) for call in calls],
        )


class GenerationOut(BaseModel):
    """One attempt at an answer. `waiting`: a person has to allow the calls in `approvals` first.
    `slot`: its place among the answers of the models that one question was put to."""

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
    approvals: list[AskedOut] = []
    slot: int = 0
    created_at: Moment
    first_piece_at: Moment | None
    ended_at: Moment | None
    last_seq: int

    @classmethod
    def of(
        cls,
        generation: Generation,
        last_seq: int,
        cost: int | None,
        calls: Sequence[ToolCall] = (),
    ) -> GenerationOut:
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
            approvals=[AskedOut.of(call) for call in calls],
            slot=generation.slot,
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
    """A model of the catalog. `listed`: `live` if the vendor's own list has it, else `known`.
    `vision`, `tools`, `reasoning`: what it can; null: not known here."""

    id: str
    name: str
    provider: str
    context_length: int
    max_output_tokens: int
    description: str
    alias_of: str | None
    listed: Listed
    vision: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None
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
