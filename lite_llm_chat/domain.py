"""The nouns, frozen, and the one way from events to a message.

    Prompt ──▶ provider ──▶ Piece Piece Piece …            (no numbers yet)
                              │ merged, numbered, stored
                              ▼
               Event 1 Started · 2 Text · 3 Text · … · n Ended      = the Log of a Generation
                              │
                            fold ──▶ Answer

Text and Reasoning are both pieces and event bodies: what a provider says is what the log keeps.
Everything here is a value: no I/O, no clock, no settings. The nouns that are made by the hundred,
for every piece and every row, are msgspec structs: a tenth of a frozen dataclass's price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, assert_never

import msgspec

Role = Literal["system", "user", "assistant"]
Status = Literal["queued", "running", "completed", "failed", "cancelled", "interrupted"]
Final = Literal["completed", "failed", "cancelled", "interrupted"]
Listed = Literal["live", "known"]

LIVE: tuple[Status, ...] = ("queued", "running")


# ── what a provider is asked ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer. None means: the provider's own default.

    `thinking` switches the model's visible reasoning, `effort` is one of `none`, `minimal`, `low`,
    `medium`, `high`, `xhigh`, `max`, `ultra`; each provider maps or ignores what it does not know.
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

    def given(self) -> tuple[str, ...]:
        """The names of the options that were set, in the order above."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt. `reasoning` is kept beside an assistant's text because some
    vendors want it back, each by its own rule."""

    role: Role
    content: str
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything a provider needs for one answer: the served model id, the turns (oldest first,
    the last one the user's) and the options. `prefix` is the text an earlier, cut answer already
    has: the provider goes on from its last character and yields only what is new. `tools` are
    function tools as JSON objects; they change what some vendors want back of earlier turns."""

    model: str
    turns: tuple[Turn, ...]
    options: Options = Options()
    prefix: Answer | None = None
    tools: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A catalog row. `alias_of` names the model that really answers; `thinking` is what the
    alias forces (None: the caller decides). Tokens are the vendor's, 0 where they are not known.
    `listed` says whether the vendor's own list has it (of an alias: the model that answers), or
    only ours."""

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


# ── what a provider yields ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one generation as the vendor counted them. `output` includes `reasoning`,
    `input` includes `cached`."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


class Text(msgspec.Struct, frozen=True, gc=False):
    """A part of the visible answer: valid Unicode without lone surrogates, never empty."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    """A part of what the model thought before it answered; as Text."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The vendor said that the answer is over. `reason` is `stop`, `length`, `content_filter` or
    `tool_calls` where the vendor's word means that, else its own word; a stream that ends without
    a Finish was cut."""

    reason: str
    usage: Usage | None = None
    model: str | None = None  # the name the vendor says it served
    fingerprint: str | None = None


Piece = Text | Reasoning | Finish


# ── what the log keeps ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Started:
    """Event 1: who was asked for which message."""

    session_id: int
    message_id: int
    provider: str
    model: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer is not whole: a sentence and a stable code."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event: the terminal status and what is known about the whole."""

    status: Final
    finish_reason: str | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    served_model: str | None = None
    fingerprint: str | None = None


Body = Started | Text | Reasoning | Ended


class Event(msgspec.Struct, frozen=True, gc=False):
    """A stored fact of a generation. `seq` counts 1, 2, 3 … without a hole."""

    generation_id: str
    seq: int
    body: Body


@dataclass(frozen=True, slots=True)
class Answer:
    """What a log says so far. `status` is `running` until the Ended event is folded in."""

    text: str = ""
    reasoning: str = ""
    started: Started | None = None
    ended: Ended | None = None

    @property
    def status(self) -> Status:
        return self.ended.status if self.ended else "running"


def fold(bodies: Iterable[Body]) -> Answer:
    """The one way from events to a message: bodies in log order, from the first."""
    text: list[str] = []
    reasoning: list[str] = []
    started: Started | None = None
    ended: Ended | None = None
    for body in bodies:
        match body:
            case Text():
                text.append(body.text)
            case Reasoning():
                reasoning.append(body.text)
            case Started():
                started = body
            case Ended():
                ended = body
            case _:
                assert_never(body)
    return Answer("".join(text), "".join(reasoning), started, ended)


# ── what is kept of a conversation ────────────────────────────────────────────────────────────


class Session(msgspec.Struct, frozen=True):
    """A titled conversation. `leaf_id` is the last message of its active branch (None: empty)."""

    id: int
    title: str
    provider: str
    model: str
    created_at: datetime
    updated_at: datetime
    leaf_id: int | None = None
    message_count: int = 0


class Message(msgspec.Struct, frozen=True):
    """One stored utterance. `depth` is its distance from the root of the tree, counted from 1.
    While its generation is live, `content` and `reasoning` are what the log holds so far."""

    id: int
    session_id: int
    parent_id: int | None
    depth: int
    role: Role
    content: str
    created_at: datetime
    reasoning: str | None = None
    status: Status = "completed"
    provider: str | None = None
    model: str | None = None
    generation_id: str | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """One attempt at one assistant message. `last_seq` is the number of its last stored event."""

    id: str
    session_id: int
    message_id: int
    provider: str
    model: str
    status: Status
    options: Options
    created_at: datetime
    warnings: tuple[str, ...] = ()
    last_seq: int = 1
    first_piece_at: datetime | None = None
    ended_at: datetime | None = None
    ended: Ended | None = None
    cancel_requested: bool = False
    logged: bool = True  # False once its events were pruned; the message still has the text


class Said(msgspec.Struct, frozen=True):
    """One message of a request: what the caller says was said."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an accepted request is told at once: where its answer will be."""

    session_id: int
    generation_id: str
    message_id: int
    replayed: bool = False
    warnings: tuple[str, ...] = field(default=())
