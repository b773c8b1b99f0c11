"""The shapes of what is asked, parsed strictly and once: behind them every value is true.

Requests of existing clients carry many provider-specific fields: the known ones are mapped to
Options, the others are named in the answer's `warnings`, and none is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

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

from ..domain import Options, ResponseFormat, Said, Tool, ToolCall
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
    """A part of a message's content: text."""

    type: Literal["text"]
    text: Str


class CallFunction(BaseModel):
    """What is called, with its arguments as JSON text."""

    name: Name
    arguments: Str


class CallIn(BaseModel):
    """A call of an earlier answer, as it came."""

    id: Name
    type: Literal["function"] = "function"
    function: CallFunction


class SaidIn(BaseModel):
    """One message of a request."""

    model_config = ConfigDict(extra="allow")

    role: Literal["user", "assistant", "system", "tool"]
    content: Str | list[TextPart] | None = None
    tool_calls: Annotated[list[CallIn], Field(max_length=128)] | None = None
    tool_call_id: Name | None = Field(None, description="Of a tool's message: the call's id")

    @field_validator("content")
    @classmethod
    def _joined(cls, value: str | list[TextPart] | None) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        return "".join(part.text for part in value)

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if self.role == "user" and not str(self.content or "").strip():
            raise ValueError("it is empty: there is nothing to answer")
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("it has no content")
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("tool_call_id belongs to a message with role tool, and to no other")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("tool_calls belong to a message with role assistant")
        return self

    def said(self) -> Said:
        calls = tuple(
            ToolCall(one.id, one.function.name, one.function.arguments)
            for one in self.tool_calls or ()
        )
        return Said(self.role, str(self.content or ""), calls, self.tool_call_id)


class Thinking(BaseModel):
    """DeepSeek's own way to switch thinking."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["enabled", "disabled", "auto"]


class FunctionIn(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Str = ""
    parameters: dict[str, Any] | None = Field(None, description="A JSON schema of its arguments")
    strict: StrictBool | None = None


class ToolIn(BaseModel):
    """A tool of the caller's: calls of it end the answer, and results come back as messages."""

    type: Literal["function"]
    function: FunctionIn

    def tool(self) -> Tool:
        one = self.function
        schema = one.parameters or {"type": "object", "properties": {}}
        return Tool(one.name, one.description, schema, one.strict)


class ChosenFunction(BaseModel):
    """By its name."""

    name: Name


class ChosenTool(BaseModel):
    """The one tool that has to be called."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchemaIn(BaseModel):
    """A schema for the whole text."""

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "answer"
    schema_: dict[str, Any] = Field(alias="schema")
    strict: StrictBool | None = None


class FormatIn(BaseModel):
    """What the text has to be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaIn | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema goes with the type json_schema, and with no other")
        return self

    def format(self) -> ResponseFormat | None:
        if self.type == "text":
            return None
        if self.json_schema is None:
            return ResponseFormat("json_object")
        one = self.json_schema
        return ResponseFormat("json_schema", one.name, one.schema_, one.strict)


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
    tools: Annotated[list[ToolIn], Field(max_length=128)] | None = Field(
        None, description="Functions that the model may call"
    )
    tool_choice: Literal["auto", "none", "required"] | ChosenTool | None = None
    parallel_tool_calls: StrictBool | None = None
    response_format: FormatIn | None = Field(None, description="What the text has to be")
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
            tools=tuple(one.tool() for one in self.tools) if self.tools else None,
            tool_choice=self._choice() if self.tools else None,
            parallel_tool_calls=self.parallel_tool_calls if self.tools else None,
            response_format=self.response_format.format() if self.response_format else None,
        )

    @model_validator(mode="after")
    def _knows_its_tools(self) -> Self:
        names = [one.function.name for one in self.tools or ()]
        if len(names) != len(set(names)):
            raise ValueError("two tools have the same name")
        if isinstance(self.tool_choice, ChosenTool) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names {self.tool_choice.function.name!r}, not in tools")
        return self

    def _choice(self) -> str | None:
        if isinstance(self.tool_choice, ChosenTool):
            return f"tool:{self.tool_choice.function.name}"
        return self.tool_choice

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
