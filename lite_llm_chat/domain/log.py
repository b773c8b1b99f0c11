"""What the log keeps of a generation, and the one way from events to a message.

Started · Text · Reasoning · … · Ended ─▶ fold ─▶ Answer
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, assert_never

import msgspec

from .said import Part, Reasoning, Seal, Text, ToolCall, ToolResult, Usage, merged

Status = Literal["queued", "running", "completed", "failed", "cancelled", "interrupted"]
Final = Literal["completed", "failed", "cancelled", "interrupted"]

ApprovalState = Literal["asked", "approved", "denied"]

LIVE: tuple[Status, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools of this server that an answer may use, by name, and the system prompt: what an
    answer that waits for a person needs to go on after a restart, and no other row keeps."""

    tools: tuple[str, ...]
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """Event 1: who was asked for which message. `offer` is None where no tool of this server was
    to be used."""

    session_id: int
    message_id: int
    provider: str
    model: str
    warnings: tuple[str, ...] = ()
    offer: Offer | None = None


class Approval(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A call of a tool of this server that a person has to allow: asked for, then decided. `spent`
    is what the vendor has counted so far, so that a restart does not forget it."""

    call_id: str
    state: ApprovalState
    spent: Usage | None = None


class Rerouted(msgspec.Struct, frozen=True, gc=False):
    """Somebody else answers than was asked, from here on, and why: a sentence. `warnings` are
    about what that one is asked."""

    provider: str
    model: str
    reason: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer is not whole: a sentence and a stable code."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: the terminal status and what is known about the whole. `warnings` are
    those that its making brought."""

    status: Final
    finish_reason: str | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    warnings: tuple[str, ...] = ()


Inner = Text | Reasoning | ToolCall | Seal | ToolResult | Approval | Rerouted
Body = Started | Inner | Ended


class Event(msgspec.Struct, frozen=True, gc=False):
    """A stored fact of a generation. `seq` counts 1, 2, 3 … without a hole."""

    generation_id: str
    seq: int
    body: Body


@dataclass(frozen=True, slots=True)
class Answer:
    """What a log says so far. `status` is `running` until the Ended event is folded in. `parts`
    is empty where the answer is nothing but reasoning and then text. `rerouted` is the last one."""

    text: str = ""
    reasoning: str = ""
    started: Started | None = None
    ended: Ended | None = None
    parts: tuple[Part, ...] = ()
    rerouted: Rerouted | None = None

    @property
    def status(self) -> Status:
        return self.ended.status if self.ended else "running"


def fold(bodies: Iterable[Body]) -> Answer:
    """The one way from events to a message: bodies in log order, from the first."""
    said: list[Part] = []
    started: Started | None = None
    ended: Ended | None = None
    rerouted: Rerouted | None = None
    for body in bodies:
        match body:
            case Text() | Reasoning() | ToolCall() | Seal() | ToolResult():
                said.append(body)
            case Started():
                started = body
            case Ended():
                ended = body
            case Rerouted():
                rerouted = body
            case Approval():
                pass
            case _:
                assert_never(body)
    text = "".join(part.text for part in said if isinstance(part, Text))
    reasoning = "".join(part.text for part in said if isinstance(part, Reasoning))
    return Answer(text, reasoning, started, ended, merged(said), rerouted)
