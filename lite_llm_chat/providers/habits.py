"""What is odd about a vendor of OpenAI's dialect, as data, and what becomes of our options there.

    Options ─┬─ takes · names ─────────────▶ temperature, max_completion_tokens, random_seed …
             ├─ thinking · efforts ────────▶ the vendor's switch for thinking, its word for effort
             ├─ tools · forced · formats ──▶ tools, tool_choice, response_format
             └─ whatever no field says ────▶ ignored: the caller is told
    prefix ─── going_on ───────────────────▶ the mark on the last message, fields of the body

The names of the fields are also those of `endpoints.toml`. A style is one of a closed set: a
vendor with a new one gets a new word here and a new case below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from ..domain import Options, Tool
from .calls import Seals
from .chat_messages import CallIds
from .functions import chosen, format_field, function_tools, is_forced

# How thinking is switched: not at all; by a word of effort; by OpenRouter's object; by an object
# that holds the switch alone; by a bool; by `thinking: {type}`, whose "on" is `enabled` or
# `adaptive`; by a variable of the model's prompt template.
Thinking = Literal[
    "none",
    "reasoning_effort",
    "reasoning",
    "reasoning_enabled",
    "enable_thinking",
    "thinking",
    "adaptive_thinking",
    "chat_template_kwargs",
]
# How a vendor goes on from a cut answer: asked in words; from a last message of the assistant; the
# same, marked `prefix` or `partial`; the same, asked for by two fields of the body.
GoingOn = Literal["words", "assistant", "prefix", "partial", "continue_final_message"]
# Whether `<think>` at the start of the content begins reasoning; `open`: it may be left out.
ThinkTags = Literal["none", "tagged", "open"]
# Which of OpenAI's two dialects a vendor is asked in: chat completions, or responses.
Speech = Literal["chat", "responses"]

# Calls that a vendor lets one force: any call, a certain one.
Forced = Literal["required", "named"]
Format = Literal["json_object", "json_schema"]

_ELSEWHERE = frozenset({"thinking", "effort", "response_format"})  # fields of Habits of their own
OPTIONS = frozenset(Options.__slots__) - _ELSEWHERE
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")

# Words that several rows share: groups of options, a name, and our efforts at vendors that know
# three words for them, the same and `none`, all, or three of their own.
USUAL = frozenset({"temperature", "top_p", "max_tokens", "stop"})
PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})
SEED = frozenset({"seed"})
TOP_K = frozenset({"top_k"})
JUST_TOOLS = frozenset({"tools"})
CHOICE = frozenset({"tools", "tool_choice"})
TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
# All that the Responses API has a place for (SDK 3.54, November 2026).
OF_RESPONSES = frozenset({"temperature", "top_p", "max_tokens"}) | TOOLS
OBJECT: frozenset[Format] = frozenset({"json_object"})
SCHEMA: frozenset[Format] = frozenset({"json_schema"})
FORMATS = OBJECT | SCHEMA
NOT_FORCED: frozenset[Forced] = frozenset()
MAX_COMPLETION = {"max_tokens": "max_completion_tokens"}
ALL = {**{effort: effort for effort in EFFORTS}, "ultra": "max"}
THREE = {
    **dict.fromkeys(("minimal", "low"), "low"),
    "medium": "medium",
    **dict.fromkeys(("high", "xhigh", "max", "ultra"), "high"),
}
FOUR = {"none": "none", **THREE}
LOW_HIGH_MAX = {
    **dict.fromkeys(("minimal", "low"), "low"),
    **dict.fromkeys(("medium", "high"), "high"),
    **dict.fromkeys(("xhigh", "max", "ultra"), "max"),
}

_MARKS: Mapping[GoingOn, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "words": ({}, {}),
    "assistant": ({}, {}),
    "prefix": ({"prefix": True}, {}),
    "partial": ({"partial": True}, {}),
    "continue_final_message": (
        {},
        {"continue_final_message": True, "add_generation_prompt": False},
    ),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """How a vendor, or some of its models, is spoken to.

    `takes`: the options that it understands, besides thinking and effort; `names`: those that
    have another name there. `efforts`: our words for effort in the vendor's own, a word that is
    not listed is not sent; `none` stands for thinking switched off. `thinking_on`: the vendor's
    word of effort that stands for thinking switched on, where only the effort switches it.
    `going_on_thinks` False: it goes on from a text only while thinking is off. `tools_think`
    False: so with tools. `forced`: the calls that it lets one force; `strict`: whether it knows
    that field of a function; `call_ids` and `seals`: what it wants of earlier calls. `formats`: the
    forms of a text that it sees to itself. `extra`: fields that every request gets."""

    takes: frozenset[str] = USUAL
    names: Mapping[str, str] = field(default_factory=dict)
    thinking: Thinking = "none"
    thinking_on: str = ""
    efforts: Mapping[str, str] = field(default_factory=dict)
    going_on: GoingOn = "words"
    going_on_thinks: bool = True
    tools_think: bool = True
    forced: frozenset[Forced] = frozenset({"required", "named"})
    strict: bool = True
    call_ids: CallIds = "any"
    seals: Seals = "none"
    formats: frozenset[Format] = frozenset()
    stream_options: bool = True
    think_tags: ThinkTags = "none"
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def marks(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        """What going on from a text adds: to the last message, and to the body."""
        return _MARKS[self.going_on]


PLAIN = Habits()


def ignored(habits: Habits, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
    """The names of the given options that leave no trace in a request, in their usual order.
    `going_on`: in one that goes on from a text."""
    meant = minded(habits, options, tools=bool(options.tools), going_on=going_on)
    heard = {
        "thinking": _hears_switch(habits, options.thinking) and meant.thinking == options.thinking,
        "effort": _hears(habits, options) and (meant is options or options.effort == "none"),
        "tool_choice": _hears_choice(habits, options),
        "response_format": _hears_format(habits, options),
    }
    return tuple(name for name in options.given() if not heard.get(name, name in habits.takes))


def minded(habits: Habits, options: Options, *, tools: bool, going_on: bool) -> Options:
    """The options as a request can have them: where there is no thinking, none is asked for."""
    inside = going_on and habits.going_on != "words" and not habits.going_on_thinks
    beside = tools and "tools" in habits.takes and not habits.tools_think
    return replace(options, thinking=False, effort=None) if inside or beside else options


def option_fields(habits: Habits, options: Options) -> dict[str, object]:
    """The fields of the body that say the options in the vendor's words, but for tools."""
    plain = (name for name in options.given() if name in habits.takes - TOOLS)
    fields = {habits.names.get(name, name): getattr(options, name) for name in plain}
    if options.response_format is not None and _hears_format(habits, options):
        fields["response_format"] = format_field(options.response_format)
    return fields | _thinking_fields(habits, options)


def tool_fields(habits: Habits, options: Options, tools: Sequence[Tool]) -> dict[str, object]:
    """The fields of the body for the tools, if there are any. Where nothing can be chosen, not to
    call is to have none."""
    choice, takes = options.tool_choice, habits.takes
    if not tools or "tools" not in takes or (choice == "none" and "tool_choice" not in takes):
        return {}
    fields: dict[str, object] = {"tools": function_tools(tools, strict=habits.strict)}
    if choice is not None and "tool_choice" in takes and _hears_choice(habits, options):
        fields["tool_choice"] = chosen(choice)
    if options.parallel_tool_calls is not None and "parallel_tool_calls" in takes:
        fields["parallel_tool_calls"] = options.parallel_tool_calls
    return fields


def _hears_choice(habits: Habits, options: Options) -> bool:
    forced = is_forced(options)
    return "tools" in habits.takes and (
        not forced or ("tool_choice" in habits.takes and forced in habits.forced)
    )


def _hears_format(habits: Habits, options: Options) -> bool:
    return options.response_format is not None and options.response_format.kind in habits.formats


def _switch(options: Options) -> bool | None:
    """Whether to think: an explicit switch wins over the effort; None: as the model likes."""
    if options.thinking is not None:
        return options.thinking
    return False if options.effort == "none" else None


def _word(habits: Habits, options: Options) -> str | None:
    """The vendor's word for the effort, if there is thinking for it."""
    if options.effort in (None, "none") or _switch(options) is False:
        return None
    return habits.efforts.get(options.effort or "")


def _hears_switch(habits: Habits, on: bool | None) -> bool:
    if habits.thinking == "reasoning_effort":
        return bool(habits.thinking_on if on else habits.efforts.get("none"))
    return habits.thinking != "none"


def _hears(habits: Habits, options: Options) -> bool:
    if options.effort == "none":
        return options.thinking is not True and _hears_switch(habits, False)
    return _word(habits, options) is not None


def _thinking_fields(habits: Habits, options: Options) -> dict[str, object]:
    on, word = _switch(options), _word(habits, options)
    effort: dict[str, object] = {} if word is None else {"reasoning_effort": word}
    match habits.thinking:
        case "none":
            return effort
        case "reasoning_effort":
            switched = habits.efforts.get("none") if on is False else habits.thinking_on
            return (
                effort if effort or on is None or not switched else {"reasoning_effort": switched}
            )
        case "reasoning":
            if word is not None:
                return {"reasoning": {"effort": word}}
            return {} if on is None else {"reasoning": {"enabled": on}}
        case "reasoning_enabled" | "enable_thinking" | "chat_template_kwargs":
            return effort if on is None else effort | _bool_switch(habits.thinking, on)
        case "thinking" | "adaptive_thinking":
            enabled = "enabled" if habits.thinking == "thinking" else "adaptive"
            kind = enabled if on else "disabled"
            return effort if on is None else effort | {"thinking": {"type": kind}}
        case _:
            assert_never(habits.thinking)


def _bool_switch(
    style: Literal["reasoning_enabled", "enable_thinking", "chat_template_kwargs"], on: bool
) -> dict[str, object]:
    match style:
        case "reasoning_enabled":
            return {"reasoning": {"enabled": on}}
        case "enable_thinking":
            return {"enable_thinking": on}
        case "chat_template_kwargs":
            return {"chat_template_kwargs": {"enable_thinking": on}}
        case _:
            assert_never(style)
