"""The index of words: taught behind the transactions what every message and title says.

    rows change ─▶ triggers ─▶ search_waiting        the same transaction
                                     ├─▶ settle ─▶ search_index     soon after it
                                     │    ▲ words.py    rowid  id: a message
    begin ─▶ backfill, backfill … (newest first)               −id: a title

Triggers note what changed, whoever changed it, and what it said before; they need nothing but SQL,
so that a plain shell can write too. `settle` teaches the index many of them at once, which makes
one segment. Nobody's commit waits for it; whoever searches has it done first (search/current.py).
Rows that are gone are found no more, learned or not.

The index holds words and no text (a contentless FTS5 table), so whatever is taken out of it is
said again, word by word, by the same rule. When the rule has changed, which a newer Python's
Unicode does too, `begin` starts the index over. Each row begins with a word of its own for its
session, which nobody can type: what is searched in one session meets that session's rows alone.

FTS5 would merge its segments inside the commits of messages. That is switched off up to 64
segments of a level; `merge` does it in steps of a few milliseconds, in transactions of its own.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..domain import Attachment
from ..errors import IndexDamaged
from .bare import driver, first, run, run_many
from .codec import text_to_parts
from .tables import SEARCH_INDEX
from .words import RULE, words

INDEXED_CHARS = 100_000  # of one message: a longer one would hold up everybody's commit
SETTLED_ROWS = 256  # in one commit at most, as many as functions in a group
SETTLED_CHARS = 200_000
STEP_ROWS = 100
STEP_CHARS = 40_000  # of old messages, indexed in one transaction: some 10 ms
MERGE_PAGES = 50  # of 4 KiB, written by one step of merging: some 2 ms

_PUT = "INSERT INTO search_index (rowid, words) VALUES (?, ?)"
_TAKE = "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', ?, ?)"
_HAS = "SELECT 1 FROM search_index_docsize WHERE id = ?"  # asking the index itself makes a segment
_EMPTY = "INSERT INTO search_index (search_index) VALUES ('delete-all')"
_MERGE = "INSERT INTO search_index (search_index, rank) VALUES ('merge', ?)"
_UPTO = "SELECT messages_upto, titles_upto, messages_total, rule FROM search_progress"
_WAITING = (
    "SELECT w.id, w.session_id, w.was, w.parts, d.id IS NOT NULL, m.session_id, m.content, m.parts,"
    " s.title FROM search_waiting AS w LEFT JOIN search_index_docsize AS d ON d.id = w.id"
    " LEFT JOIN chat_messages AS m ON m.id = w.id LEFT JOIN chat_sessions AS s ON s.id = -w.id"
    " ORDER BY w.id"
)
_OLD_MESSAGES = (
    "SELECT id, session_id, content, parts FROM chat_messages WHERE id <= ?"
    " AND id NOT IN (SELECT id FROM search_waiting) ORDER BY id DESC"
)
_OLD_TITLES = (
    "SELECT id, title FROM chat_sessions WHERE id <= ?"
    " AND -id NOT IN (SELECT id FROM search_waiting) ORDER BY id DESC LIMIT ?"
)
_BEGIN = (
    "UPDATE search_progress SET rule = ?,"
    " messages_upto = (SELECT coalesce(max(id), 0) FROM chat_messages),"
    " titles_upto = (SELECT coalesce(max(id), 0) FROM chat_sessions),"
    " messages_total = (SELECT coalesce(max(id), 0) FROM chat_messages)"
)
# What a new index consists of, where the damaged one does not even take a command.
_BLANK = (
    SEARCH_INDEX[0].replace(" search_index ", " temp.search_blank "),
    *(f"DELETE FROM search_index_{part}" for part in ("data", "idx", "docsize")),
    "INSERT INTO search_index_data SELECT id, block FROM temp.search_blank_data",
    "DROP TABLE temp.search_blank",
)
_ALL_DONE = "UPDATE search_progress SET messages_upto = 0, titles_upto = 0, messages_total = 0"


_Row = tuple[int, str]  # of the index: its id, its words


class _Lesson(NamedTuple):
    """What a row of the index said and what it is to say; "" for nothing."""

    id: int
    old: str
    new: str


log = logging.getLogger("lite_llm_chat.store")


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


def _of_message(row: Any) -> _Row | None:
    """The id of a message and its words; None if it says nothing (as yet)."""
    id_, session_id, content, parts = row
    text = seen_text(content, parts)
    return (id_, _indexed(session_id, text)) if text else None


# ── soon after the transaction of a message, a title, a deletion ──────────────────────────────


def waits(conn: Connection) -> bool:
    """Whether there is something to `settle`."""
    return first(conn, "SELECT 1 FROM search_waiting LIMIT 1") is not None


def settle(conn: Connection) -> bool:
    """Teach the index what waits, as much as one commit should hold; whether some is left. Raises
    IndexDamaged."""
    try:
        return _settle(conn)
    except sqlite3.OperationalError:  # the disk
        raise
    except sqlite3.DatabaseError as cause:
        raise IndexDamaged from cause


def _settle(conn: Connection) -> bool:
    lessons, left = _lessons(conn)
    if not lessons:
        return False
    for lesson in lessons:
        if lesson.old:
            run(conn, _TAKE, (lesson.id, lesson.old))
        if lesson.new:
            run(conn, _PUT, (lesson.id, lesson.new))
    run(conn, "DELETE FROM search_waiting WHERE id <= ?", (lessons[-1].id,))
    for step in ("SAVEPOINT learned", "RELEASE learned"):  # it is written here, not by the COMMIT
        run(conn, step)
    return left


def _lessons(conn: Connection) -> tuple[list[_Lesson], bool]:
    """What the next commit should teach, by rising ids as the index wants them; whether there is
    more."""
    lessons: list[_Lesson] = []
    chars = 0
    for row in driver(conn).execute(_WAITING):
        if len(lessons) == SETTLED_ROWS or chars > SETTLED_CHARS:
            return lessons, True
        lesson = _lesson(row)
        lessons.append(lesson)
        chars += len(lesson.old) + len(lesson.new)
    return lessons, False


def _lesson(row: Any) -> _Lesson:
    id_, was_in, was, was_parts, known, session_id, content, parts, title = row
    old = _indexed(was_in, seen_text(was, was_parts)) if was and known else ""
    text = title if id_ < 0 else content and seen_text(content, parts)
    there = known and not old  # by a backfill
    new = _indexed(-id_ if id_ < 0 else session_id, text) if text and not there else ""
    return _Lesson(id_, old, new)


def _empty(conn: Connection) -> None:
    """Forget all that is indexed."""
    try:
        run(conn, _EMPTY)
    except sqlite3.OperationalError:  # the disk
        raise
    except sqlite3.DatabaseError:
        for statement in _BLANK:
            run(conn, statement)
    run(conn, "DELETE FROM search_waiting")
    run(conn, _ALL_DONE)


def _has(conn: Connection, rowid: int) -> bool:
    return first(conn, _HAS, (rowid,)) is not None


# ── behind the running server ─────────────────────────────────────────────────────────────────


def begin(conn: Connection) -> int:
    """How many messages `backfill` may have to index at most. An index by another rule is emptied
    and has everything before it."""
    if _progress(conn).rule != RULE:
        renew(conn)
    return _progress(conn).messages_upto


def mend(conn: Connection) -> None:
    """Begin a damaged index anew, and say so."""
    log.error("the index of words is damaged: it is made anew, from the messages")
    renew(conn)


def renew(conn: Connection) -> None:
    """Forget what is indexed: `backfill` begins with the newest message again."""
    _empty(conn)
    run(conn, _BEGIN, (RULE,))


def is_behind(conn: Connection) -> bool:
    """Whether there is something to `backfill`."""
    there = _progress(conn)
    return bool(there.messages_upto or there.titles_upto)


def share_indexed(conn: Connection) -> float:
    """How much of the messages is in the index, 0 to 1; the newest are there first."""
    there = _progress(conn)
    return 1.0 - there.messages_upto / there.messages_total if there.messages_total else 1.0


def backfill(conn: Connection) -> bool:
    """Index some old rows, titles first; whether there may be more. Some 10 ms."""
    messages_upto, titles_upto, *_ = _progress(conn)
    if titles_upto:
        titles = run(conn, _OLD_TITLES, (titles_upto, STEP_ROWS))
        _put_old(conn, [(-id_, _indexed(id_, title)) for id_, title in titles])
        _go_on(conn, "titles_upto", titles[-1][0] - 1 if titles else 0)
    elif messages_upto:
        found = _some_messages(conn, messages_upto)
        rows = map(_of_message, reversed(found))  # the ids of one transaction have to rise
        _put_old(conn, [row for row in rows if row])
        _go_on(conn, "messages_upto", found[-1][0] - 1 if found else 0)
    return bool(messages_upto or titles_upto)


def _put_old(conn: Connection, rows: Iterable[_Row]) -> None:
    """Rows that are there already stay as they are."""
    run_many(conn, _PUT, [row for row in rows if not _has(conn, row[0])])


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
