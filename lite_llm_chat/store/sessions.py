"""Sessions: titled conversations, newest first.

A session's `message_count` is the depth of its leaf: the length of its active branch, known
without walking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, update

from ..domain import Session, TitleBy
from ..errors import NotFound
from ..stamps import generation_id
from . import search
from .bare import first, run
from .codec import moment_to_text, text_to_moment, text_to_options
from .tables import sessions

_SESSIONS = (
    "SELECT s.id, s.title, s.provider, s.model, s.created_at, s.updated_at, s.leaf_id,"
    " coalesce(leaf.depth, 0), s.uid, s.title_by, s.pinned, s.unread, s.archived_at, s.deleted_at,"
    " s.folder_id, s.system_prompt, s.options, s.preset_id, s.preset_version, s.forked_from,"
    " s.source, s.source_id,"
    " (SELECT group_concat(tag, char(10)) FROM session_tags WHERE session_id = s.id)"
    " FROM chat_sessions AS s LEFT JOIN chat_messages AS leaf ON leaf.id = s.leaf_id"
)
_ONE = f"{_SESSIONS} WHERE s.id = ?"
_PAGE = f"{_SESSIONS} ORDER BY s.updated_at DESC, s.id DESC LIMIT ? OFFSET ?"
_CREATE = (
    "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at, uid, title_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_MOVE_LEAF = "UPDATE chat_sessions SET leaf_id = ?, updated_at = ? WHERE id = ?"
_TOUCH = "UPDATE chat_sessions SET updated_at = ? WHERE id = ?"


def _session(row: Any) -> Session:
    id_, title, provider, model, created, updated, leaf_id, count, *more = row
    uid, title_by, pinned, unread, archived, deleted, folder_id, prompt, options, *rest = more
    preset_id, preset_version, forked_from, source, source_id, tags = rest
    return Session(
        id_,
        title,
        provider,
        model,
        text_to_moment(created),
        text_to_moment(updated),
        leaf_id,
        count,
        uid,
        title_by,
        bool(pinned),
        bool(unread),
        archived and text_to_moment(archived),
        deleted and text_to_moment(deleted),
        folder_id,
        prompt,
        options and text_to_options(options),
        preset_id,
        preset_version,
        forked_from,
        source,
        source_id,
        tuple(sorted(tags.split("\n"))) if tags else (),
    )


class Titled(NamedTuple):
    """A title, and whose it is."""

    text: str
    by: TitleBy = "person"


def create(conn: Connection, title: Titled, home: tuple[str, str], at: datetime) -> Session:
    """A new, empty session. `home` is the provider and the model that answer in it."""
    uid, moment = generation_id(), moment_to_text(at)
    values = (title.text, *home, moment, moment, uid, title.by)
    [(session_id,)] = run(conn, _CREATE, values)
    return Session(session_id, title.text, *home, at, at, uid=uid, title_by=title.by)


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
    search.empty(conn)
