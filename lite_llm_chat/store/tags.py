"""Tags: words on sessions. A tag is there as long as a session has it.

set_of ─▶ rows (session, tag) ─▶ counts          rename: in steps; one that has both keeps one
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from .bare import driver, first, run, run_many

_CLEAR = "DELETE FROM session_tags WHERE session_id = ?"
_ADD = "INSERT OR IGNORE INTO session_tags (session_id, tag) VALUES (?, ?)"
_TAKE = "DELETE FROM session_tags WHERE session_id = ? AND tag = ?"
_COUNT_OF = "SELECT count(*) FROM session_tags WHERE session_id = ?"
_COUNTS = (
    "SELECT t.tag, count(*) FROM session_tags AS t JOIN chat_sessions AS s ON s.id = t.session_id"
    " WHERE s.deleted_at IS NULL GROUP BY t.tag ORDER BY t.tag"
)
_ANY = "SELECT 1 FROM session_tags WHERE tag = ? LIMIT 1"
_SOME = "SELECT session_id FROM session_tags WHERE tag = ? ORDER BY session_id LIMIT ?"


def set_of(conn: Connection, session_id: int, tags: Iterable[str]) -> None:
    """A session has these tags and no others."""
    run(conn, _CLEAR, (session_id,))
    add(conn, session_id, tags)


def add(conn: Connection, session_id: int, tags: Iterable[str]) -> int:
    """Give a session tags; how many it did not have."""
    return sum(driver(conn).execute(_ADD, (session_id, tag)).rowcount for tag in tags)


def take(conn: Connection, session_id: int, tags: Iterable[str]) -> int:
    """Take tags off a session; how many it had."""
    return sum(driver(conn).execute(_TAKE, (session_id, tag)).rowcount for tag in tags)


def count_of(conn: Connection, session_id: int) -> int:
    """How many tags a session has."""
    [(count,)] = run(conn, _COUNT_OF, (session_id,))
    return int(count)


def counts(conn: Connection) -> Collection[tuple[str, int]]:
    """Every tag and on how many sessions it is, by its name; the trash left out."""
    return run(conn, _COUNTS)


def is_there(conn: Connection, tag: str) -> bool:
    """Whether any session has it, also one in the trash."""
    return first(conn, _ANY, (tag,)) is not None


def replace(conn: Connection, tag: str, other: str | None, most: int) -> int:
    """On at most `most` sessions put another tag in the place of one (None: take it off); how
    many those were."""
    chosen = [int(one) for (one,) in run(conn, _SOME, (tag, most))]
    if other is not None:
        run_many(conn, _ADD, [(session_id, other) for session_id in chosen])
    run_many(conn, _TAKE, [(session_id, tag) for session_id in chosen])
    return len(chosen)
