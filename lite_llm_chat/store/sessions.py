"""Sessions: titled conversations, newest first.

A session's `message_count` is the depth of its leaf: the length of its active branch, known
without walking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from ..domain import Session
from ..errors import NotFound
from .tables import messages, sessions


def _query() -> Select[tuple[object, ...]]:
    leaf = messages.alias("leaf")
    return select(sessions, func.coalesce(leaf.c.depth, 0).label("message_count")).outerjoin(
        leaf, leaf.c.id == sessions.c.leaf_id
    )


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(**row._asdict())


def create(conn: Connection, title: str, provider: str, model: str, at: datetime) -> Session:
    """A new, empty session."""
    session_id = conn.execute(
        insert(sessions)
        .values(title=title, provider=provider, model=model, created_at=at, updated_at=at)
        .returning(sessions.c.id)
    ).scalar_one()
    return Session(session_id, title, provider, model, at, at)


def get(conn: Connection, session_id: int) -> Session:
    """The session. Raises NotFound `session_not_found`."""
    row = conn.execute(_query().where(sessions.c.id == session_id)).one_or_none()
    if row is None:
        raise NotFound(
            f"there is no session {session_id}: GET /sessions lists those that exist",
            code="session_not_found",
        )
    return _session(row)


def page(conn: Connection, skip: int, limit: int) -> Sequence[Session]:
    """At most `limit` sessions after the first `skip`, most recently updated first."""
    rows = conn.execute(
        _query()
        .order_by(sessions.c.updated_at.desc(), sessions.c.id.desc())
        .offset(skip)
        .limit(limit)
    )
    return [_session(row) for row in rows]


def change(conn: Connection, session_id: int, at: datetime, values: dict[str, str]) -> None:
    """Set any of `title`, `provider` and `model`, and touch `updated_at`."""
    conn.execute(
        update(sessions).where(sessions.c.id == session_id).values(**values, updated_at=at)
    )


def move_leaf(conn: Connection, session_id: int, leaf_id: int | None, at: datetime) -> None:
    """Make another message the end of the active branch (None: the branch is empty)."""
    conn.execute(
        update(sessions).where(sessions.c.id == session_id).values(leaf_id=leaf_id, updated_at=at)
    )


def remove(conn: Connection, session_id: int) -> None:
    """The session with its messages, generations and logs."""
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_all(conn: Connection) -> None:
    """Every session."""
    conn.execute(delete(sessions))
