"""The shapes of what is asked, parsed strictly and once: behind them every value is true.

Requests of existing clients carry many provider-specific fields: the known ones are mapped to
Options, the others are named in the answer's `warnings`, and none is an error.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from ..domain import Options, Said
from .deps import LARGEST_ID


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which is not text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is not text") from None
    return text


def _whole(value: object) -> object:
    """In JSON 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Str = Annotated[
    StrictStr, AfterValidator(_text), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
Whole = BeforeValidator(_whole)
Name = Annotated[Str, Field(min_length=1, max_length=255)]
Title = Annotated[
    StrictStr,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(_text),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}),
]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Penalty = Annotated[Float, Field(ge=-2, le=2)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]


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

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if self.role == "user" and not str(self.content).strip():
            raise ValueError("it is empty: there is nothing to answer")
        return self

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
    top_k: Annotated[StrictInt, Field(ge=0, le=1_000_000), Whole] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=1, le=10_000_000), Whole] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(ge=1, le=10_000_000), Whole] | None = None
    stop: Str | Annotated[list[Str], Field(max_length=16)] | None = None
    seed: Annotated[StrictInt, Field(ge=-(2**63), le=LARGEST_ID), Whole] | None = None
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

    session_id: Annotated[StrictInt, Field(ge=1, le=LARGEST_ID), Whole] | None = None
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
