"""What a provider is asked: the model, the turns so far, how to answer, what it may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .said import Part, Seal, ToolCall

Role = Literal["system", "user", "assistant", "tool"]
Listed = Literal["live", "known"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call: `parameters` is a JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """What the text has to be: a JSON object of any kind, or JSON by a schema."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: Mapping[str, object] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer. None means: the provider's own default.

    `thinking` switches the model's visible reasoning, `effort` is one of `none`, `minimal`, `low`,
    `medium`, `high`, `xhigh`, `max`, `ultra`; each provider maps or ignores what it does not know.
    `tool_choice` is `auto`, `none`, `required`, or `tool:` and the name of the one to call.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    thinking: bool | None = None
    effort: str | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None

    def given(self) -> tuple[str, ...]:
        """The names of the options that were set, in the order above."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a prompt. `data` is empty until the prompt is about to be sent."""

    id: str
    media_type: str
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt. `reasoning` is kept beside an assistant's text because some
    vendors want it back, each by its own rule. `parts` is what an assistant said in its order,
    where that is more than reasoning and then text; `call_id` names what a tool's turn answers,
    which `failed` or not; `pictures` are beside a user's words."""

    role: Role
    content: str
    reasoning: str | None = None
    parts: tuple[Part, ...] = ()
    call_id: str | None = None
    failed: bool = False
    pictures: tuple[Picture, ...] = ()

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """What an assistant wanted called, in its order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    def seals(self, maker: str) -> tuple[Seal, ...]:
        """What a dialect wants back with this turn, in its order."""
        seals = (part for part in self.parts if isinstance(part, Seal))
        return tuple(seal for seal in seals if seal.maker == maker)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an earlier, cut answer already has."""

    text: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything a provider needs for one answer: the served model id, the turns (oldest first,
    the last one the user's) and the options. `prefix` is the text an earlier, cut answer already
    has: the provider goes on from its last character and yields only what is new. `tools` are what
    the model may call, the caller's and the server's own; they change what some vendors want back
    of earlier turns. `pictured`: some of the turns have pictures."""

    model: str
    turns: tuple[Turn, ...]
    options: Options = Options()
    prefix: Beginning | None = None
    tools: tuple[Tool, ...] = ()
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A catalog row. `alias_of` names the model that really answers; `thinking` is what the
    alias forces (None: the caller decides). Tokens are the vendor's, 0 where they are not known.
    `listed` says whether the vendor's own list has it (of an alias: the model that answers), or
    only ours. `vision`, `tools` and `reasoning` are what it can; None: nobody here knows."""

    id: str
    name: str
    provider: str
    context_length: int
    max_output_tokens: int
    description: str
    alias_of: str | None = None
    thinking: bool | None = None
    max_prompt_tokens: int | None = None  # a self-imposed bound below the window, for slow models
    listed: Listed = "known"
    vision: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None
