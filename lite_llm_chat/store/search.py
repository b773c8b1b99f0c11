"""The index of words: kept up with every message and title, in the same transaction.

    a message's text is final ─┐                      ┌─▶ search_index   rowid  id:   a message
    a title is given ──────────┼─▶ words.py ─▶ words ─┤                        −id:   a title
    a session goes ────────────┘    (the same words take them out again)
                                                      └─▶ search_progress: rows up to these ids are
    begin ─▶ backfill, backfill … (newest first)          may not be in yet

The index holds words and no text (a contentless FTS5 table), so whatever is taken out of it is
said again, word by word, by the same rule. When the rule has changed, which a newer Python's
Unicode does too, `begin` starts the index over. Each row begins with a word of its own for its
session, which nobody can type: what is searched in one session meets that session's rows alone.

FTS5 would merge its segments inside the commits of messages. That is switched off up to 64
segments of a level; `merge` does it in steps of a few milliseconds, in transactions of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..domain import Attachment
from .bare import driver, first, run, run_many
from .codec import text_to_parts
from .words import RULE, words

INDEXED_CHARS = 100_000  # of one message: a longer one would hold up everybody's commit
STEP_ROWS = 100
STEP_CHARS = 40_000  # of old messages, indexed in one transaction: some 10 ms
MERGE_PAGES = 50  # of 4 KiB, written by one step of merging: some 2 ms

_PUT = "INSERT INTO search_index (rowid, words) VALUES (?, ?)"
_TAKE = "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', ?, ?)"
_HAS = "SELECT 1 FROM search_index_docsize WHERE id = ?"  # asking the index itself makes a segment
_EMPTY = "INSERT INTO search_index (search_index) VALUES ('delete-all')"
_MERGE = "INSERT INTO search_index (search_index, rank) VALUES ('merge', ?)"
_UPTO = "SELECT messages_upto, titles_upto, messages_total, rule FROM search_progress"
_MESSAGE = "SELECT id, session_id, content, parts FROM chat_messages WHERE id = ?"
_OF_SESSION = (
    "SELECT id, session_id, content, parts FROM chat_messages WHERE session_id = ? ORDER BY id"
)
_OLD_MESSAGES = (
    "SELECT id, session_id, content, parts FROM chat_messages WHERE id <= ? ORDER BY id DESC"
)
_OLD_TITLES = "SELECT id, title FROM chat_sessions WHERE id <= ? ORDER BY id DESC LIMIT ?"
_TITLE = "SELECT title FROM chat_sessions WHERE id = ?"
_BEGIN = (
    "UPDATE search_progress SET rule = ?,"
    " messages_upto = (SELECT coalesce(max(id), 0) FROM chat_messages),"
    " titles_upto = (SELECT coalesce(max(id), 0) FROM chat_sessions),"
    " messages_total = (SELECT coalesce(max(id), 0) FROM chat_messages)"
)
_ALL_DONE = "UPDATE search_progress SET messages_upto = 0, titles_upto = 0, messages_total = 0"


class _Progress(NamedTuple):
    """The row of search_progress."""

    messages_upto: int
    titles_upto: int
    messages_total: int
    rule: str


def _progress(conn: Connection) -> _Progress:
    [row] = run(conn, _UPTO)
    return _Progress(*row)


def seen_text(content: str, parts: str | None) -> str:
    """What people see of a message and look for: its text, and below it the names of its files."""
    if parts is None or '"attachment"' not in parts:
        return content
    names = [one.name for one in text_to_parts(parts) if isinstance(one, Attachment)]
    return "\n".join([content, *names] if content else names)


def session_word(session_id: int) -> str:
    """The word of a session's rows; `words` never gives a character for private use."""
    return f"\ue000{session_id}"


def _indexed(session_id: int, text: str) -> str:
    return " ".join([session_word(session_id), *words(text[:INDEXED_CHARS])])


def _of_message(row: Any) -> tuple[int, str] | None:
    """The id of a message and its words; None if it says nothing (as yet)."""
    id_, session_id, content, parts = row
    text = seen_text(content, parts)
    return (id_, _indexed(session_id, text)) if text else None


# ── in the transaction of a message, a title, a deletion ──────────────────────────────────────


def add_message(conn: Connection, message_id: int) -> None:
    """Call it when the row says what it will always say; one that says nothing is left out."""
    rows = map(_of_message, run(conn, _MESSAGE, (message_id,)))
    _put(conn, [row for row in rows if row])


def add_title(conn: Connection, session_id: int, title: str) -> None:
    """Of a new session."""
    _put(conn, [(-session_id, _indexed(session_id, title))])


def change_title(conn: Connection, session_id: int, title: str) -> None:
    """Call it before the row has the new title."""
    _take_title(conn, session_id)
    add_title(conn, session_id, title)


def remove_session(conn: Connection, session_id: int) -> None:
    """Call it before the rows are deleted: they say which words to take out."""
    _take_title(conn, session_id)
    rows = map(_of_message, run(conn, _OF_SESSION, (session_id,)))
    _take(conn, [row for row in rows if row])


def remove_all(conn: Connection) -> None:
    """When every session is deleted."""
    run(conn, _EMPTY)
    run(conn, _ALL_DONE)


def _take_title(conn: Connection, session_id: int) -> None:
    old = first(conn, _TITLE, (session_id,))
    if old is not None:
        _take(conn, [(-session_id, _indexed(session_id, old[0]))])


def _put(conn: Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Rows that are there already stay as they are."""
    run_many(conn, _PUT, [row for row in rows if not _has(conn, row[0])])


def _take(conn: Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Rows that are not there need not be taken out, and must not be."""
    run_many(conn, _TAKE, [row for row in rows if _has(conn, row[0])])


def _has(conn: Connection, rowid: int) -> bool:
    return first(conn, _HAS, (rowid,)) is not None


# ── behind the running server ─────────────────────────────────────────────────────────────────


def begin(conn: Connection) -> int:
    """How many messages `backfill` may have to index at most. An index by another rule is emptied
    and has everything before it."""
    if _progress(conn).rule != RULE:
        run(conn, _EMPTY)
        run(conn, _BEGIN, (RULE,))
    return _progress(conn).messages_upto


def share_indexed(conn: Connection) -> float:
    """How much of the messages is in the index, 0 to 1; the newest are there first."""
    there = _progress(conn)
    return 1.0 - there.messages_upto / there.messages_total if there.messages_total else 1.0


def backfill(conn: Connection) -> bool:
    """Index some old rows, titles first; whether there may be more. Some 10 ms."""
    messages_upto, titles_upto, *_ = _progress(conn)
    if titles_upto:
        titles = run(conn, _OLD_TITLES, (titles_upto, STEP_ROWS))
        _put(conn, [(-id_, _indexed(id_, title)) for id_, title in titles])
        _go_on(conn, "titles_upto", titles[-1][0] - 1 if titles else 0)
    elif messages_upto:
        found = _some_messages(conn, messages_upto)
        rows = map(_of_message, reversed(found))  # the ids of one transaction have to rise
        _put(conn, [row for row in rows if row])
        _go_on(conn, "messages_upto", found[-1][0] - 1 if found else 0)
    return bool(messages_upto or titles_upto)


def _some_messages(conn: Connection, upto: int) -> list[Any]:
    found: list[Any] = []
    chars = 0
    for row in driver(conn).execute(_OLD_MESSAGES, (upto,)):
        found.append(row)
        chars += min(len(row[2]), INDEXED_CHARS)
        if len(found) == STEP_ROWS or chars >= STEP_CHARS:
            break
    return found


def _go_on(conn: Connection, column: str, upto: int) -> None:
    run(conn, f"UPDATE search_progress SET {column} = ?", (upto,))


def merge(conn: Connection) -> bool:
    """Merge some segments of the index, for a few milliseconds; whether there was something."""
    before = driver(conn).total_changes
    run(conn, _MERGE, (MERGE_PAGES,))
    return driver(conn).total_changes - before > 1
