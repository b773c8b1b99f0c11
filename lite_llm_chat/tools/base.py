"""The one Protocol between the rounds of an answer and the tools of this server.

    what there is now ──▶ Toolbox.tools        ──▶ the model is told
    a call            ──▶ Toolbox.verdict      ──▶ allow │ ask a person │ deny, and why
                      └─▶ Toolbox.run          ──▶ ToolResult                     (bounded)

Whose tools they are and how they are reached is nobody's business above this line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from ..domain import Tool, ToolCall, ToolResult

Word = Literal["allow", "ask", "deny"]
Wanted = bool | tuple[str, ...]  # all, none, or those whose names match one of some patterns


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a call. `why` is a sentence for the model, of a denied one."""

    word: Word
    why: str = ""


class Toolbox(Protocol):
    """The tools that this server runs itself."""

    def tools(self) -> tuple[Tool, ...]:
        """What there is now, in a steady order. Cheap, no I/O, from any thread."""

    def verdict(self, call: ToolCall) -> Verdict:
        """Whether a call may be run, by the operator's rules and by its arguments. Cheap, no I/O;
        the answer may change while the tools do."""

    async def run(self, call: ToolCall) -> ToolResult:
        """Carry a call out. Takes and gives no more than the operator allows; whatever goes wrong
        is a failed result. Cancelling it stops the work as far as the tool's server obeys."""


class NoTools:
    """A server without tools of its own."""

    def tools(self) -> tuple[Tool, ...]:
        return ()

    def verdict(self, call: ToolCall) -> Verdict:
        return Verdict("deny", unknown(call))

    async def run(self, call: ToolCall) -> ToolResult:
        return ToolResult(call.id, unknown(call), failed=True)


def unknown(call: ToolCall) -> str:
    """What a model is told that calls something else than it may."""
    return f"There is no tool {call.name!r}."


def chosen(tools: Sequence[Tool], wanted: Wanted) -> tuple[Tool, ...]:
    """Those of some tools that a request wants."""
    if isinstance(wanted, bool):
        return tuple(tools) if wanted else ()
    return tuple(tool for tool in tools if any(fnmatchcase(tool.name, one) for one in wanted))


def vain(tools: Sequence[Tool], wanted: Wanted) -> Iterable[str]:
    """The patterns of a request that no tool's name matches."""
    patterns = () if isinstance(wanted, bool) else wanted
    return [one for one in patterns if not any(fnmatchcase(tool.name, one) for tool in tools)]
