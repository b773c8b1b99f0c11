"""Messages: a tree that only grows. The active branch is the path from a session's leaf to a root.

    root ── 2 ── 3 ── 4 ◀ leaf           branch = 1 2 3 4, oldest first
              └─ 5 ── 6                   still there, only not on the branch

No function here changes what a message says, but `finish`, once, when its generation ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Integer, bindparam, select, update

from ..domain import LIVE, Message, Said, fold
from ..errors import NotFound
from .codec import moment_to_text, row_to_body, text_to_ended
from .tables import events, generations, messages

_MESSAGES = select(
    messages.c.id,
    messages.c.session_id,
    messages.c.parent_id,
    messages.c.depth,
    messages.c.role,
    messages.c.content,
    messages.c.created_at,
    messages.c.reasoning,
    messages.c.generation_id,
    generations.c.status,
    generations.c.provider,
    generations.c.model,
    generations.c.ended,
).outerjoin(generations, generations.c.id == messages.c.generation_id)
_ONE = _MESSAGES.where(messages.c.id == bindparam("message_id"))
_PATH = select(bindparam("leaf_id", type_=Integer).label("id")).cte("path", recursive=True)
_PATH = _PATH.union_all(
    select(messages.c.parent_id).where(
        messages.c.id == _PATH.c.id, messages.c.parent_id.is_not(None)
    )
)
_BRANCH = _MESSAGES.where(messages.c.id.in_(select(_PATH.c.id))).order_by(messages.c.depth)
_SO_FAR = (
    select(events.c.kind, events.c.data)
    .where(events.c.generation_id == bindparam("id"), events.c.kind.in_(("text", "reasoning")))
    .order_by(events.c.seq)
)
_APPEND = (
    "INSERT INTO chat_messages"
    " (session_id, parent_id, depth, role, content, created_at, generation_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
)


def _message(conn: Connection, values: dict[str, Any]) -> Message:
    ended = text_to_ended(values.pop("ended"))
    values["status"] = values["status"] or "completed"
    if ended is not None:
        values |= {
            "usage": ended.usage,
            "fault": ended.fault,
            "finish_reason": ended.finish_reason,
        }
    elif values["status"] in LIVE:
        values |= _so_far(conn, values["generation_id"])
    return Message(**values)


def _so_far(conn: Connection, generation_id: str) -> dict[str, str | None]:
    """What the log of a live generation holds: it is shown to readers, so it counts as said."""
    rows = conn.execute(_SO_FAR, {"id": generation_id})
    answer = fold(row_to_body(kind, data) for kind, data in rows)
    return {"content": answer.text, "reasoning": answer.reasoning or None}


def get(conn: Connection, message_id: int) -> Message:
    """The message. Raises NotFound `message_not_found`."""
    row = conn.execute(_ONE, {"message_id": message_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no message {message_id}", code="message_not_found")
    return _message(conn, row._asdict())


def branch(conn: Connection, leaf_id: int | None) -> Sequence[Message]:
    """The path that ends in `leaf_id`, oldest first; empty for None."""
    if leaf_id is None:
        return []
    rows = conn.execute(_BRANCH, {"leaf_id": leaf_id}).all()
    return [_message(conn, row._asdict()) for row in rows]


class Place(NamedTuple):
    """Where a new message goes: under `parent_id` (None: a new root), whose depth is `depth`."""

    session_id: int
    parent_id: int | None = None
    depth: int = 0

    @classmethod
    def under(cls, message: Message) -> Place:
        return cls(message.session_id, message.id, message.depth)


def append(
    conn: Connection, place: Place, said: Said, at: datetime, generation_id: str | None = None
) -> Message:
    """A new message at a place of the tree."""
    depth = place.depth + 1
    message_id = conn.exec_driver_sql(
        _APPEND,
        (
            place.session_id,
            place.parent_id,
            depth,
            said.role,
            said.content,
            moment_to_text(at),
            generation_id,
        ),
    ).scalar_one()
    return Message(
        message_id,
        place.session_id,
        place.parent_id,
        depth,
        said.role,
        said.content,
        at,
        status="completed" if generation_id is None else "queued",
        generation_id=generation_id,
    )


def finish(conn: Connection, message_id: int, text: str, reasoning: str) -> None:
    """Set what an answer says in the end; the same transaction ends its generation."""
    conn.execute(
        update(messages)
        .where(messages.c.id == message_id)
        .values(content=text, reasoning=reasoning or None)
    )
