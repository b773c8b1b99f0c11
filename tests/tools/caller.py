"""A model that calls what it is told to call, and says what it got.

    "call add {"a": 1}"      one ToolCall a line, then tool_calls; with the results: "got: 3"
    "always add {…}"         calls again and again, as long as it may
    "stubborn add {…}"       and even when it may not
    "cut"                    half a sentence, with a thought; to go on from that: the rest
    anything else            is said back

It reads nothing but its prompt, so that a second process plays on where the first one was killed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping

import pytest

from lite_llm_chat.domain import (
    Finish,
    Model,
    Options,
    Piece,
    Prompt,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    Turn,
    Usage,
)
from lite_llm_chat.providers import registry
from lite_llm_chat.providers.base import Provider, Readiness


class Caller:
    """A provider in the stead of a vendor."""

    id = "caller"
    name = "Caller"
    description = "It calls what it is told to call."
    models = (
        Model("one", "One", "caller", 10_000, 1_000, "The usual one."),
        Model("plain", "Plain", "caller", 10_000, 1_000, "It has no tools.", tools=False),
    )
    open_ended = False
    first_piece_timeout_s: float | None = None

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def readiness(self) -> Readiness:
        return Readiness(True, "ready")

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
        return ()

    def formats(self, model: str) -> frozenset[str]:
        return frozenset()

    async def listed(self) -> None:
        return None

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        self.prompts.append(prompt)
        usage = Usage(input=10, output=1)
        calls = _calls(prompt)
        if calls:
            yield Reasoning("I need a tool.")
            yield Seal("caller", f"seal {len(self.prompts)}")
            yield Text("Let me see. ")
            for call in calls:
                yield call
            yield Finish("tool_calls", usage)
        elif _question(prompt).content == "cut" and prompt.prefix is None:
            yield Reasoning("Half is enough.")
            yield Text("Half of ")
            yield Finish("length", usage)
        else:
            yield Text(_said(prompt))
            yield Finish("stop", usage)


def _question(prompt: Prompt) -> Turn:
    return next(turn for turn in reversed(prompt.turns) if turn.role == "user")


def _rounds(prompt: Prompt) -> int:
    last = prompt.turns.index(_question(prompt))
    return sum(bool(turn.calls) for turn in prompt.turns[last:])


def _calls(prompt: Prompt) -> list[ToolCall]:
    number = _rounds(prompt)
    found: list[ToolCall] = []
    for line in _question(prompt).content.splitlines():
        word, name, arguments = (*line.split(" ", 2), "", "")[:3]
        free = prompt.options.tool_choice != "none"
        again = word == "stubborn" or (word == "always" and free)
        if again or (word == "call" and not number):
            found.append(ToolCall(f"c{number}.{len(found)}", name, arguments))
    return found


def _said(prompt: Prompt) -> str:
    if prompt.prefix is not None:
        return "it."
    results: list[str] = []
    for turn in reversed(prompt.turns):
        if turn.role != "tool":
            break
        results.insert(0, turn.content)
    return f"got: {' | '.join(results)}" if results else _question(prompt).content


def moved_in(patch: pytest.MonkeyPatch, caller: Provider) -> None:
    """Every product that starts from now on has this provider too."""
    build: Callable[[registry.Parts], dict[str, Provider]] = registry.build

    def with_caller(parts: registry.Parts) -> Mapping[str, Provider]:
        return {**build(parts), caller.id: caller}

    patch.setattr(registry, "build", with_caller)
