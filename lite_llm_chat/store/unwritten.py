"""What is special about rows that are in memory only: their ids, their bounds, their time.

Ids begin at a random place of their range, so that a page that was left open over a restart does
not come upon somebody else's chat.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from ..domain import FIRST_TEMPORARY, LAST_TEMPORARY
from .bare import run
from .codec import moment_to_text

_BEGIN_AT = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)"
_LEARNING = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'search%'"
_UNUSED = (
    "SELECT id FROM chat_sessions AS s WHERE updated_at < ? AND NOT EXISTS (SELECT 1 FROM"
    " generations WHERE session_id = s.id AND status IN ('queued', 'running') AND NOT waiting)"
)


def begin(conn: Connection) -> None:
    """Of a new, empty database: from now on its ids are those of temporary chats, and nothing of
    them is learned for the search."""
    some = (LAST_TEMPORARY - FIRST_TEMPORARY) // 2
    for table in ("chat_sessions", "chat_messages"):
        run(conn, _BEGIN_AT, (table, FIRST_TEMPORARY + secrets.randbelow(some)))
    for (name,) in run(conn, _LEARNING):
        run(conn, f"DROP TRIGGER {name}")


def sessions_and_bytes(conn: Connection) -> tuple[int, int]:
    """How many sessions there are, and how much memory all rows take."""
    [(count,)] = run(conn, "SELECT count(*) FROM chat_sessions")
    [(pages,)], [(size,)] = run(conn, "PRAGMA page_count"), run(conn, "PRAGMA page_size")
    return count, pages * size


def unused(conn: Connection, since: datetime) -> Sequence[int]:
    """The sessions in which nothing was asked or answered since a moment, and nothing is being."""
    return [id_ for (id_,) in run(conn, _UNUSED, (moment_to_text(since),))]
