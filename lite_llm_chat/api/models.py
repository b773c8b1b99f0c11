"""The shapes of the plain surface. Requests are parsed strictly and once; replies only ever gain
fields.

Requests of existing clients carry many provider-specific fields: the known ones are mapped to
Options, the others are named in the answer's `warnings`, and none is an error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StrictStr,
    field_validator,
)

from ..domain import Fault, Generation, Message, Model, Options, Said, Session, Ticket, Usage
from .deps import LARGEST_ID


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is not text") from None
    return text


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Str = Annotated[StrictStr, AfterValidator(_unicode)]
Moment = Annotated[datetime, PlainSerializer(_iso, return_type=str, when_used="json")]
Title = Annotated[Str, Field(min_length=1, max_length=255)]
Name = Annotated[Str, Field(min_length=1, max_length=255)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Penalty = Annotated[Float, Field(ge=-2, le=2)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]


# ── requests ──────────────────────────────────────────────────────────────────────────────────


class TextPart(BaseModel):
    """A part of a message's content; only text is taken."""

    type: Literal["text"]
    text: Str


class SaidIn(BaseModel):
    """One message of a request."""

    model_config = ConfigDict(extra="allow")

    role: Literal["user", "assistant", "system"]
    content: Str | list[TextPart]

    @field_validator("content")
    @classmethod
    def _joined(cls, value: str | list[TextPart]) -> str:
        return value if isinstance(value, str) else "".join(part.text for part in value)

    def said(self) -> Said:
        assert isinstance(self.content, str)
        return Said(self.role, self.content)


class Thinking(BaseModel):
    """DeepSeek's own way to switch thinking."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["enabled", "disabled", "auto"]


class AnswerIn(BaseModel):
    """How to answer: shared by /chat, /regenerate and /continue."""

    model_config = ConfigDict(extra="allow")

    provider: Name | None = Field(None, description="Who answers; default: the session's")
    model: Name | None = Field(None, description="Which model; default: the session's")
    message_provider: Name | None = Field(None, description="Who answers this turn only")
    message_model: Name | None = Field(None, description="Which model answers this turn only")
    stream: StrictBool = Field(True, description="Answer as server-sent events")
    background: StrictBool = Field(False, description="Answer 202 at once, follow later")
    temperature: Annotated[Float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = None
    stop: Str | Annotated[list[Str], Field(max_length=16)] | None = None
    seed: Annotated[StrictInt, Field(ge=-(2**63), le=LARGEST_ID)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    thinking: StrictBool | Thinking | None = None
    enable_thinking: StrictBool | None = None
    reasoning_effort: Effort | None = None
    system_prompt: Str | None = Field(None, description="Put before the messages, not stored")
    on_active: Literal["auto", "reject", "enqueue", "interrupt"] = Field(
        "auto", description="What to do if this session is being answered already"
    )
    on_disconnect: Literal["continue", "cancel"] = Field(
        "continue", description="What leaving means for the answer"
    )

    def options(self) -> Options:
        """The options that were given."""
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop
        return Options(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens or self.max_completion_tokens,
            stop=None if stop is None else tuple(stop),
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            thinking=self._thinking(),
            effort=self.reasoning_effort,
        )

    def _thinking(self) -> bool | None:
        match self.thinking:
            case Thinking(type="auto") | None:
                return self.enable_thinking
            case Thinking(type=kind):
                return kind == "enabled"
            case bool(value):
                return value

    def unknown(self) -> list[str]:
        """A sentence for each field that nobody here knows."""
        extra = self.model_extra or {}
        return [f"{name}: not known, so it was ignored" for name in sorted(extra)[:50]]


class ChatIn(AnswerIn):
    """A question."""

    session_id: Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)] | None = None
    messages: Annotated[list[SaidIn], Field(min_length=1, max_length=10_000)]
    title: Title | None = Field(None, description="Of a new session")

    def unknown(self) -> list[str]:
        nested = {name for said in self.messages for name in said.model_extra or {}}
        inner = [f"messages[].{name}: not known, so it was ignored" for name in sorted(nested)]
        return super().unknown() + inner[:50]


class SessionIn(BaseModel):
    """A new session."""

    title: Title = "New chat"
    provider: Name | None = None
    model: Name | None = None


class SessionPatch(BaseModel):
    """What to change of a session; null means: leave it."""

    title: Title | None = None
    provider: Name | None = None
    model: Name | None = None


# ── replies ───────────────────────────────────────────────────────────────────────────────────


class UsageOut(BaseModel):
    """Tokens as the vendor counted them."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage | None) -> UsageOut | None:
        if usage is None:
            return None
        return cls(
            input_tokens=usage.input,
            cached_tokens=usage.cached,
            output_tokens=usage.output,
            reasoning_tokens=usage.reasoning,
            total_tokens=usage.input + usage.output,
        )


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
        return cls.model_validate(session, from_attributes=True)


class MessageOut(BaseModel):
    """A message. `status` is `completed` for everything a person wrote."""

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
    error: FaultOut | None

    @classmethod
    def of(cls, message: Message) -> MessageOut:
        return cls(
            id=message.id,
            role=message.role,
            content=message.content,
            created_at=message.created_at,
            provider=message.provider,
            model=message.model,
            thought_process=message.reasoning,
            parent_id=message.parent_id,
            status=message.status,
            finish_reason=message.finish_reason,
            generation_id=message.generation_id,
            usage=UsageOut.of(message.usage),
            error=FaultOut.of(message.fault),
        )


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
    """One attempt at an answer."""

    id: str
    session_id: int
    message_id: int
    provider: str
    model: str
    served_model: str | None
    status: str
    finish_reason: str | None
    usage: UsageOut | None
    warnings: list[str]
    error: FaultOut | None
    created_at: Moment
    first_piece_at: Moment | None
    ended_at: Moment | None
    last_seq: int

    @classmethod
    def of(cls, generation: Generation, last_seq: int) -> GenerationOut:
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
            warnings=list(generation.warnings),
            error=FaultOut.of(ended.fault if ended else None),
            created_at=generation.created_at,
            first_piece_at=generation.first_piece_at,
            ended_at=generation.ended_at,
            last_seq=last_seq,
        )


class ModelOut(BaseModel):
    """A model of the catalog."""

    id: str
    name: str
    provider: str
    context_length: int
    max_output_tokens: int
    description: str
    alias_of: str | None

    @classmethod
    def of(cls, model: Model) -> ModelOut:
        return cls.model_validate(model, from_attributes=True)


class ProviderOut(BaseModel):
    """A provider. `supported`: this server speaks its dialect; `ready`: it can answer now."""

    id: str
    name: str
    description: str
    supported: bool
    ready: bool
    default: bool
    note: str


class FileOut(BaseModel):
    """An uploaded file."""

    id: str
    url: str
    name: str
    media_type: str
    size_bytes: int


class HealthOut(BaseModel):
    """How the server is."""

    status: str
    app: str
    version: str
    providers: dict[str, str]


class ReadyOut(BaseModel):
    """Whether the server takes questions."""

    status: str
