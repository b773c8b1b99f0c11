"""The shapes of what is asked, parsed strictly and once: behind them every value is true.

Requests of existing clients carry many provider-specific fields: the known ones are mapped to
Options, the others are named in the answer's `warnings`, and none is an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from ..domain import Options, is_temporary
from .deps import LARGEST_ID
from .fields import ModelName, ModelPath, Name, Str, Title, Whole
from .functions import ChosenTool, FormatIn, ToolIn
from .options import MannersIn, OptionsIn, PresetField
from .said import SaidIn, WordsIn

MOST_FALLBACKS = 5
MOST_MODELS = 8


class AnswerIn(OptionsIn):
    """How to answer: shared by /chat, /edit, /regenerate and /continue."""

    model_config = ConfigDict(extra="allow")

    provider: Name | None = Field(None, description="Who answers; default: the session's")
    model: Name | None = Field(None, description="Which model; default: the session's")
    message_provider: Name | None = Field(None, description="Who answers this turn only")
    message_model: Name | None = Field(None, description="Which model answers this turn only")
    fallback_models: Annotated[list[ModelPath], Field(max_length=MOST_FALLBACKS)] | None = Field(
        None, description="Who answers if that one cannot: provider/model; []: nobody"
    )
    stream: StrictBool = Field(True, description="Answer as server-sent events")
    background: StrictBool = Field(False, description="Answer 202 at once, follow later")
    tools: Annotated[list[ToolIn], Field(max_length=128)] | None = Field(
        None, description="Functions that the model may call"
    )
    tool_choice: Literal["auto", "none", "required"] | ChosenTool | None = None
    parallel_tool_calls: StrictBool | None = None
    server_tools: StrictBool | Annotated[list[Name], Field(max_length=128)] = Field(
        True, description="Which tools of this server may be called: all, none, names or patterns"
    )
    response_format: FormatIn | None = Field(None, description="What the text has to be")
    system_prompt: Str | None = Field(
        None, description="Put before the messages instead of the session's, for this turn"
    )
    on_active: Literal["auto", "reject", "enqueue", "interrupt"] = Field(
        "auto", description="What to do if this session is being answered already"
    )
    on_disconnect: Literal["continue", "cancel"] = Field(
        "continue", description="What leaving means for the answer"
    )

    def options(self) -> Options:
        """The options that were given, and what goes with one request only."""
        return replace(
            super().options(),
            tools=tuple(one.tool() for one in self.tools) if self.tools else None,
            tool_choice=self._choice() if self.tools else None,
            parallel_tool_calls=self.parallel_tool_calls if self.tools else None,
            response_format=self.response_format.format() if self.response_format else None,
        )

    def system_prompt_wanted(self) -> str | None:
        """None: the session's. Whoever says null or "" wants none."""
        said_none = self.system_prompt is None and "system_prompt" in self.model_fields_set
        return "" if said_none else self.system_prompt

    def server_tools_wanted(self) -> bool | tuple[str, ...]:
        """Which of this server's tools the model may call, as far as this request decides it."""
        if self.tool_choice == "none":
            return False
        wanted = self.server_tools
        return wanted if isinstance(wanted, bool) else tuple(wanted)

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

    def unknown(self) -> list[str]:
        """A sentence for each field that nobody here knows."""
        extra = self.model_extra or {}
        return [f"{name}: not known, so it was ignored" for name in sorted(extra)[:50]]


class AskIn(AnswerIn):
    """How to answer, by one model or by several at once."""

    models: Annotated[list[ModelName], Field(min_length=2, max_length=MOST_MODELS)] | None = Field(
        None, description="Who answers this question, side by side: provider/model, or a name"
    )

    @model_validator(mode="after")
    def _names_them_once(self) -> Self:
        if self.models and (self.message_provider or self.message_model):
            raise ValueError("models says who answers this question: name nobody besides")
        return self


class EditIn(AskIn, WordsIn):
    """What is to be asked in the place of a question. Its files stay unless any are named."""


class ChatIn(AskIn, PresetField):
    """A question."""

    session_id: Annotated[StrictInt, Field(ge=1, le=LARGEST_ID), Whole] | None = None
    messages: Annotated[list[SaidIn], Field(min_length=1, max_length=10_000)]
    title: Title | None = Field(None, description="Of a new session")
    temporary: StrictBool = Field(False, description="A new session that is never written")

    @model_validator(mode="after")
    def _begins_a_session(self) -> Self:
        if self.session_id is not None and self.preset is not None:
            raise ValueError("a preset begins a session: move one to it with PATCH /sessions/{id}")
        if self.temporary and not (self.session_id is None or is_temporary(self.session_id)):
            raise ValueError("temporary begins a session: this one is kept already")
        return self

    def unknown(self) -> list[str]:
        nested = {name for said in self.messages for name in said.model_extra or {}}
        inner = [f"messages[].{name}: not known, so it was ignored" for name in sorted(nested)]
        return super().unknown() + inner[:50]


class ApprovalIn(BaseModel):
    """A person's word about a call."""

    approve: StrictBool


class SessionIn(MannersIn):
    """A new session."""

    title: Title = "New chat"
    provider: Name | None = None
    model: Name | None = None
