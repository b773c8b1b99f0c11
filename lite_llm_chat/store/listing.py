"""Lists of sessions: which, in which order, from where on.

    Wanted ─▶ WHERE … ORDER BY updated_at DESC, id DESC ─▶ a page of Sessions
                           └ in the trash: deleted_at

A page begins behind a key, which costs the same however far down it is and shows nothing twice, or
after so many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..domain import Session
from .bare import run
from .codec import moment_to_text
from .sessions import SESSIONS, session_of
from .trash import BOUNDS


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions; None: whatever it is. `folder_id` 0 is no folder; `tags`: all of them.
    `before` is the moment and the id of the last one of the page before."""

    trashed: bool = False
    archived: bool | None = False
    pinned: bool | None = None
    unread: bool | None = None
    folder_id: int | None = None
    tags: tuple[str, ...] = ()
    before: tuple[datetime, int] | None = None
    skip: int = 0
    limit: int = 100


def page(conn: Connection, wanted: Wanted) -> Sequence[Session]:
    """At most `limit` of them, most recently updated first; in the trash, most recently
    deleted."""
    key = "s.deleted_at" if wanted.trashed else "s.updated_at"
    where, values = _where(wanted)
    if wanted.before is not None:
        where.append(f"({key}, s.id) < (?, ?)")
        values += [moment_to_text(wanted.before[0]), wanted.before[1]]
    statement = (
        f"{SESSIONS} WHERE {' AND '.join(where)} ORDER BY {key} DESC, s.id DESC LIMIT ? OFFSET ?"
    )
    return [session_of(row) for row in run(conn, statement, (*values, wanted.limit, wanted.skip))]


def _where(wanted: Wanted) -> tuple[list[str], list[object]]:
    where: list[str] = ["s.deleted_at IS NULL"]
    values: list[object] = []
    if wanted.trashed:
        where, values = ["s.deleted_at > ? AND s.deleted_at < ?"], [*BOUNDS]
    if wanted.archived is not None:
        where.append(f"s.archived_at IS {'NOT ' if wanted.archived else ''}NULL")
    if wanted.folder_id == 0:
        where.append("s.folder_id IS NULL")
    elif wanted.folder_id is not None:
        where.append("s.folder_id = ?")
        values.append(wanted.folder_id)
    for name, flag in (("pinned", wanted.pinned), ("unread", wanted.unread)):
        if flag is not None:
            where.append(f"s.{name} = ?")
            values.append(flag)
    for tag in wanted.tags:
        where.append("s.id IN (SELECT session_id FROM session_tags WHERE tag = ?)")
        values.append(tag)
    return where, values
