"""Messages: a tree that only grows. The active branch is the path from a session's leaf to a root.

    root ── 2 ── 3 ── 4 ◀ leaf           branch = 1 2 3 4, oldest first
              └─ 5 ── 6                   still there, only not on the branch

No function here changes what a message says, but `finish`, once, when its generation ends.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..domain import LIVE, Answer, Attachment, Message, Origin, Part, Role, fold
from ..errors import NotFound
from .bare import first, run
from .codec import (
    moment_to_text,
    origin_to_text,
    parts_to_text,
    row_to_body,
    text_to_ended,
    text_to_moment,
    text_to_origin,
    text_to_parts,
)

_SAID = (
    "SELECT m.id, m.session_id, m.parent_id, m.depth, m.role, m.content, m.created_at,"
    " m.reasoning, m.generation_id, m.parts, m.call_id, m.origin"
)
_MADE = "g.status, g.provider, g.model, g.ended"
_MESSAGES = (
    f"{_SAID}, {_MADE} FROM chat_messages AS m LEFT JOIN generations AS g ON g.id = m.generation_id"
)
_ALL_SAID = f"{_SAID} FROM chat_messages AS m WHERE m.session_id = ?"
_ALL_MADE = f"SELECT g.id, {_MADE} FROM generations AS g WHERE g.session_id = ?"
_ONE = (
    f"{_MESSAGES} WHERE m.id = ? AND NOT EXISTS (SELECT 1 FROM chat_sessions AS s"
    " WHERE s.id = m.session_id AND s.deleted_at IS NOT NULL)"
)
_BRANCH = (
    "WITH RECURSIVE path (id) AS (SELECT ? UNION ALL SELECT child.parent_id"
    " FROM path JOIN chat_messages AS child ON child.id = path.id"
    " WHERE child.parent_id IS NOT NULL LIMIT ?)"
    f" {_MESSAGES} WHERE m.id IN (SELECT id FROM path)"
)
_SOME = f"{_MESSAGES} WHERE m.id IN (SELECT value FROM json_each(?)) ORDER BY m.id"
_DEPTH = itemgetter(3)  # of a row: to sort here is cheaper than to have SQLite copy the texts
_SO_FAR = "SELECT kind, data FROM events WHERE generation_id = ? AND kind <> 'started' ORDER BY seq"
_APPEND = (
    "INSERT INTO chat_messages"
    " (session_id, parent_id, depth, role, content, created_at, generation_id, parts, call_id,"
    " reasoning, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_FINISH = "UPDATE chat_messages SET content = ?, reasoning = ?, parts = ? WHERE id = ?"
_NOBODY = (None,) * 4  # made it: a person did, or it came from elsewhere
NOWHERE = Origin()  # of what a person wrote, or is still to be made
_ATTACH = "INSERT INTO message_files (message_id, position, file_id) VALUES (?, ?, ?)"


def _message(conn: Connection, row: Any) -> Message:
    (id_, session_id, parent_id, depth, role, content, created, reasoning, generation_id, stored,
     call_id, origin, status, provider, model, end) = row  # fmt: skip
    moment, parts = text_to_moment(created), text_to_parts(stored)
    if generation_id is not None and status in LIVE:
        answer = _so_far(conn, generation_id)
        content, reasoning, parts = answer.text, answer.reasoning or None, answer.parts
    if origin is not None:
        return _imported(row, text_to_origin(origin))
    ended = text_to_ended(end)
    return Message(
        id_,
        session_id,
        parent_id,
        depth,
        role,
        content,
        moment,
        reasoning,
        status or "completed",
        provider,
        model,
        generation_id,
        ended.usage if ended else None,
        ended.fault if ended else None,
        ended.finish_reason if ended else None,
        parts,
        call_id,
    )


def _imported(row: Any, origin: Origin) -> Message:
    (id_, session_id, parent_id, depth, role, content, created, reasoning) = row[:8]
    return Message(
        id_,
        session_id,
        parent_id,
        depth,
        role,
        content,
        text_to_moment(created),
        reasoning,
        origin.status,
        origin.provider,
        origin.model,
        usage=origin.usage,
        fault=origin.fault,
        finish_reason=origin.finish_reason,
        parts=text_to_parts(row[9]),
        call_id=row[10],
    )


def _so_far(conn: Connection, generation_id: str) -> Answer:
    """What the log of a live generation holds: it is shown to readers, so it counts as said."""
    rows = run(conn, _SO_FAR, (generation_id,))
    return fold(row_to_body(kind, data) for kind, data in rows)


def get(conn: Connection, message_id: int) -> Message:
    """The message. Raises NotFound `message_not_found`, also of a session in the trash."""
    row = first(conn, _ONE, (message_id,))
    if row is None:
        raise NotFound(f"there is no message {message_id}", code="message_not_found")
    return _message(conn, row)


def branch(conn: Connection, leaf_id: int | None, most: int = -1) -> Sequence[Message]:
    """The path that ends in `leaf_id`, oldest first; empty for None. Of a longer one the last
    `most` messages, and no others are looked at; -1: all."""
    if leaf_id is None:
        return []
    rows = run(conn, _BRANCH, (leaf_id, most))
    rows.sort(key=_DEPTH)
    return [_message(conn, row) for row in rows]


def whole(conn: Connection, session_id: int) -> Sequence[Message]:
    """All messages of a session that never branched, oldest first: its branch, without walking it.
    Its rows and its generations each lie together in an index."""
    made = {id_: tuple(rest) for id_, *rest in run(conn, _ALL_MADE, (session_id,))}
    rows = run(conn, _ALL_SAID, (session_id,))
    rows.sort(key=_DEPTH)
    return [_message(conn, row + made.get(row[8], _NOBODY)) for row in rows]


def some(conn: Connection, ids: Sequence[int]) -> Sequence[Message]:
    """Those of some messages that are there, by their ids."""
    return [_message(conn, row) for row in run(conn, _SOME, (json.dumps(ids),))]


class Place(NamedTuple):
    """Where a new message goes: under `parent_id` (None: a new root), whose depth is `depth`."""

    session_id: int
    parent_id: int | None = None
    depth: int = 0

    @classmethod
    def under(cls, message: Message) -> Place:
        return cls(message.session_id, message.id, message.depth)


@dataclass(frozen=True, slots=True)
class New:
    """A message that is about to be kept."""

    role: Role
    content: str = ""
    parts: tuple[Part, ...] = ()
    call_id: str | None = None
    generation_id: str | None = None
    reasoning: str | None = None
    origin: Origin | None = None  # of an answer that no generation of this server makes


def append(conn: Connection, place: Place, new: New, at: datetime) -> Message:
    """A new message at a place of the tree."""
    depth = place.depth + 1
    values = place.session_id, place.parent_id, depth, new.role, new.content, moment_to_text(at)
    made = new.origin or NOWHERE
    origin = new.origin and origin_to_text(new.origin)
    extra = new.generation_id, parts_to_text(new.parts), new.call_id, new.reasoning, origin
    [(message_id,)] = run(conn, _APPEND, (*values, *extra))
    files = [part.id for part in new.parts if isinstance(part, Attachment)]
    for position, file_id in enumerate(files):
        run(conn, _ATTACH, (message_id, position, file_id))
    return Message(
        message_id,
        place.session_id,
        place.parent_id,
        depth,
        new.role,
        new.content,
        at,
        new.reasoning,
        made.status if new.generation_id is None else "queued",
        made.provider,
        made.model,
        new.generation_id,
        made.usage,
        made.fault,
        made.finish_reason,
        new.parts,
        new.call_id,
    )


def finish(conn: Connection, message_id: int, answer: Answer) -> None:
    """Set what an answer says in the end; the same transaction ends its generation."""
    values = answer.text, answer.reasoning or None, parts_to_text(answer.parts), message_id
    run(conn, _FINISH, values)
