"""Sessions: titled conversations, newest first.

A session's `message_count` is the depth of its leaf: the length of its active branch, known
without walking it. Statements are built once, and what every question inserts and updates
is bare SQL: together that halves what accepting costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from ..domain import Session
from ..errors import NotFound
from .codec import moment_to_text
from .tables import messages, sessions

_leaf = messages.alias("leaf")
_SESSIONS = select(sessions, func.coalesce(_leaf.c.depth, 0).label("message_count")).outerjoin(
    _leaf, _leaf.c.id == sessions.c.leaf_id
)
_ONE = _SESSIONS.where(sessions.c.id == bindparam("session_id"))
_PAGE = (
    _SESSIONS.order_by(sessions.c.updated_at.desc(), sessions.c.id.desc())
    .offset(bindparam("skip"))
    .limit(bindparam("most"))
)


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(**row._asdict())


def create(conn: Connection, title: str, provider: str, model: str, at: datetime) -> Session:
    """A new, empty session."""
    moment = moment_to_text(at)
    session_id = conn.exec_driver_sql(
        "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (title, provider, model, moment, moment),
    ).scalar_one()
    return Session(session_id, title, provider, model, at, at)


def get(conn: Connection, session_id: int) -> Session:
    """The session. Raises NotFound `session_not_found`."""
    row = conn.execute(_ONE, {"session_id": session_id}).one_or_none()
    if row is None:
        raise NotFound(
            f"there is no session {session_id}: GET /sessions lists those that exist",
            code="session_not_found",
        )
    return _session(row)


def page(conn: Connection, skip: int, limit: int) -> Sequence[Session]:
    """At most `limit` sessions after the first `skip`, most recently updated first."""
    return [_session(row) for row in conn.execute(_PAGE, {"skip": skip, "most": limit})]


def change(conn: Connection, session_id: int, at: datetime, values: dict[str, str]) -> None:
    """Set any of `title`, `provider` and `model`, and touch `updated_at`."""
    conn.execute(
        update(sessions).where(sessions.c.id == session_id).values(**values, updated_at=at)
    )


def move_leaf(conn: Connection, session_id: int, leaf_id: int | None, at: datetime) -> None:
    """Make another message the end of the active branch (None: the branch is empty)."""
    conn.exec_driver_sql(
        "UPDATE chat_sessions SET leaf_id = ?, updated_at = ? WHERE id = ?",
        (leaf_id, moment_to_text(at), session_id),
    )


def remove(conn: Connection, session_id: int) -> None:
    """The session with its messages, generations and logs."""
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_all(conn: Connection) -> None:
    """Every session."""
    conn.execute(delete(sessions))
