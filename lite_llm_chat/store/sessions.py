"""Sessions: titled conversations, newest first.

A session's `message_count` is the depth of its leaf: the length of its active branch, known
without walking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, update

from ..domain import Session
from ..errors import NotFound
from .bare import first, run
from .codec import moment_to_text, text_to_moment
from .tables import sessions

_SESSIONS = (
    "SELECT s.id, s.title, s.provider, s.model, s.created_at, s.updated_at, s.leaf_id,"
    " coalesce(leaf.depth, 0)"
    " FROM chat_sessions AS s LEFT JOIN chat_messages AS leaf ON leaf.id = s.leaf_id"
)
_ONE = f"{_SESSIONS} WHERE s.id = ?"
_PAGE = f"{_SESSIONS} ORDER BY s.updated_at DESC, s.id DESC LIMIT ? OFFSET ?"
_CREATE = (
    "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?) RETURNING id"
)
_MOVE_LEAF = "UPDATE chat_sessions SET leaf_id = ?, updated_at = ? WHERE id = ?"
_TOUCH = "UPDATE chat_sessions SET updated_at = ? WHERE id = ?"


def _session(row: Any) -> Session:
    id_, title, provider, model, created, updated, leaf_id, count = row
    moments = text_to_moment(created), text_to_moment(updated)
    return Session(id_, title, provider, model, *moments, leaf_id, count)


def create(conn: Connection, title: str, provider: str, model: str, at: datetime) -> Session:
    """A new, empty session."""
    moment = moment_to_text(at)
    [(session_id,)] = run(conn, _CREATE, (title, provider, model, moment, moment))
    return Session(session_id, title, provider, model, at, at)


def get(conn: Connection, session_id: int) -> Session:
    """The session. Raises NotFound `session_not_found`."""
    row = first(conn, _ONE, (session_id,))
    if row is None:
        raise NotFound(
            f"there is no session {session_id}: GET /sessions lists those that exist",
            code="session_not_found",
        )
    return _session(row)


def page(conn: Connection, skip: int, limit: int) -> Sequence[Session]:
    """At most `limit` sessions after the first `skip`, most recently updated first."""
    return [_session(row) for row in run(conn, _PAGE, (limit, skip))]


def change(conn: Connection, session_id: int, at: datetime, values: dict[str, str]) -> None:
    """Set any of `title`, `provider` and `model`, and touch `updated_at`."""
    conn.execute(
        update(sessions).where(sessions.c.id == session_id).values(**values, updated_at=at)
    )


def move_leaf(conn: Connection, session_id: int, leaf_id: int | None, at: datetime) -> None:
    """Make another message the end of the active branch (None: the branch is empty)."""
    run(conn, _MOVE_LEAF, (leaf_id, moment_to_text(at), session_id))


def touch(conn: Connection, session_id: int, at: datetime) -> None:
    """Move a session to the top of the list."""
    run(conn, _TOUCH, (moment_to_text(at), session_id))


def remove(conn: Connection, session_id: int) -> None:
    """The session with its messages, generations and logs."""
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_all(conn: Connection) -> None:
    """Every session."""
    conn.execute(delete(sessions))
