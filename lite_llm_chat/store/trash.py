"""The trash: sessions that are deleted, and how their rows leave the file.

    unused ─▶ put ─▶ deleted_at ─▶ restore     nobody finds it, but the list of the trash
                        │ condemn
                        ▼
                      GONE ─▶ step ─▶ step …   nobody finds it; its newest messages go first

What is not whole yet, an import or a copy, counts as deleted too, and is nobody's to restore.
A session is condemned at once and removed in steps, each so small that no answer waits for it. A
process that ends between two steps leaves a condemned session, which the next one removes.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import Connection

from . import usage
from .bare import driver, first, run
from .codec import moment_to_text

GONE = datetime(1970, 1, 1, tzinfo=UTC)  # `deleted_at` of what is being removed …
UNFINISHED = datetime(9999, 1, 1, tzinfo=UTC)  # … and of what is being made and not there yet
BOUNDS = moment_to_text(GONE), moment_to_text(UNFINISHED)  # between them is the trash
MESSAGES_A_STEP = 100
EVENTS_A_STEP = 2_000

_AMONG = "id IN (SELECT value FROM json_each(?))"
_LIVE = (
    "SELECT id FROM generations WHERE status IN ('queued', 'running')"
    " AND session_id IN (SELECT value FROM json_each(?)) LIMIT 1"
)
_PUT = f"UPDATE chat_sessions SET deleted_at = ? WHERE {_AMONG} AND deleted_at IS NULL RETURNING id"
_RESTORE = (
    f"UPDATE chat_sessions SET deleted_at = NULL WHERE {_AMONG}"
    " AND deleted_at > ? AND deleted_at < ? RETURNING id"
)
_CONDEMN = (
    f"UPDATE chat_sessions SET deleted_at = ? WHERE {_AMONG}"
    " AND (deleted_at IS NULL OR (deleted_at > ? AND deleted_at < ?)) RETURNING id"
)
_SOME = "SELECT id FROM chat_sessions WHERE deleted_at IS NULL AND id > ? ORDER BY id LIMIT ?"
_LYING = (
    "SELECT id FROM chat_sessions WHERE deleted_at > ? AND deleted_at < ? ORDER BY deleted_at"
    " LIMIT ?"
)
_UNUSED = (
    "SELECT id FROM chat_sessions AS s WHERE folder_id IS ? AND updated_at < ? AND NOT pinned"
    " AND deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM generations AS g"
    " WHERE g.session_id = s.id AND g.status IN ('queued', 'running')) ORDER BY updated_at LIMIT ?"
)
_MARKED = "SELECT id FROM chat_sessions WHERE deleted_at = ? LIMIT 1"
_NEWEST = "SELECT id FROM chat_messages WHERE session_id = ? ORDER BY id DESC LIMIT ?"
_DROP_EVENTS = (
    "DELETE FROM events WHERE (generation_id, seq) IN (SELECT e.generation_id, e.seq"
    " FROM generations AS g JOIN events AS e ON e.generation_id = g.id"
    " WHERE g.session_id = ? AND g.message_id >= ? LIMIT ?)"
)
_DROP_MESSAGES = "DELETE FROM chat_messages WHERE session_id = ? AND id >= ?"
_DROP_SESSION = "DELETE FROM chat_sessions WHERE id = ?"


def live_among(conn: Connection, ids: Collection[int]) -> str | None:
    """An answer in the making in one of some sessions, if there is one."""
    row = first(conn, _LIVE, (_list(ids),))
    return None if row is None else str(row[0])


def put(conn: Connection, ids: Collection[int], at: datetime) -> list[int]:
    """Put sessions into the trash; which were not there yet. None of them may be live."""
    return _ids(conn, _PUT, moment_to_text(at), _list(ids))


def restore(conn: Connection, ids: Collection[int]) -> list[int]:
    """Take sessions out of the trash; which were there."""
    return _ids(conn, _RESTORE, _list(ids), *BOUNDS)


def condemn(conn: Connection, ids: Collection[int]) -> list[int]:
    """Delete sessions for good, in the trash or not; which were there. None may be live."""
    return _ids(conn, _CONDEMN, BOUNDS[0], _list(ids), *BOUNDS)


def untrashed(conn: Connection, after: int, most: int) -> list[int]:
    """The first `most` sessions that are not in the trash, by id after one."""
    return _ids(conn, _SOME, after, most)


def lying(conn: Connection, before: datetime, most: int) -> list[int]:
    """At most `most` sessions that were put into the trash before a moment."""
    return _ids(conn, _LYING, BOUNDS[0], moment_to_text(before), most)


def unused(conn: Connection, folder_id: int | None, before: datetime, most: int) -> list[int]:
    """At most `most` sessions of a folder (None: of none) that were last updated before a moment,
    are not pinned, and not being answered."""
    return _ids(conn, _UNUSED, folder_id, moment_to_text(before), most)


def condemned(conn: Connection) -> bool:
    """Whether any session is condemned and not yet removed."""
    return first(conn, _MARKED, (moment_to_text(GONE),)) is not None


def step(conn: Connection, *, marked: datetime = GONE) -> bool:
    """Remove a part of one session that is marked so, a condemned one or one that will never be
    whole; False if there is none. What its answers took is still counted."""
    row = first(conn, _MARKED, (moment_to_text(marked),))
    if row is None:
        return False
    (session_id,) = row
    newest = _ids(conn, _NEWEST, session_id, MESSAGES_A_STEP)
    if newest:
        oldest = newest[-1]
        dropped = driver(conn).execute(_DROP_EVENTS, (session_id, oldest, EVENTS_A_STEP)).rowcount
        if dropped == EVENTS_A_STEP:
            return True
        usage.keep_of(conn, session_id, oldest)
        run(conn, _DROP_MESSAGES, (session_id, oldest))
    if len(newest) < MESSAGES_A_STEP:
        run(conn, _DROP_SESSION, (session_id,))
    return True


def _ids(conn: Connection, statement: str, *values: object) -> list[int]:
    return [int(one) for (one,) in run(conn, statement, values)]


def _list(ids: Collection[int]) -> str:
    return json.dumps(list(ids))
