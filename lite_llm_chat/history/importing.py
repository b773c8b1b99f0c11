"""A conversation of elsewhere becomes rows: what of it is new, and what it says there.

    Told (head, messages, files) ─┬─ not here yet ─▶ a session with everything          imported
                                  ├─ here, and more was said since ─▶ what is new       updated
                                  ├─ here ─▶ nothing                                    already here
                                  └─ here in the trash ─▶ nothing                       skipped

Nothing that is here is changed or lost. Functions of a connection, for a transaction; a dry run
calls the same ones with `dry` and they only look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from ..domain import Attachment, Part, Reasoning, Text
from ..importers.base import Head, Utterance
from ..importers.own import Preset
from ..stamps import generation_id
from ..store import imports
from ..store.codec import (
    moment_to_text,
    options_to_text,
    origin_to_text,
    parts_to_text,
    text_to_parts,
)
from ..store.database import Connection
from ..store.imports import Here, New, Spot

Outcome = Literal["imported", "updated", "already_here", "skipped", "broken"]
IN_TRASH = "it is in the trash here: take it out of there first"

Kept = Mapping[str, Attachment]  # a place in the import's folder, or an id, and the file there


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a whole import: its moment, who answers where a session does not say, and
    whether it only looks."""

    at: datetime
    home: tuple[str, str]
    dry: bool = False


class Result(NamedTuple):
    """What became of a conversation."""

    outcome: Outcome
    session_id: int | None = None
    messages: int = 0
    why: str | None = None


@dataclass(slots=True)
class Told:
    """A conversation that is being taken in, in one step or in several. `spots` says where its
    messages are: None for one that a dry run would add."""

    head: Head
    begins_at: datetime | None
    session_id: int | None = None
    here: Here | None = None
    spots: dict[str, Spot | None] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
    added: int = 0

    def copy(self) -> Told:
        """For a transaction, which may run twice."""
        here = self.here and Here(
            *(self.here.session_id, self.here.leaf_id, self.here.title, self.here.in_trash),
            self.here.by_source,
            self.here.by_place.copy(),
        )
        if here:
            for place, spots in here.by_place.items():
                here.by_place[place] = spots.copy()
        return Told(
            *(self.head, self.begins_at, self.session_id, here),
            dict(self.spots),
            dict(self.times),
            self.added,
        )


def begin(conn: Connection, told: Told, terms: Terms, *, hidden: bool) -> Told:
    """Find it, or make its session: `hidden` until `finish`."""
    head, told = told.head, told.copy()
    source = (head.source, head.source_id) if head.source and head.source_id else None
    told.here = imports.find(conn, head.uid, source)
    if told.here is not None:
        told.session_id = told.here.session_id
    elif not terms.dry:
        told.session_id = _session(conn, told, terms, hidden=hidden)
    return told


def _session(conn: Connection, told: Told, terms: Terms, *, hidden: bool) -> int:
    head = told.head
    created = head.created_at or told.begins_at or terms.at
    provider, model = head.home or terms.home
    name, version = head.preset or (None, None)
    preset_id = None if name is None else imports.preset(conn, name)
    values = {
        "title": head.title,
        "provider": provider,
        "model": model,
        "created_at": created,
        "updated_at": head.updated_at or created,
        "uid": head.uid or generation_id(),
        "title_by": head.title_by,
        "pinned": head.pinned,
        "unread": head.unread,
        "archived_at": head.archived_at,
        "deleted_at": imports.UNFINISHED if hidden else None,
        "folder_id": imports.folder(conn, head.folder, terms.at),
        "system_prompt": head.system_prompt,
        "options": None if head.options is None else options_to_text(head.options),
        "preset_id": preset_id,
        "preset_version": None if preset_id is None else version,
        "source": head.source,
        "source_id": head.source_id,
    }
    return imports.add_session(conn, values, head.tags)


def add(conn: Connection, told: Told, said: Sequence[Utterance], kept: Kept, terms: Terms) -> Told:
    """Add those of some messages that are not here. Their parents were said before."""
    told = told.copy()
    if told.here is not None and told.here.in_trash:
        return told
    for one in said:
        at = one.created_at or told.times.get(one.parent or "") or told.begins_at
        at = at or told.head.created_at or terms.at
        told.times[one.key] = at
        parent = None if one.parent is None else told.spots.get(one.parent)
        is_below_new = one.parent is not None and parent is None
        spot = None
        if told.here is not None:
            place = parent and parent.id, one.role, moment_to_text(at)
            spot = told.here.match(one.source_id, None if is_below_new else place)
        if spot is None:
            told.added += 1
            if not terms.dry:
                assert told.session_id is not None
                spot = imports.add(conn, told.session_id, parent, _new(one, at, kept))
        told.spots[one.key] = spot
    return told


def _new(one: Utterance, at: datetime, kept: Kept) -> New:
    """A message as a row. Files that are not here are taken out of its parts."""
    parts = tuple(
        part
        for part in text_to_parts(one.parts)
        if not isinstance(part, Attachment) or part.id in kept
    )
    places = [file.place for file in one.attached if file.id is None and file.place]
    beside = [kept[place] for place in places if place in kept]
    if beside and not parts and one.role == "assistant":
        parts = _spoken(one)
    said = (*parts, *_once(beside))
    return New(
        one.role,
        one.content,
        moment_to_text(at),
        one.reasoning or None,
        parts_to_text(said),
        one.call_id,
        None if one.origin is None else origin_to_text(one.origin),
        one.source_id,
        tuple(part.id for part in said if isinstance(part, Attachment)),
    )


def _spoken(one: Utterance) -> tuple[Part, ...]:
    """What an answer is made of that needed no parts, before a file joins it."""
    thought = (Reasoning(one.reasoning),) if one.reasoning else ()
    return (*thought, *((Text(one.content),) if one.content else ()))


def _once(files: Sequence[Attachment]) -> list[Attachment]:
    return list({file.id: file for file in files}.values())


def finish(conn: Connection, told: Told, active: str | None, terms: Terms) -> Result:
    """The conversation is whole: show it, or go on with the branch that is here."""
    here, spot = told.here, told.spots.get(active or "")
    at = told.head.updated_at or max(told.times.values(), default=None)
    at = at or told.head.created_at or terms.at
    if here is not None and here.in_trash:
        return Result("skipped", here.session_id, why=IN_TRASH)
    if here is not None and not told.added:
        return Result("already_here", here.session_id)
    if here is not None:
        if not terms.dry:
            imports.grow(conn, here, spot, at)
        return Result("updated", here.session_id, told.added)
    if not terms.dry:
        assert told.session_id is not None
        imports.show(conn, told.session_id, spot and spot.id, at)
    return Result("imported", told.session_id, told.added)


def whole(
    conn: Connection,
    told: Told,
    said: Sequence[Utterance],
    end: tuple[str | None, Kept],
    terms: Terms,
) -> Result:
    """All of a short conversation. `end` is its active message and the files beside it."""
    active, kept = end
    told = begin(conn, told, terms, hidden=True)
    return finish(conn, add(conn, told, said, kept, terms), active, terms)


def keep_preset(conn: Connection, found: Preset) -> None:
    """A preset of our own export."""
    versions = [
        {
            "version": one.version,
            "created_at": one.created_at,
            "provider": one.provider,
            "model": one.model,
            "system_prompt": one.system_prompt,
            "options": "{}" if one.options is None else options_to_text(one.options),
        }
        for one in found.versions
    ]
    if versions:
        imports.add_preset(conn, found.name[:255], versions)
