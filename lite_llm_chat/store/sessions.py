"""Sessions: titled conversations.

    create ─▶ row ─▶ get ─▶ Session        one in the trash is found by `lying` alone
               ├── change      what it says of itself: it moves to the top of the list
               └── put         where it is put: it stays where it is in the list

A session's `message_count` is the depth of its leaf: the length of its active branch, known
without walking it. Lists of them are in listing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, update

from ..domain import Session, TitleBy
from ..errors import NotFound
from ..stamps import generation_id
from .bare import driver, first, run
from .codec import moment_to_text, text_to_moment, text_to_options
from .tables import sessions

SESSIONS = (
    "SELECT s.id, s.title, s.provider, s.model, s.created_at, s.updated_at, s.leaf_id,"
    " coalesce(leaf.depth, 0), s.uid, s.title_by, s.pinned, s.unread, s.archived_at, s.deleted_at,"
    " s.folder_id, s.system_prompt, s.options, s.preset_id, s.preset_version, s.forked_from,"
    " s.source, s.source_id,"
    " (SELECT group_concat(tag, char(10)) FROM session_tags WHERE session_id = s.id)"
    " FROM chat_sessions AS s LEFT JOIN chat_messages AS leaf ON leaf.id = s.leaf_id"
)
_ONE = f"{SESSIONS} WHERE s.id = ?"
_CREATE = (
    "INSERT INTO chat_sessions (title, provider, model, created_at, updated_at, uid, title_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_MOVE_LEAF = "UPDATE chat_sessions SET leaf_id = ?, updated_at = ?, unread = 0 WHERE id = ?"
_ANSWERED = "UPDATE chat_sessions SET updated_at = ?, unread = unread OR ? WHERE id = ?"
_TOUCH = "UPDATE chat_sessions SET updated_at = ? WHERE id = ?"
_RENAME = (
    "UPDATE chat_sessions SET title = ?, title_by = 'model'"
    " WHERE id = ? AND title = ? AND title_by = ? AND deleted_at IS NULL"
)


def session_of(row: Any) -> Session:
    """A row of SESSIONS."""
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
    """The session. Raises NotFound `session_not_found`, also of one in the trash."""
    session = lying(conn, session_id)
    if session is None or session.deleted_at is not None:
        raise missing(session_id)
    return session


def lying(conn: Connection, session_id: int) -> Session | None:
    """The session, wherever it lies: also in the trash."""
    row = first(conn, _ONE, (session_id,))
    return None if row is None else session_of(row)


def missing(session_id: int) -> NotFound:
    """The error of a session that is not there."""
    return NotFound(
        f"there is no session {session_id}: GET /sessions lists those that exist",
        code="session_not_found",
    )


def change(conn: Connection, session_id: int, at: datetime, values: Mapping[str, Any]) -> None:
    """Set columns that say what a session is, such as `title`, `provider` and `model`: it moves
    to the top of the list."""
    put(conn, session_id, {**values, "updated_at": at})


def put(conn: Connection, session_id: int, values: Mapping[str, Any]) -> None:
    """Set columns that say where a session is put, such as `pinned` and `folder_id`: it stays
    where it is in the list."""
    conn.execute(update(sessions).where(sessions.c.id == session_id).values(**values))


def rename(conn: Connection, seen: Session, title: str) -> bool:
    """Give it a model's title, unless it has another one by now than was `seen`, or was deleted;
    whether it was given."""
    values = title, seen.id, seen.title, seen.title_by
    return driver(conn).execute(_RENAME, values).rowcount > 0


def move_leaf(conn: Connection, session_id: int, leaf_id: int | None, at: datetime) -> None:
    """Make another message the end of the active branch (None: the branch is empty). Who does
    that has read what was there."""
    run(conn, _MOVE_LEAF, (leaf_id, moment_to_text(at), session_id))


def answered(conn: Connection, session_id: int, at: datetime, *, unread: bool) -> None:
    """An answer has ended: move to the top of the list. `unread` if nobody has followed it."""
    run(conn, _ANSWERED, (moment_to_text(at), unread, session_id))


def touch(conn: Connection, session_id: int, at: datetime) -> None:
    """Move a session to the top of the list."""
    run(conn, _TOUCH, (moment_to_text(at), session_id))
