"""The messages of a request: one shape for each role, parsed strictly and once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..domain import Said, ToolCall
from .fields import Name, Str


class TextPart(BaseModel):
    """A part of a message's content: text."""

    type: Literal["text"]
    text: Str


def _joined(content: str | list[TextPart]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


def _asks(content: str | list[TextPart]) -> str | list[TextPart]:
    if not _joined(content).strip():
        raise ValueError("it is empty: there is nothing to answer")
    return content


Content = Str | list[TextPart]


class _Said(BaseModel):
    model_config = ConfigDict(extra="allow")


class UserIn(_Said):
    """What a person says."""

    role: Literal["user"]
    content: Annotated[Content, AfterValidator(_asks)]

    def said(self) -> Said:
        return Said("user", _joined(self.content))


class SystemIn(_Said):
    """What the model is told."""

    role: Literal["system"]
    content: Content

    def said(self) -> Said:
        return Said("system", _joined(self.content))


class CallFunction(BaseModel):
    """What is called, with its arguments as JSON text."""

    name: Name
    arguments: Str


class CallIn(BaseModel):
    """A call of an earlier answer, as it came."""

    id: Name
    type: Literal["function"] = "function"
    function: CallFunction


class AssistantIn(_Said):
    """What an earlier answer said, to be found among the stored ones."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: Annotated[list[CallIn], Field(max_length=128)] | None = None

    def said(self) -> Said:
        calls = tuple(
            ToolCall(one.id, one.function.name, one.function.arguments)
            for one in self.tool_calls or ()
        )
        return Said("assistant", _joined(self.content or ""), calls)


class ToolResultIn(_Said):
    """What a tool of the caller's gave for a call of the last answer."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Name = Field(description="The call's id")

    def said(self) -> Said:
        return Said("tool", _joined(self.content), call_id=self.tool_call_id)


SaidIn = Annotated[UserIn | AssistantIn | SystemIn | ToolResultIn, Field(discriminator="role")]
