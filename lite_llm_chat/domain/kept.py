"""What is kept of a conversation: sessions, messages, generations; and what a request says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from .asked import Options, Role
from .log import Ended, Fault, Status
from .said import Attachment, Part, ToolCall, Usage

TitleBy = Literal["words", "model", "person"]


class Session(msgspec.Struct, frozen=True):
    """A titled conversation. `leaf_id` is the last message of its active branch (None: empty).
    `uid` is its lasting name, the same wherever it is exported to; `title_by` says whether the
    title is the question's first words, a model's or a person's; `system_prompt` and `options`
    are for every answer in it; `source` and `source_id` say where it was imported from."""

    id: int
    title: str
    provider: str
    model: str
    created_at: datetime
    updated_at: datetime
    leaf_id: int | None = None
    message_count: int = 0
    uid: str = ""
    title_by: TitleBy = "person"
    pinned: bool = False
    unread: bool = False
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
    folder_id: int | None = None
    system_prompt: str | None = None
    options: Options | None = None
    preset_id: int | None = None
    preset_version: int | None = None
    forked_from: int | None = None
    source: str | None = None
    source_id: str | None = None
    tags: tuple[str, ...] = ()


class PresetRef(msgspec.Struct, frozen=True):
    """Which preset; None: its newest version."""

    id: int
    version: int | None = None


class PresetVersion(msgspec.Struct, frozen=True):
    """What a preset says, or said: it never changes. No provider and no model: it leaves open who
    answers."""

    preset_id: int
    version: int
    provider: str | None
    model: str | None
    system_prompt: str | None
    options: Options
    created_at: datetime


class Preset(msgspec.Struct, frozen=True):
    """A named way to be answered, with the newest of its versions."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    newest: PresetVersion


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an imported message says of itself: no generation of this server made it."""

    provider: str | None = None
    model: str | None = None
    status: Status = "completed"
    finish_reason: str | None = None
    usage: Usage | None = None
    fault: Fault | None = None


class Message(msgspec.Struct, frozen=True):
    """One stored utterance. `depth` is its distance from the root of the tree, counted from 1.
    While its generation is live, `content` and `reasoning` are what the log holds so far. `parts`
    is what an assistant said in its order, where that is more than reasoning and then text, and of
    a user the attachments; `call_id` names the call that a tool's message answers. No
    generation of this server stands behind an imported answer."""

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
    parts: tuple[Part, ...] = ()
    call_id: str | None = None

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """What an assistant wanted called, in its order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files beside a user's words."""
        return tuple(part for part in self.parts if isinstance(part, Attachment))


@dataclass(frozen=True, slots=True)
class Generation:
    """One attempt at one assistant message. `last_seq` is the number of its last stored event;
    `waiting` while a person has to allow a tool's call before it goes on; `slot` is its place among
    the answers that several models give to one question, 0 for the first or only one."""

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
    waiting: bool = False
    slot: int = 0


class Said(msgspec.Struct, frozen=True):
    """One message of a request: what the caller says was said. `calls` are an assistant's,
    `call_id` is a tool's, `files` are the ids of uploaded files beside a user's words."""

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an accepted request is told at once: where its answer will be; and where those of the
    other models will be, if it was put to several (`beside`)."""

    session_id: int
    generation_id: str
    message_id: int
    replayed: bool = False
    warnings: tuple[str, ...] = field(default=())
    beside: tuple[Ticket, ...] = ()

    @property
    def everyone(self) -> tuple[Ticket, ...]:
        """Itself and those beside it, by their slots."""
        return (self, *self.beside)
